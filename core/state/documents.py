"""Signal documents, `signals/<source>.json`: a source's whole opinion under its own symbols.

    {"schema": 1, "source": "tradingview", "revision": 412, "written_at": "2026-11-20T09:12:44.123Z",
     "signals": {"BTCUSDT": {"depth": "0.1408", "timestamp": "2026-11-20T09:12:44.101Z", "leverage": "3",
                 "price": "64617.05", "meta": {…}}}}

Numbers are written as plain text and read as text or JSON numbers. `leverage`, `price` and `meta` may be left out.
Unknown fields are ignored, so that a source may say more than this version understands.
"""

from __future__ import annotations

import re
from decimal import Decimal

from core.domain import Document, Signal, SourceName, plain
from core.errors import ConfigError
from core.state import fields
from core.state.instants import format_instant
from core.state.jsonfile import encode, loads

SCHEMA = 1
MAX_SIGNALS = 10_000

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def source_name(value: object, where: str) -> SourceName:
    """A valid source name. Raises ConfigError."""
    name = fields.text(value, where)
    if not _SOURCE.fullmatch(name):
        raise ConfigError(where, f"{name[:80]!r} is not a source name: up to 64 of a-z 0-9 _ . -")
    return SourceName(name)


def parse_document(data: bytes, where: str = "signal document") -> Document:
    """The document in `data`, whole or not at all. Raises ConfigError naming `where` and the field.

    Depths in [-1, 1]; leverages and prices above 0; instants to the millisecond.
    """
    whole = fields.mapping(loads(data, where), where)
    here = f"{where}: "
    fields.schema(whole, here, SCHEMA)
    signals = fields.mapping(fields.required(whole, "signals", here), f"{here}signals")
    if len(signals) > MAX_SIGNALS:
        raise ConfigError(f"{here}signals", f"holds {len(signals)} symbols, more than {MAX_SIGNALS}")
    return Document(
        source=source_name(fields.required(whole, "source", here), f"{here}source"),
        revision=fields.whole(fields.required(whole, "revision", here), f"{here}revision"),
        written_at=fields.instant(fields.required(whole, "written_at", here), f"{here}written_at"),
        signals={symbol: _signal(symbol, value, f"{here}signals.{symbol[:80]}") for symbol, value in signals.items()},
    )


def _signal(symbol: str, value: object, where: str) -> Signal:
    if not (1 <= len(symbol) <= 64 and symbol.isprintable()):
        raise ConfigError(where, "is not a symbol: 1 to 64 printable characters")
    found = fields.mapping(value, where)
    here = f"{where}."
    depth = fields.decimal(fields.required(found, "depth", here), f"{here}depth")
    if abs(depth) > 1:
        raise ConfigError(f"{here}depth", f"{plain(depth)} is outside -1 to 1")
    return Signal(
        depth=depth,
        timestamp=fields.instant(fields.required(found, "timestamp", here), f"{here}timestamp"),
        leverage=_positive(found.get("leverage"), f"{here}leverage"),
        price=_positive(found.get("price"), f"{here}price"),
        meta=fields.mapping(found.get("meta", {}), f"{here}meta"),
    )


def _positive(value: object, where: str) -> Decimal | None:
    if value is None:
        return None
    number = fields.decimal(value, where)
    if number <= 0:
        raise ConfigError(where, f"{plain(number)} is not above 0")
    return number


def render_document(document: Document) -> bytes:
    """The document as its file, one symbol to a line. Read back it is `document`, its instants to the millisecond."""
    head = encode(
        {
            "schema": SCHEMA,
            "source": document.source,
            "revision": document.revision,
            "written_at": format_instant(document.written_at),
        }
    )
    lines = [encode(symbol) + b": " + encode(_rendered(signal)) for symbol, signal in document.signals.items()]
    body = b"{\n" + b",\n".join(lines) + b"\n}" if lines else b"{}"
    return head[:-1] + b',"signals":' + body + b"}\n"


def _rendered(signal: Signal) -> dict[str, object]:
    rendered: dict[str, object] = {"depth": plain(signal.depth), "timestamp": format_instant(signal.timestamp)}
    if signal.leverage is not None:
        rendered["leverage"] = plain(signal.leverage)
    if signal.price is not None:
        rendered["price"] = plain(signal.price)
    if signal.meta:
        rendered["meta"] = dict(signal.meta)
    return rendered
