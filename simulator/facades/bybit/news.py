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

from core.domain import OrderKind
from simulator.facades.bybit import stream_rows as rows
from simulator.facades.bybit.account import UID_BASE
from simulator.facades.bybit.context import Call, Venue
from simulator.facades.bybit.wire import Json, Params
from simulator.facades.stories import Readers, Stories
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


class News:
    """The news of every account of one venue. See `stories.Teller`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.readers: Readers[Message] = Readers()
        Stories(venue.exchange, self)

    def heard_of(self, account: str) -> bool:
        return self.readers.any_of(account)

    def matched(self, event: ExchangeEvent, order: Order, fills: tuple[Fill, ...]) -> None:
        if fills:
            event = replace(event, seq=fills[-1].seq)  # the number of the match: it stands in the messages' ids
        self._executions(event, fills, order)
        self._tell(event, "order", order.symbol, lambda call: (rows.order(call, order),))
        account = self._venue.exchange.state.accounts[event.account]
        self.positioned(event, account.leg(order.symbol, order.position_side))
        if fills or (order.kind is OrderKind.LIMIT and not order.reduce_only):
            self.paid(event)

    def traded(self, event: ExchangeEvent, fill: Fill) -> None:
        self._executions(event, (fill,), None)

    def funded(self, event: ExchangeEvent, payment: FundingPayment) -> None:
        self._tell(event, "execution", payment.symbol, lambda call: (rows.funding(call, payment),))
        for leg in tuple(self._venue.exchange.state.accounts[event.account].legs.values()):
            if leg.symbol == payment.symbol and leg.contracts:
                self.positioned(event, leg)

    def positioned(self, event: ExchangeEvent, leg: Leg) -> None:
        self._tell(event, "position", leg.symbol, lambda call: (rows.position(call, leg),))

    def paid(self, event: ExchangeEvent) -> None:
        self._tell(event, "wallet", "", lambda call: (rows.wallet(call),))

    # --- telling ------------------------------------------------------------------------------------------------------

    def _executions(self, event: ExchangeEvent, fills: tuple[Fill, ...], order: Order | None) -> None:
        trades = tuple(fill for fill in fills if fill.kind is FillKind.TRADE)
        if trades:
            symbol = trades[0].symbol
            self._tell(event, "execution.fast", symbol, lambda call: tuple(rows.fast(call, it) for it in trades))
        if fills:
            self._tell(event, "execution", fills[0].symbol, lambda call: rows.executions(call, fills, order))

    def _tell(self, event: ExchangeEvent, topic: str, symbol: str, made: Rows) -> None:
        """Makes the message if anyone wants it. `symbol` is '' where it is about none."""
        wanting = self.readers.wanting(event.account, topic)
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
