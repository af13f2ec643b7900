"""Stories the whole engine lives through on any venue: signals become positions, and a venue misbehaves once.

What a venue's test file brings is its name, its fence and its own codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.domain import MarginMode, Symbol
from tests.scenario.rig import BTC, ETH, Rig, keep_cycling, manual, opened

Case = tuple[str, str, dict[str, Any]]
"""What a fault is aimed at, its kind, and what else stands in it."""
STORIES = [("0.5",), ("0.25", "0.5"), ("0.5", "-0.5"), ("0.5", "0")]
"""A first position, more of it, one that turns round, and one that ends."""
LONG_STORIES = [*STORIES, ("0.25", "-0.5", "0.1", "0")]
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
    ("positions", "drop_before", {}),
    ("positions", "hang", {}),
    ("positions", "garbage", {}),
    ("positions", "empty", {}),
    ("positions", "status", {"value": 502}),
    ("order_query", "garbage", {"count": 3}),
    ("order_query", "status", {"value": 502, "count": 3}),
    ("equity", "status", {"value": 502}),
    ("prices", "empty", {}),
    ("instruments", "reset", {}),
    ("any", "status", {"value": 502, "count": 4}),
]
"""Every venue can be met by these."""
STALE: Case = ("positions", "stale_positions_ms", {"value": 10_000, "count": 8})
TWICE: Case = ("order_create", "accept_duplicate_ids", {"count": 0})
"""The venue takes a client id again: only what looks ids up can have one."""
STREAM_FAULTS: list[Case] = [
    ("order_create", "drop_after", {}),
    ("order_create", "drop_before", {}),
    ("order_create", "hang", {"landed": True}),
    ("order_create", "partial_fill", {"value": "0.5"}),
    ("stream", "ws_gap", {"count": 0}),
    ("stream", "ws_duplicate", {"count": 0}),
    ("stream", "hang", {}),
    ("stream", "reset", {}),
    ("stream", "garbage", {}),
    ("stream", "delay_ms", {"value": 3000, "count": 0}),
]
"""What can go wrong while the private stream is followed."""
AFTERWARDS_S = 25.0
"""So long a position is watched after the time it has to be right in: an order may land late."""


def named(cases: list[Case]) -> list[str]:
    return [f"{match}-{kind}-{more}" for match, kind, more in cases]


def refused(*codes: str) -> list[Case]:
    """Orders refused with the venue's own codes."""
    return [("order_create", "reject_code", {"value": code}) for code in codes]


async def two_symbols(it: Rig, story: tuple[str, ...], mode: MarginMode, lots: Mapping[Symbol, str]) -> None:
    """BTC follows the story and ETH its opposite, in whole lots (base units); afterwards leverage and margin mode are
    those asked for."""
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
    exchange = it.sim.world.venues[it.venue].exchange
    assert {exchange.leverage("main", symbol) for symbol in lots} == {Decimal(3)}
    assert {exchange.margin_mode("main", symbol) for symbol in lots} == {mode}
    assert {Decimal(one["quantity"]) % Decimal(lots[one["symbol"]]) for one in it.ledger()["orders"]} == {Decimal(0)}
    assert it.venue_ledger()["requests"]["over_limit"] == 0


async def one_fault(it: Rig, case: Case, story: tuple[str, ...], within_s: float) -> None:
    """The last step of the story meets the fault: at the target in time, never above it in between."""
    match, kind, more = case
    await it.settle()
    for depth in story[:-1]:
        it.signal(BTC, depth)
        await it.settle()
        await asyncio.sleep(3)
    bound = abs(it.position(BTC))
    it.sim.admin.fault({"venue": it.venue, "match": match, "kind": kind, "count": 1, **more})
    it.signal(BTC, story[-1])
    reached = await keep_cycling(it, within_s + AFTERWARDS_S)
    assert reached is not None, it.states()
    assert reached <= within_s, it.states()
    assert it.highest(BTC) <= max(bound, abs(it.target(BTC)))
    assert it.states()[BTC][0] == "CONVERGED"
    assert it.venue_ledger()["requests"]["over_limit"] == 0
    ids = [order["client_id"] for order in it.ledger()["orders"]]
    assert len(ids) == len(set(ids)), "a client id was sent twice"


async def one_fault_while_streaming(it: Rig, case: Case, story: tuple[str, ...], within_s: float) -> None:
    """The same with the private stream followed since before the story began."""
    async with it.executor.streaming():
        await it.settle()
        await asyncio.sleep(3)
        await one_fault(it, case, story, within_s)


async def manual_trade(it: Rig) -> None:
    """A trade by hand is drift, and taken back to what was sized."""
    position = await opened(it)
    manual(it, str(position + Decimal("0.01")))
    await keep_cycling(it, 60.0)
    assert it.states()[BTC][0] == "DRIFTED"
    assert it.position(BTC) == position


async def restart_in_an_order(it: Rig, within_s: float) -> None:
    """The engine dies while an order is on its way, and comes back without its memory of the moment."""
    await it.settle()
    it.sim.admin.fault({"venue": it.venue, "match": "order_create", "kind": "hang", "landed": True, "count": 1})
    it.signal(BTC, "0.5")
    cycle = asyncio.ensure_future(it.cycle())
    await asyncio.sleep(1.0)
    cycle.cancel()
    await asyncio.gather(cycle, return_exceptions=True)
    it.disk.crash()
    it.boot()
    assert await keep_cycling(it, within_s + AFTERWARDS_S) is not None
    assert it.position(BTC) == it.target(BTC) != 0
    assert len(it.ledger()["orders"]) == 1


async def blocked_until_mended(it: Rig, wrong: dict[str, Any], words: str) -> None:
    """`wrong` is set before the first cycle; `words` stand in what the user is told."""
    place = {"venue": it.venue, "account": "main"}
    it.sim.admin.account({**place, **wrong})
    it.signal(BTC, "0.5")
    await keep_cycling(it, 5.0)
    status = it.published.statuses[it.ids["main"]]
    assert status["state"] == "BLOCKED"
    assert words in status["because"]
    assert it.position(BTC) == 0
    right = {"position_mode": "one_way", "can_trade": True}
    it.sim.admin.account({**place, **{name: right[name] for name in wrong}})
    await keep_cycling(it, 130.0)
    assert it.position(BTC) == it.target(BTC) != 0


# --- leverage and margin mode of an open position ---------------------------------------------------------------------


async def other_margin_mode(it: Rig, restarted: bool = False) -> None:
    """A position in cross margin, where isolated is asked for now: no increase, and it can still be closed."""
    held = await opened(it, "0.2")
    it.policy(margin_mode=MarginMode.ISOLATED)
    if restarted:
        it.boot()
    it.signal(BTC, "0.4")
    await keep_cycling(it, 20.0)
    assert it.position(BTC) == held
    state, because = it.states()[BTC]
    assert (state, "margin mode" in because) == ("BLOCKED", True)
    it.signal(BTC, "0")
    await keep_cycling(it, 20.0)
    assert it.position(BTC) == 0


async def opened_in_isolated_margin(it: Rig) -> None:
    """Where nothing is open any more, the margin mode that was asked for is set."""
    await opened(it, "0.4")
    assert it.sim.world.venues[it.venue].exchange.margin_mode("main", BTC) is MarginMode.ISOLATED


async def leverage_held_until_flat(it: Rig) -> None:
    """A position keeps its leverage: it is reduced, not increased, and what follows it has the new one."""
    held = await opened(it, "0.2")
    it.signal(BTC, "0.4", leverage="2")
    await keep_cycling(it, 20.0)
    assert it.position(BTC) == held
    state, because = it.states()[BTC]
    assert (state, "leverage 3 -> 2" in because) == ("BLOCKED", True)
    it.signal(BTC, "0.05", leverage="2")
    await keep_cycling(it, 20.0)
    assert 0 < it.position(BTC) == it.target(BTC) < held
    it.signal(BTC, "-0.4", leverage="2")
    await it.settle()
    assert it.position(BTC) == it.target(BTC) < 0
    assert it.sim.world.venues[it.venue].exchange.leverage("main", BTC) == 2


async def leverage_taken_while_open(it: Rig) -> None:
    """A position takes another leverage without being closed for it."""
    await opened(it, "0.2")
    it.signal(BTC, "0.4", leverage="2")
    await it.settle()
    assert it.position(BTC) == it.target(BTC) > 0
    assert it.sim.world.venues[it.venue].exchange.leverage("main", BTC) == 2
    assert Decimal(0) not in [Decimal(fill["position_after"]) for fill in it.ledger()["fills"]]
