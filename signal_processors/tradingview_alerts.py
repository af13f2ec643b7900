"""TradingView alerts, purely: from bytes to an alert or a refusal. No clock, no disk, no configuration of its own.

The endpoint judges what arrives with it, the processor reads the raw log with it, so both understand every alert the
same way. What follows from an alert (order, repeats) stands in `tradingview_order`.

Wire facts, from TradingView's help pages ("How to configure webhook alerts", "I need to know how strategy alerts
work"): the body is whatever the user typed, with placeholders filled in; it is announced as JSON only when it is valid
JSON, else as text/plain; `{{timenow}}` is UTC to the second, like 2026-11-20T09:12:44Z; `{{strategy.market_position}}`
is long, short or flat.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import NamedTuple, TypeAlias, TypeVar

from core.domain import ZERO
from core.errors import ConfigError
from core.state import loads, parse_instant

MAX_BODY_BYTES = 16 * 1024
MAX_LEVERAGE = Decimal(125)
FULL_DEPTH = Decimal(1)
DEPTH_STEP = Decimal("0.000000000001")

NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,12})?")
SEQUENCE = re.compile(r"[0-9]{1,18}")
EVENT_ID = re.compile(r"[!-~]{1,128}")
SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._:-]{1,63}")
EXCHANGE_PREFIX = re.compile(r"[A-Z0-9_]{1,32}:")
PERPETUAL_SUFFIX = ".P"

T = TypeVar("T")

_quoted = json.encoder.encode_basestring_ascii


class Number(NamedTuple):
    """A JSON number with a fraction or exponent, as written: its text decides whether it is well-formed."""

    literal: str


Fields: TypeAlias = Mapping[str, object]
"""The top level of a body: texts, ints, Numbers, booleans, None, lists and dicts of them."""


class Direction(StrEnum):
    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an alert is not one: the field (`body` for the whole) and the reason, in words for its sender."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent, as a line of ASCII JSON; `digest` is equal for equal bodies, however their fields are ordered."""

    fields: Fields
    text: str
    digest: str

    @staticmethod
    def of(fields: Fields) -> Body:
        parts = [f"{_quoted(key)}:{body_text(value)}" for key, value in fields.items()]
        digest = hashlib.blake2b(",".join(sorted(parts)).encode(), digest_size=16).hexdigest()
        return Body(fields, "{" + ",".join(parts) + "}", digest)


@dataclass(frozen=True, slots=True)
class Alert:
    """One opinion on one symbol, as sent. `depth` is signed, 0 exactly when flat; `time` epoch seconds.

    `body` is the body without its token; `notes` says which optional fields of a flat alert were not understood.
    """

    symbol: str
    direction: Direction
    depth: Decimal
    leverage: Decimal | None
    price: Decimal | None
    time: float | None
    signal_seq: int | None
    prev_direction: Direction | None
    event_id: str | None
    body: Body
    notes: tuple[str, ...] = ()


class _Refused(ValueError):
    """Carries a refusal out of the reading of one field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(field, reason)


# --- from bytes to fields and back ------------------------------------------------------------------------------------


def read_body(body: bytes) -> dict[str, object] | Refusal:
    """The fields of a body: strict JSON (core.state), an object at the top, whatever the content type said."""
    try:
        found = loads(body, "body", real=Number)
    except ConfigError as error:
        where = error.where.removeprefix("body").removeprefix(": ")
        return Refusal("body", f"{where}: {error.problem}" if where else error.problem)
    if not isinstance(found, dict):
        return Refusal("body", 'must be a JSON object such as {"symbol":"SOLUSDT","direction":"flat"}')
    return found


def body_text(value: object) -> str:
    """One line of ASCII JSON that reads back as `value`, numbers as they were written."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Number):
        return value.literal
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{body_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(body_text, value)) + "]"
    return json.dumps(value)


# --- from fields to an alert ------------------------------------------------------------------------------------------


def read_alert(fields: Fields, max_depth: Decimal = FULL_DEPTH) -> Alert | Refusal:
    """The alert in `fields`; an entry deeper than `max_depth` (a share, 0 to 1) is refused.

    An alert that goes flat needs a symbol and a direction only: nothing else in it can make it fail.
    """
    try:
        symbol, direction = _symbol(fields), _direction(fields, "direction")
        if direction is Direction.FLAT:
            return _flat(symbol, fields)
        return _entry(symbol, direction, fields, max_depth)
    except _Refused as refused:
        return refused.refusal


def _entry(symbol: str, direction: Direction, fields: Fields, max_depth: Decimal) -> Alert:
    depth = _depth(direction, fields)
    if abs(depth) > max_depth:
        where = "size" if "size" in fields else "depth"
        raise _Refused(where, f"asks for a depth of {depth.normalize():f}; max_depth allows {max_depth:f}")
    action = fields.get("action", "buy")
    if action not in ("buy", "sell"):
        raise _Refused("action", f"must be buy or sell where it is given; is {_shown(action)}")
    return Alert(
        symbol=symbol,
        direction=direction,
        depth=depth,
        leverage=_leverage(fields),
        price=_price(fields),
        time=_time(fields),
        signal_seq=_sequence(fields),
        prev_direction=_previous(fields),
        event_id=_event_id(fields),
        body=Body.of(fields),
    )


def _flat(symbol: str, fields: Fields) -> Alert:
    time, no_time = _lenient(_time, fields)
    sequence, no_sequence = _lenient(_sequence, fields)
    previous, no_previous = _lenient(_previous, fields)
    event_id, no_event_id = _lenient(_event_id, fields)
    price, no_price = _lenient(_price, fields)
    leverage, no_leverage = _lenient(_leverage, fields)
    return Alert(
        symbol=symbol,
        direction=Direction.FLAT,
        depth=ZERO,
        leverage=leverage,
        price=price,
        time=time,
        signal_seq=sequence,
        prev_direction=previous,
        event_id=event_id,
        body=Body.of(fields),
        notes=(*no_time, *no_sequence, *no_previous, *no_event_id, *no_price, *no_leverage),
    )


def _lenient(read: Callable[[Fields], T | None], fields: Fields) -> tuple[T | None, tuple[str, ...]]:
    """What `read` finds, or None and a note of what it refused."""
    try:
        return read(fields), ()
    except _Refused as refused:
        return None, (f"{refused.refusal.field} not used: {refused.refusal.reason}",)


# --- the fields one by one; each raises _Refused ----------------------------------------------------------------------


def _shown(value: object) -> str:
    """A value in a message: short, and with a hint where a placeholder was left as it is."""
    text = body_text(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    if "{{" in text:
        text += " (a placeholder that was not filled in: some exist in strategy alerts only)"
    return text


def _text(fields: Fields, name: str, example: str) -> str:
    if name not in fields:
        raise _Refused(name, f'is missing; add it, for example "{name}":"{example}"')
    value = fields[name]
    if not isinstance(value, str):
        raise _Refused(name, f'must be a text such as "{example}"; is {_shown(value)}')
    return value


def _symbol(fields: Fields) -> str:
    """The ticker without exchange prefix and perpetual suffix: `BYBIT:SOLUSDT.P` -> `SOLUSDT`."""
    given = _text(fields, "symbol", "SOLUSDT")
    prefix = EXCHANGE_PREFIX.match(given)
    symbol = (given[prefix.end() :] if prefix else given).removesuffix(PERPETUAL_SUFFIX)
    if SYMBOL.fullmatch(symbol) is None:
        raise _Refused("symbol", f"must be a ticker such as SOLUSDT or BYBIT:SOLUSDT.P; is {_shown(given)}")
    return symbol


def _direction(fields: Fields, name: str) -> Direction:
    given = _text(fields, name, "long")
    if given not in list(Direction):
        raise _Refused(name, f"must be long, short or flat; is {_shown(given)}")
    return Direction(given)


def _number(fields: Fields, name: str) -> Decimal:
    value = fields[name]
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, Number):
        text = value.literal
    elif isinstance(value, str):
        text = value
    else:
        raise _Refused(name, f"must be a number; is {_shown(value)}")
    return _parsed(name, text)


def _parsed(name: str, text: str) -> Decimal:
    if NUMBER.fullmatch(text) is None:
        shown = _shown(text)
        raise _Refused(name, f"must be a plain number, at most 9 digits before the point and 12 after it; is {shown}")
    return Decimal(text)


def _depth(direction: Direction, fields: Fields) -> Decimal:
    """Signed depth from `size` X/Y or `depth`; the sign is the direction's, and the number may not contradict it."""
    sizes = {name: read(fields) for name, read in (("size", _share), ("depth", _plain_depth)) if name in fields}
    if not sizes:
        raise _Refused("size", 'is missing; add "size":"X/Y" (X of Y) or "depth":"0.25" (a share from -1 to 1)')
    for name, value in sizes.items():
        if value == 0:
            raise _Refused(name, f"is 0 while direction is {direction}; to close send direction flat")
        if value < 0 and direction is Direction.LONG:
            raise _Refused(name, "is negative while direction is long; they contradict each other")
    shares = {abs(value) for value in sizes.values()}
    if len(shares) > 1:
        raise _Refused("depth", "contradicts size; send one of them")
    share = shares.pop()
    return share if direction is Direction.LONG else -share


def _share(fields: Fields) -> Decimal:
    given = _text(fields, "size", "14.08/100")
    if given.lower().startswith("exit"):
        raise _Refused("size", "says exit while direction says an entry; they contradict each other")
    above, slash, below = given.partition("/")
    if not slash:
        raise _Refused("size", f'must be "X/Y" such as "14.08/100", or "Exit"; is {_shown(given)}')
    x, y = _parsed("size", above), _parsed("size", below)
    if y <= 0:
        raise _Refused("size", f"divides by {y:f}; the number after the slash must be above 0")
    return _bounded("size", x / y)


def _plain_depth(fields: Fields) -> Decimal:
    return _bounded("depth", _number(fields, "depth"))


def _bounded(name: str, value: Decimal) -> Decimal:
    if abs(value) > FULL_DEPTH:
        raise _Refused(name, f"asks for a depth of {value.normalize():f}; a depth lies between -1 and 1")
    return value.quantize(DEPTH_STEP, rounding=ROUND_DOWN).normalize()


def _leverage(fields: Fields) -> Decimal | None:
    if "leverage" not in fields:
        return None
    leverage = _number(fields, "leverage")
    if not 1 <= leverage <= MAX_LEVERAGE:
        raise _Refused("leverage", f"must lie between 1 and {MAX_LEVERAGE}; is {leverage:f}")
    return leverage


def _price(fields: Fields) -> Decimal | None:
    if "price" not in fields:
        return None
    price = _number(fields, "price")
    if price <= 0:
        raise _Refused("price", f"must be above 0; is {price:f}")
    return price


def _time(fields: Fields) -> float | None:
    if "time" not in fields:
        return None
    given = _text(fields, "time", "{{timenow}}")
    try:
        return parse_instant(given)
    except (ValueError, OverflowError):
        raise _Refused("time", f"must be an instant such as 2026-11-20T09:12:44Z; is {_shown(given)}") from None


def _sequence(fields: Fields) -> int | None:
    if "signal_seq" not in fields:
        return None
    value = fields["signal_seq"]
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or SEQUENCE.fullmatch(text) is None:
        raise _Refused("signal_seq", f"must be a whole number of at most 18 digits; is {_shown(value)}")
    return int(text)


def _previous(fields: Fields) -> Direction | None:
    return _direction(fields, "prev_direction") if "prev_direction" in fields else None


def _event_id(fields: Fields) -> str | None:
    if "event_id" not in fields:
        return None
    value = fields["event_id"]
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or EVENT_ID.fullmatch(text) is None:
        raise _Refused("event_id", f"must be 1 to 128 printable ASCII characters without blanks; is {_shown(value)}")
    return text
