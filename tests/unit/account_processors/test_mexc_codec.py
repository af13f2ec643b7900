"""MEXC's codec on golden payloads: symbols, lots, signs, modes, orders, deals."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_processors.ccxt_signing import rendered
from account_processors.codecs import mexc as codec
from account_processors.codecs import mexc_orders as orders
from account_processors.codecs.orders import outcome
from account_processors.codecs.wire import Malformed, Row, loads, rows, table
from core.domain import (
    ClientId,
    MarginMode,
    OrderKind,
    OrderStatus,
    PlaceOrder,
    PositionMode,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Denied, OurFault
from tests.unit.account_processors.mexc_golden import data, payload, recorded

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS
MINE = ClientId("9f1c0a2b3d4e5f60718293a4b5c6d7e8")
INCREASE = PlaceOrder(BTC, Side.BUY, D(120), OrderKind.LIMIT, D("64800.5"), TimeInForce.IOC, False, D(20), ISOLATED)


# --- public data ------------------------------------------------------------------------------------------------------


def test_instruments_are_linear_perpetuals_only_and_a_broken_one_costs_itself() -> None:
    found = codec.instruments(payload("contracts"))
    assert sorted(found) == [
        "BTCUSDC", "BTCUSDT", "CLOSEDUSDT", "ETHUSDT", "PAUSEDUSDT", "SILENTUSDT", "TENTHUSDT",
    ]  # fmt: skip
    btc, eth, tenth = found[BTC], found[ETH], found[Symbol("TENTHUSDT")]
    assert (btc.venue_symbol, btc.base, btc.quote, btc.settle) == ("BTC_USDT", "BTC", "USDT", "USDT")
    assert (btc.contract_size, btc.lot, btc.tick, btc.min_contracts) == (D("0.0001"), D(1), D("0.1"), D(1))
    assert (btc.max_contracts, btc.max_market_contracts, btc.max_leverage) == (D(900_000), D(400_000), D(125))
    assert (eth.max_contracts, eth.max_market_contracts, eth.min_notional) == (D(70_000), D(70_000), D(0))
    assert (tenth.lot, tenth.min_contracts) == (D("0.1"), D("0.3"))


def test_a_contract_counts_as_tradable_only_where_the_api_says_so() -> None:
    found = codec.instruments(payload("contracts"))
    assert {symbol for symbol, one in found.items() if not one.tradable} == {"CLOSEDUSDT", "PAUSEDUSDT", "SILENTUSDT"}


def test_one_contract_is_read_like_a_list_of_one() -> None:
    assert sorted(codec.instruments(payload("contract"))) == ["BTCUSDT"]
    with pytest.raises(Malformed):
        codec.instruments({"data": {"resultList": []}})


def test_prices_have_the_fair_price_and_one_without_is_left_out() -> None:
    found = codec.quoted(payload("tickers"), 12.5)
    wanted = [BTC, ETH, Symbol("NOMARKUSDT"), Symbol("ABSENTUSDT")]
    priced = codec.prices(found, wanted)
    assert sorted(priced) == ["BTCUSDT", "ETHUSDT"]
    btc, eth = priced[BTC], priced[ETH]
    assert (btc.mark, btc.last, btc.bid, btc.ask, btc.at) == (
        D("65432.1"), D(65430), D("65429.9"), D("65430.1"), 12.5,
    )  # fmt: skip
    assert (eth.mark, eth.last, eth.bid, eth.ask) == (D("3100.25"), None, None, None)


def test_the_venues_time() -> None:
    assert codec.server_time_s(payload("time")) == 1790000000.123


# --- the account ------------------------------------------------------------------------------------------------------


def test_equity_is_the_coins_own() -> None:
    assert codec.equity(payload("assets"), "USDT") == D("1012.75")
    assert codec.equity(payload("assets_debt"), "USDT") == D("-3.5")
    with pytest.raises(Malformed, match="transfer"):
        codec.equity(payload("assets_without_usdt"), "USDT")


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("position_mode", PositionMode.ONE_WAY),
        ("position_mode_object", PositionMode.ONE_WAY),
        ("position_mode_hedge", PositionMode.HEDGE),
    ],
)
def test_the_position_mode(name: str, mode: PositionMode) -> None:
    assert codec.position_mode(payload(name)) is mode
    assert bool(codec.mode_problems(mode)) is (mode is PositionMode.HEDGE)


@pytest.mark.parametrize("value", [0, 3, "x", None, {}, [{"level": 1}]])
def test_a_position_mode_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        codec.position_mode({"data": value})


def test_positions_are_signed_by_their_type() -> None:
    found = codec.positions(payload("positions"))
    assert {symbol: one.contracts for symbol, one in found.items()} == {"BTCUSDT": D(120), "ETHUSDT": D(-7)}
    assert (found[BTC].leverage, found[BTC].margin_mode, found[BTC].entry_price) == (D(20), ISOLATED, D("64000.5"))
    assert (found[ETH].leverage, found[ETH].margin_mode) == (D(5), CROSS)
    assert codec.position_ids(payload("positions"))[ETH] == 1109973832
    assert codec.positions(payload("positions_empty")) == {}


def test_two_sides_are_hedge_mode_and_two_of_one_side_are_unreadable() -> None:
    with pytest.raises(Denied, match="One-way") as caught:
        codec.positions(payload("positions_hedge"))
    assert caught.value.code == "hedge_mode"
    with pytest.raises(Malformed, match="two positions"):
        codec.positions(payload("positions_twice"))


@pytest.mark.parametrize(
    "changed", [{"positionType": 0}, {"positionType": 3}, {"holdVol": -1}, {"openType": 3}, {"leverage": 0}]
)
def test_a_position_that_is_not_as_documented_is_refused(changed: dict[str, int]) -> None:
    with pytest.raises(Malformed):
        codec.position_of({**rows(payload("positions"), "data")[0], **changed})


def test_leverage_is_known_where_both_sides_agree() -> None:
    read = codec.leverage(payload("leverage"), BTC)
    assert (read.leverage, read.margin_mode) == (D(20), ISOLATED)
    read = codec.leverage(payload("leverage_differs"), BTC)
    assert (read.leverage, read.margin_mode) == (None, None)
    read = codec.leverage(payload("leverage_old"), BTC)
    assert (read.leverage, read.margin_mode) == (D(20), None)


# --- orders -----------------------------------------------------------------------------------------------------------


def test_an_increase_on_the_wire() -> None:
    assert codec.order_body(INCREASE, "BTC_USDT", MINE) == {
        "symbol": "BTC_USDT", "vol": D(120), "side": 1, "type": 3, "openType": 1, "externalOid": MINE,
        "positionMode": 2, "reduceOnly": False, "price": D("64800.5"), "leverage": 20,
    }  # fmt: skip


@pytest.mark.parametrize(("side", "number"), [(Side.BUY, 1), (Side.SELL, 3)])
def test_a_reduction_is_said_by_the_flag_and_not_by_the_side(side: Side, number: int) -> None:
    order = replace(INCREASE, side=side, kind=OrderKind.MARKET, price=None, reduce_only=True, leverage=None)
    assert codec.order_body(replace(order, margin_mode=CROSS), "BTC_USDT", MINE) == {
        "symbol": "BTC_USDT", "vol": D(120), "side": number, "type": 5, "openType": 2, "externalOid": MINE,
        "positionMode": 2, "reduceOnly": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": OrderKind.STOP},
        {"contracts": D(0)},
        {"price": None},
        {"price": D(0)},
        {"leverage": None},
        {"leverage": D("2.5")},
        {"leverage": D(0)},
    ],
)
def test_an_order_that_was_not_built_here_is_our_fault(changed: dict[str, Any]) -> None:
    with pytest.raises(OurFault, match="nothing was sent"):
        codec.order_body(replace(INCREASE, **changed), "BTC_USDT", MINE)


ORDERS = st.builds(
    PlaceOrder,
    symbol=st.sampled_from([BTC, ETH, Symbol("1000PEPEUSDT")]),
    side=st.sampled_from(Side),
    contracts=st.decimals("0.1", "900000", places=1),
    kind=st.just(OrderKind.LIMIT),
    price=st.decimals("0.000001", "99999", places=6),
    tif=st.sampled_from(TimeInForce),
    reduce_only=st.booleans(),
    leverage=st.integers(1, 200).map(Decimal),
    margin_mode=st.sampled_from(MarginMode),
)


@given(ORDERS)
def test_what_is_written_is_read_back_as_the_same_intent(order: PlaceOrder) -> None:
    name = order.symbol.removesuffix("USDT") + "_USDT"
    decoded, client_id = codec.order_of_body(rendered(codec.order_body(order, name, MINE)).encode())
    assert (decoded, client_id) == (order, MINE)
    assert decoded.digest() == order.digest()


WRONG_BODIES: list[dict[str, Any]] = [
    {"positionMode": 1},
    {"positionMode": None},
    {"side": 2},
    {"side": 4},
    {"type": 1.5},
    {"type": 6},
    {"reduceOnly": None},
    {"reduceOnly": "true"},
    {"stopLossPrice": 1},
    {"source": "x"},
]


@pytest.mark.parametrize("changed", WRONG_BODIES)
def test_a_body_that_is_no_intent_is_refused(changed: dict[str, Any]) -> None:
    body = {**codec.order_body(INCREASE, "BTC_USDT", MINE), **changed}
    with pytest.raises(Malformed):
        codec.order_of_body(rendered({key: str(v) if isinstance(v, float) else v for key, v in body.items()}).encode())


# --- what became of orders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "filled", "code"),
    [
        ("order_filled", OrderStatus.DONE, 120, None),
        ("order_partly", OrderStatus.DONE, 50, None),
        ("order_unfilled", OrderStatus.DONE, 0, None),
        ("order_resting", OrderStatus.OPEN, 0, None),
        ("order_invalid", OrderStatus.REJECTED, 0, "2"),
        ("order_state_unknown", OrderStatus.OPEN, 120, None),
    ],
)
def test_the_states_of_an_order(name: str, status: OrderStatus, filled: int, code: str | None) -> None:
    row = orders.order_row(data(name))
    found = outcome([row], [])
    assert found is not None
    assert (found.status, found.filled, found.code) == (status, D(filled), code)
    assert (row.order_id, row.client_id, row.symbol, row.side) == ("739106551624717312", MINE, BTC, Side.BUY)


def test_whose_an_order_is() -> None:
    assert orders.client_id(data("order_filled")) == MINE
    assert orders.client_id(data("order_by_hand")) is None
    assert orders.client_id({"externalOid": ""}) is None
    rows_ = [orders.order_row(row) for row in orders.page(payload("orders")).items]
    assert [(one.client_id, one.side, one.reduce_only, one.order_id) for one in rows_] == [
        (MINE, Side.BUY, False, "739106551624717312"),
        ("another-program", Side.SELL, True, "739106551624717313"),
    ]


def test_deals_are_signed_and_owned_by_their_order() -> None:
    found = [orders.execution(row) for row in orders.page(payload("deals")).items]
    owned = [one.fill for one in orders.owned(found, {"739106551624717312": MINE})]
    assert [(one.contracts, one.kind, one.client_id, one.exec_id) for one in owned] == [
        (D(120), "trade", MINE, "9466823344"),
        (D(-20), "liquidation", None, "9466823345"),
        (D(-5), "adl", None, "9466823346"),
    ]
    assert (owned[0].price, owned[0].fee, owned[0].time) == (D("64790.5"), D("0.31"), 1790000000.44)
    assert owned[2].fee == D("-0.02")


def test_funding_is_positive_when_received() -> None:
    (one,) = [orders.funding(row) for row in orders.page(payload("funding")).items]
    assert (one.symbol, one.amount, one.time) == (BTC, D("-0.0777"), 1789977600.0)


def test_lists_come_bare_or_with_totals() -> None:
    bare, framed = orders.page(payload("orders")), orders.page(payload("orders_framed"))
    assert (len(bare.items), bare.total, bare.pages) == (2, None, None)
    assert (len(framed.items), framed.total, framed.pages) == (1, 101, 2)
    bad: list[Any] = [None, "none", {"resultList": 1}, {"resultList": []}]
    for data_ in bad:
        with pytest.raises(Malformed):
            orders.page({"data": data_})


def test_an_order_that_is_not_as_documented_is_refused() -> None:
    whole = dict(data("order_filled"))
    for key in ("orderId", "symbol", "side", "vol", "dealVol", "state"):
        with pytest.raises(Malformed):
            orders.order_row({name: value for name, value in whole.items() if name != key})
    for changed in ({"side": 5}, {"orderId": 0}, {"orderId": True}, {"symbol": "../x"}):
        with pytest.raises(Malformed):
            orders.order_row({**whole, **changed})


# --- recorded ---------------------------------------------------------------------------------------------------------


def test_recorded_payloads() -> None:
    btc = codec.instruments(recorded("ExchangeData/GetSymbol")[1])[BTC]
    assert (btc.contract_size, btc.lot, btc.tick, btc.max_contracts, btc.tradable) == (
        D("0.0001"), D(1), D("0.5"), D(1_000_000), True,
    )  # fmt: skip
    eth = codec.instruments(recorded("ExchangeData/GetSymbols")[1])[ETH]
    assert eth.contract_size == D("0.001")
    price = codec.prices(codec.quoted(recorded("ExchangeData/GetTickers")[1], 1.0), [BTC])[BTC]
    assert (price.mark, price.last) == (D("31199.5"), D(31199))
    position = codec.positions(recorded("Trading/GetPositions")[1])[ETH]
    assert (position.contracts, position.leverage, position.margin_mode) == (D(1), D(100), ISOLATED)
    assert codec.equity(recorded("Account/GetBalances")[1], "USDT") == D("0.03176562")
    assert codec.position_mode(recorded("Account/GetPositionMode")[1]) is PositionMode.HEDGE
    assert codec.leverage(recorded("Account/GetLeverage")[1], BTC).leverage == 1


def test_recorded_orders_and_deals() -> None:
    row = orders.order_row(table(recorded("Trading/GetOrderByClientOrderId")[1]["data"], "data"))
    assert (row.order_id, row.client_id, row.side, row.filled, row.final) == (
        "102015012431820288", None, Side.BUY, D(1), True,
    )  # fmt: skip
    (deal,) = [orders.execution(one) for one in orders.page(recorded("Trading/GetOrderTrades")[1]).items]
    assert (deal.order_id, deal.fill.contracts, deal.fill.fee) == (row.order_id, D(1), D("0.0072501"))
    paid = [orders.funding(one) for one in orders.page(recorded("Account/GetFundingHistory")[1]).items]
    assert [one.amount for one in paid] == [D("0.0837798"), D("0.0685308")]


def test_numbers_are_written_to_their_last_digit() -> None:
    body: Row = {"a": D("1E+1"), "b": D("0.10"), "c": [D("0.000001"), 1, True, None, "x"], "d": {}}
    assert rendered(body) == '{"a":10,"b":0.1,"c":[0.000001,1,true,null,"x"],"d":{}}'
    assert loads(rendered({"price": D("64800.123456789")}).encode())["price"] == D("64800.123456789")
