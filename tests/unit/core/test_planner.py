"""The planner, rule by rule: what ends planning, reductions, flips, chunks, and how doubt is treated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain import (
    Actual,
    FlipPolicy,
    Hold,
    MarginMode,
    Market,
    OrderKind,
    PlaceOrder,
    Policy,
    Scope,
    Side,
    SymbolState,
    Target,
    TimeInForce,
)
from core.planner import plan
from tests.unit.core.builders import (
    DEFAULTS,
    NOW,
    PER_SYMBOL,
    actual,
    d,
    instrument,
    market,
    no_increase,
    orders,
    target,
    traded,
)

S = SymbolState
NET = Policy(flip=FlipPolicy.NET)
NETTING = replace(PER_SYMBOL, net_flip=True)


def only(target_: Target, actual_: Actual, market_: Market | None = None, policy: Policy = DEFAULTS) -> PlaceOrder:
    """The one order of a plan that is under way."""
    found = plan(target_, actual_, market_ or market(), policy)
    assert found.state is S.OUT_OF_SYNC, found
    assert len(found.steps) == 1
    (order,) = orders(found)
    return order


# --- states without a step --------------------------------------------------------------------------------------------

DONE = [
    ("at target", target("10"), actual("10"), S.CONVERGED),
    ("flat at flat", target("0"), actual("0"), S.CONVERGED),
    ("position Unknown", target("10"), actual(None, "10", because="the read failed"), S.UNRESOLVED),
    ("position Unknown at first sight", target("10"), actual(None, None), S.UNRESOLVED),
    ("a position before the engine", target("10"), actual("3", None, because="was here before"), S.FOREIGN),
    ("a position just like the target before the engine", target("10"), actual("10", None), S.FOREIGN),
    ("flat at first sight, not yet journaled", target("10"), actual("0", None), S.NO_SIGNAL),
    ("nobody spoke", target(None, no_signal="nobody spoke yet"), actual("3"), S.NO_SIGNAL),
    ("nothing sized", target(None), actual("3"), S.NO_SIGNAL),
    ("below the minimum, flat", target("0", below_minimum=True), actual("0"), S.BELOW_MINIMUM),
    ("something to tell at the target", target("10", held="a source is silent"), actual("10"), S.HELD),
    ("a source frozen at flat", target("0", held="a source is silent"), actual("0"), S.HELD),
    ("account blocked", target("10", Hold(Scope.ALL, S.BLOCKED, "keys denied")), actual("4"), S.BLOCKED),
    ("account blocked, too much", target("10", Hold(Scope.ALL, S.BLOCKED, "keys denied")), actual("14"), S.BLOCKED),
    ("disabled", target("0", Hold(Scope.ALL, S.HELD, "the account is disabled")), actual("14"), S.HELD),
    ("increase held", target("10", no_increase()), actual("4"), S.HELD),
    ("increase blocked", target("10", no_increase("over the limit", S.BLOCKED)), actual("4"), S.BLOCKED),
    ("a hold at the target", target("10", no_increase()), actual("10"), S.CONVERGED),
    ("order unresolved", target("10"), actual("4", unresolved="looking up the last order"), S.UNRESOLVED),
    ("order unresolved at the target", target("10"), actual("10", unresolved="looking it up"), S.UNRESOLVED),
    ("lagging", target("10"), actual("4", "6", lagging="expected 6, found 4"), S.UNRESOLVED),
]


@pytest.mark.parametrize(("wanted", "found", "state"), [c[1:] for c in DONE], ids=[c[0] for c in DONE])
def test_nothing_to_do(wanted: Target, found: Actual, state: SymbolState) -> None:
    made = plan(wanted, found, market(), DEFAULTS)
    assert (made.steps, made.state) == ((), state)


def test_the_reason_of_a_state_is_passed_on() -> None:
    assert plan(target("10"), actual(None, because="read failed"), market(), DEFAULTS).because == "read failed"
    assert plan(target("10"), actual("3", None, because="was here"), market(), DEFAULTS).because == "was here"
    waiting = Hold(Scope.INCREASES, S.OUT_OF_SYNC, "filled short", until=NOW + 4)
    made = plan(target("10", waiting), actual("4"), market(), DEFAULTS)
    assert (made.because, made.next_due) == ("filled short", NOW + 4)


# --- increases --------------------------------------------------------------------------------------------------------

INCREASES = [
    # stored, position, side, contracts, limit at 1 % from 100
    ("10", "0", Side.BUY, "10", "101"),
    ("10", "4", Side.BUY, "6", "101"),
    ("-10", "0", Side.SELL, "10", "99"),
    ("-10", "-4", Side.SELL, "6", "99"),
]


@pytest.mark.parametrize(("stored", "position", "side", "contracts", "limit"), INCREASES)
def test_an_increase_is_an_ioc_limit(stored: str, position: str, side: Side, contracts: str, limit: str) -> None:
    order = only(target(stored), actual(position))
    assert (order.side, order.contracts, order.price) == (side, d(contracts), d(limit))
    assert (order.kind, order.tif, order.reduce_only) == (OrderKind.LIMIT, TimeInForce.IOC, False)
    assert (order.leverage, order.margin_mode, order.full_close) == (d(5), MarginMode.ISOLATED, False)


INWARD = [("10", "33.33", "33.6"), ("-10", "33.33", "33.0"), ("10", "33.3", "33.6"), ("-10", "100", "99.0")]


@pytest.mark.parametrize(("stored", "mark", "limit"), INWARD)
def test_the_limit_is_rounded_to_the_tick_inward(stored: str, mark: str, limit: str) -> None:
    assert only(target(stored), actual("0"), market(mark=mark)).price == d(limit)


def test_slippage_is_the_policys() -> None:
    assert only(target("10"), actual("0"), policy=Policy(max_slippage=d("0.05"))).price == 105


def test_an_increase_needs_a_price() -> None:
    made = plan(target("10"), actual("4"), market(mark=None), DEFAULTS)
    assert (made.steps, made.state, made.because) == ((), S.HELD, "the price is unknown")


def test_an_increase_needs_a_listing_that_trades() -> None:
    closed = instrument(lot="1", minimum="1", tradable=False)
    assert plan(target("10"), actual("4"), market(closed), DEFAULTS).state is S.BLOCKED
    assert only(target("10"), actual("14"), market(closed)).contracts == 4
    unlisted = replace(market(), instrument=None, because="the listing could not be read")
    for position, state in [("4", S.HELD), ("14", S.HELD), ("10", S.CONVERGED)]:
        made = plan(target("10"), actual(position), unlisted, DEFAULTS)
        assert (made.steps, made.state) == ((), state)


# --- reductions -------------------------------------------------------------------------------------------------------

REDUCTIONS = [
    # stored, position, side, contracts, full close
    ("10", "14", Side.SELL, "4", False),
    ("-10", "-14", Side.BUY, "4", False),
    ("0", "14", Side.SELL, "14", True),
    ("0", "-14", Side.BUY, "14", True),
]


@pytest.mark.parametrize(("stored", "position", "side", "contracts", "full"), REDUCTIONS)
def test_a_reduction_is_a_reduce_only_market_order(
    stored: str, position: str, side: Side, contracts: str, full: bool
) -> None:
    order = only(target(stored), actual(position))
    assert (order.side, order.contracts, order.full_close) == (side, d(contracts), full)
    assert (order.kind, order.price, order.tif) == (OrderKind.MARKET, None, TimeInForce.IOC)
    assert order.reduce_only


def test_a_reduction_carries_what_the_position_has() -> None:
    order = only(target("10", leverage="9"), actual("14", leverage=d(3), margin_mode=MarginMode.CROSS))
    assert (order.leverage, order.margin_mode) == (d(3), MarginMode.CROSS)
    order = only(target("10", leverage="9"), actual("14", leverage=None, margin_mode=None))
    assert (order.leverage, order.margin_mode) == (d(9), MarginMode.ISOLATED)


PASSES = [
    no_increase("HALT_INCREASES stands"),
    no_increase("max_total_margin", S.BLOCKED),
    Hold(Scope.LEVERAGE, S.BLOCKED, "leverage refused"),
]


@pytest.mark.parametrize("hold", PASSES, ids=lambda h: h.because)
@pytest.mark.parametrize(("stored", "contracts"), [("10", "4"), ("0", "14"), ("-10", "14")])
def test_reductions_pass_every_hold_on_increases(hold: Hold, stored: str, contracts: str) -> None:
    order = only(target(stored, hold, leverage="9"), actual("14"), market(mark=None))
    assert (order.side, order.contracts, order.reduce_only) == (Side.SELL, d(contracts), True)


def test_a_rejected_reduction_waits_for_its_turn() -> None:
    pause = Hold(Scope.REDUCTIONS, S.OUT_OF_SYNC, "rejected; next try in 3 s", NOW + 3)
    made = plan(target("0", pause), actual("14"), market(), DEFAULTS)
    assert (made.steps, made.state, made.next_due) == ((), S.OUT_OF_SYNC, NOW + 3)
    assert only(target("10", pause), actual("4")).side is Side.BUY


def test_a_full_close_is_never_too_small() -> None:
    large = instrument(lot="1", minimum="5", min_notional="5000")
    assert only(target("0", below_minimum=True), actual("3"), market(large)).full_close
    assert only(target("0"), actual("-3"), market(large, mark=None)).contracts == 3


DUST = [
    ("10", "9.4", "less than a lot short"),
    ("10", "8", "less than the smallest order short"),
    ("10", "10.6", "less than a lot over"),
    ("10", "12", "less than the smallest order over"),
    ("-10", "-12", "short side"),
    ("0", "0.4", "less than a lot where nothing is wanted"),
    ("0", "-0.4", "less than a lot where nothing is wanted, short"),
]


@pytest.mark.parametrize(("stored", "position"), [c[:2] for c in DUST], ids=[c[2] for c in DUST])
def test_a_remainder_the_venue_does_not_trade_is_dust(stored: str, position: str) -> None:
    made = plan(target(stored), actual(position), market(instrument(lot="1", minimum="3")), DEFAULTS)
    assert (made.steps, made.state) == ((), S.DUST)


def test_a_remainder_below_the_smallest_notional_is_dust_for_increases_only() -> None:
    costly = market(instrument(lot="1", minimum="1", min_notional="500"))
    assert plan(target("10"), actual("6"), costly, DEFAULTS).state is S.DUST
    assert only(target("10"), actual("5"), costly).contracts == 5
    assert only(target("10"), actual("14"), costly).contracts == 4


def test_where_reductions_have_a_minimum_too_a_smaller_part_is_dust_and_a_full_close_is_tried() -> None:
    refusing = replace(PER_SYMBOL, reductions_have_minimum=True)
    small = market(instrument(lot="1", minimum="1", min_notional="500"), capabilities=refusing)
    assert plan(target("10"), actual("14"), small, DEFAULTS).state is S.DUST
    assert traded(plan(target("10"), actual("15"), small, DEFAULTS)) == d(-5)
    assert traded(plan(target("0"), actual("4"), small, DEFAULTS)) == d(-4)
    assert traded(plan(target("-10"), actual("4"), small, DEFAULTS)) == d(-4)


def test_dust_tells_what_must_be_known() -> None:
    found = market(instrument(lot="1", minimum="3"))
    assert plan(target("10", held="a source is silent"), actual("12"), found, DEFAULTS).state is S.HELD


# --- chunks -----------------------------------------------------------------------------------------------------------


def test_increases_are_chunked_by_the_limit_maximum() -> None:
    made = plan(target("10"), actual("1"), market(instrument(lot="1", minimum="1", maximum="4")), DEFAULTS)
    assert [o.contracts for o in orders(made)] == [4, 4, 1]
    assert {o.price for o in orders(made)} == {d("101")}


def test_reductions_are_chunked_by_the_market_maximum() -> None:
    listed = instrument(lot="1", minimum="1", maximum="1", market_maximum="6.5")
    made = plan(target("0"), actual("-14"), market(listed), DEFAULTS)
    assert [o.contracts for o in orders(made)] == [6, 6, 2]
    assert [o.full_close for o in orders(made)] == [False, False, True]


def test_limits_that_close_are_chunked_by_the_limit_maximum() -> None:
    listed = instrument(lot="1", minimum="1", maximum="8", market_maximum="1")
    bare = market(listed, capabilities=replace(PER_SYMBOL, market_orders=False))
    assert [o.contracts for o in orders(plan(target("0"), actual("14"), bare, DEFAULTS))] == [8, 6]


@pytest.mark.parametrize("maximum", ["0", "0.4"])
def test_a_maximum_of_less_than_a_lot_is_none(maximum: str) -> None:
    listed = instrument(lot="1", minimum="1", maximum=maximum, market_maximum=maximum)
    assert only(target("10"), actual("1"), market(listed)).contracts == 9
    assert only(target("1"), actual("10"), market(listed)).contracts == 9


# --- flips ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_a_flip_closes_then_opens(sign: int) -> None:
    wanted = target(d(10 * sign))
    closing = only(wanted, actual(d(-4 * sign)))
    assert (closing.signed, closing.reduce_only, closing.full_close) == (d(4 * sign), True, True)
    opening = only(wanted, actual("0"))
    assert (opening.signed, opening.reduce_only) == (d(10 * sign), False)


def test_a_flip_through_zero_in_one_order_where_policy_and_venue_agree() -> None:
    order = only(target("-10"), actual("4"), market(capabilities=NETTING), NET)
    assert (order.signed, order.reduce_only, order.kind) == (d(-14), False, OrderKind.LIMIT)


TWO_LEGS = [
    ("by policy", target("-10"), actual("4"), market(capabilities=NETTING), DEFAULTS),
    ("the venue cannot", target("-10"), actual("4"), market(), NET),
    ("increases held", target("-10", no_increase()), actual("4"), market(capabilities=NETTING), NET),
    ("no price", target("-10"), actual("4"), market(mark=None, capabilities=NETTING), NET),
    ("leverage", target("-10", leverage="9"), actual("4"), market(capabilities=NETTING), NET),
    ("margin mode", target("-10"), actual("4", margin_mode=MarginMode.CROSS), market(capabilities=NETTING), NET),
    ("flat wanted", target("0"), actual("4"), market(capabilities=NETTING), NET),
    ("contract changed", target("-10", full_close_only="changed"), actual("4"), market(capabilities=NETTING), NET),
    (
        "not trading",
        target("-10"),
        actual("4"),
        market(instrument(lot="1", minimum="1", tradable=False), capabilities=NETTING),
        NET,
    ),
    (
        "too small to open",
        target("-10"),
        actual("4"),
        market(instrument(lot="1", minimum="1", min_notional="5000"), capabilities=NETTING),
        NET,
    ),
]


@pytest.mark.parametrize(
    ("wanted", "found", "where", "policy"), [c[1:] for c in TWO_LEGS], ids=[c[0] for c in TWO_LEGS]
)
def test_otherwise_the_closing_leg_goes_alone(wanted: Target, found: Actual, where: Market, policy: Policy) -> None:
    order = only(wanted, found, where, policy)
    assert (order.signed, order.reduce_only, order.full_close) == (d(-4), True, True)


# --- doubt ------------------------------------------------------------------------------------------------------------

LAGGING = [
    # stored, read, baseline, traded
    ("10", "4", "6", "0"),  # no increase
    ("10", "14", "12", "-2"),  # no more than both agree on
    ("10", "12", "14", "-2"),
    ("0", "14", "4", "-4"),
    ("0", "4", "14", "-4"),
    ("0", "-14", "-4", "4"),
    ("0", "14", "-4", "0"),  # they do not agree on the side
    ("0", "14", "0", "0"),
    ("0", "0", "14", "0"),
    ("-10", "4", "3", "-3"),
]


@pytest.mark.parametrize(("stored", "read", "baseline", "expected"), LAGGING)
@pytest.mark.parametrize("named", [True, False])
def test_a_read_unlike_the_baseline(stored: str, read: str, baseline: str, expected: str, named: bool) -> None:
    found = actual(read, baseline, lagging="not explained yet" if named else None)
    made = plan(target(stored), found, market(), DEFAULTS)
    assert traded(made) == d(expected)
    assert all(order.reduce_only for order in orders(made))
    if not made.steps:
        assert (made.state, "explained yet" in made.because) == (S.UNRESOLVED, True)


def test_closing_the_agreed_part_of_a_lagging_read_is_no_full_close() -> None:
    assert not only(target("0"), actual("14", "4", lagging="?")).full_close


UNRESOLVED_INCREASE = [("10", "4", "0"), ("3", "4", "-1"), ("0", "4", "-4"), ("-5", "4", "-4"), ("10", "0", "0")]


@pytest.mark.parametrize(("stored", "read", "expected"), UNRESOLVED_INCREASE)
@pytest.mark.parametrize("named", [True, False])
def test_beside_an_unresolved_increase_only_a_reduction_goes(
    stored: str, read: str, expected: str, named: bool
) -> None:
    found = actual(read, "0", unresolved_increase=d(6), unresolved="looking it up" if named else None)
    made = plan(target(stored), found, market(), DEFAULTS)
    assert traded(made) == d(expected)
    assert all(order.reduce_only for order in orders(made))
    assert made.steps or made.state is S.UNRESOLVED


def test_the_unresolved_increase_itself_is_not_reduced_in_advance() -> None:
    found = actual("4", "4", unresolved_increase=d(6), unresolved="looking it up")
    assert traded(plan(target("4"), found, market(), DEFAULTS)) == 0
    assert traded(plan(target("0"), found, market(), DEFAULTS)) == -4


@pytest.mark.parametrize("stored", ["0", "3", "10", "-10"])
def test_one_reduction_at_a_time(stored: str) -> None:
    found = actual("5", "5", unresolved_reduction=d(1), unresolved="looking it up")
    made = plan(target(stored), found, market(), DEFAULTS)
    assert (made.steps, made.state) == ((), S.UNRESOLVED)
