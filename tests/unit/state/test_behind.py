"""Projections written behind: the newest content, one writer at a time, nobody waits, and everything at the end."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.domain import AccountId
from core.execution.projecting import Publisher
from core.state import Projections, RealFileOps, WrittenBehind, ensure_dir, loads
from simulator.disk import Fault, SimulatedFileOps
from tests.unit.state.test_projections import BYBIT, ENTRIES, HOME, KUCOIN, Noon

STATUSES, DEPTHS = HOME / "state" / "status", HOME / "account_asset_depths.json"


class House:
    """A publisher over a simulated disk; `gate` is what the disk waits for."""

    def __init__(self, slow: bool = False) -> None:
        self.disk = SimulatedFileOps()
        ensure_dir(self.disk, HOME)
        self.told: list[tuple[str, str]] = []
        self.gate = asyncio.Event()
        self.batches = 0
        if not slow:
            self.gate.set()
        self.behind = WrittenBehind(
            lambda told: Projections(DEPTHS, STATUSES, self.disk, Noon(), told),
            lambda account, because: self.told.append((account, because)),
            self.offload,
        )

    async def offload(self, work: Callable[[], None], /) -> None:
        await self.gate.wait()
        self.batches += 1
        work()

    def shown(self, account: AccountId) -> Any:
        path = STATUSES / f"{account}.json"
        return loads(self.disk.read(path)) if self.disk.identity(path) else None


def test_is_what_the_executor_asks_for() -> None:
    publisher: Publisher = House().behind
    assert publisher


def test_the_newest_content_is_written_and_nobody_waits() -> None:
    async def story() -> None:
        house = House(slow=True)
        for cycle in (1, 2, 3):
            house.behind.status(BYBIT, {"cycle": cycle})
        house.behind.status(KUCOIN, {"cycle": 1})
        await asyncio.sleep(0)
        assert house.shown(BYBIT) is None
        house.behind.status(BYBIT, {"cycle": 4})  # while the first batch waits for the disk
        house.gate.set()
        await house.behind.close()
        assert house.shown(BYBIT)["cycle"] == 4
        assert house.shown(KUCOIN)["cycle"] == 1
        assert house.batches == 2
        house.behind.status(KUCOIN, {"cycle": 2})
        await house.behind.close()
        assert house.shown(KUCOIN)["cycle"] == 2

    asyncio.run(story())


def test_what_was_projected_counts_before_it_is_written() -> None:
    async def story() -> None:
        house = House(slow=True)
        assert house.behind.projected(BYBIT) is None
        house.behind.depths(BYBIT, "e1", ENTRIES)
        assert house.behind.projected(BYBIT) == ("e1", ENTRIES)
        house.gate.set()
        await house.behind.close()
        again = Projections(DEPTHS, STATUSES, house.disk, Noon(), lambda *_: None)
        assert again.projected(BYBIT) == ("e1", ENTRIES)

    asyncio.run(story())


def test_troubles_are_told_on_the_loop(tmp_path: Path) -> None:
    async def story() -> None:
        told: list[threading.Thread] = []
        (tmp_path / "state").write_text("in the way")
        behind = WrittenBehind(
            lambda tell: Projections(tmp_path / "d.json", tmp_path / "state" / "status", RealFileOps(), Noon(), tell),
            lambda account, because: told.append(threading.current_thread()),
            asyncio.to_thread,
        )
        behind.status(BYBIT, {"cycle": 1})
        await behind.close()
        assert told == [threading.main_thread()]

    asyncio.run(story())


def test_a_refused_account_is_shown_and_told_at_once() -> None:
    house = House()
    house.behind.refuse(BYBIT, "no key")
    assert house.shown(BYBIT)["state"] == "BLOCKED"
    assert [account for account, _ in house.told] == [BYBIT]


def test_a_full_disk_does_not_end_the_writer() -> None:
    async def story() -> None:
        house = House()
        house.disk.fail(Fault(errno.ENOSPC, operation="write"))
        house.behind.status(BYBIT, {"cycle": 1})
        await house.behind.close()
        assert len(house.told) == 1
        house.behind.status(BYBIT, {"cycle": 2})
        await house.behind.close()
        assert house.shown(BYBIT)["cycle"] == 2

    asyncio.run(story())
