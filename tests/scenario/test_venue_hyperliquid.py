"""The whole engine on Hyperliquid: its stories, and a venue that misbehaves. The ledger ends at the target within the
fence (five seconds) + 10 s, and is never above it in between."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.domain import MarginMode, Policy
from tests.scenario.rig import BTC, ETH, Rig, manual, opened
from tests.scenario.test_faults import keep_cycling

D = Decimal
FENCE_S = 5.0
WITHIN_S = FENCE_S + 10.0

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("order_create", "drop_after", {}),
    ("order_create", "drop_before", {}),
    ("order_create", "hang", {"landed": True}),
    ("order_create", "hang", {"landed": False}),
    ("order_create", "garbage", {"landed": True}),
    ("order_create", "garbage", {"landed": False}),
    ("order_create", "empty", {"landed": True}),
    ("order_create", "status", {"value": 502, "landed": True}),
    ("order_create", "status", {"value": 502, "landed": False}),
    ("order_create", "reject_code", {"value": "DuplicateNonce"}),
    ("order_create", "reject_code", {"value": "PerpMargin"}),
    ("order_create", "reject_code", {"value": "IocCancel"}),
    ("order_create", "delay_ms", {"value": 4_900}),
    ("order_create", "delay_ms", {"value": 8_000}),
    ("order_create", "partial_fill", {"value": "0.5"}),
    ("positions", "hang", {}),
    ("positions", "garbage", {}),
    ("positions", "status", {"value": 502}),
    ("positions", "stale_positions_ms", {"value": 5_000, "count": 3}),
    ("order_query", "garbage", {"count": 3}),
    ("equity", "status", {"value": 502}),
    ("prices", "empty", {}),
    ("leverage", "drop_after", {}),
    ("any", "status", {"value": 502, "count": 4}),
]
STORIES = [("0.5",), ("0.25", "0.5"), ("0.5", "-0.5"), ("0.5", "0")]


def rig() -> Rig:
    return Rig(venue="hyperliquid")


@pytest.mark.parametrize("story", [*STORIES, ("0.25", "-0.5", "0.1", "0")], ids="-".join)
def test_signals_become_positions(story: tuple[str, ...]) -> None:
    it = rig()

    async def scene() -> None:
        await it.settle()
        for depth in story:
            it.signal(BTC, depth)
            it.signal(ETH, str(-D(depth)))
            await it.settle()
            for symbol, sign in ((BTC, 1), (ETH, -1)):
                position = it.position(symbol)
                assert position == it.target(symbol)
                assert (position * sign > 0) - (position * sign < 0) == (D(depth) > 0) - (D(depth) < 0)
            await asyncio.sleep(2)
        ledger = it.ledger()
        assert ledger["leverage"]["BTCUSDT"] == "3"
        sizes = {D(order["quantity"]) % D("0.00001") for order in ledger["orders"] if order["symbol"] == BTC}
        assert sizes == {D(0)}
        assert it.venue_ledger()["requests"]["over_limit"] == 0

    it.run(scene())


def test_leverage_is_not_set_twice() -> None:
    """Every action counts against what the address may ever send."""
    it = rig()

    async def scene() -> None:
        for depth in ("0.2", "0.4", "0", "0.3", "-0.3"):
            it.signal(BTC, depth)
            await it.settle()
        assert it.venue_ledger()["requests"]["by_endpoint"]["POST /exchange updateLeverage"] == 1

    it.run(scene())


@pytest.mark.parametrize(("match", "kind", "more"), CASES, ids=[f"{m}-{k}-{v}" for m, k, v in CASES])
@pytest.mark.parametrize("story", STORIES, ids="-".join)
def test_one_fault(match: str, kind: str, more: dict[str, Any], story: tuple[str, ...]) -> None:
    it = rig()

    async def scene() -> None:
        await it.settle()
        for depth in story[:-1]:
            it.signal(BTC, depth)
            await it.settle()
            await asyncio.sleep(2)
        bound = abs(it.position(BTC))
        it.sim.admin.fault({"venue": "hyperliquid", "match": match, "kind": kind, "count": 1, **more})
        it.signal(BTC, story[-1])
        reached = await keep_cycling(it, 45.0)
        assert reached is not None, it.states()
        assert reached <= WITHIN_S, it.states()
        assert it.highest(BTC) <= max(bound, abs(it.target(BTC)))
        assert it.states()[BTC][0] == "CONVERGED"
        assert it.venue_ledger()["requests"]["over_limit"] == 0
        ids = [order["client_id"] for order in it.ledger()["orders"]]
        assert len(ids) == len(set(ids)), "a client id was sent twice"

    it.run(scene())


def test_a_manual_trade_is_drift_and_told_from_our_own_orders() -> None:
    it = rig()

    async def scene() -> None:
        position = await opened(it)
        manual(it, str(position + D("0.01")))
        await keep_cycling(it, 60.0)
        assert it.states()[BTC][0] == "DRIFTED"
        assert it.position(BTC) == position  # reduce_only: back to what was sized

    it.run(scene())


def test_a_position_in_the_other_margin_mode_blocks_increases_and_can_still_be_closed() -> None:
    it = Rig(venue="hyperliquid", policy=Policy(margin_mode=MarginMode.CROSS))

    async def scene() -> None:
        held = await opened(it, "0.2")
        it.policy(margin_mode=MarginMode.ISOLATED)
        it.boot()
        it.signal(BTC, "0.4")
        await keep_cycling(it, 20.0)
        assert it.position(BTC) == held
        state, because = it.states()[BTC]
        assert (state, "margin mode" in because) == ("BLOCKED", True)
        it.signal(BTC, "0")
        await keep_cycling(it, 20.0)
        assert it.position(BTC) == 0

    it.run(scene())


def test_a_key_that_lost_its_right_blocks_the_account_until_it_is_approved_again() -> None:
    it = rig()
    place = {"venue": "hyperliquid", "account": "main"}
    it.sim.admin.account({**place, "can_trade": False})

    async def scene() -> None:
        it.signal(BTC, "0.5")
        await keep_cycling(it, 5.0)
        status = it.published.statuses[it.ids["main"]]
        assert status["state"] == "BLOCKED"
        assert "approve the API wallet" in status["because"]
        assert it.position(BTC) == 0
        it.sim.admin.account({**place, "can_trade": True})
        await keep_cycling(it, 130.0)
        assert it.position(BTC) == it.target(BTC) != 0

    it.run(scene())


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
        assert it.position(BTC) == D("0.0001")
        assert "on the venue's site" in it.states()[BTC][1]

    it.run(scene())
