"""The KuCoin adapter with its streams, followed; see `suite.follower`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

from account_processors.kucoin_processor import KucoinProcessor
from account_processors.kucoin_stream import PrivateStream
from simulator.facades.kucoin import KucoinFacade
from tests.contract.adapter_bench import Bench
from tests.contract.kucoin_bench import BENCH
from tests.contract.suite.follower import Followed

STREAM, TOKEN = "stream", "POST /api/v1/bullet-private"


def run(where: str, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    BENCH.run(where, scenario, streams=True)


def private_stream(sut: Followed) -> PrivateStream:
    assert isinstance(sut.adapter, KucoinProcessor)
    assert sut.adapter.private_stream is not None
    return sut.adapter.private_stream


def counts(sut: Followed) -> tuple[int, int, int]:
    """Messages that were foreign, repeated, and gaps."""
    found = private_stream(sut).counts
    return found.foreign, found.repeats, found.gaps


def facade(bench: Bench) -> KucoinFacade:
    found = bench.world.venues["kucoin"].facade
    assert isinstance(found, KucoinFacade)
    return found


def asked_for(bench: Bench, endpoint: str) -> int:
    return facade(bench).counts().by_endpoint.get(endpoint, 0)


def queries(bench: Bench) -> list[dict[str, list[str]]]:
    """Of every connection, in order."""
    return [parse_qs(urlsplit(one.url).query) for one in bench.recorder.connected]
