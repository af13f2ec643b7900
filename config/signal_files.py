"""SignalFiles: the documents under `signals/` as `ports.SignalSource`. What cannot be read is Unknown, never zero.

A source is `signals/<source>.json`, or parts `signals/<source>/<part>.json` with one writer each, or both. What was
ever read is remembered in `state/last_good/heard.json`, so that after a restart a document that is gone is still
"vanished" and not "never heard". Decisions do not rest on it: what an account has taken stands in its journal. It only
tells Unknown from not heard, and in doubt says Unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from config.contents import Content, Contents
from config.heard import Heard, HeardBefore
from config.home import Home
from config.problems import listed
from core.domain import Document, Reading, Signal, SourceName, SourceReading
from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import RealFileOps, fields, format_instant, loads, parse_document

FUTURE_S = 5.0
REMEDY = "restart its signal processor, which writes it anew"


@dataclass(frozen=True, slots=True)
class _Part:
    """One file of a source. `name` is its path below the home; exactly one of `document` and `trouble` is set."""

    name: str
    document: Document | None = None
    trouble: str = ""

    @property
    def signals(self) -> Mapping[str, Signal]:
        return self.document.signals if self.document else {}


@dataclass(frozen=True, slots=True)
class _Listing:
    """What stands in a folder, hidden and temporary names left out; nothing where there is no such folder."""

    folder: Path
    names: tuple[str, ...] = ()
    trouble: str = ""

    def documents(self) -> Iterable[Path]:
        return (self.folder / name for name in self.names if name.endswith(".json"))


class SignalFiles:
    """`ports.SignalSource` over a home's files. Every call looks at the disk; nothing here raises or waits.

    `staleness_s` gives a source's limit on the age of its heartbeat (None: heartbeats do not count). `remembers` writes
    the memory of what was heard: true only in the engine.
    """

    def __init__(
        self,
        home: Home,
        clock: Clock,
        *,
        staleness_s: Callable[[SourceName], float | None],
        files: FileOps | None = None,
        remembers: bool = False,
    ) -> None:
        self._home = home
        self._clock = clock
        self._staleness_s = staleness_s
        self._files = files or RealFileOps()
        self._contents = Contents(self._files, clock)
        self._memory = HeardBefore(home, self._files, clock, writes=remembers)
        self._parsed: dict[Path, tuple[Content, _Part]] = {}
        self._last: dict[SourceName, SourceReading] = {}

    # --- ports.SignalSource -------------------------------------------------------------------------------------------

    def readings(self, sources: Collection[SourceName]) -> Mapping[SourceName, SourceReading]:
        found = {}
        for source in sorted(sources):
            reading = self._reading(source)
            last = self._last.get(source)
            # The same object while nothing changed: comparing versions then costs nothing.
            found[source] = last if last == reading else reading
        self._last = found
        self._memory.flush()
        return MappingProxyType(found)

    # --- what else the processes need ---------------------------------------------------------------------------------

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the memory of what was heard; the documents' troubles are in the readings."""
        return self._memory.problems()

    def folders(self) -> Iterable[Path]:
        """`signals/` and every folder of parts in it."""
        root = self._home.signals
        return (
            root,
            *(root / name for name in self._listing(root).names if not name.endswith((".json", ".heartbeat"))),
        )

    def fingerprint(self) -> Hashable:
        """Of every document and part; heartbeats not, their age is looked at in every cycle."""
        listings = [self._listing(folder) for folder in self.folders()]
        contents = [self._contents.read(path) for listing in listings for path in listing.documents()]
        return (
            tuple((listing.folder, listing.trouble) for listing in listings if listing.trouble),
            tuple((content.path, content.version, content.trouble) for content in contents),
        )

    # --- one source ---------------------------------------------------------------------------------------------------

    def _reading(self, source: SourceName) -> SourceReading:
        def unknown(because: str) -> SourceReading:
            return SourceReading(source, Reading.UNKNOWN, because=because)

        before = self._memory.of(source)
        listing = self._listing(self._home.signals / source)
        if listing.trouble:
            return unknown(f"{self._named(listing.folder)} {listing.trouble}; {REMEDY}")
        parts = self._parts(source, listing)
        if not parts and before is None:
            return SourceReading(source, Reading.NOT_HEARD, because=f"{source}: not heard yet")
        if not parts:
            return unknown(f"signals/{source}.json has vanished; {REMEDY}, or put the file back")
        trouble = _trouble(parts, self._clock.time()) or _lost(parts, before)
        if trouble:
            return unknown(trouble)
        document = _merged(source, parts)
        self._memory.note(source, {part.name: frozenset(part.signals) for part in parts})
        trouble = self._staleness(source)
        if trouble:
            return unknown(trouble)
        gone = before.symbols.difference(document.signals) if before else frozenset()
        because = f"{listed(gone)} gone from the document of {source}; {REMEDY}" if gone else ""
        return SourceReading(source, Reading.KNOWN, document, because, frozenset(gone))

    def _parts(self, source: SourceName, listing: _Listing) -> list[_Part]:
        """Every file of the source that is there, read."""
        contents = [self._contents.read(path) for path in (self._home.document(source), *listing.documents())]
        return [self._part(source, content) for content in contents if not content.missing]

    def _part(self, source: SourceName, content: Content) -> _Part:
        known = self._parsed.get(content.path)
        if known is None or known[0] is not content:
            known = (content, _read_part(source, content, self._named(content.path)))
            self._parsed[content.path] = known
        return known[1]

    def _staleness(self, source: SourceName) -> str:
        """What is wrong with the heartbeat of a source that must have one; '' where nothing is."""
        limit_s = self._staleness_s(source)
        if limit_s is None:
            return ""
        content = self._contents.read(self._home.heartbeat(source))
        name = self._named(content.path)
        if content.data is None:
            return f"{name} {content.trouble}; {REMEDY}"
        try:
            beat = fields.mapping(loads(content.data, name), name)
            checked_at = fields.instant(fields.required(beat, "checked_at", f"{name}: "), f"{name}: checked_at")
        except ConfigError as error:
            return f"{error}; {REMEDY}"
        age_s = self._clock.time() - checked_at
        if -FUTURE_S <= age_s <= limit_s:
            return ""
        since = f"{source} last said at {format_instant(checked_at)} that it is up to date"
        if age_s < 0:
            return f"{since}, which lies in the future; set the clock right, or {REMEDY}"
        return f"{since}, more than {limit_s:g} s ago; see that its signal processor runs and reaches its source"

    # --- the disk -----------------------------------------------------------------------------------------------------

    def _listing(self, folder: Path) -> _Listing:
        try:
            names = self._files.list(folder)
        except (FileNotFoundError, NotADirectoryError):
            return _Listing(folder)
        except OSError as error:
            return _Listing(folder, trouble=f"cannot be listed: {error.strerror or error}")
        return _Listing(folder, tuple(name for name in names if not name.startswith(".")))

    def _named(self, path: Path) -> str:
        return path.relative_to(self._home.root).as_posix()


def _read_part(source: SourceName, content: Content, name: str) -> _Part:
    if content.data is None:
        return _Part(name, trouble=f"{name} {content.trouble}; make it readable, or {REMEDY}")
    try:
        document = parse_document(content.data, name)
    except ConfigError as error:
        return _Part(name, trouble=f"{error}; {REMEDY}")
    if document.source != source:
        return _Part(name, trouble=f"{name}: source says {document.source}, not {source}; {REMEDY}")
    return _Part(name, document)


def _trouble(parts: Sequence[_Part], now: float) -> str:
    """What makes the source as a whole unreadable; '' where nothing does."""
    owner: dict[str, str] = {}
    for part in parts:
        if part.document is None:
            return part.trouble
        if part.document.written_at > now + FUTURE_S:
            written_at = format_instant(part.document.written_at)
            return f"{part.name}: written_at {written_at} lies in the future; set the clock right, or {REMEDY}"
        for symbol in part.signals:
            if symbol in owner:
                return f"{symbol} stands in both {owner[symbol]} and {part.name}; each symbol has one part, remove one"
            owner[symbol] = part.name
    return ""


def _lost(parts: Sequence[_Part], before: Heard | None) -> str:
    """A part that was there and is not, unless what it said last is now said elsewhere."""
    said = {symbol for part in parts for symbol in part.signals}
    present = {part.name for part in parts}
    for name, symbols in sorted(before.parts.items()) if before else ():
        if name not in present and not symbols <= said:
            missing = listed(symbols - said)
            return f"{name} has vanished and with it {missing}; {REMEDY}, or say them (0 is flat) in another part"
    return ""


def _merged(source: SourceName, parts: Sequence[_Part]) -> Document:
    """One document of all parts: the revisions' sum grows with each of them."""
    documents = [part.document for part in parts if part.document is not None]
    if len(documents) == 1:
        return documents[0]
    signals = {symbol: signal for document in documents for symbol, signal in document.signals.items()}
    written_at = max(document.written_at for document in documents)
    return Document(source, sum(document.revision for document in documents), written_at, signals)
