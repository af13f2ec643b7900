"""ccxt's hyperliquid, unmodified but for its address, against the simulated Hyperliquid in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.contract.ccxt_witness import Client
from tests.contract.simulator_process import Simulator, simulator

BTC, ETH = "BTC/USDC:USDC", "ETH/USDC:USDC"
ACCOUNTS = 20
CLOID = "0x" + "0a" * 16


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21100, 21139, ACCOUNTS, venue="hyperliquid") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    exchange = ccxt.hyperliquid(settings)
    exchange.urls["api"] = {"public": venue.base_url, "private": venue.base_url}
    # Of the weight of its address every test uses a part: spot and HIP-3 are nothing that is simulated.
    exchange.options["fetchMarkets"]["types"] = ["swap"]
    return exchange


@pytest.fixture
def client(venue: Simulator, account: str) -> Iterator[Client]:
    with Client(venue, account, build).closing() as made:
        yield made


def test_markets(client: Client) -> None:
    exchange = client()
    markets = exchange.load_markets()
    market = markets[BTC]
    assert (market["baseId"], market["linear"], market["settle"], market["contractSize"]) == ("0", True, "USDC", 1)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.00001, 1)
    assert (market["limits"]["cost"]["min"], market["limits"]["leverage"]["max"]) == (10, 50)
    assert len(markets) >= 25
    ticker = exchange.fetch_tickers([BTC, ETH])[BTC]
    assert ticker["last"] == 50_000
    assert ticker["bid"] < 50_000 < ticker["ask"]
    assert exchange.fetch_order_book(BTC)["asks"][0] == [50_005, 5.0]
    candles = exchange.fetch_ohlcv(BTC, "1h", limit=5)
    assert len(candles) == 5
    assert exchange.fetch_funding_rates([BTC])[BTC]["fundingRate"] == 0.0000125
    assert exchange.fetch_funding_rate_history(BTC, limit=3)[0]["fundingRate"] == 0.0000125
    assert abs(exchange.fetch_time() - exchange.milliseconds()) < 5_000


def test_an_order_from_entry_to_close(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "market", "buy", 0.012, 50_000, {"clientOrderId": CLOID})
    assert (placed["filled"], placed["average"]) == (0.012, 50_005)
    for key in (CLOID, placed["id"]):
        order = exchange.fetch_order(key, BTC)
        assert (order["id"], order["status"], order["filled"], order["clientOrderId"]) == (
            placed["id"], "closed", 0.012, CLOID,
        )  # fmt: skip
    (position,) = exchange.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "long", 0.012)
    assert (position["leverage"], position["marginMode"], position["entryPrice"]) == (20, "cross", 50_005)
    (trade,) = exchange.fetch_my_trades(BTC)
    assert (trade["order"], trade["amount"], trade["side"], trade["takerOrMaker"]) == (
        placed["id"], 0.012, "buy", "taker",
    )  # fmt: skip
    assert trade["fee"]["cost"] == pytest.approx(0.012 * 50_005 * 0.00045)

    exchange.create_order(BTC, "market", "sell", 0.005, 50_000, {"reduceOnly": True})
    assert client.ledger()["positions"] == {"BTCUSDT": "0.007"}
    exchange.create_order(BTC, "market", "sell", 0.007, 50_000, {"reduceOnly": True})
    assert client.ledger()["positions"] == {}
    assert exchange.fetch_positions() == []
    assert [trade["info"]["dir"] for trade in exchange.fetch_my_trades(BTC)] == [
        "Open Long", "Close Long", "Close Long",
    ]  # fmt: skip


def test_resting_orders(client: Client) -> None:
    exchange = client()
    placed = exchange.create_order(BTC, "limit", "buy", 0.01, 49_000, {"clientOrderId": CLOID})
    (resting,) = exchange.fetch_open_orders(BTC)
    assert (resting["id"], resting["status"], resting["price"], resting["remaining"]) == (
        placed["id"], "open", 49_000, 0.01,
    )  # fmt: skip
    exchange.cancel_order(None, BTC, {"clientOrderId": CLOID})
    assert exchange.fetch_open_orders(BTC) == []
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order(placed["id"], BTC)
    (cancelled,) = exchange.fetch_canceled_orders(BTC)
    assert (cancelled["id"], cancelled["status"], cancelled["filled"]) == (placed["id"], "canceled", 0)
    second = exchange.create_order(BTC, "limit", "sell", 0.02, 51_000)
    exchange.cancel_order(second["id"], BTC)
    assert client.ledger()["positions"] == {}


def test_leverage_is_the_margin_mode_too(client: Client) -> None:
    exchange = client()
    exchange.load_markets()
    for _ in range(2):
        assert exchange.set_leverage(7, BTC)["status"] == "ok"
    exchange.set_margin_mode("isolated", ETH, {"leverage": 3})
    assert client.ledger()["leverage"] == {"BTCUSDT": "7", "ETHUSDT": "3"}
    exchange.create_order(ETH, "market", "sell", 0.1, 3_000)
    (position,) = exchange.fetch_positions([ETH])
    assert (position["side"], position["marginMode"], position["leverage"]) == ("short", "isolated", 3)
    with pytest.raises(ccxt.ExchangeError, match="Cannot switch leverage type with open position"):
        exchange.set_margin_mode("cross", ETH, {"leverage": 3})
    with pytest.raises(ccxt.ExchangeError, match="Invalid leverage value"):
        exchange.set_leverage(51, BTC)


def test_money(client: Client) -> None:
    exchange = client()
    exchange.create_order(BTC, "market", "buy", 0.1, 50_000)
    balance = exchange.fetch_balance()
    ledger = client.ledger()
    assert balance["USDC"]["total"] == pytest.approx(float(ledger["equity"]))
    (position,) = exchange.fetch_positions([BTC])
    assert position["unrealizedPnl"] == pytest.approx(float(Decimal(ledger["equity"]) - Decimal(ledger["wallet"])))
    assert exchange.fetch_funding_history(BTC) == []


def test_a_builders_mark_finds_no_approval(client: Client) -> None:
    """ccxt approves its builder's fee and sets a referrer by itself. The venue here takes neither, so that orders go
    without; where it is told to name its builder all the same they are refused."""
    exchange = client()
    exchange.load_markets()
    exchange.create_order(BTC, "market", "buy", 0.001, 50_000)
    assert exchange.options["builderFee"] is False
    assert "approvedBuilderFee" not in exchange.options
    exchange.options |= {"approvedBuilderFee": True, "builderFee": True}
    with pytest.raises(ccxt.ExchangeError, match="Builder fee has not been approved"):
        exchange.create_order(BTC, "market", "buy", 0.001, 50_000)
    assert client.ledger()["positions"] == {"BTCUSDT": "0.001"}


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        ((BTC, "market", "buy", 100, 50_000), ccxt.InsufficientFunds, "Insufficient margin"),
        ((BTC, "market", "buy", 0.0001, 50_000), ccxt.InvalidOrder, "minimum value"),
        ((BTC, "market", "buy", 1, 50_000, {"reduceOnly": True}), ccxt.InvalidOrder, "Reduce only"),
        ((BTC, "limit", "buy", 1, 200_000), ccxt.InvalidOrder, "80% away"),
        ((BTC, "limit", "buy", 1, 49_000, {"timeInForce": "IOC"}), ccxt.InvalidOrder, "immediately match"),
        ((BTC, "limit", "buy", 1, 51_000, {"postOnly": True}), ccxt.InvalidOrder, "Post only"),
    ],
)
def test_refused_orders(client: Client, order: tuple[Any, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        client().create_order(*order)
    assert client.ledger()["positions"] == {}


def test_a_wallet_nobody_approved(client: Client) -> None:
    stranger = client(privateKey="0x" + "12" * 32)
    with pytest.raises(ccxt.InvalidOrder, match="0x1c5a77d9fa7ef466951b2f01f724bca3a5820b63 does not exist"):
        stranger.create_order(BTC, "market", "buy", 0.01, 50_000)


def test_two_actions_with_one_nonce(client: Client) -> None:
    exchange = client()
    exchange.load_markets()
    nonce = exchange.milliseconds()
    exchange.incrementing_nonce = lambda: nonce
    exchange.set_leverage(3, BTC)
    with pytest.raises(ccxt.ExchangeError, match="duplicate nonce"):
        exchange.set_leverage(4, BTC)
    assert client.ledger()["leverage"] == {"BTCUSDT": "3"}
