"""A made-up stream on the real facade, carried in memory on virtual time, for tests of what carries it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.clock import VirtualClock, VirtualLoop, run_virtual
from core.domain import OrderKind, Side, Symbol
from core.errors import Lost
from core.ports import Response, Stream, StreamRequest
from simulator.exchange import Exchange, ExchangeEvent, NewOrder, VenueRules
from simulator.facades import Session, VenueKind, load
from simulator.facades.bybit import BybitFacade
from simulator.memory import MemoryWorld, build_memory_world

D = Decimal
FILLS = "/v5/private"


class Fills:
    """A session that echoes what it is told and announces every fill; "bye" is its last word."""

    def __init__(self, exchange: Exchange, log: list[str]) -> None:
        self.account = "main"
        self.over = False
        self.wake_in_s = 60.0
        self._due: list[str] = []
        self._log = log
        self._stop = exchange.subscribe(self._hear)

    def _hear(self, event: ExchangeEvent) -> None:
        if event.fill is not None:
            self._due.append(f"fill {event.fill.client_id}")

    def receive(self, text: str) -> tuple[str, ...]:
        self.over = text == "bye"
        return (f"echo {text}",)

    def push(self) -> tuple[str, ...]:
        self._log.append("push")
        due, self._due = tuple(self._due), []
        return due

    def close(self) -> None:
        self._stop()
        self._log.append("closed")


@dataclass
class Streaming:
    """The real facade with such a session. Everything but `session` is the facade's own."""

    facade: BybitFacade
    exchange: Exchange
    log: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.facade, name)

    def session(self, request: StreamRequest) -> Session | Response:
        return Fills(self.exchange, self.log) if request.url.endswith(FILLS) else Response(404, {}, b"")


@dataclass
class Play:
    """A world in memory with one open stream."""

    world: MemoryWorld
    stream: Stream
    log: list[str]

    @property
    def exchange(self) -> Exchange:
        return self.world.world.venues["bybit"].exchange

    def buy(self, client_id: str) -> None:
        buy(self.exchange, client_id)

    def now(self) -> float:
        return self.world.world.clock.monotonic()

    def fault(self, kind: str, match: str = "stream", **more: object) -> None:
        self.world.admin.fault({"venue": "bybit", "match": match, "kind": kind, **more})

    def hits(self) -> list[int]:
        return [fault.hits for fault in self.world.world.faults.all()]

    async def connect(self, deadline_s: float = 5.0) -> Stream:
        request = StreamRequest("ws://bybit.sim" + FILLS, deadline_s=deadline_s)
        self.stream = await self.world.transport.connect(request)
        return self.stream

    async def told(self, within_s: float = 1.0) -> list[str]:
        """Everything that arrives within a time; the last entry says so if the stream ended."""
        found: list[str] = []
        try:
            async with asyncio.timeout(within_s):
                while True:
                    found.append(await self.stream.receive())
        except TimeoutError:
            return found
        except Lost as lost:
            return [*found, f"lost: {lost}"]


def kind(made: list[Streaming]) -> VenueKind:
    def build(exchange: Exchange) -> Any:
        made.append(Streaming(BybitFacade(exchange), exchange))
        return made[-1]

    rules: VenueRules = load("bybit").rules
    return VenueKind("bybit", rules, build)


def buy(exchange: Exchange, client_id: str) -> None:
    order = NewOrder(Symbol("BTCUSDT"), Side.BUY, D("0.01"), OrderKind.MARKET, client_id=client_id)
    exchange.place("main", order)


def play(what: Callable[[Play], Awaitable[Any]], rtt_s: float = 0.0) -> Any:
    made: list[Streaming] = []
    loop = VirtualLoop()
    world = build_memory_world(VirtualClock(loop), kinds=[kind(made)], accounts={"bybit": 2}, rtt_s=rtt_s)

    async def main() -> Any:
        stream = await world.transport.connect(StreamRequest("ws://bybit.sim" + FILLS))
        return await what(Play(world, stream, made[0].log))

    return run_virtual(main(), loop)
