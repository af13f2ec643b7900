"""What of Bybit's streams no other venue has, when the venue or the way to it fails; the rest is in the suite."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from tests.contract.bybit_bench import BTC, Bench, order, run
from tests.contract.bybit_streams import (
    DOWN,
    EQUITY,
    FILL,
    ORDER,
    POSITION,
    UP,
    Followed,
    connections,
    counts,
    followed,
)
from tests.contract.suite.benches import BOTH

D = Decimal
STREAM = "stream"


async def heard_again(sut: Followed, ups: int = 2) -> None:
    """The stream is up again, and what happens from now on is told whole."""
    await sut.until_up(ups)
    sut.got.clear()
    await sut.bench.place(order("0.001"))
    await sut.until(lambda: bool(sut.of(EQUITY)))
    assert sorted(sut.kinds()) == sorted([FILL, ORDER, POSITION, EQUITY])
    assert sut.bench.over_limit() == 0


# --- the connection ends ----------------------------------------------------------------------------------------------

ENDINGS = [
    # kind, value, what is said of it
    ("drop_before", None, "ended the stream"),
    ("garbage", "[]", "not an object"),
    ("garbage", '{"topic":"position"}', "creationTime"),
    ("garbage", '{"topic":"position","topic":"position"}', "twice"),
    ("garbage", '{"topic":"position","data":NaN}', "not a number"),
    ("empty", None, "not JSON"),
]


@pytest.mark.parametrize(("kind", "value", "why"), ENDINGS)
def test_what_ended_the_stream_is_said(kind: str, value: object, why: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault(kind, STREAM, value)
            bench.foreign(BTC, "0.5")
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert why in sut.why()[0]
            await heard_again(sut)
            assert connections(sut) == 2

    run("memory", scenario)


@BOTH
def test_a_stream_that_closes_behind_a_message_has_told_it(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault("drop_after", STREAM)
            await bench.place(order("0.012"))
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert sut.kinds() == [UP, FILL, DOWN]
            await heard_again(sut)

    run(where, scenario)


# --- silence and delay ------------------------------------------------------------------------------------------------


@BOTH
def test_silence_is_noticed(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault("hang", STREAM, 600_000)
            await bench.place(order("0.012"))
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert sut.kinds() == [UP, DOWN]
            assert "silent" in sut.why()[0]
            await heard_again(sut)

    run(where, scenario)


def test_silence_is_noticed_within_twelve_seconds() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await asyncio.sleep(33.3)
            bench.fault("hang", STREAM, 600_000)
            began = bench.clock.time()
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert 7 <= sut.of(DOWN)[0].at - began <= 12.1

    run("memory", scenario)


def test_a_handshake_that_hangs_is_bounded() -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault("hang", STREAM, 600_000)
        async with followed(bench) as sut:
            await sut.until_up()
            assert "no websocket within" in sut.why()[0]

    run("memory", scenario)


def test_a_stream_that_lags_is_given_up() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault("delay_ms", STREAM, 4_000)
            await bench.place(order("0.012"))
            await sut.until(lambda: len(sut.got) == 5)
            bench.fault("delay_ms", STREAM, 7_000)
            bench.foreign(BTC, "0.5")
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert "7 s late" in sut.why()[0]
            await heard_again(sut)

    run("memory", scenario)


# --- gaps and duplicates ----------------------------------------------------------------------------------------------

Trade = Callable[[Bench], Awaitable[object]]


async def own(bench: Bench) -> None:
    await bench.place(order("0.012"))


async def foreign(bench: Bench) -> None:
    bench.foreign(BTC, "0.5")


HOLES: list[tuple[str, int, Trade, str]] = [
    # messages lost from the first on: execution, order, position, wallet (a foreign trade has no order)
    ("our execution", 1, own, "executions of order"),
    ("another's execution", 1, foreign, "the execution that moved BTCUSDT"),
    ("execution and order", 2, own, "the execution that moved BTCUSDT"),
]


@pytest.mark.parametrize(
    ("where", "what", "lost", "trade", "why"), [("memory", *hole) for hole in HOLES] + [("http", *HOLES[0])]
)
def test_half_a_story_voids_the_stream_without_a_new_connection(
    where: str, what: str, lost: int, trade: Trade, why: str
) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.foreign(BTC, "0.1")
            await sut.until(lambda: bool(sut.of(EQUITY)))
            bench.fault("ws_gap", STREAM, lost)
            await trade(bench)
            await sut.until(lambda: len(sut.of(UP)) == 2)
            assert why in sut.why()[0]
            assert sut.kinds()[-2:] == [DOWN, UP]
            assert connections(sut) == 1
            assert counts(sut)[2] == 1
            await heard_again(sut)

    run(where, scenario)


@BOTH
def test_a_whole_story_that_is_lost_is_for_the_reads_to_find(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault("ws_gap", STREAM, 4)
            await bench.place(order("0.012"))
            assert (await sut.adapter.positions()).of(BTC).contracts == D("0.012")
            assert sut.kinds() == [UP]
            bench.foreign(BTC, "0.5")
            await sut.until(lambda: bool(sut.of(EQUITY)))
            assert sut.kinds()[1:] == [FILL, POSITION, EQUITY]

    run(where, scenario)
