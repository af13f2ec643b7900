"""The whole engine on KuCoin Futures: its stories, and a venue that misbehaves.

The ledger ends at the target within the fence (10 s) + 10 s, and is never above it in between.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.domain import LeverageChange, MarginMode, Policy
from tests.scenario import venue_stories as stories
from tests.scenario.rig import BTC, ETH, Rig, opened

WITHIN_S = 10.0 + 10.0
CASES: list[stories.Case] = [
    *stories.FAULTS,
    *stories.refused("300018", "300003", "400002"),
    stories.STALE,
    stories.TWICE,
    ("margin_mode", "drop_before", {}),
]
LOTS = {BTC: "0.001", ETH: "0.01"}


def rig(policy: Policy | None = None) -> Rig:
    return Rig(venue="kucoin", policy=policy)


@pytest.mark.parametrize("mode", MarginMode)
@pytest.mark.parametrize("story", stories.LONG_STORIES, ids="-".join)
def test_signals_become_positions(story: tuple[str, ...], mode: MarginMode) -> None:
    it = rig(Policy(margin_mode=mode))
    it.run(stories.two_symbols(it, story, mode, LOTS))


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


@pytest.mark.parametrize(
    ("wrong", "words"), [({"position_mode": "hedge"}, "One-Way"), ({"can_trade": False}, "may not trade")]
)
def test_an_account_that_cannot_trade_is_blocked_until_it_can(wrong: dict[str, Any], words: str) -> None:
    it = rig()
    it.run(stories.blocked_until_mended(it, wrong, words))


def test_a_symbol_in_the_other_margin_mode_is_switched_while_flat_and_blocks_while_not() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))

    async def scene() -> None:
        await stories.other_margin_mode(it)
        await stories.opened_in_isolated_margin(it)

    it.run(scene())


def test_an_isolated_position_keeps_its_leverage_until_it_is_flat() -> None:
    it = rig()
    it.run(stories.leverage_held_until_flat(it))


def test_an_isolated_position_is_reopened_with_another_leverage_where_the_policy_says_so() -> None:
    it = rig(Policy(leverage_change=LeverageChange.CLOSE_AND_REOPEN))

    async def scene() -> None:
        await opened(it, "0.2")
        it.signal(BTC, "0.4", leverage="2")
        await it.settle()
        assert it.position(BTC) == it.target(BTC) > 0
        assert it.sim.world.venues["kucoin"].exchange.leverage("main", BTC) == 2
        assert [Decimal(fill["position_after"]) for fill in it.ledger()["fills"]].count(Decimal(0)) == 1

    it.run(scene())


def test_a_cross_position_takes_another_leverage_while_it_is_open() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))
    it.run(stories.leverage_taken_while_open(it))
