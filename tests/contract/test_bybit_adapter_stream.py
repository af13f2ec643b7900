"""What of the Bybit adapter's private stream no other venue has; the rest is in the suite."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import MarginMode, Scope
from tests.contract.bybit_bench import BTC, ETH, Bench, order, run
from tests.contract.bybit_streams import EQUITY, FILL, ORDER, POSITION, connections, counts, followed
from tests.contract.suite.benches import BOTH

D = Decimal


@BOTH
def test_an_order_is_told_as_the_reads_tell_it(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.adapter.preflight()
            await sut.until_up()
            mine = bench.next_id()
            since = bench.clock.time() - 1
            await bench.place(order("0.012"), mine)
            await sut.until(lambda: len(sut.of(POSITION)) == 1 and len(sut.of(EQUITY)) == 1)
            assert sorted(sut.kinds()[1:]) == sorted([FILL, ORDER, POSITION, EQUITY])
            (fill,), (told,), (position,), (equity,) = map(sut.of, (FILL, ORDER, POSITION, EQUITY))
            (read,) = (await sut.adapter.history(since)).fills
            assert fill.fill is not None
            assert replace(fill.fill, time=0.0) == replace(read, time=0.0)
            assert fill.fill.time == pytest.approx(read.time, abs=0.01)
            assert fill.client_id == told.client_id == mine
            outcome = await sut.adapter.find(BTC, mine)
            assert outcome is not None
            assert told.outcome == replace(outcome, seq=None, fee=None)
            assert position.position == (await sut.adapter.positions()).of(BTC)
            assert position.position is not None
            assert position.position.seq == fill.fill.seq == outcome.seq
            assert position.position.margin_mode is MarginMode.CROSS
            assert equity.equity is not None
            assert equity.equity.value == (await sut.adapter.equity()).value
            assert all(abs(one.at - bench.clock.time()) < 5 for one in sut.got)
            assert counts(sut) == (0, 0, 0)

    run(where, scenario)


@BOTH
def test_what_others_did_is_told_apart(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.foreign(BTC, "0.5")
            bench.foreign(BTC, "0.3", "adl")
            bench.foreign(BTC, "0", "liquidation")
            await sut.until(lambda: len(sut.of(FILL)) == len(sut.of(POSITION)) == 3)
            fills = [one.fill for one in sut.of(FILL) if one.fill is not None]
            assert [(fill.kind, fill.contracts, fill.client_id) for fill in fills] == [
                ("trade", D("0.5"), None),
                ("adl", D("-0.2"), None),
                ("liquidation", D("-0.3"), None),
            ]
            held = [one.position.contracts for one in sut.of(POSITION) if one.position is not None]
            assert held == [D("0.5"), D("0.3"), D(0)]

    run(where, scenario)


@BOTH
def test_a_changed_leverage_is_told(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await sut.adapter.set_leverage(ETH, D("3.5"), MarginMode.CROSS)
            await sut.until(lambda: bool(sut.of(POSITION)))
            (told,) = sut.of(POSITION)
            assert told.position is not None
            assert (told.symbol, told.position.contracts, told.position.leverage) == (ETH, D(0), D("3.5"))

    run(where, scenario)


def test_a_refused_login_is_not_repeated_in_haste() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench, changed={"api_secret": "wrong"}) as sut:
            began_s = bench.clock.monotonic()
            for _ in range(10):
                await sut.until(lambda: sut.ended is not None)
                sut.ended = None
                async with asyncio.timeout(100):
                    await sut.follow()
            assert bench.clock.monotonic() - began_s > 9 * 48
            assert connections(sut) == 11

    run("memory", scenario)


@BOTH
def test_a_key_that_may_not_trade_hears_all_the_same(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(can_trade=False)
        async with followed(bench) as sut:
            await sut.until_up()
            assert [one.scope for one in (await sut.adapter.preflight()).problems] == [Scope.ALL]

    run(where, scenario)


@BOTH
def test_a_venue_whose_clock_is_set_is_heard_again(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.admin.clock({"venue": "bybit", "offset_ms": -60_000})
            bench.foreign(BTC, "0.5")
            await sut.until_up(2)  # what seemed a minute late ended it; the new login knows better
            assert "s late" in sut.why()[0]
            bench.foreign(BTC, "0.6")
            await sut.until(lambda: len(sut.of(POSITION)) == 1)

    run(where, scenario)


def test_without_reads_there_is_no_stream() -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault("status", "instruments", 503, count=3)
        async with followed(bench) as sut:
            await sut.until_up()
            assert len(sut.why()) == 1
            assert "503" in sut.why()[0]
            assert connections(sut) == 1

    run("memory", scenario)
