"""What a stream repeats and what it leaves out: tables, and a history in every order a venue may tell it in."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from account_processors.continuity import GRACE_S, KEPT, Continuity
from core.domain import ClientId, Equity, Fill, OrderOutcome, OrderStatus, Position, Symbol, VenueEvent, VenueEventKind

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
MINE = ClientId("a" * 32)
LATE_S = GRACE_S + 0.1


def fill(
    seq: int | None, size: str = "1", mine: ClientId | None = None, id_: str = "", symbol: Symbol = BTC
) -> VenueEvent:
    made = Fill(symbol, D(size), D(100), D(0), 0.0, id_ or f"exec-{seq}", mine, seq)
    return VenueEvent(VenueEventKind.FILL, 0.0, symbol, fill=made, client_id=mine)


def position(seq: int | None, size: str, symbol: Symbol = BTC, leverage: int = 3) -> VenueEvent:
    return VenueEvent(VenueEventKind.POSITION, 0.0, symbol, position=Position(symbol, D(size), D(leverage), seq=seq))


def order(filled: str, mine: ClientId | None = MINE, status: OrderStatus = OrderStatus.DONE) -> VenueEvent:
    outcome = OrderOutcome(status, D(filled))
    return VenueEvent(VenueEventKind.ORDER, 0.0, BTC, client_id=mine, outcome=outcome)


WALLET = VenueEvent(VenueEventKind.EQUITY, 0.0, equity=Equity(D(1), "USDT", 0.0))

WHOLE: list[tuple[str, Sequence[VenueEvent]]] = [
    ("nothing", []),
    ("a trade", [fill(5, mine=MINE), order("1"), position(5, "1")]),
    ("a trade, told backwards", [position(5, "1"), order("1"), fill(5, mine=MINE)]),
    ("two executions, one position", [fill(5, mine=MINE), fill(6, mine=MINE), order("2"), position(6, "2")]),
    ("a position that is ahead", [position(4, "0"), position(7, "2"), fill(6), fill(7)]),
    ("a first position, whatever it is", [position(9, "3")]),
    ("settings without a trade", [position(9, "3"), position(9, "3", leverage=5), position(10, "3")]),
    ("an order without a fill", [order("0"), order("0", status=OrderStatus.REJECTED)]),
    ("somebody else's order", [order("3", mine=None)]),
    ("no sequence numbers", [position(None, "1"), position(None, "2"), fill(None)]),
    ("the wallet", [WALLET, WALLET]),
]


@pytest.mark.parametrize(("what", "events"), WHOLE, ids=[what for what, _ in WHOLE])
def test_a_whole_story_misses_nothing(what: str, events: Sequence[VenueEvent]) -> None:
    sut = Continuity()
    assert all(sut.takes(event, 0.0) for event in events)
    assert sut.missing(LATE_S) == ""


HOLES: list[tuple[str, Sequence[VenueEvent]]] = [
    ("the position after an execution of BTCUSDT", [position(4, "0"), fill(5)]),
    ("the position after an execution of BTCUSDT", [fill(5)]),
    ("the execution that moved BTCUSDT", [position(4, "0"), position(5, "1")]),
    ("the execution that moved BTCUSDT", [fill(5), position(5, "1"), position(7, "2")]),
    (f"executions of order {MINE}", [order("1")]),
    (f"executions of order {MINE}", [fill(5, "0.4", MINE), order("1"), position(5, "0.4")]),
]


@pytest.mark.parametrize(("what", "events"), HOLES)
def test_a_hole_is_told_once_and_not_before_it_is_sure(what: str, events: Sequence[VenueEvent]) -> None:
    sut = Continuity()
    for event in events:
        sut.takes(event, 10.0)
    assert sut.missing(10.0 + GRACE_S - 0.1) == ""
    assert what in sut.missing(10.0 + LATE_S)
    assert sut.missing(10.0 + 100 * LATE_S) == ""


def test_a_hole_that_is_filled_in_time_is_none() -> None:
    sut = Continuity()
    sut.takes(fill(5), 0.0)
    sut.takes(position(5, "1"), GRACE_S - 0.1)
    assert sut.missing(LATE_S) == ""


def test_each_execution_has_its_own_time() -> None:
    """While somebody trades without pause the position is always behind the newest fill."""
    sut = Continuity()
    sut.takes(fill(0), 0.0)
    for seq in range(1, 40):
        now_s = seq * 0.5
        sut.takes(fill(seq), now_s)
        sut.takes(position(seq - 1, str(seq)), now_s + 0.1)
        assert sut.missing(now_s + 0.2) == ""
    assert sut.missing(100.0)


def test_after_a_hole_it_begins_anew() -> None:
    sut = Continuity()
    sut.takes(fill(5), 0.0)
    assert sut.missing(LATE_S)
    assert not sut.takes(fill(5), LATE_S)
    assert sut.takes(position(4, "0"), LATE_S)
    assert sut.missing(10 * LATE_S) == ""


REPEATS: list[tuple[str, Sequence[VenueEvent], VenueEvent]] = [
    ("an execution", [fill(5), position(5, "1")], fill(5)),
    ("a position", [position(5, "1")], position(5, "1")),
    ("an older position", [position(5, "1")], position(4, "0")),
    ("an order", [order("0")], order("0")),
]


@pytest.mark.parametrize(("what", "events", "again"), REPEATS, ids=[what for what, _, _ in REPEATS])
def test_repeats_and_what_is_outdated_are_left_out(what: str, events: Sequence[VenueEvent], again: VenueEvent) -> None:
    sut = Continuity()
    assert all(sut.takes(event, 0.0) for event in events)
    assert not sut.takes(again, 0.0)
    assert sut.missing(LATE_S) == ""


def test_one_id_at_two_symbols_is_two_executions() -> None:
    sut = Continuity()
    assert sut.takes(fill(5, id_="x"), 0.0)
    assert sut.takes(fill(6, id_="x", symbol=ETH), 0.0)


def test_it_does_not_grow_for_ever() -> None:
    sut = Continuity()
    for n in range(3 * KEPT):
        sut.takes(fill(n, mine=ClientId(f"{n:032x}")), 0.0)
        sut.takes(position(n, str(n)), 0.0)
    assert len(sut._executions) == len(sut._orders) == KEPT
    assert len(sut._symbols) == 1
    assert sut._due == {}


def history(trades: int) -> list[VenueEvent]:
    told: list[VenueEvent] = [position(0, "0")]
    for n in range(1, trades + 1):
        mine = ClientId(f"{n:032x}")
        told += [fill(n, "1", mine), order("1", mine), position(n, str(n))]
    return told


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_order_of_the_messages_looks_like_a_hole(data: st.DataObject) -> None:
    first, *rest = history(data.draw(st.integers(1, 6)))
    told = [first, *data.draw(st.permutations(rest))]
    again = data.draw(st.lists(st.sampled_from(told), max_size=4))
    sut = Continuity()
    for event in told:
        sut.takes(event, 0.0)
    assert not any(sut.takes(event, 0.0) for event in again if event.kind is not VenueEventKind.POSITION)
    assert sut.missing(LATE_S) == ""


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_last_trade_cannot_be_half_told(data: st.DataObject) -> None:
    told = history(data.draw(st.integers(1, 6)))
    left_out = data.draw(st.sampled_from([-3, -1]))
    del told[left_out]
    sut = Continuity()
    for event in told:
        sut.takes(event, 0.0)
    assert sut.missing(LATE_S) != ""


# --- without sequence numbers -----------------------------------------------------------------------------------------

Told = tuple[VenueEvent, float, float | None]
"""An event, when it came, and the venue's instant of it."""

UNNUMBERED_WHOLE: list[tuple[str, Sequence[Told]]] = [
    ("a trade", [(fill(None, id_="a"), 10.0, None), (position(None, "1"), 10.2, 5.0)]),
    ("a trade, told backwards", [(position(None, "1"), 10.0, 5.0), (fill(None, id_="a"), 10.2, None)]),
    (
        "two trades",
        [
            (position(None, "1"), 10.0, 5.0),
            (fill(None, id_="a"), 10.1, None),
            (fill(None, id_="b"), 15.0, None),
            (position(None, "2"), 15.1, 10.0),
        ],
    ),
    (
        "two trades at once, the positions behind",
        [
            (fill(None, id_="a"), 10.0, None),
            (fill(None, "2", id_="b"), 10.0, None),
            (position(None, "1"), 10.1, 5.0),
            (position(None, "3"), 10.2, 5.1),
            (fill(None, "-3", id_="c"), 20.0, None),
            (position(None, "0"), 20.1, 15.0),
        ],
    ),
    (
        "two trades at once, the positions ahead",
        [
            (position(None, "1"), 10.1, 5.0),
            (position(None, "3"), 10.2, 5.1),
            (fill(None, id_="a"), 10.3, None),
            (fill(None, "2", id_="b"), 10.3, None),
        ],
    ),
    (
        "two trades at once, one position ahead of both",
        [
            (position(None, "3"), 10.1, 5.0),
            (fill(None, id_="a"), 10.3, None),
            (fill(None, "2", id_="b"), 10.3, None),
            (fill(None, "-1", id_="c"), 20.3, None),
            (position(None, "2"), 20.4, 15.0),
        ],
    ),
    ("settings without a trade", [(position(None, "1"), 10.0, 5.0), (position(None, "1", leverage=5), 15.0, 10.0)]),
    ("no instants", [(position(None, "1"), 10.0, None), (position(None, "1"), 10.0, None)]),
]


@pytest.mark.parametrize(("what", "told"), UNNUMBERED_WHOLE, ids=[what for what, _ in UNNUMBERED_WHOLE])
def test_a_whole_story_without_numbers_misses_nothing(what: str, told: Sequence[Told]) -> None:
    sut = Continuity()
    for event, came_s, made_s in told:
        assert sut.missing(came_s) == ""
        assert sut.takes(event, came_s, made_s)
    assert sut.missing(100.0) == ""


UNNUMBERED_HOLES: list[tuple[str, Sequence[Told]]] = [
    ("the position after an execution of BTCUSDT", [(fill(None, id_="a"), 10.0, None)]),
    (
        "the position after an execution of BTCUSDT",
        [(position(None, "1"), 10.0 - LATE_S, 5.0), (fill(None, id_="a"), 10.0, None)],
    ),
    (
        "the execution that moved BTCUSDT",
        [(position(None, "1"), 5.0, 5.0), (position(None, "2"), 10.0, 10.0)],
    ),
    (
        "the execution that moved BTCUSDT",
        [(fill(None, id_="a"), 10.0, None), (position(None, "1"), 10.0, 5.0), (position(None, "5"), 10.0, 5.1)],
    ),
    (
        "the position after an execution of BTCUSDT",
        [(fill(None, id_="a"), 10.0, None), (position(None, "1"), 10.0, 5.0), (fill(None, "4", id_="b"), 10.0, None)],
    ),
]


@pytest.mark.parametrize(("what", "told"), UNNUMBERED_HOLES)
def test_a_hole_without_numbers_is_told_once_and_not_before_it_is_sure(what: str, told: Sequence[Told]) -> None:
    sut = Continuity()
    for event, came_s, made_s in told:
        sut.takes(event, came_s, made_s)
    assert what not in sut.missing(10.0 + GRACE_S - 0.1)
    assert what in sut.missing(10.0 + LATE_S)
    assert sut.missing(10.0 + 100 * LATE_S) == ""


def test_positions_without_numbers_are_kept_in_the_venues_order() -> None:
    sut = Continuity()
    assert sut.takes(position(None, "1"), 0.0, 10.0)
    assert not sut.takes(position(None, "1"), 0.1, 10.0)  # repeated
    assert not sut.takes(position(None, "5"), 0.2, 9.9)  # overtaken
    assert sut.takes(position(None, "2"), 0.3, 10.0)  # two in one instant: the one that came later
    assert sut.takes(position(None, "5", symbol=ETH), 0.4, 9.9)


def test_a_close_that_no_position_tells_of_is_whole_where_the_venue_may_not_tell_it() -> None:
    for shows_flat in (False, True):
        sut = Continuity(shows_flat=shows_flat)
        for event, came_s in (
            (fill(None, id_="a"), 10.0),
            (position(None, "1"), 10.1),
            (fill(None, "-1", id_="b"), 20.0),
        ):
            sut.takes(event, came_s, came_s)
        assert bool(sut.missing(20.0 + LATE_S)) is shows_flat
        sut.takes(fill(None, "2", id_="c"), 30.0)
        assert sut.missing(30.0 + LATE_S)


@given(
    sizes=st.lists(st.integers(-3, 3).filter(bool), min_size=1, max_size=8),
    behind=st.lists(st.booleans(), min_size=8, max_size=8),
    rests=st.lists(st.booleans(), min_size=8, max_size=8),
    lost=st.integers(0, 15),
)
@settings(max_examples=300, deadline=None)
def test_unnumbered_stories_add_up_unless_something_is_lost(
    sizes: list[int], behind: list[bool], rests: list[bool], lost: int
) -> None:
    """Each execution just before or just after its position, with rests between or none."""
    told: list[tuple[VenueEvent, float, float | None]] = []
    at_s, held = 100.0, 0
    for n, size in enumerate(sizes):
        held += size
        pair = [(fill(None, str(size), id_=str(n)), None), (position(None, str(held)), at_s)]
        for event, made_s in pair if behind[n] else pair[::-1]:
            at_s += 0.01
            told.append((event, at_s, made_s))
        at_s += 10.0 if rests[n] else 0.01
    sut = Continuity()
    for event, came_s, made_s in told:
        assert sut.missing(came_s) == ""
        assert sut.takes(event, came_s, made_s)
    assert sut.missing(at_s + LATE_S) == ""
    # What is lost of a story after the first rest is noticed, unless it was a position that the next one makes good.
    rested = next((n + 1 for n in range(len(sizes)) if rests[n]), len(sizes))
    if lost // 2 < rested or lost >= len(told) or (told[lost][0].fill is None and lost < len(told) - 2):
        return
    sut, found = Continuity(), ""
    for event, came_s, made_s in told[:lost] + told[lost + 1 :]:
        found += sut.missing(came_s)
        sut.takes(event, came_s, made_s)
    assert found + sut.missing(at_s + LATE_S)
