"""The operating system's word that something changed in a folder, so that nobody has to look all the time.

On Linux this is inotify, asked directly: a notice comes a tenth of a millisecond after the change and waiting costs
nothing. (Watchers that collect changes look every few milliseconds: measured 6 to 10 ms from rename to notice at a step
of 5 ms for 0.5 % of a core, and 2 ms at a step of 1 ms for 1.9 %.) Elsewhere it is such a watcher, `watchfiles`.

Names that begin with a dot are nobody's business: files are written under such a name, then renamed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import struct
import sys
import threading
import time
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import aclosing
from pathlib import Path

import watchfiles

STEP_MS = 5
DEBOUNCE_MS = 10
STOP_LOOK_S = 0.1
READ_BYTES = 64 * 1024

INOTIFY = sys.platform == "linux"

# linux/inotify.h: a file was closed after writing, its mode changed, a name came, went, moved; the folder itself went.
_CHANGES = 0x8 | 0x4 | 0x100 | 0x200 | 0x40 | 0x80 | 0x400 | 0x800
_ONLY_FOLDERS = 0x01000000
_HEAD = struct.Struct("iIII")


async def changes(folders: Collection[Path], idle_s: float) -> AsyncGenerator[bool]:
    """True after changes in `folders` (not below them), False after `idle_s` without any; for ever.

    The first is True and comes once notices do: what changed before that, nobody told. Raises OSError or RuntimeError
    where no notices are to be had: their number is limited, or a folder is gone.
    """
    if not INOTIFY:
        async with aclosing(_watched(folders, idle_s)) as found:
            async for changed in found:
                yield changed
        return
    stirred, loop = asyncio.Event(), asyncio.get_running_loop()
    with Inotify(folders) as inotify:
        loop.add_reader(inotify.fileno(), lambda: stirred.set() if inotify.take() else None)
        stirred.set()
        try:
            while True:
                try:
                    async with asyncio.timeout(idle_s):
                        await stirred.wait()
                except TimeoutError:
                    yield False
                    continue
                stirred.clear()
                yield True
        finally:
            loop.remove_reader(inotify.fileno())


def changes_in_thread(folders: Collection[Path], idle_s: float, stop: threading.Event) -> Iterator[bool]:
    """`changes` for a program of threads: waits blocking, and ends once `stop` is set."""
    if not INOTIFY:
        yield True
        for found in watchfiles.watch(
            *folders,
            watch_filter=None,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=int(idle_s * 1000),
            yield_on_timeout=True,
            stop_event=stop,
            recursive=False,
            raise_interrupt=False,
        ):
            yield bool(found)
        return
    with Inotify(folders) as inotify:
        yield True
        idle_at = time.monotonic() + idle_s
        while not stop.is_set():
            left_s = idle_at - time.monotonic()
            changed = inotify.wait(min(left_s, STOP_LOOK_S)) if left_s > 0 else False
            if changed or left_s <= 0:
                yield changed
                idle_at = time.monotonic() + idle_s


async def _watched(folders: Collection[Path], idle_s: float) -> AsyncGenerator[bool]:
    yield True
    found = watchfiles.awatch(
        *folders,
        watch_filter=None,
        step=STEP_MS,
        debounce=DEBOUNCE_MS,
        rust_timeout=int(idle_s * 1000),
        yield_on_timeout=True,
        recursive=False,
    )
    async with aclosing(found):
        async for change in found:
            yield bool(change)


class Inotify:
    """Linux's notices of some folders, from now on. Use as a context manager. Raises OSError."""

    def __init__(self, folders: Collection[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify")
        try:
            for folder in folders:
                name = os.fsencode(folder)
                _checked(libc.inotify_add_watch(self._descriptor, name, _CHANGES | _ONLY_FOLDERS), str(folder))
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Inotify:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def wait(self, at_most_s: float) -> bool:
        """Waits for notices; whether one came that counts."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(at_most_s * 1000)) and self.take()

    def take(self) -> bool:
        """Takes all notices that have come; whether one of them counts. Never blocks."""
        counts = False
        while True:
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:
                return counts
            at = 0
            while at < len(data):
                _, _, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                counts = counts or data[at : at + 1] != b"." or not length
                at += length


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result
