"""What of the KuCoin adapter's limits and pages no other venue has, on virtual time; the rest is in the suite."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from account_processors import kucoin_lists
from account_processors.kucoin_client import WEIGHTS
from account_processors.shared import VenueShared
from core.domain import Cost, Symbol
from core.errors import Unavailable
from simulator.facades.kucoin.facade import ROUTES
from tests.contract.kucoin_bench import BTC, ETH, RESTING, Bench, order, run

D = Decimal
DAY_S = 86_400.0
MANY = [BTC, ETH, Symbol("SOLUSDT"), Symbol("XRPUSDT")]


def test_what_the_adapter_takes_from_its_budget_is_what_the_venue_counts() -> None:
    named = {"GET /api/v1/contracts/", "GET /api/v1/orders/", "DELETE /api/v1/orders/client-order/"}
    for endpoint, weight in WEIGHTS.items():
        route = ROUTES[f"{endpoint}{{}}" if endpoint in named else endpoint]
        assert weight == route.weight, endpoint


def test_another_program_with_the_same_key_is_seen_in_the_headers() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("main", shared=VenueShared(bench.clock))
        for _ in range(390):
            await other.equity()
        await bench.adapter.positions()  # its answer says that 48 are left
        for _ in range(24):
            await bench.adapter.positions()
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.positions()
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s > 25
        assert bench.over_limit() == 0

    run("memory", scenario)


def test_a_refusal_for_the_rate_waits_until_the_venue_says() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        other = bench.another("main", shared=VenueShared(bench.clock))
        for _ in range(399):
            await other.equity()
        with pytest.raises(Unavailable) as caught:
            await bench.place(order("1"))
        assert caught.value.code == "429000"
        with pytest.raises(Unavailable):  # its reset is further away than the deadline
            await bench.adapter.permit(Cost(reduction=False))
        await asyncio.sleep(30.1)
        await bench.place(order("1"))
        assert bench.orders() == 1

    run("memory", scenario)


# --- pages ------------------------------------------------------------------------------------------------------------


def test_history_is_complete_over_pages_weeks_and_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kucoin_lists, "PAGE_SIZE", 50)

    async def scenario(bench: Bench) -> None:
        since = bench.clock.time()
        await bench.adapter.prices([BTC, ETH])
        for number in range(230):
            bench.foreign(BTC, "0.01" if number % 2 else "0.02")
            await asyncio.sleep(0.01)
        bench.foreign(ETH, "-1")
        await asyncio.sleep(20 * DAY_S)
        bench.foreign(BTC, "0.5")
        await asyncio.sleep(1)
        history = await bench.adapter.history(since)
        assert len(history.fills) == 232
        assert history.fills[-1].contracts == 490
        assert [fill.time for fill in history.fills] == sorted(fill.time for fill in history.fills)
        assert bench.recorder.paths().count("GET /api/v1/fills") >= 7
        assert len(history.funding) >= 2 * 59  # three a day
        assert {one.symbol for one in history.funding} == {BTC, ETH}
        assert all((one.amount < 0) == (one.symbol == BTC) for one in history.funding)  # a long pays
        assert len((await bench.adapter.history(bench.clock.time() - DAY_S)).fills) == 1
        assert bench.over_limit() == 0

    run("memory", scenario)


def test_funding_is_asked_for_only_where_some_can_have_been_due() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.prices([BTC])
        await asyncio.sleep(3600 - bench.clock.time() % 3600 + 60)
        await bench.adapter.history(bench.clock.time() - 50)
        assert "GET /api/v1/funding-history" not in bench.recorder.paths()
        await bench.adapter.history(bench.clock.time() - 70)
        assert bench.recorder.paths().count("GET /api/v1/funding-history") == 1

    run("memory", scenario)


def test_open_orders_are_complete_over_pages_and_one_that_shrinks_is_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kucoin_lists, "PAGE_SIZE", 20)

    async def scenario(bench: Bench) -> None:
        bench.setup(equity="1000000")
        ids = [bench.next_id() for _ in range(61)]
        for one in ids:
            await bench.place(RESTING, one)
        assert {one.client_id for one in await bench.adapter.open_orders()} == set(ids)
        reading = asyncio.create_task(bench.adapter.open_orders())
        await asyncio.sleep(0.25)  # the first page is read
        await bench.adapter.cancel(BTC, ids[-1])
        with pytest.raises(Unavailable, match="shrank"):
            await reading

    run("memory", scenario, rtt_s=0.2)


def test_pages_that_never_end_are_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kucoin_lists, "PAGE_SIZE", 1)
    monkeypatch.setattr(kucoin_lists, "MAX_PAGES", 3)

    async def scenario(bench: Bench) -> None:
        for _ in range(5):
            await bench.place(RESTING)
        with pytest.raises(Unavailable, match="do not end"):
            await bench.adapter.open_orders()

    run("memory", scenario)


def test_an_order_is_found_however_many_came_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kucoin_lists, "PAGE_SIZE", 10)

    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for _ in range(2):
            await bench.place(order("1"), mine)
        for _ in range(35):
            await bench.place(order("1"))
        await asyncio.sleep(3 * DAY_S)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.filled == 2

    run("memory", scenario)


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_a_warm_cycle_asks_three_things_and_the_time_twice_a_minute() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.adapter.instruments()
        bench.recorder.sent.clear()
        for _ in range(12):
            await asyncio.gather(bench.adapter.positions(), bench.adapter.equity(), bench.adapter.prices(MANY))
            await asyncio.sleep(5)
        paths = bench.recorder.paths()
        assert len(paths) == 12 * 3 + 1
        assert paths.count("GET /api/v1/timestamp") == 1

    run("memory", scenario)
