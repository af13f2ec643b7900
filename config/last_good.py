"""The last valid copy of each live file, in `state/last_good/`: with it a restart on a broken edit is no different."""

from __future__ import annotations

from pathlib import Path

from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import content_hash, ensure_dir, write_atomic

RETRY_S = 10.0


class LastGood:
    """Copies in one folder. Reading is done once, at start; writing follows every accepted edit, in the order kept.

    A copy that cannot be written is tried again every ten seconds and named in `problem` meanwhile: the engine is not
    stopped by it, only less prepared for its next start.
    """

    def __init__(self, folder: Path, files: FileOps, clock: Clock, *, writes: bool) -> None:
        self._folder = folder
        self._files = files
        self._clock = clock
        self._writes = writes
        self._wanted: dict[str, bytes | None] = {}
        self._retry_at = 0.0
        self.problem = ""

    def read(self, name: str) -> bytes | None:
        """The copy of `name`, None where there is none. Raises ConfigError where it is there and cannot be read."""
        try:
            return self._files.read(self._folder / name)
        except FileNotFoundError:
            return None
        except OSError as error:
            where = f"state/last_good/{name}"
            raise ConfigError(where, f"cannot be read: {error.strerror or error}; make it readable") from error

    def keep(self, name: str, data: bytes | None) -> None:
        """Makes the copy of `name` equal to `data` (None: no copy), now if the disk lets us."""
        if self._writes:
            self._wanted[name] = data
            self._retry_at = 0.0

    def flush(self) -> None:
        """Writes what `keep` was told and is not on disk yet."""
        if not self._wanted or self._clock.monotonic() < self._retry_at:
            return
        try:
            ensure_dir(self._files, self._folder)
            for name, data in list(self._wanted.items()):
                self._put(self._folder / name, data)
                del self._wanted[name]
        except OSError as error:
            self._retry_at = self._clock.monotonic() + RETRY_S
            self.problem = (
                f"state/last_good: a copy of {', '.join(sorted(self._wanted))} could not be kept "
                f"({error.strerror or error}). The settings are in force all the same; free the disk or make the "
                "folder writable, so that a restart with a broken edit finds them."
            )
            return
        self.problem = ""

    def _put(self, path: Path, data: bytes | None) -> None:
        if self._files.identity(path) is None:
            if data is not None:
                write_atomic(self._files, path, data)
        elif data is None:
            self._files.remove(path)
            self._files.fsync_dir(path.parent)
        elif content_hash(self._files.read(path)) != content_hash(data):
            write_atomic(self._files, path, data)
