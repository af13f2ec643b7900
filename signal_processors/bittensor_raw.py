"""`raw_signals/bittensor/`: what the feed said, kept for people and for replays. Nothing decides by it.

    YYYY-MM-DD.jsonl          {"received_at","event","kind","body"}: every new order, opening and closing, once
    YYYY-MM-DDTHHMMSSZ.json.gz  one full reply an hour, as received

The first reply of a home is the baseline: the archive made with the second holds it, and only what comes after it
becomes lines. After a restart only what is newer than the newest order kept does.
"""

from __future__ import annotations

import logging
import re
import threading
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.ports import FileOps
from core.state import day_of, ensure_dir, format_instant
from core.state.jsonfile import encode

ARCHIVE_S = 3600.0
MAX_WAITING = 256
"""Pieces of a reply that may wait for the archive's thread; a reader that is quicker waits for it."""
MAX_KNOWN = 1_000_000
LEVEL = 1
GZIP = 31
GB = 1_000_000_000
ARCHIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z\.json\.gz")
LINES = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.jsonl")
TEMPORARY = re.compile(r"\.reply-[0-9]+\.tmp")

log = logging.getLogger("bittensor-signals")

Line = dict[str, object]


class News:
    """What is new in a reply, compared with the last accepted one. `seen_ms`: the newest order kept by an earlier run.

    Known per position: its orders' ids while it is open, their number once it is closed.
    """

    def __init__(self, seen_ms: int | None = None) -> None:
        self._known: dict[str, frozenset[str] | int] = {}
        self._fresh: dict[str, frozenset[str] | int] = {}
        self._found: list[Line] = []
        self._first = True
        self._seen_ms = seen_ms
        self._newest_ms = 0
        self.seen_ms = seen_ms

    def see(self, hotkey: str, record: Mapping[str, Any]) -> None:
        """Takes in a trader's record of a reply that is not accepted yet; the record has passed as a trader's."""
        for raw in record["positions"]:
            if type(raw) is dict and type(raw.get("orders")) is list and type(raw.get("position_uuid")) is str:
                self._position(hotkey, raw)

    def _position(self, hotkey: str, raw: Mapping[str, Any]) -> None:
        uuid, orders, closed = raw["position_uuid"], raw["orders"], raw.get("is_closed_position") is True
        known = self._known.get(uuid)
        if known is not None and known == len(orders) and closed:
            return
        if closed:
            self._fresh[uuid] = len(orders)
        else:
            self._fresh[uuid] = frozenset(str(_of(order, "order_uuid")) for order in orders)
        newest_ms = raw.get("close_ms") if closed else None
        if type(newest_ms) is not int:
            newest_ms = max((at for order in orders if type(at := _of(order, "processed_ms")) is int), default=0)
        self._newest_ms = max(self._newest_ms, newest_ms)
        if self._first and self._seen_ms is None:
            return
        new = [order for order in orders if self._is_new(order, known)]
        position = {name: value for name, value in raw.items() if name != "orders"}
        if known is None and self._is_since(raw.get("open_ms")):
            self._found.append(_line("opened", uuid, {"hotkey": hotkey, "position": position}))
        for order in new:
            body = {"hotkey": hotkey, "position_uuid": uuid, "trade_pair": raw.get("trade_pair"), "order": order}
            self._found.append(_line("order", str(_of(order, "order_uuid")), body))
        if closed and (type(known) is frozenset or (known is None and self._is_since(raw.get("close_ms")))):
            self._found.append(_line("closed", uuid, {"hotkey": hotkey, "position": position}))

    def _is_new(self, order: object, known: frozenset[str] | int | None) -> bool:
        if isinstance(known, frozenset):
            return str(_of(order, "order_uuid")) not in known
        return known is None and self._is_since(_of(order, "processed_ms"))

    def _is_since(self, at_ms: object) -> bool:
        """Whether an instant is later than what an earlier run kept; after the first reply everything unknown is."""
        return not self._first or self._seen_ms is None or (isinstance(at_ms, int) and at_ms > self._seen_ms)

    def accepted(self) -> list[Line]:
        """The reply was accepted: what is new in it, in the order of the reply."""
        found = self._found
        self._known |= self._fresh
        self.seen_ms = max(self.seen_ms or 0, self._newest_ms)
        self._first = len(self._known) > MAX_KNOWN
        if self._first:  # a feed that never names a position twice: begin anew, by time, as after a restart
            self._known, self._seen_ms = {}, self.seen_ms
        self.refused()
        return found

    def refused(self) -> None:
        """The reply was not: what was seen of it is forgotten."""
        self._fresh, self._found, self._newest_ms = {}, [], 0


def _of(order: object, name: str) -> object:
    return order.get(name) if isinstance(order, dict) else None


def _line(kind: str, event: str, body: dict[str, object]) -> Line:
    return {"event": event, "kind": kind, "body": body}


def rendered(lines: list[Line], received_at: float) -> bytes:
    at = format_instant(received_at)
    return b"".join(encode({"received_at": at, **line}) + b"\n" for line in lines)


# --- the folder -------------------------------------------------------------------------------------------------------


class RawFolder:
    """The files. What cannot be written is reported by the caller; it never holds up an opinion."""

    def __init__(self, folder: Path, ops: FileOps) -> None:
        self._folder = folder
        self._ops = ops

    def append(self, lines: list[Line], received_at: float) -> None:
        """Raises OSError."""
        if lines:
            ensure_dir(self._ops, self._folder)
            path = self._folder / f"{day_of(received_at)}.jsonl"
            self._ops.append(path, rendered(lines, received_at))
            self._ops.fsync(path)

    def record(self, number: int) -> Recording:
        """A recording of the reply that comes next. Raises OSError."""
        ensure_dir(self._ops, self._folder)
        for name in self._ops.list(self._folder):
            if TEMPORARY.fullmatch(name):
                self._ops.remove(self._folder / name)
        return Recording(self._folder, self._folder / f".reply-{number}.tmp", self._ops)

    def bound(self, limit_gb: Decimal, today: str) -> tuple[str, ...]:
        """Removes the oldest until the folder fits, never today's lines; returns what went. Raises OSError."""
        ensure_dir(self._ops, self._folder)
        sizes = dict(self._sizes())
        total, gone = sum(sizes.values()), []
        for name in sorted(sizes, key=lambda name: (name[:10], LINES.fullmatch(name) is not None, name)):
            if total <= limit_gb * GB:
                break
            if name != f"{today}.jsonl":
                self._ops.remove(self._folder / name)
                total -= sizes[name]
                gone.append(name)
        return tuple(gone)

    def _sizes(self) -> Iterator[tuple[str, int]]:
        for name in self._ops.list(self._folder):
            if ARCHIVE.fullmatch(name) or LINES.fullmatch(name):
                identity = self._ops.identity(self._folder / name)
                if identity is not None:
                    yield name, identity.size


class Recording:
    """One reply on its way into an archive, compressed beside the reading. One of `keep` and `drop` ends it."""

    def __init__(self, folder: Path, temporary: Path, ops: FileOps) -> None:
        self._folder = folder
        self._temporary = temporary
        self._ops = ops
        self._press = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._room = threading.Semaphore(MAX_WAITING)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="archive")
        self._end: Future[None] | None = None
        self._trouble: OSError | None = None
        self._ops.write(temporary, b"")

    def take(self, piece: bytes) -> None:
        self._room.acquire()
        self._pool.submit(self._write, piece)

    def _write(self, piece: bytes) -> None:
        try:
            if self._trouble is None and (data := self._press.compress(piece)):
                self._ops.append(self._temporary, data)
        except OSError as error:
            self._trouble = error
        finally:
            self._room.release()

    def keep(self, received_at: float) -> None:
        """Makes it the archive of that instant, in its own time; `kept` says when it is one."""
        self._end = self._pool.submit(self._finish, received_at)
        self._pool.shutdown(wait=False)

    def kept(self, *, wait: bool) -> bool:
        """Whether the archive is there. Raises OSError: it never will be, and nothing is left of it."""
        assert self._end is not None
        if not wait and not self._end.done():
            return False
        self._end.result()
        return True

    def _finish(self, received_at: float) -> None:
        name = format_instant(received_at)[:19].replace(":", "")
        path = self._folder / f"{name}Z.json.gz"
        try:
            if self._trouble is not None:
                raise self._trouble
            self._ops.append(self._temporary, self._press.flush())
            self._ops.fsync(self._temporary)
            self._ops.replace(self._temporary, path)
            self._ops.fsync_dir(self._folder)
        except OSError:
            self._remove()
            raise

    def drop(self) -> None:
        """The reply was no good, or nobody wants it any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._remove()

    def _remove(self) -> None:
        try:
            self._ops.remove(self._temporary)
        except OSError as error:
            log.debug("%s was left: %s", self._temporary, error)
