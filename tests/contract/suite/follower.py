"""An adapter whose private stream is followed. Checks of every event that it comes between an UP and the next DOWN."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from account_processors.shared import VenueShared
from core.domain import VenueEvent, VenueEventKind
from core.errors import VenueError
from core.ports import AccountProcessor
from tests.contract.adapter_bench import Bench

UP, DOWN = VenueEventKind.STREAM_UP, VenueEventKind.STREAM_DOWN
FILL, ORDER = VenueEventKind.FILL, VenueEventKind.ORDER
POSITION, EQUITY = VenueEventKind.POSITION, VenueEventKind.EQUITY
SOON_S = 15.0
"""How long is waited for what must happen; in memory that costs nothing."""


@dataclass
class Followed:
    """An adapter whose events are collected."""

    bench: Bench
    adapter: AccountProcessor
    shared: VenueShared
    got: list[VenueEvent] = field(default_factory=list)
    ended: VenueError | None = None
    standing: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        try:
            async for event in self.adapter.events():
                self._take(event)
        except VenueError as error:
            self.ended = error
            self._news.set()

    def _take(self, event: VenueEvent) -> None:
        assert self.standing or event.kind in (UP, DOWN), f"{event.kind} while the stream is down"
        self.standing = event.kind is UP or (self.standing and event.kind is not DOWN)
        self.got.append(event)
        self._news.set()

    async def until(self, true: Callable[[], bool], within_s: float = SOON_S) -> None:
        """Waits for news that make `true` so."""
        async with asyncio.timeout(within_s):
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


def streaming(
    bench: Bench, name: str = "main", changed: Mapping[str, str] | None = None, shared: VenueShared | None = None
) -> Followed:
    """An adapter of one account that knows where the streams are, as `bench` must too. Not yet followed."""
    assert bench.place_of.streams
    shared = shared or VenueShared(bench.clock)
    return Followed(bench, bench.another(name, changed, shared), shared)


@asynccontextmanager
async def following(sut: Followed) -> AsyncIterator[Followed]:
    """Its events are followed from now on until the end."""
    task = asyncio.create_task(sut.follow())
    try:
        yield sut
    finally:
        task.cancel()
        (ending,) = await asyncio.gather(task, return_exceptions=True)
        await sut.shared.close()
    if isinstance(ending, AssertionError):
        raise ending


@asynccontextmanager
async def followed(
    bench: Bench, name: str = "main", changed: Mapping[str, str] | None = None
) -> AsyncIterator[Followed]:
    """The adapter of one account, followed; for `main` it becomes the bench's own."""
    sut = streaming(bench, name, changed)
    if name == "main":
        bench.adapter = sut.adapter
    async with following(sut):
        yield sut
