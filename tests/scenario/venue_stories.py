"""Stories the whole engine lives through on any venue: signals become positions, and a venue misbehaves once.

What a venue's test file brings is its name, its fence and its own codes.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from core.domain import MarginMode
from tests.scenario.rig import BTC, ETH, Rig, manual
from tests.scenario.test_faults import keep_cycling

Case = tuple[str, str, dict[str, Any]]
"""What a fault is aimed at, its kind, and what else stands in it."""
STORIES = [("0.5",), ("0.25", "0.5"), ("0.5", "-0.5"), ("0.5", "0")]
FAULTS: list[Case] = [
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
    ("any", "status", {"value": 502, "count": 4}),
]
"""Every venue can be met by these."""


def named(cases: list[Case]) -> list[str]:
    return [f"{match}-{kind}-{more}" for match, kind, more in cases]


def refused(*codes: str) -> list[Case]:
    """Orders refused with the venue's own codes."""
    return [("order_create", "reject_code", {"value": code}) for code in codes]


async def two_symbols(it: Rig, venue: str, story: tuple[str, ...], mode: MarginMode) -> None:
    """BTC follows the story and ETH its opposite; afterwards leverage and margin mode are those asked for."""
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
    exchange = it.sim.world.venues[venue].exchange
    assert {exchange.leverage("main", symbol) for symbol in (BTC, ETH)} == {Decimal(3)}
    assert {exchange.margin_mode("main", symbol) for symbol in (BTC, ETH)} == {mode}
    assert it.venue_ledger()["requests"]["over_limit"] == 0


async def one_fault(it: Rig, venue: str, case: Case, story: tuple[str, ...], within_s: float) -> None:
    """The last step of the story meets the fault: at the target in time, never above it in between."""
    match, kind, more = case
    await it.settle()
    for depth in story[:-1]:
        it.signal(BTC, depth)
        await it.settle()
        await asyncio.sleep(2)
    bound = abs(it.position(BTC))
    it.sim.admin.fault({"venue": venue, "match": match, "kind": kind, "count": 1, **more})
    it.signal(BTC, story[-1])
    reached = await keep_cycling(it, 3 * within_s)
    assert reached is not None, it.states()
    assert reached <= within_s, it.states()
    assert it.highest(BTC) <= max(bound, abs(it.target(BTC)))
    assert it.states()[BTC][0] == "CONVERGED"
    assert it.venue_ledger()["requests"]["over_limit"] == 0
    ids = [order["client_id"] for order in it.ledger()["orders"]]
    assert len(ids) == len(set(ids)), "a client id was sent twice"


async def manual_trade(it: Rig, venue: str) -> None:
    """A trade by hand is drift, and taken back to what was sized."""
    it.signal(BTC, "0.5")
    await it.settle()
    position = it.position(BTC)
    manual(it, str(position + Decimal("0.01")))
    await keep_cycling(it, 60.0)
    assert it.states()[BTC][0] == "DRIFTED"
    assert it.position(BTC) == position


async def restart_in_an_order(it: Rig, venue: str, within_s: float) -> None:
    """The engine dies while an order is on its way, and comes back without its memory of the moment."""
    await it.settle()
    it.sim.admin.fault({"venue": venue, "match": "order_create", "kind": "hang", "landed": True, "count": 1})
    it.signal(BTC, "0.5")
    cycle = asyncio.ensure_future(it.cycle())
    await asyncio.sleep(1.0)
    cycle.cancel()
    await asyncio.gather(cycle, return_exceptions=True)
    it.disk.crash()
    it.boot()
    assert await keep_cycling(it, 2 * within_s) is not None
    assert it.position(BTC) == it.target(BTC) != 0
    assert len(it.ledger()["orders"]) == 1


async def blocked_until_mended(it: Rig, venue: str, wrong: dict[str, Any], words: str) -> None:
    """`wrong` is set before the first cycle; `words` stand in what the user is told."""
    place = {"venue": venue, "account": "main"}
    it.sim.admin.account({**place, **wrong})
    it.signal(BTC, "0.5")
    await keep_cycling(it, 5.0)
    status = it.published.statuses[it.ids["main"]]
    assert status["state"] == "BLOCKED"
    assert words in status["because"]
    assert it.position(BTC) == 0
    it.sim.admin.account({**place, "position_mode": "one_way", "can_trade": True})
    await keep_cycling(it, 130.0)
    assert it.position(BTC) == it.target(BTC) != 0
