"""What is peculiar to BloFin's private stream; what every venue's must do stands in `suite/test_streams.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from account_processors.blofin_processor import BloFinProcessor
from core.domain import Side, VenueEventKind
from core.errors import Denied
from core.ports import Response, StreamRequest
from simulator.exchange import Exchange
from simulator.facades import Facade, Session
from simulator.facades.blofin import BloFinFacade
from simulator.facades.blofin.context import Ways
from tests.contract.blofin_bench import BENCH, BTC, Bench
from tests.contract.suite.follower import DOWN, EQUITY, FILL, ORDER, POSITION, UP, Followed, followed, streaming

D = Decimal
PRIVATE = "GET /ws/private"


def built(ways: Ways, **more: Any) -> Callable[[Exchange], Facade]:
    return partial(BloFinFacade, ways=ways, **more)


def counts(sut: Followed) -> tuple[int, int, int]:
    assert isinstance(sut.adapter, BloFinProcessor)
    assert sut.adapter.private_stream is not None
    kept = sut.adapter.private_stream.counts
    return kept.foreign, kept.repeats, kept.gaps


def told(sut: Followed, kind: VenueEventKind, times: int) -> bool:
    return len(sut.of(kind)) == times


def handshakes(bench: Bench) -> int:
    return bench.world.venues["blofin"].facade.counts().by_endpoint.get(PRIVATE, 0)


@pytest.mark.parametrize("ways", [Ways(), Ways(closed_shown=True), Ways(positions_first=True)], ids=str)
def test_a_whole_life_is_told_whatever_the_venue_makes_of_what_it_does_not_document(ways: Ways) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            steps = [("0.012", Side.BUY), ("0.012", Side.SELL), ("0.007", Side.SELL), ("0.003", Side.BUY)]
            for number, (size, side) in enumerate(steps, 1):
                await bench.trade(bench.order(size, side))
                await sut.until(partial(told, sut, FILL, number))
                await sut.until(partial(told, sut, ORDER, number))
                await asyncio.sleep(10)
            fills = [one.fill.contracts for one in sut.of(FILL) if one.fill is not None]
            assert fills == [D(12), D(-12), D(-7), D(3)]
            held = [one.position.contracts for one in sut.of(POSITION) if one.position is not None]
            assert list(dict.fromkeys(held)) == [12, *([0] if ways.closed_shown else []), -7, -4]
            assert sut.of(DOWN) == []
            assert counts(sut)[2] == 0

    BENCH.run("memory", scenario, streams=True, build=built(ways))


def test_a_position_that_is_in_no_message_any_more_is_not_taken_for_flat() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.foreign(BTC, "0.012")
            await sut.until(lambda: bool(sut.of(POSITION)))
            sut.got.clear()
            bench.foreign(BTC, "0")
            await asyncio.sleep(30)
            assert sut.of(POSITION) == []
            (fill,) = [one.fill for one in sut.of(FILL) if one.fill is not None]
            assert (fill.contracts, fill.client_id) == (D(-12), None)
            assert (await sut.adapter.positions()).of(BTC).contracts == 0

    BENCH.run("memory", scenario, streams=True, build=built(Ways()))


def test_several_fills_of_one_order_add_up_to_it() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="1000000")
        async with followed(bench) as sut:
            await sut.until_up()
            depth = bench.world.venues["blofin"].exchange.book(BTC, 3)[1]
            size = sum((level.contracts for level in depth), D(0))
            mine = bench.next_id()
            await bench.place(bench.order(str(size / 1000)), mine)
            await sut.until(lambda: bool(sut.of(ORDER)))
            fills = [one.fill for one in sut.of(FILL) if one.fill is not None]
            assert [one.contracts for one in fills] == [level.contracts for level in depth]
            assert [one.price for one in fills] == [level.price for level in depth]
            read = (await sut.adapter.history(bench.clock.time() - 60)).fills
            assert sum(one.fee or D(0) for one in fills) == sum(one.fee or D(0) for one in read)
            assert {one.client_id for one in fills} == {mine}

    BENCH.run("memory", scenario, streams=True)


def test_positions_read_late_by_the_venue_come_late_and_settle_by_themselves() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await bench.trade(bench.order("0.012"))
            await asyncio.sleep(20)
            held = [one.position.contracts for one in sut.of(POSITION) if one.position is not None]
            assert held[-1] == 12

    BENCH.run("memory", scenario, streams=True, build=built(Ways(), read_lag_s=3.0))


@pytest.mark.parametrize("lost", ["position", "order"])
def test_half_a_story_voids_the_stream_without_a_new_connection(lost: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.foreign(BTC, "0.1")
            await sut.until(lambda: bool(sut.of(EQUITY)))
            await asyncio.sleep(11)  # between two regular messages
            bench.fault("ws_gap", "stream", 1)  # the first message of the story
            bench.foreign(BTC, "0.5")
            await sut.until(lambda: len(sut.of(UP)) == 2)
            assert "it left out" in sut.why()[0]
            assert counts(sut)[2] == 1
            assert handshakes(bench) == 1

    BENCH.run("memory", scenario, streams=True, build=built(Ways(positions_first=lost == "position")))


class Tapped:
    """A session that notes what its client says."""

    def __init__(self, session: Session, said: list[str]) -> None:
        self._session = session
        self._said = said

    def receive(self, text: str) -> tuple[str, ...]:
        self._said.append(text)
        return self._session.receive(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


# --- the login and the door -------------------------------------------------------------------------------------------


def test_every_login_has_a_nonce_of_its_own_in_the_venues_time() -> None:
    async def scenario(bench: Bench) -> None:
        said: list[str] = []
        facade = bench.world.venues["blofin"].facade
        opened = facade.session

        def listened(request: StreamRequest) -> Session | Response:
            session = opened(request)
            return session if isinstance(session, Response) else Tapped(session, said)

        facade.session = listened  # type: ignore[method-assign]  # a wiretap
        bench.admin.clock({"venue": "blofin", "offset_ms": 40_000})
        async with followed(bench) as sut:
            for times in (1, 2, 3):
                await sut.until_up(times)
                bench.fault("reset", "stream")
                await sut.until(partial(told, sut, DOWN, times))
        logins = [fields for text in said if '"login"' in text for fields in json.loads(text)["args"]]
        nonces = [fields["nonce"] for fields in logins]
        assert len(set(nonces)) == len(nonces) == 3
        assert all(fields.keys() == {"apiKey", "passphrase", "timestamp", "sign", "nonce"} for fields in logins)

    BENCH.run("memory", scenario, streams=True)


def test_accounts_of_one_address_come_in_one_after_another() -> None:
    async def scenario(bench: Bench) -> None:
        names = list(bench.world.credentials()["blofin"])
        followers = [streaming(bench, name, shared=bench.shared) for name in names]
        tasks = [asyncio.create_task(sut.follow()) for sut in followers]
        await asyncio.gather(*(sut.until(partial(told, sut, UP, 1), within_s=60) for sut in followers))
        assert bench.over_limit() == 0
        assert handshakes(bench) == len(names)
        assert all(sut.of(DOWN) == [] for sut in followers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    BENCH.run("memory", scenario, streams=True, accounts=12)


def test_a_refused_login_is_not_repeated_in_haste() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench, changed={"api_secret": "wrong"}) as sut:
            began_s = bench.clock.monotonic()
            for _ in range(5):
                await sut.until(lambda: sut.ended is not None, within_s=100)
                assert isinstance(sut.ended, Denied)
                assert "api_passphrase" in str(sut.ended)
                sut.ended = None
                await sut.follow()
            assert bench.clock.monotonic() - began_s > 4 * 48
            assert handshakes(bench) == 6

    BENCH.run("memory", scenario, streams=True)


def test_without_a_known_address_there_is_no_stream() -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.adapter.capabilities.private_stream is False
        assert [event async for event in bench.adapter.events()] == []

    BENCH.run("memory", scenario)
