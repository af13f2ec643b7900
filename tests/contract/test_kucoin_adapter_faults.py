"""The KuCoin adapter when the venue or the way to it fails: what is proven, what is unknown, and nothing sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from account_processors.codecs.kucoin_errors import PROVEN
from account_processors.shared import VenueShared
from core.domain import Cost, OrderStatus, Symbol
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from simulator.facades.kucoin import KucoinFacade
from simulator.memory import MemoryTransport
from tests.contract.kucoin_bench import BTC, CREATE, ETH, Bench, order, run

D = Decimal
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
MANY = [BTC, ETH, Symbol("SOLUSDT"), Symbol("XRPUSDT")]

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
    ("garbage", '{"code": "200000", "code": "400100"}', True),
    ("garbage", '{"code": NaN}', True),
    ("garbage", '{"code": "200000", "data": {"orderId": "x", "clientOid": "somebody else"}}', True),
    ("garbage", '{"code": "200000", "data": {"orderId": ""}}', True),
    ("garbage", '{"code": "200000", "data": null}', True),
    ("garbage", '{"code": 200000, "data": {"orderId": "x"}}', True),
    ("garbage", "[]", True),
    ("garbage", "<html>bad gateway</html>", True),
    ("empty", None, True),
    ("empty", None, False),
    ("hang", None, True),
    ("hang", None, False),
    ("reject_code", "500000", None),
    ("reject_code", "503", None),
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
        found = await bench.adapter.find(BTC, mine)
        if arrived:
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, D(12))
        else:
            assert found is None

    run(where, scenario)


CODES = [*sorted(PROVEN), "0", "100002", "100004", "300010", "300018", "500000", "600000", "999999"]


@BOTH
def test_the_table_decides_what_a_code_proves_and_the_rest_proves_nothing(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        for code in CODES:
            client_id = bench.next_id()
            fresh = bench.another("main")  # its own windows: what one refusal closes does not decide the next
            bench.fault("reject_code", "order_create", code)
            permit = await fresh.permit(Cost(reduction=False))
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
    assert not set(PROVEN) & {"200000", "100002", "100004", "300010", "300018", "500000"}
    kinds = {verdict.kind for verdict in PROVEN.values()}
    assert kinds == {Rejected, Denied, OurFault, Unavailable}
    assert all(verdict.what and verdict.remedy for verdict in PROVEN.values())


@pytest.mark.parametrize("status", [500, 502])
def test_a_listed_code_in_a_server_error_proves_nothing(status: int) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        bench.fault("garbage", "order_create", '{"code": "300003", "msg": "Balance insufficient"}')
        with pytest.raises(Rejected):
            await bench.place(order("12"))
        inner = bench.recorder.inner

        class Failing(MemoryTransport):
            async def send(self, request):  # type: ignore[no-untyped-def]  # only the status is replaced
                return replace(await inner.send(request), status=status)

        bench.fault("garbage", "order_create", '{"code": "300003", "msg": "Balance insufficient"}')
        permit = await bench.adapter.permit(Cost(reduction=False))
        bench.recorder.inner = Failing(bench.world)
        with pytest.raises(Ambiguous):
            await bench.adapter.place(order("12"), bench.next_id(), permit)

    run("memory", scenario)


@BOTH
def test_a_duplicate_id_means_that_the_order_exists(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(order("12"), mine)
        with pytest.raises(Ambiguous) as caught:
            await bench.place(order("12"), mine)
        assert caught.value.code == "300018"
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.filled == 12 == bench.position()

    run(where, scenario)


def test_an_unreachable_venue_means_that_nothing_was_sent() -> None:
    async def scenario(bench: Bench) -> None:
        inner = bench.recorder.inner
        assert isinstance(inner, MemoryTransport)
        permit = await bench.adapter.permit(Cost(reduction=False))
        inner.set_reachable("kucoin", False)
        with pytest.raises(Unavailable):
            await bench.adapter.place(order("12"), bench.next_id(), permit)
        for read in reads(bench):
            with pytest.raises(Unavailable):
                await read()
        inner.set_reachable("kucoin", True)
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


def test_an_order_the_indexes_do_not_show_yet_is_found_when_they_do() -> None:
    """The venue was seen to answer "no such order" a quarter of a second after it matched one."""

    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(order("12"), mine)
        assert await bench.adapter.find(BTC, mine) is None
        assert (await bench.adapter.positions()).of(BTC).contracts == 0
        await asyncio.sleep(0.5)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(12))
        assert (await bench.adapter.positions()).of(BTC).contracts == 12

    run("memory", scenario, build=lambda exchange: KucoinFacade(exchange, read_lag_s=0.3))


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
        lambda: it.prices(MANY),
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
    ("garbage", '{"code": "200000", "data": {"items": "none"}}'),
    ("garbage", '{"code": "200000", "data": "text"}'),
    ("empty", None),
    ("hang", None),
    ("reject_code", "500000"),
    ("reject_code", "429000"),
    ("reject_code", "400002"),
]


@pytest.mark.parametrize(("kind", "value"), BAD_READS)
@BOTH
def test_a_read_that_fails_is_unavailable_never_empty(where: str, kind: str, value: object) -> None:
    async def scenario(bench: Bench) -> None:
        shared = VenueShared(bench.clock)
        bench.fault(kind, "any", value, count=0)
        for number in range(len(reads(bench))):
            # Each with budgets of its own: what one read learnt of bans and limits does not decide the next.
            shared = VenueShared(bench.clock)
            bench.adapter = bench.another("main", shared=shared)
            with pytest.raises(Unavailable):
                await reads(bench)[number]()

    run(where, scenario)


PRIVATE = ["positions", "equity", "order_query", "margin_mode"]


@pytest.mark.parametrize(("kind", "value"), [one for one in BAD_READS if one[0] != "hang"])
def test_a_private_read_that_fails_is_unavailable_with_the_time_known(kind: str, value: object) -> None:
    """As above, but nothing fails before the request in question: the venue's time is known already."""

    async def scenario(bench: Bench) -> None:
        for number, match in ((1, "positions"), (2, "equity"), (4, "order_query"), (7, "margin_mode"),
                              (8, "order_query"), (9, "order_query")):  # fmt: skip
            bench.adapter = bench.another("main", shared=VenueShared(bench.clock))
            await bench.adapter.preflight()
            bench.admin.clear_faults()
            bench.fault(kind, match, value, count=0)
            with pytest.raises(Unavailable):
                await reads(bench)[number]()

    run("memory", scenario)


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_absence_is_not_concluded_from_a_lookup_that_failed(failing: int) -> None:
    async def scenario(bench: Bench) -> None:
        bench.recorder.lose = failing  # the time, by id, resting, finished
        with pytest.raises(Unavailable):
            await bench.adapter.find(BTC, bench.next_id())
        assert len(bench.recorder.sent) >= failing

    run("memory", scenario)


@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_part_that_cannot_be_read_fails_the_lookup(failing: int, restarted: bool) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for _ in range(2):
            await bench.place(order("1"), mine)
        adapter = bench.another("main") if restarted else bench.adapter
        await adapter.preflight()
        bench.recorder.lose = len(bench.recorder.sent) + failing
        if failing > 2 and not restarted:  # of acknowledged orders the two lists are all that is asked for
            assert await adapter.find(BTC, mine) is not None
            return
        with pytest.raises(Unavailable):
            await adapter.find(BTC, mine)

    run("memory", scenario)


def test_after_a_429_without_the_venues_words_the_address_rests() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("status", "order_create", 429)
        with pytest.raises(Ambiguous):
            await bench.place(order("12"), mine)
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.find(BTC, mine)
        assert caught.value.retry_after_s == pytest.approx(30.0)
        await asyncio.sleep(30.0)
        assert await bench.adapter.find(BTC, mine) is None

    run("memory", scenario)
