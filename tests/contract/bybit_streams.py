"""The Bybit adapter with its streams, followed; see `suite.follower`. Over real sockets it is in a hurry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from account_processors.bybit_processor import BybitProcessor
from account_processors.bybit_stream import PrivateStream
from account_processors.shared import VenueShared
from account_processors.stream import Habits
from account_processors.transport import HttpTransport
from tests.contract.adapter_bench import Bench
from tests.contract.suite import follower
from tests.contract.suite.follower import DOWN, EQUITY, FILL, ORDER, POSITION, UP, Followed, following

__all__ = ["DOWN", "EQUITY", "FILL", "ORDER", "POSITION", "UP", "Followed", "followed", "streaming"]

PRIVATE, PUBLIC = "GET /v5/private", "GET /v5/public/linear"
IN_A_HURRY = Habits(ping_every_s=0.2, silent_after_s=0.7, pause_first_s=0.1)
"""Where waiting takes time."""


def private_stream(sut: Followed) -> PrivateStream:
    assert isinstance(sut.adapter, BybitProcessor)
    assert sut.adapter.private_stream is not None
    return sut.adapter.private_stream


def counts(sut: Followed) -> tuple[int, int, int]:
    """Messages that were foreign, repeated, and gaps."""
    counts = private_stream(sut).counts
    return counts.foreign, counts.repeats, counts.gaps


def connections(sut: Followed, path: str = PRIVATE) -> int:
    """Websockets the venue was asked for."""
    return sut.bench.world.venues["bybit"].facade.counts().by_endpoint.get(path, 0)


def streaming(
    bench: Bench, name: str = "main", changed: Mapping[str, str] | None = None, shared: VenueShared | None = None
) -> Followed:
    bench.place_of = replace(bench.place_of, streams=True)
    sut = follower.streaming(bench, name, changed, shared)
    if isinstance(bench.recorder.inner, HttpTransport):
        client = private_stream(sut).client
        client._habits = client._pauses._habits = IN_A_HURRY
    return sut


@asynccontextmanager
async def followed(
    bench: Bench, name: str = "main", changed: Mapping[str, str] | None = None
) -> AsyncIterator[Followed]:
    """Its events followed from now on until the end. `bench.adapter` becomes the same one."""
    sut = streaming(bench, name, changed)
    bench.adapter = sut.adapter
    async with following(sut):
        yield sut
