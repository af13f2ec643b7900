"""A day in virtual time: 5 000 alerts on a random walk, the engine's own loops running; nothing may grow."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from decimal import Decimal
from pathlib import Path

from core.domain import Policy, Trips
from core.execution.account import Account
from tests.scenario.rig import BTC, ETH, JOURNALS, Rig

DAY_S = 86_400.0
ALERTS = 5_000
COMPACT_BYTES = 300_000
WARM_SHARE = 0.25
GROWTH = 1.1


def descriptors() -> int:
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


def objects_of_the_engine(account: Account) -> int:
    """How much the account keeps, counted in objects reachable from it and from nothing global."""
    seen: set[int] = set()
    left: list[object] = [account.memory, account.views, account.pacing, account.details]
    while left:
        one = left.pop()
        if id(one) not in seen and not isinstance(one, type):
            seen.add(id(one))
            left.extend(gc.get_referents(one))
        assert len(seen) < 2_000_000
    return len(seen)


def test_a_day_leaves_nothing_behind() -> None:
    often = Policy(trips=Trips(daily_loss_pct=None, max_notional_per_hour_x=Decimal(100_000)))
    rig = Rig(rtt_s=0.05, compact_bytes=COMPACT_BYTES, policy=often)
    chance = random.Random(1)
    account = rig.executor.accounts[0]
    sizes: list[tuple[int, int]] = []
    journal = JOURNALS / f"{account.id}.jsonl"
    largest = 0

    async def alerts() -> None:
        nonlocal largest
        for number in range(ALERTS):
            rig.signal(chance.choice([BTC, ETH]), chance.choice(["0.5", "0.25", "0", "-0.25", "-0.5"]))
            rig.executor.wake()
            await asyncio.sleep(DAY_S / ALERTS)
            rig.events.clear()
            rig.confirmed.clear()
            found = rig.disk.identity(journal)
            largest = max(largest, found.size if found else 0)
            if number in (int(ALERTS * WARM_SHARE), ALERTS - 1):
                sizes.append((objects_of_the_engine(account), descriptors()))

    async def day() -> None:
        stop = asyncio.Event()
        engine = asyncio.ensure_future(rig.executor.run(stop))
        await alerts()
        await asyncio.sleep(10)
        stop.set()
        await engine

    rig.run(day())
    (early, early_fds), (late, late_fds) = sizes
    assert late <= early * GROWTH, f"{early} objects after a quarter of the day, {late} at its end"
    assert late_fds <= early_fds
    assert largest <= COMPACT_BYTES + 50_000, f"the journal reached {largest} bytes"
    for symbol in (BTC, ETH):
        assert rig.position(symbol) == rig.target(symbol)
    assert rig.venue_ledger()["requests"]["over_limit"] == 0
    assert len([o for o in rig.ledger()["orders"] if Decimal(o["filled"])]) > ALERTS / 2
