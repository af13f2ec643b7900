"""The Bybit adapter's prices from the simulated venue's ticker stream: the same as by request, and never older."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal

import pytest

from core.domain import Symbol
from core.errors import Unavailable
from tests.contract.bybit_bench import BTC, ETH, Bench, run
from tests.contract.bybit_streams import PUBLIC, Followed, connections, streaming
from tests.contract.suite.benches import BOTH

D = Decimal
SOL = Symbol("SOLUSDT")
TICKERS = "GET /v5/market/tickers"


async def asked(sut: Followed, *symbols: Symbol) -> bool:
    """Whether the prices had to be asked for."""
    sut.bench.recorder.sent.clear()
    found = await sut.adapter.prices(symbols)
    assert set(found) == set(symbols)
    return TICKERS in sut.bench.recorder.paths()


async def until_streamed(sut: Followed, *symbols: Symbol) -> None:
    async with asyncio.timeout(10):
        while await asked(sut, *symbols):  # noqa: ASYNC110  # a fresh price is no event
            await asyncio.sleep(0.1)


@BOTH
def test_prices_are_streamed_once_they_were_asked_for(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        assert await asked(sut, BTC, ETH)
        await until_streamed(sut, BTC, ETH)
        other = streaming(bench, "second", shared=sut.shared)
        await other.adapter.equity()  # from which it learns the venue's time
        assert not await asked(other, ETH, BTC)
        assert connections(sut, PUBLIC) == 1
        await sut.shared.close()

    run(where, scenario)


@BOTH
def test_streamed_prices_are_those_of_a_request(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        await sut.adapter.prices([BTC])
        bench.admin.price({"symbol": BTC, "price": "50200", "last": "50100"})
        await asyncio.sleep(0.5)
        assert not await asked(sut, BTC)
        streamed = (await sut.adapter.prices([BTC]))[BTC]
        read = (await bench.adapter.prices([BTC]))[BTC]
        assert (streamed.mark, streamed.last, streamed.bid, streamed.ask) == (read.mark, read.last, read.bid, read.ask)
        assert streamed.mark == D(50_200)
        assert 0 <= bench.clock.time() - streamed.at <= 2
        await sut.shared.close()

    run(where, scenario)


@BOTH
def test_a_change_is_there_at_once(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        await sut.adapter.prices([BTC])
        for price in ("50100", "50250", "50300"):
            bench.admin.price({"symbol": BTC, "price": price})
            await asyncio.sleep(0.4)
            assert not await asked(sut, BTC)
            assert (await sut.adapter.prices([BTC]))[BTC].mark == D(price)
        await sut.shared.close()

    run(where, scenario)


def test_a_price_that_stands_still_is_asked_for_after_two_seconds() -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        await sut.adapter.prices([BTC])
        await asyncio.sleep(1.5)
        assert not await asked(sut, BTC)
        await asyncio.sleep(1)
        assert await asked(sut, BTC)
        bench.admin.price({"symbol": BTC, "price": "50100"})
        await asyncio.sleep(0.5)
        assert not await asked(sut, BTC)
        await sut.shared.close()

    run("memory", scenario)


@pytest.mark.parametrize("kind", ["hang", "drop_before", "garbage", "empty", "ws_gap"])
def test_a_stream_that_fails_never_yields_an_old_price(kind: str) -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        await sut.adapter.prices([BTC])
        await until_streamed(sut, BTC)
        bench.fault(kind, "stream", 600_000 if kind == "hang" else None, count=0 if kind != "hang" else 1)
        bench.admin.price({"symbol": BTC, "price": "50400"})
        await asyncio.sleep(2.1)
        for _ in range(20):
            assert (await sut.adapter.prices([BTC]))[BTC].mark == D(50_400)
            await asyncio.sleep(0.5)
        bench.admin.clear_faults(None)
        bench.admin.price({"symbol": BTC, "price": "50500"})
        await asyncio.sleep(20)
        bench.admin.price({"symbol": BTC, "price": "50600"})
        await asyncio.sleep(0.5)
        assert not await asked(sut, BTC)
        assert (await sut.adapter.prices([BTC]))[BTC].mark == D(50_600)
        assert bench.over_limit() == 0
        await sut.shared.close()

    run("memory", scenario)


@pytest.mark.parametrize("late_ms", [1_000, 3_000])
def test_a_late_price_is_as_old_as_it_is(late_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        await sut.adapter.prices([ETH])
        await until_streamed(sut, ETH)
        bench.fault("delay_ms", "stream", late_ms, count=0)
        await asyncio.sleep(10)
        assert await asked(sut, ETH) is (late_ms > 2_000)
        price = (await sut.adapter.prices([ETH]))[ETH]
        assert late_ms > 2_000 or bench.clock.time() - price.at >= late_ms / 1000
        await sut.shared.close()

    run("memory", scenario)


@BOTH
def test_a_symbol_the_venue_does_not_list_costs_the_others_nothing(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        sut, nowhere = streaming(bench), Symbol("NOSUCHUSDT")
        assert set(await sut.adapter.prices([ETH, nowhere])) == {ETH}
        await until_streamed(sut, ETH)
        assert set(await sut.adapter.prices([ETH, nowhere])) == {ETH}
        assert not await asked(sut, ETH)
        assert connections(sut, PUBLIC) == 1
        await sut.shared.close()

    run(where, scenario)


def test_a_venue_whose_clock_is_set_is_followed_on() -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        await sut.adapter.prices([ETH])
        await until_streamed(sut, ETH)
        for offset_ms in (-30_000, 30_000):
            bench.admin.clock({"venue": "bybit", "offset_ms": offset_ms})
            with contextlib.suppress(Unavailable):
                await sut.adapter.equity()  # refused for its time, which tells the venue's
            await asyncio.sleep(1.5)
            assert not await asked(sut, ETH)
            price = (await sut.adapter.prices([ETH]))[ETH]
            assert 0 <= bench.clock.time() - price.at <= 2
        await sut.shared.close()

    run("memory", scenario)


def test_many_symbols_are_streamed_together() -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        many = sorted(
            symbol for symbol, it in (await sut.adapter.instruments()).items() if it.tradable and symbol != BTC
        )
        assert len(many) >= 20
        assert await asked(sut, *many)
        await until_streamed(sut, *many)
        assert connections(sut, PUBLIC) == 1
        await sut.shared.close()

    run("memory", scenario)
