"""What a venue holds in common: listings, accounts, prices on its tick, sequence numbers, listeners."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from core.domain import ZERO, MarginMode, Side, Symbol
from core.matching import BookShape, Rules, best_price
from core.ports import Clock
from simulator import bookkeeping
from simulator.account import Account
from simulator.keys import keys_for
from simulator.market import Market
from simulator.model import (
    Balance,
    Conditions,
    ExchangeEvent,
    Leg,
    Listing,
    PositionView,
    Quote,
    Reason,
    Refused,
    VenueRules,
)


class VenueState:
    """State of one venue and the reads on it. Writers are the desk (orders, fills), the controls and the admin."""

    def __init__(
        self,
        rules: VenueRules,
        listings: Iterable[Listing],
        market: Market,
        clock: Clock,
        seed: int,
        equities: Mapping[str, Decimal],
    ) -> None:
        self.rules = rules
        self.market = market
        self.clock = clock
        self.seed = seed
        self.listings: dict[Symbol, Listing] = {listing.symbol: listing for listing in listings}
        self.by_venue_symbol = {it.instrument.venue_symbol: it.symbol for it in self.listings.values()}
        self.accounts = {
            name: Account(name, keys_for(seed, rules.venue, name), wallet, rules.default_margin_mode)
            for name, wallet in equities.items()
        }
        self.by_key = {account.keys.api_key: name for name, account in self.accounts.items()}
        self.offset_s = 0.0
        self.conditions = Conditions()
        self.listeners: list[Callable[[ExchangeEvent], None]] = []
        self.shape = BookShape(rules.spread, rules.level_step, rules.level_notional, rules.levels)
        self.matching = Rules(rules.taker_fee, rules.maker_fee, rules.price_band)
        self._seq = 0
        self._quotes: dict[Symbol, tuple[tuple[float, int], Quote]] = {}

    # --- numbers and news ---------------------------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """The last sequence number given."""
        return self._seq

    def next_seq(self) -> int:
        """One counter for everything a venue books, so that any two events can be ordered."""
        self._seq += 1
        return self._seq

    def tell(self, event: ExchangeEvent) -> None:
        for listener in tuple(self.listeners):
            listener(event)

    # --- listings and prices ------------------------------------------------------------------------------------------

    def listing(self, symbol: str) -> Listing:
        found = self.listings.get(Symbol(symbol))
        if found is None:
            raise Refused(Reason.UNKNOWN_SYMBOL, f"{self.rules.venue} lists no {symbol}")
        return found

    def listing_at(self, venue_symbol: str) -> Listing:
        found = self.by_venue_symbol.get(venue_symbol)
        if found is None:
            raise Refused(Reason.UNKNOWN_SYMBOL, f"{self.rules.venue} lists no {venue_symbol}")
        return self.listings[found]

    def put_listing(self, listing: Listing) -> None:
        """Replaces a listing's facts; its symbol stays."""
        self.listings[listing.symbol] = listing
        self._quotes.pop(listing.symbol, None)

    def mark(self, symbol: Symbol, at: float) -> Decimal:
        """The mark price on the tick at an instant."""
        level = self.market.level(symbol, at).mark
        return on_tick(level, self.rules.tick_at(level, self.listings[symbol].instrument.tick))

    def quote(self, symbol: Symbol) -> Quote:
        now = self.clock.time()
        stamp = self.market.stamp(now)
        cached = self._quotes.get(symbol)
        if cached is None or cached[0] != stamp:
            cached = self._quotes[symbol] = (stamp, self._quote(symbol, now))
        return cached[1]

    def _quote(self, symbol: Symbol, now: float) -> Quote:
        listing = self.listings[symbol]
        instrument, level = listing.instrument, self.market.level(symbol, now)
        tick = self.rules.tick_at(level.last, instrument.tick)
        mark, last = self.mark(symbol, now), on_tick(level.last, tick)
        size = max(instrument.contracts_for(self.shape.level_notional, last), instrument.lot)
        return Quote(
            symbol=symbol,
            mark=mark,
            last=last,
            index=mark,
            bid=best_price(last, Side.BUY, self.shape, tick),
            ask=best_price(last, Side.SELL, self.shape, tick),
            bid_contracts=size,
            ask_contracts=size,
            funding_rate=listing.funding_rate,
            next_funding_at=self.next_funding_after(now),
            at=now,
        )

    def next_funding_after(self, at: float) -> float:
        interval = self.rules.funding_interval_s
        return (at // interval + 1) * interval

    # --- reads on accounts --------------------------------------------------------------------------------------------

    def leverage(self, account: Account, symbol: Symbol) -> Decimal:
        chosen = account.leverages.get(symbol)
        most = self.listings[symbol].instrument.max_leverage
        return min(self.rules.default_leverage, most) if chosen is None else chosen

    def view(self, account: Account, leg: Leg) -> PositionView:
        listing, mark = self.listings[leg.symbol], self.quote(leg.symbol).mark
        leverage, mode = self.leverage(account, leg.symbol), account.margin_mode(leg.symbol)
        return PositionView(
            leg=leg,
            mark=mark,
            value=listing.instrument.notional(leg.contracts, leg.entry_price),
            unrealized=bookkeeping.unrealized(leg, mark, listing),
            leverage=leverage,
            margin_mode=mode,
            margin=bookkeeping.initial_margin(leg, mark, leverage, mode, listing),
            maintenance=bookkeeping.maintenance_margin(leg, mark, listing),
            liquidation_price=bookkeeping.liquidation_price(leg, leverage, mode, listing),
            bankruptcy_price=bookkeeping.bankruptcy_price(leg, leverage, mode),
        )

    def balance(self, account: Account) -> Balance:
        unrealized = margin = maintenance = spendable = ZERO
        for leg in account.legs.values():
            if not leg.contracts:
                continue
            view = self.view(account, leg)
            unrealized += view.unrealized
            margin += view.margin
            maintenance += view.maintenance
            if view.margin_mode is MarginMode.CROSS:
                spendable += view.unrealized
        orders = sum((self.order_margin(account, order_id) for order_id in account.open), ZERO)
        available = max(account.wallet + spendable - margin - orders, ZERO)
        return Balance(account.wallet, unrealized, margin, orders, maintenance, available)

    def order_margin(self, account: Account, order_id: str) -> Decimal:
        """What a resting order locks: margin and fee of its rest; a reduce-only order locks nothing."""
        order = account.open[order_id]
        if order.reduce_only or order.price is None:
            return ZERO
        notional = self.listings[order.symbol].instrument.notional(order.remaining, order.price)
        return notional / self.leverage(account, order.symbol) + notional * self.rules.taker_fee


def on_tick(price: Decimal, tick: Decimal) -> Decimal:
    """The nearest price on the tick, never below one tick."""
    return max((price / tick).to_integral_value(rounding=ROUND_HALF_EVEN) * tick, tick)
