"""Connections carried by both transports: answers, pushes after events, bounds, and the end of the line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import pytest

from core.clock import SystemClock
from core.errors import Lost
from simulator import streams
from simulator.streams import FRAME_COST_CHARS, MAX_FRAME_CHARS, MAX_WAITING_CHARS
from simulator.web import Server
from simulator.world import build_world
from tests.unit.simulator.stream_play import FILLS, Play, Streaming, buy, kind, play

LONG = "x" * (10_000 - FRAME_COST_CHARS - len("echo "))
FRAMES = MAX_WAITING_CHARS // 10_000


def test_memory_stream() -> None:
    async def run(it: Play) -> list[tuple[float, str]]:
        seen = []
        listening = len(it.exchange.state.listeners)
        start = it.now()
        await it.stream.send("hello")
        seen.append((it.now() - start, await it.stream.receive()))
        asyncio.get_running_loop().call_later(1.0, it.buy, "a")
        seen.append((0.0, await it.stream.receive()))
        seen.append((it.now() - start, "after"))
        await it.stream.close()
        await it.stream.close()
        with pytest.raises(Lost):
            await it.stream.receive()
        with pytest.raises(Lost):
            await it.stream.send("hello")
        assert it.log[-1] == "closed"
        assert len(it.exchange.state.listeners) == listening - 2, "the session and its line listen no more"
        return seen

    echoed, pushed, after = play(run, rtt_s=0.1)
    assert (echoed[1], pushed[1]) == ("echo hello", "fill a")
    # The event wakes the stream at once; only the way back is waited for.
    assert after[0] == pytest.approx(0.1 + 1.0 + 0.05, abs=0.001)


def test_a_session_is_asked_no_more_often_than_it_wants() -> None:
    async def run(it: Play) -> int:
        reading = asyncio.ensure_future(it.stream.receive())
        await asyncio.sleep(3600.0)
        reading.cancel()
        return it.log.count("push")

    assert play(run) <= 62


def test_the_last_word_arrives_before_the_end() -> None:
    async def run(it: Play) -> None:
        await it.stream.send("bye")
        assert await it.stream.receive() == "echo bye"
        with pytest.raises(Lost, match="ended the stream"):
            await it.stream.receive()
        assert it.log[-1] == "closed"

    play(run)


def test_closing_ends_a_read_that_waits() -> None:
    async def run(it: Play) -> None:
        reading = asyncio.ensure_future(it.stream.receive())
        await asyncio.sleep(0.01)
        await it.stream.close()
        with pytest.raises(Lost):
            await reading

    play(run)


def test_who_does_not_read_is_cut_off() -> None:
    async def run(it: Play) -> None:
        for _ in range(FRAMES + 1):
            await it.stream.send(LONG)
        await it.stream.send("nobody hears this")
        with pytest.raises(Lost):
            await it.stream.receive()
        assert it.log[-1] == "closed"

    play(run)


def test_who_keeps_to_the_bound_misses_nothing() -> None:
    async def run(it: Play) -> None:
        for _ in range(2):
            for _ in range(FRAMES):
                await it.stream.send(LONG)
            assert [await it.stream.receive() for _ in range(FRAMES)] == [f"echo {LONG}"] * FRAMES

    play(run)


def test_a_frame_that_is_too_long_ends_the_stream() -> None:
    async def run(it: Play) -> None:
        await it.stream.send("x" * MAX_FRAME_CHARS)
        assert len(await it.stream.receive()) > MAX_FRAME_CHARS
        await it.stream.send("x" * (MAX_FRAME_CHARS + 1))
        with pytest.raises(Lost):
            await it.stream.receive()

    play(run)


# --- over HTTP --------------------------------------------------------------------------------------------------------


async def until(what: Callable[[], bool]) -> None:
    while not what():  # noqa: ASYNC110 - the server says nothing when it has noticed
        await asyncio.sleep(0.01)


async def test_stream_over_http() -> None:
    made: list[Streaming] = []
    world = build_world(SystemClock(), kinds=[kind(made)])
    listening = len(world.venues["bybit"].exchange.state.listeners)
    server = Server(world, {"admin": 0, "bybit": 0})
    await server.start()
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(10):
            async with session.ws_connect(server.url("bybit") + FILLS) as stream:
                await stream.send_str("hello")
                assert await stream.receive_str() == "echo hello"
                buy(world.venues["bybit"].exchange, "a")
                assert await stream.receive_str() == "fill a"
            await until(lambda: made[0].log[-1] == "closed")
            assert len(world.venues["bybit"].exchange.state.listeners) == listening
            assert stream.close_code == 1000
            async with session.ws_connect(server.url("bybit") + FILLS) as stream:
                await stream.send_str("bye")
                assert await stream.receive_str() == "echo bye"
                assert (await stream.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            await until(lambda: made[0].log.count("closed") == 2)
    finally:
        await server.stop()


async def test_who_does_not_read_is_cut_off_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.web.SLOW_READER_S", 0.2)
    made: list[Streaming] = []
    world = build_world(SystemClock(), kinds=[kind(made)])
    server = Server(world, {"admin": 0, "bybit": 0})
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url("bybit").rpartition(":")[2]))
    try:
        async with asyncio.timeout(20):
            upgrade = f"GET {FILLS} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            upgrade += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            writer.write(upgrade.encode())
            assert b"101 Switching" in await reader.readuntil(b"\r\n\r\n")
            # Asks for far more than the kernel and both ends buffer, and reads none of it.
            long = b"\x81\xfe\xff\x00" + bytes(4) + b"y" * 0xFF00
            with pytest.raises(ConnectionError):
                await flood(writer, long)
            await until(lambda: made[0].log[-1] == "closed")
    finally:
        writer.transport.abort()
        await server.stop()


async def flood(writer: asyncio.StreamWriter, data: bytes) -> None:
    while True:
        writer.write(data)
        await writer.drain()


async def test_a_broken_session_does_not_leave_its_stream_open(caplog: pytest.LogCaptureFixture) -> None:
    made: list[Streaming] = []
    world = build_world(SystemClock(), kinds=[kind(made)])
    server = Server(world, {"admin": 0, "bybit": 0})
    await server.start()
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(10):
            async with session.ws_connect(server.url("bybit") + FILLS) as stream:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(streams.Line, "next", broken)
                    async with session.ws_connect(server.url("bybit") + FILLS) as other:
                        assert (await other.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
                await stream.send_str("hello")
                assert await stream.receive_str() == "echo hello"
            await until(lambda: "a bug in the session" in caplog.text)
    finally:
        await server.stop()


async def broken(line: streams.Line) -> str:
    raise ValueError("a bug in the session")
