"""Changes wake at once, and where the system gives no notice of them, within the poll."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Hashable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import config.watch as watching
from config.notices import changes
from config.watch import Watched, watch
from core.clock import SystemClock
from tests.unit.config.house import House


class Wakes:
    """Counts wakes, and waits for the next."""

    def __init__(self) -> None:
        self.count = 0
        self._again = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._again.set()

    async def next(self, within_s: float = 10.0) -> None:
        await asyncio.wait_for(self._again.wait(), within_s)
        self._again.clear()


@asynccontextmanager
async def watched(*what: Watched, poll_s: float) -> AsyncIterator[Wakes]:
    wakes = Wakes()
    task = asyncio.create_task(watch(what, wakes, poll_s=poll_s))
    try:
        await wakes.next()
        yield wakes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def edit_settings(house: House) -> None:
    house.put("signal_weight_config.json", [])


def rename_with_the_same_time(house: House) -> None:
    path = house.home.asset_mapping
    before = path.stat()
    other = house.put(".edited", path.read_text().replace("BTC", "ETH"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def halt(house: House) -> None:
    house.put("HALT", "")


def ask(house: House) -> None:
    house.put("state/desired.json", "{}")


def speak(house: House) -> None:
    house.say("tradingview", {"BTCUSDT": "0.1"})


CHANGES: list[Callable[[House], None]] = [edit_settings, rename_with_the_same_time, halt, ask, speak]


@pytest.mark.parametrize("poll_s", [60.0, 0.02], ids=["notices", "poll"])
async def test_every_change_wakes(house: House, poll_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    if poll_s < 1:
        monkeypatch.setattr(watching, "changes", refused)
    house.furnish()
    house.clock.now = SystemClock().time()
    parts = (house.settings(), house.signals())
    async with watched(*parts, poll_s=poll_s) as wakes:
        if poll_s > 1:
            await watcher_is_up(house, wakes)
        for change in CHANGES:
            change(house)
            await wakes.next()


def refused(folders: Collection[Path], idle_s: float) -> AsyncGenerator[bool]:
    raise OSError("no more watches")


async def watcher_is_up(house: House, wakes: Wakes) -> None:
    """Edits until one is noticed: the watcher begins some time after its task."""
    for number in range(1000):
        house.put("HALT", f"FLATTEN {number}")
        try:
            await wakes.next(0.1)
        except TimeoutError:
            continue
        return
    raise AssertionError("no edit was ever noticed")


class Counting:
    """Something real, whose looks are counted and can be waited for."""

    def __init__(self, inner: Watched) -> None:
        self._inner = inner
        self.looks = asyncio.Semaphore(0)

    def folders(self) -> Iterable[Path]:
        return self._inner.folders()

    def fingerprint(self) -> Hashable:
        self.looks.release()
        return self._inner.fingerprint()

    async def looked(self, times: int) -> None:
        for _ in range(times):
            await asyncio.wait_for(self.looks.acquire(), 10.0)


async def test_what_changes_no_content_wakes_nobody(house: House) -> None:
    house.furnish()
    files = Counting(house.settings())
    async with watched(files, house.signals(), poll_s=0.01) as wakes:
        house.put("unrelated.json", "{}")
        house.furnish()
        house.beat("tradingview", 1)
        await files.looked(10)
        assert wakes.count == 1


class Appearing:
    """Something in a folder that does not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looked = 0

    def folders(self) -> Iterable[Path]:
        return (self.folder,)

    def fingerprint(self) -> Hashable:
        self.looked += 1
        return tuple(sorted(path.name for path in self.folder.iterdir())) if self.folder.exists() else ()

    async def noticed(self, wakes: Wakes) -> None:
        """Makes files until one is noticed."""
        for number in range(1000):
            (self.folder / f"{number}").touch()
            try:
                await wakes.next(0.1)
            except TimeoutError:
                continue
            return
        raise AssertionError("no file was ever noticed")


async def test_a_folder_that_appears_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_AGAIN_S", 0.02)
    what = Appearing(tmp_path / "later")
    async with watched(what, poll_s=60.0) as wakes:
        what.folder.mkdir()
        await what.noticed(wakes)


async def test_a_folder_made_anew_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_AGAIN_S", 0.02)
    what = Appearing(tmp_path / "now")
    what.folder.mkdir()
    async with watched(what, poll_s=60.0) as wakes:
        await what.noticed(wakes)
        what.folder.rename(tmp_path / "away")
        what.folder.mkdir()
        await wakes.next()
        await what.noticed(wakes)
        await what.noticed(wakes)


async def test_the_watcher_is_one_and_ends_with_its_task(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    running = 0

    async def counted(folders: Collection[Path], idle_s: float) -> AsyncGenerator[bool]:
        nonlocal running
        running += 1
        assert set(folders) == {house.home.root, house.home.state, house.home.signals}
        try:
            yield True
            await asyncio.Event().wait()
        finally:
            running -= 1

    monkeypatch.setattr(watching, "changes", counted)
    async with watched(house.settings(), house.signals(), poll_s=0.01) as wakes:
        halt(house)
        await wakes.next()
        assert running == 1
    assert running == 0


async def test_a_failing_notice_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "RETRY_S", 0.0)
    tries = 0

    def flaky(folders: Collection[Path], idle_s: float) -> AsyncGenerator[bool]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("the folder went")
        return changes(folders, idle_s)

    monkeypatch.setattr(watching, "changes", flaky)
    async with watched(house.settings(), poll_s=60.0) as wakes:
        await watcher_is_up(house, wakes)
    assert tries == 3


async def test_a_change_before_the_first_notice_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    began = asyncio.Event()

    async def late(folders: Collection[Path], idle_s: float) -> AsyncGenerator[bool]:
        await began.wait()
        async for found in changes(folders, idle_s):
            yield found

    monkeypatch.setattr(watching, "changes", late)
    async with watched(house.settings(), poll_s=60.0) as wakes:
        halt(house)
        began.set()
        await wakes.next()


async def test_a_flood_of_changes_is_looked_at_so_often_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "APART_S", 0.1)
    what = Appearing(tmp_path)
    began_s = SystemClock().monotonic()
    async with watched(what, poll_s=60.0) as wakes:
        for number in range(200):
            (tmp_path / f"{number}").touch()
            await asyncio.sleep(0.001)
        await wakes.next()
        assert what.looked <= 2 + (SystemClock().monotonic() - began_s) / 0.1
