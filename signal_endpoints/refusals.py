"""`rejected_signals/tradingview/YYYY-MM-DD.jsonl`: what was refused and why, for people; never read for state.

    {"at","from","field","reason","bytes","excerpt"}

Only requests with a valid token get here, tokens are taken out, and the whole is bounded: an excerpt of each, so much a
day, so many days (`signal_processors.signal_stores`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from core.ports import FileOps
from core.state import day_of, ensure_dir, format_instant
from core.state.jsonfile import encode
from signal_processors.tradingview_alerts import Refusal

log = logging.getLogger("tradingview-endpoint")

EXCERPT_CHARACTERS = 512
DAY_BYTES = 1024 * 1024


class Refusals:
    """Appends refusals. Trouble with the disk is logged and costs the line, never the answer."""

    def __init__(self, folder: Path, ops: FileOps, without_tokens: Callable[[str], str]) -> None:
        self._folder = folder
        self._ops = ops
        self._without_tokens = without_tokens
        self._lock = threading.Lock()
        self._day = ""
        self._left_bytes = 0

    def add(self, now: float, client: str, refusal: Refusal, body: bytes) -> None:
        """`now` epoch seconds; `client` the sender's address; `body` as received, or as much as was read of it."""
        excerpt = self._without_tokens(body.decode("utf-8", "replace"))[:EXCERPT_CHARACTERS]
        line = {
            "at": format_instant(now),
            "from": client,
            "field": refusal.field,
            "reason": self._without_tokens(refusal.reason),
            "bytes": len(body),
            "excerpt": excerpt,
        }
        try:
            with self._lock:
                self._append(day_of(now), encode(line) + b"\n")
        except OSError as error:
            log.warning("rejected_signals: a line was lost (%s); the alert was refused all the same.", error)

    def _append(self, day: str, line: bytes) -> None:
        path = self._folder / f"{day}.jsonl"
        if day != self._day:
            ensure_dir(self._ops, self._folder)
            identity = self._ops.identity(path)
            self._left_bytes = DAY_BYTES - (0 if identity is None else identity.size)
            self._day = day
        if self._left_bytes < len(line):
            return  # the day is full: more of the same would say nothing new
        self._left_bytes -= len(line)
        self._ops.append(path, line)
