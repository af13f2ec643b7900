"""The private stream of every venue that has one: it spares reads, proves fills and wakes the loop; it never beats a
read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from core.events import OrderAcked, PositionVerified, Trouble
from tests.contract.suite.benches import benches
from tests.scenario.rig import BTC, Rig, manual

RTT_S = 0.08
PRICES_ARE_READ = {"blofin", "hyperliquid"}
"""Venues without a stream of mark prices: a change of target takes one round trip more, and two requests."""
ACKS_TELL_FILLS = {"hyperliquid"}
"""Venues whose acknowledgement settles the order before the stream does: a read verifies, one round trip more."""
VENUES = list(dict.fromkeys(it.place.venue for it in benches() if it.capabilities.private_stream))
EVERY = pytest.mark.parametrize("venue", VENUES)


def streamed(venue: str, story: Callable[[Rig], Awaitable[None]]) -> None:
    """Runs a story on an engine whose stream is up and anchored, with a BTC position open."""
    rig = Rig(rtt_s=RTT_S, venue=venue)

    async def scene() -> None:
        async with rig.executor.streaming():
            rig.signal(BTC, "0.4")
            await rig.settle()
            await asyncio.sleep(2)
            rig.signal(BTC, "0.5")
            await rig.settle()
            await asyncio.sleep(6)
            await rig.settle()
            await story(rig)

    rig.run(scene())


def arm(rig: Rig, kind: str, **more: Any) -> None:
    rig.sim.admin.fault({"venue": rig.venue, "match": "stream", "kind": kind, **more})


@EVERY
def test_a_primed_change_is_acked_and_verified_after_one_round_trip(venue: str) -> None:
    async def story(rig: Rig) -> None:
        began, requests = rig.clock.time(), rig.venue_ledger()["requests"]["total"]
        rig.signal(BTC, "0.25")
        seen = len(rig.events)
        await rig.cycle()
        new = rig.events[seen:]
        acked = max(e.at for e in new if isinstance(e, OrderAcked))
        verified = max(e.at for e in new if isinstance(e, PositionVerified))
        trips = 2 if venue in PRICES_ARE_READ else 1
        assert acked - began <= (trips + 0.1) * RTT_S
        assert verified - began <= (trips + (venue in ACKS_TELL_FILLS) + 0.2) * RTT_S
        assert rig.position(BTC) == rig.target(BTC)
        assert rig.venue_ledger()["requests"]["total"] - requests <= 2 * trips + (venue in ACKS_TELL_FILLS)

    streamed(venue, story)


@EVERY
def test_a_manual_trade_wakes_the_loop_and_is_drift_at_once(venue: str) -> None:
    async def story(rig: Rig) -> None:
        stop = asyncio.Event()
        engine = asyncio.ensure_future(rig.executor.run(stop))
        await asyncio.sleep(3)
        manual(rig, "0.05")
        await asyncio.sleep(1)
        assert rig.states()[BTC][0] == "DRIFTED"
        stop.set()
        await engine

    streamed(venue, story)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ws_gap", {"count": 0}),
        ("ws_duplicate", {"count": 0}),
        ("hang", {"count": 1}),
        ("reset", {"count": 1}),
        ("delay_ms", {"count": 0, "value": 3000}),
    ],
)
@EVERY
def test_a_stream_that_lies_or_stalls_changes_no_outcome(venue: str, kind: str, more: dict[str, Any]) -> None:
    async def story(rig: Rig) -> None:
        arm(rig, kind, **more)
        for depth in ("0.25", "-0.5", "0", "0.5"):
            rig.signal(BTC, depth)
            await rig.settle()
            assert rig.position(BTC) == rig.target(BTC)
        assert rig.highest(BTC) <= Decimal("0.116")
        assert rig.venue_ledger()["requests"]["over_limit"] == 0

    streamed(venue, story)


@EVERY
def test_a_silent_stream_does_not_hide_a_manual_trade_for_long(venue: str) -> None:
    async def story(rig: Rig) -> None:
        arm(rig, "ws_gap", count=0)
        manual(rig, "0.3")
        for _ in range(3):
            await rig.cycle()
            await asyncio.sleep(3)
        assert rig.states()[BTC][0] == "DRIFTED"
        assert rig.position(BTC) == rig.target(BTC)

    streamed(venue, story)


@EVERY
def test_a_lost_stream_is_told_with_its_reason_and_once(venue: str) -> None:
    async def story(rig: Rig) -> None:
        arm(rig, "status", count=0, value=503)
        arm(rig, "reset", count=1, account="main")  # not the stream of prices
        seen = len(rig.events)
        await asyncio.sleep(120)
        told = [event.because for event in rig.events[seen:] if isinstance(event, Trouble)]
        assert len(told) == 2
        assert "the private stream is down" in told[0]
        assert "503" in told[1]
        assert all("positions are read until it is back" in because for because in told)

    streamed(venue, story)
