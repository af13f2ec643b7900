"""What people type for symbols and sources, as the files write it; and hints where a name looks like a slip."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from config.home import Home
from config.models import SOURCE_DEFAULTS
from config.problems import nearest
from config.values import check_source_symbol

Say = Callable[[str], None]

LOWER = re.compile(r"[a-z0-9]*[a-z][a-z0-9]*", re.ASCII)
ALERT_SYMBOL = re.compile(r"(?:[A-Za-z0-9_]+:)?(?P<bare>.+?)(?:\.[Pp])?", re.ASCII)
QUOTES = ("USDT", "USDC")


def tidy(answer: str, say: Say) -> str:
    """A symbol typed in small letters alone means the one in capitals; said, so that nobody is surprised."""
    if LOWER.fullmatch(answer) is None:
        return answer
    say(f"  Taken as {answer.upper()}.")
    return answer.upper()


def check_own(source: str, answer: str, say: Say) -> str:
    """A source's own symbol, '' for Enter alone. Raises ValueError."""
    if not answer:
        return ""
    if source == "tradingview" and (found := ALERT_SYMBOL.fullmatch(answer)) and found["bare"] != answer:
        say(f"  Taken as {found['bare']}: an alert's exchange and .P are dropped before it is looked up.")
        answer = found["bare"]
    return check_source_symbol(tidy(answer, say) if source in SOURCE_DEFAULTS else answer)


def quote_hint(target: str) -> str:
    """What to say of a bare symbol that looks like no linear perpetual; '' where nothing."""
    if re.search(r"[.:-]", target) or target.endswith(QUOTES):
        return ""
    if target.endswith("USD"):
        return f"{target} may be traded nowhere: perpetuals are named like {target}T. --check asks the venues."
    return f"{target} does not end in {' or '.join(QUOTES)}, as perpetuals do. --check asks the venues."


def strangers(home: Home, sources: Iterable[str]) -> list[tuple[str, str]]:
    """Sources that nothing here has ever spoken for, each with what to say of it."""
    known = set(SOURCE_DEFAULTS)
    found = []
    for source in sources:
        if source in known or home.document(source).exists() or (home.signals / source).is_dir():
            continue
        near = nearest(source, known)
        hint = f"did you mean {near}?" if near else "it has a say once it writes one"
        found.append((source, f"no source of this name has written signals/{source}.json here; {hint}"))
    return found
