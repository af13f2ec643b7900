"""Settings, funding, liquidation, foreign trades and the bounds of memory."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from core.domain import ZERO, MarginMode, PositionMode, Symbol
from simulator import account as account_module
from simulator import controls
from simulator.exchange import FillKind, OrderState, PositionSide, Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import MakeShop, Shop

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
FUNDED_AT = 1_800_000_000 // 28_800 * 28_800 + 28_800.0


def reason_of(call: Callable[[], object]) -> Reason:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.reason


def isolated(shop: Shop, leverage: str = "10") -> Shop:
    shop.exchange.set_margin_mode("main", MarginMode.ISOLATED)
    controls.force_margin_mode(shop.exchange.state.accounts["main"], MarginMode.ISOLATED)
    shop.exchange.state.accounts["main"].leverages[BTC] = D(leverage)
    return shop


# --- leverage ---------------------------------------------------------------------------------------------------------


def test_leverage_is_kept_per_symbol_and_account(shop: Shop) -> None:
    shop.exchange.set_leverage("main", BTC, D(3))
    assert [shop.exchange.leverage(*at) for at in (("main", BTC), ("main", ETH), ("second", BTC))] == [3, 10, 10]


@pytest.mark.parametrize(
    ("leverage", "reason"),
    [
        ("10", Reason.LEVERAGE_NOT_MODIFIED),
        ("0.5", Reason.LEVERAGE_RANGE),
        ("100.5", Reason.LEVERAGE_RANGE),
        ("2.005", Reason.LEVERAGE_RANGE),
    ],
)
def test_leverage_refused(shop: Shop, leverage: str, reason: Reason) -> None:
    assert reason_of(lambda: shop.exchange.set_leverage("main", BTC, D(leverage))) is reason


def test_leverage_with_a_position(shop: Shop, make_shop: MakeShop) -> None:
    shop.place("1.9")
    assert reason_of(lambda: shop.exchange.set_leverage("main", BTC, D(5))) is Reason.INSUFFICIENT_MARGIN
    shop.exchange.set_leverage("main", BTC, D(20))
    strict = make_shop(leverage_in_place=False)
    strict.place("0.1")
    assert reason_of(lambda: strict.exchange.set_leverage("main", BTC, D(20))) is Reason.HAS_POSITION


def test_default_leverage_is_no_more_than_the_listing_allows(make_shop: MakeShop) -> None:
    from .conftest import listing

    assert make_shop(listing(max_leverage="5")).exchange.leverage("main", BTC) == 5


def test_order_that_carries_leverage_sets_it(shop: Shop) -> None:
    shop.place("0.1", leverage=D(7))
    assert shop.exchange.leverage("main", BTC) == 7


# --- modes ------------------------------------------------------------------------------------------------------------


def test_modes_change_only_when_nothing_is_open(shop: Shop) -> None:
    it = shop.exchange
    changes: tuple[Callable[[], object], ...] = (
        lambda: it.set_margin_mode("main", MarginMode.ISOLATED),
        lambda: it.set_position_mode("main", PositionMode.HEDGE),
    )
    order = shop.rest("0.1", "49000")
    assert [reason_of(change) for change in changes] == [Reason.HAS_ORDERS] * 2
    it.cancel("main", order.order_id)
    shop.place("0.1")
    assert [reason_of(change) for change in changes] == [Reason.HAS_POSITION] * 2
    assert reason_of(lambda: it.set_margin_mode("main", MarginMode.CROSS)) is Reason.MARGIN_MODE_NOT_MODIFIED
    assert reason_of(lambda: it.set_position_mode("main", PositionMode.ONE_WAY)) is Reason.POSITION_MODE_NOT_MODIFIED
    it.set_margin_mode("main", MarginMode.ISOLATED, ETH)
    assert [it.margin_mode("main", symbol) for symbol in (BTC, ETH)] == [MarginMode.CROSS, MarginMode.ISOLATED]
    shop.place("-0.1")
    for change in changes:
        change()
    info = it.info("main")
    assert (info.margin_mode, info.position_mode) == (MarginMode.ISOLATED, PositionMode.HEDGE)


def test_without_trade_right_nothing_is_changed(shop: Shop) -> None:
    shop.exchange.state.accounts["main"].can_trade = False
    for change in (
        lambda: shop.exchange.set_leverage("main", BTC, D(3)),
        lambda: shop.exchange.set_margin_mode("main", MarginMode.ISOLATED),
        lambda: shop.exchange.set_position_mode("main", PositionMode.HEDGE),
    ):
        assert reason_of(change) is Reason.CANNOT_TRADE


def test_forced_position_mode_keeps_what_is_held(shop: Shop) -> None:
    state, account = shop.exchange.state, shop.exchange.state.accounts["main"]
    shop.place("-0.4")
    controls.force_position_mode(state, account, PositionMode.HEDGE)
    assert (shop.held(side=PositionSide.SHORT), shop.held()) == (D("-0.4"), ZERO)
    shop.place("0.1", position_side=PositionSide.LONG)
    controls.force_position_mode(state, account, PositionMode.ONE_WAY)
    assert shop.held() == D("-0.3")
    assert account.net(BTC) == D("-0.3")


def test_forced_equity_counts_unrealized_profit(shop: Shop) -> None:
    shop.place("1")
    shop.pin("50500")
    controls.force_equity(shop.exchange.state, shop.exchange.state.accounts["main"], D(1234))
    assert shop.exchange.balance("main").equity == 1234


# --- funding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "amount"), [("0.1", "-0.5"), ("-0.1", "0.5")])
def test_longs_pay_shorts_at_the_funding_instant(shop: Shop, size: str, amount: str) -> None:
    shop.place(size)
    wallet = shop.exchange.balance("main").wallet
    shop.clock.move(FUNDED_AT - shop.clock.time() - 1)
    assert shop.exchange.funding("main") == ()
    shop.clock.move(1)
    (payment,) = shop.exchange.funding("main")
    assert (payment.amount, payment.at, payment.rate) == (D(amount), FUNDED_AT, D("0.0001"))
    assert shop.exchange.balance("main").wallet == wallet + D(amount)


def test_every_missed_funding_is_paid(shop: Shop) -> None:
    shop.place("0.1")
    shop.clock.move(86_400)
    payments = shop.exchange.funding("main")
    assert [payment.at for payment in payments] == [FUNDED_AT + n * 28_800 for n in (2, 1, 0)]


# --- liquidation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "safe", "gone"), [("1", "45300", "45200"), ("-1", "54700", "54800")])
def test_isolated_position_loses_its_margin_and_no_more(shop: Shop, size: str, safe: str, gone: str) -> None:
    isolated(shop)
    shop.place(size)
    resting = shop.rest("0.001", "45000")
    paid = shop.exchange.balance("main").wallet
    entry = shop.exchange.positions("main")[0].leg.entry_price
    shop.pin(safe)
    shop.clock.move(1)
    assert shop.held() == D(size)
    shop.pin(gone)
    shop.clock.move(1)
    assert shop.exchange.positions("main") == ()
    fill = shop.exchange.fills("main")[0]
    assert (fill.kind, fill.client_id) == (FillKind.LIQUIDATION, None)
    order = shop.exchange.order("main", resting.order_id)
    assert order is not None
    assert order.state is OrderState.CANCELLED
    assert shop.exchange.balance("main").wallet == paid - entry / 10


def test_isolated_positions_do_not_share_margin(shop: Shop) -> None:
    isolated(shop)
    shop.place("0.1")
    shop.place("0.1", symbol=ETH)
    shop.pin("40000")
    shop.clock.move(1)
    assert [view.symbol for view in shop.exchange.positions("main")] == [ETH]
    assert shop.exchange.balance("main").wallet > 9_000


def test_cross_account_is_liquidated_together_and_never_owes(shop: Shop) -> None:
    shop.place("1.9")
    shop.place("1", symbol=ETH)
    shop.pin("45300")
    shop.clock.move(1)
    assert len(shop.exchange.positions("main")) == 2
    shop.pin("40000")
    shop.clock.move(1)
    assert shop.exchange.positions("main") == ()
    assert shop.exchange.balance("main").equity == 0
    assert shop.exchange.balance("second").equity == 10_000


# --- foreign trades ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FillKind.TRADE, FillKind.LIQUIDATION, FillKind.ADL])
@pytest.mark.parametrize("target", ["0.5", "0", "-0.2", "0.1"])
def test_foreign_fill_brings_the_position_there_at_mark(shop: Shop, kind: FillKind, target: str) -> None:
    shop.place("0.3")
    shop.pin("50100")
    fill = shop.exchange.foreign("main", BTC, D(target), kind)
    assert fill is not None
    assert (fill.price, fill.client_id, fill.kind, fill.position_after) == (D(50_100), None, kind, D(target))
    assert shop.held() == D(target)
    assert shop.exchange.foreign("main", BTC, D(target), kind) is None


def test_foreign_fill_off_the_lot_is_refused(shop: Shop) -> None:
    assert reason_of(lambda: shop.exchange.foreign("main", BTC, D("0.0005"), FillKind.TRADE)) is Reason.BAD_LOT


def test_foreign_fill_in_hedge_mode_leaves_one_leg(shop: Shop) -> None:
    shop.exchange.set_position_mode("main", PositionMode.HEDGE)
    shop.place("0.3", position_side=PositionSide.LONG)
    shop.exchange.foreign("main", BTC, D("-0.2"), FillKind.TRADE)
    assert (shop.held(side=PositionSide.LONG), shop.held(side=PositionSide.SHORT)) == (ZERO, D("-0.2"))


# --- memory -----------------------------------------------------------------------------------------------------------


def test_rings_forget_the_oldest_and_say_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_module, "ORDERS_KEPT", 4)
    resting = shop.rest("0.001", "46000", client_id="rests")
    for n in range(6):
        shop.place("0.001", client_id=f"c{n}")
    account = shop.exchange.state.accounts["main"]
    assert len(account.orders) == 4
    assert account.orders_dropped == 3
    assert resting.order_id in account.orders
    assert shop.exchange.orders("main", client_id="c0") == ()
    assert [order.client_id for order in shop.exchange.orders("main")] == ["c5", "c4", "c3", "rests"]
    shop.place("0.001", client_id="c0")


def test_past_positions_reach_as_far_as_the_ring(shop: Shop) -> None:
    account = shop.exchange.state.accounts["main"]
    kept = account._changes.maxlen
    assert kept == account_module.CHANGES_KEPT
    for n in range(20):
        shop.clock.move(1)
        shop.place("0.001" if n % 2 else "-0.001")
    assert account.legs_at(0.5) == {}
    assert account.legs_at(1.5)[BTC, PositionSide.NET].contracts == D("-0.001")
