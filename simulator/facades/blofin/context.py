"""What an endpoint works with: the caller, the exchange, and how the venue behaves where nobody documents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.exchange import Exchange
from simulator.facades.blofin.wire import Params
from simulator.facades.lag import Lag
from simulator.facades.parts import ms
from simulator.model import Listing


@dataclass(frozen=True, slots=True)
class Ways:
    """What the private stream does where nobody documents it.

    `closed_shown`: a position that was closed is told of with the size 0; else it is only in no message any more.
    `positions_first`: positions come before the orders that moved them. `regular_s`: how often positions and account
    come without an event.
    """

    closed_shown: bool = False
    positions_first: bool = False
    regular_s: float = 5.0


@dataclass(slots=True)
class Venue:
    """One simulated BloFin. `absent_code`: how order-detail answers where an order is unknown, None: without data."""

    exchange: Exchange
    addresses: Mapping[str, frozenset[str]]
    lag: Lag
    absent_code: str | None
    ways: Ways = Ways()


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed the door. `account` is '' on public endpoints."""

    venue: Venue
    account: str
    params: Params

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    def now(self) -> str:
        """The venue's clock in milliseconds."""
        return str(ms(self.exchange.time()))

    def stamp(self, at: float) -> str:
        """A true instant in the venue's milliseconds."""
        return str(ms(self.exchange.stamp(at)))

    def listing(self) -> Listing:
        """The contract named by `instId`. Raises `Refusal` without one, `Refused` for an unknown one."""
        return self.exchange.listing_at(self.params.needed("instId"))

    def listing_or_all(self) -> list[Listing]:
        """The contract named by `instId`, else every one."""
        return [self.listing()] if self.params.text("instId") else list(self.exchange.listings())


Handler = Callable[[Call], object]
