"""`./run signals`: what arrived, what became of it and why, what is in force, what each account takes of it."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from typing import Any

from cli.errors import UserError
from cli.explain_account import instant, signal_json, taken_json
from cli.explain_facts import HomeFacts, home_facts
from cli.explain_words import MODES, aged
from cli.places import shown
from cli.reading import instant as moment_of
from cli.signals_log import Asked, Found, found_in
from cli.status import homes_to_show
from config.home import Home
from core.domain import SourceName, SourceReading, Symbol, plain

Json = dict[str, Any]
LIMIT = 200
MAX_LIMIT = 1_000_000
SINCE = "24h"
AGE = re.compile(r"([0-9]{1,7})(s|m|min|h|d)")
UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
COUNTED = ("accepted", "duplicate", "late", "refused", "no room", "damaged")


def signals(args: argparse.Namespace) -> int:
    now = time.time()
    since = since_of(args.since, now)
    if not 1 <= args.limit <= MAX_LIMIT:
        raise UserError(f"--limit takes 1 to {MAX_LIMIT} lines, not {args.limit}.")
    homes = homes_to_show(args)
    found = [(home, of_home(home, args.source, args.symbol, since, args.limit)) for home in homes]
    if args.json:
        print(json.dumps({"schema": 1, "homes": [described for _, described in found]}, indent=2))
        return 0
    for home, described in found:
        for line in home_lines(described, now):
            print(f"{shown(home)}  {line}")
    return 0


def since_of(text: str, now: float) -> float:
    """The instant that `2h`, `30m`, `7d`, `2026-11-20` or a full one means, epoch seconds. Raises UserError."""
    age = AGE.fullmatch(text)
    if age is not None:
        return max(now - int(age[1]) * UNITS_S[age[2]], 0.0)
    moment = moment_of(f"{text}T00:00:00Z" if DAY.fullmatch(text) else text)
    if moment is None:
        raise UserError(f"--since takes 30m, 2h, 7d, 2026-11-20 or 2026-11-20T09:00:00Z, not {text[:40]!r}.")
    return moment


def of_home(home: Home, source: str | None, symbol: str | None, since: float, limit: int) -> Json:
    """Everything as one object. Without a valid configuration what arrived is shown all the same."""
    facts, problems = None, []
    try:
        facts = home_facts(home)
        problems = list(facts.problems)
    except UserError as error:
        problems = [str(error)]
    known = sources_of(home, facts)
    if source is not None and source not in known:
        raise UserError(
            f"{shown(home)}: no source {source[:64]!r} is configured or was heard in {home.root}; "
            f"known: {', '.join(known) or 'none yet'}."
        )
    names = [source] if source else known
    return {
        "home": str(home.root),
        "label": home.label,
        "since": instant(since),
        "problems": problems,
        "sources": {name: of_source(home, facts, SourceName(name), symbol, since, limit) for name in names},
    }


def sources_of(home: Home, facts: HomeFacts | None) -> list[str]:
    """Every source with a weight, a mapping, a store or a document."""
    stores = {path.name for name in ("raw_signals", "rejected_signals") for path in (home.root / name).glob("*")}
    documents = {path.stem for path in home.signals.glob("*.json")}
    return sorted({*stores, *documents, *(facts.readings if facts else ())})


def of_source(
    home: Home, facts: HomeFacts | None, source: SourceName, symbol: str | None, since: float, limit: int
) -> Json:
    own = None if symbol is None else frozenset(own_names(facts, source, symbol))
    found: Found = found_in(home, source, Asked(since, own, limit))
    reading = facts.readings.get(source) if facts else None
    return {
        "reading": reading.reading.value if reading else None,
        "because": (reading.because or None) if reading else None,
        "counts": {name: found.counts[name] for name in COUNTED},
        "arrived": list(found.lines),
        "left_out": found.left_out,
        "troubles": found.troubles,
        "in_force": in_force(facts, source, reading, own) if facts and reading else {},
    }


def own_names(facts: HomeFacts | None, source: SourceName, symbol: str) -> set[str]:
    """The source's own names of a symbol, which may be given in its or in the engine's name."""
    mapping = facts.settings.mappings.get(source, {}) if facts else {}
    return {symbol, *(own for own, target in mapping.items() if target == symbol)}


def in_force(facts: HomeFacts, source: SourceName, reading: SourceReading, own: frozenset[str] | None) -> Json:
    """The source's opinions as the engine reads them, and each account's part in them."""
    signals_now = reading.document.signals if reading.document else {}
    mapping = facts.settings.mappings.get(source, {})
    found = {}
    for name, signal in sorted(signals_now.items()):
        if own is None or name in own:
            target = mapping.get(name)
            found[name] = {
                **signal_json(facts, source, signal),
                "target": target,
                "contributes": contributions(facts, source, target) if target else {},
            }
    return found


def contributions(facts: HomeFacts, source: SourceName, target: Symbol) -> Json:
    """account -> what it takes of the source on the symbol, where it is configured for it."""
    found: Json = {}
    for account, one in facts.accounts.items():
        for share in facts.shares(one, target):
            if share.source == source and target in facts.symbols(one):
                found[account] = {
                    "weight": plain(share.weight),
                    "present": None if share.present is None else plain(share.present),
                    "taken": taken_json(share.taken),
                    "frozen": share.frozen,
                    "because": share.because or None,
                }
    return found


# --- lines ------------------------------------------------------------------------------------------------------------


def home_lines(described: Json, now: float) -> Iterator[str]:
    for problem in described["problems"]:
        yield f"configuration: {problem}"
    if not described["sources"]:
        yield "no source is configured or was heard here yet"
    for source, found in described["sources"].items():
        yield from source_lines(source, found, described["since"], now)


def source_lines(source: str, found: Json, since: str, now: float) -> Iterator[str]:
    for trouble in found["troubles"]:
        yield f"{source}: {trouble}"
    if found["left_out"]:
        yield f"{source}: {found['left_out']} older lines are left out; --limit shows more, --since fewer"
    for line in found["arrived"]:
        yield f"{source}  {arrival_words(line)}"
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items() if count)
    yield f"{source}: since {since}: {counts or 'nothing arrived'}"
    if found["because"]:
        yield f"{source}: {found['because']}"
    for own, signal in found["in_force"].items():
        yield from force_lines(source, own, signal, now)


def arrival_words(line: Json) -> str:
    at = line["at"] or "at an unknown time    "
    if "direction" in line:
        extra = "".join(f", {name} {line[name]}" for name in ("leverage", "price") if line[name])
        said = f"{line['symbol']} {line['direction']} {line['depth']}{extra}"
    else:
        said = line.get("excerpt") or (json.dumps(line["line"]) if "line" in line else "")
    stands = ", in force" if line.get("in_force") else ""
    because = f": {line['because']}" if line["because"] else ""
    notes = "".join(f"; {note}" for note in line.get("notes", ()))
    return f"{at}  {line['outcome']}{stands}  {said[:160]}{because}{notes}  ({line['raw']})"


def force_lines(source: str, own: str, signal: Json, now: float) -> Iterator[str]:
    to = f" -> {signal['target']}" if signal["target"] else ": no mapping, so it takes effect once it has one"
    extra = "".join(f", {name} {signal[name]}" for name in ("leverage", "price") if signal[name])
    yield f"{source} in force: {own}{to}: depth {signal['depth']}{extra}, said {aged(signal['timestamp'], now)}"
    if signal["target"] and not signal["contributes"]:
        yield f"{source}   no account is configured for {signal['target']}"
    for account, part in signal["contributes"].items():
        taken = part["taken"]
        held = "nothing" if taken is None else f"{taken['contribution']}{MODES[taken['mode']]}"
        asks = "" if part["present"] is None else f" of {part['present']} (depth x weight {part['weight']})"
        frozen = ", FROZEN" if part["frozen"] else ""
        because = f": {part['because']}" if part["because"] else ""
        yield f"{source}   {account} takes {held}{asks}{frozen}{because}"
