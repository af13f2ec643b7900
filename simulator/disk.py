"""A disk in memory that forgets what was never synced: `ports.FileOps` for simulations.

At a crash a file is what it was at its last `fsync`, and a folder holds the entries of its last `fsync_dir`. With
`torn=True` some of the unsynced rest survives, as on real disks: the beginning of an appended tail (perhaps followed by
zero bytes), the first few of a folder's changes. Which, is a function of the seed.
"""

from __future__ import annotations

import errno
import os
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.ports import FileIdentity

LOGGED_OPERATIONS = 10_000


@dataclass(slots=True)
class _File:
    """`synced`: how many of the first bytes are durable, or, once those were overwritten, what is durable instead."""

    inode: int
    data: bytearray = field(default_factory=bytearray)
    synced: int | bytes = 0
    mtime_ns: int = 0

    @property
    def durable(self) -> bytes:
        return bytes(self.data[: self.synced]) if isinstance(self.synced, int) else self.synced

    def overwrite(self, data: bytes) -> None:
        self.synced = self.durable
        self.data = bytearray(data)

    def lose(self, kept: bytes) -> None:
        self.data = bytearray(kept)
        self.synced = len(kept)


@dataclass(slots=True)
class _Folder:
    inode: int
    entries: dict[str, _File | _Folder] = field(default_factory=dict)
    durable: dict[str, _File | _Folder] = field(default_factory=dict)
    pending: list[tuple[str, _File | _Folder | None]] = field(default_factory=list)
    """Changes of entries since the last `fsync_dir`, in order; None removes."""

    def put(self, name: str, node: _File | _Folder | None) -> None:
        self.pending.append((name, node))
        _apply(self.entries, name, node)

    def settle(self, count: int) -> None:
        """Makes the first `count` pending changes durable."""
        for name, node in self.pending[:count]:
            _apply(self.durable, name, node)
        del self.pending[:count]


def _apply(entries: dict[str, _File | _Folder], name: str, node: _File | _Folder | None) -> None:
    if node is None:
        entries.pop(name, None)
    else:
        entries[name] = node


@dataclass(slots=True)
class Fault:
    """Matching operations fail with `error` (an errno), `times` of them (0: for ever), after `after` that succeed.

    `operation` is a method's name, '' for any; `path_part` must occur in the path. With `partial` a failing write or
    append leaves a part of its data behind.
    """

    error: int
    operation: str = ""
    path_part: str = ""
    after: int = 0
    times: int = 1
    partial: bool = False
    hits: int = 0

    def strikes(self, operation: str, path: Path) -> bool:
        if self.operation not in ("", operation) or self.path_part not in str(path):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class SimulatedFileOps:
    """One disk. `operations` counts every call; `log` holds the newest as `name path`."""

    def __init__(self, seed: int = 0) -> None:
        self.operations = 0
        self.log: deque[str] = deque(maxlen=LOGGED_OPERATIONS)
        self.faults: list[Fault] = []
        self._random = random.Random(seed)  # noqa: S311 - a simulation replays
        self._inodes = 1
        self._ticks = 0
        self._root = _Folder(self._inodes)
        self._left: int | None = None  # operations until the power fails; None: it does not

    # --- what may go wrong ---------------------------------------------------------------------------------------

    def fail(self, fault: Fault) -> Fault:
        """Adds a fault; it stays in `faults` until removed there."""
        self.faults.append(fault)
        return fault

    def power_off(self, after: int = 0) -> None:
        """After so many further operations every one fails with EIO, until `crash`."""
        self._left = after

    def crash(self, torn: bool = False) -> None:
        """The power fails and returns: what was not durable is lost. Faults stay."""
        self._left = None
        self._lose(self._root, torn)

    def durable(self, path: Path) -> bytes:
        """What a crash this moment would leave of a file; nothing where it would leave no such file."""
        node: _File | _Folder | None = self._root
        for part in self._steps(path):
            node = node.durable.get(part) if isinstance(node, _Folder) else None
        return node.durable if isinstance(node, _File) else b""

    def _lose(self, folder: _Folder, torn: bool) -> None:
        folder.settle(self._random.randint(0, len(folder.pending)) if torn else 0)
        folder.pending.clear()
        folder.entries = dict(folder.durable)
        for node in folder.entries.values():
            if isinstance(node, _Folder):
                self._lose(node, torn)
            else:
                node.lose(self._kept(node) if torn else node.durable)

    def _kept(self, file: _File) -> bytes:
        if not isinstance(file.synced, int):
            cut = self._random.randint(0, len(file.data))
            return self._random.choice([file.synced, b"", bytes(file.data[:cut])])
        cut = self._random.randint(file.synced, len(file.data))
        padding = bytes(len(file.data) - cut) if self._random.random() < 0.25 else b""
        return bytes(file.data[:cut]) + padding

    # --- ports.FileOps -------------------------------------------------------------------------------------------

    def read(self, path: Path) -> bytes:
        self._begin("read", path)
        return bytes(self._file(path).data)

    def append(self, path: Path, data: bytes) -> None:
        fault = self._strike("append", path)
        file = self._opened(path)
        file.data += self._surviving(data, fault)
        self._touch(file)
        _raise(fault, path)

    def write(self, path: Path, data: bytes) -> None:
        fault = self._strike("write", path)
        file = self._opened(path)
        file.overwrite(self._surviving(data, fault))
        self._touch(file)
        _raise(fault, path)

    def truncate(self, path: Path, size: int) -> None:
        self._begin("truncate", path)
        file = self._file(path)
        file.overwrite(bytes(file.data[:size]).ljust(size, b"\0"))
        self._touch(file)

    def fsync(self, path: Path) -> None:
        self._begin("fsync", path)
        file = self._file(path)
        file.synced = len(file.data)

    def replace(self, source: Path, target: Path) -> None:
        self._begin("replace", target)
        file = self._file(source)
        self._folder(target.parent).put(target.name, file)
        self._folder(source.parent).put(source.name, None)

    def remove(self, path: Path) -> None:
        self._begin("remove", path)
        self._file(path)
        self._folder(path.parent).put(path.name, None)

    def fsync_dir(self, path: Path) -> None:
        self._begin("fsync_dir", path)
        folder = self._folder(path)
        folder.settle(len(folder.pending))

    def make_dir(self, path: Path) -> None:
        self._begin("make_dir", path)
        parent = self._folder(path.parent)
        found = parent.entries.get(path.name)
        if isinstance(found, _File):
            raise _error(errno.EEXIST, path)
        if found is None:
            parent.put(path.name, _Folder(self._new_inode()))

    def list(self, path: Path) -> tuple[str, ...]:
        self._begin("list", path)
        return tuple(sorted(self._folder(path).entries))

    def identity(self, path: Path) -> FileIdentity | None:
        self._begin("identity", path)
        node = self._find(path)
        if node is None:
            return None
        if isinstance(node, _Folder):
            return FileIdentity(1, node.inode, 0, 0)
        return FileIdentity(1, node.inode, len(node.data), node.mtime_ns)

    # --- inside --------------------------------------------------------------------------------------------------

    def _strike(self, operation: str, path: Path) -> Fault | None:
        """Counts an operation; the fault that befalls it, if any."""
        self.operations += 1
        self.log.append(f"{operation} {path}")
        if self._left is not None:
            if self._left == 0:
                raise OSError(errno.EIO, "the power is off", str(path))
            self._left -= 1
        return next((fault for fault in self.faults if fault.strikes(operation, path)), None)

    def _begin(self, operation: str, path: Path) -> None:
        _raise(self._strike(operation, path), path)

    def _surviving(self, data: bytes, fault: Fault | None) -> bytes:
        """What of `data` reaches the file: all of it, or what a fault leaves."""
        if fault is None:
            return data
        return data[: self._random.randint(1, max(len(data) - 1, 1))] if fault.partial else b""

    def _steps(self, path: Path) -> Iterator[str]:
        return (part for part in path.parts if part != path.anchor)

    def _find(self, path: Path) -> _File | _Folder | None:
        node: _File | _Folder | None = self._root
        for part in self._steps(path):
            if not isinstance(node, _Folder):
                return None
            node = node.entries.get(part)
        return node

    def _folder(self, path: Path) -> _Folder:
        node = self._find(path)
        if not isinstance(node, _Folder):
            raise _error(errno.ENOENT if node is None else errno.ENOTDIR, path)
        return node

    def _file(self, path: Path) -> _File:
        node = self._find(path)
        if not isinstance(node, _File):
            raise _error(errno.ENOENT if node is None else errno.EISDIR, path)
        return node

    def _opened(self, path: Path) -> _File:
        """The file at `path`, made if there is none."""
        node = self._find(path)
        if isinstance(node, _Folder):
            raise _error(errno.EISDIR, path)
        if node is None:
            node = _File(self._new_inode())
            self._folder(path.parent).put(path.name, node)
        return node

    def _new_inode(self) -> int:
        self._inodes += 1
        return self._inodes

    def _touch(self, file: _File) -> None:
        self._ticks += 1
        file.mtime_ns = self._ticks


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _raise(fault: Fault | None, path: Path) -> None:
    if fault is not None:
        raise _error(fault.error, path)
