"""The raw log's only writer: an alert is stored once file and folder are synced, and many alerts share one sync.

Of the threads that bring an alert one leads: it writes what all of them brought, syncs once, folds it, answers, and
hands the lead to one that came meanwhile. So the answer to every alert is what the log amounts to with it, and costs
the same however long the log is.

A write that fails leaves the log in doubt: nothing is accepted until it is read again from where it was last sure,
whole records found there are kept (and folded), a torn one is cut off, and all of it is synced. That is also how every
start begins. It is tried again with every alert and every `tick`, so the log recovers by itself when the disk does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.ports import Clock, FileOps
from core.state import day_of, ensure_dir, write_atomic
from core.state.files import sweep_leftovers
from signal_processors.tradingview_alerts import Alert
from signal_processors.tradingview_log import LogFold
from signal_processors.tradingview_order import MAX_SYMBOLS, Dedup, Record, Verdict
from signal_processors.tradingview_raw import (
    MAX_LINE_BYTES,
    Damage,
    ReadRange,
    decode_record,
    encode_record,
    read_range,
)

WAIT_S = 2.5
"""TradingView gives up after 3 s; before that it gets an answer."""
MAX_WAITING = 4096

log = logging.getLogger("tradingview-endpoint")


class StorageFailed(Exception):
    """The alert is not known to be on disk. The message says why; the sender should send it again."""


class NoRoom(Exception):
    """The alert would be on one symbol more than a source may have."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record that is durable, and what became of it."""

    record: Record
    verdict: Verdict


Outcome = Stored | StorageFailed | NoRoom


@dataclass(slots=True, eq=False)
class _Entry:
    """An alert on its way to the disk, and the thread that brought it, asleep on `wake`."""

    alert: Alert
    dedup: Dedup
    received_at: float
    wake: threading.Lock
    outcome: Outcome | None = None
    leads: bool = False
    given_up: bool = False


class RawLog:
    """The folder of raw files, for writing. `new_event` gives ids that never recur."""

    def __init__(
        self,
        folder: Path,
        cache: Path,
        ops: FileOps,
        clock: Clock,
        new_event: Callable[[], str],
        read: ReadRange = read_range,
    ) -> None:
        self._folder = folder
        self._cache = cache
        self._ops = ops
        self._clock = clock
        self._new_event = new_event
        self._read = read
        self._fold = LogFold(folder, ops, read)
        self._loaded = False
        self._sure = False
        self._trouble = "the raw log was not read yet"
        self._lock = threading.Lock()
        self._waiting: list[_Entry] = []
        self._led = False

    @property
    def trouble(self) -> str | None:
        """Why nothing can be stored now; None: it can."""
        return None if self._sure else self._trouble

    @property
    def symbols(self) -> int:
        return len(self._fold.opinions.symbols)

    def tick(self) -> None:
        """Tries to become sure if the log is not. To be called at the start and then about once a second."""
        with self._lock:
            if self._sure or self._led:
                return
            self._led = True
        self._lead()

    def submit(self, alert: Alert, dedup: Dedup) -> Stored:
        """Returns once the alert is durable. Raises StorageFailed, NoRoom."""
        asleep = threading.Lock()
        asleep.acquire()
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                raise StorageFailed("too many alerts are waiting for the disk")
            # Received in the order in which they stand in the log, to the millisecond the log keeps.
            entry = _Entry(alert, dedup, round(self._clock.time(), 3), asleep)
            self._waiting.append(entry)
            entry.leads = not self._led
            self._led = True
        if not entry.leads and not asleep.acquire(timeout=WAIT_S):
            self._give_up(entry)
        if entry.leads:
            self._lead()
        if isinstance(entry.outcome, Stored):
            return entry.outcome
        raise entry.outcome or StorageFailed(f"the disk did not answer within {WAIT_S:g} s")

    def _give_up(self, entry: _Entry) -> None:
        """The sender will not wait longer; what was written may become durable all the same, as a repeat would be."""
        with self._lock:
            entry.given_up = entry.outcome is None and not entry.leads

    # --- the thread that leads ----------------------------------------------------------------------------------------

    def _lead(self) -> None:
        """Sees to everything that waits now, then hands the lead on."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        try:
            self._see_to(batch)
        finally:
            with self._lock:
                self._waiting = [entry for entry in self._waiting if not entry.given_up]
                self._led = bool(self._waiting)
                if self._led:
                    self._waiting[0].leads = True
                    self._waiting[0].wake.release()

    def _see_to(self, batch: Sequence[_Entry]) -> None:
        if not self._sure:
            self._make_sure()
        outcomes: dict[int, Outcome] = {}
        fitting = self._fitting(batch, outcomes) if self._sure else batch
        try:
            if not self._sure:
                raise StorageFailed(self._trouble)
            if fitting:
                outcomes |= zip(map(id, fitting), self._append(fitting), strict=True)
        except OSError as error:
            self._doubt(error)
            outcomes |= {id(entry): StorageFailed(self._trouble) for entry in fitting}
        except StorageFailed as failed:
            outcomes |= {id(entry): StorageFailed(*failed.args) for entry in fitting}
        for entry in batch:
            entry.outcome = outcomes[id(entry)]
            if not entry.leads:
                entry.wake.release()

    def _fitting(self, batch: Sequence[_Entry], outcomes: dict[int, Outcome]) -> list[_Entry]:
        """The alerts that keep the source within its number of symbols; `outcomes` of the others."""
        fitting: list[_Entry] = []
        coming: set[str] = set()
        for entry in batch:
            symbol = entry.alert.symbol
            known = symbol in self._fold.opinions.symbols or symbol in coming
            if known or self.symbols + len(coming) < MAX_SYMBOLS:
                coming |= set() if known else {symbol}
                fitting.append(entry)
            else:
                words = f"{symbol} would be one symbol more than the {MAX_SYMBOLS} a source may have"
                outcomes[id(entry)] = NoRoom(words)
        return fitting

    def _append(self, batch: Sequence[_Entry]) -> list[Stored]:
        """Makes the batch durable, then folds it. Raises OSError, StorageFailed: nothing counts as stored."""
        name = max(f"{day_of(batch[-1].received_at)}.jsonl", self._fold.newest())
        path = self._folder / name
        is_new = self._ready(name)
        written = self._fold.end(name)[1]
        lines = []
        for number, entry in enumerate(batch, start=written + 1):
            record = Record(f"{name}:{number}", entry.received_at, self._new_event(), entry.alert, entry.dedup)
            lines.append((encode_record(record), record))
        self._ops.append(path, b"".join(line for line, _ in lines))
        self._ops.fsync(path)
        if is_new:
            self._ops.fsync_dir(self._folder)
        verdicts = self._fold.appended(name, lines)
        return [Stored(record, verdict) for (_, record), verdict in zip(lines, verdicts, strict=True)]

    def _ready(self, name: str) -> bool:
        """Sees that `name` ends where we left it; True if it does not exist. Raises OSError, StorageFailed.

        A new file begins with a copy of every opinion, so that older files may be taken away.
        """
        identity = self._ops.identity(self._folder / name)
        if identity is None:
            self._fold.forget(name)
            carried = [
                (encode_record(state.in_force.record, state), state.in_force.record)
                for state in self._fold.opinions.symbols.values()
            ]
            if not carried:
                return True
            ensure_dir(self._ops, self._folder)
            write_atomic(self._ops, self._folder / name, b"".join(line for line, _ in carried))
            self._fold.appended(name, carried)
        elif identity.size != self._fold.end(name)[0]:
            # Somebody else wrote here. Whatever it is now, it is read before anything is added.
            self._sure = False
            self._make_sure()
            if not self._sure:
                raise StorageFailed(self._trouble)
        return False

    # --- from doubt to certainty --------------------------------------------------------------------------------------

    def _doubt(self, error: OSError) -> None:
        trouble = f"{error.strerror or error}"
        if self._sure or trouble != self._trouble:
            log.error("The raw log cannot be written (%s); alerts are answered 503 until it can.", trouble)
        self._sure = False
        self._trouble = trouble

    def _make_sure(self) -> None:
        """Repairs, reads and syncs what the log holds after the part that is sure. Leaves `trouble` where it fails."""
        try:
            ensure_dir(self._ops, self._folder)
            if not self._loaded:
                sweep_leftovers(self._ops, self._folder, self._clock.time())
                self._fold.load(self._cache)
                self._loaded = True
            self._mend_the_end()
            for found in self._fold.catch_up_whatever_happened():
                if isinstance(found, Damage):
                    log.warning("%s is damaged and skipped, everything else counts: %s", found.raw, found.reason)
            self._fold.make_durable()
        except OSError as error:
            self._doubt(error)
            return
        if not self._sure:
            log.info("The raw log is ready: %d symbols.", self.symbols)
        self._sure = True

    def _mend_the_end(self) -> None:
        """Ends the newest file with a whole line: a record that lacks only its newline gets it, a torn one is cut off.

        What is cut off was never answered: it was not synced when the writing ended.
        """
        newest = max(self._fold.names(), default=None)
        if newest is None:
            return
        path = self._folder / newest
        identity = self._ops.identity(path)
        size = 0 if identity is None else identity.size
        start = max(0, size - MAX_LINE_BYTES)
        tail = self._read(path, start, size - start)
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return
        is_whole = len(torn) == MAX_LINE_BYTES or not isinstance(decode_record(torn, newest), Damage)
        if is_whole:
            self._ops.append(path, b"\n")
        else:
            self._ops.truncate(path, size - len(torn))
            log.warning("%s ended in a torn record of %d bytes, never answered; it was cut off.", newest, len(torn))
        self._ops.fsync(path)
