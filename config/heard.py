"""Which sources, parts and symbols were ever heard in this home: `state/last_good/heard.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from config.home import Home
from config.last_good import LastGood
from core.domain import SourceName
from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import dumps, fields, loads

FILE = "heard.json"
SCHEMA = 1
MAX_SYMBOLS = 20_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What a source said before. `parts`: file -> the symbols it held last; `symbols`: every one it ever held."""

    parts: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    symbols: frozenset[str] = frozenset()


class HeardBefore:
    """The memory, read once at start. Where it cannot be read, every source counts as heard: in doubt, Unknown."""

    def __init__(self, home: Home, files: FileOps, clock: Clock, *, writes: bool) -> None:
        self._home = home
        self._files = files
        self._copies = LastGood(home.last_good, files, clock, writes=writes)
        self._sources: dict[str, Heard] = {}
        self._doubt = ""
        try:
            data = self._copies.read(FILE)
            self._sources = {} if data is None else _decoded(data)
        except ConfigError as error:
            self._doubt = f"{error}. Sources without a document count as heard before; restart their processors."

    def of(self, source: SourceName) -> Heard | None:
        """What the source said before; None: it was never heard here."""
        heard = self._sources.get(source)
        if heard is None and self._doubt:
            # Written down, because the file will be readable again after the next note.
            self._sources[source] = heard = Heard()
            self._copies.keep(FILE, _encoded(self._sources))
        if heard is None and self._left_traces(source):
            return Heard()
        return heard

    def note(self, source: SourceName, parts: Mapping[str, frozenset[str]]) -> None:
        """The source was read and holds these parts now."""
        before = self._sources.get(source, Heard())
        said = frozenset[str]().union(*parts.values())
        symbols = before.symbols if len(before.symbols) > MAX_SYMBOLS else before.symbols | said
        if source not in self._sources or before.parts != parts or before.symbols != symbols:
            self._sources[source] = Heard(MappingProxyType(dict(parts)), symbols)
            self._copies.keep(FILE, _encoded(self._sources))

    def flush(self) -> None:
        self._copies.flush()

    def problems(self) -> tuple[str, ...]:
        return tuple(problem for problem in (self._doubt, self._copies.problem) if problem)

    def _left_traces(self, source: SourceName) -> bool:
        """A heartbeat, or signals that took effect: its processor has run here, whatever became of the memory."""
        try:
            if self._files.identity(self._home.heartbeat(source)) is not None:
                return True
            return bool(self._files.list(self._home.deduplicated_signals(source)))
        except FileNotFoundError:
            return False
        except OSError:
            return True


def _encoded(sources: Mapping[str, Heard]) -> bytes:
    content = {
        name: {
            "parts": {part: sorted(symbols) for part, symbols in heard.parts.items()},
            "symbols": sorted(heard.symbols),
        }
        for name, heard in sorted(sources.items())
    }
    return (dumps({"schema": SCHEMA, "sources": content}, indent=1) + "\n").encode()


def _decoded(data: bytes) -> dict[str, Heard]:
    where = f"state/last_good/{FILE}"
    whole = fields.mapping(loads(data, where), where)
    fields.schema(whole, f"{where}: ", SCHEMA)
    found = {}
    for name, value in fields.mapping(fields.required(whole, "sources", f"{where}: "), where).items():
        here = f"{where}: sources.{name}."
        source = fields.mapping(value, here)
        parts = fields.mapping(fields.required(source, "parts", here), f"{here}parts")
        held = {part: _symbols(symbols, f"{here}parts.{part}") for part, symbols in parts.items()}
        symbols = _symbols(fields.required(source, "symbols", here), f"{here}symbols")
        found[name] = Heard(MappingProxyType(held), symbols)
    return found


def _symbols(value: object, where: str) -> frozenset[str]:
    if not isinstance(value, list):
        raise ConfigError(where, "must be a list of symbols")
    return frozenset(fields.text(symbol, where) for symbol in value)
