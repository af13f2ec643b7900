"""Typed reading of parsed JSON: each function returns the value or raises ConfigError naming the field.

`where` is the field's full name, `file: signals.BTCUSDT.depth`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from core.errors import ConfigError
from core.state.instants import parse_instant

_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ConfigError(where, f"must be an object, not {_shown(value)}")
    return value


def required(fields: Mapping[str, object], name: str, where: str) -> object:
    if name not in fields:
        raise ConfigError(f"{where}{name}", "is missing")
    return fields[name]


def text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(where, f"must be a text, not {_shown(value)}")
    return value


def whole(value: object, where: str, at_least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise ConfigError(where, f"must be a whole number of at least {at_least}, not {_shown(value)}")
    return value


def decimal(value: object, where: str) -> Decimal:
    """A decimal from plain text (`"-0.25"`) or a JSON number; never through a float."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise ConfigError(where, f"must be a number, not {_shown(value)}")


def instant(value: object, where: str) -> float:
    """Epoch seconds from ISO-8601 text."""
    try:
        return parse_instant(text(value, where))
    except ValueError as error:
        raise ConfigError(where, str(error)) from None


def schema(fields: Mapping[str, object], where: str, newest: int) -> int:
    """The file's schema number; one above `newest` is refused as such, whatever else the file holds."""
    found = whole(required(fields, "schema", where), f"{where}schema", at_least=1)
    if found > newest:
        raise ConfigError(
            f"{where}schema",
            f"is {found}, written by a newer version; this one reads up to {newest}. Update this program.",
        )
    return found


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:40] + "…"
