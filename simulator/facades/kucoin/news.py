"""What happens to KuCoin's accounts, as the private streams tell it.

One match is one story: a message per fill, then the order as it now stands, then the position, then the wallet. The
venue promises no order between topics; this one is fixed. Messages carry no sequence number of any kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.facades.kucoin import stream_rows as rows
from simulator.facades.kucoin.context import Call, Venue
from simulator.facades.kucoin.wire import Params
from simulator.facades.parts import Json
from simulator.facades.stories import Readers, Stories
from simulator.model import ExchangeEvent, Fill, FillKind, FundingPayment, Leg, Order

ORDERS, POSITIONS, WALLET = "/contractMarket/tradeOrders", "/contract/positionAll", "/contractAccount/wallet"
ONE_POSITION = "/contract/position"


@dataclass(frozen=True, slots=True)
class Message:
    """One message before it has a topic's name: what it is told under, about which contract ('' for none)."""

    topic: str
    subject: str
    symbol: str
    data: Json


class News:
    """The news of every account of one venue. See `stories.Teller`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._versions: dict[str, int] = {}
        self.readers: Readers[Message] = Readers()
        Stories(venue.exchange, self)

    def heard_of(self, account: str) -> bool:
        return self.readers.any_of(account)

    def matched(self, event: ExchangeEvent, order: Order, fills: tuple[Fill, ...]) -> None:
        self._tell(
            event,
            ORDERS,
            "symbolOrderChange",
            order.symbol,
            lambda call: [*rows.matches(call, order, fills), rows.standing(call, order)],
        )
        if fills:
            account = self._venue.exchange.state.accounts[event.account]
            self.positioned(event, account.leg(order.symbol, order.position_side))
        self.paid(event)

    def traded(self, event: ExchangeEvent, fill: Fill) -> None:
        """Deleveraging and settlement take no order of the account: its position alone tells of them."""
        if fill.kind not in (FillKind.TRADE, FillKind.LIQUIDATION):
            return
        self._tell(event, ORDERS, "symbolOrderChange", fill.symbol, lambda call: rows.foreign(call, fill))

    def positioned(self, event: ExchangeEvent, leg: Leg) -> None:
        self._tell(event, POSITIONS, "position.change", leg.symbol, lambda call: [rows.position(call, leg)])

    def funded(self, event: ExchangeEvent, payment: FundingPayment) -> None:
        self._tell(
            event, POSITIONS, "position.settlement", payment.symbol, lambda call: [rows.settlement(call, payment)]
        )

    def paid(self, event: ExchangeEvent) -> None:
        version = self._versions[event.account] = self._versions.get(event.account, 0) + 1
        self._tell(event, WALLET, "walletBalance.change", "", lambda call: [rows.wallet(call, version)])

    def _tell(
        self, event: ExchangeEvent, topic: str, subject: str, symbol: str, made: Callable[[Call], Iterable[Json]]
    ) -> None:
        """Makes the messages if anyone wants them."""
        wanting = self.readers.wanting(event.account, topic)
        if not wanting:
            return
        name = self._venue.exchange.listing(symbol).instrument.venue_symbol if symbol else ""
        for data in made(Call(self._venue, event.account, Params({}), "")):
            for reader in wanting:
                reader.hear(Message(topic, subject, name, data))
