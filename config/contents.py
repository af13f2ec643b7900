"""Files by content: what a file holds now, re-read only when it may have changed, and known by its hash.

A look at inode, size and times may spare the reading only when all of them are what they were AND the file had been
left alone for two seconds when it was read: within the granularity of a clock, or after a rename that keeps the time,
equal times prove nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from pathlib import Path

from config.checks import Raw
from config.problems import json_locator
from core.errors import ConfigError
from core.ports import Clock, FileIdentity, FileOps
from core.state import content_hash, loads

SETTLED_S = 2.0
MAX_BYTES = 16 * 1024 * 1024
MISSING = "missing"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held: `data`, or None with `trouble` (missing, or why it cannot be read).

    `version` is the content's hash, or a word where there is none; equal versions are equal contents.
    """

    path: Path
    data: bytes | None
    version: str
    trouble: str = ""

    @property
    def missing(self) -> bool:
        return self.version == MISSING


@dataclass(frozen=True, slots=True)
class _Cached:
    content: Content
    identity: FileIdentity
    settled: bool


class Contents:
    """Reads files for one reader; the same `Content` object comes back for as long as nothing changed."""

    def __init__(self, files: FileOps, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._cached: dict[Path, _Cached] = {}
        self._last: dict[Path, Content] = {}

    def read(self, path: Path) -> Content:
        """The file's content now. Never raises: trouble is part of the answer."""
        found = self._read(path)
        last = self._last.get(path)
        if last is not None and last.version == found.version and last.trouble == found.trouble:
            return last
        self._last[path] = found
        return found

    def forget(self, path: Path) -> None:
        """Drops what is remembered of a path that will not be read again."""
        self._cached.pop(path, None)
        self._last.pop(path, None)

    def _read(self, path: Path) -> Content:
        try:
            # The identity is taken first: a file replaced in between is then read again next time.
            identity = self._files.identity(path)
            if identity is None:
                self._cached.pop(path, None)
                return Content(path, None, MISSING, "does not exist")
            cached = self._cached.get(path)
            if cached is not None and cached.settled and cached.identity == identity:
                return cached.content
            if identity.size > MAX_BYTES:
                return Content(path, None, UNREADABLE, f"is larger than {MAX_BYTES // 1024 // 1024} MiB")
            data = self._files.read(path)
        except FileNotFoundError:
            self._cached.pop(path, None)
            return Content(path, None, MISSING, "does not exist")
        except OSError as error:
            self._cached.pop(path, None)
            return Content(path, None, UNREADABLE, f"cannot be read: {error.strerror or error}")
        content = Content(path, data, content_hash(data))
        changed_at = max(identity.mtime_ns, identity.ctime_ns) / 1e9
        self._cached[path] = _Cached(content, identity, changed_at < self._clock.time() - SETTLED_S)
        return content


def parsed(data: bytes, file: str) -> Raw:
    """JSON or (by suffix) TOML content, numbers as int and Decimal. Raises ConfigError with line and column."""
    if file.endswith(".toml"):
        return Raw(file, _toml(data, file))
    value = loads(data, file)
    return Raw(file, value, json_locator(data.decode("utf-8-sig")))


def _toml(data: bytes, file: str) -> object:
    try:
        return tomllib.loads(data.decode("utf-8-sig"), parse_float=_decimal)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}: line {line}", "is not UTF-8 text") from None
    except RecursionError:
        raise ConfigError(file, "is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(file, f"is not valid TOML: {error}") from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException:
        raise ValueError(f"the number {text[:24]} is out of range") from None
