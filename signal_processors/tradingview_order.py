"""Order and repeats of TradingView alerts, purely: which alert on a symbol is in force after each raw record.

The fold is a function of the raw log alone. Records are taken in the order of their receipt, each against the alert in
force on its symbol, and what the fold remembers is bounded, so the first alert and the millionth cost the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from signal_processors.tradingview_alerts import Alert, Direction, Fields, body_text

RULES_VERSION = 1
"""Raised when the same raw log would fold differently; a cache of another version is not used."""
MAX_SYMBOLS = 1000
MAX_AHEAD_S = 5.0
APART_S = 10.0
REPEAT_S = 60.0
REMEMBERED = 256
"""How many event ids and bodies are remembered per symbol."""


@dataclass(frozen=True, slots=True)
class Dedup:
    """How alerts are compared with the one in force: on which fields (none: all of them) and for how long (None: for
    ever). In the log beside each alert it applied to, so that a replay compares as was compared then."""

    ttl_s: float | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lately:
    """Of the latest alerts on a symbol, those that lost included: the `event_ids`, and of those with a time the digests
    of their `bodies`, received at `body_times`."""

    event_ids: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    body_times: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the raw log. `received_at` epoch seconds; `raw` names the line, `2026-11-20.jsonl:88`.

    `carried`: copied from an older file when a new one began; `before` is then as in `InForce`, and `lately` what was
    remembered of the symbol, so that nothing is lost with the older files.
    """

    raw: str
    received_at: float
    event: str
    alert: Alert
    dedup: Dedup = field(default_factory=Dedup)
    carried: bool = False
    before: Direction | None = None
    lately: Lately | None = None

    @property
    def carries_time(self) -> bool:
        """Whether the alert's own time counts: given, and at most 5 s after receipt."""
        return self.alert.time is not None and _ms(self.alert.time - self.received_at) <= MAX_AHEAD_S * 1000

    @property
    def effective_at(self) -> float:
        """Epoch seconds: the alert's own time where it counts, else that of receipt."""
        return self.alert.time if self.alert.time is not None and self.carries_time else self.received_at


@dataclass(frozen=True, slots=True)
class InForce:
    """The opinion on one symbol. `before` is the direction that was in force when it took effect (None: none was)."""

    record: Record
    before: Direction | None = None


@dataclass(frozen=True, slots=True)
class SymbolState:
    """What is in force on one symbol, and what is remembered of the latest alerts on it (the fields of `Lately`)."""

    in_force: InForce
    event_ids: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    body_times: tuple[float, ...] = ()

    @property
    def lately(self) -> Lately:
        return Lately(self.event_ids, self.bodies, self.body_times)


@dataclass(frozen=True, slots=True)
class Opinions:
    """The state of the fold: what each symbol's alert in force is, in the order the symbols were first heard."""

    symbols: Mapping[str, SymbolState] = field(default_factory=dict)

    def has_room_for(self, symbol: str) -> bool:
        return symbol in self.symbols or len(self.symbols) < MAX_SYMBOLS


class Outcome(StrEnum):
    TOOK_EFFECT = "took_effect"
    OVERTAKEN = "overtaken"
    """A newer alert was in force already."""
    REPEAT = "repeat"
    """Nothing changed, not even the timestamp."""
    NO_ROOM = "no_room"
    """One symbol more than a source may have."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one record. `in_force`: its opinion is the one in force now; `because` where there is more to say
    than that it took effect; `notes` for the log."""

    outcome: Outcome
    in_force: bool
    because: str | None = None
    notes: tuple[str, ...] = ()


def fold(opinions: Opinions, record: Record) -> tuple[Opinions, Verdict]:
    """The opinions after `record`, and what became of it."""
    symbol = record.alert.symbol
    known = opinions.symbols.get(symbol)
    if known is None:
        if not opinions.has_room_for(symbol):
            because = f"{symbol} would be symbol number {MAX_SYMBOLS + 1}; a source has at most {MAX_SYMBOLS}"
            return opinions, Verdict(Outcome.NO_ROOM, False, because)
        return _with(opinions, symbol, _first(record)), Verdict(Outcome.TOOK_EFFECT, True, notes=_notes(record))
    repeated = _repeat(known, record)
    if repeated is not None:
        return opinions, repeated
    wins, because = _wins(known.in_force, record)
    state = known
    if wins:
        state = replace(known, in_force=InForce(record, known.in_force.record.alert.direction))
    verdict = Verdict(
        outcome=Outcome.TOOK_EFFECT if wins else Outcome.OVERTAKEN,
        in_force=wins,
        because=None if wins else because,
        notes=(*_notes(record), *_restarted(known.in_force.record, record, wins)),
    )
    return _with(opinions, symbol, _remember(state, record)), verdict


def _first(record: Record) -> SymbolState:
    """The state a symbol begins with: that of its first alert, or all that was known of it when it was carried over."""
    begun, lately = SymbolState(InForce(record, record.before)), record.lately
    if lately is None:
        return _remember(begun, record)
    return SymbolState(begun.in_force, lately.event_ids, lately.bodies, lately.body_times)


def _with(opinions: Opinions, symbol: str, state: SymbolState) -> Opinions:
    return Opinions({**opinions.symbols, symbol: state})


def _remember(state: SymbolState, record: Record) -> SymbolState:
    """`state` with the record's event id and, where it carries a time, its body; the oldest are forgotten."""
    event_ids, bodies, times = state.event_ids, state.bodies, state.body_times
    if record.alert.event_id is not None:
        event_ids = (*event_ids[-(REMEMBERED - 1) :], record.alert.event_id)
    if record.alert.time is not None:
        old = max(0, len(bodies) - REMEMBERED + 1)
        while old < len(times) and record.received_at - times[old] > REPEAT_S:
            old += 1
        bodies, times = (*bodies[old:], record.alert.body.digest), (*times[old:], record.received_at)
    return SymbolState(state.in_force, event_ids, bodies, times)


def _notes(record: Record) -> tuple[str, ...]:
    if record.alert.time is None or record.carries_time:
        return record.alert.notes
    ahead_s = record.alert.time - record.received_at
    return (*record.alert.notes, f"its time lies {ahead_s:.1f} s after receipt; the time of receipt counts instead")


def _restarted(in_force: Record, record: Record, wins: bool) -> tuple[str, ...]:
    """A note where a sequence went back and won by time: the strategy was made anew and counts from 1 again."""
    old, new = in_force.alert.signal_seq, record.alert.signal_seq
    if not wins or old is None or new is None or new >= old:
        return ()
    return (f"signal_seq went back from {old} to {new} with a later time; taken as a strategy that was started anew",)


# --- repeats ----------------------------------------------------------------------------------------------------------


def _repeat(known: SymbolState, record: Record) -> Verdict | None:
    """The verdict on a repeat, or None for a new opinion."""
    alert, current = record.alert, known.in_force.record
    if record.event == current.event or (alert.event_id is not None and alert.event_id == current.alert.event_id):
        return _repeated(True, "a repeat of the alert in force (same event)")
    if _same_as_in_force(current, record):
        return _repeated(True, "a repeat of the alert in force (same content)")
    if alert.event_id is not None and alert.event_id in known.event_ids:
        return _repeated(False, "a repeat (same event_id) of an alert that is no longer in force")
    if alert.time is not None and _seen_lately(known, record):
        if current.alert.body.digest == alert.body.digest:
            return _repeated(True, "a repeat of the alert in force (same content)")
        return _repeated(False, f"a repeat (same body within {REPEAT_S:.0f} s) of an alert that is no longer in force")
    return None


def _repeated(in_force: bool, because: str) -> Verdict:
    return Verdict(Outcome.REPEAT, in_force, because)


def _same_as_in_force(current: Record, record: Record) -> bool:
    """Whether the fields compared are equal to those of the alert in force, which is not too old for that."""
    dedup, ours, theirs = record.dedup, record.alert.body, current.alert.body
    if dedup.ttl_s is not None and record.received_at - current.received_at > dedup.ttl_s:
        return False
    if not dedup.keys:
        return ours.digest == theirs.digest
    return all(_value(ours.fields, key) == _value(theirs.fields, key) for key in dedup.keys)


def _value(fields: Fields, key: str) -> str | None:
    """A field as text, so that 1, 1.0, true and "1" are four values; None where there is no such field."""
    return body_text(fields[key]) if key in fields else None


def _seen_lately(known: SymbolState, record: Record) -> bool:
    if record.alert.body.digest not in known.bodies:
        return False
    seen = zip(known.bodies, known.body_times, strict=True)
    return any(body == record.alert.body.digest and record.received_at - at <= REPEAT_S for body, at in seen)


# --- order ------------------------------------------------------------------------------------------------------------


def _wins(in_force: InForce, record: Record) -> tuple[bool, str]:
    """Whether `record` replaces the alert in force, and by which rule it does or does not."""
    current = in_force.record
    apart_ms = _ms(record.effective_at - current.effective_at)
    if abs(apart_ms) > APART_S * 1000:
        return apart_ms > 0, f"an alert whose time is {abs(apart_ms) / 1000:.1f} s later is in force"
    old, new = current.alert.signal_seq, record.alert.signal_seq
    if old is not None and new is not None and old != new:
        return new > old, f"signal_seq {old} is in force and this is {new}"
    by_chain = _by_chain(in_force, record.alert)
    if by_chain is not None:
        return by_chain, "by prev_direction it comes before the alert in force"
    if current.carries_time and record.carries_time and apart_ms != 0:
        return apart_ms > 0, f"an alert whose time is {abs(apart_ms) / 1000:.1f} s later is in force"
    return True, "it was received later"


def _by_chain(in_force: InForce, alert: Alert) -> bool | None:
    """Whether `alert` comes after the one in force by what each says of the direction before it; None: undecided.

    Where either could follow the other (long -> flat and flat -> long), the one that fits what was in force before
    both came first; where that is not known either, the exit did: a strategy that reverses closes, then opens.
    """
    current = in_force.record.alert
    ours, theirs = alert.prev_direction, current.prev_direction
    if ours is None or theirs is None:
        return None
    follows, precedes = ours == current.direction, theirs == alert.direction
    if not (follows and precedes):
        return follows if follows or precedes else None
    if ours == theirs:
        return None
    if in_force.before in (ours, theirs):
        return in_force.before == theirs
    if Direction.FLAT in (alert.direction, current.direction):
        return current.direction is Direction.FLAT
    return None


def _ms(duration_s: float) -> int:
    """Instants have milliseconds; their float difference has noise below that."""
    return round(duration_s * 1000)
