"""The KuCoin adapter's settings and permits when the venue or the way to it fails, and orders that cannot be built."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import Cost, MarginMode, OrderKind, PlaceOrder, PositionMode, Side, TimeInForce
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from tests.contract.kucoin_bench import BTC, CREATE, ETH, RESTING, Bench, order, run

D = Decimal


@pytest.mark.parametrize("kind", ["drop_after", "garbage", "hang", "status"])
def test_a_setting_whose_answer_is_lost_is_unavailable_and_can_be_read_back(kind: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        bench.fault(kind, "margin_mode")
        with pytest.raises(Unavailable):
            await bench.adapter.set_margin_mode(ETH, MarginMode.CROSS, None)
        await bench.adapter.set_margin_mode(ETH, MarginMode.CROSS, None)
        bench.fault(kind, "leverage")
        with pytest.raises(Unavailable):
            await bench.adapter.set_leverage(ETH, D(7), MarginMode.CROSS)
        assert (await bench.adapter.leverage(ETH)).leverage in (7, 10)
        bench.fault(kind, "any")
        with pytest.raises(Unavailable):
            await bench.adapter.set_position_mode(PositionMode.HEDGE)
        bench.fault(kind, "any")
        with pytest.raises(Ambiguous):
            await bench.adapter.cancel(BTC, bench.next_id())

    run("memory", scenario)


@pytest.mark.parametrize(("code", "kind"), [("400007", Denied), ("300003", Rejected), ("4711", Rejected)])
def test_a_setting_that_is_refused_says_so(code: str, kind: type[VenueError]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault("reject_code", "margin_mode", code)
        with pytest.raises(kind) as caught:
            await bench.adapter.set_margin_mode(ETH, MarginMode.CROSS, None)
        assert caught.value.code == code

    run("memory", scenario)


IMPOSSIBLE = [
    replace(RESTING, kind=OrderKind.STOP),
    replace(RESTING, price=None),
    replace(RESTING, price=D(0)),
    replace(RESTING, contracts=D("1.5")),
    replace(RESTING, leverage=D("2.5")),
    replace(RESTING, leverage=None),
    replace(RESTING, leverage=D(0)),
    PlaceOrder(
        BTC, Side.SELL, D(0), OrderKind.MARKET, None, TimeInForce.IOC, True, None, MarginMode.ISOLATED
    ),
    PlaceOrder(
        BTC, Side.SELL, D(1), OrderKind.MARKET, None, TimeInForce.GTC, True, None, MarginMode.ISOLATED
    ),
]  # fmt: skip


@pytest.mark.parametrize("impossible", IMPOSSIBLE)
def test_an_order_that_cannot_be_built_is_our_fault_and_not_sent(impossible: PlaceOrder) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(OurFault, match="nothing was sent"):
            await bench.place(impossible)
        assert CREATE not in bench.recorder.paths()

    run("memory", scenario)


def test_a_permit_serves_one_order_and_runs_out() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        permit = await bench.adapter.permit(Cost(reduction=False))
        assert permit.valid_until == pytest.approx(bench.clock.time() + 10.0, abs=0.01)
        await bench.adapter.place(order("12"), bench.next_id(), permit)
        with pytest.raises(Unavailable):
            await bench.adapter.place(order("12"), bench.next_id(), permit)
        late = await bench.adapter.permit(Cost(reduction=True))
        assert late.nonce > permit.nonce
        await asyncio.sleep(5.1)  # the venue would refuse its timestamp
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.adapter.place(order("12"), bench.next_id(), late)
        assert bench.orders() == 1
        assert bench.recorder.paths().count(CREATE) == 1

    run("memory", scenario)


def test_an_order_that_arrives_after_its_fence_is_not_taken() -> None:
    """The end of validity is a fence: what is still under way when it passes can no longer land."""

    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine = bench.next_id()
        bench.fault("delay_ms", "order_create", 6_000, landed=False)
        with pytest.raises(Ambiguous):
            await bench.place(order("12"), mine)
        await asyncio.sleep(30)
        assert bench.orders() == 0
        assert await bench.adapter.find(BTC, mine) is None

    run("memory", scenario)
