"""`signals/tradingview.json` and its heartbeat: the opinions in force as the document the engine reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.domain import Document, Signal, SourceName
from core.errors import ConfigError
from core.ports import FileOps
from core.state import ensure_dir, fields, format_instant, loads, parse_document, render_document, write_atomic
from core.state.jsonfile import encode
from signal_processors.tradingview_order import Opinions

SOURCE = SourceName("tradingview")


def signal_of(opinions: Opinions, symbol: str) -> Signal:
    """The opinion on `symbol` as a signal; its timestamp is the alert's effective time."""
    record = opinions.symbols[symbol].in_force.record
    return Signal(
        depth=record.alert.depth,
        timestamp=record.effective_at,
        leverage=record.alert.leverage,
        price=record.alert.price,
        meta={"event": record.event, "raw": record.raw},
    )


class DocumentFile:
    """The document on disk. Its only writer; it keeps every symbol it ever held."""

    def __init__(self, path: Path, heartbeat: Path, ops: FileOps) -> None:
        self._path = path
        self._heartbeat = heartbeat
        self._ops = ops
        self._held: Mapping[str, Signal] | None = None
        self._taken: Opinions | None = None
        self.revision = 0
        self.problem = ""

    def open(self) -> None:
        """Reads what an earlier run left; no file, or a broken one, is no error. Raises OSError."""
        ensure_dir(self._ops, self._path.parent)
        self.revision = self._last_beat()
        try:
            found = parse_document(self._ops.read(self._path), self._path.name)
        except FileNotFoundError:
            return
        except ConfigError as error:
            self.problem = f"{error}. It is written anew from the raw log."
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

    @property
    def first(self) -> bool:
        """Whether it was not yet compared with any opinions."""
        return self._taken is None

    def forgotten(self, opinions: Opinions) -> tuple[str, ...]:
        """Symbols of the document that no raw record stands for any more."""
        return tuple(symbol for symbol in self._held or {} if symbol not in opinions.symbols)

    def bring_to(self, opinions: Opinions, now: float) -> bool:
        """Writes the document if it differs from `opinions`; says whether it did. Raises OSError: nothing changed."""
        if self._held is not None and opinions is self._taken:
            return False
        wanted = {symbol: self._held[symbol] for symbol in self.forgotten(opinions)} if self._held else {}
        wanted |= {symbol: signal_of(opinions, symbol) for symbol in opinions.symbols}
        if self._held != wanted or self._held is None:
            document = Document(source=SOURCE, revision=self.revision + 1, written_at=now, signals=wanted)
            write_atomic(self._ops, self._path, render_document(document))
            self.revision += 1
            self._held = wanted
            self._taken = opinions
            return True
        self._taken = opinions
        return False

    def beat(self, now: float) -> None:
        """Says that the log was read well just now. Raises OSError."""
        found = {"checked_at": format_instant(now), "revision": self.revision}
        write_atomic(self._ops, self._heartbeat, encode(found) + b"\n")
