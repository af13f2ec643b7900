"""Every venue: what an answer to an order proves, what it leaves unknown, and that nothing is ever sent twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from account_processors.shared import VenueShared
from core.domain import Cost, OrderKind, OrderStatus, PlaceOrder, Side
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from simulator.memory import MemoryTransport
from tests.contract.adapter_bench import BTC, Bench
from tests.contract.suite.benches import BOTH, benches, every
from tests.contract.suite.reads import reads
from tests.contract.suite.venue import VenueBench

D = Decimal
SIZE = "0.012"

COMMON = [
    # kind, value, landed
    ("drop_before", None, None),
    ("drop_after", None, None),
    ("reset", None, False),
    ("reset", None, True),
    ("status", 500, False),
    ("status", 502, True),
    ("status", 504, True),
    ("status", 401, False),
    ("garbage", None, True),
    ("garbage", None, False),
    ("garbage", "[]", True),
    ("garbage", "{}", True),
    ("garbage", "null", True),
    ("garbage", "<html>bad gateway</html>", True),
    ("empty", None, True),
    ("empty", None, False),
    ("hang", None, True),
    ("hang", None, False),
]
UNKNOWN = [
    (it, *one) for it in benches() for one in [*COMMON, *(("garbage", text, True) for text in it.proves_nothing)]
]


@BOTH
@pytest.mark.parametrize(("it", "kind", "value", "landed"), UNKNOWN, ids=str)
def test_an_order_whose_answer_proves_nothing_is_ambiguous(
    it: VenueBench, where: str, kind: str, value: object, landed: bool | None
) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine, wanted = bench.next_id(), bench.order(SIZE)
        bench.fault(kind, "order_create", value, landed=landed)
        with pytest.raises(Ambiguous) as caught:
            await bench.place(wanted, mine)
        assert caught.value.client_id == mine
        assert bench.recorder.paths().count(it.create) == 1
        arrived = kind == "drop_after" or bool(landed)
        assert bench.orders() == int(arrived)
        if bench.adapter.capabilities.find_by_client_id:
            found = await bench.found(mine)
            told = None if found is None else (found.status, found.filled)
            assert told == ((OrderStatus.DONE, wanted.contracts) if arrived else None)

    it.run(where, scenario)


@pytest.mark.parametrize("landed", [False, True])
@every()
def test_after_a_429_nobody_is_in_haste_and_the_order_is_looked_up(it: VenueBench, landed: bool) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine = bench.next_id()
        bench.fault("status", "order_create", 429, landed=landed)
        with pytest.raises(Ambiguous):
            await bench.place(bench.order(SIZE), mine)
        sent = len(bench.recorder.sent)
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.positions()
        rests_s = caught.value.retry_after_s or 0
        assert rests_s == pytest.approx(it.rests_s) if it.rests_s is not None else rests_s > 0
        assert len(bench.recorder.sent) == sent
        await asyncio.sleep(rests_s)
        assert (await bench.adapter.positions()).of(BTC).contracts == bench.position()
        if bench.adapter.capabilities.find_by_client_id:
            assert (await bench.found(mine) is not None) == landed

    it.run("memory", scenario)


@BOTH
@every()
def test_the_table_decides_what_a_code_proves_and_the_rest_proves_nothing(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.adapter.instruments()
        codes = [*sorted(it.codes.proven), *it.codes.unproven]
        for code in codes:
            client_id, shared = bench.next_id(), VenueShared(bench.clock)
            shared._kept.update(bench.shared._kept)  # what was read need not be asked for again
            fresh = bench.another("main", shared=shared)  # what one refusal closes is its own
            permit = await fresh.permit(Cost(reduction=False))
            bench.fault("reject_code", "order_create", code)
            expected = it.codes.proven[code].kind if code in it.codes.proven else Ambiguous
            with pytest.raises(expected) as caught:
                await fresh.place(bench.order(SIZE), client_id, permit)
            assert isinstance(caught.value, VenueError)
            assert type(caught.value) is expected, code
            assert caught.value.code == code
        assert bench.orders() == 0
        assert bench.recorder.paths().count(it.create) == len(codes)

    it.run(where, scenario)


@every()
def test_the_table_leaves_out_what_may_have_been_taken(it: VenueBench) -> None:
    assert not set(it.codes.proven) & {it.codes.success, *it.codes.unproven, it.codes.duplicate_id}
    assert {verdict.kind for verdict in it.codes.proven.values()} == {Rejected, Denied, OurFault, Unavailable}
    assert all(verdict.what and verdict.remedy for verdict in it.codes.proven.values())


@pytest.mark.parametrize("status", [500, 502, 503])
@every()
def test_a_listed_code_in_a_server_error_proves_nothing(it: VenueBench, status: int) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        code = next(code for code, verdict in it.codes.proven.items() if verdict.kind is Rejected)
        refused, failing = bench.order(SIZE), bench.order(SIZE)
        bench.fault("reject_code", "order_create", code)
        with pytest.raises(Rejected):
            await bench.place(refused)
        permit = await bench.permit()
        bench.fault("reject_code", "order_create", code)
        bench.recorder.answers = lambda response: replace(response, status=status)
        with pytest.raises(Ambiguous):
            await bench.adapter.place(failing, bench.next_id(), permit)

    it.run("memory", scenario)


@BOTH
@every(lambda can: can.find_by_client_id)
def test_a_client_id_that_exists_is_looked_up_never_refused(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine, wanted = bench.next_id(), bench.order(SIZE)
        await bench.trade(wanted, mine)
        if it.codes.duplicate_id is not None:
            with pytest.raises(Ambiguous) as caught:
                await bench.trade(wanted, mine)
            assert caught.value.code == it.codes.duplicate_id
        found = await bench.found(mine)
        assert found is not None
        assert found.filled == wanted.contracts == bench.position()

    it.run(where, scenario)


@every()
def test_an_unreachable_venue_means_that_nothing_was_sent(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        inner = bench.recorder.inner
        assert isinstance(inner, MemoryTransport)
        await bench.adapter.instruments()
        permit = await bench.permit()
        inner.set_reachable(bench.venue, False)
        with pytest.raises(Unavailable):
            await bench.adapter.place(bench.order(SIZE), bench.next_id(), permit)
        for read in reads(bench, bench.apart()):
            with pytest.raises(Unavailable):
                await read()
        inner.set_reachable(bench.venue, True)
        assert (bench.orders(), bench.position()) == (0, D(0))

    it.run("memory", scenario)


def impossible(bench: Bench) -> list[PlaceOrder]:
    """Orders no venue takes, and those this one's instruments and leverage rule out."""
    limit, close = bench.resting(SIZE), bench.order(SIZE, Side.SELL, reduce=True)
    found = [
        replace(limit, kind=OrderKind.STOP),
        replace(limit, price=None),
        replace(limit, price=D(0)),
        replace(limit, contracts=D(0)),
        replace(close, contracts=D(0)),
    ]
    if limit.leverage is not None:
        found += [replace(limit, leverage=leverage) for leverage in (None, D(0), D("2.5"))]
    return found


@every()
def test_an_order_that_cannot_be_built_is_our_fault_and_not_sent(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        for one in impossible(bench):
            with pytest.raises(OurFault, match="nothing was sent"):
                await bench.trade(one)
        assert it.create not in bench.recorder.paths()
        with pytest.raises((Unavailable, Rejected, OurFault)):
            await bench.trade(replace(bench.order(SIZE), symbol=it.nowhere))
        assert bench.orders() == 0

    it.run("memory", scenario)


@every()
def test_a_permit_serves_one_order_and_runs_out(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        can, wanted = bench.adapter.capabilities, bench.order(SIZE)
        await bench.adapter.preflight()
        permit = await bench.permit()
        assert permit.valid_until == pytest.approx(bench.clock.time() + can.validity_s, abs=0.01)
        await bench.adapter.place(wanted, bench.next_id(), permit)
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.adapter.place(wanted, bench.next_id(), permit)
        late = await bench.permit(reduction=True)
        assert late.nonce > permit.nonce
        await asyncio.sleep(min(5.1, can.validity_s + 0.1))  # no venue is asked to take an older one
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.adapter.place(wanted, bench.next_id(), late)
        assert bench.orders() == 1
        assert bench.recorder.paths().count(it.create) == 1

    it.run("memory", scenario)


@every()
def test_an_order_that_arrives_after_its_fence_is_not_taken(it: VenueBench) -> None:
    """The end of validity is a fence: what is still under way when it passes can no longer land."""

    async def scenario(bench: Bench) -> None:
        can, mine = bench.adapter.capabilities, bench.next_id()
        await bench.adapter.preflight()
        bench.fault("delay_ms", "order_create", int(can.validity_s * 1000) + 1_000, landed=False)
        with pytest.raises(Ambiguous):
            await bench.place(bench.order(SIZE), mine)
        await asyncio.sleep(can.validity_s + 30)
        assert (bench.orders(), bench.position()) == (0, D(0))
        if can.find_by_client_id:
            assert await bench.found(mine) is None

    it.run("memory", scenario)
