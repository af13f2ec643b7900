"""Notices of changes come for everything that can change a file under its name, and for nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import watchfiles

from config import notices
from config.notices import Inotify, changes, changes_in_thread

linux = pytest.mark.skipif(not notices.INOTIFY, reason="inotify is Linux's")
SOON_S = 5.0
IDLE_S = 0.05


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    other = path.with_name(".other.tmp")
    other.write_bytes(b"other")
    other.replace(path)


COUNTS: dict[str, Callable[[Path], object]] = {
    "written": lambda path: path.write_bytes(b"new"),
    "appended": append,
    "replaced": replace,
    "removed": lambda path: path.unlink(),
    "moved away": lambda path: path.rename(path.parent.parent / "elsewhere"),
    "made unreadable": lambda path: path.chmod(0),
    "made": lambda path: (path.parent / "new").touch(),
    "linked": lambda path: (path.parent / "link").symlink_to("nowhere"),
    "a folder made": lambda path: (path.parent / "folder").mkdir(),
    "the folder moved": lambda path: path.parent.rename(path.parent.parent / "gone"),
}
COUNTS_NOT: dict[str, Callable[[Path], object]] = {
    "read": lambda path: path.read_bytes(),
    "hidden": lambda path: path.with_name(".hidden").write_bytes(b"new"),
    "below": lambda path: (path.parent / "below" / "file").write_bytes(b"new"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "watched" / "below").mkdir(parents=True)
    path = tmp_path / "watched" / "file"
    path.write_bytes(b"old")
    return path


@linux
@pytest.mark.parametrize("change", COUNTS.values(), ids=COUNTS)
def test_a_change_is_told(path: Path, change: Callable[[Path], object]) -> None:
    with Inotify([path.parent]) as inotify:
        change(path)
        assert inotify.take()
        assert not inotify.take()


@linux
@pytest.mark.parametrize("change", COUNTS_NOT.values(), ids=COUNTS_NOT)
def test_what_changes_no_file_is_not_told(path: Path, change: Callable[[Path], object]) -> None:
    with Inotify([path.parent]) as inotify:
        change(path)
        assert not inotify.take()


@linux
def test_more_notices_than_fit_into_one_reading_are_all_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "READ_BYTES", 64)
    with Inotify([path.parent]) as inotify:
        for number in range(50):
            (path.parent / f".{number}").touch()
        path.write_bytes(b"new")
        assert inotify.take()
        assert not inotify.take()


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@linux
def test_nothing_of_a_refused_watch_stays_open(path: Path) -> None:
    before = open_descriptors()
    with pytest.raises(OSError, match="missing"):
        Inotify([path.parent, path.parent / "missing"])
    assert open_descriptors() == before


async def test_changes_are_awaited(path: Path) -> None:
    async with asyncio.timeout(SOON_S), aclosing(changes([path.parent], 60.0)) as found:
        assert await anext(found) is True
        replace(path)
        assert await anext(found) is True


async def test_idleness_is_told_too(path: Path) -> None:
    async with asyncio.timeout(SOON_S), aclosing(changes([path.parent], IDLE_S)) as found:
        assert [await anext(found), await anext(found), await anext(found)] == [True, False, False]


def test_threads_wait_for_changes(path: Path) -> None:
    stop = threading.Event()
    found = changes_in_thread([path.parent], IDLE_S, stop)
    assert next(found) is True
    assert next(found) is False
    append(path)
    assert next(found) is True
    stop.set()
    assert list(found) == []


@pytest.mark.parametrize("stopped_first", [True, False])
def test_a_thread_that_waits_is_stopped(path: Path, stopped_first: bool) -> None:
    stop = threading.Event()
    ended = threading.Event()

    def follow() -> None:
        for _ in changes_in_thread([path.parent], 60.0, stop):
            began.set()
        ended.set()

    began = threading.Event()
    if stopped_first:
        stop.set()
    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    began.wait(SOON_S)
    stop.set()
    assert ended.wait(SOON_S)


async def test_elsewhere_a_watcher_does_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "INOTIFY", False)

    async def awatch(*folders: Path, **options: object) -> object:
        assert folders == (path.parent,)
        assert options["rust_timeout"] == 2000
        yield {("a", "change")}
        yield set()

    monkeypatch.setattr(watchfiles, "awatch", awatch)
    assert [found async for found in changes([path.parent], 2.0)] == [True, True, False]

    def watch(*folders: Path, **options: object) -> Iterator[set[object]]:
        assert folders == (path.parent,)
        assert options["stop_event"] is stop
        yield set()

    stop = threading.Event()
    monkeypatch.setattr(watchfiles, "watch", watch)
    assert list(changes_in_thread([path.parent], 2.0, stop)) == [True, False]
