"""BloFin on the wire: envelope, refusals, parameters, pages.

Source: https://docs.blofin.com. Everything is text, in bodies too; a number in a body is taken as the text it is
written as (clients send `leverage` so), a boolean is not: `reduceOnly` is documented as a text, so anything else there
is ignored, which is the worst it can mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from urllib.parse import parse_qsl

from simulator.facades.blofin.codes import BAD_JSON, BAD_PARAMETER, EMPTY_PARAMETER, MESSAGES, OK
from simulator.facades.parts import Json
from simulator.strict import StrictError, loads

T = TypeVar("T")

NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,18})?")
DEFAULT_PAGE, LARGEST_PAGE = 20, 100


class Refusal(Exception):
    """An answer other than success; nothing happened."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = MESSAGES[code] if message is None else message


def envelope(data: object, code: str = OK, message: str = "success") -> bytes:
    """The frame around every answer; one that fails as a whole carries no data."""
    body: dict[str, object] = {"code": code, "msg": message}
    if code == OK or data is not None:
        body["data"] = data
    return json.dumps(body, separators=(",", ":")).encode()


def long(value: Decimal) -> str:
    """With eighteen decimals, as the venue prints money and most prices."""
    return format(value, ".18f")


def wrong(name: str) -> Refusal:
    return Refusal(BAD_PARAMETER, f"Parameter {name} error.")


class Params:
    """The parameters of one request, by name."""

    def __init__(self, values: Json) -> None:
        self._values = values

    @staticmethod
    def of_query(query: str) -> Params:
        return Params(dict(parse_qsl(query, keep_blank_values=True)))

    @staticmethod
    def of_body(body: bytes) -> Params:
        try:
            return Params(loads(body or b"{}"))
        except StrictError:
            raise Refusal(BAD_JSON) from None

    def text(self, name: str, default: str = "") -> str:
        """A text; absent, null and empty are all `default`."""
        value = self._values.get(name)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return format(value, "f") if isinstance(value, Decimal) else str(value)
        if value is None or value == "":
            return default
        if not isinstance(value, str):
            raise wrong(name)
        return value

    def needed(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise Refusal(EMPTY_PARAMETER, f"Parameter {name} cannot be empty.")
        return value

    def one_of(self, name: str, allowed: Iterable[str], default: str = "") -> str:
        value = self.text(name, default)
        if not value:
            raise Refusal(EMPTY_PARAMETER, f"Parameter {name} cannot be empty.")
        if value not in allowed:
            raise wrong(name)
        return value

    def flag(self, name: str) -> bool:
        """The text `true`; see the module for everything else."""
        return self._values.get(name) == "true"

    def number(self, name: str) -> Decimal | None:
        """A decimal, not negative; None if absent."""
        value = self.text(name)
        if not value:
            return None
        if not NUMBER.fullmatch(value):
            raise wrong(name)
        return Decimal(value)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if not value.isdecimal() or len(value) > 16 or not low <= int(value) <= high:
            raise wrong(name)
        return int(value)

    def given(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that carry a value."""
        return [name for name in names if self._values.get(name) not in (None, "")]


@dataclass(frozen=True, slots=True)
class Page:
    """How a list, newest first, is cut: `limit` rows after (older than) one id, or before (newer than) one."""

    limit: int
    after: str
    before: str

    @staticmethod
    def of(params: Params) -> Page:
        page = Page(params.integer("limit", DEFAULT_PAGE, 1, LARGEST_PAGE), params.text("after"), params.text("before"))
        if page.after and page.before:
            raise wrong("after")
        return page

    def cut(self, rows: Sequence[T], ids: Sequence[str]) -> Sequence[T]:
        """`ids` of the rows, in their order. An id that is not among them leaves nothing to show."""
        edge = self.after or self.before
        if edge and edge not in ids:
            return ()
        if self.after:
            rows = rows[ids.index(self.after) + 1 :]
        elif self.before:
            rows = rows[: ids.index(self.before)]
        return rows[: self.limit]
