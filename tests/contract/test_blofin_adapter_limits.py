"""What of the BloFin adapter's limits, pages and clock no other venue has; the rest is in the suite."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.domain import Cost, MarginMode
from core.errors import Ambiguous, Unavailable
from core.ports import AccountProcessor
from tests.contract.blofin_bench import BTC, ETH, Bench, order, run

D = Decimal


def test_reads_leave_room_for_reductions_at_the_address() -> None:
    async def scenario(bench: Bench) -> None:
        accounts = [bench.another(name) for name in bench.world.credentials()["blofin"]]
        await accounts[0].instruments()

        async def busy(adapter: AccountProcessor) -> None:
            while bench.clock.time() < until:
                try:
                    await adapter.equity()
                except Unavailable as full:
                    await asyncio.sleep(full.retry_after_s or 0.1)

        until = bench.clock.time() + 290.0
        reading = asyncio.gather(*(busy(adapter) for adapter in accounts for _ in range(3)))
        await asyncio.sleep(280.0)
        with pytest.raises(Unavailable):  # nothing but a reduction finds room now
            await accounts[0].permit(Cost(reduction=False))
        assert (await accounts[0].permit(Cost(reduction=True))).nonce
        await reading
        assert bench.over_limit() == 0
        assert 1_300 < len(bench.recorder.sent) <= 1_350

    run("memory", scenario, rtt_s=0.01, accounts=12)


def test_a_429_rests_the_account_and_the_next_one_the_address() -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        await second.instruments()
        for rests_s in (10.0, 300.0):
            bench.fault("reject_code", "order_create", "429")
            with pytest.raises(Ambiguous):
                await bench.place(order("0.1"))
            with pytest.raises(Unavailable) as caught:
                await bench.adapter.positions()
            assert caught.value.retry_after_s == pytest.approx(rests_s)
            if rests_s < 100:
                assert (await second.equity()).value > 0  # the limit was the account's own
                await asyncio.sleep(rests_s)
        with pytest.raises(Unavailable):
            await second.equity()
        await asyncio.sleep(300.0)
        bench.fault("reject_code", "instruments", "429")  # a public endpoint has the address' limit only
        await asyncio.sleep(3600.0)
        with pytest.raises(Unavailable):
            await second.instruments()
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.equity()
        assert caught.value.retry_after_s == pytest.approx(300.0)

    run("memory", scenario)


# --- pages ------------------------------------------------------------------------------------------------------------


def test_history_is_read_in_pages_of_a_hundred() -> None:
    async def scenario(bench: Bench) -> None:
        since = bench.clock.time()
        for number in range(235):
            bench.foreign(BTC, "0.02" if number % 2 else "0.03")
        await asyncio.sleep(20)
        assert len((await bench.adapter.history(since)).fills) == 235
        assert bench.recorder.paths().count("GET /api/v1/trade/fills-history") == 4  # 100, 100, 35, end

    run("memory", scenario)


def test_an_order_is_found_on_a_late_page() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(order("5"), mine)
        for _ in range(130):
            bench.foreign(BTC, "0.02")
            bench.foreign(BTC, "0.03")
        await asyncio.sleep(20)
        bench.fault("reject_code", "order_query", "152002", count=1)  # the detail says nothing
        found = await bench.another("main").find(BTC, mine)
        assert found is not None
        assert found.filled == 5

    run("memory", scenario)


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_a_positions_read_is_one_request() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.positions()
        assert bench.recorder.paths() == ["GET /api/v1/account/positions"]

    run("memory", scenario)


def test_the_margin_mode_is_learnt_again_after_a_minute() -> None:
    async def scenario(bench: Bench) -> None:
        assert (await bench.adapter.leverage(BTC)).margin_mode is MarginMode.CROSS
        bench.setup(margin_mode="isolated")
        await asyncio.sleep(61)
        assert (await bench.adapter.leverage(BTC)).margin_mode is MarginMode.ISOLATED
        assert bench.recorder.paths().count("GET /api/v1/account/margin-mode") == 2

    run("memory", scenario)


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_ms", [-2_000, 2_000])
def test_a_venue_clock_that_is_set_a_little_is_followed_and_no_nonce_recurs(offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        async def busy() -> None:
            for _ in range(5):
                await asyncio.gather(*(bench.adapter.equity() for _ in range(5)))
                await asyncio.sleep(2)

        await bench.adapter.preflight()
        await busy()
        bench.admin.clock({"venue": "blofin", "offset_ms": offset_ms})
        await bench.adapter.prices([BTC, ETH])  # which says what time it is
        await busy()
        assert bench.adapter.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)
        nonces = [one.headers["ACCESS-NONCE"] for one in bench.recorder.sent if "ACCESS-NONCE" in one.headers]
        assert len(set(nonces)) == len(nonces)

    run("memory", scenario, rtt_s=0.02)
