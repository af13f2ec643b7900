"""The Bybit adapter under the venue's limits, bans, pages and clocks, on virtual time against the simulated venue."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from account_processors.shared import VenueShared
from core.domain import Cost, MarginMode, OrderKind, PlaceOrder, Scope, Side, Symbol, TimeInForce
from core.errors import Unavailable
from core.ports import AccountProcessor
from tests.contract.bybit_bench import BTC, ETH, Bench, order, run

D = Decimal
DAY_S = 86_400.0


async def patiently(adapter: AccountProcessor, bench: Bench, reduction: bool, went: list[tuple[float, str]]) -> None:
    """Places one order as a caller does that waits for room: again after `Unavailable`, which sent nothing."""
    while True:
        try:
            permit = await adapter.permit(Cost(reduction=reduction))
            break
        except Unavailable as full:
            await asyncio.sleep(full.retry_after_s or 0.1)
    intent = order("0.001", Side.SELL, reduce=True) if reduction else order("0.001")
    await adapter.place(intent, bench.next_id(), permit)
    went.append((bench.clock.time(), "reduction" if reduction else "increase"))


@pytest.mark.parametrize("rtt_s", [0.0, 0.08, 0.3])
def test_forty_orders_at_once_stay_within_the_limit(rtt_s: float) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        went: list[tuple[float, str]] = []
        await asyncio.gather(*(patiently(bench.adapter, bench, False, went) for _ in range(40)))
        assert bench.over_limit() == 0
        assert bench.orders() == 40
        assert went[-1][0] - went[0][0] < 3 * (1.02 + rtt_s) + 0.1  # and no slower than four windows of ten

    run("memory", scenario, rtt_s=rtt_s)


def test_ten_orders_go_in_one_round_trip() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        started = bench.clock.time()
        await asyncio.gather(*(bench.place(order("0.001")) for _ in range(10)))
        assert bench.clock.time() - started == pytest.approx(0.08)

    run("memory", scenario, rtt_s=0.08)


def test_reductions_pass_waiting_increases() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("0.05"))
        await asyncio.sleep(2)
        sut = bench.another("main", deadline_s=60.0)
        went: list[tuple[float, str]] = []
        increases = [asyncio.create_task(patiently(sut, bench, False, went)) for _ in range(60)]
        await asyncio.sleep(0.1)
        reductions = [asyncio.create_task(patiently(sut, bench, True, went)) for _ in range(5)]
        await asyncio.gather(*increases, *reductions)
        kinds = [kind for _, kind in sorted(went, key=lambda one: one[0])]
        assert kinds[:10] == ["increase"] * 10  # they had the room before anybody asked to reduce
        assert sorted(kinds[10:20]) == ["increase"] * 5 + ["reduction"] * 5
        assert bench.over_limit() == 0

    run("memory", scenario)


def test_orders_held_up_on_their_way_do_not_meet_the_next_ones_at_the_venue() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        sut = bench.another("main", deadline_s=5.0)
        bench.fault("delay_ms", "order_create", 600, count=10, landed=False)
        went: list[tuple[float, str]] = []
        await asyncio.gather(*(patiently(sut, bench, False, went) for _ in range(20)))
        assert bench.over_limit() == 0
        assert bench.orders() == 20

    run("memory", scenario)


def test_many_accounts_share_one_address_within_its_limit() -> None:
    async def scenario(bench: Bench) -> None:
        names = list(bench.world.credentials()["bybit"])
        adapters = [bench.another(name) for name in names]
        answered = dict.fromkeys(names, 0)

        async def busy(name: str, adapter: AccountProcessor) -> None:
            for _ in range(200):
                try:
                    await adapter.equity()
                    answered[name] += 1
                except Unavailable as full:
                    await asyncio.sleep(full.retry_after_s or 0.1)

        await asyncio.gather(*(busy(*pair) for pair in zip(names, adapters, strict=True) for _ in range(4)))
        assert bench.over_limit() == 0
        assert sum(answered.values()) > 1000
        assert max(answered.values()) < 1.5 * min(answered.values())

    run("memory", scenario, rtt_s=0.01, accounts=5)


def test_a_ban_of_the_address_silences_every_account_until_it_is_over() -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        bench.fault("reject_code", "equity", "403")
        with pytest.raises(Unavailable, match="HTTP 403") as caught:
            await bench.adapter.equity()
        assert caught.value.retry_after_s == pytest.approx(600.0)
        sent = len(bench.recorder.sent)
        for call in (bench.adapter.positions, second.equity, second.instruments, lambda: second.prices([BTC])):
            with pytest.raises(Unavailable) as refused:
                await call()
            assert refused.value.retry_after_s == pytest.approx(600.0)
        with pytest.raises(Unavailable):
            await second.permit(Cost(reduction=True))
        assert len(bench.recorder.sent) == sent
        await asyncio.sleep(600.0)
        assert (await second.equity()).value > 0

    run("memory", scenario)


def test_another_program_with_the_same_key_is_seen_in_the_headers() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("main", shared=VenueShared(bench.clock))
        await bench.place(order("0.001"))
        await asyncio.sleep(2)
        for _ in range(7):
            await other.place(order("0.001"), bench.next_id(), await other.permit(Cost(reduction=False)))
        went: list[tuple[float, str]] = []
        await patiently(bench.adapter, bench, False, went)  # its answer says that two are left
        await asyncio.gather(*(patiently(bench.adapter, bench, False, went) for _ in range(5)))
        assert bench.over_limit() == 0
        assert sum(at < went[0][0] + 0.9 for at, _ in went) == 3

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


def test_history_is_complete_over_pages_and_weeks() -> None:
    async def scenario(bench: Bench) -> None:
        since = bench.clock.time()
        for number in range(230):
            bench.foreign(BTC, "0.01" if number % 2 else "0.02")
        await asyncio.sleep(20 * DAY_S)
        bench.foreign(BTC, "0.5")
        history = await bench.adapter.history(since)
        assert len(history.fills) == 231
        assert history.fills[-1].contracts == D("0.49")
        assert [fill.time for fill in history.fills] == sorted(fill.time for fill in history.fills)
        assert bench.recorder.paths().count("GET /v5/execution/list") >= 5
        assert len(history.funding) >= 59  # three a day
        assert {one.symbol for one in history.funding} == {BTC}
        assert all(one.amount < 0 for one in history.funding)  # a long pays
        assert len((await bench.adapter.history(bench.clock.time() - DAY_S)).fills) == 1

    run("memory", scenario)


def test_open_orders_are_complete_over_pages() -> None:
    async def scenario(bench: Bench) -> None:
        resting = PlaceOrder(
            BTC, Side.BUY, D("0.001"), OrderKind.LIMIT, D("49000"), TimeInForce.GTC, False, None, MarginMode.CROSS
        )
        for _ in range(61):
            await asyncio.sleep(0.2)
            await bench.place(resting)
        assert len(await bench.adapter.open_orders()) == 61

    run("memory", scenario)


def test_every_symbol_of_the_venue_can_be_held_and_read() -> None:
    async def scenario(bench: Bench) -> None:
        symbols = sorted(await bench.adapter.instruments())
        for symbol in symbols:
            bench.foreign(symbol, "1000")
        read = await bench.adapter.positions()
        assert sorted(read.by_symbol) == symbols
        assert all(position.contracts == 1000 for position in read.by_symbol.values())

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


def test_instruments_are_kept_for_an_hour() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        await asyncio.sleep(3599)
        await bench.adapter.instruments()
        assert len(bench.recorder.sent) == 1
        bench.admin.instrument({"venue": "bybit", "symbol": BTC, "lot": "0.01", "min_contracts": "0.01"})
        await asyncio.sleep(2)
        assert (await bench.adapter.instruments())[BTC].lot == D("0.01")

    run("memory", scenario)


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_ms", [-3_600_000, -2_000, -700, 700, 2_000, 3_600_000])
def test_a_clock_that_is_wrong_is_reported_and_signed_around(offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        bench.admin.clock({"venue": "bybit", "offset_ms": offset_ms})
        preflight = await bench.adapter.preflight()
        assert preflight.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.INCREASES, "clock")]
        await bench.place(order("0.012"))
        permit = await bench.adapter.permit(Cost(reduction=True))
        assert permit.nonce / 1000 == pytest.approx(bench.clock.time() + offset_ms / 1000, abs=0.1)
        assert permit.valid_until == pytest.approx(bench.clock.time() + 5.0, abs=0.1)
        (fill,) = (await bench.adapter.history(bench.clock.time() - 1)).fills
        assert fill.time == pytest.approx(bench.clock.time(), abs=0.2)

    run("memory", scenario, rtt_s=0.02)


@pytest.mark.parametrize("offset_ms", [-2_000, 2_000])
def test_a_venue_clock_that_is_set_is_followed(offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await asyncio.gather(*(bench.adapter.equity() for _ in range(20)))
        bench.admin.clock({"venue": "bybit", "offset_ms": offset_ms})
        if offset_ms < 0:  # our stamps are now ahead of its clock: it refuses once, and says what time it is
            with pytest.raises(Unavailable) as caught:
                await bench.adapter.equity()
            assert caught.value.code == "10002"
        assert (await bench.adapter.equity()).value > 0
        assert bench.adapter.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)

    run("memory", scenario, rtt_s=0.02)
