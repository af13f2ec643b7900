"""PURE: one symbol's target x actual x market x policy -> the next steps, its state, and why.

The shell executes one step, reads again and plans again, so partial fills and other people's trades need no code here.
A reduction is always reduce-only and never larger than the position; an increase goes only when nothing stands
against it, never beyond the stored contracts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from core.domain import (
    ZERO,
    Actual,
    DriftPolicy,
    FlipPolicy,
    Instrument,
    LeverageChange,
    LeverageScope,
    MarginModeScope,
    Market,
    OrderKind,
    PlaceOrder,
    Plan,
    Policy,
    Scope,
    SetLeverage,
    SetMarginMode,
    Side,
    SymbolState,
    Target,
    TimeInForce,
    floor_to,
    plain,
    same_sign,
    tick_inward,
    toward_zero,
)

CLOSE_WITHOUT_MARKET_ORDERS = Decimal("0.05")
"""How far through a price of any age a reducing limit goes where a venue has no market orders."""
CLOSE_AGAIN_WITHOUT_MARKET_ORDERS = Decimal("0.20")
"""The same once such a limit has filled nothing."""


def plan(target: Target, actual: Actual, market: Market, policy: Policy) -> Plan:
    """The plan of one symbol. Never raises for a state of the world; Unknown yields no step that increases."""
    stop = _standing(target, actual)
    if stop is not None:
        return stop
    assert actual.position is not None
    position = actual.position
    actual = _explained(actual, position)
    goal = _goal(target, position, policy)
    blocked = next((hold for hold in target.holds if hold.scope is Scope.ALL), None)
    if blocked:
        return Plan((), blocked.state, blocked.because, blocked.until)
    task = _Task(target, actual, market, policy, position, goal)
    if market.instrument is None:
        if position == goal and not actual.lagging and not actual.unresolved:
            return _at_goal(task, SymbolState.CONVERGED, target.because or "at target")
        if _closes_blind(task):
            return _reduce_by(task, Side.of(-position), abs(position), closes=True)
        return Plan((), SymbolState.HELD, market.because or "the venue does not list this symbol")
    reduction = _reduction(task)
    if reduction is not None:
        return reduction
    if actual.unresolved:
        return Plan((), SymbolState.UNRESOLVED, actual.unresolved)
    if actual.lagging:
        return Plan((), SymbolState.UNRESOLVED, actual.lagging)
    missing = _missing(task)
    settings = _venue_settings(task, grows=missing > 0)
    if settings is not None:
        return settings
    if missing > 0:
        return _increase(task, missing)
    if task.position == goal:
        return _at_goal(task, SymbolState.CONVERGED, target.because or "at target")
    because = f"{plain(task.position)} contracts where {plain(goal)} are wanted: the venue trades no such difference"
    return _at_goal(task, SymbolState.DUST, because)


@dataclass(frozen=True, slots=True)
class _Task:
    target: Target
    actual: Actual
    market: Market
    policy: Policy
    position: Decimal
    goal: Decimal
    """Signed contracts to reach now: the stored size, or what the drift policy makes of it."""


def _standing(target: Target, actual: Actual) -> Plan | None:
    """States that end planning before any size is looked at."""
    if actual.position is None:
        return Plan((), SymbolState.UNRESOLVED, actual.because or "the position could not be read")
    if actual.baseline is None:
        if actual.position == 0:
            return Plan((), SymbolState.NO_SIGNAL, target.no_signal or target.because)
        return Plan((), SymbolState.FOREIGN, actual.because)
    if target.no_signal is not None or target.contracts is None:
        return Plan((), SymbolState.NO_SIGNAL, target.no_signal or "nothing was sized yet")
    return None


def _explained(actual: Actual, position: Decimal) -> Actual:
    """`actual` with every doubt named, so that no step depends on the caller's having named it."""
    if actual.unresolved_increase > 0 or actual.unresolved_reduction > 0:
        return replace(actual, unresolved=actual.unresolved or "an order of ours is not resolved yet")
    if not actual.unresolved and not actual.lagging and position != actual.baseline:
        because = f"expected {plain(actual.baseline or ZERO)} contracts, found {plain(position)}; not explained yet"
        return replace(actual, lagging=because)
    return actual


def _goal(target: Target, position: Decimal, policy: Policy) -> Decimal:
    """The stored contracts, or what the drift policy allows while the position is not ours alone."""
    stored = target.contracts or ZERO
    if target.drifted is None or policy.drift is DriftPolicy.CORRECT:
        return stored
    if policy.drift is DriftPolicy.WARN:
        return position
    if stored != 0 and same_sign(stored, position):
        return min(stored, position, key=abs)
    return ZERO


# --- reductions -------------------------------------------------------------------------------------------------------


def _reduction(task: _Task) -> Plan | None:
    """The reduce-only leg toward the goal, if one is due. Needs neither equity nor a fresh price."""
    actual, instrument = task.actual, task.market.instrument
    assert instrument is not None
    held = _trusted(task)
    if held == 0 or _nets(task):
        return None
    kept = task.goal if same_sign(task.goal, held) else ZERO
    excess = abs(held) - min(abs(kept), abs(held))
    excess = floor_to(excess, instrument.lot)
    if excess <= 0:
        return None
    if actual.unresolved_reduction > 0:
        return Plan((), SymbolState.UNRESOLVED, actual.unresolved or "a reduction is not resolved yet")
    if kept != 0 and (excess < instrument.min_contracts or _too_small_to_reduce(task, excess)):
        return None
    return _reduce_by(task, Side.of(-held), excess, closes=kept == 0)


def _too_small_to_reduce(task: _Task, excess: Decimal) -> bool:
    """Whether the venue refuses a reduction of `excess` for what it is worth; a full close is always tried."""
    market = task.market
    mark = market.price.mark if market.price else market.stale_price
    if not market.capabilities.reductions_have_minimum or mark is None or market.instrument is None:
        return False
    return market.instrument.notional(excess, mark) < market.instrument.min_notional


def _nets(task: _Task) -> bool:
    """Whether this is a flip that one order through zero does: by policy, where the venue can and nothing is in the
    way of the opening half. Otherwise the closing leg goes alone, which nothing can hold up."""
    actual, target, market = task.actual, task.target, task.market
    crosses = task.goal != 0 and task.position != 0 and not same_sign(task.goal, task.position)
    wanted = task.policy.flip is FlipPolicy.NET and market.capabilities.net_flip
    as_ordered = actual.leverage == target.leverage and actual.margin_mode in (None, target.margin_mode)
    free = not (actual.lagging or actual.unresolved) and _against_increase(task) is None
    if not (crosses and wanted and as_ordered and free):
        return False
    assert market.instrument is not None
    assert market.price is not None
    return not market.instrument.below_minimum(task.goal - task.position, market.price.mark)


def _trusted(task: _Task) -> Decimal:
    """The position a reduction may count on: the read, or while it lags what it shares with the baseline."""
    actual = task.actual
    if not actual.lagging or actual.baseline is None:
        return task.position
    return toward_zero(task.position, actual.baseline)


def _closes_blind(task: _Task) -> bool:
    """Whether a full close is due and can go without knowing the contract: the size is the venue's own number."""
    actual = task.actual
    due = task.position != 0 and not same_sign(task.goal, task.position)
    explained = not (actual.lagging or actual.unresolved) and task.position == actual.baseline
    return due and explained and task.market.capabilities.market_orders


def _reduce_by(task: _Task, side: Side, excess: Decimal, *, closes: bool) -> Plan:
    instrument, target, actual = task.market.instrument, task.target, task.actual
    pause = next((h for h in target.holds if h.scope is Scope.REDUCTIONS), None)
    if pause:
        return Plan((), pause.state, pause.because, pause.until)
    if target.full_close_only is not None and not closes:
        return Plan((), SymbolState.BLOCKED, target.full_close_only)
    price = None
    if not task.market.capabilities.market_orders:
        price = _closing_price(task, side)
        if price is None:
            return Plan((), SymbolState.HELD, "cannot close: no price of any age, and the venue has no market orders")
    sizes = [excess]
    if instrument is not None:
        largest = instrument.max_market_contracts if price is None else instrument.max_contracts
        sizes = _chunks(excess, largest, instrument)
    flat = excess == abs(task.position)  # while the read lags there may be more than we reduce
    steps = tuple(
        PlaceOrder(
            symbol=target.symbol,
            side=side,
            contracts=size,
            kind=OrderKind.MARKET if price is None else OrderKind.LIMIT,
            price=price,
            tif=TimeInForce.IOC,
            reduce_only=True,
            # The position's own, so that a venue that takes them with the order has no reason to refuse.
            leverage=actual.leverage or target.leverage,
            margin_mode=actual.margin_mode or target.margin_mode,
            full_close=flat and number == len(sizes),
        )
        for number, size in enumerate(sizes, 1)
    )
    because = (
        f"reducing {plain(task.position)} by {plain(excess)} contracts toward {plain(task.goal)}; {target.because}"
    )
    return Plan(steps, SymbolState.OUT_OF_SYNC, because)


def _chunks(contracts: Decimal, largest: Decimal, instrument: Instrument) -> list[Decimal]:
    """`contracts` (> 0) in orders the venue takes; a maximum of less than a lot is none."""
    most = floor_to(largest, instrument.lot)
    if most <= 0 or contracts <= most:
        return [contracts]
    whole, rest = divmod(contracts, most)
    return [most] * int(whole) + ([rest] if rest else [])


def _closing_price(task: _Task, side: Side) -> Decimal | None:
    """A limit through the market for venues without market orders, from a price of any age."""
    mark = task.market.price.mark if task.market.price else task.market.stale_price
    if mark is None or task.market.instrument is None:
        return None
    slip = CLOSE_AGAIN_WITHOUT_MARKET_ORDERS if task.actual.closing_tries else CLOSE_WITHOUT_MARKET_ORDERS
    return tick_inward(mark * (1 + slip * side.sign), task.market.instrument.tick, side)


# --- leverage and margin mode -----------------------------------------------------------------------------------------


def _venue_settings(task: _Task, *, grows: bool) -> Plan | None:
    """Leverage and margin mode as the next order needs them; None when they already are, or nothing needs them."""
    if task.goal == 0 or (task.target.drifted and abs(task.goal) <= abs(task.position)):
        return None
    margin = _margin_mode(task, grows)
    if margin is not None:
        return margin
    return _leverage(task, grows)


def _margin_mode(task: _Task, grows: bool) -> Plan | None:
    actual, target, capabilities = task.actual, task.target, task.market.capabilities
    if actual.margin_mode is None or actual.margin_mode is target.margin_mode:
        return None
    if capabilities.margin_mode_scope is MarginModeScope.ORDER and task.position == 0:
        return None
    wrong = f"the margin mode is {actual.margin_mode.value}, configured is {target.margin_mode.value}"
    if capabilities.margin_mode_scope is MarginModeScope.SYMBOL and task.position == 0:
        if not grows:
            return None
        if (against := _against_increase(task)) is not None:
            return against
        step = SetMarginMode(target.symbol, target.margin_mode, target.leverage)
        return Plan((step,), SymbolState.OUT_OF_SYNC, f"{wrong}: switching while flat")
    if not grows:
        return None
    because = f"{wrong}; it changes only while flat. Close the position, or set margin_mode in engine_config.json"
    return _against_increase(task) or Plan((), SymbolState.BLOCKED, because)


def _leverage(task: _Task, grows: bool) -> Plan | None:
    actual, target, capabilities = task.actual, task.target, task.market.capabilities
    if capabilities.leverage_in(target.margin_mode) is LeverageScope.PER_ORDER and task.position == 0:
        return None
    if capabilities.cross_leverage is not None and actual.margin_mode not in (None, target.margin_mode):
        return None  # each mode has a leverage of its own: the wanted mode's is not this position's
    if actual.leverage is None:
        because = "the symbol's leverage could not be read; nothing increases until it is known"
        return Plan((), SymbolState.BLOCKED, because) if grows else None
    if actual.leverage == target.leverage:
        return None
    change = f"leverage {plain(actual.leverage)} -> {plain(target.leverage)}"
    reopens = task.policy.leverage_change is LeverageChange.CLOSE_AND_REOPEN and actual.leverage_fixed
    if task.position != 0 and (reopens or not capabilities.changes_in_place(target.margin_mode)):
        return _leverage_when_flat(task, change, grows)
    if task.position == 0:
        if not grows:
            return None
        if (against := _against_increase(task)) is not None:
            return against
    refused = next((h for h in target.holds if h.scope is Scope.LEVERAGE), None)
    if refused:
        return Plan((), refused.state, f"{change}: {refused.because}", refused.until) if grows else None
    return Plan((SetLeverage(target.symbol, target.leverage, target.margin_mode),), SymbolState.OUT_OF_SYNC, change)


def _leverage_when_flat(task: _Task, change: str, grows: bool) -> Plan | None:
    reopens = task.policy.leverage_change is LeverageChange.CLOSE_AND_REOPEN and _against_increase(task) is None
    if grows and reopens:
        closing = _reduction(replace(task, goal=ZERO))
        if closing is not None:
            return closing
    because = f"{change} is possible only while flat on this venue; the position keeps its leverage"
    return Plan((), SymbolState.BLOCKED, because) if grows else None


# --- increases --------------------------------------------------------------------------------------------------------


def _against_increase(task: _Task) -> Plan | None:
    """What stands against every increase now, or None."""
    target, market = task.target, task.market
    hold = next((h for h in target.holds if h.scope in (Scope.ALL, Scope.INCREASES)), None)
    if hold is not None:
        return Plan((), hold.state, hold.because, hold.until)
    if target.full_close_only is not None:
        return Plan((), SymbolState.BLOCKED, target.full_close_only)
    if market.instrument is None or not market.instrument.tradable:
        return Plan((), SymbolState.BLOCKED, "the venue does not trade this symbol now")
    if market.price is None:
        return Plan((), SymbolState.HELD, market.because or "the price is unknown; nothing increases")
    return None


def _missing(task: _Task) -> Decimal:
    """Unsigned contracts that an increase (or a flip in one order) would trade; 0 when none is due or all is dust."""
    instrument, price = task.market.instrument, task.market.price
    assert instrument is not None
    if abs(task.goal) <= abs(task.position) and not _nets(task):
        return ZERO
    missing = floor_to(abs(task.goal - task.position), instrument.lot)
    return ZERO if instrument.below_minimum(missing, price.mark if price else None) else missing


def _increase(task: _Task, missing: Decimal) -> Plan:
    instrument, target, market = task.market.instrument, task.target, task.market
    if (against := _against_increase(task)) is not None:
        return against
    assert instrument is not None
    assert market.price is not None
    side = Side.of(task.goal - task.position)
    price = tick_inward(market.price.mark * (1 + task.policy.max_slippage * side.sign), instrument.tick, side)
    steps = tuple(
        PlaceOrder(
            symbol=target.symbol,
            side=side,
            contracts=size,
            kind=OrderKind.LIMIT,
            price=price,
            tif=TimeInForce.IOC,
            reduce_only=False,
            leverage=target.leverage,
            margin_mode=target.margin_mode,
        )
        for size in _chunks(missing, instrument.max_contracts, instrument)
    )
    because = f"increasing {plain(task.position)} by {plain(missing)} contracts to {plain(task.goal)}; {target.because}"
    return Plan(steps, SymbolState.OUT_OF_SYNC, because)


def _at_goal(task: _Task, state: SymbolState, because: str) -> Plan:
    """Nothing is due: CONVERGED or DUST, unless something stands that the user must know."""
    target = task.target
    if target.drifted is not None:
        return Plan((), SymbolState.DRIFTED, f"{target.drifted}; policy {task.policy.drift.value}")
    if target.held is not None:
        return Plan((), SymbolState.HELD, target.held)
    if target.below_minimum:
        return Plan((), SymbolState.BELOW_MINIMUM, because)
    return Plan((), state, because)
