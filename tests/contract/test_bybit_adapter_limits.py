"""What of the Bybit adapter's limits and pages no other venue has, on virtual time; the rest is in the suite."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from account_processors.shared import VenueShared
from core.domain import Cost, MarginMode, Symbol
from core.errors import Unavailable
from tests.contract.bybit_bench import BTC, ETH, Bench, order, run

D = Decimal
DAY_S = 86_400.0


def test_another_program_with_the_same_key_is_seen_in_the_headers() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("main", shared=VenueShared(bench.clock))
        await bench.place(order("0.001"))
        await asyncio.sleep(2)
        for _ in range(7):
            await other.place(order("0.001"), bench.next_id(), await other.permit(Cost(reduction=False)))
        went: list[float] = []

        async def trade() -> None:
            await bench.trade(order("0.001"))
            went.append(bench.clock.time())

        await trade()  # its answer says that two are left
        await asyncio.gather(*(trade() for _ in range(5)))
        assert bench.over_limit() == 0
        assert sum(at < went[0] + 0.9 for at in went) == 3

    run("memory", scenario)


def test_a_refusal_for_the_rate_waits_until_the_venue_says() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        other = bench.another("main", shared=VenueShared(bench.clock))
        for _ in range(10):
            await other.place(order("0.001"), bench.next_id(), await other.permit(Cost(reduction=False)))
        with pytest.raises(Unavailable) as caught:
            await bench.place(order("0.001"))
        assert caught.value.code == "10006"
        with pytest.raises(Unavailable):  # its reset is further away than the deadline
            await bench.adapter.permit(Cost(reduction=False))
        await asyncio.sleep(1.1)
        await bench.place(order("0.001"))
        assert bench.orders() == 11

    run("memory", scenario)


# --- pages ------------------------------------------------------------------------------------------------------------


def test_history_is_complete_over_weeks_with_its_funding() -> None:
    async def scenario(bench: Bench) -> None:
        since = bench.clock.time()
        for number in range(230):
            bench.foreign(BTC, "0.01" if number % 2 else "0.02")
        await asyncio.sleep(20 * DAY_S)
        bench.foreign(BTC, "0.5")
        history = await bench.adapter.history(since)
        assert (len(history.fills), history.fills[-1].contracts) == (231, D("0.49"))
        assert bench.recorder.paths().count("GET /v5/execution/list") >= 5
        assert len(history.funding) >= 59  # three a day
        assert {one.symbol for one in history.funding} == {BTC}
        assert all(one.amount < 0 for one in history.funding)  # a long pays

    run("memory", scenario)


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_a_warm_positions_read_is_one_request() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await asyncio.gather(bench.adapter.instruments(), bench.adapter.prices([BTC, ETH]))
        bench.recorder.sent.clear()
        await bench.adapter.positions()
        (request,) = bench.recorder.sent
        assert "settleCoin=USDT" in request.url
        assert "limit=200" in request.url

    run("memory", scenario)


def test_until_symbols_are_known_positions_of_every_settle_coin_are_read() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.positions()
        coins = [coin for coin in ("USDT", "USDC") if any(f"settleCoin={coin}" in r.url for r in bench.recorder.sent)]
        assert coins == ["USDT", "USDC"]
        await bench.adapter.instruments()
        await bench.adapter.prices([Symbol("BTCPERP")])  # not listed here: nobody knows what it settles in
        bench.recorder.sent.clear()
        await bench.adapter.positions()
        assert sum("settleCoin=USDC" in request.url for request in bench.recorder.sent) == 1

    run("memory", scenario)


def test_the_margin_mode_is_learnt_again_after_a_minute() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("0.012"))
        assert (await bench.adapter.positions()).of(BTC).margin_mode is MarginMode.CROSS
        bench.setup(margin_mode="isolated")
        await asyncio.sleep(61)
        assert (await bench.adapter.positions()).of(BTC).margin_mode is MarginMode.ISOLATED
        assert bench.recorder.paths().count("GET /v5/account/info") == 2

    run("memory", scenario)
