"""PURE: is a position read explained by what we know, and if not, what is it?

The baseline is the last verified position plus our fills since. A read that differs is *lagging* until explained:
nothing increases and reductions stay within what both agree on. It is *drift* once a fill that is not ours explains
it, or once it has stayed the same for long enough that no lag of ours can be the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from core.domain import ZERO, Fill, Position, plain
from core.memory import SymbolMemory

SETTLE_AFTER_FILL_S = 35.0
"""A read that differs is drift when it stays equal this long after our last fill."""
QUIET_S = 60.0
"""A symbol not traded for this long needs only two equal reads."""
QUIET_READS_APART_S = 2.0


class Verdict(StrEnum):
    IN_SYNC = "in_sync"
    IN_FLIGHT = "in_flight"
    """Between the baseline and what our unresolved orders may have made of it."""
    FIRST_FLAT = "first_flat"
    FOREIGN = "foreign"
    LAGGING = "lagging"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Sighting:
    """How long the present value has been read: epoch seconds at which its first and its latest read were sent."""

    contracts: Decimal
    first_sent_at: float
    last_sent_at: float

    def again(self, contracts: Decimal, sent_at: float) -> Sighting:
        """The sighting after one more read."""
        if contracts != self.contracts:
            return Sighting(contracts, sent_at, sent_at)
        return Sighting(contracts, min(self.first_sent_at, sent_at), max(self.last_sent_at, sent_at))


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    because: str


def judge(memory: SymbolMemory, read: Position, sighting: Sighting, foreign: Decimal | None, now: float) -> Judgement:
    """What `read` means. `foreign`: signed contracts of fills that are not ours since the last verification (None: not
    looked up)."""
    if memory.baseline is None:
        if read.contracts == 0:
            return Judgement(Verdict.FIRST_FLAT, "flat at first sight")
        because = (
            f"a position of {plain(read.contracts)} contracts was here before the engine; "
            "it is not touched until `./run adopt` or until it is closed"
        )
        return Judgement(Verdict.FOREIGN, because)
    if memory.last_seq is not None and read.seq is not None and read.seq < memory.last_seq:
        return Judgement(Verdict.LAGGING, f"the position read (seq {read.seq}) is older than our last fill")
    if memory.intents:
        return _judge_in_flight(memory.baseline, memory, read)
    if read.contracts == memory.baseline:
        return Judgement(Verdict.IN_SYNC, "as expected")
    return _judge_difference(memory.baseline, memory, read, sighting, foreign, now)


def _judge_in_flight(baseline: Decimal, memory: SymbolMemory, read: Position) -> Judgement:
    low = baseline + sum((i.order.signed for i in memory.intents if i.order.signed < 0), ZERO)
    high = baseline + sum((i.order.signed for i in memory.intents if i.order.signed > 0), ZERO)
    if low <= read.contracts <= high:
        return Judgement(Verdict.IN_FLIGHT, "an order of ours is not resolved yet")
    return Judgement(Verdict.LAGGING, f"read {plain(read.contracts)}, expected {plain(low)} to {plain(high)}")


def _judge_difference(
    baseline: Decimal, memory: SymbolMemory, read: Position, sighting: Sighting, foreign: Decimal | None, now: float
) -> Judgement:
    text = f"expected {plain(baseline)} contracts, found {plain(read.contracts)}"
    if foreign and baseline + foreign == read.contracts:
        return Judgement(Verdict.DRIFT, f"{text}: traded by somebody else (manual trade, liquidation or ADL)")
    since_fill_s = None if memory.last_fill_at is None else now - memory.last_fill_at
    same_for_s = sighting.last_sent_at - sighting.first_sent_at
    if since_fill_s is None or since_fill_s >= QUIET_S:
        if same_for_s >= QUIET_READS_APART_S:
            return Judgement(Verdict.DRIFT, f"{text}, twice, and we have not traded it for a minute")
    elif sighting.last_sent_at - max(sighting.first_sent_at, memory.last_fill_at or 0.0) >= SETTLE_AFTER_FILL_S:
        return Judgement(Verdict.DRIFT, f"{text}, unchanged for {SETTLE_AFTER_FILL_S:.0f} s after our last fill")
    return Judgement(Verdict.LAGGING, f"{text}; waiting until the venue explains it")


def foreign_fills(memory: SymbolMemory, fills: Iterable[Fill]) -> tuple[Fill, ...]:
    """The fills on this symbol that our baseline does not contain: not ours, and not taken in by an earlier drift."""
    ours = set(memory.accounted) | {intent.client_id for intent in memory.intents}
    known = set(memory.absorbed)
    return tuple(f for f in fills if f.symbol == memory.symbol and f.client_id not in ours and f.exec_id not in known)


def foreign_contracts(memory: SymbolMemory, fills: Iterable[Fill]) -> Decimal:
    """Signed contracts of the fills on this symbol that our baseline does not contain."""
    return sum((fill.contracts for fill in foreign_fills(memory, fills)), ZERO)
