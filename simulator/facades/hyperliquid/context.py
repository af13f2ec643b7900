"""What a question or an action works with: the exchange, and how the venue behaves where nobody documents it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from core.domain import ZERO
from simulator.exchange import Exchange
from simulator.facades.hyperliquid.wallets import Wallets
from simulator.facades.lag import Lag
from simulator.facades.parts import MONEY_DECIMALS, Json, ms
from simulator.model import ExchangeEvent, Listing

ADDRESS = re.compile(r"(0x)?[0-9a-fA-F]{40}")


class Malformed(Exception):
    """A body the venue cannot make sense of."""


def shown(value: Decimal) -> str:
    """A number as the venue prints it: at most eight decimals, at least one."""
    text = format(value.quantize(MONEY_DECIMALS), "f").rstrip("0")
    text = f"{text}0" if text.endswith(".") else text
    return "0.0" if text == "-0.0" else text


class Traded:
    """What every account ever traded, in USDC."""

    def __init__(self, exchange: Exchange) -> None:
        self._by_account: dict[str, Decimal] = {}
        exchange.subscribe(self._hear)

    def _hear(self, event: ExchangeEvent) -> None:
        if event.fill is not None:
            value = event.fill.quantity * event.fill.price
            self._by_account[event.account] = self._by_account.get(event.account, ZERO) + value

    def of(self, account: str) -> Decimal:
        return self._by_account.get(account, ZERO)


@dataclass(slots=True)
class Behaviour:
    """What the documentation leaves open, at its worst unless chosen otherwise.

    `read_lag_s`: how long after the acknowledgement an order, its fills and its effect on positions stay unseen.
    `fills_name_orders`: whether fills carry the client's id. `cuts_reductions`: whether a reduce-only order larger than
    the position closes it; otherwise it is refused. `small_closes`: whether a reduce-only order below the minimum value
    is taken if it closes the whole position. `orders_first`: whether the stream tells of an order before its fills.
    `modes`: account -> its abstraction mode. `spot`: account -> USDC in spot.
    """

    read_lag_s: float = 0.0
    fills_name_orders: bool = False
    cuts_reductions: bool = False
    small_closes: bool = False
    orders_first: bool = False
    modes: Mapping[str, str] = field(default_factory=dict)
    spot: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Venue:
    """One simulated Hyperliquid."""

    exchange: Exchange
    wallets: Wallets
    behaviour: Behaviour
    traded: Traded
    lag: Lag

    def coin(self, symbol: str) -> str:
        return self.exchange.listing(symbol).instrument.venue_symbol

    def assets(self) -> tuple[Listing, ...]:
        """The universe: an asset's number is its place in it."""
        return self.exchange.listings()


@dataclass(frozen=True, slots=True)
class Call:
    """One question. `account`: whose address it is about; None for the address of nobody's account."""

    venue: Venue
    fields: Json
    account: str | None = None

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    def now_ms(self) -> int:
        return ms(self.exchange.time())

    def stamp_ms(self, at: float) -> int:
        """A true instant in the venue's milliseconds."""
        return ms(self.exchange.stamp(at))

    def address(self, name: str = "user") -> str:
        """Lower case. Raises `Malformed`."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not ADDRESS.fullmatch(value):
            raise Malformed
        return "0x" + value.removeprefix("0x").lower()

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number, not negative. Raises `Malformed`."""
        value = self.fields.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise Malformed
        return value

    def listing(self) -> Listing:
        """The contract named by `coin`. Raises `Malformed` without one, `Refused` for an unknown one."""
        value = self.fields.get("coin")
        if not isinstance(value, str):
            raise Malformed
        return self.exchange.listing_at(value)


Question = Callable[[Call], object]
