"""The whole engine on Hyperliquid with its stream followed, whichever comes first, an order or its fills: faults end
where they end without the stream, within the fence (five seconds) + 10 s, never above the target in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

import simulator.facades.hyperliquid as facade
from simulator.facades.hyperliquid import HyperliquidFacade
from simulator.facades.hyperliquid.context import Behaviour
from tests.scenario.rig import BTC, Rig
from tests.scenario.test_faults import keep_cycling

WITHIN_S = 15.0
BEHAVIOURS = [Behaviour(), Behaviour(orders_first=True, fills_name_orders=True), Behaviour(read_lag_s=1.5)]
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("order_create", "drop_after", {}),
    ("order_create", "drop_before", {}),
    ("order_create", "hang", {"landed": True}),
    ("order_create", "partial_fill", {"value": "0.5"}),
    ("positions", "stale_positions_ms", {"value": 5_000, "count": 3}),
    ("stream", "ws_gap", {"count": 0}),
    ("stream", "ws_duplicate", {"count": 0}),
    ("stream", "hang", {}),
    ("stream", "reset", {}),
    ("stream", "garbage", {}),
    ("stream", "delay_ms", {"value": 3000, "count": 0}),
]


@pytest.fixture(params=BEHAVIOURS, ids=["documented", "kind", "late"])
def venue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    build = partial(HyperliquidFacade, behaviour=request.param)
    monkeypatch.setattr(facade, "VENUE", replace(facade.VENUE, build=build))


@pytest.mark.parametrize(("match", "kind", "more"), CASES, ids=[f"{m}-{k}" for m, k, _ in CASES])
@pytest.mark.parametrize("story", [("0.25", "0.5"), ("0.5", "-0.5"), ("0.5", "0")], ids="-".join)
@pytest.mark.usefixtures("venue")
def test_one_fault(match: str, kind: str, more: dict[str, Any], story: tuple[str, str]) -> None:
    rig = Rig(venue="hyperliquid")

    async def scene() -> None:
        async with rig.executor.streaming():
            await rig.settle()
            await asyncio.sleep(3)
            rig.signal(BTC, story[0])
            await rig.settle()
            await asyncio.sleep(3)
            bound = abs(rig.position(BTC))
            rig.sim.admin.fault({"venue": "hyperliquid", "match": match, "kind": kind, "count": 1, **more})
            rig.signal(BTC, story[1])
            took_s = await keep_cycling(rig, 45.0)
            assert took_s is not None
            assert took_s <= WITHIN_S, rig.states()
            assert rig.highest(BTC) <= max(bound, abs(rig.target(BTC)))
            assert rig.states()[BTC][0] == "CONVERGED"
            assert rig.venue_ledger()["requests"]["over_limit"] == 0

    rig.run(scene())
