"""One account's books. Values in them are frozen and replaced; only the desk and the controls do so."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.domain import ZERO, MarginMode, PositionMode, Symbol
from simulator.model import Fill, FundingPayment, Keys, Leg, Order, PositionSide

ORDERS_KEPT = 10_000
"""Newest orders kept per account, refused ones included; open ones are always kept. With the fills about 35 MB."""
FILLS_KEPT = 10_000
FUNDING_KEPT = 5_000
CHANGES_KEPT = 10_000
"""Newest position changes kept, for reads as of the past."""

LegKey = tuple[Symbol, PositionSide]


@dataclass(frozen=True, slots=True)
class Change:
    """What a leg was until `until` (monotonic seconds); None: it did not exist."""

    until: float
    key: LegKey
    before: Leg | None


class Account:
    """State of one account. Ids of evicted orders are forgotten, so a very old client id could be taken again."""

    def __init__(self, name: str, keys: Keys, wallet: Decimal, margin_mode: MarginMode) -> None:
        self.name = name
        self.keys = keys
        self.wallet = wallet
        self.position_mode = PositionMode.ONE_WAY
        self.default_margin_mode = margin_mode
        self.can_trade = True
        self.margin_modes: dict[Symbol, MarginMode] = {}
        self.leverages: dict[Symbol, Decimal] = {}
        self.legs: dict[LegKey, Leg] = {}
        self.open: dict[str, Order] = {}
        self.orders: OrderedDict[str, Order] = OrderedDict()
        self.fills: deque[Fill] = deque(maxlen=FILLS_KEPT)
        self.funding: deque[FundingPayment] = deque(maxlen=FUNDING_KEPT)
        self.orders_dropped = 0
        self.fills_dropped = 0
        self._by_client_id: dict[str, tuple[str, ...]] = {}
        self._changes: deque[Change] = deque(maxlen=CHANGES_KEPT)

    # --- settings -----------------------------------------------------------------------------------------------------

    def margin_mode(self, symbol: Symbol) -> MarginMode:
        return self.margin_modes.get(symbol, self.default_margin_mode)

    def sides(self) -> tuple[PositionSide, ...]:
        """The legs a symbol has in the account's position mode."""
        if self.position_mode is PositionMode.ONE_WAY:
            return (PositionSide.NET,)
        return (PositionSide.LONG, PositionSide.SHORT)

    # --- positions ----------------------------------------------------------------------------------------------------

    def leg(self, symbol: Symbol, side: PositionSide) -> Leg:
        return self.legs.get((symbol, side)) or Leg(symbol, side)

    def net(self, symbol: Symbol) -> Decimal:
        """Signed contracts of all legs of a symbol together."""
        return sum((leg.contracts for side in PositionSide if (leg := self.legs.get((symbol, side)))), ZERO)

    def put_leg(self, leg: Leg, monotonic: float) -> None:
        key = (leg.symbol, leg.position_side)
        self._changes.append(Change(monotonic, key, self.legs.get(key)))
        self.legs[key] = leg

    def drop_legs(self, monotonic: float) -> None:
        """Forgets every leg (the position mode changes)."""
        for key, leg in self.legs.items():
            self._changes.append(Change(monotonic, key, leg))
        self.legs.clear()

    def legs_at(self, monotonic: float) -> Mapping[LegKey, Leg]:
        """The legs as they were at a past instant; as far back as `CHANGES_KEPT` changes reach."""
        if not self._changes or self._changes[-1].until <= monotonic:
            return self.legs
        legs = dict(self.legs)
        for change in reversed(self._changes):
            if change.until <= monotonic:
                break
            if change.before is None:
                legs.pop(change.key, None)
            else:
                legs[change.key] = change.before
        return legs

    # --- orders and fills ---------------------------------------------------------------------------------------------

    def has_client_id(self, client_id: str) -> bool:
        return client_id in self._by_client_id

    def orders_of(self, client_id: str) -> tuple[Order, ...]:
        """Every order taken under a client id, newest first."""
        return tuple(self.orders[order_id] for order_id in reversed(self._by_client_id.get(client_id, ())))

    def newest(self) -> Iterator[Order]:
        return reversed(self.orders.values())

    def put_order(self, order: Order, *, indexed: bool = True) -> None:
        """Books an order's newest state. A refused one is not `indexed`: its client id stays free."""
        if order.order_id not in self.orders and order.client_id is not None and indexed:
            self._by_client_id[order.client_id] = (*self._by_client_id.get(order.client_id, ()), order.order_id)
        self.orders[order.order_id] = order
        if order.open:
            self.open[order.order_id] = order
        else:
            self.open.pop(order.order_id, None)
        if len(self.orders) > ORDERS_KEPT:
            self._evict()

    def _evict(self) -> None:
        old = next((order for order in self.orders.values() if not order.open), None)
        if old is None:
            return
        del self.orders[old.order_id]
        self.orders_dropped += 1
        if old.client_id is not None:
            left = tuple(i for i in self._by_client_id.get(old.client_id, ()) if i != old.order_id)
            if left:
                self._by_client_id[old.client_id] = left
            else:
                self._by_client_id.pop(old.client_id, None)

    def put_fill(self, fill: Fill) -> None:
        if len(self.fills) == FILLS_KEPT:
            self.fills_dropped += 1
        self.fills.append(fill)
