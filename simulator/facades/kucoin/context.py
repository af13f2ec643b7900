"""What an endpoint works with: the caller, the exchange, and the venue's own state beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from core.domain import ZERO, MarginMode, OrderKind, Symbol, TimeInForce
from simulator.exchange import Exchange
from simulator.facades.kucoin.stream_tokens import Tokens
from simulator.facades.kucoin.wire import Params
from simulator.facades.lag import Lag
from simulator.facades.parts import ms
from simulator.model import ExchangeEvent, Fill, FillKind, Listing, Order, OrderState, PositionSide, PositionView

LegKey = tuple[str, Symbol, PositionSide]
DEFAULT_CROSS = Decimal(10)
ONE = Decimal(1)


class InitialMargins:
    """What the trades of each isolated position put in: every order with the leverage it carried."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._sums: dict[LegKey, Decimal] = {}
        exchange.subscribe(self._hear)

    def _hear(self, event: ExchangeEvent) -> None:
        fill = event.fill
        if fill is None:
            return
        state = self._exchange.state
        key = (event.account, fill.symbol, fill.position_side)
        held = abs(state.accounts[event.account].leg(fill.symbol, fill.position_side).contracts)
        opened = fill.contracts - fill.closed
        before = held + fill.closed - opened  # the leg stands after the fill already
        left = (before - fill.closed) / before if before > 0 else ZERO
        leverage = state.leverage(state.accounts[event.account], fill.symbol)
        size = state.listings[fill.symbol].instrument.contract_size
        self._sums[key] = self._sums.get(key, ZERO) * left + opened * size * fill.price / leverage

    def of(self, account: str, view: PositionView) -> Decimal:
        known = self._sums.get((account, view.symbol, view.leg.position_side))
        return known or view.value / view.leverage


@dataclass(slots=True)
class Venue:
    """Everything one simulated KuCoin holds. `unset`: accounts that never chose a position mode; `tokens` open its
    streams."""

    exchange: Exchange
    lag: Lag
    margins: InitialMargins
    cross: dict[tuple[str, Symbol], Decimal] = field(default_factory=dict)
    """Leverage set for cross margin while the symbol was in isolated margin."""
    unset: set[str] = field(default_factory=set)
    tokens: Tokens = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.exchange)

    def cross_leverage(self, account: str, listing: Listing) -> Decimal:
        """Kept apart from what isolated orders carry; in force as the symbol's own while it is in cross margin."""
        if self.exchange.margin_mode(account, listing.symbol) is MarginMode.CROSS:
            return self.exchange.leverage(account, listing.symbol)
        return self.cross.get((account, listing.symbol), min(DEFAULT_CROSS, listing.instrument.max_leverage))


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed the door. `account` is '' on public endpoints; `name` what the path names, else ''."""

    venue: Venue
    account: str
    params: Params
    name: str
    origin: str = ""
    """Scheme and host the request was sent to; '' where there was none."""

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    def now_ms(self) -> int:
        return ms(self.exchange.time())

    def stamp_ms(self, at: float) -> int:
        """A true instant in the venue's milliseconds."""
        return ms(self.exchange.stamp(at))

    def listing(self) -> Listing:
        """The contract of the path or of `symbol`. Raises `Refusal` without one, `Refused` for an unknown one."""
        return self.exchange.listing_at(self.name or self.params.needed("symbol"))

    def orders(self) -> list[Order]:
        """Every order that can be seen, newest first: those of clients, and those that others placed by hand."""
        until = self.venue.lag.until()
        taken = list(self.exchange.orders(self.account, until=until))
        known = {order.order_id for order in taken}
        fills = self.exchange.fills(self.account, until=until)
        by_hand = (fill for fill in fills if fill.kind is FillKind.TRADE and fill.client_id is None)
        taken += [self._of_fill(fill) for fill in by_hand if fill.order_id not in known]
        return sorted(taken, key=lambda order: -order.received_at)

    def _of_fill(self, fill: Fill) -> Order:
        """The market order a foreign fill stands for; the exchange keeps only the fill."""
        return Order(
            number=0,
            order_id=fill.order_id,
            client_id=None,
            symbol=fill.symbol,
            side=fill.side,
            contracts=fill.contracts,
            kind=OrderKind.MARKET,
            tif=TimeInForce.IOC,
            price=None,
            reduce_only=False,
            position_side=fill.position_side,
            state=OrderState.FILLED,
            received_at=fill.at,
            updated_at=fill.at,
            contract_size=fill.quantity / fill.contracts,
            filled=fill.contracts,
            value=fill.quantity * fill.price,
            average_price=fill.price,
            fee=fill.fee,
            seq=fill.seq,
        )


Handler = Callable[[Call], object]
"""Returns the `data` of the answer."""
