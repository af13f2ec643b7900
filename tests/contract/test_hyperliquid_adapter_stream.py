"""What is peculiar to Hyperliquid's private stream; what every venue's must do stands in `suite/test_streams.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest

from account_processors.hyperliquid_processor import HyperliquidProcessor
from core.domain import Fill, MarginMode, OrderStatus, Side, VenueEventKind
from simulator.exchange import Exchange
from simulator.facades import Facade
from simulator.facades.hyperliquid import HyperliquidFacade
from simulator.facades.hyperliquid.context import Behaviour
from tests.contract.hyperliquid_bench import BENCH, BTC, Bench
from tests.contract.suite.follower import DOWN, FILL, ORDER, POSITION, UP, Followed, followed, streaming

D = Decimal
STREAM = "GET /ws"
BEHAVIOURS = [Behaviour(), Behaviour(orders_first=True), Behaviour(fills_name_orders=True)]


def built(behaviour: Behaviour) -> Callable[[Exchange], Facade]:
    return partial(HyperliquidFacade, behaviour=behaviour)


def counts(sut: Followed) -> tuple[int, int, int]:
    assert isinstance(sut.adapter, HyperliquidProcessor)
    assert sut.adapter.private_stream is not None
    kept = sut.adapter.private_stream.counts
    return kept.foreign, kept.repeats, kept.gaps


def told(sut: Followed, kind: VenueEventKind, times: int) -> bool:
    return len(sut.of(kind)) == times


def fills(sut: Followed) -> list[Fill]:
    return [one.fill for one in sut.of(FILL) if one.fill is not None]


def handshakes(bench: Bench) -> int:
    return bench.world.venues["hyperliquid"].facade.counts().by_endpoint.get(STREAM, 0)


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=["documented", "orders first", "fills name orders"])
def test_a_whole_life_is_told_whatever_comes_first(behaviour: Behaviour) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            mine = []
            steps = [("0.012", Side.BUY), ("0.012", Side.SELL), ("0.007", Side.SELL), ("0.003", Side.BUY)]
            for number, (size, side) in enumerate(steps, 1):
                mine.append(bench.next_id())
                await bench.place(bench.order(size, side), mine[-1])
                await sut.until(partial(told, sut, FILL, number))
                await sut.until(partial(told, sut, ORDER, number))
                await asyncio.sleep(10)
            assert [one.contracts for one in fills(sut)] == [D("0.012"), D("-0.012"), D("-0.007"), D("0.003")]
            assert [one.client_id for one in fills(sut)] == mine
            assert {one.outcome.status for one in sut.of(ORDER) if one.outcome is not None} == {OrderStatus.DONE}
            held = [one.position.contracts for one in sut.of(POSITION) if one.position is not None]
            assert list(dict.fromkeys(held)) == [D("0.012"), 0, D("-0.007"), D("-0.004")]
            assert sut.of(DOWN) == []
            assert counts(sut)[2] == 0

    BENCH.run("memory", scenario, streams=True, build=built(behaviour))


def test_what_somebody_else_traded_is_nobodys_after_a_second() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            began_s = bench.clock.monotonic()
            bench.foreign(BTC, "0.02")
            await sut.until(lambda: bool(sut.of(POSITION)))
            assert bench.clock.monotonic() - began_s < 0.5
            assert fills(sut) == []
            await sut.until(lambda: bool(fills(sut)))
            assert 1.0 <= bench.clock.monotonic() - began_s < 3.0
            assert [(one.contracts, one.client_id) for one in fills(sut)] == [(D("0.02"), None)]

    BENCH.run("memory", scenario, streams=True)


def test_fills_of_before_the_stream_are_not_told() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.trade(bench.order("0.012"))
        async with followed(bench) as sut:
            await sut.until_up()
            await asyncio.sleep(20)
            assert fills(sut) == []
            (position,) = [one.position for one in sut.of(POSITION)]
            assert position is not None
            assert (position.contracts, position.margin_mode) == (D("0.012"), MarginMode.CROSS)

    BENCH.run("memory", scenario, streams=True)


def test_a_message_about_somebody_else_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            assert isinstance(sut.adapter, HyperliquidProcessor)
            client = sut.adapter._client
            monkeypatch.setattr(client, "address", "0x" + "77" * 20)
            bench.foreign(BTC, "0.02")
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert "somebody else" in sut.why()[0]

    BENCH.run("memory", scenario, streams=True)


def test_ten_accounts_of_one_address_are_told_and_one_more_is_read() -> None:
    async def scenario(bench: Bench) -> None:
        names = list(bench.world.credentials()["hyperliquid"])
        followers = [streaming(bench, name, shared=bench.shared) for name in names]
        tasks = [asyncio.create_task(sut.follow()) for sut in followers]
        await asyncio.gather(*(sut.until(partial(told, sut, UP, 1), within_s=60) for sut in followers[:10]))
        await asyncio.sleep(600)
        assert followers[10].of(UP) == []
        assert any("10 total users" in why for why in followers[10].why())
        assert all(sut.of(DOWN) == [] for sut in followers[:10])
        assert bench.over_limit() == 0
        assert handshakes(bench) < 60
        assert (await followers[10].adapter.equity()).value > 0
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    BENCH.run("memory", scenario, streams=True, accounts=11)


def test_nothing_secret_is_said_on_the_stream() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            assert isinstance(sut.adapter, HyperliquidProcessor)
            stream = sut.adapter.private_stream
            assert stream is not None
            _, session = await stream._enter()
            said = [json.loads(text) for text in session.begin().send]
            user = bench.world.credentials()["hyperliquid"]["main"]["wallet_address"].lower()
            assert [one.keys() for one in said] == [{"method", "subscription"}] * 3
            assert {one["subscription"]["user"] for one in said} == {user}

    BENCH.run("memory", scenario, streams=True)


def test_without_a_known_address_there_is_no_stream() -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.adapter.capabilities.private_stream is False
        assert [event async for event in bench.adapter.events()] == []

    BENCH.run("memory", scenario)
