"""The real disk, and the one way a file is replaced: temporary file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import weakref
from pathlib import Path

from core.ports import FileIdentity, FileOps

FILE_MODE = 0o600
DIR_MODE = 0o700
LEFTOVER_AGE_S = 3600.0

_numbers = itertools.count(1)
_durable: weakref.WeakKeyDictionary[FileOps, dict[Path, int]] = weakref.WeakKeyDictionary()
"""Per disk: folders that `ensure_dir` made durable, and which inode that was."""


class RealFileOps:
    """`ports.FileOps` on the operating system. Holds no descriptor between calls, so it can never write to a file
    that is no longer the one of that name."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def append(self, path: Path, data: bytes) -> None:
        self._put(path, data, os.O_APPEND)

    def write(self, path: Path, data: bytes) -> None:
        self._put(path, data, os.O_TRUNC)

    @staticmethod
    def _put(path: Path, data: bytes, how: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, FILE_MODE)
        try:
            left = memoryview(data)
            while left:
                written = os.write(descriptor, left)
                if written == 0:
                    raise OSError(errno.EIO, "the disk took no byte", str(path))
                left = left[written:]
        finally:
            os.close(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        os.truncate(path, size)

    def fsync(self, path: Path) -> None:
        self._sync(path, os.O_RDONLY)

    def fsync_dir(self, path: Path) -> None:
        self._sync(path, os.O_RDONLY | os.O_DIRECTORY)

    @staticmethod
    def _sync(path: Path, how: int) -> None:
        descriptor = os.open(path, how)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink()

    def make_dir(self, path: Path) -> None:
        path.mkdir(mode=DIR_MODE, exist_ok=True)

    def list(self, path: Path) -> tuple[str, ...]:
        return tuple(sorted(os.listdir(path)))  # noqa: PTH208 - names, not paths

    def identity(self, path: Path) -> FileIdentity | None:
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return FileIdentity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def temporary_beside(path: Path) -> Path:
    """A name in the same folder that no other writer uses: hidden, by process and count."""
    return path.with_name(f".{path.name}.{os.getpid()}.{next(_numbers)}.tmp")


def write_atomic(ops: FileOps, path: Path, data: bytes) -> None:
    """Readers see the old content or all of `data`, and after return a power loss keeps it. Raises OSError.

    A failure before the rename leaves the old file and no temporary one. A failure of the last step (fsync of the
    folder) raises too, though readers already see the new content: it may be lost with the power.
    """
    temporary = temporary_beside(path)
    placed = False
    try:
        ops.write(temporary, data)
        ops.fsync(temporary)
        ops.replace(temporary, path)
        placed = True
    finally:
        if not placed:
            with contextlib.suppress(OSError):
                ops.remove(temporary)
    ops.fsync_dir(path.parent)


def ensure_dir(ops: FileOps, path: Path) -> None:
    """Makes `path` and what is missing above it, and makes durable what may have been there only in memory.

    Syncs every folder above on the same device, since whoever made one may have been killed before. Once that is done
    it only looks whether the folder is still there. Raises OSError.
    """
    known = _durable.setdefault(ops, {})
    found = ops.identity(path)
    if found is not None and known.get(path) == found.inode:
        return
    missing: list[Path] = []
    folder = path
    while ops.identity(folder) is None:
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        ops.make_dir(folder)
    made = ops.identity(path)
    for folder in path.parents:
        if made is None or _device(ops, folder) != made.device:
            break
        with contextlib.suppress(PermissionError):  # somebody else's folder, which was there before us
            ops.fsync_dir(folder)
    if made is not None:
        known[path] = made.inode


def _device(ops: FileOps, path: Path) -> int | None:
    found = ops.identity(path)
    return None if found is None else found.device


def sweep_leftovers(ops: FileOps, folder: Path, now: float, of: str = "") -> int:
    """Removes temporary files that a killed writer left in `folder`; returns how many.

    Only those of the file named `of` when given (whose sole writer the caller is), else only those older than an hour,
    because somebody may be writing a younger one right now.
    """
    removed = 0
    begins = f".{of}." if of else "."
    for name in ops.list(folder):
        path = folder / name
        if not (name.startswith(begins) and name.endswith(".tmp")):
            continue
        found = ops.identity(path)
        if found is not None and (of or found.mtime_ns / 1e9 < now - LEFTOVER_AGE_S):
            ops.remove(path)
            removed += 1
    return removed
