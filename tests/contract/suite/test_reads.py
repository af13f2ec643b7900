"""Every venue: a read that fails in any part is Unavailable, never empty; and what became of orders."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal

import pytest

from core.domain import OrderStatus, Side
from core.errors import Unavailable
from tests.contract.adapter_bench import BTC, ETH, Bench
from tests.contract.suite.benches import BOTH, benches, every
from tests.contract.suite.reads import private_reads, public_reads, reads
from tests.contract.suite.venue import BadRead, VenueBench

COMMON: list[BadRead] = [
    ("drop_before", None),
    ("drop_after", None),
    ("reset", None),
    ("status", 502),
    ("garbage", None),
    ("garbage", "[]"),
    ("garbage", "{}"),
    ("garbage", "null"),
    ("empty", None),
    ("hang", None),
]
EMPTY = ("garbage", "[]")
BAD = [
    (it, *one) for it in benches() for one in [*COMMON, *it.bad_reads] if not (it.empty_is_an_answer and one == EMPTY)
]
D = Decimal
FIND = every(lambda can: can.find_by_client_id)


@BOTH
@pytest.mark.parametrize(("it", "kind", "value"), BAD, ids=str)
def test_a_read_that_fails_is_unavailable_never_empty(it: VenueBench, where: str, kind: str, value: object) -> None:
    async def scenario(bench: Bench) -> None:
        async def fails(number: int) -> None:
            # Each with budgets of its own: what one read learnt of bans and limits does not decide the next.
            with pytest.raises(Unavailable):
                await reads(bench, bench.apart())[number]()

        bench.fault(kind, "any", value, count=0)
        await asyncio.gather(*(fails(number) for number in range(len(reads(bench, bench.adapter)))))

    it.run(where, scenario)


@pytest.mark.parametrize(("it", "kind", "value"), BAD, ids=str)
def test_a_read_that_fails_with_everything_else_known_is_unavailable(it: VenueBench, kind: str, value: object) -> None:
    """As above, but nothing fails before the request in question: instruments and the venue's time are known."""

    async def scenario(bench: Bench) -> None:
        for number in range(len([*public_reads(bench, bench.adapter), *private_reads(bench, bench.adapter)])):
            sut = bench.apart()
            await sut.preflight()
            await sut.instruments()
            bench.fault(kind, "any", value, count=0)
            with pytest.raises(Unavailable):
                await [*public_reads(bench, sut), *private_reads(bench, sut)][number]()
            bench.admin.clear_faults()
            await asyncio.sleep(400)  # longer than any venue rests
            with contextlib.suppress(Unavailable):  # garbage may have told it another time
                await sut.equity()
            assert (await sut.equity()).value > 0
            await asyncio.sleep(1)

    it.run("memory", scenario)


@FIND
def test_absence_is_not_concluded_from_a_lookup_that_failed(it: VenueBench) -> None:
    async def requests(bench: Bench) -> int:
        assert await bench.adapter.find(BTC, bench.next_id()) is None
        return len(bench.recorder.sent)

    for lost in range(1, it.run("memory", requests) + 1):

        async def scenario(bench: Bench, lost: int = lost) -> None:
            bench.recorder.lose = lost
            with pytest.raises(Unavailable):
                await bench.adapter.find(BTC, bench.next_id())
            assert len(bench.recorder.sent) >= lost

        it.run("memory", scenario)


@FIND
@pytest.mark.parametrize("later_s", [0, 90])
def test_an_order_is_not_final_by_a_lookup_that_failed(it: VenueBench, later_s: float) -> None:
    for lost in range(1, 7):

        async def scenario(bench: Bench, lost: int = lost) -> None:
            mine, wanted = bench.next_id(), bench.order("0.012")
            bench.fault("partial_fill", "order_create", "0.5")
            await bench.place(wanted, mine)
            await asyncio.sleep(1 + later_s)
            sut = bench.another("main")
            await sut.preflight()
            bench.recorder.forget()
            bench.recorder.lose = lost
            try:
                found = await sut.find(BTC, mine)
                assert len(bench.recorder.sent) != lost or found is not None
            except Unavailable:
                found = await bench.found(mine, adapter=sut)
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, wanted.contracts / 2)

        it.run("memory", scenario)


# --- what became of orders --------------------------------------------------------------------------------------------


@BOTH
@FIND
def test_an_order_nobody_knows_is_absent(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.adapter.instruments()
        bench.recorder.forget()
        assert await bench.found(bench.next_id()) is None
        assert tuple(bench.recorder.paths()) == it.absent_after or not it.absent_after
        with pytest.raises(Unavailable):
            await bench.adapter.find(it.nowhere, bench.next_id())

    it.run(where, scenario)


@BOTH
@FIND
def test_resting_orders_are_listed_found_open_and_cancelled(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine, wanted = bench.next_id(), bench.resting("0.01")
        await bench.place(wanted, mine)
        (listed,) = await bench.adapter.open_orders()
        assert (listed.symbol, listed.side, listed.contracts) == (BTC, Side.BUY, wanted.contracts)
        assert (listed.client_id, listed.filled, listed.reduce_only) == (mine, D(0), False)
        found = await bench.found(mine)
        assert found is not None
        assert (found.status, found.final, found.filled) == (OrderStatus.OPEN, False, D(0))
        for _ in range(2):  # the second finds nothing left to cancel
            await bench.adapter.cancel(BTC, mine)
        await bench.adapter.cancel(BTC, bench.next_id())
        assert await bench.adapter.open_orders() == ()
        if where == "memory":  # lists that are asked for seldom are asked for again
            await asyncio.sleep(5)
            found = await bench.found(mine)
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, D(0))

    it.run(where, scenario)


@BOTH
@FIND
def test_a_partial_fill_is_known_by_its_quantity(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine, wanted = bench.next_id(), bench.order("0.012")
        bench.fault("partial_fill", "order_create", "0.25")
        await bench.place(wanted, mine)
        found = await bench.found(mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, wanted.contracts / 4)
        assert (await bench.adapter.positions()).of(BTC).contracts == wanted.contracts / 4

    it.run(where, scenario)


@FIND
def test_an_id_that_stands_for_two_orders_counts_both(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        mine, wanted = bench.next_id(), bench.order("0.012")
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for _ in range(2):
            await bench.trade(wanted, mine)
        await bench.trade(bench.order("0.03"))
        for sut in (bench.adapter, bench.another("main")):  # the other has no acknowledgement
            await asyncio.sleep(1)
            found = await bench.found(mine, adapter=sut)
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, 2 * wanted.contracts)

    it.run("memory", scenario)


# --- history ----------------------------------------------------------------------------------------------------------


@BOTH
@every()
def test_what_others_did_to_the_account_is_told_apart(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        since, mine = bench.clock.time() - 1, bench.next_id()
        await bench.place(bench.order("0.012"), mine)
        bench.foreign(BTC, "0.5")
        bench.foreign(BTC, "0.3", "adl")
        bench.foreign(BTC, "0", "liquidation")
        fills = (await bench.adapter.history(since)).fills
        assert [(fill.kind, fill.contracts, fill.client_id) for fill in fills] == [
            ("trade", bench.contracts("0.012"), mine),
            ("trade", bench.contracts("0.488"), None),
            ("adl", bench.contracts("-0.2"), None),
            ("liquidation", bench.contracts("-0.3"), None),
        ]
        assert len({fill.exec_id for fill in fills}) == 4

    it.run(where, scenario)


@every()
def test_after_a_restart_orders_and_fills_are_still_ours(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        first, second = bench.next_id(), bench.next_id()
        await bench.trade(bench.order("0.005"), first)
        bench.foreign(BTC, "0.006")
        await bench.trade(bench.resting("0.01"), second)
        await asyncio.sleep(2)
        restarted = bench.apart()
        fills = (await restarted.history(bench.clock.time() - 60)).fills
        told = [(fill.contracts, fill.client_id) for fill in fills]
        assert told == [(bench.contracts("0.005"), first), (bench.contracts("0.001"), None)]
        await restarted.cancel(BTC, second)
        assert await restarted.open_orders() == ()

    it.run("memory", scenario)


@every()
def test_history_is_complete_over_pages(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        since, ours = bench.clock.time(), []
        for number in range(230):
            if number % 50 == 0:
                ours.append(bench.next_id())
                await bench.trade(bench.order("0.005"), ours[-1])
            bench.foreign(BTC, "0.02" if number % 2 else "0.03")
            await asyncio.sleep(0.01)
        bench.foreign(ETH, "-1")
        await asyncio.sleep(20)
        for sut in (bench.adapter, bench.apart()):
            fills = (await sut.history(since)).fills
            assert len(fills) == 236
            assert [fill.client_id for fill in fills if fill.client_id] == ours
            assert fills[-1].contracts == bench.contracts("-1", ETH)
            assert [fill.time for fill in fills] == sorted(fill.time for fill in fills)
            assert len({fill.exec_id for fill in fills}) == len(fills)
            await asyncio.sleep(20)
        bench.foreign(BTC, "0.5")
        assert len((await bench.adapter.history(bench.clock.time() - 5)).fills) == 1
        assert bench.over_limit() == 0

    it.run("memory", scenario)


@every()
def test_open_orders_are_complete_over_pages(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="1000000")
        for _ in range(it.open_orders):
            await bench.trade(bench.resting("0.001"))
        await asyncio.sleep(10)
        assert len(await bench.adapter.open_orders()) == it.open_orders == bench.orders()
        assert bench.over_limit() == 0

    it.run("memory", scenario)
