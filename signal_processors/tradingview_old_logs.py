"""Older plain-text logs of TradingView alerts, copied into the raw log once: `YYYY-MM-DD HH:MM:SS.ffffff {json}`.

They lie beside the raw files, under any other name. What they say is put before everything the raw log says, so nothing
old ever overtakes an alert that was received since; the originals stay as they are. `state/imported.json` remembers
how much of each was taken, so that a line is taken once and what was added since is taken, too.

Their times name no zone. They are read as UTC or as this machine's local time, whichever is the earlier: an alert may
then count as older than it is, and never as younger. So an entry in them is not opened late, and an exit always counts.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import filelock

from config.home import Home
from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import content_hash, day_of, ensure_dir, fields, format_instant, read_json, write_atomic, write_json
from core.state.files import FILE_MODE
from signal_processors.tradingview_alerts import Alert, Refusal, read_alert, read_body
from signal_processors.tradingview_document import SOURCE
from signal_processors.tradingview_order import Record
from signal_processors.tradingview_raw import MAX_LINE_BYTES, RAW_FILE, encode_record

LINE = re.compile(
    rb"(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)[ \t]+(?P<body>\{.*)", re.DOTALL
)
COMPRESSED = (".gz", ".xz", ".bz2", ".zst", ".zip")
MAX_BYTES = 256 * 1024 * 1024
LOCK_WAIT_S = 30.0
MAX_SAID = 3
SCHEMA = 1

ZoneOffset = Callable[[datetime], timedelta]
"""How far the machine's clock on the wall was ahead of UTC at a time it showed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How much of a file was imported before: its first `size` bytes, known by their hash."""

    size: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class OldLine:
    """An alert of an old log. `at` is what the clock on the wall showed; `event` is the same at every reading."""

    at: datetime
    event: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class OldLog:
    """What one old log holds beyond what was taken before; `refused` says which lines are no alerts, and why."""

    name: str
    size: int
    digest: str
    lines: tuple[OldLine, ...] = ()
    refused: tuple[str, ...] = ()


def wall_offset(shown: datetime) -> timedelta:
    """`ZoneOffset` of this machine."""
    return shown.astimezone().utcoffset() or timedelta(0)


# --- pure: bytes to records -------------------------------------------------------------------------------------------


def read_old_log(name: str, data: bytes, before: Taken) -> OldLog | None:
    """The log in `data`, without what was taken before; None where this is no such log."""
    first = next((line for line in data[: 2 * MAX_LINE_BYTES].splitlines() if line.strip()), b"")
    if LINE.fullmatch(first.strip()) is None:
        return None
    known = before.size if 0 < before.size <= len(data) and content_hash(data[: before.size]) == before.digest else 0
    end = data.rfind(b"\n") + 1 or len(data)  # a line without its end may still be written
    taken: list[OldLine] = []
    refused: list[str] = []
    number = data.count(b"\n", 0, known)
    for line in data[known:end].split(b"\n"):
        number += 1
        if not line.strip():
            continue
        found = _line(name, number, line.strip())
        if isinstance(found, OldLine):
            taken.append(found)
        else:
            refused.append(f"line {number}: {found}")
    return OldLog(name, end, content_hash(data[:end]), tuple(taken), tuple(refused))


def _line(name: str, number: int, line: bytes) -> OldLine | str:
    match = LINE.fullmatch(line)
    if match is None or len(line) > MAX_LINE_BYTES:
        return "is not YYYY-MM-DD HH:MM:SS.ffffff {json}"
    try:
        at = datetime.fromisoformat(match["at"].decode("ascii"))
    except ValueError:
        return "its time is none"
    body = read_body(match["body"])
    if isinstance(body, Refusal):
        return f"{body.field}: {body.reason}"
    body.pop("token", None)
    alert = read_alert(body)
    if isinstance(alert, Refusal):
        return f"{alert.field}: {alert.reason}"
    event = hashlib.blake2b(f"{name}:{number}:".encode() + line, digest_size=16).hexdigest()
    return OldLine(at, event, alert)


def records_of(logs: list[OldLog], now: float, offset: ZoneOffset) -> tuple[list[Record], int]:
    """Every alert as a record of the raw log, oldest first, and how many were left out because they lie in the future.

    One shift for all, the largest; and within a log time never goes back, as it seems to when summer time ends. Both
    leave an instant that is at most the true one.
    """
    shift = max((offset(line.at) for log in logs for line in log.lines), default=timedelta(0))
    found: list[Record] = []
    future = 0
    for log in logs:
        latest = 0.0
        for line in log.lines:
            at = round((line.at.replace(tzinfo=UTC) - max(shift, timedelta(0))).timestamp(), 3)
            if at > now:
                future += 1
                continue
            latest = max(latest, at)
            found.append(Record("", latest, line.event, line.alert))
    return sorted(found, key=lambda record: record.received_at), future


def placed(records: list[Record], names: list[str]) -> Mapping[str, list[Record]]:
    """The records by raw file: their own day's, but always before the oldest file there is already."""
    last = None
    if names:
        oldest = datetime.strptime(min(names), "%Y-%m-%d.jsonl").replace(tzinfo=UTC)
        last = f"{(oldest - timedelta(days=1)).date().isoformat()}.jsonl"
    found: dict[str, list[Record]] = {}
    for record in records:
        day = f"{day_of(record.received_at)}.jsonl"
        found.setdefault(day if last is None else min(day, last), []).append(record)
    return found


# --- the home ---------------------------------------------------------------------------------------------------------


class OldLogs:
    """The old logs of a home. Two programs may import at once: they take turns. Raises OSError."""

    def __init__(self, home: Home, ops: FileOps, clock: Clock, offset: ZoneOffset = wall_offset) -> None:
        self._home = home
        self._folder = home.raw_signals(SOURCE)
        self._memory = home.state / "imported.json"
        self._ops = ops
        self._clock = clock
        self._offset = offset

    def take(self) -> list[str]:
        """Copies what is there and was not taken before; returns what was done, for people."""
        if not self._candidates():
            return []
        ensure_dir(self._ops, self._home.locks)
        with filelock.FileLock(self._home.locks / "tradingview-import.lock", timeout=LOCK_WAIT_S, mode=FILE_MODE):
            return self._take()

    def _candidates(self) -> list[str]:
        if self._ops.identity(self._folder) is None:
            return []
        names = [name for name in self._ops.list(self._folder) if not RAW_FILE.fullmatch(name)]
        return [name for name in names if not name.startswith(".") and not name.endswith(COMPRESSED)]

    def _take(self) -> list[str]:
        taken, said = self._remembered()
        logs = [log for name in self._candidates() if (log := self._read(name, taken.get(name, Taken()), said))]
        fresh = [log for log in logs if log.lines or log.refused]
        if not fresh:
            return said
        records, future = records_of(fresh, self._clock.time(), self._offset)
        names = [name for name in self._ops.list(self._folder) if RAW_FILE.fullmatch(name)]
        places = placed(records, names)
        for name, of in sorted(places.items()):
            write_atomic(self._ops, self._folder / name, b"".join(map(encode_record, of)))
        self._remember({**taken, **{log.name: Taken(log.size, log.digest) for log in logs}})
        return [*said, *(line for log in fresh for line in _told(log, sorted(places))), *_told_future(future)]

    def _read(self, name: str, before: Taken, said: list[str]) -> OldLog | None:
        path = self._folder / name
        identity = self._ops.identity(path)
        if identity is None or path.is_dir():
            return None
        if identity.size > MAX_BYTES:
            said.append(f"{name} is larger than {MAX_BYTES // 1024 // 1024} MiB and was not looked at; split it.")
            return None
        return read_old_log(name, self._ops.read(path), before)

    def _remembered(self) -> tuple[dict[str, Taken], list[str]]:
        """What was taken before. Where that cannot be read, all is taken again, which repeats and changes nothing."""
        if self._ops.identity(self._memory) is None:
            return {}, []
        try:
            value, _ = read_json(self._ops, self._memory)
            whole = fields.mapping(value, "imported.json")
            files = fields.mapping(fields.required(whole, "files", "imported.json: "), "imported.json: files")
            return dict(_memories(files)), []
        except ConfigError as error:
            return {}, [f"state/{error}. Old logs are read from their beginnings."]

    def _remember(self, taken: Mapping[str, Taken]) -> None:
        at = format_instant(self._clock.time())
        files = {name: {"bytes": one.size, "hash": one.digest} for name, one in sorted(taken.items())}
        write_json(self._ops, self._memory, {"schema": SCHEMA, "at": at, "files": files})


def _memories(files: Mapping[str, object]) -> Iterator[tuple[str, Taken]]:
    for name, value in files.items():
        where = f"imported.json: files.{name}"
        one = fields.mapping(value, where)
        size = fields.whole(fields.required(one, "bytes", f"{where}."), f"{where}.bytes")
        yield name, Taken(size, fields.text(fields.required(one, "hash", f"{where}."), f"{where}.hash"))


def _told(log: OldLog, places: list[str]) -> Iterator[str]:
    into = places[0] if len(places) == 1 else f"{places[0]} to {places[-1]}" if places else "no file"
    yield (
        f"raw_signals/{SOURCE}/{log.name}: {len(log.lines)} alerts of this older log were copied into {into}; the "
        "original stays as it is. Entries older than entry_max_age_s are not opened; exits count."
    )
    if log.refused:
        more = f" and {len(log.refused) - MAX_SAID} more" if len(log.refused) > MAX_SAID else ""
        yield (
            f"raw_signals/{SOURCE}/{log.name}: {len(log.refused)} lines are no alerts and were left out "
            f"({'; '.join(log.refused[:MAX_SAID])}{more})."
        )


def _told_future(count: int) -> Iterator[str]:
    if count:
        words = "alerts of older logs lie in the future and were left out; is the clock right?"
        yield f"raw_signals/{SOURCE}: {count} {words}"


def import_old_logs(home: Home, ops: FileOps, clock: Clock, log: logging.Logger) -> None:
    """`OldLogs.take`, with its words in the log. What cannot be imported now is tried at the next start."""
    try:
        for line in OldLogs(home, ops, clock).take():
            log.info("%s", line)
    except (OSError, filelock.Timeout) as error:
        log.warning(
            "Older logs of alerts were not imported (%s); the next start tries again. Nothing else waits.", error
        )
