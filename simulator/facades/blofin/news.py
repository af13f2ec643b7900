"""What happens to BloFin's accounts, as the private stream tells it.

Orders are told of as they change, each change by itself. Which positions moved, and that the money did, is only noted:
a session shows them as they stand when it speaks, which is how a stream that lags shows an older one.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain import Symbol
from simulator.facades.blofin import stream_rows as rows
from simulator.facades.blofin.context import Call, Venue
from simulator.facades.blofin.wire import Params
from simulator.facades.parts import Json
from simulator.facades.stories import Readers, Stories, stages
from simulator.model import ExchangeEvent, Fill, FundingPayment, Leg, Order

ORDERS, POSITIONS, ACCOUNT = "orders", "positions", "account"
CHANNELS = (POSITIONS, ORDERS, ACCOUNT)
NOTHING_ASKED = Params({})


@dataclass(frozen=True, slots=True)
class Message:
    """`order` for the channel of orders, `symbol` for that of positions; neither: the money."""

    channel: str
    order: Json | None = None
    symbol: Symbol | None = None


class News:
    """The news of every account of one venue. See `stories.Teller`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.readers: Readers[Message] = Readers()
        known = (order.number for it in venue.exchange.state.accounts.values() for order in it.orders.values())
        self._newest_order = max(known, default=0)
        Stories(venue.exchange, self)

    def heard_of(self, account: str) -> bool:
        return True  # which orders are new must be known whoever listens

    def matched(self, event: ExchangeEvent, order: Order, fills: tuple[Fill, ...]) -> None:
        new, self._newest_order = order.number > self._newest_order, max(order.number, self._newest_order)
        if self.readers.wanting(event.account, ORDERS):
            call = Call(self._venue, event.account, NOTHING_ASKED)
            for stage in stages(order, fills, new=new):
                self._tell(event, Message(ORDERS, order=rows.order(call, stage)))
        self._tell(event, Message(POSITIONS, symbol=order.symbol))
        self._tell(event, Message(ACCOUNT))

    def traded(self, event: ExchangeEvent, fill: Fill) -> None:
        call = Call(self._venue, event.account, NOTHING_ASKED)
        self._tell(event, Message(ORDERS, order=rows.foreign(call, fill)))

    def funded(self, event: ExchangeEvent, payment: FundingPayment) -> None:
        self._tell(event, Message(POSITIONS, symbol=payment.symbol))

    def positioned(self, event: ExchangeEvent, leg: Leg) -> None:
        self._tell(event, Message(POSITIONS, symbol=leg.symbol))

    def paid(self, event: ExchangeEvent) -> None:
        self._tell(event, Message(ACCOUNT))

    def _tell(self, event: ExchangeEvent, message: Message) -> None:
        for reader in self.readers.wanting(event.account, message.channel):
            reader.hear(message)
