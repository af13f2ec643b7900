"""A raw loopback server for the transport's tests: it remembers the requests and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from account_processors.transport import HttpTransport

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass
class Server:
    """A raw TCP server. `requests` are the complete HTTP requests that arrived, in bytes; the first sets `asked`."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Behaviour = Callable[[Server, Reader, Writer], Awaitable[None]]


async def one_request(server: Server, reader: Reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    server.requests.append(head + body)
    server.asked.set()
    return head + body


@asynccontextmanager
async def serving(behave: Behaviour) -> AsyncIterator[Server]:
    server = Server()

    async def handle(reader: Reader, writer: Writer) -> None:
        server.connections += 1
        try:
            await behave(server, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


@asynccontextmanager
async def transport(**options: float) -> AsyncIterator[HttpTransport]:
    made = HttpTransport(**options)  # type: ignore[arg-type]  # keyword options of different number types
    try:
        yield made
    finally:
        await made.close()


def answer(body: bytes = b"{}", *extra: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *extra, "", ""]
    return "\r\n".join(lines).encode() + body


def good(body: bytes = b"{}", *extra: str, status: str = "200 OK") -> Behaviour:
    async def behave(server: Server, reader: Reader, writer: Writer) -> None:
        while True:
            await one_request(server, reader)
            writer.write(answer(body, *extra, status=status))

    return behave


async def hang(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)
    await reader.read()
