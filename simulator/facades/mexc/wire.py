"""MEXC on the wire: envelope, refusals, parameters, numbered pages.

Source: https://www.mexc.com/api-docs/futures/integration-guide. Figures are JSON numbers; ids are texts in most
answers, as recorded. A body's numbers may be numbers or texts. Lists come bare or in the frame the documentation's
tables show: its examples contradict them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from urllib.parse import parse_qsl

from core.errors import ConfigError
from core.state import jsonfile
from simulator.facades.mexc.codes import MESSAGES, OK, PARAMETER, UNREADABLE
from simulator.facades.parts import Json, rendered

Row = TypeVar("Row")

NUMBER = re.compile(r"[0-9]{1,19}(\.[0-9]{1,18})?")
DEFAULT_PAGE = 20


class Refusal(Exception):
    """An answer other than success; nothing happened."""

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = MESSAGES.get(code, f"error {code}") if message is None else message


def wrong(name: str) -> Refusal:
    return Refusal(PARAMETER, f"Parameter error: {name}")


def success(data: object) -> bytes:
    """A setting is answered without data."""
    body: dict[str, object] = {"success": True, "code": OK}
    return rendered(body if data is None else {**body, "data": data}).encode()


def failure(code: int, message: str) -> bytes:
    return rendered({"success": False, "code": code, "message": message}).encode()


class Params:
    """The parameters of one request."""

    def __init__(self, values: Json) -> None:
        self._values = values

    @staticmethod
    def of_query(query: str) -> Params:
        return Params(dict(parse_qsl(query, keep_blank_values=True)))

    @staticmethod
    def of_body(body: bytes) -> Params:
        """A list is the parameter ''."""
        try:
            value = jsonfile.loads(body or b"{}", "body")
        except ConfigError as error:
            raise Refusal(UNREADABLE) from error
        return Params(value if isinstance(value, dict) else {"": value})

    def given(self, name: str) -> bool:
        return self._values.get(name) not in (None, "", 0, False)

    def listed(self) -> list[object]:
        """A body that is a list; a lone object counts as a list of one."""
        value = self._values.get("", [self._values])
        if not isinstance(value, list):
            raise Refusal(UNREADABLE)
        return value

    def text(self, name: str, default: str = "") -> str:
        """A text; absent, null and empty are all `default`."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        if not isinstance(value, str):
            raise wrong(name)
        return value

    def needed(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise wrong(name)
        return value

    def number(self, name: str) -> Decimal | None:
        """A decimal, not negative; None if absent."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        written = format(value, "f") if isinstance(value, Decimal) else str(value)
        if isinstance(value, bool) or not NUMBER.fullmatch(written):
            raise wrong(name)
        return Decimal(written)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name)
        if value is None:
            return default
        if value != int(value) or not low <= value <= high:
            raise wrong(name)
        return int(value)

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if value in (None, "", "false"):
            return False
        if value is not True and value is not False and value != "true":
            raise wrong(name)
        return bool(value)


# --- pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """How a list is cut: page `number` (from 1) of `size` rows."""

    number: int
    size: int

    @staticmethod
    def of(params: Params, largest: int = 100) -> Page:
        size = params.integer("page_size", DEFAULT_PAGE, 1, 1 << 31)
        return Page(params.integer("page_num", 1, 1, 1 << 31), min(size, largest))

    def cut(self, rows: Sequence[Row]) -> Sequence[Row]:
        return rows[(self.number - 1) * self.size : self.number * self.size]

    def answer(self, rows: Sequence[Json], *, framed: bool) -> object:
        """This page of `rows`; `framed`: with the totals around it."""
        page = list(self.cut(rows))
        if not framed:
            return page
        return {
            "pageSize": self.size,
            "totalCount": len(rows),
            "totalPage": -(-len(rows) // self.size),
            "currentPage": self.number,
            "resultList": page,
        }
