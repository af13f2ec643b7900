"""The raw log folded: the opinions it amounts to, kept up with as it grows, and a cache that makes a start quick.

The cache says which bytes of the log it stands for and their hash. It is used only where the log still begins with
exactly those bytes, so deleting, keeping or swapping caches never changes what the log amounts to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError
from core.ports import FileOps
from core.state import fields, format_instant, loads
from core.state.files import write_atomic
from core.state.jsonfile import encode
from signal_processors.tradingview_alerts import Direction
from signal_processors.tradingview_order import RULES_VERSION, InForce, Opinions, Record, SymbolState, Verdict, fold
from signal_processors.tradingview_raw import (
    Damage,
    Mark,
    RawReader,
    ReadRange,
    Rewritten,
    decode_record,
    encode_record,
    lately_of,
    read_range,
)

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Folded:
    """A record of the log and what became of it."""

    record: Record
    verdict: Verdict


class LogFold:
    """The opinions in a folder of raw files. One owner, one thread."""

    def __init__(self, folder: Path, ops: FileOps, read: ReadRange = read_range) -> None:
        self._folder = folder
        self._ops = ops
        self._read = read
        self._reader = RawReader(folder, ops, read)
        self.opinions = Opinions()

    def marks(self) -> tuple[Mark, ...]:
        return self._reader.marks()

    def make_durable(self) -> None:
        """Syncs the part of the log that was read since the last time. Raises OSError."""
        self._reader.make_durable()

    # --- for the writer of the log, which knows what it appended ------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        """The raw files on disk, oldest first. Raises OSError."""
        return self._reader.names()

    def newest(self) -> str:
        """The name of the newest file read, '' where there is none."""
        return self._reader.newest()

    def end(self, name: str) -> tuple[int, int]:
        """Bytes and lines read of one file."""
        return self._reader.end(name)

    def forget(self, name: str) -> None:
        """What stands under `name` from now on is another file; what the old one said was said."""
        self._reader.forget(name)

    def appended(self, name: str, lines: Sequence[tuple[bytes, Record]]) -> list[Verdict]:
        """Folds records that now stand, durably, at the end of `name`."""
        self._reader.appended(name, [line for line, _ in lines])
        verdicts = []
        for _, record in lines:
            self.opinions, verdict = fold(self.opinions, record)
            verdicts.append(verdict)
        return verdicts

    # --- reading ------------------------------------------------------------------------------------------------------

    def start_over(self) -> None:
        """Forgets everything; the next `catch_up` reads the log from its beginning."""
        self._reader = RawReader(self._folder, self._ops, self._read)
        self.opinions = Opinions()

    def catch_up(self) -> Iterator[Folded | Damage]:
        """Folds what is new, record by record. Raises OSError, and Rewritten where only `start_over` helps."""
        for line in self._reader.new_lines():
            found = decode_record(line.text, line.raw)
            if isinstance(found, Record):
                self.opinions, verdict = fold(self.opinions, found)
                yield Folded(found, verdict)
            else:
                yield found

    def catch_up_whatever_happened(self) -> Iterator[Folded | Damage]:
        """`catch_up`, from the beginning where the log is not what it was."""
        try:
            yield from self.catch_up()
        except Rewritten:
            self.start_over()
            yield from self.catch_up()

    # --- the cache ----------------------------------------------------------------------------------------------------

    def load(self, cache: Path) -> bool:
        """Starts from `cache` if it stands for the beginning of this log, else changes nothing."""
        try:
            found = _parse(self._ops.read(cache))
            if found is None or not self._reader.skip_to(found[0]):
                return False
        except (ConfigError, OSError):
            return False  # a cache that cannot be used is as good as none
        self.opinions = found[1]
        return True

    def save(self, cache: Path) -> None:
        """Writes the cache. Raises OSError."""
        write_atomic(self._ops, cache, _rendered(self._reader.marks(), self.opinions))


def _rendered(marks: tuple[Mark, ...], opinions: Opinions) -> bytes:
    symbols = {
        symbol: {
            "line": encode_record(state.in_force.record).decode("ascii"),
            "raw": state.in_force.record.raw,
            "before": state.in_force.before,
            "event_ids": list(state.event_ids),
            "bodies": list(state.bodies),
            "body_times": [format_instant(at) for at in state.body_times],
        }
        for symbol, state in opinions.symbols.items()
    }
    files = [{"name": m.name, "bytes": m.size, "lines": m.lines, "hash": m.digest} for m in marks]
    return encode({"schema": SCHEMA, "rules": RULES_VERSION, "files": files, "symbols": symbols}) + b"\n"


def _parse(data: bytes) -> tuple[tuple[Mark, ...], Opinions] | None:
    """What a cache holds; None where other rules made it. Raises ConfigError."""
    whole = fields.mapping(loads(data, "cache"), "cache")
    if whole.get("schema") != SCHEMA or whole.get("rules") != RULES_VERSION:
        return None
    marks = tuple(_mark(fields.mapping(file, "files")) for file in _list(whole, "files"))
    symbols = fields.mapping(fields.required(whole, "symbols", ""), "symbols")
    states = {symbol: _state(fields.mapping(state, symbol)) for symbol, state in symbols.items()}
    return marks, Opinions(states)


def _list(found: Mapping[str, object], name: str) -> list[object]:
    value = fields.required(found, name, "")
    if not isinstance(value, list):
        raise ConfigError(name, "must be a list")
    return value


def _mark(found: Mapping[str, object]) -> Mark:
    return Mark(
        name=fields.text(fields.required(found, "name", ""), "name"),
        size=fields.whole(fields.required(found, "bytes", ""), "bytes"),
        lines=fields.whole(fields.required(found, "lines", ""), "lines"),
        digest=fields.text(fields.required(found, "hash", ""), "hash"),
    )


def _state(found: Mapping[str, object]) -> SymbolState:
    line = fields.text(fields.required(found, "line", ""), "line")
    record = decode_record(line.encode(), fields.text(fields.required(found, "raw", ""), "raw"))
    if isinstance(record, Damage):
        raise ConfigError("line", record.reason)
    before = None if found.get("before") is None else fields.text(found["before"], "before")
    if before is not None and before not in list(Direction):
        raise ConfigError("before", "is not a direction")
    lately = lately_of(found)
    in_force = InForce(record, None if before is None else Direction(before))
    return SymbolState(in_force, lately.event_ids, lately.bodies, lately.body_times)
