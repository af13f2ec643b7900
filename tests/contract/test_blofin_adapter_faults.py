"""The BloFin adapter when the venue or the way to it fails: what is proven, what is unknown, and nothing sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from account_processors.codecs.blofin_errors import PROVEN
from account_processors.shared import VenueShared
from core.domain import Cost, MarginMode, OrderKind, OrderStatus, PlaceOrder, PositionMode, Side, Symbol, TimeInForce
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from simulator.facades.blofin import BloFinFacade
from simulator.memory import MemoryTransport
from tests.contract.blofin_bench import BTC, ETH, Bench, order, run

D = Decimal
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
SOL = Symbol("SOLUSDT")
CREATE = "POST /api/v1/trade/order"
INNER = '{"code":"0","msg":"","data":[{"orderId":"1","clientOrderId":"%s","msg":"","code":"0"}]}'

UNKNOWN = [
    # kind, value, landed
    ("drop_before", None, None),
    ("drop_after", None, None),
    ("reset", None, False),
    ("reset", None, True),
    ("status", 500, False),
    ("status", 502, True),
    ("status", 504, True),
    ("status", 401, False),
    ("status", 429, True),
    ("garbage", None, True),
    ("garbage", None, False),
    ("garbage", '{"code": "0", "code": "152405"}', True),
    ("garbage", '{"code": NaN}', True),
    ("garbage", INNER % "somebody_else", True),
    ("garbage", INNER % "", True),
    ("garbage", '{"code":"0","msg":"success"}', True),
    ("garbage", '{"code":"0","data":[]}', True),
    ("garbage", '{"code":"0","data":[{"orderId":"","clientOrderId":""}]}', True),
    ("garbage", '{"code":"1","msg":"All operations failed"}', True),
    ("garbage", '{"code":"2","data":[{"orderId":null,"code":"103003"}]}', True),
    ("garbage", '{"code":"1","data":[{"orderId":"7","code":"103003"}]}', True),
    ("garbage", '{"code":"1","data":[{"orderId":null,"code":"103003"},{"orderId":"7","code":"0"}]}', True),
    ("garbage", "[]", True),
    ("garbage", "<html>bad gateway</html>", True),
    ("empty", None, True),
    ("empty", None, False),
    ("hang", None, True),
    ("hang", None, False),
]


@BOTH
@pytest.mark.parametrize(("kind", "value", "landed"), UNKNOWN)
def test_an_order_whose_answer_proves_nothing_is_ambiguous(
    where: str, kind: str, value: object, landed: bool | None
) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine = bench.next_id()
        bench.fault(kind, "order_create", value, landed=landed)
        with pytest.raises(Ambiguous) as caught:
            await bench.place(order("12"), mine)
        assert caught.value.client_id == mine
        assert bench.recorder.paths().count(CREATE) == 1
        arrived = kind == "drop_after" or bool(landed)
        assert bench.orders() == int(arrived)
        looking = bench.another("main", deadline_s=20.0) if where == "memory" else bench.adapter
        await asyncio.sleep(11 if where == "memory" else 0)  # after a 429 the account rests
        if value == 429 and where == "http":
            return
        found = await looking.find(BTC, mine)
        if arrived:
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, D(12))
        else:
            assert found is None

    run(where, scenario)


CODES = [*sorted(PROVEN), "1", "2", "500", "429", "103013", "102002", "150003", "152407", "102068", "1000", "999999"]


@BOTH
def test_the_table_decides_what_a_code_proves_and_the_rest_proves_nothing(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        for code in CODES:
            client_id = bench.next_id()
            fresh = bench.another("main", shared=VenueShared(bench.clock))
            permit = await fresh.permit(Cost(reduction=False))
            bench.fault("reject_code", "order_create", code)
            expected = PROVEN[code].kind if code in PROVEN else Ambiguous
            with pytest.raises(expected) as caught:
                await fresh.place(order("12"), client_id, permit)
            assert isinstance(caught.value, VenueError)
            assert type(caught.value) is expected, code
            assert caught.value.code == code
        assert bench.orders() == 0
        assert bench.recorder.paths().count(CREATE) == len(CODES)

    run(where, scenario)


def test_the_table_leaves_out_what_may_have_been_taken() -> None:
    assert not set(PROVEN) & {"0", "1", "2", "500", "429", "103013", "102002", "150003", "152407"}
    kinds = {verdict.kind for verdict in PROVEN.values()}
    assert kinds == {Rejected, Denied, OurFault, Unavailable}
    assert all(verdict.what and verdict.remedy for verdict in PROVEN.values())


@BOTH
def test_a_duplicate_id_means_that_the_order_exists(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(order("12"), mine)
        with pytest.raises(Ambiguous) as caught:
            await bench.place(order("12"), mine)
        assert caught.value.code == "102002"
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.filled == 12 == bench.position()

    run(where, scenario)


def test_an_id_that_stands_for_two_orders_counts_both() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for _ in range(2):
            await bench.place(order("12"), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(24))

    run("memory", scenario)


def test_a_request_that_something_repeats_is_taken_once() -> None:
    """The nonce is what makes it so; what the second answer says must not pass for a refusal of the order."""

    async def scenario(bench: Bench) -> None:
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        await bench.place(order("12"), bench.next_id())
        answer = await bench.recorder.send(bench.recorder.sent[-1])
        assert b"152407" in answer.body
        assert bench.orders() == 1

    run("memory", scenario)


def test_an_unreachable_venue_means_that_nothing_was_sent() -> None:
    async def scenario(bench: Bench) -> None:
        inner = bench.recorder.inner
        assert isinstance(inner, MemoryTransport)
        permit = await bench.adapter.permit(Cost(reduction=False))
        inner.set_reachable("blofin", False)
        with pytest.raises(Unavailable):
            await bench.adapter.place(order("12"), bench.next_id(), permit)
        bench.adapter = bench.another("main", shared=VenueShared(bench.clock))
        for read in reads(bench):
            with pytest.raises(Unavailable):
                await read()
        inner.set_reachable("blofin", True)
        assert bench.orders() == 0
        assert bench.position() == 0

    run("memory", scenario)


@BOTH
def test_a_partial_fill_is_known_by_its_quantity(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("partial_fill", "order_create", "0.25")
        await bench.place(order("12"), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(3))
        assert (await bench.adapter.positions()).of(BTC).contracts == 3

    run(where, scenario)


def test_an_order_that_reads_do_not_show_yet_is_not_concluded_from() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        since = bench.clock.time() - 1
        await bench.place(order("12"), mine)
        assert (await bench.adapter.positions()).of(BTC).contracts == 0
        assert await bench.adapter.find(BTC, mine) is None  # absent twice, after the fence, is what counts
        await asyncio.sleep(4)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(12))
        assert [fill.client_id for fill in (await bench.adapter.history(since)).fills] == [mine]

    run("memory", scenario, build=lambda exchange: BloFinFacade(exchange, read_lag_s=3.0))


# --- reads ------------------------------------------------------------------------------------------------------------

Read = Callable[[], Awaitable[object]]


def reads(bench: Bench) -> list[Read]:
    it = bench.adapter
    return [
        it.preflight,
        it.positions,
        it.equity,
        it.instruments,
        it.open_orders,
        lambda: it.prices([BTC]),
        lambda: it.prices([BTC, ETH, SOL]),
        lambda: it.leverage(BTC),
        lambda: it.history(bench.clock.time() - 60),
        lambda: it.find(BTC, bench.next_id()),
    ]


BAD_READS = [
    ("drop_before", None),
    ("reset", None),
    ("status", 502),
    ("status", 403),
    ("garbage", None),
    ("garbage", "[]"),
    ("garbage", '{"code": "0", "msg": "success", "data": "none"}'),
    ("garbage", '{"code": "0", "msg": "success", "data": [[]]}'),
    ("empty", None),
    ("hang", None),
    ("reject_code", "500"),
    ("reject_code", "103013"),
    ("reject_code", "429"),
    ("reject_code", "152405"),
    ("reject_code", "152407"),
]


@pytest.mark.parametrize(("kind", "value"), BAD_READS)
@BOTH
def test_a_read_that_fails_is_unavailable_never_empty(where: str, kind: str, value: object) -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault(kind, "any", value, count=0)
        for number in range(len(reads(bench))):
            # Each with budgets of its own: what one read learnt of bans and limits does not decide the next.
            bench.adapter = bench.another("main", shared=VenueShared(bench.clock))
            with pytest.raises(Unavailable):
                await reads(bench)[number]()

    run(where, scenario)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_absence_is_not_concluded_from_a_lookup_that_failed(failing: int) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        bench.recorder.sent.clear()
        bench.recorder.lose = failing
        with pytest.raises(Unavailable):
            await bench.adapter.find(BTC, bench.next_id())
        assert len(bench.recorder.sent) == failing

    run("memory", scenario)


@pytest.mark.parametrize(("later_s", "failing"), [(0, 1), (0, 2), (0, 3), (70, 1), (70, 2), (70, 3)])
def test_an_order_is_not_final_by_a_lookup_that_failed(later_s: float, failing: int) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("partial_fill", "order_create", "0.5")
        await bench.place(order("12"), mine)
        await asyncio.sleep(later_s)
        bench.recorder.sent.clear()
        bench.recorder.lose = failing
        with pytest.raises(Unavailable):
            await bench.adapter.find(BTC, mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(6))
        assert found.fee is not None

    run("memory", scenario)


# --- settings and permits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop_after", "garbage", "hang", "status"])
def test_a_setting_whose_answer_is_lost_is_unavailable_and_can_be_read_back(kind: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        bench.fault(kind, "leverage")
        with pytest.raises(Unavailable):
            await bench.adapter.set_leverage(ETH, D(7), MarginMode.CROSS)
        assert (await bench.adapter.leverage(ETH)).leverage in (7, 3)
        bench.fault(kind, "margin_mode")
        with pytest.raises(Unavailable):
            await bench.adapter.set_margin_mode(None, MarginMode.ISOLATED, None)
        mode = bench.world.venues["blofin"].exchange.info("main").margin_mode
        assert (await bench.adapter.leverage(ETH)).margin_mode is mode  # nothing kept from before
        bench.fault(kind, "any")
        with pytest.raises(Unavailable):
            await bench.adapter.set_position_mode(PositionMode.HEDGE)
        bench.fault(kind, "any")
        with pytest.raises(Ambiguous):
            await bench.adapter.cancel(BTC, bench.next_id())

    run("memory", scenario)


IMPOSSIBLE = [
    PlaceOrder(BTC, Side.BUY, D(1), OrderKind.STOP, D(1), TimeInForce.GTC, False, None, MarginMode.CROSS),
    PlaceOrder(BTC, Side.BUY, D(1), OrderKind.LIMIT, None, TimeInForce.IOC, False, None, MarginMode.CROSS),
    PlaceOrder(BTC, Side.BUY, D(1), OrderKind.LIMIT, D(0), TimeInForce.IOC, False, None, MarginMode.CROSS),
    PlaceOrder(BTC, Side.BUY, D(0), OrderKind.MARKET, None, TimeInForce.IOC, True, None, MarginMode.CROSS),
]


@pytest.mark.parametrize("impossible", IMPOSSIBLE)
def test_an_order_that_cannot_be_built_is_our_fault_and_not_sent(impossible: PlaceOrder) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(OurFault, match="nothing was sent"):
            await bench.place(impossible)
        assert CREATE not in bench.recorder.paths()

    run("memory", scenario)


def test_a_permit_serves_one_order_and_runs_out_long_before_the_fence() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        permit = await bench.adapter.permit(Cost(reduction=False))
        assert permit.valid_until == pytest.approx(bench.clock.time() + 60.0, abs=0.01)
        await bench.adapter.place(order("12"), bench.next_id(), permit)
        with pytest.raises(Unavailable):
            await bench.adapter.place(order("12"), bench.next_id(), permit)
        late = await bench.adapter.permit(Cost(reduction=True))
        assert late.nonce > permit.nonce
        await asyncio.sleep(5.1)
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.adapter.place(order("12"), bench.next_id(), late)
        assert bench.orders() == 1
        assert bench.recorder.paths().count(CREATE) == 1

    run("memory", scenario)


@pytest.mark.parametrize(("delay_ms", "taken"), [(59_000, 1), (61_000, 0)])
def test_an_order_that_arrives_after_its_fence_is_not_taken(delay_ms: int, taken: int) -> None:
    """The end of validity is a fence: what is still under way when it passes can no longer land."""

    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine = bench.next_id()
        bench.fault("delay_ms", "order_create", delay_ms)
        with pytest.raises(Ambiguous):
            await bench.place(order("12"), mine)
        await asyncio.sleep(30)
        assert await bench.adapter.find(BTC, mine) is None
        await asyncio.sleep(60)
        assert bench.orders() == taken
        assert (await bench.adapter.find(BTC, mine) is not None) == bool(taken)

    run("memory", scenario)
