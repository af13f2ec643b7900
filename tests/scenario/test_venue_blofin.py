"""The whole engine on BloFin: its stories, and a venue that misbehaves. The ledger ends at the target within the fence
(a minute) + 10 s, and is never above it in between."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.domain import MarginMode, Policy
from tests.scenario.rig import BTC, ETH, Rig, manual

FENCE_S = 60.0
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
    ("order_create", "reject_code", {"value": "152407"}),
    ("order_create", "reject_code", {"value": "103003"}),
    ("order_create", "delay_ms", {"value": 30_000}),
    ("order_create", "partial_fill", {"value": "0.5"}),
    ("order_create", "accept_duplicate_ids", {"count": 0}),
    ("positions", "hang", {}),
    ("positions", "garbage", {}),
    ("positions", "status", {"value": 502}),
    ("positions", "stale_positions_ms", {"value": 10_000, "count": 8}),
    ("order_query", "garbage", {"count": 3}),
    ("equity", "status", {"value": 502}),
    ("prices", "empty", {}),
    ("leverage", "drop_after", {}),
    ("any", "status", {"value": 502, "count": 4}),
]
STORIES = [("0.5",), ("0.25", "0.5"), ("0.5", "-0.5"), ("0.5", "0")]


def rig() -> Rig:
    return Rig(venue="blofin")


async def keep_cycling(it: Rig, seconds: float) -> float | None:
    """Cycles for `seconds`; returns when the ledger reached BTC's target for good (None: never)."""
    began, reached = it.clock.monotonic(), None
    while it.clock.monotonic() < began + seconds:
        results = await it.cycle()
        there = it.position(BTC) == it.target(BTC)
        reached = (reached if reached is not None else it.clock.monotonic() - began) if there else None
        due = min(result.next_due for result in results)
        await asyncio.sleep(min(max(due - it.clock.time(), 0.001), 1.0))
    return reached


@pytest.mark.parametrize("story", [*STORIES, ("0.25", "-0.5", "0.1", "0")], ids="-".join)
def test_signals_become_positions(story: tuple[str, ...]) -> None:
    it = rig()

    async def scene() -> None:
        await it.settle()
        for depth in story:
            it.signal(BTC, depth)
            it.signal(ETH, str(-Decimal(depth)))
            await it.settle()
            for symbol, sign in ((BTC, 1), (ETH, -1)):
                position = it.position(symbol)
                assert position == it.target(symbol)
                assert (position * sign > 0) - (position * sign < 0) == (Decimal(depth) > 0) - (Decimal(depth) < 0)
            await asyncio.sleep(2)
        ledger = it.ledger()
        assert ledger["leverage"]["BTCUSDT"] == "3"
        assert ledger["margin_mode"] == "isolated"  # set while nothing was open
        lots = {Decimal(order["quantity"]) % Decimal("0.0001") for order in ledger["orders"] if order["symbol"] == BTC}
        assert lots == {Decimal(0)}
        assert it.venue_ledger()["requests"]["over_limit"] == 0

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
        it.sim.admin.fault({"venue": "blofin", "match": match, "kind": kind, "count": 1, **more})
        it.signal(BTC, story[-1])
        reached = await keep_cycling(it, 110.0)
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
        it.signal(BTC, "0.5")
        await it.settle()
        position = it.position(BTC)
        manual(it, str(position + Decimal("0.01")))
        await keep_cycling(it, 60.0)
        assert it.states()[BTC][0] == "DRIFTED"
        assert it.position(BTC) == position  # reduce_only: back to what was sized

    it.run(scene())


def test_a_position_in_the_other_margin_mode_blocks_increases_and_can_still_be_closed() -> None:
    it = Rig(venue="blofin", policy=Policy(margin_mode=MarginMode.CROSS))

    async def scene() -> None:
        it.signal(BTC, "0.2")
        await it.settle()
        held = it.position(BTC)
        assert held != 0
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


@pytest.mark.parametrize("wrong", [{"position_mode": "hedge"}, {"can_trade": False}])
def test_an_account_that_cannot_trade_is_blocked_until_it_can(wrong: dict[str, Any]) -> None:
    it = rig()
    place = {"venue": "blofin", "account": "main"}
    it.sim.admin.account({**place, **wrong})

    async def scene() -> None:
        it.signal(BTC, "0.5")
        await keep_cycling(it, 5.0)
        status = it.published.statuses[it.ids["main"]]
        assert status["state"] == "BLOCKED"
        assert ("One-way" if "position_mode" in wrong else "read-only") in status["because"]
        assert it.position(BTC) == 0
        it.sim.admin.account({**place, "position_mode": "one_way", "can_trade": True})
        await keep_cycling(it, 130.0)
        assert it.position(BTC) == it.target(BTC) != 0

    it.run(scene())
