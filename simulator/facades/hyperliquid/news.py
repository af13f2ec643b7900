"""What happens to Hyperliquid's accounts, as its streams tell it.

An order is told of when it is taken to rest and when it ends, its fills by themselves; which of the two comes first is
not documented. That money or positions changed is only noted: a session shows the account as it stands when it speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.facades.hyperliquid.context import Venue
from simulator.facades.hyperliquid.queries import fill_row, seen_row
from simulator.facades.parts import Json
from simulator.facades.stories import Readers, Stories
from simulator.model import ExchangeEvent, Fill, FundingPayment, Leg, Order

ORDERS, FILLS, STATE = "orderUpdates", "userFills", "clearinghouseState"
TOPICS = (ORDERS, FILLS, STATE)
"""Subscriptions about one user."""


@dataclass(frozen=True, slots=True)
class Message:
    """`rows` of orders or fills; none for the account's state, which is made when it is told."""

    topic: str
    rows: tuple[Json, ...] = ()


class News:
    """The news of every account of one venue. See `stories.Teller`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.readers: Readers[Message] = Readers()
        Stories(venue.exchange, self)

    def heard_of(self, account: str) -> bool:
        return self.readers.any_of(account)

    def matched(self, event: ExchangeEvent, order: Order, fills: tuple[Fill, ...]) -> None:
        row = seen_row(self._venue, order)
        inner = row["order"]
        assert isinstance(inner, dict)
        fields = ("coin", "side", "limitPx", "sz", "oid", "timestamp", "origSz", "cloid")
        told = Message(ORDERS, ({**row, "order": {name: inner[name] for name in fields}},))
        moved = Message(FILLS, tuple(fill_row(self._venue, event.account, fill) for fill in fills))
        first, then = (told, moved) if self._venue.behaviour.orders_first else (moved, told)
        for message in (first, then):
            if message.rows:
                self._tell(event, message)
        self._tell(event, Message(STATE))

    def traded(self, event: ExchangeEvent, fill: Fill) -> None:
        self._tell(event, Message(FILLS, (fill_row(self._venue, event.account, fill),)))

    def funded(self, event: ExchangeEvent, payment: FundingPayment) -> None:
        self._tell(event, Message(STATE))

    def positioned(self, event: ExchangeEvent, leg: Leg) -> None:
        self._tell(event, Message(STATE))

    def paid(self, event: ExchangeEvent) -> None:
        self._tell(event, Message(STATE))

    def _tell(self, event: ExchangeEvent, message: Message) -> None:
        for reader in self.readers.wanting(event.account, message.topic):
            reader.hear(message)
