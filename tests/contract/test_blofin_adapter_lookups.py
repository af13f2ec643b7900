"""How the BloFin adapter looks orders up, which no other venue does so; the rest is in the suite."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.domain import MarginMode, OrderKind, OrderStatus, PlaceOrder, Side, TimeInForce
from core.errors import Ambiguous
from simulator.facades.blofin import BloFinFacade
from tests.contract.blofin_bench import BTC, Bench, order, run
from tests.contract.suite.benches import BOTH

D = Decimal
RESTING = PlaceOrder(
    BTC, Side.BUY, D("10"), OrderKind.LIMIT, D("49500"), TimeInForce.GTC, False, None, MarginMode.CROSS
)

DETAIL, PENDING, HISTORY, FILLS = (
    f"GET /api/v1/trade/{name}" for name in ("order-detail", "orders-pending", "orders-history", "fills-history")
)


@BOTH
@pytest.mark.parametrize(
    ("absent_code", "asked"),
    [(None, [DETAIL, HISTORY]), ("152002", [DETAIL, PENDING, HISTORY]), ("102068", [DETAIL, PENDING, HISTORY])],
)
def test_an_order_nobody_knows_is_absent_only_after_every_list(
    where: str, absent_code: str | None, asked: list[str]
) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        bench.recorder.sent.clear()
        assert await bench.adapter.find(BTC, bench.next_id()) is None
        assert bench.recorder.paths() == asked

    run(where, scenario, build=lambda exchange: BloFinFacade(exchange, absent_code=absent_code))


def test_lookups_share_their_lists_and_go_easy_while_absence_means_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        ids = [bench.next_id() for _ in range(10)]
        await bench.adapter.instruments()
        bench.fault("drop_before", "order_create", count=0)
        for client_id in ids:
            with pytest.raises(Ambiguous):
                await bench.place(order("1"), client_id)
        bench.admin.clear_faults()
        await asyncio.sleep(10)
        bench.recorder.sent.clear()
        for _ in range(8):
            assert await asyncio.gather(*(bench.adapter.find(BTC, client_id) for client_id in ids)) == [None] * 10
            await asyncio.sleep(1)
        assert bench.recorder.paths() == [PENDING, HISTORY] * 2
        await asyncio.sleep(60)
        bench.recorder.sent.clear()
        for _ in range(2):  # the second comes too soon for an absence of its own
            assert await asyncio.gather(*(bench.adapter.find(BTC, client_id) for client_id in ids)) == [None] * 10
        assert bench.recorder.paths() == [DETAIL] * 10 + [PENDING, HISTORY]

    run("memory", scenario)


@pytest.mark.parametrize("answered_late", [False, True])
def test_a_list_from_before_an_order_says_nothing_of_it(answered_late: bool) -> None:
    async def scenario(bench: Bench) -> None:
        first, second = bench.next_id(), bench.next_id()
        await bench.place(order("5"), first)
        if answered_late:
            bench.fault("delay_ms", "order_query", 400, count=2, landed=True)
        looked = asyncio.create_task(bench.adapter.find(BTC, first))
        await asyncio.sleep(0.05 if answered_late else 1.0)
        bench.fault("drop_after", "order_create")
        with pytest.raises(Ambiguous):
            await bench.place(order("7"), second)
        assert looked.done() is not answered_late
        found = await bench.adapter.find(BTC, second)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(7))
        await looked

    run("memory", scenario, rtt_s=0.08)


def test_an_order_that_was_cancelled_is_final_with_nothing_filled() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(RESTING, mine)
        await bench.adapter.cancel(BTC, mine)
        for wait_s in (0.0, 70.0):  # while it might still land, and when it cannot any more
            await asyncio.sleep(wait_s)
            found = await bench.adapter.find(BTC, mine)
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, D(0))

    run("memory", scenario)
