"""Websocket sessions carried by both transports: answers, pushes after events, and the end of the line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from core.clock import SystemClock, VirtualClock, VirtualLoop, run_virtual
from core.domain import OrderKind, Side, Symbol
from core.errors import Lost
from core.ports import StreamRequest
from simulator.exchange import Exchange, ExchangeEvent, NewOrder, VenueRules
from simulator.facades import Session, VenueKind, load
from simulator.facades.bybit import BybitFacade
from simulator.memory import MemoryWorld, build_memory_world
from simulator.web import Server
from simulator.world import build_world

D = Decimal


class Fills:
    """A session that echoes what it is told and announces every fill."""

    def __init__(self, exchange: Exchange, closed: list[str]) -> None:
        self._due: list[str] = []
        self._closed = closed
        self._stop = exchange.subscribe(self._hear)

    def _hear(self, event: ExchangeEvent) -> None:
        if event.fill is not None:
            self._due.append(f"fill {event.fill.client_id}")

    def receive(self, text: str) -> tuple[str, ...]:
        return (f"echo {text}",)

    def push(self) -> tuple[str, ...]:
        due, self._due = tuple(self._due), []
        return due

    def close(self) -> None:
        self._stop()
        self._closed.append("closed")


@dataclass
class Streaming:
    """The real facade with a stream at /fills. Everything but `session` is the facade's own."""

    facade: BybitFacade
    exchange: Exchange
    closed: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.facade, name)

    def session(self, request: StreamRequest) -> Session | None:
        return Fills(self.exchange, self.closed) if request.url.endswith("/fills") else None


def kind(made: list[Streaming]) -> VenueKind:
    def build(exchange: Exchange) -> Any:
        made.append(Streaming(BybitFacade(exchange), exchange))
        return made[-1]

    rules: VenueRules = load("bybit").rules
    return VenueKind("bybit", rules, build)


def buy(exchange: Exchange, client_id: str) -> None:
    order = NewOrder(Symbol("BTCUSDT"), Side.BUY, D("0.01"), OrderKind.MARKET, client_id=client_id)
    exchange.place("main", order)


def test_memory_stream() -> None:
    made: list[Streaming] = []
    loop = VirtualLoop()
    world = build_memory_world(VirtualClock(loop), kinds=[kind(made)], rtt_s=0.1)
    listening = len(world.world.venues["bybit"].exchange.state.listeners)

    async def run(it: MemoryWorld) -> list[tuple[float, str]]:
        seen = []
        stream = await it.transport.connect(StreamRequest("ws://bybit.sim/fills"))
        clock, exchange = it.world.clock, it.world.venues["bybit"].exchange
        start = clock.monotonic()
        await stream.send("hello")
        seen.append((clock.monotonic() - start, await stream.receive()))
        loop.call_later(1.0, buy, exchange, "a")
        seen.append((0.0, await stream.receive()))
        seen.append((clock.monotonic() - start, "after"))
        await stream.close()
        await stream.close()
        with pytest.raises(Lost):
            await stream.receive()
        with pytest.raises(Lost):
            await stream.send("hello")
        return seen

    echoed, pushed, after = run_virtual(run(world), loop)
    assert (echoed[1], pushed[1]) == ("echo hello", "fill a")
    # The event wakes the stream at once; only the way back is waited for.
    assert after[0] == pytest.approx(0.1 + 1.0 + 0.05, abs=0.01)
    assert made[0].closed == ["closed"]
    assert len(world.world.venues["bybit"].exchange.state.listeners) == listening


async def test_stream_over_http() -> None:
    made: list[Streaming] = []
    world = build_world(SystemClock(), kinds=[kind(made)])
    listening = len(world.venues["bybit"].exchange.state.listeners)
    server = Server(world, {"admin": 0, "bybit": 0})
    await server.start()
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        async with session.ws_connect(server.url("bybit") + "/fills") as stream:
            await stream.send_str("hello")
            assert await stream.receive_str() == "echo hello"
            buy(world.venues["bybit"].exchange, "a")
            assert await stream.receive_str() == "fill a"
        while not made[0].closed:  # noqa: ASYNC110 - the server says nothing when it has noticed
            await asyncio.sleep(0.01)
        assert len(world.venues["bybit"].exchange.state.listeners) == listening
    await server.stop()
