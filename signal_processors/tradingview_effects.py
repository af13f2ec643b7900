"""`deduplicated_signals/tradingview/YYYY-MM-DD.jsonl`: what took effect, in order, for people. Nothing decides by it.

    {"symbol","direction","depth","timestamp","leverage","price","event","raw","notes"}

Files are named like the raw file a line refers to. A line is written once: what the newest line refers to, and
everything before it in the raw log, is there already.
"""

from __future__ import annotations

from pathlib import Path

from core.domain import plain
from core.errors import ConfigError
from core.ports import FileOps
from core.state import ensure_dir, format_instant, loads
from core.state.jsonfile import encode
from signal_processors.tradingview_log import Folded
from signal_processors.tradingview_raw import RAW_FILE, RAW_PLACE

MAX_PENDING = 1000

Place = tuple[str, int]
"""File and line of the raw log; they sort as the log reads."""
BEGINNING: Place = ("", 0)


class Effects:
    """Appends what took effect. What the disk refused stays pending, the oldest of it for ever only up to a limit."""

    def __init__(self, folder: Path, ops: FileOps) -> None:
        self._folder = folder
        self._ops = ops
        self._written: Place | None = None
        self._pending: list[tuple[Place, bytes]] = []
        self.dropped = 0

    @property
    def is_full(self) -> bool:
        return len(self._pending) >= MAX_PENDING

    def add(self, folded: Folded) -> None:
        place = place_of(folded.record.raw)
        if place is None:
            return
        self._pending.append((place, _rendered(folded)))
        if len(self._pending) > 2 * MAX_PENDING:
            self.dropped += len(self._pending) - MAX_PENDING
            del self._pending[:-MAX_PENDING]

    def flush(self) -> None:
        """Writes what is pending. Raises OSError; then it stays pending."""
        if not self._pending:
            return
        ensure_dir(self._ops, self._folder)
        written = self._last_written() if self._written is None else self._written
        self._written = None  # unless all goes well, look again next time
        for name in sorted({place[0] for place, _ in self._pending}):
            lines = [(place, line) for place, line in self._pending if place[0] == name and place > written]
            if lines:
                self._ops.append(self._folder / name, b"".join(line for _, line in lines))
                written = lines[-1][0]
        self._written = written
        self._pending.clear()

    def _last_written(self) -> Place:
        """The place the newest whole line refers to; a torn end is cut off first."""
        names = sorted((name for name in self._ops.list(self._folder) if RAW_FILE.fullmatch(name)), reverse=True)
        for name in names:
            data = self._ops.read(self._folder / name)
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                self._ops.truncate(self._folder / name, whole)
            for line in reversed(data[:whole].splitlines()):
                place = _referred(line)
                if place is not None:
                    return place
        return BEGINNING


def place_of(raw: str) -> Place | None:
    found = RAW_PLACE.fullmatch(raw)
    return None if found is None else (found[1], int(found[2]))


def _referred(line: bytes) -> Place | None:
    try:
        found = loads(line, "line")
    except ConfigError:
        return None
    raw = found.get("raw") if isinstance(found, dict) else None
    return place_of(raw) if isinstance(raw, str) else None


def _rendered(folded: Folded) -> bytes:
    record, alert = folded.record, folded.record.alert
    found: dict[str, object] = {
        "symbol": alert.symbol,
        "direction": alert.direction.value,
        "depth": plain(alert.depth),
        "timestamp": format_instant(record.effective_at),
        "leverage": None if alert.leverage is None else plain(alert.leverage),
        "price": None if alert.price is None else plain(alert.price),
        "event": record.event,
        "raw": record.raw,
    }
    if folded.verdict.notes:
        found["notes"] = list(folded.verdict.notes)
    return encode(found) + b"\n"
