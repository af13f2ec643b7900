"""What is peculiar to MEXC's streams; what every venue's must do stands in `suite/test_streams.py`."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from account_processors.mexc_processor import MexcProcessor
from core.domain import PositionMode, Side, VenueEventKind
from core.errors import Denied, Unavailable
from core.ports import Response, StreamRequest
from simulator.exchange import Exchange
from simulator.facades import Session
from simulator.facades.mexc import MexcFacade
from tests.contract.mexc_bench import BENCH, BTC, ETH, Bench
from tests.contract.suite.follower import DOWN, FILL, ORDER, POSITION, UP, Followed, followed, following, streaming

D = Decimal
EDGE = "GET /edge"
TICKER = "GET /api/v1/contract/ticker"


def counts(sut: Followed) -> tuple[int, int, int]:
    assert isinstance(sut.adapter, MexcProcessor)
    assert sut.adapter.private_stream is not None
    kept = sut.adapter.private_stream.counts
    return kept.foreign, kept.repeats, kept.gaps


def told(sut: Followed, kind: VenueEventKind, times: int) -> bool:
    return len(sut.of(kind)) == times


def held(sut: Followed) -> list[Decimal]:
    """Contracts of every position told, in order."""
    return [one.position.contracts for one in sut.of(POSITION) if one.position is not None]


# --- the private stream -----------------------------------------------------------------------------------------------


def test_a_whole_life_is_told_and_the_end_of_a_position_never_hides_the_next_one() -> None:
    """The venue tells of the end of a position that turned round after it told of the next one."""

    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            steps = [("0.012", Side.BUY), ("0.019", Side.SELL), ("0.003", Side.BUY), ("0.004", Side.BUY)]
            for number, (size, side) in enumerate(steps, 1):
                await bench.trade(bench.order(size, side))
                await sut.until(partial(told, sut, FILL, number))
                await sut.until(partial(told, sut, ORDER, number))
                await asyncio.sleep(10)
            fills = [one.fill.contracts for one in sut.of(FILL) if one.fill is not None]
            assert fills == [D(120), D(-190), D(30), D(40)]
            assert list(dict.fromkeys(held(sut))) == [120, -70, -40, 0]
            assert (sut.of(DOWN), counts(sut)[2]) == ([], 0)

    BENCH.run("memory", scenario, streams=True)


def test_several_fills_of_one_order_are_told_each_with_its_own_id() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="1000000")
        async with followed(bench) as sut:
            await sut.until_up()
            depth = bench.world.venues["mexc"].exchange.book(BTC, 3)[1]
            size = sum((level.contracts for level in depth), D(0))
            mine = bench.next_id()
            await bench.place(bench.order(str(size / 10_000), leverage=D(50)), mine)
            await sut.until(lambda: bool(sut.of(ORDER)) and len(sut.of(FILL)) == len(depth))
            fills = [one.fill for one in sut.of(FILL) if one.fill is not None]
            assert [(one.contracts, one.price) for one in fills] == [(it.contracts, it.price) for it in depth]
            read = (await sut.adapter.history(bench.clock.time() - 60)).fills
            assert [one.exec_id for one in fills] == [one.exec_id for one in read]
            assert {one.client_id for one in fills} == {mine}

    BENCH.run("memory", scenario, streams=True)


def test_what_is_open_at_the_login_is_read_not_told() -> None:
    async def scenario(bench: Bench) -> None:
        bench.foreign(BTC, "0.5")
        async with followed(bench) as sut:
            await sut.until_up()
            await asyncio.sleep(30)
            assert [one.kind for one in sut.got] == [UP]
            assert (await sut.adapter.positions()).of(BTC).contracts == 5000

    BENCH.run("memory", scenario, streams=True)


def test_leverage_that_is_set_moves_the_position_and_fills_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.trade(bench.order("0.012", leverage=D(3)))
        async with followed(bench) as sut:
            await sut.until_up()
            await sut.adapter.set_leverage(BTC, D(7), bench.margin_mode)
            await sut.until(lambda: bool(sut.of(POSITION)))
            (position,) = [one.position for one in sut.of(POSITION)]
            assert position is not None
            assert (position.contracts, position.leverage) == (D(120), D(7))
            await asyncio.sleep(10)
            assert (sut.of(FILL), sut.of(DOWN)) == ([], [])

    BENCH.run("memory", scenario, streams=True)


def test_an_account_that_is_switched_to_hedge_mode_ends_the_stream_and_the_positions() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.adapter.preflight()
            await sut.until_up()
            other = bench.another("main")
            await other.set_position_mode(PositionMode.HEDGE)
            await sut.until(lambda: sut.ended is not None)
            assert isinstance(sut.ended, Denied)
            assert sut.ended.code == "hedge_mode"
            with pytest.raises(Denied, match="One-way"):
                await sut.adapter.positions()
            for _ in range(2):
                sut.ended = None
                async with following(sut):
                    await sut.until(lambda: sut.ended is not None, within_s=120)
                    assert isinstance(sut.ended, Denied)
            await other.set_position_mode(PositionMode.ONE_WAY)
            sut.ended = None
            async with following(sut):
                await sut.until(lambda: len(sut.of(UP)) == 2, within_s=120)
                assert (await sut.adapter.positions()).by_symbol == {}

    BENCH.run("memory", scenario, streams=True)


def test_accounts_come_in_at_the_pace_the_adapter_keeps() -> None:
    async def scenario(bench: Bench) -> None:
        suts = [streaming(bench, name) for name in bench.world.credentials()["mexc"]]
        shared = suts[0].shared
        suts = [
            Followed(bench, bench.another(name, None, shared), shared) for name in bench.world.credentials()["mexc"]
        ]
        began = bench.clock.monotonic()
        tasks = [asyncio.create_task(sut.follow()) for sut in suts]
        for sut in suts:
            await sut.until_up()
        assert bench.clock.monotonic() - began >= 2
        assert bench.world.venues["mexc"].facade.counts().by_endpoint[EDGE] == len(suts)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await shared.close()

    BENCH.run("memory", scenario, streams=True, accounts=6)


class Altered(MexcFacade):
    """Says something else than what happened: every private message goes through `alter`."""

    def __init__(self, exchange: Exchange, alter: Any) -> None:
        super().__init__(exchange)
        self._alter = alter

    def session(self, request: StreamRequest) -> Session | Response:
        opened = super().session(request)
        if isinstance(opened, Response):
            return opened
        usual = opened.push

        def push() -> tuple[str, ...]:
            told = [json.loads(frame) for frame in usual()]
            return tuple(json.dumps(self._alter(one)) for one in told)

        opened.push = push  # type: ignore[method-assign]  # one connection, not its class
        return opened


def late(message: Any) -> Any:
    return {**message, "ts": message["ts"] - 6_000} if "personal" in message["channel"] else message


def stranger(message: Any) -> Any:
    if not message["channel"].startswith("push.personal.order"):
        return message
    return {**message, "data": {**message["data"], "symbol": "NONE_USDT"}}


def unreadable(message: Any) -> Any:
    return {**message, "data": {"symbol": "BTC_USDT"}} if message["channel"].endswith("position") else message


def unheard_of(message: Any) -> Any:
    return {**message, "channel": "push.personal.bonus"} if message["channel"].endswith("asset") else message


@pytest.mark.parametrize(("alter", "why"), [(late, "late"), (unreadable, "")])
def test_what_lags_or_cannot_be_read_ends_the_connection(alter: Any, why: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await bench.place(bench.order("0.012"))
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert why in sut.why()[0]
            assert held(sut) == []

    BENCH.run("memory", scenario, streams=True, build=lambda exchange: Altered(exchange, alter))


def test_what_is_about_other_contracts_is_counted_and_what_is_about_nothing_here_is_passed_over() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await bench.place(bench.order("0.012"))
            await sut.until(lambda: bool(held(sut)))
            assert (sut.of(FILL), counts(sut)[0]) == ([], 3)

    def both(message: Any) -> Any:
        return unheard_of(stranger(message))

    BENCH.run("memory", scenario, streams=True, build=lambda exchange: Altered(exchange, both))


# --- prices -----------------------------------------------------------------------------------------------------------


def test_prices_come_from_the_stream_while_it_is_fresh() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.adapter.preflight()
            await sut.adapter.prices([BTC, ETH])
            await asyncio.sleep(4)
            bench.recorder.forget()
            for _ in range(20):
                found = await sut.adapter.prices([BTC, ETH])
                assert all(0 <= bench.clock.time() - price.at <= 2.6 for price in found.values())
                assert {price.bid is not None for price in found.values()} == {True}
                await asyncio.sleep(0.7)
            assert TICKER not in bench.recorder.paths()

    BENCH.run("memory", scenario, streams=True)


def test_a_contract_that_is_not_traded_is_asked_for() -> None:
    """The venue tells of a contract only while it is traded."""

    def quiet(message: Any) -> Any:
        return {**message, "channel": "push.nothing"} if message["channel"] == "push.ticker" else message

    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.adapter.preflight()
            for _ in range(5):
                assert BTC in await sut.adapter.prices([BTC])
                await asyncio.sleep(1)
            assert bench.recorder.paths().count(TICKER) == 5

    BENCH.run("memory", scenario, streams=True, build=lambda exchange: Altered(exchange, quiet))


@pytest.mark.parametrize("odd", [{"bid1": 60_000}, {"lastPrice": 40_000}, {"fairPrice": 0}, {"fairPrice": None}])
def test_a_streamed_price_that_contradicts_itself_is_asked_for(odd: dict[str, object]) -> None:
    def change(message: Any) -> Any:
        return {**message, "data": {**message["data"], **odd}} if message["channel"] == "push.ticker" else message

    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.adapter.preflight()
            await sut.adapter.prices([BTC])
            await asyncio.sleep(4)
            bench.recorder.forget()
            assert (await sut.adapter.prices([BTC]))[BTC].mark == bench.world.venues["mexc"].exchange.quote(BTC).mark
            assert TICKER in bench.recorder.paths()

    BENCH.run("memory", scenario, streams=True, build=lambda exchange: Altered(exchange, change))


def test_a_venue_elsewhere_is_read_unless_its_streams_are_told() -> None:
    async def scenario(bench: Bench) -> None:
        assert not bench.adapter.capabilities.private_stream
        assert [event async for event in bench.adapter.events()] == []
        await bench.adapter.prices([BTC])
        with pytest.raises(Unavailable):
            await bench.adapter.leverage(BENCH.nowhere)
        assert bench.recorder.connected == []

    BENCH.run("memory", scenario)
