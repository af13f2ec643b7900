"""Leverage and margin mode: when they are set, by which step, and what they hold up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from core.domain import (
    Actual,
    Capabilities,
    Hold,
    LeverageChange,
    LeverageScope,
    MarginMode,
    MarginModeScope,
    PlaceOrder,
    Policy,
    Scope,
    SetLeverage,
    SetMarginMode,
    SymbolState,
    Target,
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
REOPEN = Policy(leverage_change=LeverageChange.CLOSE_AND_REOPEN)
PER_ORDER = replace(PER_SYMBOL, leverage=LeverageScope.PER_ORDER, margin_mode_scope=MarginModeScope.ORDER)
WITH_MODE = replace(PER_SYMBOL, leverage=LeverageScope.WITH_MARGIN_MODE)
ACCOUNT_WIDE = replace(PER_SYMBOL, margin_mode_scope=MarginModeScope.ACCOUNT)
FIXED = replace(PER_SYMBOL, leverage_in_place=False)
BY_MODE = replace(
    PER_SYMBOL, leverage=LeverageScope.PER_ORDER, leverage_in_place=False, cross_leverage=LeverageScope.PER_SYMBOL
)
REFUSED = Hold(Scope.LEVERAGE, S.BLOCKED, "the venue refused", NOW + 9)


@dataclass(frozen=True)
class Case:
    """One plan, 5x isolated as found unless the case says otherwise: the kind of its first step, or none."""

    name: str
    target: Target
    actual: Actual
    step: type[PlaceOrder | SetLeverage | SetMarginMode] | None
    state: SymbolState = S.OUT_OF_SYNC
    capabilities: Capabilities = PER_SYMBOL
    policy: Policy = DEFAULTS
    mark: str | None = "100"


CROSS = MarginMode.CROSS
TEN, NINE = target("10"), target("10", leverage="9")
CROSS_NINE, CROSSED = replace(NINE, margin_mode=CROSS), actual("10", margin_mode=CROSS)

LEVERAGE = [
    Case("equal: nothing to set", TEN, actual("0"), PlaceOrder),
    Case("differs while flat: set first", NINE, actual("0"), SetLeverage),
    Case("differs with a position: set before the increase", NINE, actual("4"), SetLeverage),
    Case("differs at the target: set though no order is due", NINE, actual("10"), SetLeverage),
    Case("differs under a remainder: set", NINE, actual("9.6"), SetLeverage),
    Case("differs over a remainder: set", NINE, actual("10.4"), SetLeverage),
    Case("differs with too much: reduce first", NINE, actual("14"), PlaceOrder),
    Case("differs before a flip: close first", target("-10", leverage="9"), actual("4"), PlaceOrder),
    Case("flat wanted: never set", target("0", leverage="9"), actual("0"), None, S.CONVERGED),
    Case("flat wanted from a position: never set", target("0", leverage="9"), actual("4"), PlaceOrder),
    Case("drifted to less and left: not set", replace(NINE, drifted="manual"), actual("4"), None, S.DRIFTED),
    Case("unreadable: no increase", TEN, actual("4", leverage=None), None, S.BLOCKED),
    Case("unreadable while flat: no increase", TEN, actual("0", leverage=None), None, S.BLOCKED),
    Case("unreadable: reductions go", TEN, actual("14", leverage=None), PlaceOrder),
    Case("unreadable at the target: fine", TEN, actual("10", leverage=None), None, S.CONVERGED),
    Case("increase held while flat: not set either", replace(NINE, holds=(no_increase(),)), actual("0"), None, S.HELD),
    Case("increase held with a position: set", replace(NINE, holds=(no_increase(),)), actual("4"), SetLeverage),
    Case("no price while flat: not set either", NINE, actual("0"), None, S.HELD, mark=None),
    Case("refused: no increase", replace(NINE, holds=(REFUSED,)), actual("4"), None, S.BLOCKED),
    Case("refused while flat: no increase", replace(NINE, holds=(REFUSED,)), actual("0"), None, S.BLOCKED),
    Case("refused: reductions go", replace(NINE, holds=(REFUSED,)), actual("14"), PlaceOrder),
    Case("refused at the target: stays", replace(NINE, holds=(REFUSED,)), actual("10"), None, S.CONVERGED),
    Case("set before: the pause of a refusal is over", replace(TEN, holds=(REFUSED,)), actual("4"), PlaceOrder),
    Case("order unresolved: not set", NINE, actual("4", unresolved="looking it up"), None, S.UNRESOLVED),
    Case("lagging: not set", NINE, actual("4", "6"), None, S.UNRESOLVED),
    Case("with the order while flat", NINE, actual("0"), PlaceOrder, capabilities=PER_ORDER),
    Case("with the order, unread while flat", TEN, actual("0", leverage=None), PlaceOrder, capabilities=PER_ORDER),
    Case("with the order, but a position open: set", NINE, actual("4"), SetLeverage, capabilities=PER_ORDER),
    Case("with the margin mode", NINE, actual("4"), SetLeverage, capabilities=WITH_MODE),
    Case("fixed with a position: no increase", NINE, actual("4"), None, S.BLOCKED, FIXED),
    Case("fixed with a position: reductions go", NINE, actual("14"), PlaceOrder, capabilities=FIXED),
    Case("fixed at the target: stays", NINE, actual("10"), None, S.CONVERGED, FIXED),
    Case("fixed, flat: set", NINE, actual("0"), SetLeverage, capabilities=FIXED),
    Case("by mode, isolated and flat: with the order", NINE, actual("0"), PlaceOrder, capabilities=BY_MODE),
    Case("by mode, isolated: fixed with a position", NINE, actual("4"), None, S.BLOCKED, BY_MODE),
    Case("by mode, isolated where cross is wanted: left", CROSS_NINE, actual("10"), None, S.CONVERGED, BY_MODE),
    Case("by mode, cross where isolated is wanted: left", NINE, CROSSED, None, S.CONVERGED, BY_MODE),
    Case("by mode, cross and flat: set", CROSS_NINE, replace(CROSSED, position=d(0), baseline=d(0)), SetLeverage,
         capabilities=BY_MODE),
    Case("by mode, cross: in place", CROSS_NINE, CROSSED, SetLeverage, capabilities=BY_MODE),
]  # fmt: skip

MARGIN = [
    Case("differs while flat: set first", TEN, actual("0", margin_mode=CROSS), SetMarginMode),
    Case("differs with a position: no increase", TEN, actual("4", margin_mode=CROSS), None, S.BLOCKED),
    Case("differs with too much: reductions go", TEN, actual("14", margin_mode=CROSS), PlaceOrder),
    Case("differs at the target: stays", TEN, actual("10", margin_mode=CROSS), None, S.CONVERGED),
    Case("flat wanted: never set", target("0"), actual("0", margin_mode=CROSS), None, S.CONVERGED),
    Case("held: not set", replace(TEN, holds=(no_increase(),)), actual("0", margin_mode=CROSS), None, S.HELD),
    Case("no price: not set", TEN, actual("0", margin_mode=CROSS), None, S.HELD, mark=None),
    Case("mode first, then leverage", NINE, actual("0", margin_mode=CROSS), SetMarginMode),
    Case("account-wide while flat: the planner never acts", TEN, actual("0", margin_mode=CROSS), None, S.BLOCKED),
    Case("account-wide with a position", TEN, actual("4", margin_mode=CROSS), None, S.BLOCKED),
    Case("account-wide: reductions go", TEN, actual("14", margin_mode=CROSS), PlaceOrder),
    Case("with the order while flat", TEN, actual("0", margin_mode=CROSS), PlaceOrder, capabilities=PER_ORDER),
    Case("with the order, a position open", TEN, actual("4", margin_mode=CROSS), None, S.BLOCKED, PER_ORDER),
    Case("account-wide, not read here: preflight has looked", TEN, actual("0", margin_mode=None), PlaceOrder),
]
MARGIN = [replace(c, capabilities=ACCOUNT_WIDE) if c.name.startswith("account-wide") else c for c in MARGIN]


def run(case: Case) -> None:
    where = market(mark=case.mark, capabilities=case.capabilities)
    made = plan(case.target, case.actual, where, case.policy)
    assert (type(made.steps[0]) if made.steps else None, made.state) == (case.step, case.state), made


@pytest.mark.parametrize("case", LEVERAGE, ids=lambda c: c.name)
def test_leverage(case: Case) -> None:
    run(case)


@pytest.mark.parametrize("case", MARGIN, ids=lambda c: c.name)
def test_margin_mode(case: Case) -> None:
    run(case)


def test_the_steps_carry_both_values() -> None:
    leverage = plan(NINE, actual("4"), market(), DEFAULTS).steps
    assert leverage == (SetLeverage(NINE.symbol, d(9), MarginMode.ISOLATED),)
    mode = plan(NINE, actual("0", margin_mode=CROSS), market(), DEFAULTS).steps
    assert mode == (SetMarginMode(NINE.symbol, MarginMode.ISOLATED, d(9)),)


def test_a_refusal_says_when_it_is_tried_again() -> None:
    made = plan(replace(NINE, holds=(REFUSED,)), actual("4"), market(), DEFAULTS)
    assert made.next_due == NOW + 9
    assert "leverage 5 -> 9: the venue refused" in made.because


# --- close and reopen -------------------------------------------------------------------------------------------------

CLOSED_PRICE = market(mark=None, capabilities=FIXED)
HALTED = replace(NINE, holds=(no_increase(),))
STUCK = [
    ("increases held", HALTED, market(capabilities=FIXED)),
    ("no price", NINE, CLOSED_PRICE),
    ("not trading", NINE, market(instrument(lot="1", minimum="1", tradable=False), capabilities=FIXED)),
    ("contract changed", replace(NINE, full_close_only="changed"), market(capabilities=FIXED)),
]


def test_close_and_reopen_closes_when_an_increase_is_due() -> None:
    (order,) = orders(plan(NINE, actual("4"), market(capabilities=FIXED), REOPEN))
    assert (order.signed, order.full_close, order.reduce_only) == (d(-4), True, True)
    flat = plan(NINE, actual("0"), market(capabilities=FIXED), REOPEN)
    assert [type(step) for step in flat.steps] == [SetLeverage]


def test_close_and_reopen_closes_where_the_venue_refuses_to_change_an_open_position() -> None:
    refused = replace(NINE, holds=(REFUSED,))
    (order,) = orders(plan(refused, replace(actual("4"), leverage_fixed=True), market(), REOPEN))
    assert (order.signed, order.full_close, order.reduce_only) == (d(-4), True, True)
    for found, policy in ((actual("4"), REOPEN), (replace(actual("4"), leverage_fixed=True), DEFAULTS)):
        made = plan(refused, found, market(), policy)
        assert (made.steps, made.state, made.next_due) == ((), S.BLOCKED, NOW + 9)


@pytest.mark.parametrize(("wanted", "where"), [c[1:] for c in STUCK], ids=[c[0] for c in STUCK])
def test_what_could_not_be_reopened_is_not_closed(wanted: Target, where: object) -> None:
    made = plan(wanted, actual("4"), where, REOPEN)  # type: ignore[arg-type]  # a Market, from the table
    assert made.steps == ()
    assert made.state is S.BLOCKED


def test_a_remainder_alone_closes_nothing() -> None:
    made = plan(NINE, actual("9.6"), market(capabilities=FIXED), REOPEN)
    assert (traded(made), made.state) == (d(0), S.DUST)


def test_what_cannot_be_closed_is_not_increased_either() -> None:
    made = plan(NINE, actual("0.4"), market(capabilities=FIXED), REOPEN)
    assert (made.steps, made.state) == ((), S.BLOCKED)
