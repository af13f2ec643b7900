"""The one HTTP and websocket client: every byte to and from a venue passes here, exactly once.

What makes it safe to put an order through:

* A request is sent once. No redirect is followed, no proxy is taken from the environment, no cookie is kept, and
  aiohttp's own repetition of idempotent requests on a broken keep-alive connection is out of reach (see `_once`).
* A failure says how far the request came. `NotSent`: no connection was ever handed to it, so no byte of it left.
  `Lost`: everything after that, whatever it looks like; the venue may have acted.
* Time, memory and connections are bounded. The deadline covers waiting for a connection, sending and the whole answer.

This module knows no venue and loads no SDK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from core.clock import SystemClock
from core.errors import Lost, NotSent, TransportError
from core.ports import Clock, Request, Response, Stream, StreamRequest

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_FRAME_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class _Progress:
    """How far one request came. `connected` turns true when a connection is handed to it, before its first byte."""

    connected: bool = False


async def _mark(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    if isinstance(context.trace_request_ctx, _Progress):  # a websocket's handshake carries none
        context.trace_request_ctx.connected = True


def _tracing() -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(_mark)
    config.on_connection_reuseconn.append(_mark)
    return config


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Turns the errors aiohttp would answer with a second attempt into ours, which it does not know how to repeat."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError as error:
        raise NotSent(_text(error)) from None
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Lost(_text(error)) from None


def _text(error: BaseException) -> str:
    if isinstance(error, TransportError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class HttpTransport:
    """`ports.Transport` over aiohttp sessions, made at the first use inside the running loop.

    `keepalive_s` is how long an idle connection is kept; `connections` bounds those in use at once (more wait, within
    their deadline), `streams` the open websockets apart from them: those last, and would leave requests no room.
    Response headers are lower case; equal ones are joined by a comma.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        connections: int = 64,
        streams: int = 256,
        keepalive_s: float = 45.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._connections = connections
        self._most_streams = streams
        self._keepalive_s = keepalive_s
        self._max_body_bytes = max_body_bytes
        self._max_frame_bytes = max_frame_bytes
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: Request, take: Callable[[bytes], None] | None = None) -> Response:
        """Sends `request` as it is: the URL is not re-encoded, the body is not touched. Gzip is undone.

        With `take` an answer of status 200 is handed to it piece by piece as it arrives, and the response's body is
        empty; what `take` raises ends the reading and comes out of here.
        """
        session = self._session = self._open(self._session, self._connections)
        progress = _Progress()
        started_s = self._clock.monotonic()
        try:
            async with asyncio.timeout(request.deadline_s):
                async with session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=dict(request.headers),
                    data=request.body or None,
                    allow_redirects=False,
                    trace_request_ctx=progress,
                ) as answer:
                    body = await self._body(answer, take if answer.status == 200 else None)
        except TimeoutError:
            raise _failure(request, progress, f"no complete answer within {request.deadline_s:g} s") from None
        except (aiohttp.ClientError, TransportError, OSError, ValueError) as error:
            raise _failure(request, progress, _text(error)) from None
        return Response(
            status=answer.status,
            headers=_headers(answer),
            body=body,
            received_at=self._clock.time(),
            elapsed_s=self._clock.monotonic() - started_s,
        )

    async def connect(self, request: StreamRequest) -> Stream:
        """Opens a websocket. Raises `NotSent` when no connection came about, `Lost` for every later failure."""
        session = self._streams = self._open(self._streams, self._most_streams)
        place = _place(request.url)
        try:
            async with asyncio.timeout(request.deadline_s):
                socket = await session.ws_connect(
                    URL(request.url, encoded=True),
                    headers=dict(request.headers),
                    autoclose=True,
                    autoping=True,
                    max_msg_size=self._max_frame_bytes,
                )
        except TimeoutError:
            raise Lost(f"{place}: no websocket within {request.deadline_s:g} s") from None
        except NotSent as error:
            raise NotSent(f"{place}: {error}") from None
        except aiohttp.WSServerHandshakeError as error:
            raise Lost(f"{place} refused the websocket with HTTP {error.status}") from None
        except (aiohttp.ClientError, TransportError, OSError, ValueError) as error:
            raise Lost(f"{place}: {_text(error)}") from None
        return _WebSocket(socket, place)

    async def close(self) -> None:
        """Closes every connection. Sending afterwards raises `NotSent`."""
        self._closed = True
        for session in (self._session, self._streams):
            if session is not None:
                await session.close()

    def _open(self, session: aiohttp.ClientSession | None, limit: int) -> aiohttp.ClientSession:
        if self._closed:
            raise NotSent("the transport is closed; nothing was sent")
        return session or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, keepalive_timeout=self._keepalive_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Our own timer bounds the whole; aiohttp's rounds long time-outs up to full seconds.
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            headers={"Accept-Encoding": "gzip, deflate"},
            trust_env=False,
            trace_configs=[_tracing()],
            middlewares=[_once],
        )

    async def _body(self, answer: aiohttp.ClientResponse, take: Callable[[bytes], None] | None) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in answer.content.iter_any():
            size += len(part)
            if size > self._max_body_bytes:
                answer.close()
                raise TransportError(f"the answer is larger than {self._max_body_bytes} bytes")
            if take is None:
                parts.append(part)
            else:
                take(part)
        return b"".join(parts)


def _failure(request: Request, progress: _Progress, why: str) -> TransportError:
    place = _place(request.url)
    return Lost(f"{place}: {why}") if progress.connected else NotSent(f"{place}: {why}; nothing was sent")


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _place(url: str) -> str:
    """Host and path for messages; the query is left out, some venues sign inside it."""
    return url.partition("?")[0]


class _WebSocket:
    """`ports.Stream` over an aiohttp websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[Any], place: str) -> None:
        self._socket = socket
        self._place = place

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Lost(f"{self._place}: {_text(error)}") from None

    async def receive(self) -> str:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            try:
                return bytes(message.data).decode()
            except UnicodeDecodeError:
                raise Lost(f"{self._place} sent a binary frame that is not text") from None
        raise Lost(f"{self._place} ended the stream ({message.type.name}, code {self._socket.close_code})")

    async def close(self) -> None:
        await self._socket.close()
