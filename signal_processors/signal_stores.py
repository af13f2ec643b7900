"""Rotation of the signal stores: days that are over are compressed, days that are long over are removed.

A store is a folder of daily files, `YYYY-MM-DD.jsonl`; compressed they are `YYYY-MM-DD.jsonl.gz`. The newest day is
never touched, and of the raw log nothing that its fold still needs: days go only when the one after them begins with a
copy of every symbol in them (`carried`, which holds all that is known of the symbol). Compression is checked before the
original goes, and at any moment of it at least one of the two is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from config.home import Home
from config.models import StoreKeys
from config.reload import FileSettings
from core.ports import Clock, FileIdentity, FileOps
from core.state import day_of
from core.state.files import sweep_leftovers, temporary_beside
from signal_processors.tradingview_raw import CHUNK_BYTES, RAW_FILE, Damage, ReadRange, decode_record, read_range

ENDING = ".gz"
COMPRESSED = (ENDING, ".xz", ".bz2", ".zst")
FIRST_S = 600.0
"""Not at the start, when there is other work to do."""
EVERY_S = 3600.0
GZIP = 31
LEVEL = 6

MayGo = Callable[[Sequence[Path], int], int]
"""(the plain days, oldest first; how many are old enough) -> how many of the oldest may go. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Ages:
    """After how many days a day is compressed, and removed; None: never."""

    compress_days: int | None
    keep_days: int | None


def all_may_go(days: Sequence[Path], due: int) -> int:
    return due


class Store:
    """One folder. Whoever writes the store tends it; nobody else does. Not for two threads at a time."""

    def __init__(self, folder: Path, ops: FileOps, read: ReadRange = read_range, may_go: MayGo | None = None) -> None:
        self._folder = folder
        self._ops = ops
        self._read = read
        self._may_go = may_go or all_may_go
        self._stayed = 0

    def tend(self, ages: Ages, now: float) -> list[str]:
        """Compresses and removes what is due at `now` (epoch seconds); returns what was done, for people.

        Raises OSError; what was not done then is done the next time.
        """
        if self._ops.identity(self._folder) is None:
            return []
        sweep_leftovers(self._ops, self._folder, now)
        today = date.fromisoformat(day_of(now))
        said = [self._remove(name, "removed") for name in self._packed() if _is_over(name, today, ages.keep_days)]
        plain = self._plain()
        old = [
            _is_over(name, today, ages.keep_days) or _is_over(name, today, ages.compress_days) for name in plain[:-1]
        ]
        due = old.index(False) if False in old else len(old)
        going = self._may_go([self._folder / name for name in plain], due) if due else 0
        for name in plain[:going]:
            why = "" if _is_over(name, today, ages.keep_days) else self._compress(name)
            if why:
                said.append(f"{name} stays as it is: {why}")
                break
            said.append(self._remove(name, "removed" if _is_over(name, today, ages.keep_days) else "compressed"))
        if due - going not in (0, self._stayed):
            said.append(f"{plain[going]} and older days after it stay as they are: no newer day repeats them")
        self._stayed = due - going
        return said

    def _plain(self) -> list[str]:
        return sorted(name for name in self._ops.list(self._folder) if RAW_FILE.fullmatch(name))

    def _packed(self) -> list[str]:
        return sorted(
            name
            for name in self._ops.list(self._folder)
            for ending in COMPRESSED
            if name.endswith(ending) and RAW_FILE.fullmatch(name.removesuffix(ending))
        )

    def _remove(self, name: str, how: str) -> str:
        self._ops.remove(self._folder / name)
        self._ops.fsync_dir(self._folder)
        return f"{name} is {how}"

    # --- compression --------------------------------------------------------------------------------------------------

    def _compress(self, name: str) -> str:
        """Sees that a whole compressed copy stands beside the file; returns why there is none to rely on, or ''."""
        path, target = self._folder / name, self._folder / (name + ENDING)
        before = self._ops.identity(path)
        digest = _digest(self._chunks(path))
        if self._ops.identity(target) is None:
            temporary = temporary_beside(target)
            try:
                self._pack(path, temporary)
                if self._unpacked(temporary) != digest:
                    raise OSError(f"{temporary} does not read back as {path}; the disk cannot be trusted")
                self._ops.replace(temporary, target)
                self._ops.fsync_dir(self._folder)
            finally:
                with contextlib.suppress(OSError):  # only there if something failed
                    self._ops.remove(temporary)
        elif self._unpacked(target) != digest:
            return f"{target.name} exists and holds something else"
        return "" if _unchanged(before, self._ops.identity(path)) else "somebody is writing to it"

    def _pack(self, path: Path, target: Path) -> None:
        packing = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._ops.write(target, b"")
        for chunk in self._chunks(path):
            if packed := packing.compress(chunk):
                self._ops.append(target, packed)
        self._ops.append(target, packing.flush())
        self._ops.fsync(target)

    def _unpacked(self, path: Path) -> str | None:
        """The digest of what a compressed file holds; None where it is damaged or cut short."""
        unpacking = zlib.decompressobj(GZIP)

        def chunks() -> Iterator[bytes]:
            for chunk in self._chunks(path):
                left = chunk
                while left and not unpacking.eof:
                    yield unpacking.decompress(left, CHUNK_BYTES)
                    left = unpacking.unconsumed_tail

        try:
            digest = _digest(chunks())
        except zlib.error:
            digest = None
        return digest if unpacking.eof else None

    def _chunks(self, path: Path) -> Iterator[bytes]:
        offset = 0
        while chunk := self._read(path, offset, CHUNK_BYTES):
            yield chunk
            offset += len(chunk)


def _digest(chunks: Iterator[bytes]) -> str | None:
    taken = hashlib.blake2b(digest_size=16)
    for chunk in chunks:
        taken.update(chunk)
    return taken.hexdigest()


def _is_over(name: str, today: date, days: int | None) -> bool:
    """Whether so many whole days have passed since the day that names the file."""
    if days is None:
        return False
    try:
        day = date.fromisoformat(name[: len("2026-11-20")])
    except ValueError:
        return False  # 2026-02-31.jsonl: not one of ours
    return (today - day).days > days


def _unchanged(before: FileIdentity | None, after: FileIdentity | None) -> bool:
    return before is not None and before == after


# --- the raw log ------------------------------------------------------------------------------------------------------


def raw_may_go(read: ReadRange = read_range) -> MayGo:
    """`MayGo` of TradingView's raw log: the day after those that go begins with a copy of every symbol in them."""

    def may_go(days: Sequence[Path], due: int) -> int:
        held = [{symbol for symbol, _ in _symbols(day, read)} for day in days[:due]]
        for count in range(due, 0, -1):
            copies = itertools.takewhile(lambda found: found[1], _symbols(days[count], read))
            if set[str]().union(*held[:count]) <= {symbol for symbol, _ in copies}:
                return count
        return 0

    return may_go


def _symbols(path: Path, read: ReadRange) -> Iterator[tuple[str, bool]]:
    """(symbol, whether it is a copy with all that was known) of every record, in order; damaged lines are left out."""
    offset, pending = 0, b""
    while chunk := read(path, offset, CHUNK_BYTES):
        offset += len(chunk)
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            found = decode_record(line, path.name)
            if not isinstance(found, Damage):
                yield found.alert.symbol, found.carried and found.lately is not None


# --- as a thread of the process that writes the stores ----------------------------------------------------------------


Tended = tuple[Store, Callable[[StoreKeys], Ages]]
"""A store, and how long it is kept by engine_config."""


def tend_for_ever(home: Home, stores: Sequence[Tended], clock: Clock, log: logging.Logger) -> threading.Event:
    """Tends stores once an hour from a thread, by engine_config as it is then, until the returned event is set."""
    stop = threading.Event()
    settings = FileSettings(home, clock)

    def work() -> None:
        wait_s = FIRST_S
        while not stop.wait(wait_s):
            wait_s = EVERY_S
            tend_once(settings, stores, clock, log)

    threading.Thread(target=work, name="stores", daemon=True).start()
    return stop


def tend_once(settings: FileSettings, stores: Sequence[Tended], clock: Clock, log: logging.Logger) -> None:
    """Tends each of the stores. What the disk refuses is logged and tried again the next time."""
    engine = settings.engine_config()
    keys = engine.keys.signal_stores if engine else StoreKeys()
    for store, ages in stores:
        try:
            for line in store.tend(ages(keys), clock.time()):
                log.info("%s", line)
        except OSError as error:
            log.warning("A signal store could not be tended (%s); nothing is lost, the next hour tries again.", error)
