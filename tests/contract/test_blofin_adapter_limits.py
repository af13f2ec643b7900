"""The BloFin adapter under the venue's limits, bans, pages and clocks, on virtual time against the simulated venue."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from account_processors.shared import VenueShared
from core.domain import Cost, MarginMode, OrderKind, PlaceOrder, Scope, Side, TimeInForce
from core.errors import Ambiguous, Unavailable
from core.ports import AccountProcessor
from tests.contract.blofin_bench import BTC, ETH, Bench, order, run

D = Decimal
RESTING = PlaceOrder(BTC, Side.BUY, D(1), OrderKind.LIMIT, D(49500), TimeInForce.GTC, False, None, MarginMode.CROSS)


async def patiently(adapter: AccountProcessor, bench: Bench, reduction: bool, went: list[tuple[float, str]]) -> None:
    """Places one order as a caller does that waits for room: again after `Unavailable`, which sent nothing."""
    while True:
        try:
            permit = await adapter.permit(Cost(reduction=reduction))
            break
        except Unavailable as full:
            await asyncio.sleep(full.retry_after_s or 0.1)
    intent = order("0.1", Side.SELL, reduce=True) if reduction else order("0.1")
    await adapter.place(intent, bench.next_id(), permit)
    went.append((bench.clock.time(), "reduction" if reduction else "increase"))


@pytest.mark.parametrize("rtt_s", [0.0, 0.08, 0.3])
def test_seventy_orders_at_once_stay_within_the_limit(rtt_s: float) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        went: list[tuple[float, str]] = []
        await asyncio.gather(*(patiently(bench.adapter, bench, False, went) for _ in range(70)))
        assert bench.over_limit() == 0
        assert bench.orders() == 70
        assert went[-1][0] - went[0][0] < 2 * (10.02 + rtt_s) + 0.1  # and no slower than three windows of thirty

    run("memory", scenario, rtt_s=rtt_s)


def test_ten_orders_go_in_one_round_trip() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.adapter.instruments()
        started = bench.clock.time()
        await asyncio.gather(*(bench.place(order("0.1")) for _ in range(10)))
        assert bench.clock.time() - started == pytest.approx(0.08)
        nonces = [one.headers["ACCESS-NONCE"] for one in bench.recorder.sent[-10:]]
        assert len(set(nonces)) == 10
        assert nonces == sorted(nonces)

    run("memory", scenario, rtt_s=0.08)


def test_reductions_pass_waiting_increases_and_reads() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("50"))
        await asyncio.sleep(11)
        sut = bench.another("main", deadline_s=60.0)
        went: list[tuple[float, str]] = []
        increases = [asyncio.create_task(patiently(sut, bench, False, went)) for _ in range(60)]
        await asyncio.sleep(0.1)
        reads = [asyncio.create_task(sut.positions()) for _ in range(10)]
        await asyncio.sleep(0.1)
        reductions = [asyncio.create_task(patiently(sut, bench, True, went)) for _ in range(5)]
        await asyncio.gather(*increases, *reads, *reductions)
        kinds = [kind for _, kind in sorted(went, key=lambda one: one[0])]
        assert kinds[:28] == ["increase"] * 28  # they had the room before anybody asked to reduce
        assert kinds[28:48].count("reduction") == 5
        assert bench.over_limit() == 0

    run("memory", scenario)


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


def test_many_accounts_share_one_address_fairly() -> None:
    async def scenario(bench: Bench) -> None:
        names = list(bench.world.credentials()["blofin"])
        adapters = [bench.another(name) for name in names]
        answered = dict.fromkeys(names, 0)

        async def busy(name: str, adapter: AccountProcessor) -> None:
            for _ in range(40):
                try:
                    await adapter.equity()
                    answered[name] += 1
                except Unavailable as full:
                    await asyncio.sleep(full.retry_after_s or 0.1)

        await asyncio.gather(*(busy(*pair) for pair in zip(names, adapters, strict=True) for _ in range(4)))
        assert bench.over_limit() == 0
        assert sum(answered.values()) > 400
        assert max(answered.values()) < 1.5 * min(answered.values())

    run("memory", scenario, rtt_s=0.01, accounts=5)


def test_a_firewall_silences_every_account_until_it_is_over() -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        bench.fault("reject_code", "equity", "403")
        with pytest.raises(Unavailable, match="HTTP 403") as caught:
            await bench.adapter.equity()
        assert caught.value.retry_after_s == pytest.approx(300.0)
        sent = len(bench.recorder.sent)
        for call in (bench.adapter.positions, second.equity, second.instruments, lambda: second.prices([BTC])):
            with pytest.raises(Unavailable) as refused:
                await call()
            assert refused.value.retry_after_s == pytest.approx(300.0)
        assert len(bench.recorder.sent) == sent
        await asyncio.sleep(300.0)
        assert (await second.equity()).value > 0

    run("memory", scenario)


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


def test_history_is_complete_over_pages() -> None:
    async def scenario(bench: Bench) -> None:
        since = bench.clock.time()
        ours = []
        for number in range(230):
            if number % 50 == 0:
                ours.append(bench.next_id())
                await bench.place(order("5"), ours[-1])
            bench.foreign(BTC, "0.02" if number % 2 else "0.03")
        await asyncio.sleep(20)
        for adapter in (bench.adapter, bench.another("main", shared=VenueShared(bench.clock))):
            fills = (await adapter.history(since)).fills
            assert len(fills) == 235
            assert [fill.client_id for fill in fills if fill.client_id] == ours
            assert [fill.time for fill in fills] == sorted(fill.time for fill in fills)
            await asyncio.sleep(20)
        assert bench.recorder.paths().count("GET /api/v1/trade/fills-history") == 8  # 100, 100, 35, end
        bench.recorder.sent.clear()
        bench.foreign(BTC, "0.5")
        assert len((await bench.adapter.history(bench.clock.time() - 5)).fills) == 1

    run("memory", scenario)


def test_open_orders_are_complete_over_pages() -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(123):
            await asyncio.sleep(0.4)
            await bench.place(RESTING)
        await asyncio.sleep(10)
        assert len(await bench.adapter.open_orders()) == 123

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


def test_every_symbol_of_the_venue_can_be_held_and_read() -> None:
    async def scenario(bench: Bench) -> None:
        listed = await bench.adapter.instruments()
        for symbol, instrument in listed.items():
            bench.foreign(symbol, str(instrument.quantity(instrument.lot * 7)))
        read = await bench.adapter.positions()
        assert {symbol: position.contracts for symbol, position in read.by_symbol.items()} == {
            symbol: instrument.lot * 7 for symbol, instrument in listed.items()
        }

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


def test_instruments_are_kept_for_an_hour() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        await asyncio.sleep(3599)
        await bench.adapter.instruments()
        assert len(bench.recorder.sent) == 1
        bench.admin.instrument({"venue": "blofin", "symbol": BTC, "lot": "0.5", "min_contracts": "0.5"})
        await asyncio.sleep(2)
        assert (await bench.adapter.instruments())[BTC].lot == D("0.5")

    run("memory", scenario)


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_ms", [-3_600_000, -2_000, -700, 700, 2_000, 3_600_000])
def test_a_clock_that_is_wrong_is_reported_and_signed_around(offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        bench.admin.clock({"venue": "blofin", "offset_ms": offset_ms})
        preflight = await bench.adapter.preflight()
        assert preflight.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.INCREASES, "clock")]
        await bench.place(order("12"))
        permit = await bench.adapter.permit(Cost(reduction=True))
        assert permit.nonce / 1000 == pytest.approx(bench.clock.time() + offset_ms / 1000, abs=0.1)
        assert permit.valid_until == pytest.approx(bench.clock.time() + 60.0, abs=0.1)
        (fill,) = (await bench.adapter.history(bench.clock.time() - 1)).fills
        assert fill.time == pytest.approx(bench.clock.time(), abs=0.2)

    run("memory", scenario, rtt_s=0.02)


@pytest.mark.parametrize("offset_ms", [-90_000, -2_000, 2_000, 90_000])
def test_a_venue_clock_that_is_set_is_followed_and_no_nonce_recurs(offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        for _ in range(5):
            await asyncio.gather(*(bench.adapter.equity() for _ in range(5)))
            await asyncio.sleep(2)
        bench.admin.clock({"venue": "blofin", "offset_ms": offset_ms})
        if abs(offset_ms) > 60_000:
            with pytest.raises(Unavailable) as caught:
                await bench.adapter.equity()
            assert caught.value.code == "152405"
        await bench.adapter.prices([BTC, ETH])  # which says what time it is
        for _ in range(5):
            await asyncio.gather(*(bench.adapter.equity() for _ in range(5)))
            await asyncio.sleep(2)
        assert bench.adapter.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)
        nonces = [one.headers["ACCESS-NONCE"] for one in bench.recorder.sent if "ACCESS-NONCE" in one.headers]
        assert len(set(nonces)) == len(nonces)

    run("memory", scenario, rtt_s=0.02)
