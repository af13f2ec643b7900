"""The simulated world without a network: `ports.Transport` straight to the facades, with the same faults.

Latency runs on the loop's own time, so under a `VirtualLoop` it costs nothing. A request goes on by itself once it is
sent: a client that gives up, or dies, does not take it back. `Transport.send` raises `NotSent` where a venue cannot be
reached and `Lost` for everything a broken connection or a deadline would leave open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlsplit

from core.domain import Symbol
from core.errors import Lost, NotSent
from core.ports import Clock, Request, Response, Stream, StreamRequest
from simulator.admin import Admin
from simulator.facades import VenueKind
from simulator.faults import CLEAN, Ending, Verdict
from simulator.market import PriceSource
from simulator.streams import Line, MemoryStream
from simulator.world import DEFAULT_EQUITY, Venue, World, build_world

SUFFIX = ".sim"


class MemoryTransport:
    """Sends exactly once. `http://<venue>.sim/…` reaches that venue's facade, half of `rtt_s` each way."""

    def __init__(self, world: World, rtt_s: float = 0.0) -> None:
        self.rtt_s = rtt_s
        self._world = world
        self._down: set[str] = set()
        self._under_way: set[asyncio.Task[Response | str]] = set()
        self._closed = False

    def set_reachable(self, venue: str, reachable: bool) -> None:
        """An unreachable venue refuses connections: `NotSent`. Requests already under way arrive."""
        (self._down.discard if reachable else self._down.add)(venue)

    async def send(self, request: Request) -> Response:
        venue, name = self._venue(request.url)
        clock = self._world.clock
        sent_at = clock.monotonic()
        arriving = replace(request, headers={key.lower(): value for key, value in request.headers.items()})
        verdict = self._world.faults.verdict(name, lambda: venue.facade.classify(arriving))
        if verdict is CLEAN and not self.rtt_s:
            await asyncio.sleep(0)
            outcome: Response | str = venue.facade.handle(arriving)
        else:
            task = asyncio.create_task(self._carry(venue, arriving, verdict))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            outcome = await _within(task, request.deadline_s)
        if isinstance(outcome, str):
            raise Lost(f"{name}: {outcome}")
        return replace(outcome, received_at=clock.time(), elapsed_s=clock.monotonic() - sent_at)

    async def connect(self, request: StreamRequest) -> Stream:
        """`ws://<venue>.sim/…`. `NotSent` where the venue is down, `Lost` where it refuses or breaks the handshake."""
        venue, name = self._venue(request.url)
        headers = {key.lower(): value for key, value in request.headers.items()} | {"upgrade": "websocket"}
        handshake = Request("GET", request.url, headers)
        verdict = self._world.faults.verdict(name, lambda: venue.facade.classify(handshake))
        takes_s = self.rtt_s + verdict.before_s + verdict.after_s
        takes_s += verdict.hang_s if verdict.ending is Ending.HANG else 0.0
        await asyncio.sleep(min(takes_s, request.deadline_s))
        if takes_s > request.deadline_s:
            raise Lost(f"{name}: no websocket within {request.deadline_s:g} s")
        if verdict.ending is not Ending.ANSWER:
            raise Lost(f"{name}: {ENDINGS[verdict.ending]}")
        session = Response(verdict.status, {}, b"") if verdict.status else venue.facade.session(request)
        if isinstance(session, Response):
            raise Lost(f"{name} refused the websocket with HTTP {session.status}")
        line = Line(session, venue.exchange, self._world.faults, self._world.clock, self.rtt_s / 2)
        return MemoryStream(line, self.rtt_s / 2)

    async def close(self) -> None:
        """Sending afterwards is `NotSent`. What is under way still arrives, as it would from a client that died."""
        self._closed = True

    def _venue(self, url: str) -> tuple[Venue, str]:
        host = urlsplit(url).hostname or ""
        name = host.removesuffix(SUFFIX)
        venue = self._world.venues.get(name)
        if self._closed:
            raise NotSent("the transport is closed")
        if venue is None or not host.endswith(SUFFIX):
            raise NotSent(f"nothing listens at {host!r}; this world has {', '.join(self._world.venues)}")
        if name in self._down:
            raise NotSent(f"{name}: connection refused")
        return venue, name

    async def _carry(self, venue: Venue, request: Request, verdict: Verdict) -> Response | str:
        """The request's own way there and back; a text says how the connection ended without an answer."""
        await asyncio.sleep(self.rtt_s / 2 + verdict.before_s)
        answer = venue.respond(request, verdict)
        if verdict.ending is Ending.HANG:
            await asyncio.sleep(verdict.hang_s)
        await asyncio.sleep(self.rtt_s / 2 + verdict.after_s)
        return ENDINGS[verdict.ending] if answer is None else answer


ENDINGS = {
    Ending.ANSWER: "no answer",
    Ending.CLOSE: "the connection was closed without an answer",
    Ending.RESET: "connection reset by peer",
    Ending.HANG: "the connection was closed without an answer",
}


async def _within(task: asyncio.Task[Response | str], deadline_s: float) -> Response | str:
    done, _ = await asyncio.wait({task}, timeout=deadline_s)
    return task.result() if done else f"no answer within {deadline_s:g} s"


@dataclass(frozen=True, slots=True)
class MemoryWorld:
    """A world in memory: `transport` for adapters, `admin` for whoever arranges and checks.

    `credentials`: venue -> account name -> fields, `base_url` and `ws_url` included, as `credentials.json` has them.
    """

    world: World
    transport: MemoryTransport
    admin: Admin
    credentials: Mapping[str, Mapping[str, Mapping[str, str]]]


def build_memory_world(
    clock: Clock,
    *,
    seed: int = 7,
    venues: Iterable[str] | None = None,
    accounts: Mapping[str, int | Mapping[str, Decimal]] | None = None,
    equity: Decimal = DEFAULT_EQUITY,
    rtt_s: float = 0.0,
    prices: Mapping[Symbol, PriceSource] | None = None,
    kinds: Iterable[VenueKind] | None = None,
) -> MemoryWorld:
    """A whole simulated world in one call; see `world.build_world` for the arguments."""
    world = build_world(clock, seed=seed, venues=venues, accounts=accounts, equity=equity, prices=prices, kinds=kinds)
    credentials = {
        venue: {
            name: {**fields, "base_url": f"http://{venue}{SUFFIX}", "ws_url": f"ws://{venue}{SUFFIX}"}
            for name, fields in by_name.items()
        }
        for venue, by_name in world.credentials().items()
    }
    return MemoryWorld(world, MemoryTransport(world, rtt_s), Admin(world), credentials)
