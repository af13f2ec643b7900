"""One venue's exchange, sans-I/O: accounts, orders, positions, money, and the refusals a venue would give.

Facades speak to nothing else. Everything here is synchronous and a function of the calls, the clock and the seed; no
call waits. Prices move by themselves: every call first lets the exchange catch up with the clock (resting orders,
liquidations, funding).

Instants in results are true epoch seconds; a facade reports them through `stamp`, and takes the venue's present time
from `time`, because a venue's clock can be set wrong on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

from core.domain import MarginMode, PositionMode
from core.matching import Level
from core.ports import Clock
from simulator import controls
from simulator.account import Account
from simulator.desk import Desk
from simulator.market import Market
from simulator.model import (
    AccountInfo,
    Balance,
    Conditions,
    ExchangeEvent,
    Fill,
    FillKind,
    FundingPayment,
    Keys,
    Leg,
    Listing,
    NewOrder,
    Order,
    OrderState,
    PositionSide,
    PositionView,
    Quote,
    Reason,
    Refused,
    VenueRules,
)
from simulator.venue_state import VenueState

__all__ = [
    "AccountInfo",
    "Balance",
    "Conditions",
    "Exchange",
    "ExchangeEvent",
    "Fill",
    "FillKind",
    "FundingPayment",
    "Keys",
    "Leg",
    "Listing",
    "NewOrder",
    "Order",
    "OrderState",
    "PositionSide",
    "PositionView",
    "Quote",
    "Reason",
    "Refused",
    "VenueRules",
]

Listener = Callable[[ExchangeEvent], None]


class Exchange:
    """One venue. Accounts are named `main`, `second`, …; an unknown name is a `KeyError` (a bug of the caller).

    Memory is bounded: each account keeps its newest `account.ORDERS_KEPT` orders and `account.FILLS_KEPT` fills.
    """

    def __init__(
        self,
        rules: VenueRules,
        listings: Iterable[Listing],
        market: Market,
        clock: Clock,
        seed: int,
        equities: Mapping[str, Decimal],
    ) -> None:
        """`equities`: account name -> opening balance in the settle currency."""
        self.rules = rules
        self.clock = clock
        self.market = market
        self.state = VenueState(rules, listings, market, clock, seed, equities)
        self.desk = Desk(self.state)

    @property
    def venue(self) -> str:
        return self.rules.venue

    # --- time ---------------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """The venue's clock, epoch seconds, its offset included: what signatures are checked against."""
        return self.clock.time() + self.state.offset_s

    def stamp(self, at: float) -> float:
        """A true instant as the venue's clock would have shown it."""
        return at + self.state.offset_s

    def advance(self) -> None:
        """Catches up with the clock: funding, resting orders, liquidations. Every other call does it by itself."""
        self.desk.advance()

    # --- public data --------------------------------------------------------------------------------------------------

    def listings(self) -> tuple[Listing, ...]:
        """Every listing, in a fixed order."""
        return tuple(self.state.listings.values())

    def listing(self, symbol: str) -> Listing:
        """By canonical symbol. Raises `Refused(UNKNOWN_SYMBOL)`."""
        return self.state.listing(symbol)

    def listing_at(self, venue_symbol: str) -> Listing:
        """By the venue's own symbol. Raises `Refused(UNKNOWN_SYMBOL)`."""
        return self.state.listing_at(venue_symbol)

    def quote(self, symbol: str) -> Quote:
        """Prices now. Raises `Refused(UNKNOWN_SYMBOL)`."""
        return self.state.quote(self.state.listing(symbol).symbol)

    def book(self, symbol: str, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best `depth` bids and asks, best first, sizes in contracts. Raises `Refused(UNKNOWN_SYMBOL)`."""
        return self.desk.book(self.state.listing(symbol).symbol, depth)

    # --- accounts -----------------------------------------------------------------------------------------------------

    def accounts(self) -> tuple[str, ...]:
        return tuple(self.state.accounts)

    def account_of(self, api_key: str) -> str | None:
        """The name of the account a key belongs to; None for a key nobody has."""
        return self.state.by_key.get(api_key)

    def keys(self, account: str) -> Keys:
        return self._account(account).keys

    def info(self, account: str) -> AccountInfo:
        it = self._account(account)
        return AccountInfo(account, it.position_mode, it.default_margin_mode, it.can_trade)

    def balance(self, account: str) -> Balance:
        self.desk.advance()
        return self.state.balance(self._account(account))

    def positions(self, account: str, symbol: str | None = None) -> tuple[PositionView, ...]:
        """Open positions by symbol; with `symbol`, its legs even when flat (NET, or LONG and SHORT in hedge mode).

        Answered as they were `Conditions.stale_positions_s` ago while such a fault is in force.
        Raises `Refused(UNKNOWN_SYMBOL)`.
        """
        self.desk.advance()
        it = self._account(account)
        legs = it.legs_at(self.clock.monotonic() - self.state.conditions.stale_positions_s)
        if symbol is None:
            chosen = [leg for leg in legs.values() if leg.contracts]
            chosen.sort(key=lambda leg: (leg.symbol, leg.position_side))
        else:
            known = self.state.listing(symbol).symbol
            chosen = [legs.get((known, side)) or Leg(known, side) for side in it.sides()]
        return tuple(self.state.view(it, leg) for leg in chosen)

    def leverage(self, account: str, symbol: str) -> Decimal:
        """Leverage set for a symbol, flat or not. Raises `Refused(UNKNOWN_SYMBOL)`."""
        return self.state.leverage(self._account(account), self.state.listing(symbol).symbol)

    def margin_mode(self, account: str, symbol: str) -> MarginMode:
        """Margin mode of a symbol: its own where one was set, else the account's. Raises `Refused(UNKNOWN_SYMBOL)`."""
        return self._account(account).margin_mode(self.state.listing(symbol).symbol)

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """Raises `Refused`: LEVERAGE_RANGE, LEVERAGE_NOT_MODIFIED, HAS_POSITION (where the venue cannot change it with
        a position open), INSUFFICIENT_MARGIN, UNKNOWN_SYMBOL, CANNOT_TRADE."""
        self.desk.advance()
        controls.set_leverage(self.state, self._account(account), self.state.listing(symbol), leverage)

    def set_margin_mode(self, account: str, mode: MarginMode, symbol: str | None = None) -> None:
        """Account-wide without `symbol`. Raises `Refused`: MARGIN_MODE_NOT_MODIFIED, HAS_POSITION, HAS_ORDERS,
        UNKNOWN_SYMBOL, CANNOT_TRADE."""
        self.desk.advance()
        known = None if symbol is None else self.state.listing(symbol).symbol
        controls.set_margin_mode(self._account(account), mode, known)

    def set_position_mode(self, account: str, mode: PositionMode) -> None:
        """Raises `Refused`: POSITION_MODE_NOT_MODIFIED, HAS_POSITION, HAS_ORDERS, CANNOT_TRADE."""
        self.desk.advance()
        controls.set_position_mode(self._account(account), mode)

    # --- orders -------------------------------------------------------------------------------------------------------

    def place(self, account: str, order: NewOrder) -> Order:
        """Takes an order and matches what it can at once. Returns it as it then stands: an IOC or market order is
        final, a GTC limit may rest. Raises `Refused` (nothing happened; the ledger keeps it as rejected)."""
        self.desk.advance()
        return self.desk.place(self._account(account), order)

    def cancel(self, account: str, order_id: str) -> Order:
        """Raises `Refused`: ORDER_NOT_FOUND, ORDER_FINAL."""
        self.desk.advance()
        return self.desk.cancel(self._account(account), order_id)

    def cancel_all(self, account: str, symbol: str | None = None) -> tuple[Order, ...]:
        self.desk.advance()
        it = self._account(account)
        chosen = [order.order_id for order in it.open.values() if symbol in (None, order.symbol)]
        return tuple(self.desk.cancel(it, order_id) for order_id in chosen)

    def order(self, account: str, order_id: str) -> Order | None:
        """One order by the venue's id, open or final; None if there is no such order."""
        self.desk.advance()
        order = self._account(account).orders.get(order_id)
        return None if order is None or order.state is OrderState.REJECTED else order

    def orders(
        self,
        account: str,
        *,
        open_only: bool | None = None,
        symbol: str | None = None,
        client_id: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> tuple[Order, ...]:
        """Orders that were taken, newest first. `open_only` True: resting ones, False: final ones, None: both.
        `since` <= `received_at` < `until`, true epoch seconds."""
        self.desk.advance()
        it = self._account(account)
        resting = reversed(it.open.values())
        pool = it.orders_of(client_id) if client_id is not None else resting if open_only else it.newest()
        return tuple(
            order
            for order in pool
            if order.state is not OrderState.REJECTED
            and (open_only is None or order.open is open_only)
            and symbol in (None, order.symbol)
            and (since is None or order.received_at >= since)
            and (until is None or order.received_at < until)
        )

    def fills(
        self,
        account: str,
        *,
        symbol: str | None = None,
        client_id: str | None = None,
        order_id: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> tuple[Fill, ...]:
        """Executions, newest first; foreign ones (manual, liquidation, ADL) have no client id.
        `since` <= `at` < `until`, true epoch seconds."""
        self.desk.advance()
        return tuple(
            fill
            for fill in reversed(self._account(account).fills)
            if symbol in (None, fill.symbol)
            and client_id in (None, fill.client_id)
            and order_id in (None, fill.order_id)
            and (since is None or fill.at >= since)
            and (until is None or fill.at < until)
        )

    def funding(
        self, account: str, *, symbol: str | None = None, since: float | None = None
    ) -> tuple[FundingPayment, ...]:
        """Funding paid and received, newest first."""
        self.desk.advance()
        return tuple(
            payment
            for payment in reversed(self._account(account).funding)
            if symbol in (None, payment.symbol) and (since is None or payment.at >= since)
        )

    # --- for streams, faults and the admin ----------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` after every booked event, in order. Returns what ends it. A listener must not raise."""
        self.state.listeners.append(listener)
        return lambda: self.state.listeners.remove(listener)

    @contextmanager
    def under(self, conditions: Conditions) -> Iterator[None]:
        """Handles what is inside under `conditions`; facades need not know of them."""
        before = self.state.conditions
        self.state.conditions = conditions
        try:
            yield
        finally:
            self.state.conditions = before

    def foreign(self, account: str, symbol: str, contracts: Decimal, kind: FillKind) -> Fill | None:
        """Brings a position to signed `contracts` by a fill at mark that is no client's; None if it already is there.

        Raises `Refused`: UNKNOWN_SYMBOL, BAD_LOT."""
        self.desk.advance()
        return self.desk.foreign(self._account(account), self.state.listing(symbol), contracts, kind)

    def _account(self, name: str) -> Account:
        return self.state.accounts[name]
