"""The raw log of TradingView alerts, `raw_signals/tradingview/YYYY-MM-DD.jsonl`: one line, one alert, and its reading.

    {"received_at":"2026-11-20T09:12:44.101Z","event":"9f0c…","body":{"symbol":"SOLUSDT","direction":"flat"}}

Two more fields where they are needed: `dedup{ttl_s,keys[]}`, the comparison of repeats that was configured when the
alert came, and `carried{raw,before,event_ids[],bodies[],body_times[]}`, in a line copied from an older file when a new
one began: all that is known of the symbol, so that older files may be taken away and nothing is judged otherwise.

A line counts once it ends in a newline. One that cannot be understood is damage: it is reported and skipped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError
from core.ports import FileIdentity, FileOps
from core.state import fields, format_instant, loads
from signal_processors.tradingview_alerts import Direction, Number, Refusal, read_alert, read_body
from signal_processors.tradingview_order import Dedup, Lately, Record, SymbolState

RAW_FILE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.jsonl")
RAW_PLACE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}\.jsonl):([1-9][0-9]{0,11})")
CHUNK_BYTES = 1024 * 1024
MAX_LINE_BYTES = 128 * 1024
EVENT_IDS_BYTES = 32 * 1024
"""Of a carried line: with the longest body there is, its bodies and its times it stays below MAX_LINE_BYTES."""
NESTING_KEPT = 31

ReadRange = Callable[[Path, int, int], bytes]
"""`(path, offset, size)` -> at most `size` bytes from `offset`; shorter only at the end. Raises OSError."""


def read_range(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        return file.read(size)


# --- one line ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is not a record, where it stands and what is wrong with it."""

    raw: str
    reason: str


def encode_record(record: Record, carried: SymbolState | None = None) -> bytes:
    """The line of a record, newline included; with `carried` the copy for the first lines of a new file."""
    body = record.alert.body.text
    if body.count("{") + body.count("[") > NESTING_KEPT:
        body = json.dumps(body)  # the line is one level deeper than the body, and depth is limited: kept as text
    head = f'{{"received_at":"{format_instant(record.received_at)}","event":"{record.event}","body":{body}'
    if record.dedup != Dedup():
        ttl = "null" if record.dedup.ttl_s is None else f"{record.dedup.ttl_s:.3f}"
        head += f',"dedup":{{"ttl_s":{ttl},"keys":{json.dumps(list(record.dedup.keys))}}}'
    if carried is not None:
        head += f',"carried":{json.dumps(_carried(record.raw, carried))}'
    return head.encode("ascii") + b"}\n"


def _carried(raw: str, state: SymbolState) -> dict[str, object]:
    """What goes along with a carried line. Event ids beyond what a line may hold are the oldest; they are forgotten."""
    event_ids, size = list[str](), 0
    for event_id in reversed(state.event_ids):
        size += len(json.dumps(event_id)) + 2
        if size > EVENT_IDS_BYTES:
            break
        event_ids.insert(0, event_id)
    return {
        "raw": raw,
        "before": state.in_force.before,
        "event_ids": event_ids,
        "bodies": list(state.bodies),
        "body_times": [format_instant(at) for at in state.body_times],
    }


def decode_record(line: bytes, raw: str) -> Record | Damage:
    """The record in a line. `raw` names its place; a carried line answers to the place it was copied from."""
    try:
        found = fields.mapping(loads(line, "line", real=Number), "line")
        received_at = fields.instant(fields.required(found, "received_at", ""), "received_at")
        event = fields.text(fields.required(found, "event", ""), "event")
        body = fields.required(found, "body", "")
        dedup = _dedup(fields.mapping(found.get("dedup", {}), "dedup"))
        carried = fields.mapping(found.get("carried", {}), "carried")
        before = None if carried.get("before") is None else Direction(fields.text(carried["before"], "before"))
        place = fields.text(carried.get("raw", raw), "carried.raw")
        lately = lately_of(carried) if "event_ids" in carried else None
    except ConfigError as error:
        return Damage(raw, str(error))
    except ValueError as error:
        return Damage(raw, f"carried.before: {error}")
    if isinstance(body, str):
        body = read_body(body.encode("utf-8"))
        if isinstance(body, Refusal):
            return Damage(raw, f"{body.field}: {body.reason}")
    if not isinstance(body, dict):
        return Damage(raw, "body: must be an object")
    alert = read_alert(body)
    if isinstance(alert, Refusal):
        return Damage(raw, f"{alert.field}: {alert.reason}")
    return Record(place, received_at, event, alert, dedup, "carried" in found, before, lately)


def lately_of(found: Mapping[str, object]) -> Lately:
    """What `event_ids`, `bodies` and `body_times` say. Raises ConfigError."""
    bodies = tuple(fields.text(body, "bodies") for body in _list(found, "bodies"))
    times = tuple(fields.instant(at, "body_times") for at in _list(found, "body_times"))
    if len(bodies) != len(times):
        raise ConfigError("body_times", "must be as many as bodies")
    return Lately(tuple(fields.text(event_id, "event_ids") for event_id in _list(found, "event_ids")), bodies, times)


def _list(found: Mapping[str, object], name: str) -> list[object]:
    value = fields.required(found, name, "")
    if not isinstance(value, list):
        raise ConfigError(name, "must be a list")
    return value


def _dedup(found: Mapping[str, object]) -> Dedup:
    keys = found.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ConfigError("dedup.keys", "must be a list of texts")
    ttl = found.get("ttl_s")
    if isinstance(ttl, Number):
        return Dedup(float(ttl.literal), tuple(keys))
    if ttl is None or (isinstance(ttl, int) and not isinstance(ttl, bool)):
        return Dedup(ttl, tuple(keys))
    raise ConfigError("dedup.ttl_s", "must be a number of seconds or null")


# --- the whole log ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A complete line without its newline, and its place `file:number`."""

    raw: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one file was read: whole lines only. `digest` is that of exactly those bytes."""

    name: str
    size: int
    lines: int
    digest: str


class Rewritten(Exception):
    """What was read before is no longer what stands there: read everything again from its beginning."""


class _File:
    """One file of the log and how far it was read."""

    def __init__(self, path: Path, read: ReadRange) -> None:
        self.path = path
        self.offset = 0
        self.lines = 0
        self.identity: FileIdentity | None = None
        self._read = read
        self._hash = hashlib.blake2b(digest_size=16)

    def mark(self) -> Mark:
        return Mark(self.path.name, self.offset, self.lines, self._hash.hexdigest())

    def skip_to(self, mark: Mark) -> bool:
        """Moves to `mark` if the bytes before it are those it was made of; else stays at the beginning."""
        taken = hashlib.blake2b(digest_size=16)
        left = mark.size
        while left:
            chunk = self._read(self.path, mark.size - left, min(left, CHUNK_BYTES))
            if not chunk:
                return False
            taken.update(chunk)
            left -= len(chunk)
        if taken.hexdigest() != mark.digest:
            return False
        self.offset, self.lines, self._hash = mark.size, mark.lines, taken
        return True

    def new_lines(self) -> Iterator[Line]:
        """Complete lines after the last one read; what has no newline yet is left for later."""
        pending = b""
        while chunk := self._read(self.path, self.offset + len(pending), CHUNK_BYTES):
            pending += chunk
            end = pending.rfind(b"\n") + 1
            taken, pending = pending[:end], pending[end:]
            for text in taken.split(b"\n")[:-1]:
                self._take(text + b"\n")
                self.lines += 1
                yield Line(f"{self.path.name}:{self.lines}", text)
            if len(pending) > MAX_LINE_BYTES:
                # Not a line of ours. It is taken as it stands, so that it cannot fill the memory.
                self._take(pending)
                pending = b""

    def _take(self, data: bytes) -> None:
        self._hash.update(data)
        self.offset += len(data)

    def appended(self, lines: Sequence[bytes]) -> None:
        """Counts whole lines as read that the caller wrote there himself."""
        for line in lines:
            self._take(line)
        self.lines += len(lines)


class RawReader:
    """Reads a folder of raw files, oldest first, each byte once. Not for two threads at a time."""

    def __init__(self, folder: Path, ops: FileOps, read: ReadRange = read_range) -> None:
        self._folder = folder
        self._ops = ops
        self._read = read
        self._files: dict[str, _File] = {}
        self._touched: set[str] = set()
        self._entered: dict[str, tuple[int, int]] = {}

    def make_durable(self) -> None:
        """Syncs what was read since the last time, so that nothing built on it outlives it. Raises OSError."""
        entries: dict[str, tuple[int, int] | None] = dict.fromkeys(self._touched)
        for name in sorted(self._touched & self._files.keys()):
            self._ops.fsync(self._folder / name)
            identity = self._files[name].identity
            entries[name] = None if identity is None else (identity.device, identity.inode)
        if any(entry is None or entry != self._entered.get(name) for name, entry in entries.items()):
            self._ops.fsync_dir(self._folder)  # once: the name stays synced for as long as it is that file
            self._entered |= {name: entry for name, entry in entries.items() if entry is not None}
        self._touched.clear()

    def marks(self) -> tuple[Mark, ...]:
        return tuple(self._files[name].mark() for name in sorted(self._files))

    def skip_to(self, marks: tuple[Mark, ...]) -> bool:
        """Starts after `marks`, if they are the beginning of the log as it stands. Only before the first reading."""
        names = self.names()
        if [mark.name for mark in marks] != list(names[: len(marks)]):
            return False
        files = {mark.name: _File(self._folder / mark.name, self._read) for mark in marks}
        for number, mark in enumerate(marks):
            identity = self._ops.identity(self._folder / mark.name)
            # A file was finished when the next one began; had it grown since, its new lines would be missed.
            grew = identity is None or (number + 1 < len(marks) and identity.size != mark.size)
            if grew or not files[mark.name].skip_to(mark):
                return False
            if identity is not None and identity.size == mark.size:
                files[mark.name].identity = identity
        self._files = files
        return True

    def names(self) -> tuple[str, ...]:
        """The raw files, oldest first; none while there is no folder. Raises OSError."""
        if self._ops.identity(self._folder) is None:
            return ()
        return tuple(sorted(name for name in self._ops.list(self._folder) if RAW_FILE.fullmatch(name)))

    def newest(self) -> str:
        """The name of the newest file read, '' where there is none."""
        return max(self._files, default="")

    def end(self, name: str) -> tuple[int, int]:
        """Bytes and lines read of one file; zeros for one not read."""
        file = self._files.get(name)
        return (0, 0) if file is None else (file.offset, file.lines)

    def forget(self, name: str) -> None:
        """What is read next under this name is another file."""
        self._files.pop(name, None)

    def appended(self, name: str, lines: Sequence[bytes]) -> None:
        """For the log's writer: `lines` now stand at the end of `name`. Raises OSError."""
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _File(self._folder / name, self._read)
        file.appended(lines)
        file.identity = self._ops.identity(self._folder / name)

    def new_lines(self) -> Iterator[Line]:
        """Every complete line not yet given, in order. Raises OSError, and Rewritten before giving any line that would
        be out of order or follow something that changed."""
        names = self.names()
        for name in [name for name in self._files if name not in names]:
            del self._files[name]  # taken away by its owner: what it said was said
        newest = self.newest()
        for name in names:
            identity = self._ops.identity(self._folder / name)
            if identity is None:
                continue
            file = self._files.get(name)
            if file is None:
                if name < newest:
                    raise Rewritten(f"{name} appeared behind {newest}")
                file = self._files[name] = _File(self._folder / name, self._read)
            elif file.identity == identity:
                continue
            else:
                self._check(file, identity, name == newest)
            self._touched.add(name)
            yield from file.new_lines()
            file.identity = identity

    def _check(self, file: _File, identity: FileIdentity, is_newest: bool) -> None:
        """Raises Rewritten unless all that happened to `file` is that it grew at its end."""
        name, before = file.path.name, file.identity
        replaced = before is not None and (before.device, before.inode) != (identity.device, identity.inode)
        if identity.size < file.offset:
            raise Rewritten(f"{name} is shorter than what was read of it")
        if not is_newest and identity.size > file.offset and before is not None and identity.size != before.size:
            raise Rewritten(f"{name} grew though a newer file exists")
        if (replaced or not is_newest) and not _File(file.path, self._read).skip_to(file.mark()):
            raise Rewritten(f"{name} was replaced by another content")
