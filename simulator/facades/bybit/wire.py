"""Bybit V5 on the wire: envelope, refusals, parameters, cursors; numbers and targets are those of `facades.parts`.

Sources: https://bybit-exchange.github.io/docs/v5/guide (envelope), /docs/v5/intro (paging), recorded answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from urllib.parse import parse_qsl, quote, unquote

from simulator.facades.bybit.codes import PARAMETER_ERROR
from simulator.facades.parts import Json, Target, money, ms, on
from simulator.strict import StrictError, loads

__all__ = ["Json", "Page", "Params", "Refusal", "Target", "envelope", "money", "ms", "on", "refuse_parameter"]

Row = TypeVar("Row")

CURSOR_NAME = "page_token="
NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


class Refusal(Exception):
    """An answer other than success; nothing happened. `result` is the object some refusals carry."""

    def __init__(self, code: int, message: str, result: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.result: Json = {} if result is None else result


def envelope(result: Json, time_ms: int, code: int = 0, message: str = "OK") -> bytes:
    """The frame around every answer; `time` is the venue's clock in milliseconds."""
    text = json.dumps(
        {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": time_ms}, separators=(",", ":")
    )
    return text.encode()


# --- parameters -------------------------------------------------------------------------------------------------------


def refuse_parameter(what: str) -> Refusal:
    return Refusal(PARAMETER_ERROR, f"params error: {what}")


class Params:
    """The parameters of one request. A query gives texts only; a body must give the documented JSON types."""

    def __init__(self, values: Json, *, from_query: bool) -> None:
        self._values = values
        self._from_query = from_query

    @staticmethod
    def of_query(query: str) -> Params:
        return Params(dict(parse_qsl(query, keep_blank_values=True)), from_query=True)

    @staticmethod
    def of_body(body: bytes) -> Params:
        try:
            return Params(loads(body or b"{}"), from_query=False)
        except StrictError as error:
            raise refuse_parameter(f"the body is unreadable: {error}") from error

    def text(self, name: str, default: str = "") -> str:
        """A text; absent, null and empty are all `default`."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        if not isinstance(value, str):
            raise refuse_parameter(f"{name} must be a string")
        return value

    def needed(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise refuse_parameter(f"{name} is required")
        return value

    def one_of(self, name: str, allowed: Iterable[str], default: str = "") -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise refuse_parameter(f"{name} invalid")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number in [low, high]; bodies carry numbers, queries texts."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise refuse_parameter(f"{name} must be an integer")
        number = str(value)
        if not number.removeprefix("-").isdecimal() or len(number) > 19 or not low <= int(number) <= high:
            raise refuse_parameter(f"{name} invalid")
        return int(number)

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if value is None or value == "":
            return False
        if self._from_query and value in ("true", "false"):
            return value == "true"
        if not isinstance(value, bool):
            raise refuse_parameter(f"{name} must be a boolean")
        return value

    def number(self, name: str) -> Decimal | None:
        """A decimal written as text, not negative; None if absent."""
        text = self.text(name)
        if not text:
            return None
        if not NUMBER.fullmatch(text):
            raise refuse_parameter(f"{name} invalid")
        return Decimal(text)


# --- paging -----------------------------------------------------------------------------------------------------------


def cursor_of(key: str) -> str:
    return quote(f"{CURSOR_NAME}{key}&", safe="")


def key_of(cursor: str) -> str:
    """The key in a cursor, whether the client sent the token as it got it or encoded it once more."""
    text = unquote(cursor)
    if not text.startswith(CURSOR_NAME) or not text.endswith("&"):
        raise refuse_parameter("cursor invalid")
    return text.removeprefix(CURSOR_NAME).removesuffix("&")


@dataclass(frozen=True, slots=True)
class Page:
    """How a list is cut: `limit` rows after `cursor`. A full page always names a next one, even if that is empty."""

    limit: int
    cursor: str

    @staticmethod
    def of(params: Params, default: int, maximum: int) -> Page:
        return Page(params.integer("limit", default, 1, maximum), params.text("cursor"))

    def cut(
        self, rows: Sequence[Row], key: Callable[[Row], str], *, newest_first: bool = False
    ) -> tuple[Sequence[Row], str]:
        """The rows of this page and the next cursor. `key` grows along the list, or falls with `newest_first`."""
        if self.cursor:
            last = key_of(self.cursor)
            rows = [row for row in rows if (key(row) < last if newest_first else key(row) > last)]
        chosen = rows[: self.limit]
        return chosen, cursor_of(key(chosen[-1])) if len(chosen) == self.limit else ""
