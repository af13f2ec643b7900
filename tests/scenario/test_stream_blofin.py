"""The whole engine on BloFin with its stream followed, whatever the venue does where nobody documents it: faults end
where they end without the stream, within the fence (a minute) + 10 s, never above the target in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

import simulator.facades.blofin as facade
from simulator.facades.blofin import BloFinFacade
from simulator.facades.blofin.context import Ways
from tests.scenario.rig import BTC, Rig

WITHIN_S = 70.0
WAYS: list[tuple[Ways, float]] = [
    (Ways(), 0.0),
    (Ways(closed_shown=True, positions_first=True), 0.0),
    (Ways(positions_first=True), 1.5),
]
"""How the stream behaves, and how long after an order its positions are still the old ones."""
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("order_create", "drop_after", {}),
    ("order_create", "drop_before", {}),
    ("order_create", "hang", {"landed": True}),
    ("order_create", "partial_fill", {"value": "0.5"}),
    ("positions", "stale_positions_ms", {"value": 10_000, "count": 8}),
    ("stream", "ws_gap", {"count": 0}),
    ("stream", "ws_duplicate", {"count": 0}),
    ("stream", "hang", {}),
    ("stream", "reset", {}),
    ("stream", "garbage", {}),
    ("stream", "delay_ms", {"value": 3000, "count": 0}),
]


@pytest.fixture(params=WAYS, ids=["documented", "kind", "late"])
def venue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    ways, lag_s = request.param
    build = partial(BloFinFacade, ways=ways, read_lag_s=lag_s)
    monkeypatch.setattr(facade, "VENUE", replace(facade.VENUE, build=build))


async def reached(rig: Rig, seconds: float) -> float | None:
    """Cycles for `seconds`; when the ledger came to BTC's target for good (None: never)."""
    began, there_s = rig.clock.monotonic(), None
    while rig.clock.monotonic() < began + seconds:
        results = await rig.cycle()
        there = rig.position(BTC) == rig.target(BTC)
        there_s = (there_s if there_s is not None else rig.clock.monotonic() - began) if there else None
        due = min(result.next_due for result in results)
        await asyncio.sleep(min(max(due - rig.clock.time(), 0.001), 1.0))
    return there_s


@pytest.mark.parametrize(("match", "kind", "more"), CASES, ids=[f"{m}-{k}" for m, k, _ in CASES])
@pytest.mark.parametrize("story", [("0.25", "0.5"), ("0.5", "-0.5"), ("0.5", "0")], ids="-".join)
@pytest.mark.usefixtures("venue")
def test_one_fault(match: str, kind: str, more: dict[str, Any], story: tuple[str, str]) -> None:
    rig = Rig(venue="blofin")

    async def scene() -> None:
        async with rig.executor.streaming():
            await rig.settle()
            await asyncio.sleep(3)
            rig.signal(BTC, story[0])
            await rig.settle()
            await asyncio.sleep(3)
            bound = abs(rig.position(BTC))
            rig.sim.admin.fault({"venue": "blofin", "match": match, "kind": kind, "count": 1, **more})
            rig.signal(BTC, story[1])
            took_s = await reached(rig, 90.0)
            assert took_s is not None
            assert took_s <= WITHIN_S, rig.states()
            assert rig.highest(BTC) <= max(bound, abs(rig.target(BTC)))
            assert rig.states()[BTC][0] == "CONVERGED"
            assert rig.venue_ledger()["requests"]["over_limit"] == 0

    rig.run(scene())
