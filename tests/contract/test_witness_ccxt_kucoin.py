"""ccxt's kucoinfutures, unmodified but for its addresses, against the simulated KuCoin in its own process.

ccxt counts in lots, as the venue does: 12 of BTC/USDT:USDT are 0.012 BTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.contract.ccxt_witness import Client, moved
from tests.contract.simulator_process import Simulator, simulator

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
ACCOUNTS = 10


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18700, 18723, ACCOUNTS, venue="kucoin") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    exchange = ccxt.kucoinfutures(settings)
    exchange.urls["api"] = moved(exchange.urls["api"], venue.base_url)
    return exchange


@pytest.fixture
def client(venue: Simulator, account: str) -> Iterator[Client]:
    with Client(venue, account, build).closing() as made:
        yield made


def test_markets(client: Client) -> None:
    exchange = client()
    markets = exchange.load_markets()
    market = markets[BTC]
    assert (market["id"], market["linear"], market["swap"], market["contractSize"]) == ("XBTUSDTM", True, True, 0.001)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (1, 0.1)
    assert (market["limits"]["amount"]["min"], market["limits"]["leverage"]["max"]) == (1, 125)
    assert "BTC/USDC:USDC" in markets
    assert len(markets) >= 25
    ticker = exchange.fetch_ticker(BTC)
    assert ticker["last"] == 50_000
    assert ticker["bid"] < 50_000 < ticker["ask"]
    assert len(exchange.fetch_tickers()) >= 25
    assert exchange.fetch_bids_asks()[BTC]["ask"] == ticker["ask"]
    assert exchange.fetch_order_book(BTC, 20)["asks"][0][0] == ticker["ask"]
    assert len(exchange.fetch_ohlcv(BTC, "1h", limit=5)) > 0
    assert exchange.fetch_funding_rate(BTC)["fundingRate"] == 0.0001
    assert exchange.fetch_mark_price(BTC)["markPrice"] == 50_000
    assert abs(exchange.fetch_time() - exchange.milliseconds()) < 60_000


def test_an_order_from_entry_to_close(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "market", "buy", 12, params={"clientOrderId": "in-1", "leverage": 3})
    order = exchange.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 12, "in-1")
    by_ours = exchange.fetch_order(None, BTC, {"clientOrderId": "in-1"})
    assert by_ours["id"] == placed["id"]
    (position,) = exchange.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "long", 12)
    assert position["marginMode"] == "isolated"
    (trade,) = exchange.fetch_my_trades(BTC)
    assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (placed["id"], 12, "taker")
    exchange.create_order(BTC, "market", "sell", 5, params={"reduceOnly": True})
    assert client.ledger()["positions"] == {"BTCUSDT": "0.007"}
    exchange.create_order(BTC, "market", "sell", 20, params={"reduceOnly": True})
    assert client.ledger()["positions"] == {}
    assert exchange.fetch_positions() == []
    assert sorted(trade["amount"] for trade in exchange.fetch_my_trades(BTC)) == [5, 7, 12]
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(BTC, "market", "sell", 1, params={"reduceOnly": True})


def test_closing_a_position_by_its_own_call(client: Client) -> None:
    exchange = client()
    exchange.create_order(ETH, "market", "sell", 30, params={"leverage": 5})
    assert client.ledger()["positions"] == {"ETHUSDT": "-0.3"}
    exchange.close_position(ETH)
    assert client.ledger()["positions"] == {}


def test_resting_orders(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "limit", "buy", 1, 49_700, {"clientOrderId": "rest"})
    (resting,) = exchange.fetch_open_orders(BTC)
    assert (resting["id"], resting["status"], resting["price"]) == (placed["id"], "open", 49_700)
    exchange.cancel_order(placed["id"], BTC)
    with pytest.raises(ccxt.BadRequest):  # in a state in which it cannot be cancelled
        exchange.cancel_order(placed["id"], BTC)
    with pytest.raises(ccxt.OrderNotFound):
        exchange.fetch_order("00000000-0000-4000-8000-000000000000", BTC)
    second = exchange.create_order(BTC, "limit", "buy", 1, 49_700, {"clientOrderId": "rest-2"})
    exchange.cancel_order(second["id"], BTC, {"clientOrderId": "rest-2"})
    closed = exchange.fetch_closed_orders(BTC)
    assert {order["clientOrderId"] for order in closed} == {"rest", "rest-2"}
    assert {(order["status"], order["filled"]) for order in closed} == {("canceled", 0)}
    for price in (50_300, 50_400):
        exchange.create_order(BTC, "limit", "sell", 1, price)
    exchange.cancel_all_orders(BTC)
    assert exchange.fetch_open_orders(BTC) == []
    taken = exchange.create_order(BTC, "limit", "buy", 1, 50_400, {"timeInForce": "IOC"})
    order = exchange.fetch_order(taken["id"], BTC)
    assert (order["status"], order["timeInForce"], order["filled"]) == ("closed", "IOC", 1)


def test_settings(client: Client) -> None:
    exchange = client()
    assert exchange.fetch_margin_mode(BTC)["marginMode"] == "isolated"
    exchange.set_margin_mode("cross", BTC)
    exchange.set_leverage(7, BTC)
    assert exchange.fetch_margin_mode(BTC)["marginMode"] == "cross"
    assert exchange.fetch_leverage(BTC)["longLeverage"] == 7
    with pytest.raises(ccxt.InvalidOrder):  # the order says isolated, as by default
        exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "buy", 1, params={"marginMode": "cross"})
    (position,) = exchange.fetch_positions()
    assert (position["marginMode"], position["leverage"]) == ("cross", 7)
    with pytest.raises(ccxt.ExchangeError, match="50002"):
        exchange.set_margin_mode("isolated", BTC)
    assert exchange.fetch_position_mode(BTC)["hedged"] is False
    with pytest.raises(ccxt.ExchangeError, match="50002"):
        exchange.set_position_mode(True)


def test_hedge_mode(client: Client) -> None:
    exchange = client()
    exchange.set_position_mode(True)
    assert exchange.fetch_position_mode(BTC)["hedged"] is True
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(BTC, "market", "buy", 1)
    exchange.create_order(BTC, "market", "buy", 2, params={"hedged": True})
    exchange.create_order(BTC, "market", "sell", 1, params={"hedged": True})
    assert {(one["side"], one["contracts"]) for one in exchange.fetch_positions()} == {("long", 2), ("short", 1)}


def test_money(client: Client) -> None:
    exchange = client()
    exchange.create_order(BTC, "market", "sell", 100, params={"leverage": 10})
    balance = exchange.fetch_balance({"code": "USDT"})
    assert Decimal(str(balance["USDT"]["total"])) == pytest.approx(Decimal(client.ledger()["equity"]), abs=Decimal(1))
    fee = exchange.fetch_trading_fee(BTC)
    assert (fee["taker"], fee["maker"]) == (0.0006, 0.0002)


REFUSED: list[tuple[type[Exception], dict[str, Any]]] = [
    (ccxt.InsufficientFunds, {"amount": 10_000, "params": {"leverage": 1}}),
    (ccxt.InvalidOrder, {"type": "limit", "amount": 1, "price": 60_000}),
    (ccxt.InvalidOrder, {"type": "limit", "amount": 1, "price": 40_000, "side": "sell"}),
    (ccxt.BadRequest, {"amount": 1, "params": {"clientOrderId": "x" * 41}}),
    (ccxt.BadRequest, {"amount": 1, "params": {"stop": "up", "stopPrice": "1"}}),
    (ccxt.ExchangeError, {"amount": 1, "params": {"leverage": 126}}),
]


def test_refused_orders(client: Client) -> None:
    exchange = client()
    for kind, order in REFUSED:
        with pytest.raises(kind):
            exchange.create_order(**{"symbol": BTC, "type": "market", "side": "buy", **order})
    assert client.ledger()["positions"] == {}
    for _ in range(2):
        if _ == 0:
            exchange.create_order(BTC, "limit", "buy", 1, 49_700, {"clientOrderId": "same"})
        else:
            with pytest.raises(ccxt.ExchangeError, match="300018"):
                exchange.create_order(BTC, "limit", "buy", 1, 49_700, {"clientOrderId": "same"})
    client.venue.post("account", venue="kucoin", account=client.account, can_trade=False)
    with pytest.raises(ccxt.AuthenticationError, match="400007"):
        exchange.create_order(BTC, "market", "buy", 1)
    assert exchange.fetch_positions() == []


def test_keys_and_clocks(client: Client) -> None:
    for wrong in ({"apiKey": "nobody"}, {"secret": "wrong"}, {"password": "wrong"}):
        with pytest.raises(ccxt.AuthenticationError):
            client(**wrong).fetch_positions()
    exchange = client()
    client.venue.post("clock", venue="kucoin", offset_ms=6000)
    try:
        with pytest.raises(ccxt.InvalidNonce):
            exchange.fetch_positions()
    finally:
        client.venue.post("clock", venue="kucoin", offset_ms=0)
    assert exchange.fetch_positions() == []
