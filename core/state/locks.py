"""One engine per account: a lock of the operating system. It dies with its holder; no process id is ever tested."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import weakref
from collections.abc import Callable
from pathlib import Path

from core.domain import AccountId
from core.errors import ConfigError, Locked
from core.ports import Clock
from core.state.files import FILE_MODE, RealFileOps, ensure_dir
from core.state.instants import format_instant
from core.state.jsonfile import encode, loads

_TRIES = 5
_MAX_HOLDER_BYTES = 4096

_held: weakref.WeakSet[AccountLock] = weakref.WeakSet()


def _close_inherited() -> None:
    """In a forked child: an inherited descriptor would keep the lock held after the parent is gone."""
    for lock in list(_held):
        lock._forget()


os.register_at_fork(after_in_child=_close_inherited)


class AccountLock:
    """`ports.AccountLock`, held from `acquire` to `release` or the end of the process. The file stays; it is no lock
    by being there. Programs started from this one do not inherit it (descriptors are not, unless asked to be), nor do
    forked children."""

    def __init__(self, path: Path, descriptor: int, content: bytes) -> None:
        self._path = path
        self._descriptor = descriptor
        self._content = content
        _held.add(self)

    @staticmethod
    def acquire(folder: Path, account: AccountId, process: str, now: float) -> AccountLock:
        """Takes `<folder>/<account>.lock` at once or raises Locked naming the holder; OSError where the disk fails.

        `process` is the name people know this program by, `now` epoch seconds.
        """
        ensure_dir(RealFileOps(), folder)
        path = folder / f"{account}.lock"
        for _ in range(_TRIES):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
            kept = False
            try:
                if not _try_flock(descriptor):
                    raise Locked(_held_by(account, descriptor))
                if not _is_at(descriptor, path):
                    continue  # the file was replaced between opening and locking: that lock excludes nobody
                holder = {"pid": os.getpid(), "process": process, "since": format_instant(now)}
                content = encode(holder) + b"\n"
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, content, 0)
                kept = True
                return AccountLock(path, descriptor, content)
            finally:
                if not kept:
                    os.close(descriptor)
        raise Locked(f"{account}: somebody keeps replacing {path}; this program does nothing for the account.")

    def held(self) -> bool:
        """Whether sends may go: this process locked the file, and it is still the one that others would lock.

        Asks the operating system each time: the name must lead to the locked inode, the holder written in it must be
        us, and a second descriptor must be refused the lock. What cannot be asked is not held.
        """
        if self._descriptor < 0:
            return False
        try:
            return self._is_ours() and self._is_locked()
        except OSError:
            return False

    def _is_ours(self) -> bool:
        written = os.pread(self._descriptor, _MAX_HOLDER_BYTES, 0)
        return written == self._content and _is_at(self._descriptor, self._path)

    def _is_locked(self) -> bool:
        probe = os.open(self._path, os.O_RDWR)
        try:
            return not _try_flock(probe)
        finally:
            os.close(probe)

    def release(self) -> None:
        """Gives the lock up; a second call, and one in a forked child, does nothing."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # closing unlocks all the same
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._forget()

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        _held.discard(self)
        if descriptor >= 0:
            os.close(descriptor)


def locks_in(folder: Path, process: str, clock: Clock) -> Callable[[AccountId], AccountLock]:
    """Takes locks of accounts in `folder` for `process`; each call raises as `AccountLock.acquire` does."""
    return lambda account: AccountLock.acquire(folder, account, process, clock.time())


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether `path` still leads to the open file."""
    ours = os.fstat(descriptor)
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def _held_by(account: AccountId, descriptor: int) -> str:
    who = "another program, which has not written its name yet,"
    with contextlib.suppress(ConfigError, OSError):
        holder = loads(os.pread(descriptor, _MAX_HOLDER_BYTES, 0))
        if isinstance(holder, dict):
            who = f"{holder.get('process')} (process {holder.get('pid')}, since {holder.get('since')})"
    return (
        f"{account} is already traded by {who}. Two engines on one account would undo each other's orders, so this one "
        "does nothing for it. Stop the other one first (`./run down`), or leave it to work."
    )
