"""What an endpoint works with: the caller, the exchange, and how the venue behaves where nobody documents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.exchange import Exchange
from simulator.facades.lag import Lag
from simulator.facades.mexc.wire import Params
from simulator.facades.parts import ms
from simulator.model import Fill, Listing

ORDER_BASE = 739_000_000_000_000_000
FOREIGN_BASE = 738_000_000_000_000_000
"""Orders of nobody's are not kept by the exchange: their id is made from their fill."""


@dataclass(slots=True)
class Venue:
    """One simulated MEXC. `absent_code`: how a lookup answers where there is no such order, None: without data.
    `framed`: lists come with totals around them."""

    exchange: Exchange
    addresses: Mapping[str, frozenset[str]]
    lag: Lag
    absent_code: int | None
    framed: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed the door. `account` is '' on public endpoints; `names` what the path names, in order."""

    venue: Venue
    account: str
    params: Params
    names: tuple[str, ...] = ()

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    def now_ms(self) -> int:
        """The venue's clock."""
        return ms(self.exchange.time())

    def stamp_ms(self, at: float) -> int:
        """A true instant in the venue's milliseconds."""
        return ms(self.exchange.stamp(at))

    def listing(self) -> Listing:
        """The contract of the path or of `symbol`. Raises `Refusal` without one, `Refused` for an unknown one."""
        return self.exchange.listing_at(self.names[0] if self.names else self.params.needed("symbol"))

    def symbol_or_none(self) -> str | None:
        """The canonical symbol where a contract is named."""
        named = bool(self.names) or self.params.given("symbol")
        return self.listing().symbol if named else None


def number_of(number: int) -> str:
    """The venue's id of an order the exchange numbered."""
    return str(ORDER_BASE + number)


def order_id_of(exchange: Exchange, account: str, fill: Fill) -> str:
    """The venue's id of the order a fill belongs to."""
    order = exchange.state.accounts[account].orders.get(fill.order_id)
    return str(FOREIGN_BASE + fill.seq) if order is None else number_of(order.number)


Handler = Callable[[Call], object]
"""Returns the `data` of the answer; None: there is none."""
