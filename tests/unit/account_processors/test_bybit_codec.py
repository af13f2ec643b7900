"""Bybit's codec: what its payloads mean, what is refused, and that an order survives the way to the wire and back."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from account_processors.codecs import bybit as codec
from account_processors.codecs import bybit_orders as orders
from account_processors.codecs.wire import Malformed, Row
from core.domain import (
    ClientId,
    Instrument,
    MarginMode,
    OrderKind,
    OrderOutcome,
    OrderStatus,
    PlaceOrder,
    Scope,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Denied
from tests.unit.account_processors.bybit_golden import recorded, result

D = Decimal
BTC, ETH, SOL = Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT")
MINE = ClientId("0123456789abcdef0123456789abcdef")


# --- public data ------------------------------------------------------------------------------------------------------


def test_instruments_are_usdt_and_usdc_perpetuals_in_base_units() -> None:
    found = codec.instruments(result("instruments"))
    assert set(found) == {BTC, Symbol("1000PEPEUSDT"), Symbol("BTCPERP"), Symbol("OLDUSDT")}
    assert found[BTC] == Instrument(
        symbol=BTC,
        venue_symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        settle="USDT",
        contract_size=D(1),
        lot=D("0.001"),
        tick=D("0.10"),
        min_contracts=D("0.001"),
        max_contracts=D("1190.000"),
        max_market_contracts=D("500.000"),
        min_notional=D(5),
        max_leverage=D("100.00"),
    )
    assert found[Symbol("BTCPERP")].settle == "USDC"
    assert not found[Symbol("OLDUSDT")].tradable
    assert codec.next_cursor(result("instruments")) == "first%3DMISSINGUSDT%26last%3DBTCUSDT"


def test_prices_leave_out_what_has_no_usable_mark() -> None:
    rows = {symbol: (row, 7.5) for symbol, row in codec.tickers(result("tickers")).items()}
    names = ("BTCUSDT", "ETHUSDT", "THINUSDT", "NOMARKUSDT", "ZEROUSDT", "NANUSDT", "NOSUCH")
    wanted = [Symbol(name) for name in names]
    found = codec.prices(rows, wanted)
    assert set(found) == {"BTCUSDT", "ETHUSDT", "THINUSDT"}
    btc, thin = found[BTC], found[Symbol("THINUSDT")]
    assert (btc.mark, btc.last, btc.bid, btc.ask) == (D("50010.50"), D(50011), D("50010.90"), D("50011.10"))
    assert btc.at == pytest.approx(7.5)
    assert (found[ETH].bid, found[ETH].ask) == (None, None)
    assert (thin.mark, thin.last, thin.bid, thin.ask) == (D("0.5"), None, None, D("0.51"))


@pytest.mark.parametrize(
    ("cursor", "read"),
    [
        (None, None),
        ("", None),
        ("132766%3A2%2C132766%3A2", "132766%3A2%2C132766%3A2"),
        ("page_args%3Dfd43-00ae%26symbol%3D6%26", "page_args%3Dfd43-00ae%26symbol%3D6%26"),
    ],
)
def test_cursors_go_back_as_they_came(cursor: str | None, read: str | None) -> None:
    assert codec.next_cursor({"nextPageCursor": cursor}) == read
    assert codec.next_cursor({}) is None


@pytest.mark.parametrize("cursor", ["a&symbol=X", "a b", "a#b", "a\r\nHost: x", "ü", 5, ["a"], "x" * 2001])
def test_a_cursor_that_could_change_the_request_is_refused(cursor: object) -> None:
    with pytest.raises(Malformed):
        codec.next_cursor({"nextPageCursor": cursor})


# --- the account ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("key", []),
        ("key_read_only", ["read_only"]),
        ("key_without_trade", ["no_trade_right"]),
        ("key_orders_only", ["no_trade_right"]),
        ("key_classic", ["not_unified"]),
    ],
)
def test_keys(name: str, problems: list[str]) -> None:
    found = codec.key_problems(result(name))
    assert [one.code for one in found] == problems
    assert all(one.scope is Scope.ALL and ". " in one.because for one in found)


@pytest.mark.parametrize(
    ("name", "mode", "problems"),
    [
        ("account_isolated", MarginMode.ISOLATED, []),
        ("account_cross", MarginMode.CROSS, []),
        ("account_portfolio", None, [(Scope.INCREASES, "portfolio_margin")]),
        ("account_classic", MarginMode.CROSS, [(Scope.ALL, "not_unified")]),
    ],
)
def test_accounts(name: str, mode: MarginMode | None, problems: list[tuple[Scope, str]]) -> None:
    assert codec.margin_mode(result(name)) is mode
    assert [(one.scope, one.code) for one in codec.account_problems(result(name))] == problems


@pytest.mark.parametrize(
    ("name", "coin", "value"),
    [("wallet", "USDT", "1012.75"), ("wallet", "BTC", "1.5"), ("wallet_debt", "USDT", "-3.5")],
)
def test_equity_is_the_coins_own(name: str, coin: str, value: str) -> None:
    assert codec.equity(result(name), coin) == D(value)


def test_a_coin_that_is_not_there_is_unknown_not_zero() -> None:
    for name in ("wallet_without_coin", "empty"):
        with pytest.raises(Malformed, match="deposit"):
            codec.equity(result(name), "USDT")


# --- positions --------------------------------------------------------------------------------------------------------


def test_positions_are_signed_and_flat_rows_are_left_out() -> None:
    found = codec.positions([result("positions")], MarginMode.ISOLATED)
    assert {symbol: position.contracts for symbol, position in found.items()} == {BTC: D("0.012"), ETH: D("-1.50")}
    btc, eth = found[BTC], found[ETH]
    assert (btc.leverage, btc.seq, btc.entry_price) == (D(10), 8123456789, D("49987.5"))
    assert (eth.leverage, eth.margin_mode) == (D("3.5"), MarginMode.ISOLATED)


def test_positions_of_several_pages_are_one_read() -> None:
    pages = [result("positions_never_traded"), result("positions")]
    assert set(codec.positions(pages, None)) == {BTC, ETH}
    with pytest.raises(Malformed, match="two positions"):
        codec.positions([result("positions_first_page"), result("positions")], None)


@pytest.mark.parametrize("name", ["positions_hedge", "positions_hedge_flat"])
def test_hedge_mode_is_denied_with_a_remedy(name: str) -> None:
    assert codec.hedged(result(name))
    with pytest.raises(Denied, match="One-Way") as caught:
        codec.positions([result("positions"), result(name)], None)
    assert caught.value.code == "hedge_mode"
    with pytest.raises(Denied):
        codec.leverage(result(name), BTC, None)


def test_leverage_of_a_flat_symbol() -> None:
    read = codec.leverage(result("positions_never_traded"), SOL, MarginMode.CROSS)
    assert (read.symbol, read.leverage, read.margin_mode) == (SOL, D("12.5"), MarginMode.CROSS)
    for name, symbol in (("positions_never_traded", BTC), ("positions_portfolio", BTC), ("empty", BTC)):
        with pytest.raises(Malformed):
            codec.leverage(result(name), symbol, None)


def test_portfolio_margin_positions_have_no_leverage() -> None:
    assert codec.positions([result("positions_portfolio")], None)[BTC].leverage is None


# --- orders -----------------------------------------------------------------------------------------------------------

SIZES = st.decimals(min_value="0.001", max_value="1000000", places=3)
INTENTS = st.builds(
    PlaceOrder,
    symbol=st.sampled_from([BTC, ETH, Symbol("1000PEPEUSDT"), Symbol("BTC-PERP.x:1_2")]),
    side=st.sampled_from(Side),
    contracts=SIZES,
    kind=st.just(OrderKind.LIMIT),
    price=st.decimals(min_value="0.0000001", max_value="1000000", places=7),
    tif=st.sampled_from(TimeInForce),
    reduce_only=st.booleans(),
    leverage=st.none() | SIZES,
    margin_mode=st.sampled_from(MarginMode),
    full_close=st.booleans(),
) | st.builds(
    PlaceOrder,
    symbol=st.just(BTC),
    side=st.sampled_from(Side),
    contracts=SIZES,
    kind=st.just(OrderKind.MARKET),
    price=st.none(),
    tif=st.just(TimeInForce.IOC),
    reduce_only=st.booleans(),
    leverage=st.none(),
    margin_mode=st.just(MarginMode.ISOLATED),
    full_close=st.booleans(),
)


@settings(deadline=None)
@given(INTENTS, st.text("0123456789abcdef", min_size=32, max_size=32))
def test_an_order_read_back_from_its_body_is_the_intent(order: PlaceOrder, client_id: str) -> None:
    body = codec.order_body(order, ClientId(client_id))
    decoded, found = codec.order_of_body(json.dumps(body).encode())
    assert decoded.digest() == order.digest()
    assert found == client_id
    assert body["positionIdx"] == 0
    assert body["category"] == "linear"


@pytest.mark.parametrize(
    "change",
    [
        {"qty": "0.013"},
        {"side": "Sell"},
        {"reduceOnly": True},
        {"price": "1"},
        {"symbol": "ETHUSDT"},
        {"timeInForce": "GTC"},
    ],
)
def test_a_body_that_differs_has_another_digest(change: Row) -> None:
    order = PlaceOrder(
        BTC, Side.BUY, D("0.012"), OrderKind.LIMIT, D(50500), TimeInForce.IOC, False, None, MarginMode.CROSS
    )
    body = {**codec.order_body(order, MINE), **change}
    assert codec.order_of_body(json.dumps(body).encode())[0].digest() != order.digest()


@pytest.mark.parametrize(
    "change",
    [
        {"triggerPrice": "1"},
        {"positionIdx": 1},
        {"category": "spot"},
        {"qty": "0"},
        {"side": "buy"},
        {"reduceOnly": "true"},
    ],
)
def test_a_body_that_means_more_than_an_intent_is_refused(change: Row) -> None:
    order = PlaceOrder(BTC, Side.BUY, D(1), OrderKind.MARKET, None, TimeInForce.IOC, True, None, MarginMode.CROSS)
    with pytest.raises(Malformed):
        codec.order_of_body(json.dumps({**codec.order_body(order, MINE), **change}).encode())


# --- what became of them ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "filled", "code"),
    [
        ("order_filled", OrderStatus.DONE, "0.012", None),
        ("order_partly", OrderStatus.DONE, "0.003", "EC_CancelForNoFullFill"),
        ("order_resting", OrderStatus.OPEN, "0.004", None),
        ("order_unfilled", OrderStatus.DONE, "0", "EC_NoImmediateQtyToFill"),
        ("order_rejected", OrderStatus.REJECTED, "0", "EC_ReachMaxPendingOrders"),
        ("order_unknown_status", OrderStatus.OPEN, "0.012", None),
    ],
)
def test_orders_alone(name: str, status: OrderStatus, filled: str, code: str | None) -> None:
    (row,) = orders.order_rows(result(name))
    assert row.client_id == MINE
    outcome = orders.outcome([row], [])
    assert outcome is not None
    assert (outcome.status, outcome.filled, outcome.code) == (status, D(filled), code)
    assert outcome.seq is None  # no execution was seen, so nothing is known about it


def outcome_of(order: str, executions: str) -> OrderOutcome | None:
    moved, _ = orders.executions(result(executions))
    return orders.outcome(orders.order_rows(result(order)), moved)


def test_orders_and_executions_together() -> None:
    outcome = outcome_of("order_filled", "executions_of_order")
    assert outcome is not None
    assert (outcome.status, outcome.filled, outcome.seq) == (OrderStatus.DONE, D("0.012"), 103)
    assert outcome.average_price == D("50005")
    assert outcome.fee == D("0.33")


def test_executions_the_order_does_not_show_keep_it_open() -> None:
    for order in ("order_partly", "order_unfilled", "empty"):
        outcome = outcome_of(order, "executions_of_order")
        assert outcome is not None
        assert (outcome.status, outcome.filled) == (OrderStatus.OPEN, D("0.012"))


def test_executions_that_lag_give_no_sequence_number() -> None:
    rows = orders.order_rows(result("order_filled"))
    moved, _ = orders.executions(result("executions_of_order"))
    outcome = orders.outcome(rows, moved[1:])
    assert outcome is not None
    assert (outcome.status, outcome.filled, outcome.seq, outcome.fee) == (OrderStatus.DONE, D("0.012"), None, None)


def test_nothing_anywhere_is_no_outcome() -> None:
    assert outcome_of("empty", "empty") is None


def test_manual_orders_are_not_ours() -> None:
    (row,) = orders.order_rows(result("order_manual"))
    assert row.open_order().client_id is None
    assert not row.final


def test_history_is_oldest_first_once_each_and_in_our_time() -> None:
    moved, funding = orders.executions(result("executions"))
    history = orders.history([*moved, *moved], [*funding, *funding], ahead_s=2.0)
    assert [(fill.exec_id, fill.kind, fill.contracts) for fill in history.fills] == [
        ("e1", "settlement", D("-0.01")),
        ("e2", "trade", D("0.008")),
        ("e3", "trade", D("0.004")),
        ("e4", "trade", D("0.5")),
        ("e7", "adl", D("-0.2")),
        ("e8", "liquidation", D("-0.3")),
    ]
    assert [fill.client_id for fill in history.fills] == [None, MINE, MINE, None, None, None]
    assert history.fills[0].time == pytest.approx(1_790_000_008.3)
    assert [one.amount for one in history.funding] == [D("-2.56"), D("0.06")]
    assert [one.time for one in history.funding] == pytest.approx([1_790_000_008.55, 1_790_000_008.6])


# --- real payloads ----------------------------------------------------------------------------------------------------


def test_recorded_payloads_are_understood() -> None:
    assert codec.instruments(recorded("ExchangeData/GetLinearInverseSymbols")[1])[BTC].max_market_contracts == 100
    row = codec.tickers(recorded("ExchangeData/GetLinearInverseTickers")[1])
    price = codec.prices({"BTCUSD": (row["BTCUSD"], 1.0)}, [Symbol("BTCUSD")])[Symbol("BTCUSD")]
    assert (price.mark, price.last) == (D("16596.00"), D("16597.00"))
    position = codec.positions([recorded("Trading/GetPositions")[1]], None)[Symbol("BTCUSD")]
    assert (position.contracts, position.leverage, position.seq) == (D(-300), D(10), 5723621632)
    assert codec.equity(recorded("Account/GetBalances")[1], "BTC") == 0
    assert codec.margin_mode(recorded("Account/GetMarginAccountInfo")[1]) is MarginMode.CROSS
    assert [one.code for one in codec.key_problems(recorded("Account/GetApiKeyInfo")[1])] == ["not_unified"]
    (resting,) = orders.order_rows(recorded("Trading/GetOrders")[1])
    assert (resting.final, resting.contracts, resting.client_id) == (False, D("0.10"), "test-000005")
    (closed,) = orders.order_rows(recorded("Trading/GetOrderHistory")[1])
    assert (closed.final, closed.code) == (True, "EC_PostOnlyWillTakeLiquidity")
    ((execution,), _) = orders.executions(recorded("Trading/GetUserTrades")[1])
    assert (execution.fill.contracts, execution.fill.seq, execution.fill.client_id) == (D("0.1"), 4688002127, None)


@pytest.mark.parametrize(
    "name", ["Trading/GetPositions", "Trading/GetOrders", "Trading/GetOrderHistory", "Trading/GetUserTrades"]
)
def test_recorded_cursors_are_cursors(name: str) -> None:
    codec.next_cursor(recorded(name)[1])
