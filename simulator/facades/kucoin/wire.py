"""KuCoin Futures on the wire: envelope, refusals, parameters, numbered pages.

Source: https://www.kucoin.com/docs-new/introduction and recorded answers. Numbers of money are JSON numbers in some
fields and texts in others, as the recorded answers have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from urllib.parse import parse_qsl

from core.domain import plain
from simulator.facades.kucoin.codes import MESSAGES, PARAMETER_ERROR, SUCCESS
from simulator.facades.parts import Json, rendered
from simulator.strict import StrictError, loads

Row = TypeVar("Row")

NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
LARGEST_PAGE = 1000
DEFAULT_PAGE = 50


class Refusal(Exception):
    """An answer other than success; nothing happened."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = MESSAGES.get(code, f"error {code}") if message is None else message


def refuse_parameter(what: str) -> Refusal:
    return Refusal(PARAMETER_ERROR, what)


def success(data: object) -> bytes:
    return rendered({"code": SUCCESS, "data": data}).encode()


def failure(code: str, message: str) -> bytes:
    return rendered({"msg": message, "code": code}).encode()


# --- parameters -------------------------------------------------------------------------------------------------------


class Params:
    """The parameters of one request. Queries give texts; bodies texts, numbers and booleans, which the venue takes
    alike where a number is meant."""

    def __init__(self, values: Json) -> None:
        self._values = values

    @staticmethod
    def of_query(query: str) -> Params:
        return Params(dict(parse_qsl(query, keep_blank_values=True)))

    @staticmethod
    def of_body(body: bytes) -> Params:
        try:
            return Params(loads(body or b"{}"))
        except StrictError as error:
            raise refuse_parameter(f"the body is unreadable: {error}") from error

    def given(self, name: str) -> bool:
        return self._values.get(name) not in (None, "", False)

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
            raise refuse_parameter(f"{name} parameter invalid.")
        return value

    def number(self, name: str) -> Decimal | None:
        """A decimal, not negative; None if absent."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        written = plain(value) if isinstance(value, Decimal) else str(value)
        if isinstance(value, bool) or not NUMBER.fullmatch(written):
            raise refuse_parameter(f"{name} parameter invalid.")
        return Decimal(written)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name)
        if value is None:
            return default
        if value != int(value) or not low <= value <= high:
            raise refuse_parameter(f"{name} parameter invalid.")
        return int(value)

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if value in (None, "", "false"):
            return False
        if value is not True and value is not False and value != "true":
            raise refuse_parameter(f"{name} parameter invalid.")
        return bool(value)


# --- pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """How a list is cut: page `number` (from 1) of `size` rows."""

    number: int
    size: int

    @staticmethod
    def of(params: Params) -> Page:
        size = params.integer("pageSize", DEFAULT_PAGE, 1, LARGEST_PAGE)
        return Page(params.integer("currentPage", 1, 1, 1 << 31), size)

    def cut(self, rows: Sequence[Row]) -> Sequence[Row]:
        return rows[(self.number - 1) * self.size : self.number * self.size]

    def frame(self, rows: Sequence[object], total: int) -> Json:
        pages = -(-total // self.size)
        return {
            "currentPage": self.number,
            "pageSize": self.size,
            "totalNum": total,
            "totalPage": pages,
            "items": list(rows),
        }
