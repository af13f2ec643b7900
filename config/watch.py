"""Wakes somebody when watched contents change: file notices for speed, a poll by content every second for certainty.

One watcher serves everything a process watches. The first of many changes is looked at at once, the others together a
moment later, so a flood of them costs no more than so many looks a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from config.notices import changes

POLL_S = 1.0
APART_S = 0.01
LOOK_AGAIN_S = 1.0
RETRY_S = 10.0


class Watched(Protocol):
    """Something whose content can be watched."""

    def folders(self) -> Iterable[Path]:
        """The folders it lies in, not those below them; missing ones are watched once they appear."""

    def fingerprint(self) -> Hashable:
        """Different when, and only when, a content is. Never raises."""


async def watch(watched: Sequence[Watched], wake: Callable[[], None], *, poll_s: float = POLL_S) -> None:
    """Calls `wake` at once, and then after every change of content, until cancelled."""
    stirred = asyncio.Event()
    notices = asyncio.create_task(_notices(watched, stirred))
    last: list[Hashable] | None = None
    try:
        while True:
            now = [one.fingerprint() for one in watched]
            if now != last:
                last = now
                wake()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll_s):
                    await asyncio.sleep(min(APART_S, poll_s))
                    await stirred.wait()
            stirred.clear()
    finally:
        notices.cancel()
        await asyncio.gather(notices, return_exceptions=True)


async def _notices(watched: Sequence[Watched], stirred: asyncio.Event) -> None:
    """Sets `stirred` for whatever happens in the folders. Without notices, the poll is all there is."""
    while True:
        try:
            await _while_folders_stay(watched, stirred)
        except (OSError, RuntimeError):
            # No notices to be had now (their number is limited by the system, or a folder went): the poll goes on.
            await asyncio.sleep(RETRY_S)


async def _while_folders_stay(watched: Sequence[Watched], stirred: asyncio.Event) -> None:
    """Watches the folders that exist, until there are others; a folder made anew under the same name is another one."""
    watching = _present(watched)
    if not watching:
        await asyncio.sleep(LOOK_AGAIN_S)
        return
    async with contextlib.aclosing(changes(watching, LOOK_AGAIN_S)) as notices:
        async for changed in notices:
            if changed:
                stirred.set()
            if _present(watched) != watching:
                stirred.set()
                return


def _present(watched: Sequence[Watched]) -> dict[Path, tuple[int, int]]:
    """The folders that exist now, by path, with device and inode."""
    found = {}
    for folder in {folder for one in watched for folder in one.folders()}:
        with contextlib.suppress(OSError):
            if folder.is_dir():
                stat = folder.stat()
                found[folder] = (stat.st_dev, stat.st_ino)
    return found
