"""The KuCoin adapter under the venue's limits, bans, pages and clocks, on virtual time against the simulated venue."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from account_processors import kucoin_lists
from account_processors.kucoin_client import WEIGHTS
from account_processors.shared import VenueShared
from core.domain import Cost, Scope, Side, Symbol
from core.errors import Unavailable
from core.ports import AccountProcessor
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


async def patiently(adapter: AccountProcessor, bench: Bench, reduction: bool, went: list[tuple[float, str]]) -> None:
    """Places one order as a caller does that waits for room: again after `Unavailable`, which sent nothing."""
    while True:
        try:
            permit = await adapter.permit(Cost(reduction=reduction))
            break
        except Unavailable as full:
            await asyncio.sleep(full.retry_after_s or 0.1)
    intent = order("1", Side.SELL, reduce=True) if reduction else order("1")
    await adapter.place(intent, bench.next_id(), permit)
    went.append((bench.clock.time(), "reduction" if reduction else "increase"))


@pytest.mark.parametrize("rtt_s", [0.0, 0.08, 0.3])
def test_more_orders_than_the_pool_holds_stay_within_the_limit(rtt_s: float) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="10000000")
        await bench.adapter.preflight()
        went: list[tuple[float, str]] = []
        await asyncio.gather(*(patiently(bench.adapter, bench, False, went) for _ in range(1200)))
        assert bench.over_limit() == 0
        assert bench.orders() == 1200
        assert went[-1][0] - went[0][0] < 31.0 + rtt_s

    run("memory", scenario, rtt_s=rtt_s)


def test_orders_held_up_on_their_way_do_not_meet_the_next_ones_at_the_venue() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="10000000")
        sut = bench.another("main", deadline_s=5.0)
        await sut.preflight()
        bench.fault("delay_ms", "order_create", 2_000, count=990, landed=False)
        went: list[tuple[float, str]] = []
        await asyncio.gather(*(patiently(sut, bench, False, went) for _ in range(1500)))
        assert bench.over_limit() == 0
        assert bench.orders() == 1500

    run("memory", scenario)


def test_reductions_pass_waiting_increases() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="10000000")
        sut = bench.another("main", deadline_s=60.0)
        await sut.place(order("500"), bench.next_id(), await sut.permit(Cost(reduction=False)))
        went: list[tuple[float, str]] = []
        increases = [asyncio.create_task(patiently(sut, bench, False, went)) for _ in range(1300)]
        await asyncio.sleep(0.1)
        reductions = [asyncio.create_task(patiently(sut, bench, True, went)) for _ in range(5)]
        await asyncio.gather(*increases, *reductions)
        reduced = [at for at, kind in went if kind == "reduction"]
        increased = sorted(at for at, kind in went if kind == "increase")
        assert increased[980] < min(reduced)  # they had the room before anybody asked to reduce
        assert max(reduced) <= min(at for at in increased if at > increased[980])
        assert bench.over_limit() == 0

    run("memory", scenario, rtt_s=0.01)


def test_accounts_have_pools_of_their_own_and_share_the_public_one() -> None:
    async def scenario(bench: Bench) -> None:
        names = list(bench.world.credentials()["kucoin"])
        adapters = [bench.another(name) for name in names]

        async def busy(adapter: AccountProcessor) -> None:
            for _ in range(200):
                try:
                    await adapter.equity()
                    await adapter.prices([BTC])
                except Unavailable as full:
                    await asyncio.sleep(full.retry_after_s or 0.1)

        await asyncio.gather(*(busy(adapter) for adapter in adapters for _ in range(4)))
        assert bench.over_limit() == 0
        counts = bench.world.venues["kucoin"].facade.counts().by_endpoint
        assert counts["GET /api/v1/account-overview"] > 1000

    run("memory", scenario, rtt_s=0.01, accounts=3)


def test_a_ban_of_the_address_silences_every_account_until_it_is_over() -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        await asyncio.gather(bench.adapter.preflight(), second.preflight())
        bench.fault("reject_code", "equity", "403")
        with pytest.raises(Unavailable, match="HTTP 403"):
            await bench.adapter.equity()
        sent = len(bench.recorder.sent)
        for call in (bench.adapter.positions, second.equity, second.instruments, lambda: second.prices([BTC])):
            with pytest.raises(Unavailable) as refused:
                await call()
            assert refused.value.retry_after_s == pytest.approx(30.0)
        with pytest.raises(Unavailable):
            await second.permit(Cost(reduction=True))
        assert len(bench.recorder.sent) == sent
        await asyncio.sleep(30.0)
        assert (await second.equity()).value > 0

    run("memory", scenario)


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


def test_every_symbol_of_the_venue_can_be_held_and_read() -> None:
    async def scenario(bench: Bench) -> None:
        listed = await bench.adapter.instruments()
        assert len(listed) >= 25
        for symbol, instrument in listed.items():
            bench.foreign(symbol, str(instrument.contract_size * 1000))
        read = await bench.adapter.positions()
        assert sorted(read.by_symbol) == sorted(listed)
        assert all(position.contracts == 1000 for position in read.by_symbol.values())

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


def test_instruments_are_kept_for_an_hour() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        await asyncio.sleep(3599)
        await bench.adapter.instruments()
        assert len(bench.recorder.sent) == 1
        bench.admin.instrument({"venue": "kucoin", "symbol": BTC, "contract_size": "0.01"})
        await asyncio.sleep(2)
        assert (await bench.adapter.instruments())[BTC].contract_size == D("0.01")

    run("memory", scenario)


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_ms", [-3_600_000, -2_000, -700, 700, 2_000, 3_600_000])
def test_a_clock_that_is_wrong_is_reported_and_signed_around(offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        bench.admin.clock({"venue": "kucoin", "offset_ms": offset_ms})
        preflight = await bench.adapter.preflight()
        assert preflight.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.INCREASES, "clock")]
        await bench.place(order("12"))
        permit = await bench.adapter.permit(Cost(reduction=True))
        assert permit.nonce / 1000 == pytest.approx(bench.clock.time() + offset_ms / 1000, abs=0.1)
        assert permit.valid_until == pytest.approx(bench.clock.time() + 10.0, abs=0.1)
        (fill,) = (await bench.adapter.history(bench.clock.time() - 1)).fills
        assert fill.time == pytest.approx(bench.clock.time(), abs=0.2)

    run("memory", scenario, rtt_s=0.02)


@pytest.mark.parametrize("offset_ms", [-20_000, 20_000])
def test_a_venue_clock_that_is_set_is_followed(offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        bench.admin.clock({"venue": "kucoin", "offset_ms": offset_ms})
        with pytest.raises(Unavailable) as caught:  # it refuses once; then its time is asked for anew
            await bench.place(order("12"))
        assert caught.value.code == "400002"
        await bench.place(order("12"))
        assert bench.position() == 12
        assert bench.adapter.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)

    run("memory", scenario, rtt_s=0.02)
