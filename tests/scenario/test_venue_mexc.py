"""The whole engine on MEXC: its stories, and a venue that misbehaves.

The ledger ends at the target within the fence (10 s) + 10 s, and is never above it in between.
"""

from __future__ import annotations

from typing import Any

import pytest

from core.domain import MarginMode, Policy
from tests.scenario import venue_stories as stories
from tests.scenario.rig import BTC, ETH, Rig, keep_cycling

MEXC = "mexc"
WITHIN_S = 10.0 + 10.0
CASES = [
    *stories.FAULTS,
    *stories.refused("2042", "2005", "513", "510", "604", "603"),
    stories.STALE,
    stories.TWICE,
]
LOTS = {BTC: "0.0001", ETH: "0.01"}


def rig(policy: Policy | None = None) -> Rig:
    return Rig(venue=MEXC, policy=policy)


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
    ("wrong", "words"), [({"position_mode": "hedge"}, "One-way"), ({"can_trade": False}, "Order Placing")]
)
def test_an_account_that_cannot_trade_is_blocked_until_it_can(wrong: dict[str, Any], words: str) -> None:
    it = rig()
    it.run(stories.blocked_until_mended(it, wrong, words))


def test_an_account_that_is_switched_to_hedge_mode_while_it_trades_opens_nothing_more() -> None:
    it = rig()

    async def scene() -> None:
        await it.settle()
        it.sim.admin.account({"venue": MEXC, "account": "main", "position_mode": "hedge"})
        it.signal(BTC, "0.5")
        await keep_cycling(it, 5.0)
        assert it.position(BTC) == 0
        status = it.published.statuses[it.ids["main"]]
        assert (status["state"], "One-way" in status["because"]) == ("BLOCKED", True)
        it.sim.admin.account({"venue": MEXC, "account": "main", "position_mode": "one_way"})
        await keep_cycling(it, 130.0)
        assert it.position(BTC) == it.target(BTC) != 0

    it.run(scene())


# --- leverage and margin mode -----------------------------------------------------------------------------------------


def test_an_isolated_position_takes_another_leverage_while_it_is_open() -> None:
    it = rig()
    it.run(stories.leverage_taken_while_open(it))


def test_a_cross_position_keeps_its_leverage_until_it_is_flat() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))
    it.run(stories.leverage_held_until_flat(it))


def test_a_position_keeps_its_margin_mode_until_it_is_flat() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))

    async def scene() -> None:
        await stories.other_margin_mode(it)
        await stories.opened_in_isolated_margin(it)

    it.run(scene())


def test_a_contract_that_may_not_be_traded_over_the_api_is_not_opened() -> None:
    it = rig()

    async def scene() -> None:
        it.sim.admin.instrument({"venue": MEXC, "symbol": BTC, "tradable": False})
        it.signal(BTC, "0.5")
        await keep_cycling(it, 5.0)
        assert it.position(BTC) == 0
        assert it.states()[BTC][0] == "BLOCKED"
        assert [order for order in it.ledger()["orders"] if order["symbol"] == BTC] == []

    it.run(scene())
