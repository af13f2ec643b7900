"""One process's connection to the world: its disk, its network, its locks, all of which end with it.

`Power` counts every touch of the outside. It can be told to go out at the n-th from now: then that touch, and every
later one, is cancelled, as if the process had never come so far. What it had sent goes on by itself; what it had not
synced is for the disk to forget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.domain import AccountId
from core.errors import Locked
from core.ports import Clock, FileIdentity, FileOps, Request, Response, Stream, StreamRequest, Transport


class Power:
    """On until `off`, or until the touch it was told to go out at. `gone` is called once, when it goes out."""

    def __init__(self, gone: Callable[[], None]) -> None:
        self.on = True
        self._gone = gone
        self._left: int | None = None

    def off_at(self, touch: int) -> None:
        """Goes out at the `touch`-th touch from now (0: the next one)."""
        self._left = touch

    def off(self) -> None:
        if self.on:
            self.on = False
            self._gone()

    def touch(self) -> None:
        """Raises `CancelledError` in a process that is dead, or dies now."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self.off()
        if not self.on:
            raise asyncio.CancelledError("the process is dead")


class PoweredDisk:
    """`ports.FileOps` for one process."""

    def __init__(self, inner: FileOps, power: Power) -> None:
        self._inner = inner
        self._power = power

    def read(self, path: Path) -> bytes:
        self._power.touch()
        return self._inner.read(path)

    def append(self, path: Path, data: bytes) -> None:
        self._power.touch()
        self._inner.append(path, data)

    def write(self, path: Path, data: bytes) -> None:
        self._power.touch()
        self._inner.write(path, data)

    def truncate(self, path: Path, size: int) -> None:
        self._power.touch()
        self._inner.truncate(path, size)

    def fsync(self, path: Path) -> None:
        self._power.touch()
        self._inner.fsync(path)

    def replace(self, source: Path, target: Path) -> None:
        self._power.touch()
        self._inner.replace(source, target)

    def remove(self, path: Path) -> None:
        self._power.touch()
        self._inner.remove(path)

    def fsync_dir(self, path: Path) -> None:
        self._power.touch()
        self._inner.fsync_dir(path)

    def make_dir(self, path: Path) -> None:
        self._power.touch()
        self._inner.make_dir(path)

    def list(self, path: Path) -> tuple[str, ...]:
        self._power.touch()
        return self._inner.list(path)

    def identity(self, path: Path) -> FileIdentity | None:
        self._power.touch()
        return self._inner.identity(path)


class PoweredTransport:
    """`ports.Transport` for one process. `seen` hears of every request when it leaves, `answered` when it ends."""

    def __init__(
        self,
        inner: Transport,
        power: Power,
        clock: Clock,
        seen: Callable[[Request], None],
        answered: Callable[[Request], None],
    ) -> None:
        self._inner = inner
        self._power = power
        self._clock = clock
        self._seen = seen
        self._answered = answered
        self._streams: list[Stream] = []

    async def send(self, request: Request) -> Response:
        self._power.touch()
        self._seen(request)
        response = await self._inner.send(request)
        self._answered(request)
        self._power.touch()
        return replace(response, received_at=self._clock.time())

    async def connect(self, request: StreamRequest) -> Stream:
        self._power.touch()
        stream = await self._inner.connect(request)
        self._streams.append(stream)
        return stream

    async def close(self) -> None:
        """Hangs up what is open; the venue's side of the transport goes on for others."""
        for stream in self._streams:
            await stream.close()
        self._streams.clear()


class LocalClock:
    """This machine's clock: the world's, plus what it is wrong by."""

    def __init__(self, world: Clock) -> None:
        self._world = world
        self.wrong_by_s = 0.0

    def time(self) -> float:
        return self._world.time() + self.wrong_by_s

    def monotonic(self) -> float:
        return self._world.monotonic()


class Locks:
    """The account locks of a home. A lock ends with its holder's power."""

    def __init__(self) -> None:
        self._holders: dict[AccountId, tuple[Power, str]] = {}

    def take(self, account: AccountId, power: Power, name: str) -> Lock:
        """Raises `Locked` while somebody else holds it."""
        held = self._holders.get(account)
        if held is not None and held[0].on and held[0] is not power:
            raise Locked(f"{account} is already traded by {held[1]}")
        self._holders[account] = (power, name)
        return Lock(self, account, power)

    def held_by(self, account: AccountId, power: Power) -> bool:
        held = self._holders.get(account)
        return held is not None and held[0] is power and power.on

    def release(self, account: AccountId, power: Power) -> None:
        if self.held_by(account, power):
            del self._holders[account]


class Lock:
    """`ports.AccountLock`."""

    def __init__(self, locks: Locks, account: AccountId, power: Power) -> None:
        self._locks = locks
        self._account = account
        self._power = power

    def held(self) -> bool:
        return self._locks.held_by(self._account, self._power)

    def release(self) -> None:
        self._locks.release(self._account, self._power)
