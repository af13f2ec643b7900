"""How the KuCoin adapter looks orders and fills up, which no other venue does so; the rest is in the suite."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from decimal import Decimal

import pytest

from core.domain import OrderStatus
from core.errors import Unavailable
from core.ports import Request, Response, Stream, StreamRequest, Transport
from simulator.facades.kucoin import KucoinFacade
from tests.contract.kucoin_bench import BTC, RESTING, Bench, order, run
from tests.contract.suite.benches import BOTH

D = Decimal
SHORT = ["GET /api/v1/orders", "GET /api/v1/fills"]
BY_ID, LISTED, FILLS = "GET /api/v1/orders/byClientOid", "GET /api/v1/orders", "GET /api/v1/fills"


@BOTH
def test_an_id_that_stands_for_several_orders_counts_the_fills_of_every_one(where: str) -> None:
    """The venue gives one order for an id; the others are in its lists, and each one's fills are asked for."""

    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for lots in ("12", "5", "2"):
            await bench.place(order(lots), mine)
        await bench.place(order("30"))
        restarted = bench.another("main")  # has no acknowledgement, so that it looks everywhere
        await restarted.preflight()
        for adapter, asked in ((bench.adapter, SHORT), (restarted, [BY_ID, LISTED, LISTED, FILLS, FILLS, FILLS])):
            bench.recorder.sent.clear()
            found = await adapter.find(BTC, mine)
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, D(19))
            assert bench.recorder.paths() == asked
        await bench.place(RESTING, mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled, found.final) == (OrderStatus.OPEN, D(19), False)

    run(where, scenario)


def test_many_acknowledged_orders_are_looked_up_in_two_requests() -> None:
    async def scenario(bench: Bench) -> None:
        ids = [bench.next_id() for _ in range(8)]
        for lots, mine in enumerate(ids, 1):
            bench.fault("partial_fill", "order_create", "0.5")
            await bench.place(order(str(lots * 2)), mine)
        bench.recorder.sent.clear()
        found = await asyncio.gather(*(bench.adapter.find(BTC, mine) for mine in ids))
        assert bench.recorder.paths() == SHORT
        assert [one.filled for one in found if one is not None] == list(range(1, 9))
        await asyncio.sleep(901)  # an old acknowledgement is no shortcut
        await bench.place(order("1"))
        bench.recorder.sent.clear()
        assert await bench.adapter.find(BTC, ids[0]) == found[0]
        assert bench.recorder.paths()[0] == BY_ID

    run("memory", scenario)


def test_an_acknowledged_order_the_lists_do_not_show_whole_is_looked_for_everywhere() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(order("12"), mine)
        bench.recorder.sent.clear()
        assert await bench.adapter.find(BTC, mine) is None  # absence is never concluded from the shortcut
        assert bench.recorder.paths() == [*SHORT, BY_ID, LISTED, LISTED]
        await asyncio.sleep(0.5)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.filled == 12

    run("memory", scenario, build=lambda exchange: KucoinFacade(exchange, read_lag_s=0.3))


@pytest.mark.parametrize("orders", [2, 9])
def test_after_a_restart_fills_are_still_ours(orders: int) -> None:
    """Fills name their order by the venue's id alone: a few are looked up, of many the lists are read."""

    async def scenario(bench: Bench) -> None:
        ids = [bench.next_id() for _ in range(orders)]
        for mine in ids:
            await bench.place(order("5"), mine)
            await asyncio.sleep(0.01)
        bench.foreign(BTC, "1")
        await asyncio.sleep(2)
        restarted = bench.another("main")
        fills = (await restarted.history(bench.clock.time() - 60)).fills
        assert [fill.client_id for fill in fills] == [*ids, None]
        looked_up = sum(path.startswith("GET /api/v1/orders/") for path in bench.recorder.paths())
        assert looked_up == (orders + 1 if orders < 3 else 0)
        bench.recorder.sent.clear()
        await restarted.history(bench.clock.time() - 60)
        assert bench.recorder.paths() == [FILLS]  # what is known is not asked again

    run("memory", scenario)


@dataclass
class WithoutIndex:
    """A way to the venue on which no order can be looked up by the venue's id."""

    inner: Transport

    async def send(self, request: Request) -> Response:
        if re.search(r"/api/v1/orders/[0-9a-f-]{36}$", request.url):
            return Response(200, {}, b'{"msg":"error.getOrder.orderNotExist","code":"100001"}')
        return await self.inner.send(request)

    async def connect(self, request: StreamRequest) -> Stream:
        return await self.inner.connect(request)

    async def close(self) -> None:
        await self.inner.close()


def test_a_young_fill_whose_order_is_not_indexed_yet_fails_the_read() -> None:
    """Without its order's id a fill of ours would look like somebody else's. An old one is nobody's."""

    async def scenario(bench: Bench) -> None:
        await bench.place(order("5"))
        await asyncio.sleep(2)
        restarted, indexed = bench.another("main"), bench.recorder.inner
        bench.recorder.inner = WithoutIndex(indexed)
        with pytest.raises(Unavailable, match="does not know the order"):
            await restarted.history(bench.clock.time() - 60)
        bench.recorder.inner = indexed
        (fill,) = (await restarted.history(bench.clock.time() - 60)).fills
        assert fill.client_id == f"{1:032x}"
        await asyncio.sleep(120)
        bench.recorder.inner = WithoutIndex(indexed)
        (fill,) = (await bench.another("main").history(bench.clock.time() - 300)).fills
        assert fill.client_id is None

    run("memory", scenario)


def test_a_twin_that_rests_keeps_a_cancelled_order_open() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for _ in range(2):
            await bench.place(RESTING, mine)
        await bench.adapter.cancel(BTC, mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.status is OrderStatus.OPEN

    run("memory", scenario)
