"""ccxt's bybit, unmodified but for its addresses, against the simulated Bybit in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.contract.ccxt_witness import Client, moved
from tests.contract.simulator_process import Simulator, simulator

BTC = "BTC/USDT:USDT"
ACCOUNTS = 20


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18448, 18499, ACCOUNTS) as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    options = {"defaultType": "swap", **settings.pop("options", {})}
    exchange = ccxt.bybit({"options": options, **settings})
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
    assert (market["id"], market["linear"], market["settle"], market["contractSize"]) == ("BTCUSDT", True, "USDT", 1)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert (market["limits"]["amount"]["min"], market["limits"]["leverage"]["max"]) == (0.001, 100)
    assert {"TAO/USDT:USDT", "1000PEPE/USDT:USDT", "BTC/USDC:USDC"} <= set(markets)
    assert len(markets) >= 25
    ticker = exchange.fetch_ticker(BTC)
    assert ticker["last"] == ticker["markPrice"] == 50_000
    assert ticker["bid"] < 50_000 < ticker["ask"]
    assert len(exchange.fetch_tickers([BTC, "ETH/USDT:USDT"])) == 2
    book = exchange.fetch_order_book(BTC, 5)
    assert book["asks"][0][0] == ticker["ask"]
    assert len(exchange.fetch_ohlcv(BTC, "1h", limit=5)) == 5
    assert exchange.fetch_funding_rate_history(BTC, limit=2)[0]["fundingRate"] == 0.0001
    assert abs(exchange.fetch_time() - exchange.milliseconds()) < 60_000


def test_an_order_from_entry_to_close(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "market", "buy", 0.012, params={"clientOrderId": "in-1"})
    assert placed["clientOrderId"] == "in-1"
    order = exchange.fetch_order(placed["id"], BTC, {"acknowledged": True})
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 0.012, "in-1")
    assert order["fee"]["currency"] == "USDT"
    assert exchange.fetch_closed_order(placed["id"], BTC)["id"] == placed["id"]
    (position,) = exchange.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "long", 0.012)
    (trade,) = exchange.fetch_my_trades(BTC)
    assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (placed["id"], 0.012, "taker")
    assert len(exchange.fetch_order_trades(placed["id"], BTC)) == 1

    exchange.create_order(BTC, "market", "sell", 0.005, params={"reduceOnly": True})
    assert client.ledger()["positions"] == {"BTCUSDT": "0.007"}
    exchange.create_order(BTC, "market", "sell", 0.02, params={"reduceOnly": True})
    assert client.ledger()["positions"] == {}
    assert exchange.fetch_positions() == []
    flat = exchange.fetch_position(BTC)
    assert flat["contracts"] == 0
    trades = exchange.fetch_my_trades(BTC)
    assert [trade["amount"] for trade in trades] == [0.012, 0.005, 0.007]


def test_resting_orders(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "limit", "buy", 0.001, 49_700, {"clientOrderId": "rest"})
    (resting,) = exchange.fetch_open_orders(BTC)
    assert (resting["id"], resting["status"], resting["price"]) == (placed["id"], "open", 49_700)
    assert exchange.fetch_open_order(placed["id"], BTC)["clientOrderId"] == "rest"
    assert exchange.fetch_open_orders(BTC, params={"trigger": True}) == []
    assert exchange.cancel_order(placed["id"], BTC)["id"] == placed["id"]
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order(placed["id"], BTC)
    (cancelled,) = exchange.fetch_canceled_orders(BTC)
    assert (cancelled["id"], cancelled["status"], cancelled["filled"]) == (placed["id"], "canceled", 0)
    exchange.create_order(BTC, "limit", "sell", 0.001, 50_300)
    exchange.create_order(BTC, "limit", "sell", 0.001, 50_400)
    assert len(exchange.cancel_all_orders(BTC)) == 2
    taken = exchange.create_order(BTC, "limit", "buy", 0.001, 50_400, {"timeInForce": "IOC"})
    order = exchange.fetch_order(taken["id"], BTC, {"acknowledged": True})
    assert (order["status"], order["timeInForce"], order["filled"]) == ("closed", "IOC", 0.001)


def test_settings(client: Client) -> None:
    exchange = client()
    exchange.set_leverage(7, BTC)
    with pytest.raises(ccxt.BadRequest, match="110043"):
        exchange.set_leverage(7, BTC)
    assert exchange.fetch_leverage(BTC)["longLeverage"] == 7
    assert exchange.set_margin_mode("isolated")["retCode"] == 0
    exchange.set_position_mode(True)
    with pytest.raises(ccxt.ExchangeError, match="110025"):
        exchange.set_position_mode(True)
    exchange.set_position_mode(False, BTC)
    exchange.create_order(BTC, "market", "sell", 0.001)
    with pytest.raises(ccxt.ExchangeError, match="110024"):
        exchange.set_position_mode(True)
    ledger = client.ledger()
    assert (ledger["leverage"]["BTCUSDT"], ledger["margin_mode"]) == ("7", "isolated")
    assert ledger["position_mode"] == "one_way"


def test_money(client: Client) -> None:
    exchange = client()
    exchange.create_order(BTC, "market", "buy", 0.1)
    balance = exchange.fetch_balance()
    ledger = client.ledger()
    assert balance["USDT"]["total"] == pytest.approx(float(ledger["wallet"]))
    (position,) = exchange.fetch_positions([BTC])
    assert balance["USDT"]["used"] == pytest.approx(position["initialMargin"])
    assert position["unrealizedPnl"] == pytest.approx(float(Decimal(ledger["equity"]) - Decimal(ledger["wallet"])))
    assert exchange.fetch_trading_fee(BTC)["taker"] == 0.00055
    assert exchange.fetch_ledger("USDT")[0]["currency"] == "USDT"


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ((BTC, "market", "buy", 100), ccxt.InsufficientFunds),
        ((BTC, "market", "buy", 0.001, None, {"reduceOnly": True}), ccxt.InvalidOrder),
        (("XRP/USDT:USDT", "market", "buy", 1), ccxt.InvalidOrder),
        ((BTC, "market", "buy", 0.001, None, {"positionIdx": 1}), ccxt.BadRequest),
        ((BTC, "market", "buy", 0.001, None, {"clientOrderId": "x" * 37}), ccxt.BadRequest),
    ],
)
def test_refused_orders(client: Client, order: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        client().create_order(*order)
    assert client.ledger()["positions"] == {}


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"secret": "wrong"}, ccxt.AuthenticationError), ({"apiKey": "nobody"}, ccxt.AuthenticationError)],
)
def test_keys(client: Client, settings: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        client(**settings).fetch_balance()


def test_a_clock_that_is_wrong(client: Client) -> None:
    client.venue.post("clock", venue="bybit", offset_ms=-2000)
    try:
        with pytest.raises(ccxt.InvalidNonce):
            client().fetch_balance()
        adjusted = client(options={"adjustForTimeDifference": True})
        adjusted.load_time_difference()
        assert adjusted.fetch_balance()["USDT"]["total"] == 10_000
    finally:
        client.venue.post("clock", venue="bybit", offset_ms=0)


def test_limits(client: Client) -> None:
    exchange = client()
    exchange.load_markets()

    def hurry() -> None:
        # On a busy machine ten requests may take longer than the second in which they would be too many.
        for number in range(500):
            exchange.set_leverage(20 + number % 50, BTC)

    with pytest.raises(ccxt.RateLimitExceeded):
        hurry()
