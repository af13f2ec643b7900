"""What ccxt's exceptions prove, by the names of their classes.

An exception proves something about an order only if ccxt raised it for a code that stands in the exchange's own exact
table (`code` is that code), not for words found in a message, not for an HTTP status, and not for want of anything
better. Even then a class proves a refusal only if it means that the request never reached matching. Everything else
is `Ambiguous`. Words are used in one direction only: what sounds like an order that exists is not taken for a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from account_processors.codecs.ccxt_facts import Facts
from account_processors.codecs.verdicts import ADD_MONEY, KEY, OURS, WAIT, Verdict, nobody_knows, verdicts
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError

ABSENT = "OrderNotFound"
NO_CHANGE = "NoChange"
SOUNDS_TAKEN = re.compile(r"duplic|exist|repeat|already", re.IGNORECASE)
MAX_WORDS = 200

PROVEN: Mapping[str, Verdict] = {
    **verdicts(
        Unavailable,
        ("RateLimitExceeded", "the exchange's rate limit was met", WAIT),
    ),
    **verdicts(
        Denied,
        ("PermissionDenied", "the key lacks a permission", "give it the rights to read and to trade futures"),
        ("AuthenticationError", "the key was not accepted", KEY),
    ),
    **verdicts(
        OurFault,
        ("BadSymbol", "the exchange knows no such contract", "remove the symbol from the weights"),
        ("ArgumentsRequired", "a parameter is missing", OURS),
        ("BadRequest", "a parameter is wrong", OURS),
        ("NotSupported", "ccxt does not do this on this exchange", OURS),
    ),
    **verdicts(
        Rejected,
        ("InsufficientFunds", "the available margin is too small", ADD_MONEY),
        ("InvalidOrder", "the exchange does not take this order", "none: the engine reads the position again"),
        ("OperationRejected", "the exchange refuses for now", WAIT),
    ),
}
REFUSED, FAILS = 400, 500
"""From this HTTP status on the exchange itself, or something before it, failed: nothing is proven."""
UNPROVEN = frozenset({"DuplicateOrderId", "OrderNotFound", "OrderNotCached"})
"""Kinds of `InvalidOrder` that say nothing of an order just sent."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An exception of ccxt. `kinds`: names of its class and those it comes from, nearest first; `code`: the exchange's,
    `listed` where it stands in an exact table; `words` without our secrets; `status` of the answer, 0: there was none.
    """

    kinds: tuple[str, ...]
    code: str
    listed: bool
    words: str
    status: int
    sent: bool
    """Whether any request had gone out."""

    @property
    def said(self) -> str:
        http = f"HTTP {self.status}, " if self.status >= REFUSED else ""
        return f"{http}{self.kinds[0] if self.kinds else 'error'}: {' '.join(self.words.split())[:MAX_WORDS]}"


def verdict(kinds: Sequence[str], code: str = "", means: Mapping[str, str] | None = None) -> Verdict | None:
    """`kinds`: names of the exception's class and of those it comes from, nearest first; `means`:
    codes that mean another class."""
    for kind in [means[code]] if means and code in means else kinds:
        if kind in UNPROVEN:
            return None
        if kind in PROVEN:
            return PROVEN[kind]
    return None


def of_order(seen: Seen, place: str, client_id: str, facts: Facts) -> VenueError:
    """What an exception proves about an order that was sent."""
    found = verdict(seen.kinds, seen.code, facts.means)
    doubtful = not seen.listed or seen.code in facts.not_proof or seen.status >= FAILS
    if found is None or doubtful or (not facts.proven and SOUNDS_TAKEN.search(seen.words)):
        return nobody_knows(seen.said, client_id, seen.code)
    return found.error(place, seen.said, seen.code)


def of_read(seen: Seen, place: str, facts: Facts) -> VenueError:
    """`Denied` for a key that is refused, else `Unavailable`."""
    found = verdict(seen.kinds, seen.code, facts.means)
    if found is not None and found.kind is Denied and seen.status < FAILS:
        return found.error(place, seen.said, seen.code)
    return Unavailable(f"{place}: {seen.said}", seen.code)


def of_setting(seen: Seen, place: str, facts: Facts) -> VenueError | None:
    """None: it is as asked. Settings are read back, so that an unknown outcome is no danger."""
    if NO_CHANGE in seen.kinds or facts.means.get(seen.code) == NO_CHANGE:
        return None
    found = verdict(seen.kinds, seen.code, facts.means)
    if found is not None and not seen.sent:
        return OurFault(f"{place}: {seen.said}; nothing was sent")
    if found is None or not seen.listed or seen.status >= FAILS:
        return Unavailable(f"{place}: {seen.said}; the engine reads the setting back", seen.code)
    return found.error(place, seen.said, seen.code)
