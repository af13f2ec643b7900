"""A reply of the SN8 feed read as it arrives, trader by trader: purely, in memory for one trader's record at a time.

    {"<hotkey>": {"all_time_returns": …, "positions": […]}, "<hotkey>": {…}, …}

A record ends where its text parses as a whole JSON object; no proper beginning of an object does, so trying the places
where a `}` is followed by another `"…": {` finds each record's end without a look at what is inside. Strict as
everywhere: NaN, Infinity, keys that stand twice, and anything after the end refuse the reply. That no key stands twice
is proven by counting: a record cannot hold more keys than colons, so if the parsed one has as many keys as its text has
colons, none was lost. Where texts hold colons too, the slow strict reader decides.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from core.errors import ConfigError
from core.state import loads
from signal_processors.bittensor_past import LEAST, NOTHING, Past, leading_closed, past_of, without
from signal_processors.bittensor_traders import BadReply, Trader, View, key_count, keys_of_record, trader_of

MAX_REPLY_BYTES = 256 * 1024 * 1024
MAX_RECORD_BYTES = 16 * 1024 * 1024
MAX_TRADERS = 10_000
MAX_TRIES = 64
"""Places where one record might have ended and did not; a trader's record holds few objects beside its positions."""
OVERLAP = 512
"""A boundary is looked for again so many bytes before the end of what was searched: it may arrive in two pieces."""

_KEY = rb'"([!#-\[\]-~]{1,128})"\s{0,64}:\s{0,64}(?=(\{)?)'
_BEGIN = re.compile(rb"\{\s{0,64}" + _KEY)
_BETWEEN = re.compile(rb"\}\s{0,64},\s{0,64}" + _KEY.replace(b"(?=(\\{)?)", b"(?=\\{)"))
_NOTHING = re.compile(rb"\{\s{0,64}\}\s*")
_SPACE = b" \t\r\n"

See = Callable[[str, Mapping[str, Any]], None]
"""Told of every record that was parsed: hotkey and record."""


@dataclass(frozen=True, slots=True)
class Known:
    """A trader as read from a text, known by that text's hash, so that an unchanged record is not parsed again.

    `past`: its closed positions, known likewise, so that of a changed record only the end is.
    """

    mark: int
    trader: Trader
    past: Past = NOTHING


class ReplyReader:
    """Takes one reply piece by piece. `known`: traders of an earlier reply, read in an equal view."""

    def __init__(self, view: View, known: Mapping[str, Known] | None = None, see: See | None = None) -> None:
        self._view = view
        self._before = known or {}
        self._see = see
        self._buffer = bytearray()
        self._searched = 0
        self._tries = 0
        self._size = 0
        self._hotkey: str | None = None
        self.known: dict[str, Known] = {}

    def take(self, piece: bytes) -> None:
        """Reads as far as `piece` allows. Raises BadReply."""
        self._size += len(piece)
        if self._size > MAX_REPLY_BYTES:
            raise BadReply(f"is larger than {MAX_REPLY_BYTES // 2**20} MiB")
        self._buffer += piece
        with _no_collection():
            if self._hotkey is None and not self._begin(last=False):
                return
            self._records()
        if len(self._buffer) > MAX_RECORD_BYTES:
            raise BadReply(f"{self._hotkey}: the record does not end within {MAX_RECORD_BYTES // 2**20} MiB")

    def finish(self) -> dict[str, Trader]:
        """All traders of the reply, which is complete now. Raises BadReply."""
        if self._hotkey is None and not self._begin(last=True):
            raise BadReply("names no trader at all" if _NOTHING.fullmatch(self._buffer) else "is empty")
        with _no_collection():
            self._records()
            end = len(self._buffer.rstrip(_SPACE)) - 1
            if end < 0 or self._buffer[end : end + 1] != b"}" or not self._record(end):
                raise BadReply(f"breaks off or is no JSON in the record of {self._hotkey}, {self._size} bytes in all")
        return {hotkey: known.trader for hotkey, known in self.known.items()}

    def _begin(self, *, last: bool) -> bool:
        """Looks for the first trader; False while what is there may still become one."""
        self._buffer = self._buffer.lstrip(_SPACE)
        found = _BEGIN.match(self._buffer)
        if found is None:
            if not self._buffer or _NOTHING.fullmatch(self._buffer):
                if self._size > MAX_RECORD_BYTES:
                    raise BadReply("consists of blanks")
                return False
            if last or len(self._buffer) >= OVERLAP or not self._buffer.startswith(b"{"):
                raise BadReply('is not the JSON of traders, which begins like {"<hotkey>": {')
            return False
        if found[2] is None:
            if not last and found.end() >= len(self._buffer):
                return False
            raise BadReply(f"holds no trader's record under {_shown(found[1])}, which is no answer of this feed")
        self._start(found)
        return True

    def _start(self, found: re.Match[bytes]) -> None:
        """The record after `found` is the next one."""
        hotkey = found[1].decode("ascii")
        if hotkey in self.known:
            raise BadReply(f"names {hotkey} twice")
        if len(self.known) >= MAX_TRADERS:
            raise BadReply(f"names more than {MAX_TRADERS} traders")
        self._hotkey = hotkey
        del self._buffer[: found.end()]
        self._searched = self._tries = 0

    def _records(self) -> None:
        """Reads every record whose end is in the buffer."""
        while (found := _BETWEEN.search(self._buffer, self._searched)) is not None:
            if self._record(found.start() + 1):
                self._start(found)
                continue
            self._searched = found.start() + 1
            self._tries += 1
            if self._tries > MAX_TRIES:
                raise BadReply(f"{self._hotkey}: the record is no JSON, or of another form than a trader's")
        self._searched = max(self._searched, len(self._buffer) - OVERLAP)

    def _record(self, end: int) -> bool:
        """Takes the record that ends before `end`; False if the text up to there is no whole record."""
        hotkey = self._hotkey
        assert hotkey is not None
        with memoryview(self._buffer) as buffer:
            text = bytes(buffer[:end])
        mark = hash(text)
        known = self._before.get(hotkey)
        if known is None or known.mark != mark:
            past = known.past if known is not None else NOTHING
            shorter = without(text, past)
            try:
                record = from_json(text if shorter is None else shorter, allow_inf_nan=False, cache_strings="keys")
            except ValueError:
                return False
            if shorter is None:
                trader = self._read(hotkey, text, record, NOTHING)
                past = past_of(text, record, trader, self._view) if self._view.as_of_ms is None else NOTHING
            else:
                trader = self._read(hotkey, shorter, record, past)
                past = past if leading_closed(record) < LEAST else NOTHING
            known = Known(mark, trader, past)
        self.known[hotkey] = known
        return True

    def _read(self, hotkey: str, text: bytes, record: Any, past: Past) -> Trader:
        if type(record) is not dict:
            raise BadReply(f"{hotkey}: is no object")
        colons = text.count(b":")
        if colons != keys_of_record(record) and colons != key_count(record):
            try:
                loads(text, hotkey)
            except ConfigError as error:
                raise BadReply(str(error)) from None
        trader = trader_of(hotkey, record, self._view, past.positions, past.count)
        if self._see is not None:
            self._see(hotkey, record)
        return trader


def read_reply(pieces: Iterator[bytes], view: View) -> dict[str, Trader]:
    """A whole reply. Raises BadReply."""
    reader = ReplyReader(view)
    for piece in pieces:
        reader.take(piece)
    return reader.finish()


def _shown(key: bytes) -> str:
    return f'"{key[:40].decode("ascii")}"'


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of short-lived objects without a cycle among them: looking for cycles costs more than the parsing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
