"""A small exchange with a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from core.domain import Instrument, OrderKind, Side, Symbol, TimeInForce
from simulator.exchange import Exchange, Listing, NewOrder, Order, PositionSide, VenueRules
from simulator.market import Market, Pin

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
D = Decimal


@dataclass(slots=True)
class HandClock:
    """Wall and monotonic time, moved by hand."""

    now_s: float = 1_800_000_000.0
    since_s: float = 0.0

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.since_s

    def move(self, by_s: float) -> None:
        self.now_s += by_s
        self.since_s += by_s


@dataclass(slots=True)
class Fixed:
    """A price source that never moves."""

    value: Decimal

    def price(self, at: float) -> Decimal:
        return self.value


def listing(symbol: str = "BTCUSDT", price: str = "50000", **facts: str) -> Listing:
    facts = {
        "contract_size": "1",
        "lot": "0.001",
        "tick": "0.1",
        "min_contracts": "0.001",
        "max_contracts": "100",
        "max_market_contracts": "50",
        "min_notional": "5",
        "max_leverage": "100",
    } | facts
    numbers: Mapping[str, Any] = {name: D(number) for name, number in facts.items()}
    base = symbol.removesuffix("USDT")
    instrument = Instrument(
        symbol=Symbol(symbol),
        venue_symbol=f"{base}-USDT",
        base=base,
        quote="USDT",
        settle="USDT",
        **numbers,
    )
    return Listing(instrument, D(price), source="made up for a test")


@dataclass(slots=True)
class Shop:
    """One exchange and what arranges it."""

    exchange: Exchange
    market: Market
    clock: HandClock
    account: str = "main"
    ids: list[str] = field(default_factory=list)

    def pin(self, price: str, symbol: Symbol = BTC, last: str | None = None) -> None:
        self.market.pin(symbol, Pin(D(price), None if last is None else D(last)))

    def order(self, contracts: str, price: str | None = None, **more: object) -> NewOrder:
        """A signed size: a market order, or an IOC limit with `price` (GTC with `tif`)."""
        size = D(contracts)
        fields: dict[str, object] = {
            "symbol": BTC,
            "side": Side.BUY if size > 0 else Side.SELL,
            "contracts": abs(size),
            "kind": OrderKind.MARKET if price is None else OrderKind.LIMIT,
            "tif": TimeInForce.IOC,
            "price": None if price is None else D(price),
        }
        return NewOrder(**(fields | more))  # type: ignore[arg-type] # a test's shorthand

    def place(self, contracts: str, price: str | None = None, **more: object) -> Order:
        return self.exchange.place(self.account, self.order(contracts, price, **more))

    def rest(self, contracts: str, price: str, **more: object) -> Order:
        return self.place(contracts, price, tif=TimeInForce.GTC, **more)

    def held(self, symbol: Symbol = BTC, side: PositionSide = PositionSide.NET) -> Decimal:
        return self.exchange.state.accounts[self.account].leg(symbol, side).contracts


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop() -> MakeShop:
    def make(*listings: Listing, equities: Mapping[str, Decimal] | None = None, seed: int = 7, **rules: object) -> Shop:
        clock = HandClock()
        chosen = listings or (listing(), listing("ETHUSDT", "3000", lot="0.01", tick="0.01", min_contracts="0.01"))
        market = Market({it.symbol: Fixed(it.price) for it in chosen})
        venue = VenueRules("bybit", **rules)  # type: ignore[arg-type] # a test's shorthand
        exchange = Exchange(venue, chosen, market, clock, seed, equities or {"main": D(10_000), "second": D(10_000)})
        return Shop(exchange, market, clock)

    return make


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop()
