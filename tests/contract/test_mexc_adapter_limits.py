"""What of the MEXC adapter's limits and of its clock no other venue has, on virtual time; the rest is in the suite."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from account_processors.mexc_client import LIMITS, PRIVATE_LIMIT
from account_processors.shared import VenueShared
from core.domain import Cost
from core.errors import Unavailable
from core.ports import Response
from simulator.facades.mexc import limits
from tests.contract.adapter_bench import patiently
from tests.contract.mexc_bench import BTC, ETH, Bench, run

PATHS = {
    "contractPrivatePostOrderCreate": "POST /api/v1/private/order/create",
    "contractPrivatePostPositionChangeLeverage": "POST /api/v1/private/position/change_leverage",
    "contractPrivateGetOrderBatchQuery": "GET /api/v1/private/order/batch_query",
    "contractPublicGetDetail": "GET /api/v1/contract/detail",
    "contractPublicGetTicker": "GET /api/v1/contract/ticker",
}


def test_what_the_adapter_keeps_to_is_what_the_venue_counts() -> None:
    assert {PATHS[name]: limit for name, limit in LIMITS.items()}.items() <= limits.TIGHTER.items()
    assert PRIVATE_LIMIT == limits.PRIVATE == limits.PUBLIC


def test_another_program_with_the_same_key_is_heard_of_and_waited_for() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await asyncio.sleep(3)
        other = bench.another("main", shared=VenueShared(bench.clock))
        for _ in range(20):
            await other.equity()
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.equity()
        assert caught.value.code == "510"
        bench.recorder.forget()
        await patiently(bench.adapter.equity)
        assert len(bench.recorder.sent) == 1
        assert bench.over_limit() == 1

    run("memory", scenario)


def test_a_refused_order_rests_orders_alone() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        other = bench.another("main", shared=VenueShared(bench.clock))
        for _ in range(4):
            await other.place(bench.order("0.0001"), bench.next_id(), await other.permit(Cost(reduction=False)))
        with pytest.raises(Unavailable) as caught:
            await bench.place(bench.order("0.0001"))
        assert caught.value.code == "510"
        began = bench.clock.monotonic()
        await bench.adapter.positions()
        assert bench.clock.monotonic() - began < 0.1
        await bench.trade(bench.order("0.0001"))
        assert bench.clock.monotonic() - began >= 1.9
        assert bench.orders() == 5

    run("memory", scenario)


def test_accounts_of_one_address_each_have_their_own_orders() -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        for adapter in (bench.adapter, second):
            await adapter.preflight()
        await asyncio.sleep(3)
        began = bench.clock.monotonic()
        for adapter in (bench.adapter, second):
            for _ in range(4):
                await bench.trade(bench.order("0.0001"), adapter=adapter)
        assert bench.clock.monotonic() - began < 1
        assert bench.over_limit() == 0

    run("memory", scenario)


# --- the clock --------------------------------------------------------------------------------------------------------

PING = "GET /api/v1/contract/ping"


def test_the_time_is_asked_once_for_all_accounts_and_again_when_it_is_old() -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        await asyncio.gather(bench.adapter.positions(), second.positions())
        assert bench.recorder.paths().count(PING) == 1
        await asyncio.sleep(20)
        await asyncio.gather(bench.adapter.positions(), second.positions())
        assert bench.recorder.paths().count(PING) == 1
        await asyncio.sleep(20)
        await asyncio.gather(bench.adapter.positions(), second.positions())
        assert bench.recorder.paths().count(PING) == 2

    run("memory", scenario)


def test_a_time_that_is_refused_is_asked_for_anew() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.positions()
        bench.admin.clock({"venue": "mexc", "offset_ms": 30_000})
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.equity()
        assert caught.value.code == "513"
        assert await bench.adapter.equity()
        assert bench.adapter.clock_offset_s == pytest.approx(30.0, abs=0.1)

    run("memory", scenario)


def test_nothing_is_signed_while_the_time_is_unknown() -> None:
    async def scenario(bench: Bench) -> None:
        bench.recorder.lose = 1
        with pytest.raises(Unavailable):
            await bench.adapter.permit(Cost(reduction=False))
        bench.recorder.lose = len(bench.recorder.sent) + 1
        with pytest.raises(Unavailable):
            await bench.another("main", shared=VenueShared(bench.clock)).equity()
        assert not any("request-time" in {name.lower() for name in one.headers} for one in bench.recorder.sent)

    run("memory", scenario)


# --- one read for several ---------------------------------------------------------------------------------------------


def test_lookups_at_one_moment_share_their_lists() -> None:
    async def scenario(bench: Bench) -> None:
        ids = [bench.next_id() for _ in range(4)]
        for number, mine in enumerate(ids):
            await bench.trade(bench.order("0.01", symbol=(BTC, ETH)[number % 2]), mine)
        bench.recorder.forget()
        found = await asyncio.gather(
            *(bench.adapter.find((BTC, ETH)[number % 2], mine) for number, mine in enumerate(ids))
        )
        assert all(one is not None and one.filled > 0 for one in found)
        lists = [path for path in bench.recorder.paths() if "/list/" in path]
        assert lists == ["GET /api/v1/private/order/list/history_orders"]

    run("memory", scenario)


@pytest.mark.parametrize("moved", [False, True])
def test_a_bare_list_that_changes_between_its_pages_counts_as_unread(moved: bool) -> None:
    """Its pages say nothing of how many there are: a second look at the first one tells whether rows moved."""

    async def scenario(bench: Bench) -> None:
        for _ in range(30):
            await bench.trade(bench.resting("0.0001"))
        await asyncio.sleep(3)
        adapter, sizes = bench.another("main"), list[int]()

        def answers(response: Response) -> Response:
            rows = json.loads(response.body).get("data")
            if not isinstance(rows, list):
                return response
            sizes.append(len(rows))
            if moved and len(sizes) == 3:
                return replace(response, body=json.dumps({"success": True, "code": 0, "data": rows[1:]}).encode())
            return response

        bench.recorder.answers = answers
        if moved:
            with pytest.raises(Unavailable, match="changed"):
                await adapter.open_orders()
        else:
            assert len(await adapter.open_orders()) == 30
        assert sizes == [30, 0, 30]

    run("memory", scenario)
