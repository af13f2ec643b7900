"""Field types of the configuration files. Numbers are decimals from the text on: no float is ever between."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,18})?", re.ASCII)
SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._:-]{1,63}", re.ASCII)
SOURCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
ACCOUNT = re.compile(r"[a-z0-9-]{3,40}", re.ASCII)
SOURCE_SYMBOL = re.compile(r"[!-~]{1,64}", re.ASCII)
HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}", re.ASCII)
OFF = "off"
AUTO = "auto"
Word = TypeVar("Word", bound=StrEnum)


def number(value: Any) -> Decimal:
    """A JSON or TOML number, or a decimal string, as an exact decimal below 10^15. Raises ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError(f"must be a number such as 0.25, not {kind(value)}")  # noqa: TRY004 - pydantic's contract
    if isinstance(value, str) and NUMBER.fullmatch(value) is None:
        raise ValueError("must be a number such as 0.25: plain digits, at most 15 before and 18 after the point")
    exact = value if isinstance(value, Decimal) else Decimal(value)
    if not exact.is_finite() or exact.adjusted() >= 15 or int(exact.as_tuple().exponent) < -18:
        raise ValueError("is out of range: at most 15 digits before and 18 after the point")
    return exact


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    names = {
        bool: "true or false",
        int: "a number",
        Decimal: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _bounds(low: str, high: str, *, open_low: bool) -> str:
    return f"above {low} and at most {high}" if open_low else f"between {low} and {high}"


def within(low: str, high: str, *, open_low: bool = False) -> Callable[[Any], Decimal]:
    """A check for numbers in [low, high], or (low, high] with `open_low`."""
    least, most = Decimal(low), Decimal(high)

    def check(value: Any) -> Decimal:
        exact = number(value)
        if exact > most or exact < least or (open_low and exact == least):
            raise ValueError(f"must be {_bounds(low, high, open_low=open_low)}, is {_short(value)}")
        return exact

    return check


def seconds(low: str, high: str) -> Callable[[Any], float]:
    """A duration in seconds, [low, high]. Durations are the one place where a float may stand."""
    check = within(low, high)
    return lambda value: float(check(value))


def whole(low: int, high: int) -> Callable[[Any], int]:
    check = within(str(low), str(high))

    def exact(value: Any) -> int:
        found = check(value)
        if found != found.to_integral_value():
            raise ValueError(f"must be a whole number, is {_short(value)}")
        return int(found)

    return exact


def or_off(check: Callable[[Any], Any], word: str = OFF) -> Callable[[Any], Any]:
    """`null` or the text `off` (TOML has no null) switch a limit off; anything else must pass `check`."""

    def checked(value: Any) -> Any:
        return None if value is None or value == word else check(value)

    return checked


def one_of(words: type[Word]) -> Callable[[Any], Word]:
    """One of an enumeration's words."""
    known = ", ".join(word.value for word in words)

    def check(value: Any) -> Word:
        if not isinstance(value, str) or value not in {word.value for word in words}:
            raise ValueError(f"must be one of {known}; is {_short(value)}")
        return words(value)

    return check


def named(pattern: re.Pattern[str], what: str, example: str) -> Callable[[Any], str]:
    """A text that matches `pattern` as a whole."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be {what} such as {example}, not {kind(value)}")  # noqa: TRY004 - pydantic's contract
        if pattern.fullmatch(value) is None:
            raise ValueError(f"{_short(value)} is not {what}: write it like {example} ({pattern.pattern})")
        return value

    return check


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal | int) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def network(value: Any) -> str:
    """An address or network, `10.0.0.1` or `10.0.0.0/8`."""
    if not isinstance(value, str):
        raise ValueError(f"must be an address such as 127.0.0.1, not {kind(value)}")  # noqa: TRY004 - pydantic's contract
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{_short(value)} is not an address or network such as 10.0.0.0/8") from error
    return value


check_symbol = named(SYMBOL, "a symbol", "BTCUSDT")
check_source = named(SOURCE, "a source name", "tradingview")
check_account = named(ACCOUNT, "an account id", "bybit-main")
check_source_symbol = named(SOURCE_SYMBOL, "a source's own symbol", "BTCUSD")

SymbolText = Annotated[str, BeforeValidator(check_symbol)]
SourceText = Annotated[str, BeforeValidator(check_source)]
AccountText = Annotated[str, BeforeValidator(check_account)]
SourceSymbolText = Annotated[str, BeforeValidator(check_source_symbol)]
Network = Annotated[str, BeforeValidator(network)]
Host = Annotated[str, BeforeValidator(named(HOST, "a host name or address", "127.0.0.1"))]
Port = Annotated[int, BeforeValidator(whole(1, 65535))]
