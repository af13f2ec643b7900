"""What happens to Bybit's accounts, as the private streams tell it.

It is heard from the exchange, made into messages once, and handed to every session that listens.

One match is one story: all its executions in one message, then the order as it now stands, then the position (after
every event of an order, changed or not), then the wallet if it changed. An order that is final at once is told of once,
in its final state; one that rests is told of as New first. The venue promises no order between topics; this one is
fixed. Fills that belong to no order of a client (liquidation, deleveraging, the admin's) come without an order message,
as their order is in no REST answer either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from core.domain import OrderKind
from simulator.facades.bybit import stream_rows as rows
from simulator.facades.bybit.account import UID_BASE
from simulator.facades.bybit.context import Call, Venue
from simulator.facades.bybit.wire import Json, Params
from simulator.model import ExchangeEvent, Fill, FillKind, FundingPayment, Leg, Order

NOTHING_ASKED = Params({}, from_query=True)
Rows = Callable[[Call], tuple[Json, ...]]


@dataclass(frozen=True, slots=True)
class Message:
    """One message before it has a topic's name. `topic` is that of all categories; `id` None: it has none."""

    topic: str
    id: str | None
    created_ms: int
    data: tuple[Json, ...]


class Reader(Protocol):
    """A session of one account."""

    def wants(self, topic: str) -> bool:
        """Whether it listens to a topic, whatever the category it named."""

    def hear(self, message: Message) -> None: ...


class News:
    """The news of every account of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._readers: dict[str, tuple[Reader, ...]] = {}
        known = (order.number for it in venue.exchange.state.accounts.values() for order in it.orders.values())
        self._newest_order = max(known, default=0)
        self._matching: str | None = None
        """The order whose fills are coming in."""
        self._fills: list[Fill] = []
        venue.exchange.subscribe(self._hear)

    def join(self, account: str, reader: Reader) -> None:
        self._readers[account] = (*self._readers.get(account, ()), reader)

    def leave(self, account: str, reader: Reader) -> None:
        self._readers[account] = tuple(it for it in self._readers.get(account, ()) if it is not reader)

    # --- hearing ------------------------------------------------------------------------------------------------------

    def _hear(self, event: ExchangeEvent) -> None:
        if event.order is not None:
            self._order(event, event.order)
        elif event.fill is not None:
            self._fill(event, event.fill)
        elif self._matching is not None:
            return  # the leg or the wallet after a fill: told with its order
        elif event.leg is not None:
            self._position(event, event.leg)
        elif event.funding is not None:
            self._funding(event, event.funding)
        else:
            self._wallet(event)

    def _order(self, event: ExchangeEvent, order: Order) -> None:
        if order.number > self._newest_order:
            self._newest_order = order.number
            return  # taken, not yet matched
        fills, self._fills, self._matching = tuple(self._fills), [], None
        if not self._readers.get(event.account):
            return
        if fills:
            event = replace(event, seq=fills[-1].seq)  # the number of the match: it stands in the messages' ids
        self._executions(event, fills, order)
        self._tell(event, "order", order.symbol, lambda call: (rows.order(call, order),))
        account = self._venue.exchange.state.accounts[event.account]
        self._position(event, account.leg(order.symbol, order.position_side))
        if fills or (order.kind is OrderKind.LIMIT and not order.reduce_only):
            self._wallet(event)

    def _fill(self, event: ExchangeEvent, fill: Fill) -> None:
        if fill.order_id in self._venue.exchange.state.accounts[event.account].orders:
            self._matching = fill.order_id
            self._fills.append(fill)
        else:
            self._executions(event, (fill,), None)

    def _funding(self, event: ExchangeEvent, payment: FundingPayment) -> None:
        self._tell(event, "execution", payment.symbol, lambda call: (rows.funding(call, payment),))
        for leg in tuple(self._venue.exchange.state.accounts[event.account].legs.values()):
            if leg.symbol == payment.symbol and leg.contracts:
                self._position(event, leg)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _executions(self, event: ExchangeEvent, fills: tuple[Fill, ...], order: Order | None) -> None:
        trades = tuple(fill for fill in fills if fill.kind is FillKind.TRADE)
        if trades:
            symbol = trades[0].symbol
            self._tell(event, "execution.fast", symbol, lambda call: tuple(rows.fast(call, it) for it in trades))
        if fills:
            self._tell(event, "execution", fills[0].symbol, lambda call: rows.executions(call, fills, order))

    def _position(self, event: ExchangeEvent, leg: Leg) -> None:
        self._tell(event, "position", leg.symbol, lambda call: (rows.position(call, leg),))

    def _wallet(self, event: ExchangeEvent) -> None:
        self._tell(event, "wallet", "", lambda call: (rows.wallet(call),))

    def _tell(self, event: ExchangeEvent, topic: str, symbol: str, made: Rows) -> None:
        """Makes the message if anyone wants it. `symbol` is '' where it is about none."""
        wanting = [reader for reader in self._readers.get(event.account, ()) if reader.wants(topic)]
        if not wanting:
            return
        call = Call(self._venue, event.account, NOTHING_ASKED)
        message = Message(topic, self._id(event, topic, symbol), call.now_ms(), made(call))
        for reader in wanting:
            reader.hear(message)

    def _id(self, event: ExchangeEvent, topic: str, symbol: str) -> str | None:
        """Orders and executions of one match share theirs; positions and wallets have one that means nothing."""
        exchange = self._venue.exchange
        uid = UID_BASE + exchange.accounts().index(event.account)
        if topic == "execution.fast":
            return None
        if topic in ("order", "execution"):
            return f"{uid}_{exchange.listing(symbol).instrument.venue_symbol}_{event.seq}"
        text = f"{exchange.state.seed}/{event.account}/{topic}/{event.seq}".encode()
        digest = hashlib.blake2b(text, digest_size=16).hexdigest()
        return f"{uid}{digest[:6]}-{digest[6:10]}-{digest[10:14]}-{digest[14:18]}-{digest[18:30]}"
