"""Processes that end at any moment, journals that are lost, locks that are lost, disks that refuse."""

from __future__ import annotations

import asyncio
import errno
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.events import AccountChanged, OrderSent, Trouble
from core.execution.account import COMPACT_BYTES
from core.state import AccountLock
from simulator.disk import Fault
from tests.scenario.rig import BTC, ETH, JOURNALS, Rig, manual, opened

FENCE_S = 10.0
STORIES = [("0.5",), ("0.5", "-0.5"), ("0.5", "0.25"), ("0.5", "0")]


async def crash_at(rig: Rig, moment: int) -> bool:
    """Runs one cycle and kills it at its `moment`-th step of the loop; False when the cycle ended before."""
    cycle = asyncio.ensure_future(rig.cycle())
    for _ in range(moment):
        await asyncio.sleep(0.001)
        if cycle.done():
            return False
    cycle.cancel()
    await asyncio.gather(cycle, return_exceptions=True)
    rig.disk.crash(torn=bool(moment % 2))
    rig.boot()
    return True


@pytest.mark.parametrize("story", STORIES, ids="-".join)
def test_a_crash_at_any_millisecond_of_a_cycle_doubles_nothing(story: tuple[str, ...]) -> None:
    crashed, moment = True, 0
    while crashed:
        rig = Rig(rtt_s=0.01)

        async def scene(rig: Rig = rig, moment: int = moment) -> bool:
            await rig.settle()
            for depth in story[:-1]:
                rig.signal(BTC, depth)
                await rig.settle()
            bound = abs(rig.position(BTC))
            rig.signal(BTC, story[-1])
            died = await crash_at(rig, moment)
            await rig.settle()
            assert rig.position(BTC) == rig.target(BTC)
            assert rig.highest(BTC) <= max(bound, abs(rig.target(BTC)))
            ids = [order["client_id"] for order in rig.ledger()["orders"]]
            assert len(ids) == len(set(ids))
            return died

        crashed = rig.run(scene())
        moment += 1
    assert moment > 20, "the cycle was expected to take longer than that"


def test_a_restart_keeps_the_stored_size() -> None:
    """Price and equity move while it is down: what was sized stays sized."""
    rig = Rig()

    async def scene() -> None:
        position = await opened(rig)
        sent = len(rig.sent())
        ledger: Any = rig.sim.admin.ledger()
        price = Decimal(ledger["prices"][BTC]) * Decimal("0.9")
        rig.sim.admin.price({"symbol": BTC, "price": f"{price:.0f}"})
        rig.sim.admin.account({"venue": rig.venue, "account": "main", "equity": "20000"})
        rig.disk.crash()
        rig.boot()
        await rig.settle()
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) == position
        assert len(rig.sent()) == sent

    rig.run(scene())


def lose_journal(rig: Rig) -> None:
    rig.disk.remove(JOURNALS / f"{rig.ids['main']}.jsonl")
    rig.disk.fsync_dir(JOURNALS)


@pytest.mark.parametrize("running", [True, False])
def test_a_lost_journal_waits_the_fence_and_takes_up_what_is_as_last_known(running: bool) -> None:
    rig = Rig()

    async def scene() -> None:
        position = await opened(rig)
        lose_journal(rig)
        if not running:
            rig.boot()
        began = rig.clock.monotonic()
        rig.signal(BTC, "0.5")
        await rig.cycle()
        await rig.cycle()
        assert len(rig.sent()) == 1, "nothing goes out before the fence is over"
        await rig.settle()
        assert rig.clock.monotonic() - began >= FENCE_S
        assert rig.position(BTC) == position
        assert rig.states()[BTC][0] == "CONVERGED"
        rig.signal(BTC, "0.25")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) == Decimal("0.057")

    rig.run(scene())


@pytest.mark.parametrize("left", [("another", {}), ("", {})], ids=["nothing was projected", "it cannot be read"])
def test_a_lost_journal_waits_the_fence_where_nothing_can_be_taken_up(left: tuple[str, dict[str, Any]]) -> None:
    """An order may be under way that no projection showed yet."""
    rig = Rig()

    async def scene() -> None:
        await rig.settle()
        lose_journal(rig)
        rig.published.cache[rig.ids["main"]] = left
        rig.boot()
        began = rig.clock.monotonic()
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.clock.monotonic() - began >= FENCE_S
        assert len(rig.sent()) == 1
        assert rig.position(BTC) == rig.target(BTC) != 0

    rig.run(scene())


@pytest.mark.parametrize("last", ["0.5", "0"])
@pytest.mark.parametrize("compact_bytes", [1, COMPACT_BYTES])
def test_a_restart_within_the_fence_of_a_lost_journal_waits_as_well(last: str, compact_bytes: int) -> None:
    rig = Rig(compact_bytes=compact_bytes)

    async def scene() -> None:
        await opened(rig)
        rig.signal(BTC, last)
        await rig.settle()
        rig.settings.asked = {"close": {rig.ids["main"]: {ETH: 1}}}
        sent = len(rig.sent())
        lose_journal(rig)
        for _ in range(3):
            rig.boot()
            began = rig.clock.monotonic()
            rig.signal(BTC, "0.25")
            await rig.cycle()
            await asyncio.sleep(FENCE_S / 2)
            await rig.cycle()
            assert len(rig.sent()) == sent
        await rig.settle()
        assert rig.clock.monotonic() - began >= FENCE_S
        assert rig.states()[BTC][0] == "CONVERGED", "what was as last known is ours"
        assert rig.position(BTC) == rig.target(BTC) != 0
        rig.boot()
        began = rig.clock.monotonic()
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.clock.monotonic() - began < FENCE_S, "that is over once and for all"

    rig.run(scene())


def test_after_a_lost_journal_another_position_is_foreign() -> None:
    rig = Rig()

    async def scene() -> None:
        await opened(rig)
        lose_journal(rig)
        manual(rig, "0.2")
        rig.boot()
        await rig.settle()
        assert rig.states()[BTC][0] == "FOREIGN"
        assert rig.position(BTC) == Decimal("0.2")
        assert len(rig.sent()) == 1

    rig.run(scene())


def test_a_lost_journal_does_not_repeat_old_commands() -> None:
    rig = Rig()

    async def scene() -> None:
        await opened(rig)
        rig.settings.asked = {"close": {rig.ids["main"]: {BTC: 1}}}
        await rig.settle()
        rig.signal(BTC, "0.5")
        await rig.settle()
        position = rig.position(BTC)
        assert position != 0
        lose_journal(rig)
        rig.boot()
        await rig.settle()
        await rig.settle()
        assert rig.position(BTC) == position

    rig.run(scene())


def test_a_lost_lock_shuts_the_gate() -> None:
    rig = Rig()

    async def scene() -> None:
        await rig.settle()
        rig.lock.ours = False
        rig.signal(BTC, "0.5")
        await rig.cycle()
        assert not rig.sent()
        assert rig.position(BTC) == 0

    rig.run(scene())


def test_a_second_engine_names_the_holder_and_does_nothing(tmp_path: Path) -> None:
    rig = Rig()
    held = AccountLock.acquire(tmp_path, rig.ids["main"], "trade-engine", 0.0)
    opener = rig.executor._opener
    opener._lock = lambda account: AccountLock.acquire(tmp_path, account, "second", 0.0)

    async def scene() -> None:
        rig.signal(BTC, "0.5")
        for _ in range(3):
            await rig.cycle()
            await asyncio.sleep(2)
        assert rig.ids["main"] not in rig.published.statuses, "the status is the other engine's to write"
        told = [event.because for event in rig.events if isinstance(event, AccountChanged)]
        assert "already traded by trade-engine" in told[0]
        assert not rig.sent()
        held.release()
        await asyncio.sleep(3)
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0

    rig.run(scene())


@pytest.mark.parametrize("operation", ["append", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_refuses_means_no_order_until_it_takes_again(operation: str, number: int) -> None:
    rig = Rig()

    async def scene() -> None:
        await rig.settle()
        fault = rig.disk.fail(Fault(number, operation, times=0))
        rig.signal(BTC, "0.5")
        for _ in range(5):
            await rig.cycle()
            await asyncio.sleep(1)
        assert not rig.sent()
        assert any(isinstance(event, Trouble) and "journal" in event.because for event in rig.events)
        shown = rig.published.statuses[rig.ids["main"]]
        assert shown["state"] == "BLOCKED"
        assert "free space" in shown["because"]
        rig.disk.faults.remove(fault)
        await asyncio.sleep(5)
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0
        assert rig.published.statuses[rig.ids["main"]]["state"] == "OK"
        orders = [event for event in rig.events if isinstance(event, OrderSent)]
        assert len(orders) == 1
        rig.signal(ETH, "0.5")
        rig.disk.crash()
        rig.boot()
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC)

    rig.run(scene())
