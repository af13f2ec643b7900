"""The Bybit adapter with its streams against the simulated venue, in memory on virtual time or over real websockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from account_processors import load
from account_processors.bybit_processor import BybitProcessor
from account_processors.shared import VenueShared
from account_processors.stream import Habits
from account_processors.transport import HttpTransport
from core.domain import AccountId, VenueEvent, VenueEventKind
from core.errors import VenueError
from tests.contract.adapter_bench import DEADLINE_S, Bench, Chance

UP, DOWN = VenueEventKind.STREAM_UP, VenueEventKind.STREAM_DOWN
FILL, ORDER = VenueEventKind.FILL, VenueEventKind.ORDER
POSITION, EQUITY = VenueEventKind.POSITION, VenueEventKind.EQUITY
PRIVATE, PUBLIC = "GET /v5/private", "GET /v5/public/linear"
SOON_S = 15.0
"""How long is waited for what must happen; in memory that costs nothing."""
IN_A_HURRY = Habits(ping_every_s=0.2, silent_after_s=0.7, pause_first_s=0.1)
"""Over real sockets, where waiting takes time."""


@dataclass
class Followed:
    """An adapter whose events are collected. `bench.adapter` is the same one."""

    bench: Bench
    adapter: BybitProcessor
    shared: VenueShared
    got: list[VenueEvent] = field(default_factory=list)
    ended: VenueError | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        try:
            async for event in self.adapter.events():
                self.got.append(event)
                self._news.set()
        except VenueError as error:
            self.ended = error
            self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for news that make `true` so."""
        async with asyncio.timeout(SOON_S):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def until_up(self, times: int = 1) -> None:
        await self.until(lambda: len(self.of(UP)) >= times)

    def of(self, kind: VenueEventKind) -> list[VenueEvent]:
        return [one for one in self.got if one.kind is kind]

    def kinds(self) -> list[VenueEventKind]:
        return [one.kind for one in self.got]

    def why(self) -> list[str]:
        return [one.because for one in self.of(DOWN)]

    def connections(self, path: str = PRIVATE) -> int:
        """Websockets the venue was asked for."""
        return self.bench.world.venues["bybit"].facade.counts().by_endpoint.get(path, 0)

    def counts(self) -> tuple[int, int, int]:
        assert self.adapter.private_stream is not None
        counts = self.adapter.private_stream.counts
        return counts.foreign, counts.repeats, counts.gaps


def streaming(
    bench: Bench, name: str = "main", changed: Mapping[str, str] | None = None, shared: VenueShared | None = None
) -> Followed:
    """An adapter of one account that knows where the streams are. Not yet followed."""
    fields = {**bench.world.credentials()["bybit"][name], **(changed or {})}
    shared = shared or VenueShared(bench.clock)
    streams = bench.base_url.replace("http", "ws", 1)
    place = (bench.recorder, bench.clock, Chance(), bench.base_url, streams, shared)
    adapter = load("bybit")(AccountId(f"bybit-{name}"), fields, *place, deadline_s=DEADLINE_S)
    assert isinstance(adapter, BybitProcessor)
    assert adapter.private_stream is not None
    if isinstance(bench.recorder.inner, HttpTransport):
        client = adapter.private_stream.client
        client._habits = client._pauses._habits = IN_A_HURRY
    return Followed(bench, adapter, shared)


@asynccontextmanager
async def followed(
    bench: Bench, name: str = "main", changed: Mapping[str, str] | None = None
) -> AsyncIterator[Followed]:
    """The same, its events followed from now on until the end."""
    sut = streaming(bench, name, changed)
    bench.adapter = sut.adapter
    following = asyncio.create_task(sut.follow())
    try:
        yield sut
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await sut.shared.close()
