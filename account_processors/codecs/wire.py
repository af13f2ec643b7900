"""Reading what a venue sent, strictly: a field that is missing or not what it should be is never a zero."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.errors import EngineError

Row = Mapping[str, Any]
"""One JSON object as received."""

LATEST_MS = 10**14
"""Timestamps are smaller; what is larger is in another unit, or no timestamp."""
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")


class Malformed(EngineError):
    """A payload is not what the venue documents. A read fails on it; a send becomes ambiguous by it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with its body parsed: `payload` None when it is not one JSON object. Times are epoch seconds, ours.

    `venue_time_s` is the venue's clock in the answer (None where it carries none); `retry_after_s` what a limit or ban
    in the headers asks for; `place` names the request in messages.
    """

    status: int
    payload: Row | None
    sent_at: float
    received_at: float
    place: str
    venue_time_s: float | None = None
    retry_after_s: float | None = None


def loads(body: bytes) -> Row:
    """The JSON object in `body`; fractions as `Decimal`. NaN, Infinity, duplicate keys and other types: `Malformed`."""
    return table(document(body), "the answer")


def document(body: bytes, texts: bool = False) -> Any:
    """Any JSON value, read as strictly as by `loads`; `texts`: numbers stay the texts they were written as."""
    fraction, whole = (str, str) if texts else (Decimal, int)
    try:
        return json.loads(
            body, parse_constant=_refuse, parse_float=fraction, parse_int=whole, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON ({error})") from None


def _refuse(constant: str) -> None:
    raise Malformed(f"{constant} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key occurs twice")
    return found


def table(value: object, what: str) -> Row:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not an object")
    return value


def rows(row: Row, key: str) -> list[Row]:
    """The list of objects under `key`."""
    value = row.get(key)
    if not isinstance(value, list):
        raise Malformed(f"{key} is not a list")
    return [table(item, f"an entry of {key}") for item in value]


def text(row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{key} is missing")
    return value


def number(row: Row, key: str) -> Decimal:
    """A finite decimal, written as a string or a JSON number."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Malformed(f"{key} is not a number")
    if not _NUMBER.fullmatch(written := str(value)):
        raise Malformed(f"{key} is not a number: {written[:60]!r}")
    return Decimal(written)


def number_or_none(row: Row, key: str) -> Decimal | None:
    """As `number`; None where the venue leaves the field out or empty."""
    return None if row.get(key) in (None, "") else number(row, key)


def positive(row: Row, key: str) -> Decimal:
    if (value := number(row, key)) <= 0:
        raise Malformed(f"{key} is {value}, not above 0")
    return value


def integer(row: Row, key: str) -> int:
    value = number(row, key)
    if value != int(value):
        raise Malformed(f"{key} is not a whole number")
    return int(value)


def epoch_s(row: Row, key: str) -> float:
    """A millisecond timestamp as epoch seconds."""
    if not 0 <= (value_ms := integer(row, key)) < LATEST_MS:
        raise Malformed(f"{key} is no instant")
    return value_ms / 1000
