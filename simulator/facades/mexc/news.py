"""What happens to MEXC's accounts, as the stream tells it.

Orders and deals are told of one by one. Which positions moved, and that the money did, is only noted: a session shows
them as they stand when it speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain import Symbol
from simulator.exchange import Exchange
from simulator.facades.stories import Readers, Stories, stages
from simulator.model import ExchangeEvent, Fill, FundingPayment, Leg, Order

ORDER, DEAL, POSITION, ASSET = "order", "order.deal", "position", "asset"


@dataclass(frozen=True, slots=True)
class Message:
    """About a contract, or with the topic `asset` about the money. An `order` as it stood; a `fill` of it; a `fill`
    with the topic `order` is one nobody sent an order for."""

    topic: str
    symbol: Symbol | None = None
    order: Order | None = None
    fill: Fill | None = None


class News:
    """The news of every account of one venue. See `stories.Teller`."""

    def __init__(self, exchange: Exchange) -> None:
        self.readers: Readers[Message] = Readers()
        known = (order.number for it in exchange.state.accounts.values() for order in it.orders.values())
        self._newest_order = max(known, default=0)
        Stories(exchange, self)

    def heard_of(self, account: str) -> bool:
        return True  # which orders are new must be known whoever listens

    def matched(self, event: ExchangeEvent, order: Order, fills: tuple[Fill, ...]) -> None:
        new, self._newest_order = order.number > self._newest_order, max(order.number, self._newest_order)
        for stage in stages(order, fills, new=new):
            self._tell(event, Message(ORDER, Symbol(order.symbol), stage))
        for fill in fills:
            self._tell(event, Message(DEAL, Symbol(fill.symbol), order, fill))
        self._tell(event, Message(POSITION, Symbol(order.symbol)))
        self._tell(event, Message(ASSET))

    def traded(self, event: ExchangeEvent, fill: Fill) -> None:
        for topic in (ORDER, DEAL):
            self._tell(event, Message(topic, Symbol(fill.symbol), fill=fill))

    def positioned(self, event: ExchangeEvent, leg: Leg) -> None:
        self._tell(event, Message(POSITION, Symbol(leg.symbol)))

    def funded(self, event: ExchangeEvent, payment: FundingPayment) -> None:
        self._tell(event, Message(POSITION, Symbol(payment.symbol)))

    def paid(self, event: ExchangeEvent) -> None:
        self._tell(event, Message(ASSET))

    def _tell(self, event: ExchangeEvent, message: Message) -> None:
        for reader in self.readers.wanting(event.account, message.topic):
            reader.hear(message)
