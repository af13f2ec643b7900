"""Readable logs for a terminal and PM2: one line per event, `instant account symbol: what: because`.

Lines are written by a thread of their own out of a bounded queue: a terminal on hold, or a pipe whose reader sleeps,
costs lines and never holds up an order. Secrets have no way in: events do not carry any.
"""

from __future__ import annotations

import io
import logging
import queue
import sys
import threading
from contextlib import suppress
from typing import TextIO

from core.events import Event
from core.state import format_instant
from observers.wording import level, one_line, sentence

QUEUE_LINES = 10_000
CLOSE_S = 2.0


class LogObserver:
    """Writes events to the logger of that name."""

    name = "log"

    def __init__(self, logger: str = "trade-engine") -> None:
        self._log = logging.getLogger(logger)

    def see(self, event: Event) -> None:
        # The event's own instant, not that of its writing; `_Layout` takes it.
        self._log.log(level(event), "%s", sentence(event), extra={"event_at": event.at})


class _Layout(logging.Formatter):
    """`2026-11-20T09:12:44.123Z WARNING text`; INFO is not written out. Tracebacks keep their lines."""

    def format(self, record: logging.LogRecord) -> str:
        at = format_instant(getattr(record, "event_at", record.created))
        mark = "" if record.levelno == logging.INFO else f"{record.levelname} "
        text = f"{at} {mark}{one_line(record.getMessage())}"
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class QueuedHandler(logging.Handler):
    """A logging handler that never blocks: full, it counts what it drops, and says so once there is room again."""

    def __init__(self, stream: TextIO, capacity: int = QUEUE_LINES) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(_Layout())
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(capacity)
        self._dropped = 0
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1
        except (TypeError, ValueError, KeyError):  # a library's log call whose arguments do not fit its text
            self.handleError(record)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            # OSError: nobody reads any more. ValueError: the stream was closed under us. Both end with the program.
            with suppress(OSError, ValueError):
                dropped, self._dropped = self._dropped, 0
                told = f"({dropped} lines are missing here: the log was read too slowly)\n" if dropped else ""
                self._stream.write(f"{line}\n{told}")
                self._stream.flush()

    def close(self) -> None:
        """Writes what waits, as long as somebody reads, and ends."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=CLOSE_S)
        self._writer.join(CLOSE_S)
        logging.Handler.close(self)


def start_logging(debug: bool = False, stream: TextIO | None = None) -> QueuedHandler:
    """Sends all loggers of this process to `stream` (stderr), replacing what was set up before. Call it once, early."""
    out = stream or sys.stderr
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter still gets the line
    handler = QueuedHandler(out)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it would tell of every heartbeat
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler], force=True)
    return handler
