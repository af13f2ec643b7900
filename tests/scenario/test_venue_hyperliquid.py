"""The whole engine on Hyperliquid: its stories, and a venue that misbehaves. The ledger ends at the target within the
fence (five seconds) + 10 s, and is never above it in between."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.domain import MarginMode, Policy
from tests.scenario import venue_stories as stories
from tests.scenario.rig import BTC, ETH, Rig, keep_cycling, manual, opened

WITHIN_S = 5.0 + 10.0
CASES: list[stories.Case] = [
    *stories.FAULTS,
    *stories.refused("DuplicateNonce", "PerpMargin", "IocCancel"),
    ("positions", "stale_positions_ms", {"value": 5_000, "count": 3}),
    ("order_create", "delay_ms", {"value": 4_900}),
    ("order_create", "delay_ms", {"value": 8_000}),
    ("leverage", "drop_after", {}),
]
LOTS = {BTC: "0.00001", ETH: "0.0001"}


def rig(policy: Policy | None = None) -> Rig:
    return Rig(venue="hyperliquid", policy=policy)


@pytest.mark.parametrize("mode", MarginMode)
@pytest.mark.parametrize("story", stories.LONG_STORIES, ids="-".join)
def test_signals_become_positions(story: tuple[str, ...], mode: MarginMode) -> None:
    it = rig(Policy(margin_mode=mode))
    it.run(stories.two_symbols(it, story, mode, LOTS))


def test_leverage_is_not_set_twice() -> None:
    """Every action counts against what the address may ever send."""
    it = rig()

    async def scene() -> None:
        for depth in ("0.2", "0.4", "0", "0.3", "-0.3"):
            it.signal(BTC, depth)
            await it.settle()
        assert it.venue_ledger()["requests"]["by_endpoint"]["POST /exchange updateLeverage"] == 1

    it.run(scene())


@pytest.mark.parametrize("case", CASES, ids=stories.named(CASES))
@pytest.mark.parametrize("story", stories.STORIES, ids="-".join)
def test_one_fault(case: stories.Case, story: tuple[str, ...]) -> None:
    it = rig()
    it.run(stories.one_fault(it, case, story, WITHIN_S))


def test_a_manual_trade_is_drift_and_told_from_our_own_orders() -> None:
    it = rig()
    it.run(stories.manual_trade(it))


def test_a_restart_in_the_middle_of_an_order_ends_at_the_target() -> None:
    it = rig()
    it.run(stories.restart_in_an_order(it, WITHIN_S))


def test_a_position_in_the_other_margin_mode_blocks_increases_and_can_still_be_closed() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))
    it.run(stories.other_margin_mode(it, restarted=True))


def test_a_key_that_lost_its_right_blocks_the_account_until_it_is_approved_again() -> None:
    it = rig()
    it.run(stories.blocked_until_mended(it, {"can_trade": False}, "approve the API wallet"))


def test_a_price_that_grew_by_a_digit_is_planned_with_a_coarser_tick() -> None:
    it = rig()

    async def scene() -> None:
        it.sim.admin.price({"symbol": ETH, "price": "4000"})
        it.signal(ETH, "0.1")
        await it.settle()
        before = it.position(ETH)
        for price in ("4700", "5600", "6700", "8000", "9600", "11500"):  # each within what is believed at once
            it.sim.admin.price({"symbol": ETH, "price": price})
            await asyncio.sleep(700)
            await it.cycle()
        it.signal(ETH, "0.3")
        await it.settle(60.0)
        assert it.position(ETH) == it.target(ETH) != before

    it.run(scene())


def test_a_position_too_small_to_close_is_told_of_with_what_to_do() -> None:
    """The venue is not known to take reductions below its minimum."""
    it = rig()

    async def scene() -> None:
        await opened(it, "0.5")
        it.sim.admin.price({"symbol": BTC, "price": "50000"})
        manual(it, "0.0001")
        await keep_cycling(it, 60.0)
        it.signal(BTC, "0")
        await keep_cycling(it, 30.0)
        assert it.position(BTC) == Decimal("0.0001")
        assert "on the venue's site" in it.states()[BTC][1]

    it.run(scene())
