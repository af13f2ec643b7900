"""What arrived in a source's stores, line by line: accepted, repeated, late, refused. Memory is bounded by the limit.

The raw log is folded by the processor's own rules, from a day that begins with all that was known, so every line is
judged as it was judged then.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.explain_raw import BROKEN, day_files, lines_of
from cli.reading import instant
from config.home import Home
from core.domain import plain
from core.errors import ConfigError
from core.state import format_instant, loads
from signal_processors.tradingview_document import SOURCE as TRADINGVIEW
from signal_processors.tradingview_order import Opinions, Outcome, Record, Verdict, fold
from signal_processors.tradingview_raw import decode_record

Json = dict[str, Any]
OUTCOMES = {
    Outcome.TOOK_EFFECT: "accepted",
    Outcome.OVERTAKEN: "late",
    Outcome.REPEAT: "duplicate",
    Outcome.NO_ROOM: "no room",
}
DAMAGED, REFUSED = "damaged", "refused"
INSTANTS = ("received_at", "at", "time")


@dataclass(frozen=True, slots=True)
class Asked:
    """What to show: since an instant (epoch seconds), of which source symbols (None: all), at most so many lines."""

    since: float
    symbols: frozenset[str] | None
    limit: int

    def wants(self, symbol: object) -> bool:
        return self.symbols is None or symbol in self.symbols


@dataclass(slots=True)
class Found:
    """The newest `limit` lines that were asked for, oldest first; how many of each outcome there were in all."""

    limit: int
    lines: deque[Json] = field(init=False)
    counts: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    standing: frozenset[str] = frozenset()
    """Events of the alerts that are in force at the end of the log."""

    def __post_init__(self) -> None:
        self.lines = deque(maxlen=self.limit)

    def add(self, line: Json) -> None:
        self.counts[line["outcome"]] += 1
        self.lines.append(line)

    @property
    def left_out(self) -> int:
        return self.counts.total() - len(self.lines)


def found_in(home: Home, source: str, asked: Asked) -> Found:
    """Everything that was asked for of one source, what was refused included, in the order of receipt."""
    found = Found(asked.limit)
    read = _judged if source == TRADINGVIEW else _plain
    accepted = read(home.raw_signals(source), asked, found)
    refused = _refused(home.rejected_signals(source), asked, found)
    for line in merged(accepted, refused):
        found.add(line)
    for line in found.lines:
        line["in_force"] = line.get("event") in found.standing
    return found


def merged(one: Iterator[Json], other: Iterator[Json]) -> Iterator[Json]:
    """Two series by receipt, each in its own order: a line without an instant follows the one before it."""
    waiting = next(other, None)
    for line in one:
        while waiting is not None and (waiting["at"] or "") < (line["at"] or ""):
            yield waiting
            waiting = next(other, None)
        yield line
    while waiting is not None:
        yield waiting
        waiting = next(other, None)


def _whole(folder: Path, troubles: list[str], since: str = "") -> Iterator[tuple[str, bytes]]:
    """Place and text of every line of a store, from the day `since` on; a file that cannot be read is named."""
    for path in day_files(folder):
        if path.name[: len(since)] < since:
            continue
        try:
            for number, text in lines_of(path):
                yield f"{path.name}:{number}", text
        except BROKEN as error:
            troubles.append(f"{path.parent.name}/{path.name} cannot be read to its end ({error}); the rest is shown")


def _judged(folder: Path, asked: Asked, found: Found) -> Iterator[Json]:
    """TradingView's raw log, each line with what became of it."""
    opinions = Opinions()
    for place, text in _whole(folder, found.troubles, since=_beginning(folder, asked.since)):
        record = decode_record(text, place)
        if not isinstance(record, Record):
            if asked.symbols is None:
                yield {"at": None, "raw": place, "outcome": DAMAGED, "because": record.reason}
            continue
        opinions, verdict = fold(opinions, record)
        if not record.carried and record.received_at >= asked.since and asked.wants(record.alert.symbol):
            yield _line(place, record, verdict)
    found.standing = frozenset(state.in_force.record.event for state in opinions.symbols.values())


def _beginning(folder: Path, since: float) -> str:
    """The day from which the log can be folded: the newest before `since` that begins with copies of all that was known
    of each symbol. Where there is none, the whole log is."""
    day = format_instant(since)[: len("2026-11-20")]
    for path in reversed([path for path in day_files(folder) if path.name[: len(day)] <= day]):
        try:
            _, text = next(lines_of(path), (0, b""))
        except BROKEN:
            continue  # its reader says what is wrong with it
        record = decode_record(text, path.name)
        if isinstance(record, Record) and record.lately is not None:
            return path.name[: len(day)]
    return ""


def _line(place: str, record: Record, verdict: Verdict) -> Json:
    alert = record.alert
    return {
        "at": format_instant(record.received_at),
        "raw": place,
        "event": record.event,
        "symbol": alert.symbol,
        "direction": alert.direction.value,
        "depth": plain(alert.depth),
        "leverage": None if alert.leverage is None else plain(alert.leverage),
        "price": None if alert.price is None else plain(alert.price),
        "timestamp": format_instant(record.effective_at),
        "outcome": OUTCOMES[verdict.outcome],
        "because": verdict.because,
        "notes": list(verdict.notes),
    }


def _plain(folder: Path, asked: Asked, found: Found) -> Iterator[Json]:
    """Another source's raw lines as they stand: what they mean is known to their own processor only."""
    for place, text in _whole(folder, found.troubles):
        said = _object(text)
        if said is None:
            if asked.symbols is None:
                yield {"at": None, "raw": place, "outcome": DAMAGED, "because": "is not a line of JSON"}
            continue
        at = next((at for name in INSTANTS if (at := instant(said.get(name))) is not None), None)
        symbol = said.get("symbol")
        if (at is None or at >= asked.since) and asked.wants(symbol):
            shown = None if at is None else format_instant(at)
            yield {"at": shown, "raw": place, "symbol": symbol, "outcome": "accepted", "because": None, "line": said}


def _refused(folder: Path, asked: Asked, found: Found) -> Iterator[Json]:
    """What was refused and why. A refusal has no symbol for certain: with --symbol those that mention it are shown."""
    first = format_instant(asked.since)[: len("2026-11-20")]
    for place, text in _whole(folder, found.troubles, since=first):
        said = _object(text)
        at = None if said is None else instant(said.get("at"))
        if said is None or at is None or at < asked.since:
            continue
        excerpt = str(said.get("excerpt") or "")
        if asked.symbols is None or any(symbol in excerpt for symbol in asked.symbols):
            because = f"{said.get('field')}: {said.get('reason')}"
            yield {
                "at": format_instant(at),
                "raw": place,
                "outcome": REFUSED,
                "because": because,
                "from": said.get("from"),
                "excerpt": excerpt,
            }


def _object(text: bytes) -> Json | None:
    """A line's JSON object; None for a line that is none, which its reader reports or leaves out."""
    try:
        found = loads(text, "line", real=str)
    except ConfigError:
        found = None
    return found if isinstance(found, dict) else None
