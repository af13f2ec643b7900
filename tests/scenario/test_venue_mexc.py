"""The whole engine on MEXC: its stories, and a venue that misbehaves.

The ledger ends at the target within the fence (10 s) + 10 s, and is never above it in between.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.domain import MarginMode, Policy
from tests.scenario import venue_stories as stories
from tests.scenario.rig import BTC, Rig
from tests.scenario.test_faults import keep_cycling

MEXC = "mexc"
WITHIN_S = 10.0 + 10.0
CASES = [*stories.FAULTS, *stories.refused("2042", "2005", "513", "510", "604", "603")]
LONG_STORY = ("0.25", "-0.5", "0.1", "0")


def rig(policy: Policy | None = None) -> Rig:
    return Rig(venue=MEXC, policy=policy)


@pytest.mark.parametrize("mode", MarginMode)
@pytest.mark.parametrize("story", [*stories.STORIES, LONG_STORY], ids="-".join)
def test_signals_become_positions(story: tuple[str, ...], mode: MarginMode) -> None:
    it = rig(Policy(margin_mode=mode))
    it.run(stories.two_symbols(it, MEXC, story, mode))


@pytest.mark.parametrize("case", CASES, ids=stories.named(CASES))
@pytest.mark.parametrize("story", stories.STORIES, ids="-".join)
def test_one_fault(case: stories.Case, story: tuple[str, ...]) -> None:
    it = rig()
    it.run(stories.one_fault(it, MEXC, case, story, WITHIN_S))


def test_a_manual_trade_is_drift_and_told_from_our_own_orders() -> None:
    it = rig()
    it.run(stories.manual_trade(it, MEXC))


def test_a_restart_in_the_middle_of_an_order_ends_at_the_target() -> None:
    it = rig()
    it.run(stories.restart_in_an_order(it, MEXC, WITHIN_S))


@pytest.mark.parametrize(
    ("wrong", "words"), [({"position_mode": "hedge"}, "One-way"), ({"can_trade": False}, "Order Placing")]
)
def test_an_account_that_cannot_trade_is_blocked_until_it_can(wrong: dict[str, Any], words: str) -> None:
    it = rig()
    it.run(stories.blocked_until_mended(it, MEXC, wrong, words))


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

    async def scene() -> None:
        it.signal(BTC, "0.2")
        await it.settle()
        it.signal(BTC, "0.4", leverage="2")
        await it.settle()
        assert it.position(BTC) == it.target(BTC) > 0
        assert it.sim.world.venues[MEXC].exchange.leverage("main", BTC) == 2
        assert Decimal(0) not in [Decimal(fill["position_after"]) for fill in it.ledger()["fills"]]

    it.run(scene())


def test_a_cross_position_keeps_its_leverage_until_it_is_flat() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))

    async def scene() -> None:
        it.signal(BTC, "0.2")
        await it.settle()
        held = it.position(BTC)
        it.signal(BTC, "0.4", leverage="2")
        await keep_cycling(it, 20.0)
        assert it.position(BTC) == held
        state, because = it.states()[BTC]
        assert (state, "leverage 3 -> 2" in because) == ("BLOCKED", True)
        it.signal(BTC, "0.05", leverage="2")  # reductions go
        await keep_cycling(it, 20.0)
        assert 0 < it.position(BTC) == it.target(BTC) < held
        it.signal(BTC, "-0.4", leverage="2")
        await keep_cycling(it, 30.0)
        assert it.position(BTC) == it.target(BTC) < 0
        assert it.sim.world.venues[MEXC].exchange.leverage("main", BTC) == 2

    it.run(scene())


def test_a_position_keeps_its_margin_mode_until_it_is_flat() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))

    async def scene() -> None:
        it.signal(BTC, "0.2")
        await it.settle()
        held = it.position(BTC)
        assert held != 0
        it.policy(margin_mode=MarginMode.ISOLATED)
        it.signal(BTC, "0.4")
        await keep_cycling(it, 20.0)
        assert it.position(BTC) == held
        state, because = it.states()[BTC]
        assert (state, "margin mode" in because) == ("BLOCKED", True)
        it.signal(BTC, "0")
        await keep_cycling(it, 20.0)
        assert it.position(BTC) == 0
        it.signal(BTC, "0.4")
        await it.settle()
        assert it.position(BTC) == it.target(BTC) != 0
        assert it.sim.world.venues[MEXC].exchange.margin_mode("main", BTC) is MarginMode.ISOLATED

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
