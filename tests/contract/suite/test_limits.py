"""Every venue: no request above its published limits, by the facade's count; bursts wait; bans are heeded."""

from __future__ import annotations

import asyncio

import pytest

from core.domain import Side
from core.errors import Unavailable
from core.ports import AccountProcessor
from tests.contract.adapter_bench import BTC, Bench, patiently
from tests.contract.suite.benches import benches, every
from tests.contract.suite.venue import VenueBench

SMALL = "0.001"
RICH = "10000000"


async def increase(bench: Bench, sut: AccountProcessor, went: list[float]) -> None:
    await bench.trade(bench.order(SMALL), adapter=sut)
    went.append(bench.clock.time())


async def reduce(bench: Bench, sut: AccountProcessor, went: list[float]) -> None:
    await bench.trade(bench.order(SMALL, Side.SELL, reduce=True), adapter=sut)
    went.append(bench.clock.time())


@every()
@pytest.mark.parametrize("rtt_s", [0.0, 0.08, 0.3])
def test_a_burst_stays_within_the_limit_and_is_no_slower_than_it(it: VenueBench, rtt_s: float) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity=RICH)
        await bench.adapter.preflight()
        await bench.adapter.instruments()
        went: list[float] = []
        await asyncio.gather(*(increase(bench, bench.adapter, went) for _ in range(it.burst.orders)))
        assert bench.over_limit() == 0
        assert bench.orders() == it.burst.orders
        assert went[-1] - went[0] < it.burst.windows * (it.burst.window_s + rtt_s) + 0.1

    it.run("memory", scenario, rtt_s=rtt_s)


@every()
def test_what_the_limit_allows_goes_in_one_round_trip(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.adapter.instruments()
        started = bench.clock.time()
        await asyncio.gather(*(bench.place(bench.order(SMALL)) for _ in range(it.burst.at_once)))
        assert bench.clock.time() - started == pytest.approx(0.08, abs=1e-6)
        stamps = [str(it.stamp(one)) for one in bench.recorder.sent[-it.burst.at_once :]]
        assert sorted(set(stamps), key=int) == stamps

    it.run("memory", scenario, rtt_s=0.08)


@every()
def test_reductions_pass_waiting_increases_and_reads(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity=RICH)
        sut = bench.another("main", deadline_s=60.0)
        await bench.trade(bench.order("0.5"), adapter=sut)
        await asyncio.sleep(61)
        increased: list[float] = []
        reduced: list[float] = []
        increases = [asyncio.create_task(increase(bench, sut, increased)) for _ in range(it.burst.orders)]
        await asyncio.sleep(0.1)
        before = len(increased)  # these had the room before anybody asked to reduce
        assert 0 < before < it.burst.orders
        reads = [asyncio.create_task(patiently(sut.positions)) for _ in range(10)]
        await asyncio.sleep(0.1)
        reductions = [asyncio.create_task(reduce(bench, sut, reduced)) for _ in range(3)]
        await asyncio.gather(*increases, *reads, *reductions)
        assert sum(at < max(reduced) for at in increased) <= before + it.burst.at_once
        assert bench.over_limit() == 0

    it.run("memory", scenario, rtt_s=0.01)


@every()
def test_orders_held_up_on_their_way_do_not_meet_the_next_ones_at_the_venue(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity=RICH)
        sut = bench.another("main", deadline_s=5.0)
        await sut.preflight()
        went: list[float] = []
        bench.fault("delay_ms", "order_create", 600, count=it.burst.orders // 2, landed=False)
        await asyncio.gather(*(increase(bench, sut, went) for _ in range(it.burst.orders)))
        assert bench.over_limit() == 0
        assert bench.orders() == it.burst.orders

    it.run("memory", scenario)


@every()
def test_accounts_share_an_address_fairly_within_its_limits(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        names = list(bench.world.credentials()[bench.venue])
        suts = [bench.another(name) for name in names]
        answered = dict.fromkeys(names, 0)

        async def busy(name: str, sut: AccountProcessor) -> None:
            for _ in range(100):
                try:
                    await sut.equity()
                    answered[name] += 1
                    await sut.prices([BTC])
                except Unavailable as full:
                    await asyncio.sleep(full.retry_after_s or 0.1)

        await asyncio.gather(*(busy(*pair) for pair in zip(names, suts, strict=True) for _ in range(4)))
        assert bench.over_limit() == 0
        assert min(answered.values()) > 50
        assert max(answered.values()) < 1.5 * min(answered.values())

    it.run("memory", scenario, rtt_s=0.01, accounts=5)


@pytest.mark.parametrize("it", [it for it in benches() if it.ban is not None], ids=str)
def test_a_ban_of_the_address_silences_every_account_until_it_is_over(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert it.ban is not None
        second = bench.another("second")
        await asyncio.gather(bench.adapter.preflight(), second.preflight())
        bench.shared.forget("instruments")  # where a preflight has read them
        bench.fault("reject_code", "equity", it.ban.code)
        with pytest.raises(Unavailable, match=f"HTTP {it.ban.code}") as caught:
            await bench.adapter.equity()
        assert caught.value.retry_after_s in (None, pytest.approx(it.ban.rests_s))
        sent = len(bench.recorder.sent)
        for call in (bench.adapter.positions, second.equity, second.instruments, lambda: second.prices([BTC])):
            with pytest.raises(Unavailable) as refused:
                await call()
            assert refused.value.retry_after_s == pytest.approx(it.ban.rests_s)
        with pytest.raises(Unavailable):
            await bench.place(bench.order(SMALL, Side.SELL, reduce=True))
        assert len(bench.recorder.sent) == sent
        await asyncio.sleep(it.ban.rests_s)
        assert (await second.equity()).value > 0

    it.run("memory", scenario)
