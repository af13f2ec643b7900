"""ccxt's blofin, unmodified but for its address, against the simulated BloFin in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.contract.ccxt_witness import Client
from tests.contract.simulator_process import Simulator, simulator

BTC = "BTC/USDT:USDT"
ACCOUNTS = 20
# Each request takes 2 ms: ccxt's nonce is the millisecond, and two requests in one collide.
UNMARKED = {"brokerId": None}
"""ccxt puts a broker's mark on every order unless it is told so order by order."""


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18750, 18799, ACCOUNTS, rtt_ms=2, venue="blofin") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    exchange = ccxt.blofin(settings)
    exchange.urls["api"] = {"rest": venue.base_url}
    exchange.has["fetchCurrencies"] = False  # a wallet's business, which nobody simulates
    return exchange


@pytest.fixture
def client(venue: Simulator, account: str) -> Iterator[Client]:
    with Client(venue, account, build).closing() as made:
        yield made


def test_markets(client: Client) -> None:
    exchange = client()
    markets = exchange.load_markets()
    market = markets[BTC]
    assert (market["id"], market["linear"], market["settle"], market["contractSize"]) == (
        "BTC-USDT", True, "USDT", 0.001,
    )  # fmt: skip
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.1, 0.5)
    assert (market["limits"]["amount"]["min"], market["limits"]["leverage"]["max"]) == (0.1, 125)
    assert len(markets) >= 25
    ticker = exchange.fetch_ticker(BTC)
    assert ticker["last"] == 50_000
    assert ticker["bid"] < 50_000 < ticker["ask"]
    assert exchange.fetch_mark_price(BTC)["markPrice"] == 50_000
    assert len(exchange.fetch_tickers([BTC, "ETH/USDT:USDT"])) == 2
    assert exchange.fetch_order_book(BTC, 5)["asks"][0][0] == ticker["ask"]
    assert len(exchange.fetch_ohlcv(BTC, "1h", limit=5)) == 5
    assert exchange.fetch_funding_rate(BTC)["fundingRate"] == 0.0001
    assert exchange.fetch_funding_rate_history(BTC, limit=2)[0]["fundingRate"] == 0.0001


def test_an_order_from_entry_to_close(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "market", "buy", 12.3, params={**UNMARKED, "clientOrderId": "in1"})
    assert placed["clientOrderId"] == "in1"
    (order,) = exchange.fetch_closed_orders(BTC)
    assert (order["id"], order["status"], order["filled"], order["clientOrderId"]) == (
        placed["id"], "closed", 12.3, "in1",
    )  # fmt: skip
    assert order["fee"]["cost"] > 0
    (position,) = exchange.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "long", 12.3)
    assert exchange.fetch_position(BTC)["contracts"] == 12.3
    (trade,) = exchange.fetch_my_trades(BTC)
    assert (trade["order"], trade["amount"], trade["side"]) == (placed["id"], 12.3, "buy")

    exchange.create_order(BTC, "market", "sell", 5, params={**UNMARKED, "reduceOnly": True})
    assert client.ledger()["positions"] == {"BTCUSDT": "0.0073"}
    exchange.create_order(BTC, "market", "sell", 20, params={**UNMARKED, "reduceOnly": True})
    assert client.ledger()["positions"] == {}
    assert exchange.fetch_positions() == []
    assert [trade["amount"] for trade in exchange.fetch_my_trades(BTC)] == [12.3, 5, 7.3]


def test_a_short_is_closed_whole(client: Client) -> None:
    exchange = client()
    exchange.create_order(BTC, "limit", "sell", 4, 49_900, {**UNMARKED, "timeInForce": "GTC"})
    assert exchange.fetch_position(BTC)["side"] == "short"
    exchange.close_position(BTC, params={"clientOrderId": "out1"})
    assert client.ledger()["positions"] == {}
    assert client.ledger()["orders"][-1]["client_id"] == "out1"


def test_resting_orders(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "limit", "buy", 1, 49_700, {**UNMARKED, "clientOrderId": "rest"})
    (resting,) = exchange.fetch_open_orders(BTC)
    assert (resting["id"], resting["status"], resting["price"]) == (placed["id"], "open", 49_700)
    detail = exchange.private_get_trade_order_detail({"instId": "BTC-USDT", "clientOrderId": "rest"})
    assert detail["data"]["orderId"] == placed["id"]
    assert exchange.cancel_order(placed["id"], BTC)["id"] == placed["id"]
    with pytest.raises(ccxt.ExchangeError, match="102068"):
        exchange.cancel_order(placed["id"], BTC)
    assert exchange.fetch_open_orders(BTC) == []
    (cancelled,) = exchange.fetch_closed_orders(BTC)
    assert (cancelled["id"], cancelled["status"], cancelled["filled"]) == (placed["id"], "canceled", 0)
    taken = exchange.create_order(BTC, "ioc", "buy", 1, 50_400, UNMARKED)
    newest = exchange.fetch_closed_orders(BTC)[-1]
    assert (newest["id"], newest["timeInForce"], newest["filled"]) == (taken["id"], "IOC", 1)


def test_settings(client: Client) -> None:
    exchange = client()
    for _ in range(2):
        assert exchange.set_leverage(7, BTC)["data"]["leverage"] == "7"
    assert exchange.fetch_leverage(BTC)["longLeverage"] == 7
    assert set(exchange.fetch_leverages([BTC, "ETH/USDT:USDT"])) == {BTC, "ETH/USDT:USDT"}
    assert exchange.set_margin_mode("isolated")["marginMode"] == "isolated"
    assert exchange.fetch_margin_mode(BTC)["marginMode"] == "isolated"
    exchange.set_position_mode(True)
    assert exchange.fetch_position_mode()["hedged"] is True
    exchange.set_position_mode(False)
    exchange.create_order(BTC, "market", "sell", 1, params={**UNMARKED, "marginMode": "isolated"})
    with pytest.raises(ccxt.InvalidOrder, match="110019"):
        exchange.set_position_mode(True)
    with pytest.raises(ccxt.InvalidOrder, match="110019"):
        exchange.set_margin_mode("cross")
    ledger = client.ledger()
    assert (ledger["leverage"]["BTCUSDT"], ledger["margin_mode"]) == ("7", "isolated")
    assert ledger["position_mode"] == "one_way"


def test_hedge_mode(client: Client) -> None:
    exchange = client()
    exchange.set_position_mode(True)
    exchange.create_order(BTC, "market", "buy", 3, params={**UNMARKED, "positionSide": "long"})
    exchange.create_order(BTC, "market", "sell", 1, params={**UNMARKED, "positionSide": "short"})
    sides = {one["side"]: one["contracts"] for one in exchange.fetch_positions()}
    assert sides == {"long": 3, "short": 1}
    with pytest.raises(ccxt.BadRequest, match="152001"):
        exchange.create_order(BTC, "market", "buy", 1, params=UNMARKED)


def test_money(client: Client) -> None:
    exchange = client()
    exchange.create_order(BTC, "market", "buy", 100, params=UNMARKED)
    balance = exchange.fetch_balance({"accountType": "swap"})
    ledger = client.ledger()
    assert balance["USDT"]["total"] == pytest.approx(float(ledger["equity"]))
    (position,) = exchange.fetch_positions([BTC])
    assert position["unrealizedPnl"] == pytest.approx(float(Decimal(ledger["equity"]) - Decimal(ledger["wallet"])))
    assert position["initialMargin"] == pytest.approx(50_000 * 0.1 / 3, rel=1e-3)


def test_a_mark_of_a_broker_is_refused(client: Client) -> None:
    with pytest.raises(ccxt.PermissionDenied, match="152011"):
        client().create_order(BTC, "market", "buy", 1)
    assert client.ledger()["orders"] == []


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ((BTC, "market", "buy", 100_000, None, UNMARKED), "103003"),
        ((BTC, "market", "buy", 1, None, {**UNMARKED, "reduceOnly": True}), "102022"),
        ((BTC, "limit", "buy", 1, 60_000, UNMARKED), "102064"),
        ((BTC, "market", "buy", 1, None, {**UNMARKED, "clientOrderId": "x" * 33}), "152009"),
        ((BTC, "market", "buy", 1, None, {**UNMARKED, "marginMode": "isolated"}), "152002"),
    ],
)
def test_refused_orders(client: Client, order: tuple[Any, ...], code: str) -> None:
    with pytest.raises(ccxt.ExchangeError, match=f'"code":"{code}"'):
        client().create_order(*order)
    assert client.ledger()["positions"] == {}


@pytest.mark.parametrize("field", ["apiKey", "secret", "password"])
def test_keys(client: Client, field: str) -> None:
    with pytest.raises(ccxt.AuthenticationError):
        client(**{field: "wrong"}).fetch_balance({"accountType": "swap"})


def test_two_requests_of_one_millisecond_collide(client: Client) -> None:
    exchange = client()
    now_ms = exchange.milliseconds()
    exchange.milliseconds = lambda: now_ms
    exchange.fetch_position_mode()
    with pytest.raises(ccxt.InvalidNonce, match="152407"):
        exchange.fetch_position_mode()


def test_a_clock_that_is_wrong(client: Client) -> None:
    client.venue.post("clock", venue="blofin", offset_ms=-62_000)
    try:
        with pytest.raises(ccxt.InvalidNonce, match="152405"):
            client().fetch_position_mode()
    finally:
        client.venue.post("clock", venue="blofin", offset_ms=0)


def test_limits(client: Client) -> None:
    exchange = client()
    exchange.load_markets()

    def hurry() -> None:
        # On a busy machine thirty requests may take longer than the ten seconds in which one more is too many.
        for number in range(200):
            exchange.set_leverage(20 + number % 50, BTC)

    with pytest.raises(ccxt.RateLimitExceeded):
        hurry()
