"""Limits between plan and signature, by the venue's ledger: increases stay within them, reductions pass every one."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.domain import Cost, Halt, Permit, Policy, Symbol
from tests.scenario.rig import BTC, ETH, Rig, opened, settings_for

SOL = Symbol("SOLUSDT")


def both(rig: Rig, *depths: str) -> None:
    for symbol, depth in zip((BTC, ETH, SOL), depths, strict=False):
        rig.signal(symbol, depth)


def open_symbols(rig: Rig) -> set[str]:
    return {symbol for symbol, quantity in rig.ledger()["positions"].items() if Decimal(quantity)}


@pytest.mark.parametrize("venue", ["bybit", "kucoin", "hyperliquid"])
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Policy(max_positions=1), "max_positions is 1"),
        (Policy(max_gross_exposure=Decimal(10_000)), "max_gross_exposure 10000.00"),
        (Policy(max_total_margin=Decimal("0.3")), "max_total_margin 0.3"),
    ],
    ids=["positions", "exposure", "margin"],
)
def test_symbols_that_come_at_once_share_the_room_and_one_of_them_goes(venue: str, policy: Policy, said: str) -> None:
    """Each alone fits (7500 of an equity of 10 000), both do not: exactly the first by name is opened."""
    rig = Rig(venue=venue, policy=policy)

    async def story() -> None:
        both(rig, "0.5", "0.5")
        await rig.settle()
        assert open_symbols(rig) == {BTC}
        assert rig.position(BTC) == rig.target(BTC)
        state, because = rig.states()[ETH]
        assert state == "BLOCKED"
        assert said in because
        both(rig, "0")
        await rig.settle()
        await rig.settle()
        assert open_symbols(rig) == {ETH}, "what was taken is free again"

    rig.run(story())


def test_foreign_positions_take_room_too() -> None:
    rig = Rig(policy=Policy(max_positions=1))

    async def story() -> None:
        await rig.cycle()
        place = {"venue": rig.venue, "account": "main", "symbol": SOL, "quantity": "3", "kind": "manual"}
        rig.sim.admin.position(place)
        both(rig, "0.5")
        await rig.settle()
        assert open_symbols(rig) == {SOL}
        assert "max_positions is 1" in rig.states()[BTC][1]

    rig.run(story())


LOWERED = [
    ({"max_order_notional": Decimal(100)}, "max_order_notional 100.00"),
    ({"max_gross_exposure": Decimal(100)}, "max_gross_exposure 100.00"),
    ({"max_total_margin": Decimal("0.01")}, "max_total_margin 0.01"),
]


@pytest.mark.parametrize(("lowered", "said"), LOWERED, ids=[next(iter(one)) for one, _ in LOWERED])
def test_a_limit_lowered_beside_a_position_stops_increases_and_no_reduction(
    lowered: dict[str, Decimal], said: str
) -> None:
    rig = Rig()

    async def story() -> None:
        held = await opened(rig)
        rig.policy(**lowered)
        both(rig, "0.9")
        await rig.settle()
        assert rig.position(BTC) == held
        assert said in rig.states()[BTC][1]
        for depth in ("0.2", "0"):
            both(rig, depth)
            await rig.settle()
            assert rig.position(BTC) == rig.target(BTC) < held

    rig.run(story())


def test_a_leverage_cap_lowered_before_the_order_left_holds_for_it() -> None:
    rig = Rig()

    async def story() -> None:
        rig.settings.halted = Halt.HALT_INCREASES
        both(rig, "0.5")
        await rig.settle()
        assert rig.target(BTC) != 0, "sized at leverage 3, and halted"
        rig.policy(max_leverage=Decimal(2))
        rig.settings.halted = Halt.NONE
        await rig.settle()
        fills = rig.ledger()["fills"]
        worth = sum(Decimal(fill["quantity"]) * Decimal(fill["price"]) for fill in fills)
        assert worth <= Decimal(10_000) * Decimal("0.25") * 2
        assert worth or "max_leverage 2" in rig.states()[BTC][1]

    rig.run(story())


@pytest.mark.parametrize("restart", [False, True])
def test_the_increases_of_a_minute_are_counted_across_symbols_and_restarts(restart: bool) -> None:
    rig = Rig(policy=Policy(max_increase_orders_per_minute=2))
    rig.settings.value = settings_for(
        list(rig.ids.values()), (BTC, ETH, SOL), policy=Policy(max_increase_orders_per_minute=2), weight="0.2"
    )

    async def story() -> None:
        if restart:
            both(rig, "0.5", "0.5")
            await rig.settle()
            rig.disk.crash()
            rig.boot()
        both(rig, "0.5", "0.5", "0.5")
        await rig.settle(within_s=10)
        assert len(open_symbols(rig)) == 2, "three at once, and two may go"
        began = float(rig.ledger()["orders"][0]["received_at"])
        while len(open_symbols(rig)) < 3:
            await rig.settle()
            await asyncio.sleep(1)
            assert rig.clock.time() - began < 100
        received = sorted(float(order["received_at"]) for order in rig.ledger()["orders"])
        assert received[2] - received[0] >= 60

    rig.run(story())


@pytest.mark.parametrize("venue", ["bybit", "kucoin", "hyperliquid"])
def test_increases_that_wait_for_the_venue_together_do_not_pass_the_minute_together(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were planned while there was room; only the gate sees them one after the other."""
    rig = Rig(venue=venue)
    processor = rig.executor.accounts[0].processor
    permit = processor.permit

    async def slow(cost: Cost) -> Permit:
        await asyncio.sleep(0.05)
        return await permit(cost)

    async def story() -> None:
        both(rig, "0.2", "0.2")
        await rig.settle()
        await asyncio.sleep(70)
        sent = len(rig.ledger()["orders"])
        rig.policy(max_increase_orders_per_minute=1)
        monkeypatch.setattr(processor, "permit", slow)
        both(rig, "0.3", "0.3")
        for _ in range(3):
            await rig.cycle()
        assert len(rig.ledger()["orders"]) == sent + 1

    rig.run(story())
