"""ccxt.pro's hyperliquid, unmodified but for its addresses, against the simulated Hyperliquid in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt.pro
import pytest

from tests.contract.ccxt_witness import Follower
from tests.contract.simulator_process import Simulator, simulator
from tests.contract.watching import watching

BTC, ETH = "BTC/USDC:USDC", "ETH/USDC:USDC"
ACCOUNTS = 6
CLOID = "0x" + "0a" * 16


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21170, 21199, ACCOUNTS, rtt_ms=2, venue="hyperliquid") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    made = ccxt.pro.hyperliquid(settings)
    address = venue.base_url
    made.urls["api"] = {"public": address, "private": address, "ws": {"public": f"{venue.ws_url}/ws"}}
    made.options["fetchMarkets"]["types"] = ["swap"]
    made.options["defaultType"] = "swap"
    return made


async def prepare(exchange: Any) -> None:
    await exchange.load_markets()


@pytest.fixture
def client(venue: Simulator, account: str) -> Follower:
    return Follower(venue, account, build, prepare)


async def test_orders_and_trades(client: Follower) -> None:
    async with (
        client.exchange() as exchange,
        watching(exchange, exchange.watch_orders, exchange.watch_my_trades) as (
            orders,
            trades,
        ),
    ):
        placed = await exchange.create_order(BTC, "market", "buy", 0.012, 50_000, {"clientOrderId": CLOID})
        order = await orders.next()
        assert (order["id"], order["status"], order["symbol"]) == (placed["id"], "closed", BTC)
        assert (order["clientOrderId"], order["filled"], order["remaining"]) == (CLOID, 0.012, 0.0)
        trade = await trades.next()
        assert (trade["order"], trade["amount"], trade["price"]) == (placed["id"], 0.012, 50_005.0)
        assert trade["fee"]["cost"] == pytest.approx(0.012 * 50_005 * 0.00045)

        resting = await exchange.create_order(ETH, "limit", "buy", 0.5, 2_900)
        order = await orders.next()
        assert (order["id"], order["status"], order["price"]) == (resting["id"], "open", 2_900.0)
        await exchange.cancel_order(resting["id"], ETH)
        assert (await orders.next())["status"] == "canceled"
        assert client.ledger()["positions"] == {"BTCUSDT": "0.012"}

        for size in (0.005, 0.007):
            reduced = await exchange.create_order(BTC, "market", "sell", size, 50_000, {"reduceOnly": True})
            order, trade = await orders.next(), await trades.next()
            assert (order["id"], order["status"], order["filled"]) == (reduced["id"], "closed", size)
            assert (trade["order"], trade["side"], trade["amount"]) == (reduced["id"], "sell", size)
    assert client.ledger()["positions"] == {}


async def test_positions(client: Follower) -> None:
    async with client.exchange() as exchange, watching(exchange, exchange.watch_positions) as (positions,):
        await exchange.create_order(BTC, "market", "sell", 0.02, 50_000)
        position = await positions.next()
        assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "short", 0.02)
        assert (position["leverage"], position["marginMode"]) == (20, "cross")


async def test_the_balance(client: Follower) -> None:
    async with client.exchange() as exchange, watching(exchange, exchange.watch_balance) as (balances,):
        balance = await balances.next()
        assert balance["USDC"]["total"] == pytest.approx(float(client.ledger()["equity"]))


async def test_prices(client: Follower) -> None:
    async with client.exchange() as exchange:
        calls = (lambda: exchange.watch_ticker(BTC), lambda: exchange.watch_order_book(BTC))
        async with watching(exchange, *calls) as (tickers, books):
            ticker = await tickers.next()
            assert (ticker["symbol"], ticker["last"]) == (BTC, 50_000)
            book = await books.next()
            assert (book["bids"][0][0], book["asks"][0][0]) == (49_995, 50_005)
            client.venue.post("price", symbol="BTCUSDT", price="51000")
            while (await tickers.next())["last"] != 51_000:
                continue
            client.venue.post("price", symbol="BTCUSDT", price="50000")
