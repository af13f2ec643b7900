"""KuCoin's prices from its public stream, whose mark and book are two topics."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from core.domain import Price, Symbol
from tests.contract.kucoin_bench import BTC, Bench
from tests.contract.kucoin_streams import STREAM, run
from tests.contract.suite.benches import BOTH
from tests.contract.suite.follower import Followed, followed

D = Decimal


async def price(sut: Followed, symbol: Symbol = BTC) -> tuple[Price, int]:
    """A price, and the requests it took."""
    before = len(sut.bench.recorder.sent)
    found = (await sut.adapter.prices([symbol]))[symbol]
    return found, len(sut.bench.recorder.sent) - before


@BOTH
def test_prices_come_from_the_stream_once_it_is_there(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            first, requests = await price(sut)
            assert (first.mark, first.last, requests > 0) == (D(50000), D(50000), True)
            await asyncio.sleep(2.5)
            streamed, requests = await price(sut)
            assert (streamed.mark, streamed.last, requests) == (D(50000), None, 0)
            assert streamed.bid is not None
            assert streamed.ask is not None
            assert streamed.bid <= 50000 <= streamed.ask
            assert -0.1 <= bench.clock.time() - streamed.at <= 2.5
            bench.admin.price({"symbol": BTC, "price": "50500"})
            await asyncio.sleep(1.5)
            moved, requests = await price(sut)
            assert (moved.mark, requests) == (D(50500), 0)

    run(where, scenario)


def test_a_price_without_a_stream_or_an_odd_one_is_asked_for() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await price(sut)
            await asyncio.sleep(2.5)
            bench.admin.price({"symbol": BTC, "price": "50000", "last": "52000"})
            await asyncio.sleep(1.5)
            found, requests = await price(sut)
            assert (found.mark, found.last, requests > 0) == (D(50000), D(52000), True)
            bench.admin.price({"symbol": BTC, "price": "50000"})
            await asyncio.sleep(1.5)
            assert (await price(sut))[1] == 0
            bench.fault("hang", STREAM, 600_000, count=2)
            await asyncio.sleep(3.1)
            assert (await price(sut))[1] > 0

    run("memory", scenario)


def test_prices_of_many_symbols_take_few_frames_and_no_request() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            symbols = list(await sut.adapter.instruments())
            for _ in range(3):
                await sut.adapter.prices(symbols)
                await asyncio.sleep(1.5)
            before = len(bench.recorder.sent)
            assert set(await sut.adapter.prices([*symbols])) == set(symbols)
            assert len(bench.recorder.sent) == before
            assert bench.over_limit() == 0
            await sut.adapter.prices([Symbol("NOSUCHUSDT")])
            await asyncio.sleep(1.5)
            assert len(bench.recorder.connected) == 2

    run("memory", scenario)
