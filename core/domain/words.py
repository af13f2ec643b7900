"""Names, enumerations and the few arithmetic rules everything shares."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NewType

Symbol = NewType("Symbol", str)
"""Canonical symbol, opaque, never split: `[A-Z0-9][A-Za-z0-9._:-]{1,63}`; a bare `BTCUSDT` is a linear perpetual."""
AccountId = NewType("AccountId", str)
"""`<venue>-<name>`, `[a-z0-9-]{3,40}`; the same in files, status, API and logs."""
SourceName = NewType("SourceName", str)
"""Name of a signal source, `[a-z0-9][a-z0-9_.-]{0,63}`."""
ClientId = NewType("ClientId", str)
"""The id we give an order, already encoded for its venue; never recurs."""

ZERO = Decimal(0)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @staticmethod
    def of(signed: Decimal) -> Side:
        """The side that trades `signed` contracts (positive buys)."""
        return Side.BUY if signed > 0 else Side.SELL


class MarginMode(StrEnum):
    ISOLATED = "isolated"
    CROSS = "cross"


class PositionMode(StrEnum):
    ONE_WAY = "one_way"
    HEDGE = "hedge"


class AccountMode(StrEnum):
    LIVE = "live"
    CLOSE_ONLY = "close_only"
    DRY_RUN = "dry_run"
    DISABLED = "disabled"


class OrderKind(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"


class Purpose(StrEnum):
    TARGET = "target"
    PROTECTIVE = "protective"


class SymbolState(StrEnum):
    CONVERGED = "CONVERGED"
    OUT_OF_SYNC = "OUT_OF_SYNC"
    DRIFTED = "DRIFTED"
    HELD = "HELD"
    NO_SIGNAL = "NO_SIGNAL"
    FOREIGN = "FOREIGN"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    DUST = "DUST"
    UNRESOLVED = "UNRESOLVED"
    BLOCKED = "BLOCKED"


class Scope(StrEnum):
    """What a hold forbids. A BLOCKED state names `increases` or `all`; the others pace single kinds of step."""

    INCREASES = "increases"
    ALL = "all"
    REDUCTIONS = "reductions"
    """Only the next reduction waits (a rejected one is paced)."""
    LEVERAGE = "leverage"
    """Only the next leverage or margin-mode change waits."""


class Halt(StrEnum):
    NONE = "NONE"
    HALT_INCREASES = "HALT_INCREASES"
    FLATTEN = "FLATTEN"
    FLATTEN_ALL = "FLATTEN_ALL"

    @property
    def flattens(self) -> bool:
        return self in (Halt.FLATTEN, Halt.FLATTEN_ALL)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """`value` rounded toward zero to a multiple of `step` (> 0). The one rounding function for sizes.

    Integer division, because a quotient rounded to the context's precision could reach the next multiple.
    """
    return value // step * step


def tick_inward(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """A limit price rounded to the tick toward the market: a buy is rounded down, a sell up."""
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return (price / tick).to_integral_value(rounding=rounding) * tick


def same_sign(a: Decimal, b: Decimal) -> bool:
    return (a > 0 and b > 0) or (a < 0 and b < 0)


def toward_zero(old: Decimal, new: Decimal) -> Decimal:
    """`new` taken downward only against `old`: same sign the smaller magnitude, any other sign 0."""
    return min(old, new, key=abs) if same_sign(old, new) else ZERO


def plain(value: Decimal) -> str:
    """A decimal as people write it: no exponent, no trailing zeros. `Decimal('1.500E+1')` -> `'15'`."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
