"""What happens to a venue's accounts, put together the way private streams tell of it.

The exchange books one fact at a time; a stream tells stories: one match of an order with all its fills, a fill that
belongs to no order of a client (liquidation, deleveraging, the admin's), a leg whose leverage was set, funding, money
paid in or out. Who listens to which account is kept here too; what a message says is each venue's own business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from core.domain import ZERO
from simulator.exchange import Exchange
from simulator.model import ExchangeEvent, Fill, FundingPayment, Leg, Order, OrderState

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)


class Reader(Protocol[M_contra]):
    """A session of one account."""

    def wants(self, topic: str) -> bool:
        """Whether it listens to a topic, whatever it calls it."""

    def hear(self, message: M_contra) -> None: ...


class Readers(Generic[M]):
    """Who listens, by account."""

    def __init__(self) -> None:
        self._by_account: dict[str, tuple[Reader[M], ...]] = {}

    def join(self, account: str, reader: Reader[M]) -> None:
        self._by_account[account] = (*self._by_account.get(account, ()), reader)

    def leave(self, account: str, reader: Reader[M]) -> None:
        self._by_account[account] = tuple(it for it in self._by_account.get(account, ()) if it is not reader)

    def any_of(self, account: str) -> bool:
        return bool(self._by_account.get(account))

    def wanting(self, account: str, topic: str) -> list[Reader[M]]:
        return [reader for reader in self._by_account.get(account, ()) if reader.wants(topic)]


class Teller(Protocol):
    """What a venue makes of each story. It is told in the middle of a booking: nothing may catch up with the clock."""

    def heard_of(self, account: str) -> bool:
        """Whether anyone listens to the account; where nobody does, matches are not told."""

    def matched(self, event: ExchangeEvent, order: Order, fills: tuple[Fill, ...]) -> None:
        """An order as it stands after its matching, with the fills of it; none where nothing was filled."""

    def traded(self, event: ExchangeEvent, fill: Fill) -> None:
        """A fill that belongs to no order of a client. Its leg and the wallet follow as stories of their own."""

    def positioned(self, event: ExchangeEvent, leg: Leg) -> None: ...
    def funded(self, event: ExchangeEvent, payment: FundingPayment) -> None: ...
    def paid(self, event: ExchangeEvent) -> None:
        """The wallet changed."""


class Stories:
    """Listens to one exchange for as long as that lives."""

    def __init__(self, exchange: Exchange, teller: Teller) -> None:
        self._exchange = exchange
        self._teller = teller
        known = (order.number for it in exchange.state.accounts.values() for order in it.orders.values())
        self._newest_order = max(known, default=0)
        self._matching: str | None = None
        """The order whose fills are coming in."""
        self._fills: list[Fill] = []
        exchange.subscribe(self._hear)

    def _hear(self, event: ExchangeEvent) -> None:
        if event.order is not None:
            self._order(event, event.order)
        elif event.fill is not None:
            self._fill(event, event.fill)
        elif self._matching is not None:
            return  # the leg or the wallet after a fill: told with its order
        elif event.leg is not None:
            self._teller.positioned(event, event.leg)
        elif event.funding is not None:
            self._teller.funded(event, event.funding)
        else:
            self._teller.paid(event)

    def _order(self, event: ExchangeEvent, order: Order) -> None:
        if order.number > self._newest_order:
            self._newest_order = order.number
            return  # taken, not yet matched
        fills, self._fills, self._matching = tuple(self._fills), [], None
        if self._teller.heard_of(event.account):
            self._teller.matched(event, order, fills)

    def _fill(self, event: ExchangeEvent, fill: Fill) -> None:
        if fill.order_id in self._exchange.state.accounts[event.account].orders:
            self._matching = fill.order_id
            self._fills.append(fill)
        else:
            self._teller.traded(event, fill)


def stages(it: Order, fills: Sequence[Fill], *, new: bool) -> Iterator[Order]:
    """An order as it stood: taken (if it is `new`), after each of its fills, and now. What is told is cumulative."""
    filled = it.filled - sum((fill.contracts for fill in fills), ZERO)
    value = it.value - sum((fill.quantity * fill.price for fill in fills), ZERO)
    fee = it.fee - sum((fill.fee for fill in fills), ZERO)
    before = replace(it, state=OrderState.OPEN, filled=filled, value=value, fee=fee, average_price=None)
    if new and (fills or not it.open):
        yield before
    for fill in fills[:-1]:
        filled, value, fee = filled + fill.contracts, value + fill.quantity * fill.price, fee + fill.fee
        average = value / filled / it.contract_size
        yield replace(before, filled=filled, value=value, fee=fee, average_price=average)
    yield it
