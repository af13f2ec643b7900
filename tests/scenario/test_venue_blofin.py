"""The whole engine on BloFin: its stories, and a venue that misbehaves. The ledger ends at the target within the fence
(a minute) + 10 s, and is never above it in between."""

from __future__ import annotations

from typing import Any

import pytest

from core.domain import MarginMode, Policy
from tests.scenario import venue_stories as stories
from tests.scenario.rig import BTC, ETH, Rig

WITHIN_S = 60.0 + 10.0
CASES: list[stories.Case] = [
    *stories.FAULTS,
    *stories.refused("152407", "103003"),
    stories.STALE,
    stories.TWICE,
    ("order_create", "delay_ms", {"value": 30_000}),
    ("leverage", "drop_after", {}),
]
LOTS = {BTC: "0.0001", ETH: "0.001"}


def rig(policy: Policy | None = None) -> Rig:
    return Rig(venue="blofin", policy=policy)


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
    ("wrong", "words"), [({"position_mode": "hedge"}, "One-way"), ({"can_trade": False}, "read-only")]
)
def test_an_account_that_cannot_trade_is_blocked_until_it_can(wrong: dict[str, Any], words: str) -> None:
    it = rig()
    it.run(stories.blocked_until_mended(it, wrong, words))


def test_a_position_in_the_other_margin_mode_blocks_increases_and_can_still_be_closed() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))
    it.run(stories.other_margin_mode(it, restarted=True))
