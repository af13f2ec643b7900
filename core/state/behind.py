"""Projections written beside the loop: no account's orders wait for what another one shows people.

A file has a disk's pace, two syncs for each, and a loop that waits for it holds every account up. Here the newest
content of each file waits instead, and one writer at a time takes all that waits to the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from core.domain import AccountId
from core.state.projections import Entries, Projections

Tell = Callable[[AccountId, str], None]
CLOSING_S = 10.0
"""How long the end waits for what is not written yet."""


class Offload(Protocol):
    """Runs a blocking call without holding up the loop, such as `asyncio.to_thread`."""

    def __call__(self, work: Callable[[], None], /) -> Awaitable[None]: ...


class WrittenBehind:
    """The executor's publisher. `make` gets what hears of troubles, which may come from another thread, and makes the
    projections; `tell` hears of them on the loop."""

    def __init__(self, make: Callable[[Tell], Projections], tell: Tell, offload: Offload) -> None:
        self._heard: deque[tuple[AccountId, str]] = deque()
        self._inner = make(lambda account, because: self._heard.append((account, because)))
        self._tell = tell
        self._offload = offload
        self._waiting: dict[tuple[str, AccountId], Callable[[], None]] = {}
        self._latest: dict[AccountId, tuple[str, Entries]] = {}
        self._writer: asyncio.Task[None] | None = None

    def status(self, account: AccountId, content: Mapping[str, Any]) -> None:
        """`content` is written as it is now, at once or after what is being written."""
        self._later(("status", account), lambda: self._inner.status(account, content))

    def depths(self, account: AccountId, epoch: str, entries: Entries) -> None:
        self._latest[account] = (epoch, entries)
        self._later(("depths", account), lambda: self._inner.depths(account, epoch, entries))

    def refuse(self, account: AccountId, because: str) -> None:
        """An account that is not even begun; for the time before anything is written behind."""
        self._inner.refuse(account, because)
        self._pass_on()

    def projected(self, account: AccountId) -> tuple[str, Entries] | None:
        """What was last projected of an account, be it written yet or not."""
        found = self._latest.get(account) or self._inner.projected(account)
        self._pass_on()
        return found

    async def close(self) -> None:
        """Returns when everything is written, or cannot be within `CLOSING_S`."""
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=CLOSING_S)

    def _later(self, what: tuple[str, AccountId], write: Callable[[], None]) -> None:
        self._waiting[what] = write
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, {}
            await self._offload(partial(_all, tuple(taken.values())))
            self._pass_on()

    def _pass_on(self) -> None:
        while self._heard:
            self._tell(*self._heard.popleft())


def _all(works: Iterable[Callable[[], None]]) -> None:
    for work in works:
        work()
