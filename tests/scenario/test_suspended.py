"""A process that is stopped in the middle of a cycle and goes on much later, as SIGSTOP or a lid that is closed do."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.events import GenerationSized
from tests.scenario.rig import BTC, Rig, opened

AWAY_S = 300.0


async def suspended(rig: Rig, depth: str) -> None:
    """A flip is under way when the process is stopped; the source speaks and the market moves before it goes on."""
    await opened(rig)
    rig.signal(BTC, "-0.5")
    sent = len(rig.sent())
    cycle = asyncio.ensure_future(rig.cycle())
    while len(rig.sent()) == sent:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.001)
    rig.clock.step(AWAY_S)
    rig.sim.admin.price({"symbol": BTC, "price": f"{price(rig) * Decimal('1.1'):.0f}"})
    rig.sim.admin.account({"venue": rig.venue, "account": "main", "equity": "9300"})
    rig.signal(BTC, depth)
    rig.executor._load_weight_config()
    await cycle
    await rig.settle()


def price(rig: Rig) -> Decimal:
    ledger: Any = rig.sim.admin.ledger()
    return Decimal(ledger["prices"][BTC])


@pytest.mark.parametrize("depth", ["-0.25", "0.25"])
@pytest.mark.parametrize("streams", [True, False])
def test_what_is_sized_after_it_went_on_is_sized_at_what_holds_then(depth: str, streams: bool) -> None:
    rig = Rig(streams=streams)

    async def scene() -> None:
        await suspended(rig, depth)
        *_, sized = [event for event in rig.events if isinstance(event, GenerationSized)]
        assert sized.price is not None
        assert sized.equity is not None
        assert abs(sized.price / price(rig) - 1) < Decimal("0.01")
        assert abs(sized.equity / Decimal(rig.ledger()["equity"]) - 1) < Decimal("0.01")
        assert rig.position(BTC) == rig.target(BTC) != 0

    rig.run(scene())
