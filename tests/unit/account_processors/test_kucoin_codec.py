"""KuCoin's codec on golden payloads: symbols, sizes, signs, leverages, modes, orders and fills."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_processors.codecs import kucoin as codec
from account_processors.codecs import kucoin_orders as orders
from account_processors.codecs.orders import outcome
from account_processors.codecs.wire import Malformed, Row, loads
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
from tests.unit.account_processors.kucoin_golden import data, payload, recorded

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS
MINE = ClientId("9f1c0a2b3d4e5f60718293a4b5c6d7e8")

NAMES = [
    ("XBTUSDTM", "BTCUSDT"),
    ("ETHUSDTM", "ETHUSDT"),
    ("XBTUSDCM", "BTCUSDC"),
    ("1000PEPEUSDTM", "1000PEPEUSDT"),
    ("XBTUSDM", "XBTUSDM"),
    ("XBTMZ26", "XBTMZ26"),
    ("BTCUSDTM", "BTCUSDTM"),  # not listed; would otherwise be a second name of BTCUSDT
]


@pytest.mark.parametrize(("there", "here"), NAMES)
def test_names_have_one_counterpart(there: str, here: str) -> None:
    assert codec.canonical(there) == here
    assert codec.venue_symbol(Symbol(here)) == there


@given(st.from_regex(r"[A-Z0-9]{1,12}(USDTM|USDCM|USDM|M[A-Z][0-9]{2})", fullmatch=True))
def test_no_two_names_of_the_venue_mean_the_same(name: str) -> None:
    assert codec.venue_symbol(codec.canonical(name)) == name


@pytest.mark.parametrize("bad", ["", "x", "XBT USDTM", "../etc"])
def test_names_that_are_none_are_refused(bad: str) -> None:
    with pytest.raises(Malformed):
        codec.canonical(bad)


def test_instruments_are_linear_perpetuals_only_and_a_broken_one_costs_itself() -> None:
    found = codec.instruments(payload("contracts"))
    assert sorted(found) == ["BTCUSDC", "BTCUSDT", "ETHUSDT", "NOMARKUSDT", "PAUSEDUSDT"]
    btc, eth = found[BTC], found[ETH]
    assert (btc.venue_symbol, btc.base, btc.quote, btc.settle) == ("XBTUSDTM", "BTC", "USDT", "USDT")
    assert (btc.contract_size, btc.lot, btc.tick, btc.min_contracts) == (D("0.001"), D(1), D("0.1"), D(1))
    assert (btc.max_contracts, btc.max_market_contracts, btc.max_leverage) == (D(500_000), D(500_000), D(125))
    assert (eth.max_market_contracts, eth.min_notional) == (D(20_000), D(0))
    assert btc.tradable
    assert not found[Symbol("PAUSEDUSDT")].tradable


def test_prices_have_mark_and_last_and_one_without_a_mark_is_left_out() -> None:
    found = {symbol: (row, 12.5) for symbol, row in codec.contracts(payload("contracts")).items()}
    wanted = [BTC, Symbol("NOMARKUSDT"), Symbol("ABSENTUSDT")]
    (price,) = codec.prices(found, wanted).values()
    assert (price.symbol, price.mark, price.last, price.at) == (BTC, D("65432.1"), D(65430), 12.5)
    assert codec.contract(payload("contract"), BTC)["multiplier"] == D("0.001")
    with pytest.raises(Malformed, match="another contract"):
        codec.contract(payload("contract"), ETH)


def test_equity_is_the_currencys_own() -> None:
    assert codec.equity(payload("account"), "USDT") == D("1234.5678901")
    with pytest.raises(Malformed):
        codec.equity(payload("account"), "XBT")
    assert codec.server_time_s(payload("timestamp")) == 1_790_000_010.5


def test_positions_are_signed_lots_with_the_leverage_they_were_opened_with() -> None:
    found = codec.positions(payload("positions"))
    assert sorted(found) == ["BTCUSDT", "ETHUSDT", "XBTUSDM"]  # a flat row is none
    btc, eth = found[BTC], found[ETH]
    assert (btc.contracts, btc.margin_mode, btc.leverage) == (D(12), ISOLATED, D(3))
    assert (eth.contracts, eth.margin_mode, eth.leverage) == (D(-40), CROSS, D(7))
    assert btc.entry_price == D("65541.7")
    assert codec.positions(payload("positions_empty")) == {}


@pytest.mark.parametrize("lost", [{"posInit": 0}, {"posInit": None}, {"posCost": 0}, {"posCost": None}])
def test_an_isolated_leverage_that_does_not_follow_is_unknown(lost: Row) -> None:
    rows = [{**payload("positions")["data"][0], **lost}]
    assert codec.positions({"data": rows})[BTC].leverage is None


def test_hedge_mode_and_repeated_symbols_are_no_positions() -> None:
    with pytest.raises(Denied, match="One-Way"):
        codec.positions(payload("positions_hedge"))
    row = payload("positions")["data"][0]
    with pytest.raises(Malformed, match="two positions"):
        codec.positions({"data": [row, row]})


@pytest.mark.parametrize("broken", [{"currentQty": "1.5"}, {"currentQty": None}, {"symbol": ""}])
def test_a_position_that_cannot_be_read_fails_the_whole_read(broken: Row) -> None:
    rows = [*payload("positions")["data"], {**payload("positions")["data"][0], **broken}]
    with pytest.raises(Malformed):
        codec.positions({"data": rows})


def test_modes() -> None:
    assert codec.margin_mode(payload("margin_mode")) is CROSS
    assert codec.cross_leverage(payload("cross_leverage")) == 3
    assert codec.position_mode(payload("position_mode")) is PositionMode.ONE_WAY
    assert codec.position_mode(payload("position_mode_hedge")) is PositionMode.HEDGE
    assert codec.position_mode(payload("position_mode_unset")) is None
    assert codec.position_mode({"data": None}) is None
    assert [one.code for one in codec.mode_problems(None)] == ["position_mode_unset"]


@pytest.mark.parametrize("bad", [7, "x", [], True])
def test_a_position_mode_nobody_documents_is_none(bad: object) -> None:
    with pytest.raises(Malformed):
        codec.position_mode({"data": {"positionMode": bad}})


# --- orders -----------------------------------------------------------------------------------------------------------

LIMIT = PlaceOrder(BTC, Side.BUY, D(12), OrderKind.LIMIT, D("66000.50"), TimeInForce.IOC, False, D(3), ISOLATED)
REDUCE = PlaceOrder(ETH, Side.SELL, D(7), OrderKind.MARKET, None, TimeInForce.IOC, True, D("2.5"), CROSS)


def test_the_body_of_an_order() -> None:
    assert codec.order_fields(LIMIT, MINE) == {
        "clientOid": MINE, "side": "buy", "symbol": "XBTUSDTM", "type": "limit", "size": 12, "reduceOnly": False,
        "marginMode": "ISOLATED", "price": "66000.5", "timeInForce": "IOC", "leverage": 3,
    }  # fmt: skip
    assert codec.order_fields(REDUCE, MINE) == {
        "clientOid": MINE, "side": "sell", "symbol": "ETHUSDTM", "type": "market", "size": 7, "reduceOnly": True,
        "marginMode": "CROSS",
    }  # fmt: skip
    assert "leverage" not in codec.order_fields(replace(LIMIT, margin_mode=CROSS), MINE)
    assert "leverage" not in codec.order_fields(replace(LIMIT, reduce_only=True, leverage=None), MINE)


sizes = st.integers(1, 10**6).map(Decimal)
prices = st.decimals(min_value="0.00001", max_value="1000000", allow_nan=False, places=5)


@given(side=st.sampled_from(Side), size=sizes, price=prices, reduce=st.booleans(), tif=st.sampled_from(TimeInForce))
def test_what_is_written_is_read_back(
    side: Side, size: Decimal, price: Decimal, reduce: bool, tif: TimeInForce
) -> None:
    import json

    intent = replace(LIMIT, side=side, contracts=size, price=price, reduce_only=reduce, tif=tif)
    body = json.dumps(codec.order_fields(intent, MINE)).encode()
    decoded, client_id = codec.order_of_body(body)
    assert decoded.digest() == intent.digest()
    assert client_id == MINE


BODY = {
    "clientOid": "a", "side": "buy", "symbol": "XBTUSDTM", "type": "limit", "size": 1, "reduceOnly": True,
    "marginMode": "CROSS", "price": "1", "timeInForce": "IOC",
}  # fmt: skip
STRANGE: list[dict[str, object]] = [
    {"side": "up"}, {"type": "stop"}, {"timeInForce": "FOK"}, {"marginMode": "PORTFOLIO"}, {"reduceOnly": None},
    {"reduceOnly": "true"}, {"closeOrder": True}, {"remark": "x"}, {"size": 0}, {"clientOid": ""},
]  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE)
def test_a_body_no_intent_writes_is_refused(strange: dict[str, object]) -> None:
    codec.order_of_body(json.dumps(BODY).encode())
    with pytest.raises(Malformed):
        codec.order_of_body(json.dumps(BODY | strange).encode())


@pytest.mark.parametrize("leverage", [None, D(0), D("1.5")])
def test_an_isolated_increase_needs_a_whole_leverage(leverage: Decimal | None) -> None:
    with pytest.raises(OurFault, match="nothing was sent"):
        codec.order_fields(replace(LIMIT, leverage=leverage), MINE)


ROWS = [
    # golden payload, final, filled, average
    ("order_filled", True, D(12), D(65450)),
    ("order_partly", True, D(5), D("65449.9")),
    ("order_unfilled", True, D(0), None),
    ("order_resting", False, D(3), D(65450)),
    ("order_by_hand", True, D(12), None),
]


@pytest.mark.parametrize(("name", "final", "filled", "average"), ROWS)
def test_order_rows(name: str, final: bool, filled: Decimal, average: Decimal | None) -> None:
    row = orders.order_row(data(name))
    assert (row.final, row.filled, row.average_price, row.contracts) == (final, filled, average, D(12))
    assert (row.symbol, row.side) == (BTC, Side.BUY)
    assert row.client_id == (None if name == "order_by_hand" else MINE)


def test_a_page_of_orders() -> None:
    page = orders.page(payload("orders"))
    assert (page.pages, page.total, len(page.items)) == (2, 3, 2)
    second = orders.order_row(page.items[1])
    assert (second.side, second.reduce_only, second.client_id) == (Side.SELL, True, "other")


def test_fills_are_signed_and_name_no_client() -> None:
    listed = [one for row in orders.page(payload("fills")).items if (one := orders.execution(row)) is not None]
    assert [(one.fill.contracts, one.fill.kind, one.fill.client_id) for one in listed] == [
        (D(7), "trade", None),
        (D(5), "trade", None),
        (D(-4), "liquidation", None),
        (D(-3), "adl", None),
        (D(1), "settlement", None),
    ]
    assert listed[0].fill.time == 1_790_000_000.25
    assert len({one.fill.exec_id for one in listed}) == len(listed)
    named = orders.named(listed[0], {"301123456789012345": MINE})
    assert named.fill.client_id == MINE
    row = orders.order_row(data("order_filled"))
    found = outcome([row], [one for one in listed if one.order_id == row.order_id])
    assert found is not None
    assert (found.status, found.filled, found.fee) == (OrderStatus.DONE, D(12), D("0.54978084"))


@pytest.mark.parametrize("broken", [{"size": 0}, {"size": -1}, {"side": "up"}, {"tradeTime": None}, {"orderId": ""}])
def test_a_fill_that_cannot_be_read_fails_the_read(broken: Row) -> None:
    with pytest.raises(Malformed):
        orders.execution({**orders.page(payload("fills")).items[0], **broken})


def test_funding_is_signed() -> None:
    (paid,), more = orders.funding(payload("funding"))
    assert (paid.symbol, paid.amount, paid.time) == (BTC, D("-0.0965777796"), 1_789_977_600.0)
    assert more


# --- recorded ---------------------------------------------------------------------------------------------------------


def test_recorded_answers_are_read() -> None:
    _, found = recorded("ExchangeData/GetOpenContracts")
    assert codec.instruments(found)[BTC].contract_size == D("0.001")
    _, found = recorded("Account/GetPositions")
    position = codec.positions(found)[BTC]
    assert (position.contracts, position.leverage, position.margin_mode) == (D(1), D(5), ISOLATED)
    _, found = recorded("Account/GetAccountOverview")
    assert codec.equity(found, "XBT") == D("99.8999305281")
    _, found = recorded("Account/GetMarginMode")
    assert codec.margin_mode(found) is ISOLATED
    _, found = recorded("Account/GetCrossMarginLeverage")
    assert codec.cross_leverage(found) == 3
    _, found = recorded("Trading/GetOrders")
    (row,) = (orders.order_row(one) for one in orders.page(found).items)
    assert (row.final, row.filled) == (True, D(20000))
    _, found = recorded("Trading/GetUserTrades")
    (fill,) = (orders.execution(one) for one in orders.page(found).items)
    assert fill is not None
    assert (fill.fill.contracts, fill.fill.kind) == (D(-10), "trade")
    _, found = recorded("Account/GetFundingHistory")
    assert len(orders.funding(found)[0]) == 3


def test_numbers_are_exact() -> None:
    row = loads(b'{"data":[{"symbol":"XBTUSDTM","markPrice":0.1000000000000000055}]}')
    priced = codec.prices({BTC: (codec.contracts(row)[BTC], 1.0)}, [BTC])
    assert priced[BTC].mark == D("0.1000000000000000055")
