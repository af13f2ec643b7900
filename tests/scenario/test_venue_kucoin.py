"""The whole engine on KuCoin Futures: its stories, and a venue that misbehaves.

The ledger ends at the target within the fence (10 s) + 10 s, and is never above it in between.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.domain import LeverageChange, MarginMode, Policy
from tests.scenario.rig import BTC, ETH, Rig, manual
from tests.scenario.test_faults import keep_cycling

FENCE_S = 10.0
WITHIN_S = FENCE_S + 10.0

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("order_create", "drop_after", {}),
    ("order_create", "drop_before", {}),
    ("order_create", "hang", {"landed": True}),
    ("order_create", "hang", {"landed": False}),
    ("order_create", "garbage", {"landed": True}),
    ("order_create", "garbage", {"landed": False}),
    ("order_create", "empty", {"landed": True}),
    ("order_create", "empty", {"landed": False}),
    ("order_create", "reset", {"landed": True}),
    ("order_create", "status", {"value": 502, "landed": True}),
    ("order_create", "status", {"value": 502, "landed": False}),
    ("order_create", "reject_code", {"value": "300018"}),
    ("order_create", "reject_code", {"value": "300003"}),
    ("order_create", "reject_code", {"value": "400002"}),
    ("order_create", "delay_ms", {"value": 4000}),
    ("order_create", "partial_fill", {"value": "0.5"}),
    ("order_create", "accept_duplicate_ids", {"count": 0}),
    ("positions", "drop_before", {}),
    ("positions", "hang", {}),
    ("positions", "garbage", {}),
    ("positions", "empty", {}),
    ("positions", "status", {"value": 502}),
    ("positions", "stale_positions_ms", {"value": 10_000, "count": 8}),
    ("order_query", "garbage", {"count": 3}),
    ("order_query", "status", {"value": 502, "count": 3}),
    ("equity", "status", {"value": 502}),
    ("prices", "empty", {}),
    ("instruments", "reset", {}),
    ("margin_mode", "drop_before", {}),
    ("any", "status", {"value": 502, "count": 4}),
]
STORIES = [("0.5",), ("0.25", "0.5"), ("0.5", "-0.5"), ("0.5", "0")]


def rig(policy: Policy | None = None) -> Rig:
    return Rig(venue="kucoin", policy=policy)


@pytest.mark.parametrize("mode", MarginMode)
@pytest.mark.parametrize("story", [*STORIES, ("0.25", "-0.5", "0.1", "0")], ids="-".join)
def test_signals_become_positions(story: tuple[str, ...], mode: MarginMode) -> None:
    it = rig(Policy(margin_mode=mode))

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
        exchange = it.sim.world.venues["kucoin"].exchange
        assert {exchange.leverage("main", symbol) for symbol in (BTC, ETH)} == {Decimal(3)}
        assert {exchange.margin_mode("main", symbol) for symbol in (BTC, ETH)} == {mode}
        assert {Decimal(one["quantity"]) % Decimal("0.001") for one in it.ledger()["orders"]} == {Decimal(0)}
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
        it.sim.admin.fault({"venue": "kucoin", "match": match, "kind": kind, "count": 1, **more})
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
        it.signal(BTC, "0.5")
        await it.settle()
        position = it.position(BTC)
        manual(it, str(position + Decimal("0.01")))
        await keep_cycling(it, 60.0)
        assert it.states()[BTC][0] == "DRIFTED"
        assert it.position(BTC) == position  # reduce_only: back to what was sized

    it.run(scene())


def test_a_symbol_in_the_other_margin_mode_is_switched_while_flat_and_blocks_while_not() -> None:
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
        assert it.sim.world.venues["kucoin"].exchange.margin_mode("main", BTC) is MarginMode.ISOLATED

    it.run(scene())


def lower_leverage(it: Rig) -> None:
    """From now on signals carry leverage 2, below the configured 3."""
    it.signal(BTC, "0.4", leverage="2")


def test_an_isolated_position_keeps_its_leverage_until_it_is_flat() -> None:
    it = rig()

    async def scene() -> None:
        it.signal(BTC, "0.2")
        await it.settle()
        held = it.position(BTC)
        lower_leverage(it)
        await keep_cycling(it, 20.0)
        assert it.position(BTC) == held
        state, because = it.states()[BTC]
        assert (state, "leverage 3 -> 2" in because) == ("BLOCKED", True)
        it.signal(BTC, "0.05", leverage="2")  # reductions go
        await keep_cycling(it, 20.0)
        assert 0 < it.position(BTC) == it.target(BTC) < held
        it.signal(BTC, "-0.4", leverage="2")
        await it.settle()
        assert it.position(BTC) == it.target(BTC) < 0
        assert it.sim.world.venues["kucoin"].exchange.leverage("main", BTC) == 2

    it.run(scene())


def test_an_isolated_position_is_reopened_with_another_leverage_where_the_policy_says_so() -> None:
    it = rig(Policy(leverage_change=LeverageChange.CLOSE_AND_REOPEN))

    async def scene() -> None:
        it.signal(BTC, "0.2")
        await it.settle()
        lower_leverage(it)
        await it.settle()
        assert it.position(BTC) == it.target(BTC) > 0
        assert it.sim.world.venues["kucoin"].exchange.leverage("main", BTC) == 2
        assert [Decimal(fill["position_after"]) for fill in it.ledger()["fills"]].count(Decimal(0)) == 1

    it.run(scene())


def test_a_cross_position_takes_another_leverage_while_it_is_open() -> None:
    it = rig(Policy(margin_mode=MarginMode.CROSS))

    async def scene() -> None:
        it.signal(BTC, "0.2")
        await it.settle()
        lower_leverage(it)
        await it.settle()
        assert it.position(BTC) == it.target(BTC) > 0
        assert it.sim.world.venues["kucoin"].exchange.leverage("main", BTC) == 2
        assert Decimal(0) not in [Decimal(fill["position_after"]) for fill in it.ledger()["fills"]]

    it.run(scene())


@pytest.mark.parametrize("wrong", [{"position_mode": "hedge"}, {"can_trade": False}])
def test_an_account_that_cannot_trade_is_blocked_until_it_can(wrong: dict[str, Any]) -> None:
    it = rig()
    place = {"venue": "kucoin", "account": "main"}
    it.sim.admin.account({**place, **wrong})

    async def scene() -> None:
        it.signal(BTC, "0.5")
        await keep_cycling(it, 5.0)
        status = it.published.statuses[it.ids["main"]]
        assert status["state"] == "BLOCKED"
        assert ("One-Way" if "position_mode" in wrong else "may not trade") in status["because"]
        assert it.position(BTC) == 0
        it.sim.admin.account({**place, "position_mode": "one_way", "can_trade": True})
        await keep_cycling(it, 130.0)
        assert it.position(BTC) == it.target(BTC) != 0

    it.run(scene())


def test_a_restart_in_the_middle_of_an_order_ends_at_the_target() -> None:
    it = rig()

    async def scene() -> None:
        await it.settle()
        it.sim.admin.fault({"venue": "kucoin", "match": "order_create", "kind": "hang", "landed": True, "count": 1})
        it.signal(BTC, "0.5")
        cycle = asyncio.ensure_future(it.cycle())
        await asyncio.sleep(1.0)
        cycle.cancel()
        await asyncio.gather(cycle, return_exceptions=True)
        it.disk.crash()
        it.boot()
        reached = await keep_cycling(it, 45.0)
        assert reached is not None
        assert it.position(BTC) == it.target(BTC) != 0
        assert len(it.ledger()["orders"]) == 1

    it.run(scene())
