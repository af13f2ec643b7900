"""What a position read means: as expected, in flight, lagging, moved by somebody else, or never seen before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.baseline import Sighting, Verdict, foreign_contracts, judge
from core.domain import ClientId, Fill, MarginMode, OrderKind, PlaceOrder, Position, Side, Symbol, TimeInForce
from core.memory import SymbolMemory
from core.records import Intent
from tests.unit.core.builders import BTC, ETH, NOW, PROPERTY, d

V = Verdict


def order(signed: str) -> PlaceOrder:
    reduces = d(signed) < 0
    return PlaceOrder(
        BTC,
        Side.of(d(signed)),
        abs(d(signed)),
        OrderKind.MARKET if reduces else OrderKind.LIMIT,
        None if reduces else d(100),
        TimeInForce.IOC,
        reduces,
        d(5),
        MarginMode.ISOLATED,
    )


def intent(number: int, signed: str) -> Intent:
    return Intent(number, ClientId(f"ours-{number}"), order(signed), 1, NOW - 1, NOW + 4)


@dataclass(frozen=True)
class Read:
    """A read of 14 where 10 is expected, unless said otherwise. Times in seconds before now."""

    name: str
    verdict: Verdict
    contracts: str = "14"
    baseline: str | None = "10"
    intents: tuple[str, ...] = ()
    foreign: str | None = None
    last_fill_ago_s: float | None = None
    first_read_ago_s: float = 0.0
    last_seq: int | None = None
    seq: int | None = None


READS = [
    Read("flat at first sight", V.FIRST_FLAT, "0", None),
    Read("a position at first sight", V.FOREIGN, "3", None),
    Read("a short at first sight", V.FOREIGN, "-3", None),
    Read("as expected", V.IN_SYNC, "10"),
    Read("as expected, flat", V.IN_SYNC, "0", "0"),
    Read("older than our last fill", V.LAGGING, "10", last_seq=7, seq=6),
    Read("as new as our last fill", V.IN_SYNC, "10", last_seq=7, seq=7),
    Read("without a sequence", V.IN_SYNC, "10", last_seq=7, seq=None),
    # an order of ours is open: +5
    Read("nothing of it yet", V.IN_FLIGHT, "10", intents=("5",)),
    Read("some of it", V.IN_FLIGHT, "13", intents=("5",)),
    Read("all of it", V.IN_FLIGHT, "15", intents=("5",)),
    Read("more than it", V.LAGGING, "16", intents=("5",)),
    Read("less than before it", V.LAGGING, "9", intents=("5",)),
    Read("some of a reduction", V.IN_FLIGHT, "7", intents=("-5",)),
    Read("more than the reduction", V.LAGGING, "4", intents=("-5",)),
    Read("between both", V.IN_FLIGHT, "6", intents=("5", "-5")),
    Read("however long it lasts", V.LAGGING, "16", intents=("5",), first_read_ago_s=500),
    # a fill that is not ours
    Read("a stranger's fill explains it", V.DRIFT, foreign="4", last_fill_ago_s=1),
    Read("a liquidation explains it", V.DRIFT, "0", foreign="-10", last_fill_ago_s=1),
    Read("a stranger's fill explains only a part", V.LAGGING, foreign="3", last_fill_ago_s=1),
    Read("no stranger's fill", V.LAGGING, foreign="0", last_fill_ago_s=1),
    # after our own fills: 35 s
    Read("just filled", V.LAGGING, last_fill_ago_s=1, first_read_ago_s=1),
    Read("34 s after our fill", V.LAGGING, last_fill_ago_s=34, first_read_ago_s=34),
    Read("35 s after our fill", V.DRIFT, last_fill_ago_s=35, first_read_ago_s=35),
    Read("seen before our fill, which is 34 s ago", V.LAGGING, last_fill_ago_s=34, first_read_ago_s=300),
    Read("seen for 34 s, our fill 59 s ago", V.LAGGING, last_fill_ago_s=59, first_read_ago_s=34),
    Read("seen for 35 s, our fill 59 s ago", V.DRIFT, last_fill_ago_s=59, first_read_ago_s=35),
    # not traded for a minute: two reads 2 s apart
    Read("quiet, one read", V.LAGGING, last_fill_ago_s=60),
    Read("quiet, two reads 1.9 s apart", V.LAGGING, last_fill_ago_s=60, first_read_ago_s=1.9),
    Read("quiet, two reads 2 s apart", V.DRIFT, last_fill_ago_s=60, first_read_ago_s=2),
    Read("not quiet yet, two reads 2 s apart", V.LAGGING, last_fill_ago_s=59.9, first_read_ago_s=2),
    Read("never traded, one read", V.LAGGING),
    Read("never traded, two reads 2 s apart", V.DRIFT, first_read_ago_s=2),
]


@pytest.mark.parametrize("case", READS, ids=lambda c: c.name)
def test_judge(case: Read) -> None:
    memory = SymbolMemory(
        BTC,
        baseline=None if case.baseline is None else d(case.baseline),
        intents=tuple(intent(n, signed) for n, signed in enumerate(case.intents)),
        last_fill_at=None if case.last_fill_ago_s is None else NOW - case.last_fill_ago_s,
        last_seq=case.last_seq,
    )
    sighting = Sighting(d(case.contracts), NOW - case.first_read_ago_s, NOW)
    foreign = None if case.foreign is None else d(case.foreign)
    found = judge(memory, Position(BTC, d(case.contracts), seq=case.seq), sighting, foreign, NOW)
    assert found.verdict is case.verdict
    assert found.because


def test_a_foreign_position_names_the_way_out() -> None:
    found = judge(SymbolMemory(BTC), Position(BTC, d(3)), Sighting(d(3), NOW, NOW), None, NOW)
    assert "./run adopt" in found.because


# --- sightings --------------------------------------------------------------------------------------------------------


def test_a_sighting_lasts_while_the_value_is_the_same() -> None:
    first = Sighting(d(14), NOW, NOW)
    assert first.again(d("14.0"), NOW + 5) == Sighting(d(14), NOW, NOW + 5)
    assert first.again(d(13), NOW + 5) == Sighting(d(13), NOW + 5, NOW + 5)
    late = first.again(d(14), NOW + 5).again(d(14), NOW + 2)  # answered out of order
    assert late == Sighting(d(14), NOW, NOW + 5)


@PROPERTY
@given(st.lists(st.tuples(st.sampled_from([d(1), d(2)]), st.floats(0, 100)), min_size=1))
def test_a_sighting_never_claims_more_time_than_was_read(reads: list[tuple[object, float]]) -> None:
    sighting = Sighting(d(1), 50.0, 50.0)
    times = [50.0]
    for contracts, at in reads:
        changed = contracts != sighting.contracts
        sighting = sighting.again(d(str(contracts)), at)
        times = [at] if changed else [*times, at]
        assert (sighting.first_sent_at, sighting.last_sent_at) == (min(times), max(times))


# --- fills that are not ours ------------------------------------------------------------------------------------------


def fill(signed: str, client_id: str | None, symbol: Symbol = BTC) -> Fill:
    return Fill(symbol, d(signed), d(100), d(0), NOW, "x", None if client_id is None else ClientId(client_id))


FILLS = [
    ([], "0"),
    ([fill("4", None)], "4"),
    ([fill("4", "")], "4"),
    ([fill("4", "somebody's")], "4"),
    ([fill("4", "ours-1")], "0"),  # open
    ([fill("4", "ours-0")], "0"),  # accounted for
    ([fill("4", None), fill("-6", "bot"), fill("9", "ours-0")], "-2"),
    ([fill("4", None, ETH)], "0"),
]


@pytest.mark.parametrize(("fills", "foreign"), FILLS)
def test_foreign_contracts(fills: list[Fill], foreign: str) -> None:
    memory = SymbolMemory(BTC, baseline=d(10), accounted=(ClientId("ours-0"),))
    memory = replace(memory, intents=(intent(1, "5"),))
    assert foreign_contracts(memory, fills) == d(foreign)
