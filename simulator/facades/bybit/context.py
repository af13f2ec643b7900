"""What an endpoint works with: the caller, the exchange, and the venue's own state beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from core.domain import ZERO, Symbol
from simulator.exchange import Exchange
from simulator.facades.bybit.details import Details
from simulator.facades.bybit.wire import Json, Params, ms, refuse_parameter
from simulator.facades.lag import Lag
from simulator.model import ExchangeEvent, Leg, Listing, PositionSide

LINEAR = "linear"
CATEGORIES = ("spot", "linear", "inverse", "option")

LegKey = tuple[str, Symbol, PositionSide]


class Realised:
    """Profit realised since each position was opened: the exchange books it since the venue opened."""

    def __init__(self, exchange: Exchange) -> None:
        self._base: dict[LegKey, tuple[float, Decimal]] = {}
        self._last: dict[LegKey, Decimal] = {}
        exchange.subscribe(self._hear)

    def _hear(self, event: ExchangeEvent) -> None:
        leg = event.leg
        if leg is None:
            return
        key = (event.account, leg.symbol, leg.position_side)
        if key not in self._base or self._base[key][0] != leg.opened_at:
            self._base[key] = (leg.opened_at, self._last.get(key, ZERO))
        self._last[key] = leg.realized

    def of(self, account: str, leg: Leg) -> Decimal:
        opened_at, base = self._base.get((account, leg.symbol, leg.position_side), (0.0, ZERO))
        return leg.realized - base if opened_at == leg.opened_at else leg.realized


@dataclass(slots=True)
class Venue:
    """Everything one simulated Bybit holds. `fixed_prices` names the accounts whose prices must not be adjusted."""

    exchange: Exchange
    details: Mapping[str, Details]
    addresses: Mapping[str, frozenset[str]]
    lag: Lag
    realised: Realised
    fixed_prices: set[str] = field(default_factory=set)
    mode_set_at: dict[str, float] = field(default_factory=dict)
    """When each account last changed its margin mode, true epoch seconds; absent: never."""
    _earlier: dict[tuple[Symbol, float], tuple[tuple[int, int], Decimal]] = field(default_factory=dict)

    def details_of(self, listing: Listing) -> Details:
        return self.details.get(listing.symbol) or Details.by_rule(listing)

    def earlier_price(self, listing: Listing, age_s: float) -> Decimal:
        """The mark price `age_s` ago to the minute, reckoned once a minute: it stands in every ticker."""
        minute, moves = int(self.exchange.clock.time() // 60), self.exchange.market.stamp(0.0)[1]
        known = self._earlier.get((listing.symbol, age_s))
        if known is None or known[0] != (minute, moves):
            price = self.exchange.state.mark(listing.symbol, minute * 60 - age_s)
            known = self._earlier[listing.symbol, age_s] = ((minute, moves), price)
        return known[1]


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed the door. `account` is '' on public endpoints."""

    venue: Venue
    account: str
    params: Params

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    def now_ms(self) -> int:
        return ms(self.exchange.time())

    def stamp_ms(self, at: float) -> int:
        """A true instant in the venue's milliseconds."""
        return ms(self.exchange.stamp(at))

    def category(self) -> str:
        return self.params.one_of("category", CATEGORIES)

    def linear(self) -> None:
        """Refuses what is not about linear contracts: the account trades nothing else."""
        if self.category() != LINEAR:
            raise refuse_parameter("category not supported by this account")

    def listing(self) -> Listing:
        """The contract named by `symbol`. Raises `Refusal` without one, `Refused` for an unknown one."""
        return self.exchange.listing_at(self.params.needed("symbol"))

    def legs(self) -> Iterable[Leg]:
        """Every leg the account ever had, flat ones included."""
        return self.exchange.state.accounts[self.account].legs.values()

    def chosen(self, *names: str) -> Callable[[Listing], bool]:
        """A filter by the first of `symbol`, `baseCoin`, `settleCoin` among `names` that the request has."""
        name = next((name for name in names if self.params.text(name)), None)
        if name is None:
            raise refuse_parameter(f"{' or '.join(names)} is required")
        value = self.params.text(name)
        if name == "symbol":
            symbol = self.exchange.listing_at(value).symbol
            return lambda listing: listing.symbol == symbol
        if name == "baseCoin":
            return lambda listing: listing.instrument.base == value
        return lambda listing: listing.instrument.settle == value


Handler = Callable[[Call], Json]
