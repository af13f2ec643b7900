"""A journal that is lost right after a fill, at a venue whose reads lag: nothing is opened a second time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.domain import ExistingPositions
from tests.scenario.rig import BTC, JOURNALS, Rig, opened

LAG_MS = 20_000


@pytest.mark.parametrize("known", [True, False], ids=["projected", "nothing was projected"])
@pytest.mark.parametrize("existing", list(ExistingPositions))
@pytest.mark.parametrize("venue", ["bybit", "mexc"])
def test_a_stale_read_is_not_first_sight(venue: str, existing: ExistingPositions, known: bool) -> None:
    rig = Rig(venue=venue, streams=False)
    rig.policy(existing_positions=existing)
    lag: dict[str, Any] = {"venue": venue, "match": "positions", "kind": "stale_positions_ms", "value": LAG_MS}

    async def scene() -> None:
        await rig.settle()
        await asyncio.sleep(60)
        position = await opened(rig)
        rig.sim.admin.fault({**lag, "count": 0})
        rig.disk.remove(JOURNALS / f"{rig.ids['main']}.jsonl")
        rig.disk.fsync_dir(JOURNALS)
        if not known:
            rig.published.cache[rig.ids["main"]] = ("", {})
        rig.boot()
        for _ in range(120):
            rig.signal(BTC, "0.5")
            await rig.cycle()
            await asyncio.sleep(1)
        assert rig.highest(BTC) == abs(position)

    rig.run(scene())
