"""`signals/bittensor.json`, its heartbeat, and what the processor remembers between two runs of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.domain import Document, Signal, SourceName
from core.errors import ConfigError
from core.ports import FileOps
from core.state import ensure_dir, fields, format_instant, loads, parse_document, render_document, write_atomic
from core.state.jsonfile import encode

SOURCE = SourceName("bittensor")
MEMORY_SCHEMA = 1
MAX_REMEMBERED = 10_000


class DocumentFile:
    """The document on disk. Its only writer; it keeps every symbol it ever held."""

    def __init__(self, path: Path, heartbeat: Path, ops: FileOps) -> None:
        self._path = path
        self._heartbeat = heartbeat
        self._ops = ops
        self._held: Mapping[str, Signal] | None = None
        self.revision = 0
        self.problem = ""

    @property
    def signals(self) -> Mapping[str, Signal]:
        """What the document says; empty before the first, and where an earlier run left a broken one."""
        return self._held or {}

    def open(self, now: float) -> None:
        """Reads what an earlier run left; where there is none, writes one that says nothing. Raises OSError.

        A broken one stays until there is an opinion to replace it: nothing said is another thing than unreadable.
        """
        ensure_dir(self._ops, self._path.parent)
        self.revision = self._last_beat()
        try:
            found = parse_document(self._ops.read(self._path), self._path.name)
        except FileNotFoundError:
            self.write({}, now)
            return
        except ConfigError as error:
            self.problem = f"{error}. It is written anew with the next opinion."
            return
        self._held = found.signals
        self.revision = max(self.revision, found.revision)

    def _last_beat(self) -> int:
        """The revision the heartbeat knew of, so that a document written anew does not count from 1 again."""
        try:
            found = fields.mapping(loads(self._ops.read(self._heartbeat), "heartbeat"), "heartbeat")
            return fields.whole(fields.required(found, "revision", ""), "revision")
        except (FileNotFoundError, ConfigError):
            return self.revision

    def write(self, signals: Mapping[str, Signal], now: float) -> bool:
        """Makes the document say `signals`; False, and nothing written, where it does. Raises OSError."""
        if self._held is not None and self._held == signals:
            return False
        document = Document(source=SOURCE, revision=self.revision + 1, written_at=now, signals=signals)
        write_atomic(self._ops, self._path, render_document(document))
        self.revision += 1
        # As it reads back: instants to the millisecond.
        self._held = parse_document(render_document(document), self._path.name).signals
        return True

    def beat(self, now: float) -> None:
        """Says that the feed was read well just now. Raises OSError."""
        found = {"checked_at": format_instant(now), "revision": self.revision}
        write_atomic(self._ops, self._heartbeat, encode(found) + b"\n")

    def hush(self) -> None:
        """Takes the heartbeat away, durably, before the document says what no engine shall act on: an engine reads the
        document first and the heartbeat after it. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._ops.remove(self._heartbeat)
        self._ops.fsync_dir(self._heartbeat.parent)


@dataclass(frozen=True, slots=True)
class Memory:
    """What outlives a run: the traders of the last accepted reply, the newest order kept, the last archived reply."""

    traders: frozenset[str] = frozenset()
    seen_ms: int | None = None
    archived_at: float | None = None


def load_memory(path: Path, ops: FileOps) -> tuple[Memory, str]:
    """What an earlier run remembered, and what is wrong with it ('' where nothing is). Raises OSError."""
    try:
        found = fields.mapping(loads(ops.read(path), path.name), path.name)
        fields.schema(found, f"{path.name}: ", MEMORY_SCHEMA)
        traders = fields.required(found, "traders", f"{path.name}: ")
        if not isinstance(traders, list) or not all(isinstance(one, str) for one in traders):
            raise ConfigError(f"{path.name}: traders", "must be a list of texts")
        seen, archived = found.get("seen_ms"), found.get("archived_at")
        memory = Memory(
            frozenset(traders),
            None if seen is None else fields.whole(seen, f"{path.name}: seen_ms"),
            None if archived is None else fields.instant(archived, f"{path.name}: archived_at"),
        )
    except FileNotFoundError:
        return Memory(), ""
    except ConfigError as error:
        return Memory(), f"{error}. The traders of the last accepted reply are not known; the next reply is."
    return memory, ""


def save_memory(path: Path, memory: Memory, ops: FileOps) -> None:
    """Raises OSError."""
    found = {
        "schema": MEMORY_SCHEMA,
        "traders": sorted(memory.traders)[:MAX_REMEMBERED],
        "seen_ms": memory.seen_ms,
        "archived_at": None if memory.archived_at is None else format_instant(memory.archived_at),
    }
    ensure_dir(ops, path.parent)
    write_atomic(ops, path, encode(found) + b"\n")
