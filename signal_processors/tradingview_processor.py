"""`tradingview-signals`: folds the raw log of TradingView alerts into `signals/tradingview.json`.

    python3 signal_processors/tradingview_processor.py [--home DIR] [--once]

A change in `raw_signals/tradingview/` wakes it at once; it looks once a second in any case. It never drops a symbol: an
exit is an explicit 0. Everything it knows comes from the raw log; its cache only makes the next start quicker.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock

from config.home import Home
from config.notices import changes_in_thread
from config.process import Heartbeat, Life
from core.clock import SystemClock
from core.domain import plain
from core.ports import Clock, FileOps
from core.state import RealFileOps, ensure_dir
from core.state.files import FILE_MODE, sweep_leftovers
from observers.log import start_logging
from signal_processors.signal_stores import Ages, Store, Tended, tend_for_ever
from signal_processors.tradingview_document import SOURCE, DocumentFile
from signal_processors.tradingview_effects import Effects
from signal_processors.tradingview_log import Folded, LogFold
from signal_processors.tradingview_old_logs import import_old_logs
from signal_processors.tradingview_order import Outcome
from signal_processors.tradingview_raw import Damage, Mark, ReadRange, Rewritten, read_range

PROCESS = "tradingview-signals"
POLL_S = 1.0
APART_S = 0.005
"""The first of many alerts is taken in at once, those that follow it together so much later: each time costs syncs."""
CACHE_S = 60.0
SAID_PER_POLL = 20
LOCK_WAIT_S = 5.0

log = logging.getLogger(PROCESS)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the processor reads and writes."""

    raw: Path
    document: Path
    heartbeat: Path
    effects: Path
    cache: Path

    @staticmethod
    def of(home: Home) -> Places:
        return Places(
            raw=home.raw_signals(SOURCE),
            document=home.document(SOURCE),
            heartbeat=home.heartbeat(SOURCE),
            effects=home.deduplicated_signals(SOURCE),
            cache=home.state / "cache" / f"{SOURCE}.json",
        )


class Processor:
    """Brings the document to what the raw log amounts to, poll by poll. One thread."""

    def __init__(self, places: Places, ops: FileOps, clock: Clock, read: ReadRange = read_range) -> None:
        self._places = places
        self._ops = ops
        self._clock = clock
        self._fold = LogFold(places.raw, ops, read)
        self._document = DocumentFile(places.document, places.heartbeat, ops)
        self._effects = Effects(places.effects, ops)
        self._opened = False
        self._rewritten = ""
        self._beat_at = self._saved_at = float("-inf")
        self._saved_marks: tuple[Mark, ...] = ()
        self._said = 0
        self._trouble = ""

    def poll(self, *, last: bool = False) -> bool:
        """Takes in what is new and writes what follows from it; True if all went well. `last`: leaves nothing pending.

        Never raises: what cannot be read or written now is reported and tried again at the next poll. No heartbeat is
        written meanwhile and the document stays as it is.
        """
        try:
            self._open()
            self._said = 0
            if not self._take_in(last):
                return False
            if self._said > SAID_PER_POLL:
                log.info("... and %d more of the kind.", self._said - SAID_PER_POLL)
            self._write(last)
        except OSError as error:
            trouble = f"{error.strerror or error} in {Path(error.filename or self._places.raw).parent}"
            if trouble != self._trouble:
                log.error("%s. The document stays as it is; mend the disk, this goes on by itself.", trouble)
            self._trouble = trouble
            return False
        if self._trouble:
            log.info("The disk works again.")
            self._trouble = ""
        return True

    def _open(self) -> None:
        if self._opened:
            return
        for folder in (self._places.raw, self._places.document.parent, self._places.cache.parent):
            ensure_dir(self._ops, folder)
        for file in (self._places.document, self._places.heartbeat, self._places.cache):
            sweep_leftovers(self._ops, file.parent, self._clock.time(), file.name)
        self._document.open()
        if self._document.problem:
            log.warning("%s", self._document.problem)
        if self._fold.load(self._places.cache):
            log.info("Starting from the cache of %d symbols.", len(self._fold.opinions.symbols))
        self._opened = True

    def _take_in(self, last: bool) -> bool:
        """Folds new records. A log that is not what it was is believed only if it still is so at the next poll."""
        try:
            if self._rewritten:
                for found in self._fold.catch_up_whatever_happened():
                    self._report(found)
                log.warning("The raw log was read again from its beginning: %s.", self._rewritten)
                self._rewritten = ""
            else:
                for found in self._fold.catch_up():
                    self._report(found)
        except Rewritten as error:
            self._rewritten = str(error)
            return self._take_in(last) if last else False
        return True

    def _report(self, found: Folded | Damage) -> None:
        if isinstance(found, Damage):
            self._say(f"{found.raw} is damaged and skipped, everything else counts: {found.reason}", logging.WARNING)
            return
        record, verdict = found.record, found.verdict
        alert = record.alert
        if verdict.outcome is Outcome.TOOK_EFFECT and not record.carried:
            self._say(f"{alert.symbol} {alert.direction} {plain(alert.depth)} is in force ({record.raw})")
            self._effects.add(found)
            if self._effects.is_full:
                self._flush_effects()
        elif verdict.because is not None and not verdict.in_force:
            self._say(f"{record.raw} {alert.symbol} changes nothing: {verdict.because}")
        for note in verdict.notes:
            self._say(f"{record.raw} {alert.symbol}: {note}")

    def _say(self, what: str, level: int = logging.INFO) -> None:
        """Logs what became of records, of many at once only the first: deduplicated_signals has them all."""
        self._said += 1
        if self._said <= SAID_PER_POLL:
            log.log(level, "%s", what)

    def _write(self, last: bool) -> None:
        self._fold.make_durable()
        self._warn_of_the_forgotten()
        self._document.bring_to(self._fold.opinions, self._clock.time())
        now = self._clock.monotonic()
        if last or now - self._beat_at >= POLL_S * 0.9:
            self._document.beat(self._clock.time())
            self._beat_at = now
        self._flush_effects()
        if last or now - self._saved_at >= CACHE_S:
            self._save_cache()
            self._saved_at = now

    def _warn_of_the_forgotten(self) -> None:
        """Once, at the first writing: opinions that outlived their raw files stay in force."""
        if self._document.first:
            for symbol in self._document.forgotten(self._fold.opinions):
                log.warning("%s is in the document but in no raw file any more; its last opinion stays.", symbol)

    def _flush_effects(self) -> None:
        try:
            self._effects.flush()
        except OSError as error:
            log.warning("deduplicated_signals: %s; it is for people only and tried again.", error)

    def _save_cache(self) -> None:
        marks = self._fold.marks()
        if marks == self._saved_marks:
            return
        try:
            self._fold.save(self._places.cache)
            self._saved_marks = marks
        except OSError as error:
            log.warning("The cache was not written (%s); the next start reads the whole raw log.", error)


# --- the process ------------------------------------------------------------------------------------------------------


def follow(processor: Processor, folder: Path, stop: threading.Event) -> None:
    """Polls after every change in `folder` and once a second, until `stop` is set."""
    while not stop.is_set():
        watching = _inode(folder)
        try:
            for _ in changes_in_thread([folder], POLL_S, stop):
                processor.poll()
                if _inode(folder) != watching:
                    break  # notices come from the folder that was there; this is another one
                stop.wait(APART_S)
        except (OSError, RuntimeError) as error:
            log.warning("No notices of changes (%s); looking once a second instead.", error)
            stop.wait(POLL_S)
            processor.poll()


def stores_of(home: Home) -> list[Tended]:
    """The store this process writes, and how long it is kept."""
    store = Store(home.deduplicated_signals(SOURCE), RealFileOps())
    return [(store, lambda keys: Ages(keys.compress_after_days, keys.deduplicated_keep_days))]


def _inode(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except OSError:
        return None


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tradingview_processor.py",
        description="Folds the raw log of TradingView alerts into signals/tradingview.json.",
    )
    parser.add_argument("--home", help="folder of the files (default: TRADE_ENGINE_HOME, else the checkout)")
    parser.add_argument("--once", action="store_true", help="bring the document up to date and end")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    life = Life.begin(PROCESS)
    logs = start_logging()
    home = Home.find(given=arguments.home)
    ops, clock = RealFileOps(), SystemClock()
    try:
        home.prepare()
        import_old_logs(home, ops, clock, log)
        ensure_dir(ops, home.locks)
        with filelock.FileLock(home.locks / f"{PROCESS}.lock", timeout=LOCK_WAIT_S, mode=FILE_MODE):
            return _work(life, home, Processor(Places.of(home), ops, clock), once=arguments.once)
    except filelock.Timeout:
        log.error("Another %s works for %s; two would undo each other. Stop it first.", PROCESS, home.root)
    except OSError as error:
        log.error("%s cannot be used: %s. Mend that; nothing was changed.", home.root, error)
    finally:
        logs.close()
    return 1


def _work(life: Life, home: Home, processor: Processor, *, once: bool) -> int:
    if once:
        return 0 if processor.poll(last=True) else 1
    with life.stopping_threads() as stop:
        beating = Heartbeat(home, PROCESS, RealFileOps(), SystemClock()).start()
        tending = tend_for_ever(home, stores_of(home), SystemClock(), log)
        processor.poll()
        life.ready()
        follow(processor, home.raw_signals(SOURCE), stop)
        processor.poll(last=True)
        beating.set()
        tending.set()
    log.info("Ended (%s).", life.why)
    return 0


if __name__ == "__main__":
    sys.exit(main())
