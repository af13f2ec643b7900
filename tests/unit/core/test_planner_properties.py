"""The planner against everything at once: what no combination of target, read, market and policy may bring about."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from core.domain import (
    ZERO,
    Actual,
    Capabilities,
    DriftPolicy,
    FlipPolicy,
    Hold,
    Instrument,
    LeverageChange,
    LeverageScope,
    MarginMode,
    MarginModeScope,
    Market,
    PlaceOrder,
    Policy,
    Scope,
    SetLeverage,
    SetMarginMode,
    Step,
    SymbolState,
    Target,
    floor_to,
    same_sign,
)
from core.planner import plan
from tests.unit.core.builders import BTC, PER_SYMBOL, PROPERTY, actual, instrument, orders, price, target, traded

S = SymbolState
MANY = Decimal(10_000)

contracts = st.integers(-400, 400).map(lambda n: Decimal(n) / 10)
sizes = st.sampled_from(["0.1", "0.5", "1", "3"])
reasons = st.none() | st.just("a reason")
leverages = st.sampled_from([Decimal(3), Decimal(5)])
modes = st.sampled_from(MarginMode)


def hold(scope: Scope) -> Hold:
    return Hold(scope, S.BLOCKED if scope is Scope.ALL else S.HELD, f"no {scope.value}")


instruments = st.builds(
    instrument,
    lot=sizes,
    minimum=sizes,
    maximum=st.sampled_from(["0", "2", "7.5", "100000"]),
    market_maximum=st.sampled_from(["0", "2", "7.5", "100000"]),
    min_notional=st.sampled_from(["0", "150"]),
    tradable=st.sampled_from([True, True, True, False]),
)
capabilities = st.builds(
    replace,
    st.just(PER_SYMBOL),
    leverage=st.sampled_from(LeverageScope),
    margin_mode_scope=st.sampled_from(MarginModeScope),
    leverage_in_place=st.booleans(),
    market_orders=st.booleans(),
    net_flip=st.booleans(),
)
markets = st.builds(
    Market,
    instrument=instruments | st.none(),
    capabilities=capabilities,
    price=st.none() | st.sampled_from(["100", "33.33", "0.7"]).map(price),
    stale_price=st.none() | st.just(Decimal(90)),
)
policies = st.builds(
    Policy,
    drift=st.sampled_from(DriftPolicy),
    flip=st.sampled_from(FlipPolicy),
    leverage_change=st.sampled_from(LeverageChange),
)
targets = st.builds(
    Target,
    symbol=st.just(BTC),
    contracts=contracts | st.none(),
    leverage=leverages,
    margin_mode=modes,
    holds=st.lists(st.sampled_from(Scope).map(hold), max_size=2).map(tuple),
    drifted=reasons,
    below_minimum=st.booleans(),
    no_signal=st.sampled_from([None, None, None, "nobody spoke"]),
    full_close_only=reasons,
    held=reasons,
)
unresolved = st.just(ZERO) | st.sampled_from([Decimal(1), Decimal(7)])
actuals = st.builds(
    Actual,
    position=contracts | st.none(),
    baseline=contracts | st.none(),
    leverage=leverages | st.none(),
    margin_mode=modes | st.none(),
    lagging=reasons,
    unresolved_increase=unresolved,
    unresolved_reduction=unresolved,
    unresolved=reasons,
    closing_tries=st.integers(0, 2),
)


def explained(found: Actual) -> Actual:
    """The read is what was expected, and nothing is open: most random reads are not."""
    return replace(
        found,
        baseline=found.position,
        lagging=None,
        unresolved=None,
        unresolved_increase=ZERO,
        unresolved_reduction=ZERO,
    )


World = tuple[Target, Actual, Market, Policy]


def growing(world: World) -> World:
    """The same where nothing but a hold or a size can stand against an increase: most random worlds are in its way."""
    wanted, found, where, policy = world
    size = wanted.contracts or Decimal(20)
    held = min(abs(found.position or ZERO), abs(size)) * (1 if size > 0 else -1)
    wanted = replace(wanted, contracts=size, drifted=None, no_signal=None, full_close_only=None, held=None)
    found = replace(found, position=held, leverage=wanted.leverage, margin_mode=wanted.margin_mode)
    listed = replace(where.instrument or instrument(), tradable=True)
    return wanted, explained(found), replace(where, instrument=listed, price=where.price or price("100")), policy


worlds = st.tuples(targets, actuals | actuals.map(explained), markets, policies)
anything = worlds | worlds.map(growing)


@PROPERTY
@given(anything)
def test_no_increase_beyond_what_is_stored(world: World) -> None:
    wanted, found, _, _ = world
    made = plan(*world)
    for order in orders(made):
        if order.reduce_only:
            continue
        event("increase")
        assert found.position is not None
        assert wanted.contracts is not None
        assert abs(found.position + order.signed) <= abs(wanted.contracts)
        assert abs(found.position + traded(made)) <= abs(wanted.contracts)
        assert order.side.sign == (1 if wanted.contracts > 0 else -1)


@PROPERTY
@given(anything)
def test_increases_go_only_when_nothing_stands_against_them(world: World) -> None:
    wanted, found, where, policy = world
    if all(order.reduce_only for order in orders(plan(*world))):
        return
    assert not {h.scope for h in wanted.holds} & {Scope.ALL, Scope.INCREASES}
    assert wanted.full_close_only is None
    assert found.position == found.baseline
    assert (found.lagging, found.unresolved) == (None, None)
    assert found.unresolved_increase == found.unresolved_reduction == 0
    assert where.price is not None
    assert where.instrument is not None
    assert where.instrument.tradable
    assert wanted.drifted is None or policy.drift is DriftPolicy.CORRECT
    if where.capabilities.leverage is not LeverageScope.PER_ORDER:
        assert found.leverage == wanted.leverage


@PROPERTY
@given(anything)
def test_reductions_stay_within_what_is_trusted(world: World) -> None:
    wanted, found, _, _ = world
    made = plan(*world)
    reducing = [order for order in orders(made) if order.reduce_only]
    if not reducing:
        return
    event("reduction")
    assert reducing == list(made.steps)
    assert found.position is not None
    assert found.baseline is not None
    total = traded(made)
    assert same_sign(-total, found.position)
    assert abs(total) <= abs(found.position)
    if found.lagging or (found.position != found.baseline and not found.unresolved and not found.unresolved_increase):
        assert same_sign(found.position, found.baseline)
        assert abs(total) <= abs(found.baseline)
    assert found.unresolved_reduction == 0
    assert Scope.ALL not in {h.scope for h in wanted.holds}
    assert Scope.REDUCTIONS not in {h.scope for h in wanted.holds}
    assert all(order.full_close == (found.position + total == 0) for order in reducing[-1:])


@PROPERTY
@given(anything)
def test_unknown_positions_and_strangers_are_never_touched(world: World) -> None:
    wanted, found, _, _ = world
    made = plan(*world)
    if found.position is None:
        assert (made.steps, made.state) == ((), S.UNRESOLVED)
    elif found.baseline is None and found.position != 0:
        assert (made.steps, made.state) == ((), S.FOREIGN)
    elif found.baseline is None or wanted.contracts is None or wanted.no_signal:
        assert (made.steps, made.state) == ((), S.NO_SIGNAL)


@PROPERTY
@given(anything)
def test_orders_are_such_as_the_venue_takes(world: World) -> None:
    found, where = world[1], world[2]
    made = plan(*world)
    assert not made.steps or made.state is S.OUT_OF_SYNC
    for order in orders(made):
        if where.instrument is None:  # all there is may go by the venue's own number
            assert found.position is not None
            assert (order.reduce_only, order.signed, order.price) == (True, -found.position, None)
            continue
        assert order.contracts > 0
        assert order.contracts % where.instrument.lot == 0
        assert (order.price is None) == (order.kind.value == "market")
        assert order.price is None or order.price % where.instrument.tick == 0
        largest = where.instrument.max_market_contracts if order.price is None else where.instrument.max_contracts
        assert order.contracts <= largest or largest < where.instrument.lot


@PROPERTY
@given(anything)
def test_a_plan_is_a_function_of_its_arguments(world: World) -> None:
    assert plan(*world) == plan(*world)


@PROPERTY
@given(contracts, contracts.filter(bool), markets, policies, leverages | st.none(), modes | st.none(), instruments)
def test_a_due_reduction_is_never_held_up(
    stored: Decimal,
    position: Decimal,
    where: Market,
    policy: Policy,
    leverage: Decimal | None,
    mode: MarginMode | None,
    listed: Instrument,
) -> None:
    """Whatever stands against increases, what is over the target goes if the venue trades that much."""
    over = abs(position) - (abs(stored) if same_sign(stored, position) else ZERO)
    assume(over >= max(listed.min_contracts, listed.lot))
    where = replace(where, instrument=listed, capabilities=replace(where.capabilities, market_orders=True))
    found = actual(position, leverage=leverage, margin_mode=mode)
    made = plan(target(stored, hold(Scope.INCREASES), hold(Scope.LEVERAGE)), found, where, policy)
    assert made.state is S.OUT_OF_SYNC
    assert abs(traded(made)) == over // listed.lot * listed.lot
    assert all(order.reduce_only for order in orders(made))


# --- against a perfect venue ------------------------------------------------------------------------------------------


def after(found: Actual, step: Step) -> Actual:
    """The next read at a venue that does at once what it is asked."""
    if isinstance(step, SetLeverage):
        return replace(found, leverage=step.leverage)
    if isinstance(step, SetMarginMode):
        return replace(found, margin_mode=step.margin_mode, leverage=step.leverage)
    assert found.position is not None
    position = found.position + step.signed
    leverage = found.leverage if step.reduce_only else step.leverage
    return replace(found, position=position, baseline=position, leverage=leverage, margin_mode=step.margin_mode)


def run(wanted: Target, found: Actual, where: Market, policy: Policy, most: int) -> tuple[Actual, SymbolState]:
    for _ in range(most):
        made = plan(wanted, found, where, policy)
        if not made.steps:
            return found, made.state
        found = after(found, made.steps[0])
    raise AssertionError(f"still {plan(wanted, found, where, policy)} after {most} steps")


lively = st.builds(
    Market,
    instrument=instruments.map(lambda i: replace(i, tradable=True, max_contracts=MANY, max_market_contracts=MANY)),
    capabilities=capabilities,
    price=st.sampled_from(["100", "33.33", "0.7"]).map(price),
)


@PROPERTY
@given(contracts, contracts, lively, policies, leverages, modes)
def test_it_converges_and_then_is_still(
    stored: Decimal, position: Decimal, where: Market, policy: Policy, leverage: Decimal, mode: MarginMode
) -> None:
    listed = where.instrument
    assert listed is not None
    if position != 0 or where.capabilities.margin_mode_scope is MarginModeScope.ACCOUNT:
        mode = MarginMode.ISOLATED  # as found: the other cannot be set then
    stored = floor_to(stored, listed.lot)
    wanted = replace(target(stored), margin_mode=mode)
    found, state = run(wanted, actual(position, leverage=leverage), where, policy, most=8)
    event(state.value)
    if state is S.BLOCKED:
        assert not where.capabilities.leverage_in_place
        assert found.position != 0
        return
    assert state in (S.CONVERGED, S.DUST)
    assert (state is S.CONVERGED) == (found.position == stored)
    assert found.position is not None
    cheap = listed.min_notional / where.price.mark if where.price else ZERO
    assert abs(found.position - stored) < max(listed.min_contracts, listed.lot, cheap + listed.lot)


@PROPERTY
@given(contracts, contracts, instruments.map(lambda i: replace(i, tradable=True)))
def test_chunks_add_up_to_what_is_missing(stored: Decimal, position: Decimal, listed: Instrument) -> None:
    where = Market(listed, PER_SYMBOL, price("100"))
    made = plan(target(stored), actual(position), where, Policy())
    assume(made.steps)
    closable = abs(position) >= listed.lot  # what is less stays, and is crossed on the way
    goal = ZERO if closable and not same_sign(stored, position) else stored
    assert traded(made) == abs(goal - position) // listed.lot * listed.lot * (1 if goal > position else -1)
    many = [order.contracts for order in orders(made)]
    assert many == sorted(many, reverse=True)
    assert len(set(many[:-1])) <= 1


@PROPERTY
@given(contracts.filter(bool), instruments.map(lambda i: replace(i, tradable=True)), st.data())
def test_short_fills_converge_without_overshooting(stored: Decimal, listed: Instrument, data: st.DataObject) -> None:
    """Each order is filled in part only: the position never leaves what lies between flat and the target."""
    listed = replace(listed, max_contracts=MANY)
    where = Market(listed, PER_SYMBOL, price("100"))
    found = actual("0")
    for _ in range(6):
        made = plan(target(stored), found, where, Policy())
        if not made.steps:
            break
        (step,) = made.steps
        assert isinstance(step, PlaceOrder)
        lots = int(step.contracts / listed.lot)
        filled = replace(step, contracts=data.draw(st.integers(0, lots)) * listed.lot)
        found = after(found, filled)
        assert found.position is not None
        assert abs(found.position) <= abs(stored)
        assert found.position == 0 or same_sign(found.position, stored)


@pytest.mark.parametrize("capability", [PER_SYMBOL])
def test_the_perfect_venue_is_not_trivial(capability: Capabilities) -> None:
    """The run above goes through every kind of step: a flip at another leverage and margin mode."""
    wanted = target("-10", leverage="9")
    found = actual("4", leverage=Decimal(5), margin_mode=MarginMode.CROSS)
    where = Market(instrument(lot="1", minimum="1"), capability, price("100"))
    kinds = []
    while (made := plan(wanted, found, where, Policy())).steps:
        kinds.append(type(made.steps[0]))
        found = after(found, made.steps[0])
    assert kinds == [PlaceOrder, SetMarginMode, PlaceOrder]
    assert found.position == -10
