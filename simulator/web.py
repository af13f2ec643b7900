"""The simulated world over HTTP: aiohttp in front of the facades and of the admin, on the loopback alone."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import WSMsgType, web

from core.ports import Request, Response, StreamRequest
from simulator.admin import Admin
from simulator.faults import CLEAN, Ending, Verdict
from simulator.streams import MAX_FRAME_CHARS, Ended, Line
from simulator.world import Venue, World

HOST = "127.0.0.1"
SHUTDOWN_S = 1.0
ADVANCE_S = 0.25
GONE_POLL_S = 0.05
SLOW_READER_S = 5.0
"""How long a client may take to read what the kernel no longer buffers for it; then it loses its stream."""

log = logging.getLogger("simulator")


class PortTaken(Exception):
    """A port cannot be listened on; nothing is served."""


def _why(error: OSError) -> str:
    return "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)


class VenueSite:
    """One venue's address: every path goes to its facade, through the faults."""

    def __init__(self, world: World, name: str, rtt_s: float) -> None:
        self._world = world
        self._name = name
        self._venue: Venue = world.venues[name]
        self._rtt_s = rtt_s
        self._lines: set[Line] = set()

    def hang_up(self) -> None:
        """Ends every stream."""
        for line in tuple(self._lines):
            line.close()

    async def handle(self, arrived: web.BaseRequest) -> web.StreamResponse:
        request = Request(
            method=arrived.method,
            url=f"{arrived.scheme}://{arrived.host}{arrived.raw_path}",
            headers={name.lower(): value for name, value in arrived.headers.items()},
            body=await arrived.read(),
        )
        verdict = self._world.faults.verdict(self._name, lambda: self._venue.facade.classify(request))
        if verdict is not CLEAN:
            log.info("%s: a fault meets %s %s: %s", self._name, request.method, arrived.path, _told(verdict))
        await self._wait(verdict.before_s)
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._handshake(arrived, request, verdict)
        answer = self._venue.respond(request, verdict)
        if verdict.ending is Ending.HANG:
            await _until_gone(arrived, verdict.hang_s)
        await self._wait(verdict.after_s)
        if answer is None:
            return _break_off(arrived, hard=verdict.ending is Ending.RESET)
        return _shown(answer)

    async def _wait(self, extra_s: float) -> None:
        delay_s = self._rtt_s / 2 + extra_s
        if delay_s:
            await asyncio.sleep(delay_s)

    async def _handshake(self, arrived: web.BaseRequest, request: Request, verdict: Verdict) -> web.StreamResponse:
        if verdict.ending is Ending.HANG:
            await _until_gone(arrived, verdict.hang_s)
        if verdict.ending is not Ending.ANSWER:
            return _break_off(arrived, hard=verdict.ending is Ending.RESET)
        if verdict.status is not None:
            return web.Response(status=verdict.status)
        session = self._venue.facade.session(StreamRequest(request.url, request.headers))
        if isinstance(session, Response):
            return _shown(session)
        websocket = web.WebSocketResponse(max_msg_size=MAX_FRAME_CHARS)
        line = Line(session, self._venue.exchange, self._world.faults, self._world.clock, self._rtt_s / 2)
        self._lines.add(line)
        writing = None
        try:
            await websocket.prepare(arrived)
            writing = asyncio.create_task(self._write(arrived, websocket, line))
            await self._read(websocket, line)
        finally:
            self._lines.discard(line)
            line.close()
            if writing is not None:
                writing.cancel()
                with suppress(asyncio.CancelledError):
                    await writing
        return websocket

    async def _read(self, websocket: web.WebSocketResponse, line: Line) -> None:
        async for message in websocket:
            if message.type is not WSMsgType.TEXT:
                continue
            if self._rtt_s:
                asyncio.get_running_loop().call_later(self._rtt_s / 2, line.take, message.data)
            else:
                line.take(message.data)

    async def _write(self, arrived: web.BaseRequest, websocket: web.WebSocketResponse, line: Line) -> None:
        """Sends until the client is gone, the venue hangs up, or nobody reads."""
        hard: bool | None = True
        try:
            while not websocket.closed:
                frame = await line.next()
                async with asyncio.timeout(SLOW_READER_S):
                    await websocket.send_str(frame)
        except Ended as ended:
            hard = ended.ending is Ending.RESET
        except TimeoutError:
            log.warning("%s: a client read nothing for %g s; its stream was closed", self._name, SLOW_READER_S)
        except ConnectionError:
            pass  # the client is gone, which the reading side sees too
        except asyncio.CancelledError:
            hard = None  # the reading side has ended the stream already
            raise
        finally:
            if hard is not None:
                _hang_up(arrived, hard=hard)


class AdminSite:
    """The admin's address."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    async def handle(self, arrived: web.BaseRequest) -> web.StreamResponse:
        answer = self._admin.handle(arrived.method, arrived.path, await arrived.read())
        text = json.dumps(answer.value, separators=(",", ":")) + "\n"
        return web.Response(status=answer.status, text=text, content_type="application/json")


def _told(verdict: Verdict) -> str:
    """A verdict in words, for the log."""
    words = [verdict.ending.value if verdict.ending is not Ending.ANSWER else ""]
    words.append(f"waits {verdict.before_s + verdict.after_s:g} s" if verdict.before_s + verdict.after_s else "")
    words.append(f"status {verdict.status}" if verdict.status else "")
    words.append("garbage" if verdict.cut else "empty" if verdict.empty else "")
    words.append(f"code {verdict.code}" if verdict.code else "")
    words.append("" if verdict.landed else "not executed")
    return ", ".join(word for word in words if word) or "it runs under conditions"


async def _until_gone(arrived: web.BaseRequest, at_most_s: float) -> None:
    """Waits until the client hangs up."""
    for _ in range(int(at_most_s / GONE_POLL_S)):
        if arrived.transport is None or arrived.transport.is_closing():
            return
        await asyncio.sleep(GONE_POLL_S)


def _shown(answer: Response) -> web.Response:
    return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


def _break_off(arrived: web.BaseRequest, *, hard: bool) -> web.Response:
    """Closes the connection without an answer; `hard`: with a TCP reset. What it returns reaches nobody."""
    unseen = web.Response(status=500)
    transport = arrived.transport
    if transport is None:
        return unseen
    if hard and (sock := transport.get_extra_info("socket")) is not None:
        # Lingering for zero seconds turns the close into a reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    return unseen


def _hang_up(arrived: web.BaseRequest, *, hard: bool) -> None:
    """Ends a stream without a closing frame; unless `hard`, what was sent still arrives at a client that reads it."""
    transport = arrived.transport
    if hard or transport is None:
        _break_off(arrived, hard=hard)
    else:
        transport.close()
        asyncio.get_running_loop().call_later(SLOW_READER_S, transport.abort)


class Server:
    """All addresses of a world. `ports`: venue name (or `admin`) -> port, 0 for any that is free."""

    def __init__(self, world: World, ports: Mapping[str, int], rtt_s: float = 0.0) -> None:
        self._world = world
        self._ports = dict(ports)
        self._rtt_s = rtt_s
        self._runners: list[web.ServerRunner] = []
        self._venues: list[VenueSite] = []
        self._advancing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens everywhere, or nowhere: raises `PortTaken` naming the port that could not be had."""
        try:
            for name, port in self._ports.items():
                await self._listen(name, port)
        except PortTaken:
            await self.stop()
            raise
        self._advancing = asyncio.create_task(self._advance())

    async def stop(self) -> None:
        if self._advancing is not None:
            self._advancing.cancel()
            await asyncio.gather(self._advancing, return_exceptions=True)
        for site in self._venues:
            site.hang_up()
        for runner in self._runners:
            await runner.cleanup()

    def url(self, name: str, scheme: str = "http") -> str:
        return f"{scheme}://{HOST}:{self._ports[name]}"

    def ready_lines(self) -> list[str]:
        """One JSON line per venue, in the order of the ports."""
        return [
            self._world.ready_line(name, self.url(name), self.url(name, "ws"), self.url("admin"))
            for name in self._world.venues
        ]

    async def _listen(self, name: str, port: int) -> None:
        site: AdminSite | VenueSite = AdminSite(Admin(self._world))
        if name != "admin":
            site = VenueSite(self._world, name, self._rtt_s)
            self._venues.append(site)
        runner = web.ServerRunner(web.Server(site.handle, access_log=None), shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise PortTaken(f"{HOST}:{port} (wanted for {name}) cannot be listened on: {_why(error)}") from error
        self._ports[name] = runner.addresses[0][1]

    async def _advance(self) -> None:
        """Keeps funding, resting orders and liquidations going while nobody asks."""
        while True:
            for venue in self._world.venues.values():
                venue.exchange.advance()
            await asyncio.sleep(ADVANCE_S)
