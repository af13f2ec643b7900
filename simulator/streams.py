"""Websocket sessions, sans-network: what wakes a session, and the in-memory stream made of one."""

from __future__ import annotations

import asyncio
from collections import deque

from core.errors import Lost
from core.ports import Clock
from simulator.exchange import Exchange, ExchangeEvent
from simulator.facades import Session

PUSH_INTERVAL_S = 0.1
"""A session is asked at least this often, so that its own timers need no clock of their own."""


class Feed:
    """Wakes a session after every event of its exchange, and now and then."""

    def __init__(self, session: Session, exchange: Exchange) -> None:
        self._session = session
        self._woken = asyncio.Event()
        self._unsubscribe = exchange.subscribe(self._wake)

    def _wake(self, event: ExchangeEvent) -> None:
        self._woken.set()

    async def next(self) -> tuple[str, ...]:
        """Frames to send now, after at most `PUSH_INTERVAL_S`; often none."""
        try:
            async with asyncio.timeout(PUSH_INTERVAL_S):
                await self._woken.wait()
        except TimeoutError:
            pass  # nothing happened, which the session may want to say
        self._woken.clear()
        return self._session.push()

    def close(self) -> None:
        self._unsubscribe()
        self._session.close()


class MemoryStream:
    """`ports.Stream` on a session; what it says arrives `delay_s` later."""

    def __init__(self, session: Session, exchange: Exchange, clock: Clock, delay_s: float) -> None:
        self._session = session
        self._clock = clock
        self._delay_s = delay_s
        self._feed = Feed(session, exchange)
        self._outbox: deque[tuple[float, str]] = deque()
        self._closed = False

    async def send(self, text: str) -> None:
        if self._closed:
            raise Lost("the stream is closed")
        await asyncio.sleep(self._delay_s)
        self._deliver(self._session.receive(text))

    async def receive(self) -> str:
        while not self._outbox:
            if self._closed:
                raise Lost("the stream is closed")
            self._deliver(await self._feed.next())
        due, text = self._outbox.popleft()
        await asyncio.sleep(max(due - self._clock.monotonic(), 0.0))
        return text

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._feed.close()

    def _deliver(self, frames: tuple[str, ...]) -> None:
        due = self._clock.monotonic() + self._delay_s
        self._outbox.extend((due, frame) for frame in frames)
