"""ccxt.pro's hyperliquid, unmodified but for its addresses, against the simulated Hyperliquid in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro
import pytest

from tests.contract.simulator_process import Simulator, simulator
from tests.contract.watching import ARRIVES_S, watching

BTC, ETH = "BTC/USDC:USDC", "ETH/USDC:USDC"
ACCOUNTS = 6
CLOID = "0x" + "0a" * 16


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21170, 21199, ACCOUNTS, rtt_ms=2, venue="hyperliquid") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


@pytest.fixture(scope="module")
def unused(venue: Simulator) -> Iterator[str]:
    return iter(venue.accounts)


class Client:
    """Exchanges on one account."""

    def __init__(self, venue: Simulator, account: str) -> None:
        self.venue = venue
        self.account = account

    @asynccontextmanager
    async def exchange(self) -> AsyncIterator[Any]:
        fields = self.venue.accounts[self.account]
        keys = {"walletAddress": fields["wallet_address"], "privateKey": fields["private_key"]}
        made = ccxt.pro.hyperliquid({"enableRateLimit": False, "newUpdates": True, **keys})
        address = self.venue.base_url
        made.urls["api"] = {"public": address, "private": address, "ws": {"public": f"{self.venue.ws_url}/ws"}}
        made.options["fetchMarkets"]["types"] = ["swap"]
        made.options["defaultType"] = "swap"
        try:
            async with asyncio.timeout(3 * ARRIVES_S):
                await made.load_markets()
                yield made
        finally:
            await made.close()

    def ledger(self) -> Any:
        return self.venue.ledger(self.account)


@pytest.fixture
def client(venue: Simulator, unused: Iterator[str]) -> Client:
    return Client(venue, next(unused))


async def test_orders_and_trades(client: Client) -> None:
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


async def test_positions(client: Client) -> None:
    async with client.exchange() as exchange, watching(exchange, exchange.watch_positions) as (positions,):
        await exchange.create_order(BTC, "market", "sell", 0.02, 50_000)
        position = await positions.next()
        assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "short", 0.02)
        assert (position["leverage"], position["marginMode"]) == (20, "cross")


async def test_the_balance(client: Client) -> None:
    async with client.exchange() as exchange, watching(exchange, exchange.watch_balance) as (balances,):
        balance = await balances.next()
        assert balance["USDC"]["total"] == pytest.approx(float(client.ledger()["equity"]))


async def test_prices(client: Client) -> None:
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
