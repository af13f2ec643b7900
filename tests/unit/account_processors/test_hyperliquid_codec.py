"""Hyperliquid's codec: symbols, ticks, money, positions, orders and fills, from golden and recorded payloads."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_processors.codecs import hyperliquid as codec
from account_processors.codecs import hyperliquid_orders as orders
from account_processors.codecs.wire import Malformed, rows
from core.domain import (
    ClientId,
    MarginMode,
    OrderKind,
    PlaceOrder,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import OurFault
from tests.unit.account_processors.hyperliquid_golden import cassette, payload, recorded, value

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
MINE, OTHER = ClientId("0x" + "0a" * 16), ClientId("0x" + "0b" * 16)
USER = "0x" + "11" * 20
ORDER = PlaceOrder(BTC, Side.BUY, D("0.012"), OrderKind.LIMIT, D(64963), TimeInForce.IOC, False, None, MarginMode.CROSS)


# --- symbols, ticks, instruments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coin", "symbol"),
    [
        ("BTC", "BTCUSDT"),
        ("kPEPE", "1000PEPEUSDT"),
        ("kNEIRO", "1000NEIROUSDT"),
        ("k", None),  # too short to be a symbol of ours
        ("2Z", "2ZUSDT"),
        ("@107", None),
        ("PURR/USDC", None),
        ("xyz:TSLA", None),
        ("a b", None),
    ],
)
def test_symbols(coin: str, symbol: str | None) -> None:
    assert codec.symbol_of(coin) == symbol


@pytest.mark.parametrize(
    ("price", "decimals", "valid"),
    [
        ("64321", 5, True),
        ("64321.5", 5, False),
        ("123456", 5, True),
        ("1234.5", 1, True),
        ("1234.56", 1, False),
        ("0.001234", 0, True),
        ("0.0012345", 0, False),
        ("0.01234", 1, True),
        ("0.012345", 1, False),
        ("9999.9", 2, True),
        ("0", 2, False),
        ("-1", 2, False),
    ],
)
def test_prices_are_valid_by_figures_and_decimals(price: str, decimals: int, valid: bool) -> None:
    """The examples of the documentation's section Tick and lot size among them."""
    assert codec.valid_price(D(price), decimals) == valid


@given(st.decimals("0.000001", "500000", places=6), st.integers(0, 5), st.decimals("0.2", "1.9", places=4))
def test_a_price_on_the_instruments_tick_is_valid_until_the_mark_has_doubled(
    mark: Decimal, decimals: int, factor: Decimal
) -> None:
    step = codec.tick(decimals, mark * 2)
    price = (mark * factor) // step * step
    assert price == 0 or codec.valid_price(price, decimals)
    assert step <= max(mark * D("0.0002"), D(1).scaleb(decimals - 6))


def test_instruments() -> None:
    found = codec.listed(payload("contexts"))
    assert set(found.instruments) == set(found.assets) == {"BTCUSDT", "ETHUSDT", "1000PEPEUSDT", "LOOMUSDT", "GONEUSDT"}
    btc, pepe = found.instruments[BTC], found.instruments[Symbol("1000PEPEUSDT")]
    assert (btc.venue_symbol, btc.lot, btc.min_contracts, btc.tick) == ("BTC", D("0.00001"), D("0.00001"), D(1))
    assert (btc.contract_size, btc.settle, btc.min_notional, btc.max_leverage) == (D(1), "USDC", D(10), D(40))
    assert btc.max_contracts == btc.max_market_contracts == D("233.20532")  # 15 million USD
    assert (pepe.lot, pepe.tick, pepe.max_contracts) == (D(1), D("0.000001"), D(226955505))  # 2 million
    assert [found.assets[symbol].index for symbol in found.assets] == [0, 1, 2, 3, 4]
    tradable = {symbol for symbol, instrument in found.instruments.items() if instrument.tradable}
    assert tradable == {"BTCUSDT", "ETHUSDT", "1000PEPEUSDT"}  # not the delisted one, not the one without a price


def test_coins_that_share_a_symbol_are_left_out() -> None:
    universe, contexts = value("contexts")
    universe["universe"].append({"szDecimals": 5, "name": "BTC", "maxLeverage": 40})
    contexts.append(contexts[0])
    found = codec.listed({codec.DATA: [universe, contexts]})
    assert BTC not in found.instruments
    assert BTC not in found.assets
    assert found.assets[ETH].index == 1


def test_prices() -> None:
    known = {
        str(codec.symbol_of(str(coin["name"]))): (context, 5.0) for coin, context in codec.contexts(payload("contexts"))
    }
    found = codec.prices(known, [BTC, ETH, Symbol("LOOMUSDT"), Symbol("GONEUSDT"), Symbol("NOWHEREUSDT")])
    assert set(found) == {"BTCUSDT", "ETHUSDT", "LOOMUSDT"}
    btc = found[BTC]
    assert (btc.mark, btc.last, btc.bid, btc.ask, btc.at) == (D(64321), None, D(64320), D("64323.5"), 5.0)
    assert found[Symbol("LOOMUSDT")].bid is None


@pytest.mark.parametrize("broken", [[], [{}], {}, None, [{"universe": []}], [{"universe": [{}]}, []], [{}, []]])
def test_contexts_that_do_not_belong_together_are_malformed(broken: object) -> None:
    with pytest.raises(Malformed):
        codec.contexts({codec.DATA: broken})


# --- the account ------------------------------------------------------------------------------------------------------


def test_state() -> None:
    found = codec.state(value("state"))
    assert found.equity == D("1234.567891")
    assert found.time_s == 1_790_000_000.25
    held = {symbol: (it.contracts, it.leverage, it.margin_mode) for symbol, it in found.positions.items()}
    assert held == {
        "BTCUSDT": (D("-0.0125"), D(20), MarginMode.CROSS),
        "1000PEPEUSDT": (D(1500), D(3), MarginMode.ISOLATED),
    }
    assert codec.state(value("state_empty")).positions == {}


@pytest.mark.parametrize("name", ["state_twice", "state_hedged"])
def test_a_state_that_is_not_one_way_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        codec.state(value(name))


@pytest.mark.parametrize("missing", ["assetPositions", "marginSummary", "time"])
def test_a_state_without_a_part_is_malformed(missing: str) -> None:
    with pytest.raises(Malformed):
        codec.state({name: part for name, part in value("state").items() if name != missing})


def test_leverage_of_one_coin() -> None:
    found = codec.leverage(payload("active_asset"), ETH)
    assert (found.leverage, found.margin_mode) == (D(7), MarginMode.ISOLATED)
    with pytest.raises(Malformed):
        codec.leverage(payload("active_asset"), BTC)


def test_roles_and_the_rest() -> None:
    assert codec.role(payload("role_agent")) == codec.Role("agent", "0x" + "ab" * 20)
    assert codec.role(payload("role_sub_account")) == codec.Role("subAccount", USER)
    assert codec.role(payload("role_missing")) == codec.Role("missing", None)
    assert codec.leader(payload("vault_details")) == "0x" + "ab" * 20
    assert codec.requests_left(payload("rate_limit")) == 10_126
    assert codec.spot_usdc(payload("spot_state")) == D("12.5")


# --- orders -----------------------------------------------------------------------------------------------------------


def only(action: codec.Action) -> dict[str, object]:
    """The one order of an action."""
    (row,) = json.loads(json.dumps(action))["orders"]
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("reduce_only", [False, True])
@pytest.mark.parametrize("tif", list(TimeInForce))
def test_an_order_reads_back_as_it_was_meant(side: Side, reduce_only: bool, tif: TimeInForce) -> None:
    order = replace(ORDER, side=side, reduce_only=reduce_only, tif=tif)
    action = codec.order_action(order, codec.Asset(1, 5), MINE)
    assert list(action) == ["type", "orders", "grouping"]
    row = only(action)
    assert list(row) == ["a", "b", "p", "s", "r", "t", "c"]
    read, client_id = codec.order_of_body(json.dumps({"action": action, "nonce": 1}).encode(), ["X", "BTC"])
    assert (read.digest(), client_id) == (order.digest(), MINE)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ORDER, kind=OrderKind.MARKET, price=None),
        replace(ORDER, kind=OrderKind.STOP),
        replace(ORDER, contracts=D(0)),
        replace(ORDER, price=None),
        replace(ORDER, price=D(0)),
    ],
)
def test_orders_that_cannot_be_sent(wrong: PlaceOrder) -> None:
    with pytest.raises(OurFault, match="nothing was sent"):
        codec.order_action(wrong, codec.Asset(0, 5), MINE)


def test_numbers_carry_no_trailing_zeros() -> None:
    """The venue hashes what it understood: a zero more would be another signature."""
    order = replace(ORDER, contracts=D("0.0120"), price=D("64963.0"))
    row = only(codec.order_action(order, codec.Asset(0, 5), MINE))
    assert (row["p"], row["s"]) == ("64963", "0.012")


def test_a_builder_in_the_body_is_no_intent_of_ours() -> None:
    action = dict(codec.order_action(ORDER, codec.Asset(0, 5), MINE))
    action["builder"] = {"b": USER, "f": 0}
    with pytest.raises(Malformed):
        codec.order_of_body(json.dumps({"action": action}).encode(), ["BTC"])


@pytest.mark.parametrize("leverage", [D(0), D("2.5"), D(-1)])
def test_leverage_is_a_whole_number(leverage: Decimal) -> None:
    with pytest.raises(OurFault):
        codec.leverage_action(codec.Asset(0, 5), leverage, MarginMode.CROSS)
    action = codec.leverage_action(codec.Asset(4, 5), D(7), MarginMode.ISOLATED)
    assert list(action.items()) == [("type", "updateLeverage"), ("asset", 4), ("isCross", False), ("leverage", 7)]


@pytest.mark.parametrize(
    ("name", "filled", "final", "rejected", "code"),
    [
        ("order_filled", "0.012", True, False, None),
        ("order_unfilled", "0", True, True, "iocCancelRejected"),
        ("order_partly", "0.005", True, False, None),
        ("order_open", "0", False, False, None),
        ("order_odd_status", "0", False, False, None),
    ],
)
def test_what_an_order_says_of_itself(name: str, filled: str, final: bool, rejected: bool, code: str | None) -> None:
    seen = orders.order_status(payload(name))
    assert seen is not None
    row = seen.row
    assert (row.filled, row.final, row.rejected, row.code) == (D(filled), final, rejected, code)
    assert (row.client_id, row.order_id, row.contracts, row.side) == (MINE, "77000000001", D("0.012"), Side.BUY)
    assert seen.at_s == 1_790_000_000.0


def test_orders_of_others_and_of_nobody() -> None:
    seen = orders.order_status(payload("order_by_hand"))
    assert seen is not None
    assert seen.row.client_id is None
    assert orders.order_status(payload("order_unknown")) is None
    with pytest.raises(Malformed):
        orders.order_status({codec.DATA: {"status": "other"}})


def test_lists_of_orders_leave_out_what_is_not_traded_here() -> None:
    assert [it.row.client_id for it in orders.order_list(payload("orders_past"))] == [MINE, OTHER]
    (row,) = orders.resting(payload("orders_open"))
    assert (row.filled, row.final, row.reduce_only, row.side) == (D("0.002"), False, True, Side.SELL)


def test_fills() -> None:
    moved = orders.fills(rows(payload("fills"), codec.DATA), USER)
    told = [(one.execution.order_id, one.execution.fill.kind, one.nobodys) for one in moved]
    assert told == [
        ("77000000001", "trade", False),
        ("77000000001", "trade", False),
        ("9", "liquidation", True),
        ("10", "trade", False),  # somebody else's liquidation, which we traded against
        ("11", "adl", True),
        ("12", "trade", False),
    ]
    assert [one.execution.fill.contracts for one in moved][1:4] == [D("0.007"), D("-0.005"), D("-0.005")]
    named = orders.owned(moved, {"77000000001": MINE, "10": None})
    assert [one.fill.client_id for one in named] == [MINE, MINE, None, None, None, ClientId("0x" + "0c" * 16)]
    assert len({one.fill.exec_id for one in named}) == 6
    assert named[-1].fill.fee == D("-0.01")


def test_funding() -> None:
    (paid,) = orders.funding(rows(payload("funding"), codec.DATA))
    assert (paid.symbol, paid.amount, paid.time) == (ETH, D("-0.044263"), 1_790_000_000.0)


# --- real payloads ----------------------------------------------------------------------------------------------------


def test_recorded_payloads_are_understood() -> None:
    found = codec.listed(recorded("Futures/ExchangeData/GetExchangeInfoAndTickers"))
    assert set(found.instruments) == {"BTCUSDT", "ETHUSDT", "HPOSUSDT"}
    state = codec.state(recorded("Futures/Account/GetAccountInfo")[codec.DATA])
    position = state.positions[Symbol("HYPEUSDT")]
    assert (position.contracts, position.leverage, position.margin_mode) == (D(2), D(10), MarginMode.ISOLATED)
    assert state.equity == D("83.307638")
    (paid,) = orders.funding(rows(recorded("Futures/Account/GetFundingHistory"), codec.DATA))
    assert paid.amount == D("-0.044263")
    (moved,) = orders.fills(rows(recorded("Spot/Trading/GetUserTrades"), codec.DATA), USER)
    assert (moved.execution.fill.symbol, moved.execution.fill.contracts) == ("AVAXUSDT", D("93.53"))
    (resting,) = orders.resting(recorded("Spot/Trading/GetOpenOrdersExtended"))
    assert (resting.symbol, resting.contracts, resting.final) == ("HYPEUSDT", D(1), False)
    assert codec.requests_left(recorded("Spot/Account/GetRateLimits")) == 10_126
    assert codec.spot_usdc(recorded("Spot/Account/GetBalances")) == D("2.77363")


def test_calls_the_official_sdk_recorded_are_understood() -> None:
    past = orders.order_list(cassette("test_historical_orders"))
    assert [(it.row.final, it.row.rejected, it.row.filled) for it in past] == [
        (True, True, D(0)), (True, True, D(0)), (True, True, D(0)), (True, False, D(0)), (True, False, D(0)),
    ]  # fmt: skip
    assert codec.role(cassette("test_user_role")) == codec.Role("vault", None)
    assert codec.requests_left(cassette("test_user_rate_limit")) > 0
    state = cassette("test_get_user_state")[codec.DATA]
    held = codec.state({**state, "time": state.get("time", 1_679_940_322_000)}).positions
    assert (held[BTC].contracts, held[BTC].leverage) == (D("-0.00785"), D(20))
    assert len(held) > 8
