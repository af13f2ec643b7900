"""A trader's closed positions, known by their text: what does not change is read once. Pure.

A feed tells a trader's whole history in every reply, oldest first, and only its end changes. So the text of the leading
closed positions is kept by its hash and length; where the next reply has the same text in the same place, it is taken
out of the record before parsing, and what was read from it is put back. The place is proven when it is first found:
what stands behind it parses as exactly the remaining positions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from signal_processors.bittensor_traders import Position, Trader, View

LEAST = 8
"""Fewer positions than that are not worth it; and so many new ones at its end make it worth looking again."""

_LIST = re.compile(rb'"positions"\s{0,8}:\s{0,8}\[\s{0,64}')
_NEXT = re.compile(rb"\}\s{0,64},\s{0,64}(?=\{)")


@dataclass(frozen=True, slots=True)
class Past:
    """`count` positions in `size` bytes of text whose hash is `mark`; `positions` are those of them that count."""

    count: int
    size: int
    mark: int
    positions: tuple[Position, ...]


NOTHING = Past(0, 0, 0, ())


def without(text: bytes, past: Past) -> bytes | None:
    """The record's text without its known past; None where it does not hold that past in that place."""
    found = _LIST.search(text)
    if found is None or not past.count:
        return None
    start, end = found.end(), found.end() + past.size
    if hash(text[start:end]) != past.mark or text[end : end + 1] != b",":
        return None
    return text[:start] + text[end + 1 :]


def past_of(text: bytes, record: Mapping[str, Any], trader: Trader, view: View) -> Past:
    """The past in a record that was read as a whole; NOTHING where it is short, or its end cannot be proven."""
    positions = record["positions"]
    count = leading_closed(record)
    count -= count == len(positions)  # something must be left behind it
    begin = _LIST.search(text)
    if begin is None or count < LEAST:
        return NOTHING
    last, rest = positions[count - 1], positions[count:]
    at = text.find(str(last.get("position_uuid")).encode(), begin.end())
    orders = last.get("orders")
    for _ in range(len(orders) + 2 if isinstance(orders, list) else 0):
        found = _NEXT.search(text, at) if at >= 0 else None
        if found is None:
            return NOTHING
        at = found.end()
        if _parses_to(text[at:], rest):
            history = text[begin.end() : found.start() + 1]
            counted = sum(one["trade_pair"][0] in view.assets for one in positions[:count])
            return Past(count, len(history), hash(history), trader.positions[:counted])
    return NOTHING


def leading_closed(record: Mapping[str, Any]) -> int:
    """How many positions come before the first that is open."""
    positions = record["positions"]
    return next((n for n, one in enumerate(positions) if one.get("is_closed_position") is not True), len(positions))


def _parses_to(tail: bytes, rest: object) -> bool:
    try:
        return bool(from_json(b'{"positions": [' + tail, allow_inf_nan=False).get("positions") == rest)
    except ValueError:
        return False
