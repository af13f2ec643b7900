"""Following a ccxt.pro client as its users do, and knowing when the venue has taken what it asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

ARRIVES_S = 20.0
LOGINS = {"authenticated", "authenticate_hash"}
"""What ccxt notes beside subscriptions."""


class Watch:
    """Watches without a gap: what one call returns is kept while the next is under way."""

    def __init__(self, call: Callable[[], Awaitable[Any]]) -> None:
        self._call = call
        self._found: asyncio.Queue[Any] = asyncio.Queue()
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            found = await self._call()
            for entry in found if isinstance(found, list) else [found]:
                self._found.put_nowait(entry)

    async def next(self) -> Any:
        """Fails as the watch did."""
        async with asyncio.timeout(ARRIVES_S):
            getting = asyncio.ensure_future(self._found.get())
            await asyncio.wait({getting, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if not getting.done():
                getting.cancel()
                await self._task
            return await getting

    def stop(self) -> None:
        self._task.cancel()


@asynccontextmanager
async def watching(
    exchange: Any, *calls: Callable[[], Awaitable[Any]], subscriptions: int | None = None
) -> AsyncIterator[list[Watch]]:
    """Watches, all subscribed to when the block begins. `subscriptions`: how many they take; None: one each."""
    watches = [Watch(call) for call in calls]
    try:
        async with asyncio.timeout(ARRIVES_S):
            await subscribed(exchange, len(calls) if subscriptions is None else subscriptions)
        yield watches
    finally:
        for watch in watches:
            watch.stop()


async def subscribed(exchange: Any, times: int) -> None:
    """Until the venue has taken that many subscriptions. This client notes one just before it sends it, and keeps no
    trace of the answer: those to two pings afterwards say that it is there."""

    def taken() -> int:
        return sum(len(it.subscriptions.keys() - LOGINS) for it in exchange.clients.values())

    while taken() < times:  # noqa: ASYNC110 - nothing in the client says so
        await asyncio.sleep(0.01)
    for stream in [*exchange.clients.values()] * 2:
        await stream.connected
        stream.lastPong = None
        await stream.send(exchange.ping(stream))
        while stream.lastPong is None:  # noqa: ASYNC110 - nor that
            await asyncio.sleep(0.01)
