"""ccxt.pro's bybit, unmodified but for its addresses, against the simulated Bybit in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt.pro
import pytest
from ccxt.base.errors import AuthenticationError, ExchangeError, NetworkError

from tests.contract.ccxt_witness import Follower, moved
from tests.contract.simulator_process import Simulator, simulator
from tests.contract.watching import ARRIVES_S, watching

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
ACCOUNTS = 20


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18548, 18599, ACCOUNTS) as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    options = {"defaultType": "swap", **settings.pop("options", {})}
    made = ccxt.pro.bybit({"options": options, **settings})
    made.urls["api"] = moved(made.urls["api"], venue.base_url, venue.ws_url)
    return made


@pytest.fixture
def client(venue: Simulator, account: str) -> Follower:
    return Follower(venue, account, build)


async def test_orders_fills_positions_and_balances(client: Follower) -> None:
    async with client.exchange(options={"watchPositions": {"fetchPositionsSnapshot": False}}) as exchange:
        calls = (exchange.watch_orders, exchange.watch_my_trades, exchange.watch_positions, exchange.watch_balance)
        async with watching(exchange, *calls) as (orders, trades, positions, balances):
            placed = await exchange.create_order(BTC, "market", "buy", 0.012, None, {"orderLinkId": "in"})
            order, trade, position = await orders.next(), await trades.next(), await positions.next()
            assert (order["id"], order["clientOrderId"], order["status"]) == (placed["id"], "in", "closed")
            assert (order["filled"], order["remaining"], order["symbol"]) == (0.012, 0.0, BTC)
            assert (trade["order"], trade["amount"], trade["side"]) == (placed["id"], 0.012, "buy")
            assert trade["fee"] == {"cost": 0.330033, "currency": "USDT", "rate": 0.00055}
            assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "long", 0.012)
            assert position["entryPrice"] == 50_005.0
            balance = await balances.next()
            assert balance["USDT"]["total"] == pytest.approx(float(client.ledger()["equity"]), abs=1e-6)

            resting = await exchange.create_order(BTC, "limit", "buy", 0.01, 49_000)
            assert ((order := await orders.next())["id"], order["status"]) == (resting["id"], "open")
            assert (await positions.next())["contracts"] == 0.012
            await exchange.cancel_order(resting["id"], BTC)
            assert ((order := await orders.next())["id"], order["status"]) == (resting["id"], "canceled")
            assert (await positions.next())["contracts"] == 0.012

            await exchange.create_order(BTC, "market", "sell", 0.012, None, {"reduceOnly": True})
            assert (await orders.next())["reduceOnly"] is True
            assert (await trades.next())["side"] == "sell"
            assert (await positions.next())["contracts"] in (0.0, None)
    assert client.ledger()["positions"] == {}


async def test_positions_begin_with_a_snapshot_read_over_rest(client: Follower) -> None:
    client.venue.post("position", venue="bybit", account=client.account, symbol="ETHUSDT", quantity="-2")
    async with client.exchange() as exchange:
        (held,) = await exchange.watch_positions()
        assert (held["symbol"], held["side"], held["contracts"]) == (ETH, "short", 2.0)


async def test_one_symbol_of_a_private_topic(client: Follower) -> None:
    async with client.exchange() as exchange:
        calls = [lambda symbol=symbol: exchange.watch_orders(symbol) for symbol in (BTC, ETH)]
        async with watching(exchange, *calls) as (btc, eth):
            await exchange.create_order(ETH, "market", "buy", 0.1)
            await exchange.create_order(BTC, "market", "buy", 0.001)
            assert (await btc.next())["symbol"] == BTC
            assert (await eth.next())["symbol"] == ETH


async def test_market_data(client: Follower) -> None:
    async with client.exchange() as exchange:
        ticker = await exchange.watch_ticker(BTC)
        assert (ticker["symbol"], ticker["markPrice"], ticker["last"]) == (BTC, 50_000.0, 50_000.0)
        assert ticker["bid"] < 50_000 < ticker["ask"]
        async with watching(exchange, lambda: exchange.watch_tickers([ETH])) as (tickers,):
            assert (await tickers.next())[ETH]["last"] == 3_000.0
            client.venue.post("price", symbol="ETHUSDT", price="3030")
            assert (await tickers.next())[ETH]["last"] == 3_030.0
        client.venue.post("price", symbol="ETHUSDT", price="3000")


async def test_books(client: Follower) -> None:
    async with client.exchange() as exchange:
        book = await exchange.watch_order_book(ETH, 50)
        assert len(book["bids"]) > 10
        client.venue.post("price", symbol="ETHUSDT", price="3012")
        read = await exchange.fetch_order_book(ETH, 50)
        async with asyncio.timeout(ARRIVES_S):
            while [level[:2] for level in book["bids"]] != read["bids"]:
                book = await exchange.watch_order_book(ETH, 50)
        assert [level[:2] for level in book["asks"]] == read["asks"]
        client.venue.post("price", symbol="ETHUSDT", price="3000")


async def test_trades_and_best_prices(client: Follower) -> None:
    async with client.exchange() as exchange:
        calls = (lambda: exchange.watch_trades(BTC), lambda: exchange.watch_bids_asks([BTC]))
        async with watching(exchange, *calls) as (trades, best):
            assert (await best.next())[BTC]["bid"] < 50_000
            await exchange.create_order(BTC, "market", "sell", 0.004)
            trade = await trades.next()
            assert (trade["side"], trade["amount"], trade["symbol"]) == ("sell", 0.004, BTC)


async def test_unwatching(client: Follower) -> None:
    async with client.exchange() as exchange:
        await exchange.watch_ticker(BTC)
        await exchange.un_watch_ticker(BTC)
        assert (await exchange.watch_ticker(BTC))["symbol"] == BTC


async def test_a_broken_connection_is_reported_and_opened_again(client: Follower) -> None:
    async with client.exchange() as exchange:
        async with watching(exchange, exchange.watch_orders) as (orders,):
            client.fault("drop_before")
            with pytest.raises(NetworkError):
                await orders.next()
        async with watching(exchange, exchange.watch_orders) as (orders,):
            placed = await exchange.create_order(BTC, "market", "buy", 0.001)
            assert (await orders.next())["id"] == placed["id"]
    assert client.venue.hits()[-1] == 1


async def test_swallowed_messages(client: Follower) -> None:
    async with client.exchange() as exchange, watching(exchange, exchange.watch_orders) as (orders,):
        client.fault("ws_gap", count=2)
        placed = [await exchange.create_order(BTC, "market", "buy", 0.001) for _ in range(3)]
        assert (await orders.next())["id"] == placed[2]["id"]


async def test_refused_topics_and_logins(client: Follower) -> None:
    async with client.exchange() as exchange:
        with pytest.raises(ExchangeError, match=r"handler not found,topic:kline\.1\.BTCUSDT"):
            await exchange.watch_ohlcv(BTC, "1m")
    async with client.exchange() as exchange:
        await exchange.load_markets()
        await exchange.is_unified_enabled()
        exchange.secret = "wrong"
        with pytest.raises((AuthenticationError, ExchangeError), match="error sign"):
            await exchange.watch_orders()


async def test_order_entry_is_refused_with_a_code(client: Follower) -> None:
    async with client.exchange() as exchange:
        with pytest.raises(ExchangeError, match="10404"):
            await exchange.create_order_ws(BTC, "market", "buy", 0.001)
    assert client.ledger()["orders"] == []
