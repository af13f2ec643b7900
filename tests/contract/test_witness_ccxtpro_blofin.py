"""ccxt.pro's blofin, unmodified but for its addresses, against the simulated BloFin in its own process.

What the venue refuses is not tested here: this client raises it where nobody can catch it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt.pro
import pytest
from ccxt.base.errors import NetworkError

from tests.contract.ccxt_witness import Follower
from tests.contract.simulator_process import Simulator, simulator
from tests.contract.watching import ARRIVES_S, Watch, watching

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
ACCOUNTS = 20
UNMARKED = {"brokerId": None}
BETWEEN_CONNECTIONS_S = 1.05
"""The venue takes one new connection a second from an address."""


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21400, 21460, ACCOUNTS, rtt_ms=2, venue="blofin") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    made = ccxt.pro.blofin(settings)
    streams = {kind: f"{venue.ws_url}/ws/{kind}" for kind in ("public", "private")}
    made.urls["api"] = {"rest": venue.base_url, "ws": {"swap": streams}}
    made.has["fetchCurrencies"] = False  # a wallet's business, which nobody simulates
    return made


async def prepare(exchange: Any) -> None:
    await asyncio.sleep(BETWEEN_CONNECTIONS_S)
    await exchange.load_markets()


@pytest.fixture
def client(venue: Simulator, account: str) -> Follower:
    return Follower(venue, account, build, prepare)


async def ended(orders: Watch) -> Any:
    """The next order to end: this client may or may not pass on that it was open in between."""
    while (order := await orders.next())["status"] == "open":
        continue
    return order


async def test_orders_positions_and_balances(client: Follower) -> None:
    async with client.exchange() as exchange:
        await exchange.authenticate()
        calls = (exchange.watch_orders, lambda: exchange.watch_positions([BTC]), exchange.watch_balance)
        async with watching(exchange, *calls) as (orders, positions, balances):
            placed = await exchange.create_order(BTC, "market", "buy", 12, None, {"clientOrderId": "in", **UNMARKED})
            order = await ended(orders)
            assert (order["id"], order["clientOrderId"], order["status"]) == (placed["id"], "in", "closed")
            assert (order["filled"], order["remaining"], order["symbol"]) == (12.0, 0.0, BTC)
            assert order["fee"]["cost"] == pytest.approx(0.360036)
            position = await positions.next()
            assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "long", 12.0)
            assert position["entryPrice"] == 50_005.0
            equity = float(client.ledger()["equity"])
            balance = await balances.next()
            while balance["USDT"]["total"] != pytest.approx(equity, abs=1e-6):
                balance = await balances.next()

            resting = await exchange.create_order(BTC, "limit", "buy", 10, 49_700, UNMARKED)
            assert ((order := await orders.next())["id"], order["status"]) == (resting["id"], "open")
            await exchange.cancel_order(resting["id"], BTC)
            assert ((order := await ended(orders))["id"], order["status"]) == (resting["id"], "canceled")

            await exchange.create_order(BTC, "market", "sell", 12, None, {"reduceOnly": "true", **UNMARKED})
            assert (await ended(orders))["status"] == "closed"
    assert client.ledger()["positions"] == {}


async def test_positions_begin_with_a_snapshot(client: Follower) -> None:
    client.venue.post("position", venue="blofin", account=client.account, symbol="ETHUSDT", quantity="-2")
    async with client.exchange() as exchange:
        await exchange.authenticate()
        held = await exchange.watch_positions([ETH])
        assert (held["symbol"], held["side"], held["contracts"]) == (ETH, "short", 200.0)


async def test_what_others_did(client: Follower) -> None:
    async with client.exchange() as exchange:
        await exchange.authenticate()
        async with watching(exchange, exchange.watch_orders) as (orders,):
            client.venue.post("position", venue="blofin", account=client.account, symbol="BTCUSDT", quantity="0.5")
            order = await orders.next()
            assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 500.0, None)


async def test_market_data(client: Follower) -> None:
    async with client.exchange() as exchange:
        ticker = await exchange.watch_ticker(BTC)
        assert (ticker["symbol"], ticker["last"]) == (BTC, 50_000.0)
        assert ticker["bid"] < 50_000 < ticker["ask"]
        assert (await exchange.watch_funding_rate(BTC))["fundingRate"] is not None
        assert (await exchange.watch_bids_asks([BTC]))[BTC]["bid"] == ticker["bid"]
        async with watching(exchange, lambda: exchange.watch_trades(BTC)) as (trades,):
            await exchange.create_order(BTC, "market", "sell", 4, None, UNMARKED)
            trade = await trades.next()
            assert (trade["side"], trade["amount"], trade["symbol"]) == ("sell", 4.0, BTC)


async def test_books(client: Follower) -> None:
    async with client.exchange() as exchange:
        book = await exchange.watch_order_book(ETH)
        assert len(book["bids"]) > 10
        client.venue.post("price", symbol="ETHUSDT", price="3012")
        read = await exchange.fetch_order_book(ETH, 50)
        async with asyncio.timeout(ARRIVES_S):
            while [level[:2] for level in book["bids"][:50]] != [level[:2] for level in read["bids"]]:
                book = await exchange.watch_order_book(ETH)
        client.venue.post("price", symbol="ETHUSDT", price="3000")


async def test_a_broken_connection_is_reported_and_opened_again(client: Follower) -> None:
    async with client.exchange() as exchange:
        await exchange.authenticate()
        async with watching(exchange, exchange.watch_orders) as (orders,):
            client.fault("drop_before")
            with pytest.raises(NetworkError):
                await orders.next()
        await asyncio.sleep(BETWEEN_CONNECTIONS_S)
        await exchange.authenticate()
        async with watching(exchange, exchange.watch_orders) as (orders,):
            placed = await exchange.create_order(BTC, "market", "buy", 1, None, UNMARKED)
            assert (await orders.next())["id"] == placed["id"]


async def test_a_second_connection_within_a_second_is_refused(client: Follower) -> None:
    async with client.exchange() as exchange:
        await exchange.watch_ticker(BTC)
        with pytest.raises(NetworkError):
            await exchange.authenticate()
