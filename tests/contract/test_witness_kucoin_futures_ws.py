"""The websocket of the SDK the adapter rides on, unmodified, against the simulated KuCoin in its own process.

It hands `encrypt` of the token's answer to the websockets package as its `ssl` and pings as the time-out says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kucoin_futures.client import Trade, WsToken
from kucoin_futures.ws_client import KucoinFuturesWsClient

from tests.contract.simulator_process import Simulator, simulator

BTC = "XBTUSDTM"
ARRIVES_S, ENDS_S = 20.0, 5.0
ORDERS, POSITIONS, WALLET = "/contractMarket/tradeOrders", "/contract/positionAll", "/contractAccount/wallet"


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21548, 21571, 4, venue="kucoin") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        yield running


class Listener:
    """What the SDK's callback was handed, by topic."""

    def __init__(self) -> None:
        self._found: dict[str, asyncio.Queue[Any]] = {}

    async def __call__(self, message: Any) -> None:
        self._queue(message["topic"]).put_nowait(message)

    def _queue(self, topic: str) -> asyncio.Queue[Any]:
        return self._found.setdefault(topic, asyncio.Queue())

    async def next(self, topic: str) -> Any:
        async with asyncio.timeout(ARRIVES_S):
            return await self._queue(topic).get()


def keys(venue: Simulator, account: str) -> dict[str, str]:
    fields = venue.accounts[account]
    return {"key": fields["api_key"], "secret": fields["api_secret"], "passphrase": fields["api_passphrase"]}


@asynccontextmanager
async def listening(venue: Simulator, account: str, topics: list[str], *, private: bool) -> AsyncIterator[Listener]:
    """The SDK's client, subscribed. Its tasks run until they are cancelled."""
    before, heard = asyncio.all_tasks(), Listener()
    token = WsToken(**keys(venue, account), url=venue.base_url)
    client = await KucoinFuturesWsClient.create(None, token, heard, private=private)
    try:
        async with asyncio.timeout(ARRIVES_S):
            for topic in topics:
                await client.subscribe(topic)
        await asyncio.sleep(0.2)  # it does not look at the answers
        yield heard
    finally:
        await ended(client, asyncio.all_tasks() - before)


async def ended(client: Any, left: set[asyncio.Task[Any]]) -> None:
    """It has no way to close, and its reading task swallows being cancelled: without its keeper, and without its
    socket, that ends by itself."""
    keepers = [task for task in left if getattr(task.get_coro(), "__name__", "") != "_run"]
    for task in keepers:
        task.cancel()
    if client._conn._socket is not None:
        await client._conn._socket.close()
    _, running = await asyncio.wait(left, timeout=ENDS_S)
    assert not running
    await asyncio.gather(*left, return_exceptions=True)


async def test_an_order_over_the_private_stream(venue: Simulator) -> None:
    async with listening(venue, "main", [ORDERS, POSITIONS, WALLET], private=True) as heard:
        trade = Trade(**keys(venue, "main"), url=venue.base_url)
        placed = await asyncio.to_thread(trade.create_market_order, BTC, "buy", 3, "in", size=12)
        match, whole = await heard.next(ORDERS), await heard.next(ORDERS)
        assert (match["data"]["type"], match["data"]["matchSize"], match["data"]["clientOid"]) == ("match", "12", "in")
        assert (whole["data"]["type"], whole["data"]["orderId"]) == ("filled", placed["orderId"])
        position, wallet = await heard.next(POSITIONS), await heard.next(WALLET)
        assert (position["data"]["currentQty"], wallet["data"]["currency"]) == (12, "USDT")
        await asyncio.to_thread(trade.create_market_order, BTC, "sell", 3, "out", size=12, reduceOnly=True)
        assert (await heard.next(POSITIONS))["data"]["currentQty"] == 0
        trade.session.close()
    assert venue.ledger("main")["positions"] == {}


async def test_prices_over_the_public_stream(venue: Simulator) -> None:
    mark, book = f"/contract/instrument:{BTC}", f"/contractMarket/tickerV2:{BTC}"
    async with listening(venue, "second", [mark, book], private=False) as heard:
        assert float((await heard.next(book))["data"]["bestBidPrice"]) <= 50_000
        while (told := await heard.next(mark))["subject"] != "mark.index.price":
            pass
        assert told["data"]["markPrice"] == 50_000
