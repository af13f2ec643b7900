"""JSON as the simulator takes it: one object, no NaN or Infinity, no duplicate keys, numbers exact."""

from __future__ import annotations

import json
from decimal import Decimal


class StrictError(Exception):
    """The text is not what it should be; the message says where."""


def _no_constant(name: str) -> object:
    raise StrictError(f"{name} is not a number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise StrictError(f"the key {next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return found


def loads(data: bytes) -> dict[str, object]:
    """A JSON object; numbers with a fraction come as `Decimal`. Raises `StrictError`."""
    try:
        value = json.loads(
            data.decode(), parse_constant=_no_constant, parse_float=Decimal, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        raise StrictError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise StrictError("not a JSON object")
    return value
