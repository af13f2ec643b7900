"""What an endpoint works with: the caller, the exchange, and how the venue behaves where nobody documents it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from simulator.exchange import Exchange
from simulator.facades.blofin.wire import Params
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
    """One simulated BloFin. `absent_code`: how order-detail answers where there is no such order, None: without data.

    `read_lag_s`: how long after the acknowledgement an order, its fills and its effect on positions stay unseen.
    """

    exchange: Exchange
    addresses: Mapping[str, frozenset[str]]
    read_lag_s: float
    absent_code: str | None
    ways: Ways = Ways()

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Reads positions as they were `read_lag_s` ago, or longer where a fault asks for more."""
        present = self.exchange.state.conditions
        stale_s = max(present.stale_positions_s, self.read_lag_s)
        with self.exchange.under(replace(present, stale_positions_s=stale_s)):
            yield

    def seen_until(self) -> float | None:
        """Orders and fills from this true instant on are not yet visible; None: all are."""
        return self.exchange.clock.time() - self.read_lag_s if self.read_lag_s else None


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
