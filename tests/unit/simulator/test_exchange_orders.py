"""Orders on a simulated exchange: what is taken, what is refused, what is booked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from core.domain import ZERO, MarginMode, OrderKind, PositionMode, Side, Symbol, TimeInForce
from simulator.exchange import Conditions, ExchangeEvent, FillKind, OrderState, PositionSide, Reason, Refused

if TYPE_CHECKING:
    from .conftest import MakeShop, Shop

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
GTC = TimeInForce.GTC


def refused(shop: Shop, contracts: str, price: str | None = None, **more: object) -> Reason:
    with pytest.raises(Refused) as caught:
        shop.place(contracts, price, **more)
    return caught.value.reason


# --- fills ------------------------------------------------------------------------------------------------------------


def test_market_order_fills_at_the_book_and_pays_the_fee(shop: Shop) -> None:
    order = shop.place("0.2", client_id="a")
    assert (order.state, order.filled, order.average_price) == (OrderState.FILLED, D("0.2"), D("50005"))
    assert order.fee == D("0.2") * 50005 * D("0.00055")
    (fill,) = shop.exchange.fills("main")
    assert (fill.client_id, fill.contracts, fill.position_after, fill.kind) == ("a", D("0.2"), D("0.2"), FillKind.TRADE)
    balance = shop.exchange.balance("main")
    assert balance.wallet == 10_000 - order.fee
    assert balance.unrealized == D("0.2") * (50_000 - 50_005)
    (position,) = shop.exchange.positions("main")
    assert (position.contracts, position.leg.entry_price, position.leg.seq) == (D("0.2"), D(50_005), fill.seq)


def test_large_order_walks_the_book(shop: Shop) -> None:
    order = shop.place("12", leverage=D(100))
    assert [str(fill.contracts) for fill in reversed(shop.exchange.fills("main"))] == ["5.000", "5.000", "2.000"]
    assert order.average_price == (5 * D(50_005) + 5 * D(50_015) + 2 * D(50_025)) / 12


def test_ioc_limit_takes_what_its_price_allows(shop: Shop) -> None:
    order = shop.place("12", "50005", leverage=D(100))
    assert (order.state, order.filled, order.contracts) == (OrderState.CANCELLED, D(5), D(12))


def test_gtc_limit_rests_until_the_market_comes(shop: Shop) -> None:
    order = shop.rest("1", "49000")
    assert order.open
    assert shop.exchange.orders("main", open_only=True) == (order,)
    shop.pin("48990")
    shop.clock.move(1)
    (fill,) = shop.exchange.fills("main")
    assert (fill.price, fill.maker, fill.fee) == (D(49_000), True, 49_000 * D("0.0002"))
    done = shop.exchange.order("main", order.order_id)
    assert done is not None
    assert done.state is OrderState.FILLED


def test_cancel(shop: Shop) -> None:
    order = shop.rest("1", "49000")
    assert shop.exchange.cancel("main", order.order_id).state is OrderState.CANCELLED
    for order_id, reason in ((order.order_id, Reason.ORDER_FINAL), ("nothing", Reason.ORDER_NOT_FOUND)):
        with pytest.raises(Refused) as caught:
            shop.exchange.cancel("main", order_id)
        assert caught.value.reason is reason


def test_cancel_all_of_a_symbol(shop: Shop) -> None:
    shop.rest("0.1", "49000")
    shop.rest("0.1", "2900", symbol=ETH)
    assert [order.symbol for order in shop.exchange.cancel_all("main", ETH)] == [ETH]
    assert [order.symbol for order in shop.exchange.orders("main", open_only=True)] == [BTC]


# --- reduce-only ------------------------------------------------------------------------------------------------------


def test_reduce_only_is_clipped_and_never_flips(shop: Shop) -> None:
    shop.place("0.5")
    order = shop.place("-2", reduce_only=True)
    assert (order.state, order.filled, shop.held()) == (OrderState.CANCELLED, D("0.5"), ZERO)
    assert refused(shop, "-1", reduce_only=True) is Reason.REDUCE_ONLY


def test_full_close_needs_no_size_and_closes_dust(shop: Shop, make_shop: MakeShop) -> None:
    shop.place("0.5")
    order = shop.place("-0", side=Side.SELL, full_close=True, reduce_only=True)
    assert (order.contracts, order.filled, shop.held()) == (D("0.5"), D("0.5"), ZERO)
    assert refused(shop, "0", side=Side.SELL, full_close=True) is Reason.REDUCE_ONLY


def test_resting_reduce_only_orders_end_with_the_position(shop: Shop) -> None:
    shop.place("0.5")
    resting = shop.rest("-0.5", "51000", reduce_only=True)
    shop.place("-0.5")
    ended = shop.exchange.order("main", resting.order_id)
    assert ended is not None
    assert ended.state is OrderState.CANCELLED


def test_resting_reduce_only_order_is_clipped_to_what_is_left(shop: Shop) -> None:
    shop.place("0.5")
    resting = shop.rest("-0.5", "51000", reduce_only=True)
    shop.place("-0.3")
    shop.clock.move(1)
    clipped = shop.exchange.order("main", resting.order_id)
    assert clipped is not None
    assert (clipped.open, clipped.remaining) == (True, D("0.2"))
    shop.pin("51100")
    shop.clock.move(1)
    assert shop.exchange.fills("main")[0].contracts == D("0.2")
    assert shop.held() == 0


def test_dust_below_the_minimum_can_be_closed(make_shop: MakeShop) -> None:
    shop = make_shop()
    shop.exchange.foreign("main", BTC, D("0.003"), FillKind.TRADE)
    it = shop.exchange.listing(BTC)
    larger = replace(it.instrument, min_contracts=D("0.01"))
    shop.exchange.state.put_listing(replace(it, instrument=larger))
    assert refused(shop, "-0.002", reduce_only=True) is Reason.BELOW_MINIMUM
    assert shop.place("-0.003", reduce_only=True).state is OrderState.FILLED


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, Any], Reason]] = {
    "unknown symbol": (("1",), {"symbol": Symbol("NOPEUSDT")}, Reason.UNKNOWN_SYMBOL),
    "off the lot": (("0.0015",), {}, Reason.BAD_LOT),
    "nothing": (("0",), {}, Reason.BAD_LOT),
    "below the minimum": (("0.01",), {"symbol": Symbol("MINUSDT")}, Reason.BELOW_MINIMUM),
    "above the market maximum": (("51",), {}, Reason.ABOVE_MAXIMUM),
    "above the limit maximum": (("101", "50000"), {}, Reason.ABOVE_MAXIMUM),
    "off the tick": (("1", "50000.05"), {}, Reason.BAD_TICK),
    "beyond the band": (("1", "55000.1"), {}, Reason.PRICE_BAND),
    "a limit without a price": (("1",), {"kind": OrderKind.LIMIT}, Reason.NO_PRICE),
    "a stop": (("1", "50000"), {"kind": OrderKind.STOP}, Reason.UNSUPPORTED),
    "too little money": (("3",), {}, Reason.INSUFFICIENT_MARGIN),
    "worth too little": (("0.001",), {"symbol": Symbol("MINUSDT")}, Reason.BELOW_NOTIONAL),
    "a leg in one-way mode": (("1",), {"position_side": PositionSide.LONG}, Reason.POSITION_MODE_MISMATCH),
    "another margin mode": (("1",), {"margin_mode": MarginMode.ISOLATED}, Reason.MARGIN_MODE_MISMATCH),
    "too much leverage": (("1",), {"leverage": D(101)}, Reason.LEVERAGE_RANGE),
    "leverage between the steps": (("1",), {"leverage": D("3.005")}, Reason.LEVERAGE_RANGE),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_books_nothing_but_the_attempt(name: str, make_shop: MakeShop) -> None:
    from .conftest import listing

    minimum = "0.02" if name == "below the minimum" else "0.001"
    shop = make_shop(listing(), listing("MINUSDT", "100", min_contracts=minimum))
    size, more, reason = REFUSALS[name]
    assert refused(shop, *size, client_id="x", **more) is reason
    assert shop.exchange.balance("main").wallet == 10_000
    assert not shop.exchange.fills("main")
    assert not shop.exchange.positions("main")
    assert not shop.exchange.orders("main")
    (attempt,) = shop.exchange.state.accounts["main"].orders.values()
    assert (attempt.state, attempt.reason, attempt.client_id) == (OrderState.REJECTED, reason, "x")
    assert shop.exchange.order("main", attempt.order_id) is None
    assert shop.exchange.orders("main", client_id="x") == ()


def test_listing_that_is_not_traded(shop: Shop) -> None:
    it = shop.exchange.listing(BTC)
    shop.exchange.state.put_listing(replace(it, instrument=replace(it.instrument, tradable=False)))
    assert refused(shop, "1") is Reason.NOT_TRADABLE


def test_key_without_trade_right(shop: Shop) -> None:
    shop.exchange.state.accounts["main"].can_trade = False
    assert refused(shop, "0.1") is Reason.CANNOT_TRADE
    assert shop.exchange.place("second", shop.order("0.1")).state is OrderState.FILLED


def test_open_orders_are_counted_per_symbol(make_shop: MakeShop) -> None:
    shop = make_shop(max_open_orders=2)
    for price in ("49000", "48000"):
        shop.rest("0.01", price)
    assert refused(shop, "0.01", "47000", tif=GTC) is Reason.TOO_MANY_ORDERS
    assert shop.rest("0.1", "2900", symbol=ETH).open


# --- client ids -------------------------------------------------------------------------------------------------------


def test_client_ids_are_unique_per_account(shop: Shop) -> None:
    shop.place("0.1", client_id="a")
    assert refused(shop, "0.1", client_id="a") is Reason.DUPLICATE_CLIENT_ID
    assert shop.exchange.place("second", shop.order("0.1", client_id="a")).filled == D("0.1")
    assert shop.held() == D("0.1")


def test_refused_order_leaves_its_client_id_free(shop: Shop) -> None:
    assert refused(shop, "0.0001", client_id="a") is Reason.BAD_LOT
    assert shop.place("0.1", client_id="a").state is OrderState.FILLED


def test_duplicate_ids_can_be_accepted_and_all_of_them_are_found(shop: Shop) -> None:
    first = shop.place("0.1", client_id="a")
    with shop.exchange.under(Conditions(accept_duplicate_ids=True)):
        second = shop.place("0.2", client_id="a")
    assert shop.exchange.orders("main", client_id="a") == (second, first)
    assert refused(shop, "0.1", client_id="a") is Reason.DUPLICATE_CLIENT_ID


# --- conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "filled"), [("0.5", "0.050"), ("0", "0"), ("1", "0.1"), ("0.019", "0.001")])
def test_partial_fill(shop: Shop, share: str, filled: str) -> None:
    with shop.exchange.under(Conditions(partial_fill=D(share))):
        order = shop.place("0.1")
    assert (order.filled, shop.held()) == (D(filled), D(filled))
    assert order.state is (OrderState.FILLED if share == "1" else OrderState.CANCELLED)


def test_positions_as_they_were(shop: Shop) -> None:
    shop.place("0.1")
    shop.clock.move(10)
    shop.place("0.2")
    shop.clock.move(5)
    shop.place("-0.3")
    seen = {}
    for stale_s in (0.0, 4.0, 6.0, 14.0, 16.0):
        with shop.exchange.under(Conditions(stale_positions_s=stale_s)):
            seen[stale_s] = sum(view.contracts for view in shop.exchange.positions("main", BTC))
    assert seen == {0.0: D(0), 4.0: D("0.3"), 6.0: D("0.1"), 14.0: D("0.1"), 16.0: D(0)}


# --- hedge mode -------------------------------------------------------------------------------------------------------


def test_hedge_mode_has_two_legs_and_closing_orders_cannot_open(shop: Shop) -> None:
    shop.exchange.set_position_mode("main", PositionMode.HEDGE)
    shop.place("0.3", position_side=PositionSide.LONG)
    shop.place("-0.1", position_side=PositionSide.SHORT)
    views = shop.exchange.positions("main", BTC)
    assert [(view.leg.position_side, view.contracts) for view in views] == [
        (PositionSide.LONG, D("0.3")),
        (PositionSide.SHORT, D("-0.1")),
    ]
    order = shop.place("-1", position_side=PositionSide.LONG)
    assert (order.filled, shop.held(side=PositionSide.LONG)) == (D("0.3"), ZERO)
    assert shop.exchange.fills("main")[0].position_after == D("-0.1")
    assert refused(shop, "0.1") is Reason.POSITION_MODE_MISMATCH


# --- margin -----------------------------------------------------------------------------------------------------------


def test_margin_bounds_increases_only(shop: Shop) -> None:
    shop.place("1.9")
    assert refused(shop, "0.2") is Reason.INSUFFICIENT_MARGIN
    # A flip needs margin for its far side only: the near side frees its own.
    assert shop.place("-3.7").state is OrderState.FILLED
    assert shop.held() == D("-1.8")
    assert shop.place("1.8", reduce_only=True).state is OrderState.FILLED


def test_resting_orders_lock_margin(shop: Shop) -> None:
    shop.rest("1.9", "50000")
    assert refused(shop, "0.2") is Reason.INSUFFICIENT_MARGIN
    shop.exchange.cancel_all("main")
    assert shop.place("0.2").state is OrderState.FILLED


# --- sequence and events ----------------------------------------------------------------------------------------------


def test_everything_booked_is_told_in_order_with_growing_seq(shop: Shop) -> None:
    heard: list[ExchangeEvent] = []
    stop = shop.exchange.subscribe(heard.append)
    shop.place("0.1", client_id="a")
    shop.place("-0.1", client_id="b")
    stop()
    shop.place("0.1", client_id="c")
    assert [seq for event in heard if (seq := event.seq)] == sorted(event.seq for event in heard)
    assert {event.account for event in heard} == {"main"}
    states = [(event.order.client_id, event.order.state) for event in heard if event.order is not None]
    assert states == [
        ("a", OrderState.OPEN),
        ("a", OrderState.FILLED),
        ("b", OrderState.OPEN),
        ("b", OrderState.FILLED),
    ]
    fills = [event.fill.seq for event in heard if event.fill is not None]
    legs = [event.leg.seq for event in heard if event.leg is not None]
    assert fills == legs, "a position carries the sequence number of its last fill"


def test_same_seed_same_ids(make_shop: MakeShop) -> None:
    shops = [make_shop(seed=seed) for seed in (7, 7, 8)]
    ids = [[shop.place("0.1").order_id for _ in range(3)] for shop in shops]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])
    keys = [shop.exchange.keys("main") for shop in shops]
    assert keys[0] == keys[1] != keys[2]
    assert shops[0].exchange.keys("second") != keys[0]
    assert shops[0].exchange.account_of(keys[0].api_key) == "main"
    assert shops[0].exchange.account_of("nobody's") is None
