"""Limits on increases: each by a table around its edge, and admission as a property."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import ZERO, Equity, Instrument, Policy, Price, Scope, Sized, Symbol, SymbolState, SymbolWeights
from core.limits import (
    Candidate,
    Exposure,
    Room,
    admit,
    asked_by_files,
    changed_instrument,
    clock_hold,
    equity_hold,
    expiry_hold,
    exposure_holds,
    implausible,
    leverage_hold,
)
from core.planner import plan
from tests.unit.core.builders import (
    BTC,
    NOW,
    PROPERTY,
    SN8,
    TV,
    actual,
    d,
    equity,
    instrument,
    market,
    price,
    target,
    traded,
)

# --- admission --------------------------------------------------------------------------------------------------------

HELD, NEW, STILL = (True, True), (False, True), (True, False)
LIMIT = d("0.9")


def worth(name: str, notional: str | None, kind: tuple[bool, bool]) -> Candidate:
    return Candidate(Symbol(name), ZERO, *kind, notional=None if notional is None else d(notional))


def candidate(name: str, margin: str, kind: tuple[bool, bool]) -> Candidate:
    return Candidate(Symbol(name), d(margin), *kind)


ADMISSIONS = [
    ("all fit", [("A", "0.4", NEW), ("B", "0.5", NEW)], ""),
    ("the one too many", [("A", "0.4", NEW), ("B", "0.5", NEW), ("C", "0.1", NEW)], "C"),
    ("the walk goes on", [("A", "0.4", NEW), ("B", "0.6", NEW), ("C", "0.5", NEW)], "B"),
    ("by name, not by order", [("B", "0.6", NEW), ("A", "0.6", NEW)], "B"),
    ("held ones first", [("A", "0.6", NEW), ("Z", "0.6", HELD)], "A"),
    ("what is held counts though it does not grow", [("A", "0.4", NEW), ("Z", "0.6", STILL)], "A"),
    ("what is not admitted does not count", [("A", "1.5", NEW), ("B", "0.9", NEW)], "A"),
    ("a refused one that is held still counts", [("A", "0.95", HELD), ("B", "0.01", NEW)], "AB"),
    ("flat and idle counts nothing", [("A", "0.9", NEW), ("B", "0.9", (False, False))], ""),
    ("exactly the limit", [("A", "0.9", HELD)], ""),
    ("nobody", [], ""),
]


@pytest.mark.parametrize(("given_", "refused"), [c[1:] for c in ADMISSIONS], ids=[c[0] for c in ADMISSIONS])
def test_admission(given_: list[tuple[str, str, tuple[bool, bool]]], refused: str) -> None:
    holds = admit([candidate(*one) for one in given_], Room(LIMIT))
    assert "".join(sorted(holds)) == refused
    for hold in holds.values():
        assert (hold.scope, hold.state) == (Scope.INCREASES, SymbolState.BLOCKED)
        assert "max_total_margin 0.9" in hold.because


def test_the_sum_is_named() -> None:
    (hold,) = admit([candidate("A", "0.4", STILL), candidate("B", "0.6", NEW)], Room(LIMIT)).values()
    assert "margin would be 1 of equity" in hold.because


margins = st.integers(0, 100).map(lambda n: Decimal(n) / 100)
names = st.text("ABCDEFGH", min_size=1, max_size=2).map(Symbol)
candidates = st.lists(
    st.builds(Candidate, names, margins, st.booleans(), st.booleans()), max_size=12, unique_by=lambda c: c.symbol
)


@PROPERTY
@given(candidates, st.integers(0, 150).map(lambda n: Decimal(n) / 100))
def test_admission_never_exceeds_the_limit(found: list[Candidate], limit: Decimal) -> None:
    holds = admit(found, Room(limit))
    admitted = [c for c in found if c.increases and c.symbol not in holds]
    counted = sum((c.margin for c in found if c.held or c in admitted), ZERO)
    assert not admitted or counted <= limit
    assert set(holds) <= {c.symbol for c in found if c.increases}
    assert admit(reversed(found), Room(limit)) == holds


# --- shared exposure and positions ------------------------------------------------------------------------------------

WIDE = d("1000")
SHARED: list[tuple[str, Room, list[Candidate], str, str]] = [
    ("all fit", Room(WIDE, d(100)), [worth("A", "40", NEW), worth("B", "60", NEW)], "", ""),
    ("the one too many", Room(WIDE, d(100)), [worth("B", "60", NEW), worth("A", "41", NEW)], "B", "101.00"),
    ("the walk goes on", Room(WIDE, d(100)), [worth("A", "101", NEW), worth("B", "100", NEW)], "A", "101.00"),
    ("held ones first", Room(WIDE, d(100)), [worth("A", "50", NEW), worth("Z", "60", HELD)], "A", "110.00"),
    ("what is held and rests", Room(WIDE, d(100)), [worth("A", "50", NEW), worth("Z", "60", STILL)], "A", "110.00"),
    ("others' positions", Room(WIDE, d(100), None, d(60)), [worth("A", "41", NEW)], "A", "101.00"),
    ("no limit", Room(WIDE), [worth("A", "1000000", NEW)], "", ""),
    ("worth not known", Room(WIDE, d(100)), [worth("A", None, NEW), worth("B", "100", NEW)], "A", "not known"),
    ("worth not known, no limit", Room(WIDE), [worth("A", None, NEW)], "", ""),
    ("as many as may be", Room(WIDE, None, 2), [worth("A", "1", NEW), worth("B", "1", NEW)], "", ""),
    ("one position too many", Room(WIDE, None, 1), [worth("A", "1", NEW), worth("B", "1", NEW)], "B", "2 positions"),
    (
        "one is held",
        Room(WIDE, None, 2),
        [worth("A", "1", NEW), worth("B", "1", NEW), worth("Z", "1", STILL)],
        "B",
        "3 ",
    ),
    ("growing opens none", Room(WIDE, None, 1), [worth("Y", "1", HELD), worth("Z", "1", HELD)], "", ""),
    ("others' count", Room(WIDE, None, 1, ZERO, 1), [worth("A", "1", NEW)], "A", "max_positions is 1"),
]


@pytest.mark.parametrize(("room", "found", "refused", "because"), [c[1:] for c in SHARED], ids=[c[0] for c in SHARED])
def test_room_is_shared_in_order(room: Room, found: list[Candidate], refused: str, because: str) -> None:
    holds = admit(found, room)
    assert "".join(sorted(holds)) == refused
    assert all(because in hold.because and hold.scope is Scope.INCREASES for hold in holds.values())


rooms = st.builds(
    Room, margins, st.none() | st.integers(0, 300).map(Decimal), st.none() | st.integers(0, 5),
    st.integers(0, 50).map(Decimal), st.integers(0, 3),
)  # fmt: skip
valued = st.lists(
    st.builds(Candidate, names, margins, st.booleans(), st.booleans(), st.integers(0, 200).map(Decimal)),
    max_size=12,
    unique_by=lambda c: c.symbol,
)


@PROPERTY
@given(valued, rooms)
def test_what_is_admitted_together_is_within_every_limit(found: list[Candidate], room: Room) -> None:
    holds = admit(found, room)
    admitted = [c for c in found if c.increases and c.symbol not in holds]
    counted = [c for c in found if c.held or c in admitted]
    if admitted:
        notional = sum((c.notional or ZERO for c in counted), room.others_notional)
        assert room.max_gross_exposure is None or notional <= room.max_gross_exposure
    if any(not c.held for c in admitted):
        assert room.max_positions is None or len(counted) + room.others_open <= room.max_positions
    assert admit(reversed(found), room) == holds
    assert all(hold.scope is Scope.INCREASES for hold in holds.values())


# --- prices -----------------------------------------------------------------------------------------------------------

SIZED = Sized(1, "h", d(1), d(5), d("0.1"), {}, NOW - 599, d(1000), d(100))
PRICES: list[tuple[str, Price, Sized | None, str | None]] = [
    ("plain", price("100"), None, None),
    ("10 s old", price("100", NOW - 10), None, None),
    ("older", price("100", NOW - 10.5), None, "s old"),
    ("zero", price("0"), None, "mark price is 0"),
    ("negative", price("-1"), None, "mark price is -1"),
    ("last 5 % above", price("100", last="105"), None, None),
    ("last more than 5 % above", price("100", last="105.01"), None, "5 % apart"),
    ("last 5 % below", price("100", last="95"), None, None),
    ("last more than 5 % below", price("100", last="94.99"), None, "5 % apart"),
    ("20 % up since the sizing", price("120"), SIZED, None),
    ("more than 20 % up since the sizing", price("120.01"), SIZED, "20 %"),
    ("20 % down since the sizing", price("80"), SIZED, None),
    ("more than 20 % down since the sizing", price("79.99"), SIZED, "20 %"),
    ("sized 10 min ago", price("300"), replace(SIZED, at=NOW - 600.5), None),
    ("sized without a price", price("300"), replace(SIZED, price=None), None),
]


@pytest.mark.parametrize(("seen", "sized", "because"), [c[1:] for c in PRICES], ids=[c[0] for c in PRICES])
def test_plausible_prices(seen: Price, sized: Sized | None, because: str | None) -> None:
    found = implausible(seen, sized.price if sized else None, sized.at if sized else None, NOW)
    assert (found is None) == (because is None)
    assert because is None or because in (found or "")


# --- exposure ---------------------------------------------------------------------------------------------------------

NOTHING = Exposure(d(0), d(0), 0, opens_new=False, increase_orders_last_minute=0)
FREE = Policy()
EXPOSURES: list[tuple[str, Exposure, Policy, Equity | None, list[str]]] = [
    # the files ask at most 2 x equity of the symbol, 5 x of all; equity 1000
    ("nothing", NOTHING, FREE, equity(), []),
    ("an order as large as may be", replace(NOTHING, increase_notional=d(2200)), FREE, equity(), []),
    ("a larger one", replace(NOTHING, increase_notional=d(2201)), FREE, equity(), ["max_order_notional 2200"]),
    ("set by hand", replace(NOTHING, increase_notional=d(51)), Policy(max_order_notional=d(50)), equity(), ["50.00"]),
    ("all together", replace(NOTHING, increase_notional=d(500), gross_notional=d(5000)), FREE, equity(), []),
    (
        "all together, one more",
        replace(NOTHING, increase_notional=d(501), gross_notional=d(5000)),
        FREE,
        equity(),
        ["max_gross_exposure 5500"],
    ),
    (
        "gross set by hand",
        replace(NOTHING, increase_notional=d(2), gross_notional=d(99)),
        Policy(max_gross_exposure=d(100)),
        equity(),
        ["max_gross_exposure 100"],
    ),
    ("equity unknown", NOTHING, FREE, None, ["equity is unknown"]),
    ("equity 0", NOTHING, FREE, equity("0"), ["equity is unknown"]),
    (
        "equity unknown, both set by hand",
        NOTHING,
        Policy(max_order_notional=d(50), max_gross_exposure=d(50)),
        None,
        [],
    ),
    ("no limit of positions", replace(NOTHING, open_positions=99, opens_new=True), FREE, equity(), []),
    (
        "one position too many",
        replace(NOTHING, open_positions=3, opens_new=True),
        Policy(max_positions=3),
        equity(),
        ["max_positions is 3"],
    ),
    ("the last position", replace(NOTHING, open_positions=2, opens_new=True), Policy(max_positions=3), equity(), []),
    ("growing one of them", replace(NOTHING, open_positions=3), Policy(max_positions=3), equity(), []),
    ("119 a minute", replace(NOTHING, increase_orders_last_minute=119), FREE, equity(), []),
    ("120 a minute", replace(NOTHING, increase_orders_last_minute=120), FREE, equity(), ["per_minute"]),
]


@pytest.mark.parametrize(
    ("exposure", "policy", "has", "because"), [c[1:] for c in EXPOSURES], ids=[c[0] for c in EXPOSURES]
)
def test_exposure(exposure: Exposure, policy: Policy, has: Equity | None, because: list[str]) -> None:
    holds = exposure_holds(exposure, policy, d(2), d(5), has)
    assert len(holds) == len(because)
    for hold, text in zip(holds, because, strict=True):
        assert text in hold.because
        assert hold.scope is Scope.INCREASES


def test_what_the_files_can_ask() -> None:
    entry = SymbolWeights(BTC, d(20), {TV: d("0.2"), SN8: d("0.1")})
    assert asked_by_files(entry, d(2), d(10)) == 6
    assert asked_by_files(None, d(2), d(10)) == 0


@pytest.mark.parametrize(("leverage", "blocks"), [("20", False), ("20.5", True), ("1", False), ("125", True)])
def test_a_leverage_over_a_cap_that_was_lowered(leverage: str, blocks: bool) -> None:
    hold = leverage_hold(d(leverage), Policy())
    assert (hold is not None) is blocks
    assert hold is None or (hold.scope is Scope.INCREASES and "max_leverage 20" in hold.because)


@pytest.mark.parametrize(("age_s", "because"), [(None, "unknown"), (0, ""), (60, ""), (61, "61 s ago")])
def test_an_equity_nobody_knows(age_s: float | None, because: str) -> None:
    hold = equity_hold(None if age_s is None else replace(equity(), at=NOW - age_s), NOW)
    assert (hold is None) == (because == "")
    assert hold is None or (hold.scope is Scope.INCREASES and because in hold.because)


amounts = st.integers(0, 10**6).map(Decimal)
exposures = st.builds(Exposure, amounts, amounts, st.just(9), st.booleans(), st.just(9))
EVERY_LIMIT = Policy(
    max_order_notional=d(1),
    max_gross_exposure=d(1),
    max_positions=1,
    max_increase_orders_per_minute=1,
    max_leverage=d(1),
)


@PROPERTY
@given(st.integers(2, 50), st.integers(0, 49), exposures)
def test_a_reduction_passes_every_limit(position: int, wanted: int, exposure: Exposure) -> None:
    """With every limit exceeded at once, what is planned downward is planned all the same."""
    holds = (
        *exposure_holds(exposure, EVERY_LIMIT, d(1), d(1), None),
        *exposure_holds(exposure, EVERY_LIMIT, d(1), d(1), equity()),
        *admit([Candidate(BTC, d(5), held=True, increases=True, notional=d(9))], Room(d(1), d(1), 1)).values(),
        *(hold for hold in (leverage_hold(d(9), EVERY_LIMIT), equity_hold(None, NOW)) if hold is not None),
    )
    assert len(holds) >= 4
    smaller = min(wanted, position - 1)
    planned = plan(target(Decimal(smaller), *holds), actual(Decimal(position)), market(), EVERY_LIMIT)
    assert traded(planned) == smaller - position
    grown = plan(target(Decimal(position + 1), *holds), actual(Decimal(position)), market(), EVERY_LIMIT)
    assert traded(grown) == 0


# --- clock, contract, expiry ------------------------------------------------------------------------------------------

CLOCKS = [(None, None), (0.5, None), (-0.5, None), (0.6, "-0.6 s"), (-2.0, "+2.0 s")]


@pytest.mark.parametrize(("offset_s", "because"), CLOCKS)
def test_clock(offset_s: float | None, because: str | None) -> None:
    hold = clock_hold(offset_s)
    assert (hold is None) == (because is None)
    if hold is not None and because is not None:
        assert because in hold.because
        assert (hold.scope, hold.state) == (Scope.INCREASES, SymbolState.BLOCKED)


CONTRACTS = [
    ("1/0.001", instrument(), False),
    ("", instrument(), False),
    ("1/0.001", instrument(contract_size="1.0", lot="0.0010"), False),
    ("1/0.001", instrument(tick="5", minimum="2"), False),
    ("1/0.001", instrument(contract_size="0.1"), True),
    ("1/0.001", instrument(lot="0.01"), True),
]


@pytest.mark.parametrize(("fingerprint", "listed", "changed"), CONTRACTS)
def test_changed_instrument(fingerprint: str, listed: Instrument, changed: bool) -> None:
    because = changed_instrument(fingerprint, listed)
    assert (because is not None) is changed
    assert because is None or "./run accept-instrument" in because


EXPIRIES = [(None, 0, False), (NOW + 1, 0, False), (NOW, 0, False), (NOW - 1, 0, True), (NOW - 1, 6, True)]
EXPIRIES += [(NOW - 1, 7, False), (NOW - 1, 8, False)]


@pytest.mark.parametrize(("expires_at", "verified", "expired"), EXPIRIES)
def test_a_generation_never_reached_lapses(expires_at: float | None, verified: int, expired: bool) -> None:
    hold = expiry_hold(replace(SIZED, generation=7, entry_expires_at=expires_at), verified, NOW)
    assert (hold is not None) is expired
    if hold is not None:
        assert (hold.scope, hold.state) == (Scope.INCREASES, SymbolState.HELD)
