"""BloFin's codec: documented payloads to domain values, strictly, and orders to bodies and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_processors.codecs import blofin as codec
from account_processors.codecs import blofin_orders as orders
from account_processors.codecs.wire import Malformed, Row, loads
from core.domain import (
    ClientId,
    MarginMode,
    OrderKind,
    PlaceOrder,
    PositionMode,
    Scope,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Denied, OurFault
from tests.unit.account_processors.blofin_golden import payload, recorded

D = Decimal
BTC, ETH, LTC = Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("LTCUSDT")


def test_instruments_are_linear_usdt_contracts_whose_rows_are_sound_and_names_certain() -> None:
    found = codec.instruments(payload("instruments"))
    assert set(found) == {BTC, LTC}
    btc = found[BTC]
    assert (btc.venue_symbol, btc.base, btc.quote, btc.settle) == ("BTC-USDT", "BTC", "USDT", "USDT")
    assert (btc.contract_size, btc.lot, btc.min_contracts, btc.tick) == (D("0.001"), D("0.1"), D("0.1"), D("0.5"))
    assert (btc.max_contracts, btc.max_market_contracts, btc.max_leverage) == (D(10**8), D(10**6), D(125))
    assert (btc.min_notional, btc.tradable, found[LTC].tradable) == (D(0), True, False)


def test_prices_need_a_mark_and_take_the_rest_where_it_is() -> None:
    found = codec.quoted(payload("mark_prices"), payload("tickers"), 5.0)
    priced = codec.prices(found, [BTC, LTC, Symbol("NEWUSDT"), Symbol("NOSUCHUSDT")])
    assert set(priced) == {BTC, Symbol("NEWUSDT")}
    btc, new = priced[BTC], priced[Symbol("NEWUSDT")]
    assert (btc.mark, btc.last, btc.bid, btc.ask, btc.at) == (
        D("50000.5"), D("50002"), D("50001.5"), D("50002.5"), 5.0,
    )  # fmt: skip
    assert (new.mark, new.last, new.bid, new.ask) == (D("1.1"), None, None, None)


def test_the_venues_time_is_the_newest_of_the_marks() -> None:
    assert codec.venue_time_s(payload("mark_prices")) == pytest.approx(1_790_000_010.5)
    assert codec.venue_time_s(payload("nothing_listed")) is None
    with pytest.raises(Malformed):
        codec.venue_time_s(loads(b'{"code":"0","data":[{"instId":"X","ts":"soon"}]}'))


def test_equity_is_the_coins_own() -> None:
    assert codec.equity(payload("balance"), "USDT") == D("1000.250000000000000001")
    assert codec.equity(payload("balance_debt"), "USDT") == D("-12.5")
    with pytest.raises(Malformed, match="transfer"):
        codec.equity(payload("balance_empty"), "USDT")


def test_positions_are_signed_and_carry_leverage_and_margin_mode() -> None:
    found = codec.positions(payload("positions"))
    assert set(found) == {BTC, ETH}
    btc, eth = found[BTC], found[ETH]
    assert (btc.contracts, btc.leverage, btc.margin_mode, btc.seq) == (D("12.3"), D(3), MarginMode.ISOLATED, None)
    assert (eth.contracts, eth.leverage, eth.margin_mode) == (D(-290), D(7), MarginMode.CROSS)
    assert btc.entry_price == D("49987.5")
    assert codec.positions(payload("nothing_listed")) == {}


def test_hedge_mode_is_denied_and_two_positions_of_a_symbol_are_unusable() -> None:
    for name, reader in (("positions_hedge", codec.positions), ("leverages_hedge", codec.leverages)):
        with pytest.raises(Denied, match="One-way"):
            reader(payload(name))
    with pytest.raises(Malformed, match="two positions"):
        codec.positions(payload("positions_twice"))


def test_modes_and_keys() -> None:
    assert codec.margin_mode(payload("margin_mode")) is MarginMode.ISOLATED
    assert codec.position_mode(payload("position_mode_net")) is PositionMode.ONE_WAY
    assert codec.position_mode(payload("position_mode_hedge")) is PositionMode.HEDGE
    assert codec.key_problems(payload("key")) == []
    (problem,) = codec.key_problems(payload("key_read_only"))
    assert (problem.scope, problem.code) == (Scope.ALL, "read_only")


def test_leverages_are_found_by_contract() -> None:
    rows = codec.leverages(payload("leverages"))
    read = codec.leverage(rows["BTC-USDT"], BTC)
    assert (read.symbol, read.leverage, read.margin_mode) == (BTC, D(50), MarginMode.CROSS)
    assert set(rows) == {"BTC-USDT", "ETH-USDT"}


Reader = Callable[[Row], object]
UNSOUND: list[tuple[Reader, str]] = [
    (codec.instruments, '{"code":"0","data":null}'),
    (codec.positions, '{"code":"0"}'),
    (codec.positions, '{"code":"0","data":[{"instId":"BTC-USDT","positions":"","positionSide":"net"}]}'),
    (codec.positions, '{"code":"0","data":[{"instId":"BTC-USDT","positions":"1","positionSide":"both"}]}'),
    (codec.positions, '{"code":"0","data":[{"instId":"","positions":"1","positionSide":"net","marginMode":"cross"}]}'),
    (codec.positions, '{"code":"0","data":[{"instId":"BTC-USDT","positions":"1","marginMode":"portfolio"}]}'),
    (codec.positions, '{"code":"0","data":[{"instId":"BTC-USDT","positions":"Infinity","marginMode":"cross"}]}'),
    (codec.margin_mode, '{"code":"0","data":{}}'),
    (codec.position_mode, '{"code":"0","data":{"positionMode":"both_modes"}}'),
    (codec.key_problems, '{"code":"0","data":{"apiName":"x"}}'),
    (orders.order_rows, '{"code":"0","data":[{"orderId":"1"}]}'),
    (orders.order_rows, '{"code":"0","data":[{"orderId":"1","state":"filled","filledSize":null}]}'),
    (
        orders.executions,
        '{"code":"0","data":[{"tradeId":"1","orderId":"2","instId":"B-U","side":"up","fillSize":"1"}]}',
    ),
    (orders.detail, '{"code":"0","data":[{"orderId":"1"},{"orderId":"2"}]}'),
]


@pytest.mark.parametrize(("reader", "text"), UNSOUND)
def test_what_is_not_as_documented_is_unusable_never_nothing(reader: Reader, text: str) -> None:
    with pytest.raises(Malformed):
        reader(loads(text.encode()))


# --- orders -----------------------------------------------------------------------------------------------------------


def test_order_rows_are_final_or_not_and_ours_or_not() -> None:
    rows = {row.order_id[-1]: row for row in orders.order_rows(payload("orders"))}
    assert {key for key, row in rows.items() if not row.final} == {"7", "6"}
    assert {key for key, row in rows.items() if row.rejected} == {"5"}
    assert {key: row.client_id for key, row in rows.items() if not row.client_id} == {"4": None, "3": None}
    assert (rows["2"].filled, rows["2"].contracts, rows["2"].average_price) == (D("1.2"), D(3), D(50005))
    assert (rows["1"].filled, rows["1"].average_price) == (D(0), None)
    assert (rows["4"].reduce_only, rows["4"].side) == (True, Side.SELL)


def test_an_order_is_absent_in_every_way_an_empty_answer_can_be_written() -> None:
    ((row, owner),) = orders.detail(payload("order_detail"))
    assert (row.client_id, row.filled, owner.client_id, owner.kind) == ("mine1", D("12.3"), "mine1", "trade")
    for name in ("order_absent", "order_absent_null", "nothing_listed"):
        assert orders.detail(payload(name)) == []


def test_executions_belong_to_whom_their_orders_say() -> None:
    found = orders.executions(payload("fills"))
    owned = orders.owned(found, orders.whose(payload("orders")))
    assert [(one.fill.client_id, one.fill.kind, one.fill.contracts) for one in owned] == [
        (None, "liquidation", D(-2)),
        ("mine2", "trade", D("1.2")),
        (None, "trade", D("-0.5")),
    ]
    assert {one.fill.exec_id for one in owned} == {"7772189", "7772188", "7772187"}


ORDERS = st.builds(
    PlaceOrder,
    symbol=st.sampled_from([BTC, ETH]),
    side=st.sampled_from(Side),
    contracts=st.decimals("0.1", "100000", places=1),
    kind=st.just(OrderKind.LIMIT),
    price=st.decimals("0.5", "100000", places=1),
    tif=st.sampled_from(TimeInForce),
    reduce_only=st.booleans(),
    leverage=st.none(),
    margin_mode=st.sampled_from(MarginMode),
)
MARKET = PlaceOrder(BTC, Side.SELL, D("1.50"), OrderKind.MARKET, None, TimeInForce.IOC, True, None, MarginMode.CROSS)


@given(ORDERS | st.just(MARKET))
def test_a_body_read_back_is_the_order(order: PlaceOrder) -> None:
    inst_id = order.symbol.replace("USDT", "-USDT")
    body = codec.order_body(order, inst_id, ClientId("a" * 32))
    assert all(isinstance(value, str) for value in body.values())
    assert body["reduceOnly"] in ("true", "false")
    assert "brokerId" not in body
    back, client_id = codec.order_of_body(json.dumps(body).encode())
    assert (back.digest(), back.margin_mode, client_id) == (order.digest(), order.margin_mode, "a" * 32)


BODY = {
    "instId": "BTC-USDT", "marginMode": "cross", "positionSide": "net", "side": "buy", "orderType": "ioc", "size": "1",
    "reduceOnly": "false", "clientOrderId": "a", "price": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("brokerId", "x"),
        ("positionSide", "long"),
        ("reduceOnly", False),
        ("orderType", "post_only"),
        ("side", "long"),
        ("size", "0"),
        ("marginMode", "both"),
    ],
)
def test_a_body_that_no_intent_makes_is_told(field: str, value: object) -> None:
    assert codec.order_of_body(json.dumps(BODY).encode())
    with pytest.raises(Malformed):
        codec.order_of_body(json.dumps({**BODY, field: value}).encode())


def test_an_order_that_was_not_built_is_our_fault() -> None:
    stop = PlaceOrder(BTC, Side.BUY, D(1), OrderKind.STOP, D(1), TimeInForce.GTC, False, None, MarginMode.CROSS)
    with pytest.raises(OurFault):
        codec.order_body(stop, "BTC-USDT", ClientId("a"))


# --- recorded ---------------------------------------------------------------------------------------------------------


def test_recorded_payloads_are_read() -> None:
    found = codec.instruments(recorded("ExchangeData/GetSymbols"))
    assert (found[BTC].lot, found[BTC].contract_size) == (D("0.1"), D("0.001"))
    marks, tickers = recorded("ExchangeData/GetIndexMarkPrice"), recorded("ExchangeData/GetTickers")
    assert codec.prices(codec.quoted(marks, tickers, 1.0), [ETH])[ETH].mark == D("1620.58")
    assert codec.equity(recorded("Account/GetBalances"), "USDT") == D("10014042.988958415234430699548")
    held = codec.positions(recorded("Trading/GetPositions"))
    assert {symbol: one.contracts for symbol, one in held.items()} == {ETH: D(1), "BCHUSDT": D(-290)}
    assert codec.leverage(codec.leverages(recorded("Account/GetLeverage"))["ETH-USDT"], ETH).leverage == 3
    assert codec.margin_mode(recorded("Account/GetMarginMode")) is MarginMode.ISOLATED
    assert codec.position_mode(recorded("Account/GetPositionMode")) is PositionMode.ONE_WAY
    ((row, owner),) = orders.detail(recorded("Trading/GetOrder"))
    assert (row.final, row.filled, owner.client_id) == (False, D(0), None)
    assert [row.final for row in orders.order_rows(recorded("Trading/GetClosedOrders"))] == [True, True]
    assert [row.final for row in orders.order_rows(recorded("Trading/GetOpenOrders"))] == [False, False]
    assert [one.fill.contracts for one in orders.executions(recorded("Trading/GetUserTrades"))] == [D(2), D(1)]
