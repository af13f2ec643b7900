"""The Bybit adapter when the venue or the way to it fails: what is proven, what is unknown, and nothing sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from account_processors.codecs.bybit_errors import PROVEN
from account_processors.shared import VenueShared
from core.domain import Cost, MarginMode, OrderKind, OrderStatus, PlaceOrder, PositionMode, Side, Symbol, TimeInForce
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from simulator.memory import MemoryTransport
from tests.contract.bybit_bench import BTC, ETH, Bench, order, run

D = Decimal
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
SOL = Symbol("SOLUSDT")
CREATE = "POST /v5/order/create"

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
    ("garbage", None, True),
    ("garbage", None, False),
    ("garbage", '{"retCode": 0, "retCode": 10001}', True),
    ("garbage", '{"retCode": NaN}', True),
    ("garbage", '{"retCode": 0, "result": {"orderId": "x", "orderLinkId": "somebody else"}}', True),
    ("garbage", '{"retCode": 0, "result": {"orderId": "", "orderLinkId": ""}}', True),
    ("garbage", '{"retCode": "0", "result": {}}', True),
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
            await bench.place(order("0.012"), mine)
        assert caught.value.client_id == mine
        assert bench.recorder.paths().count(CREATE) == 1
        arrived = kind == "drop_after" or bool(landed)
        assert bench.orders() == int(arrived)
        found = await bench.adapter.find(BTC, mine)
        if arrived:
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, D("0.012"))
        else:
            assert found is None

    run(where, scenario)


CODES = [*sorted(PROVEN), -1, 10000, 10014, 10016, 10019, 40004, 110001, 110005, 110072, 110079, 170124, 999999]


@BOTH
def test_the_table_decides_what_a_code_proves_and_the_rest_proves_nothing(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        for code in CODES:
            client_id = bench.next_id()
            fresh = bench.another("main")  # its own windows: the venue's limit is met below, not here
            bench.fault("reject_code", "order_create", str(code))
            permit = await fresh.permit(Cost(reduction=False))
            expected = PROVEN[code].kind if code in PROVEN else Ambiguous
            with pytest.raises(expected) as caught:
                await fresh.place(order("0.012"), client_id, permit)
            assert isinstance(caught.value, VenueError)
            assert type(caught.value) is expected, code
            assert caught.value.code == str(code)
        assert bench.orders() == 0
        assert bench.recorder.paths().count(CREATE) == len(CODES)

    run(where, scenario)


def test_the_table_leaves_out_what_may_have_been_taken() -> None:
    assert not set(PROVEN) & {-1, 0, 429, 10000, 10014, 10016, 10019, 40004, 110005, 110072, 110079}
    kinds = {verdict.kind for verdict in PROVEN.values()}
    assert kinds == {Rejected, Denied, OurFault, Unavailable}
    assert all(verdict.what and verdict.remedy for verdict in PROVEN.values())


@BOTH
def test_a_duplicate_id_means_that_the_order_exists(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(order("0.012"), mine)
        with pytest.raises(Ambiguous) as caught:
            await bench.place(order("0.012"), mine)
        assert caught.value.code == "110072"
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.filled == D("0.012") == bench.position()

    run(where, scenario)


def test_an_id_that_stands_for_two_orders_counts_both() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for _ in range(2):
            await bench.place(order("0.012"), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D("0.024"))

    run("memory", scenario)


def test_an_unreachable_venue_means_that_nothing_was_sent() -> None:
    async def scenario(bench: Bench) -> None:
        inner = bench.recorder.inner
        assert isinstance(inner, MemoryTransport)
        permit = await bench.adapter.permit(Cost(reduction=False))
        inner.set_reachable("bybit", False)
        with pytest.raises(Unavailable):
            await bench.adapter.place(order("0.012"), bench.next_id(), permit)
        for read in reads(bench):
            with pytest.raises(Unavailable):
                await read()
        inner.set_reachable("bybit", True)
        assert bench.orders() == 0
        assert bench.position() == 0

    run("memory", scenario)


@BOTH
def test_a_partial_fill_is_known_by_its_quantity(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("partial_fill", "order_create", "0.25")
        await bench.place(order("0.012"), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D("0.003"))
        assert (await bench.adapter.positions()).of(BTC).contracts == D("0.003")

    run(where, scenario)


def test_a_lagging_position_is_recognized_by_its_sequence_number() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("0.012"))
        bench.fault("stale_positions_ms", "positions", 30_000, count=1)
        mine = bench.next_id()
        await bench.place(order("0.005"), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.seq is not None
        stale = (await bench.adapter.positions()).of(BTC)
        assert stale.seq is None or stale.seq < found.seq
        fresh = (await bench.adapter.positions()).of(BTC)
        assert (fresh.seq, fresh.contracts) == (found.seq, D("0.017"))

    run("memory", scenario)


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
    ("status", 429),
    ("garbage", None),
    ("garbage", "[]"),
    ("garbage", '{"retCode": 0, "retMsg": "OK", "result": {"list": "none"}, "time": 1}'),
    ("empty", None),
    ("hang", None),
    ("reject_code", "10016"),
    ("reject_code", "10006"),
    ("reject_code", "10002"),
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
        bench.recorder.lose = failing
        with pytest.raises(Unavailable):
            await bench.adapter.find(BTC, bench.next_id())
        assert len(bench.recorder.sent) == failing

    run("memory", scenario)


def test_after_a_429_the_address_rests() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("status", "order_create", 429)
        with pytest.raises(Ambiguous):
            await bench.place(order("0.012"), mine)
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.find(BTC, mine)
        assert caught.value.retry_after_s == pytest.approx(1.0)
        await asyncio.sleep(1.0)
        assert await bench.adapter.find(BTC, mine) is None

    run("memory", scenario)


# --- settings and permits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop_after", "garbage", "hang", "status"])
def test_a_setting_whose_answer_is_lost_is_unavailable_and_can_be_read_back(kind: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault(kind, "leverage")
        with pytest.raises(Unavailable):
            await bench.adapter.set_leverage(ETH, D(7), MarginMode.CROSS)
        assert (await bench.adapter.leverage(ETH)).leverage in (7, 10)
        bench.fault(kind, "margin_mode")
        with pytest.raises(Unavailable):
            await bench.adapter.set_margin_mode(None, MarginMode.ISOLATED, D(7))
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
        assert bench.recorder.sent == []

    run("memory", scenario)


def test_a_permit_serves_one_order_and_runs_out() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        permit = await bench.adapter.permit(Cost(reduction=False))
        assert permit.valid_until == pytest.approx(bench.clock.time() + 5.0, abs=0.01)
        await bench.adapter.place(order("0.012"), bench.next_id(), permit)
        with pytest.raises(Unavailable):
            await bench.adapter.place(order("0.012"), bench.next_id(), permit)
        late = await bench.adapter.permit(Cost(reduction=True))
        assert late.nonce > permit.nonce
        await asyncio.sleep(5.1)
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.adapter.place(order("0.012"), bench.next_id(), late)
        assert bench.orders() == 1
        assert bench.recorder.paths().count(CREATE) == 1

    run("memory", scenario)


def test_an_order_that_arrives_after_its_fence_is_not_taken() -> None:
    """The end of validity is a fence: what is still under way when it passes can no longer land."""

    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine = bench.next_id()
        bench.fault("delay_ms", "order_create", 6_000)
        with pytest.raises(Ambiguous):
            await bench.place(order("0.012"), mine)
        await asyncio.sleep(30)
        assert bench.orders() == 0
        assert await bench.adapter.find(BTC, mine) is None

    run("memory", scenario)
