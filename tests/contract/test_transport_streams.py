"""The transport's websockets against real loopback servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp.web
import pytest

from core.errors import Lost, NotSent
from core.ports import Request, StreamRequest
from tests.contract.transport_server import hang, serving, transport


async def echo(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
    socket, query = aiohttp.web.WebSocketResponse(), request.raw_path.partition("?")[2]
    await socket.prepare(request)
    async for message in socket:
        if message.data == "bye":
            await socket.close(code=4001)
        elif message.data == "binary":
            await socket.send_bytes(b"as text")
        elif message.data == "noise":
            await socket.send_bytes(b"\xff\xfe")
        else:
            await socket.send_str(f"{message.data} {query}")
    return socket


@asynccontextmanager
async def websocket_server() -> AsyncIterator[str]:
    application = aiohttp.web.Application()
    application.router.add_get("/ws", echo)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # an asyncio server has sockets
    try:
        yield f"ws://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_a_stream_carries_text_both_ways_and_says_when_it_ended() -> None:
    async with websocket_server() as url, transport() as sut:
        stream = await sut.connect(StreamRequest(f"{url}/ws?token=a%3Ab"))
        await stream.send("hello")
        assert await stream.receive() == "hello token=a%3Ab"
        await stream.send("binary")
        assert await stream.receive() == "as text"
        await stream.send("bye")
        with pytest.raises(Lost, match="4001"):
            await stream.receive()
        with pytest.raises(Lost):
            await stream.receive()
        await stream.close()


async def test_a_frame_that_is_not_text_ends_the_stream() -> None:
    async with websocket_server() as url, transport() as sut:
        stream = await sut.connect(StreamRequest(f"{url}/ws"))
        await stream.send("noise")
        with pytest.raises(Lost):
            await stream.receive()
        await stream.close()


async def test_a_refused_websocket_is_lost_and_an_unreachable_one_not_sent() -> None:
    async with websocket_server() as url, transport() as sut:
        with pytest.raises(Lost, match="404"):
            await sut.connect(StreamRequest(f"{url}/nowhere"))
    async with transport() as sut:
        with pytest.raises(NotSent):
            await sut.connect(StreamRequest(f"{url}/ws"))


async def test_a_websocket_that_does_not_answer_is_bounded() -> None:
    async with serving(hang) as server, transport() as sut:
        with pytest.raises(Lost):
            await sut.connect(StreamRequest(server.url.replace("http", "ws"), deadline_s=0.1))


async def test_open_websockets_leave_requests_their_room_and_are_bounded_themselves() -> None:
    async with websocket_server() as url, transport(connections=1, streams=2) as sut:
        streams = [await sut.connect(StreamRequest(f"{url}/ws")) for _ in range(2)]
        assert (await sut.send(Request("GET", url.replace("ws", "http"), deadline_s=1.0))).status == 404
        with pytest.raises(Lost):
            await sut.connect(StreamRequest(f"{url}/ws", deadline_s=0.1))
        await streams[0].close()
        await (await sut.connect(StreamRequest(f"{url}/ws", deadline_s=1.0))).close()
        await streams[1].close()
