"""`state/events/<account>.jsonl`: facts for history, one JSON object a line, bounded by rotation.

The file of the day is `<account>.jsonl`; older ones are `<account>.<day>.<nnn>.jsonl`. Facts are not synced one by one:
they are told to people and charts, never to a decision, and the venue's own history can fill what a power loss takes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from core.domain import AccountId
from core.errors import ConfigError
from core.ports import FileOps
from core.state.files import ensure_dir
from core.state.instants import day_of, format_instant, parse_instant
from core.state.jsonfile import encode, loads

SCHEMA = 1
MAX_BYTES = 8 << 20
KEPT_FILES = 30
SENT = b'"fact":"order_sent"'


class FactLog:
    """Appends facts of all accounts of a home. At most `kept_files` rotated files of `max_bytes` per account."""

    def __init__(self, folder: Path, ops: FileOps, max_bytes: int = MAX_BYTES, kept_files: int = KEPT_FILES) -> None:
        self._folder = folder
        self._ops = ops
        self._max_bytes = max_bytes
        self._kept_files = kept_files
        self._days: dict[AccountId, str] = {}  # the day each open file is of

    def append(self, account: AccountId, at: float, fact: Mapping[str, object]) -> str | None:
        """Writes one fact of the instant `at`; returns None, or in words why it could not be written."""
        line = encode({"schema": SCHEMA, "at": format_instant(at), "account": account, **fact}) + b"\n"
        path = self._folder / f"{account}.jsonl"
        try:
            self._make_room(account, path, day_of(at), len(line))
            self._ops.append(path, line)
        except OSError as error:
            self._days.pop(account, None)  # look at the file's end again before the next fact
            return (
                f"{path} could not be written ({error.strerror or error}); history lacks this fact. Trading goes on. "
                "Look at the disk's free space and permissions."
            )
        return None

    def traded(self, account: AccountId) -> bool:
        """Whether an order of the account was ever noted here; True too where that cannot be read."""
        try:
            names = [name for name in self._ops.list(self._folder) if name.startswith(f"{account}.")]
            return any(SENT in self._ops.read(self._folder / name) for name in names)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def _make_room(self, account: AccountId, path: Path, day: str, needed: int) -> None:
        """Rotates when the day or the size asks for it."""
        if account not in self._days:
            ensure_dir(self._ops, self._folder)
            self._days[account] = self._mended_day(path) or day
        found = self._ops.identity(path)
        if found is None:  # taken away by whoever collects the facts: a new one begins
            self._days[account] = day
        elif found.size and (day > self._days[account] or found.size + needed > self._max_bytes):
            self._rotate(account, path)
            self._days[account] = day

    def _mended_day(self, path: Path) -> str | None:
        """Cuts a torn last line off; the day of the file's first fact, None where there is none to be read."""
        if self._ops.identity(path) is None:
            return None
        data = self._ops.read(path)
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self._ops.truncate(path, whole)
        try:
            first = loads(data[: data.find(b"\n") + 1])
            return day_of(parse_instant(str(first["at"]))) if isinstance(first, dict) and "at" in first else None
        except (ConfigError, ValueError):
            return None

    def _rotate(self, account: AccountId, path: Path) -> None:
        name = re.compile(rf"{re.escape(account)}\.([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})\.([0-9]{{3,}})\.jsonl")
        rotated = sorted(
            (found[1], int(found[2]), entry)
            for entry in self._ops.list(self._folder)
            if (found := name.fullmatch(entry))
        )
        day = self._days[account]
        number = max((n for of_day, n, _ in rotated if of_day == day), default=0) + 1
        self._ops.fsync(path)
        self._ops.replace(path, self._folder / f"{account}.{day}.{number:03d}.jsonl")
        for _, _, entry in rotated[: max(len(rotated) + 1 - self._kept_files, 0)]:
            self._ops.remove(self._folder / entry)
        self._ops.fsync_dir(self._folder)
