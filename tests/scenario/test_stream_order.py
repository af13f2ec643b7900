"""A read that is older than what the stream said meanwhile: what differs from the expected is looked at again."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenario.rig import BTC, Rig, manual
from tests.scenario.test_stream import EVERY, streamed

STALE_MS = 900


@EVERY
@pytest.mark.parametrize("quantity", ["0.3", "0.02", "-0.1"])
def test_a_late_read_does_not_hide_what_the_stream_told(venue: str, quantity: str) -> None:
    """The trade wakes the loop, whose first reads show the position from before it."""

    async def story(rig: Rig) -> None:
        stop = asyncio.Event()
        engine = asyncio.ensure_future(rig.executor.run(stop))
        await asyncio.sleep(3)
        fault = {"venue": venue, "match": "positions", "kind": "stale_positions_ms", "value": STALE_MS, "count": 0}
        rig.sim.admin.fault(fault)
        manual(rig, quantity)
        await asyncio.sleep(7)
        assert rig.states()[BTC][0] == "DRIFTED", rig.states()[BTC]
        stop.set()
        await engine

    streamed(venue, story)
