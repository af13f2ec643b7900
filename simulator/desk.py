"""The trading desk of a venue: takes orders, books fills, and catches up with the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import islice

from core.domain import ZERO, MarginMode, OrderKind, PlaceOrder, Side, Symbol, TimeInForce, floor_to
from core.matching import Level, Matched, Trade, levels_around, limited, match, match_resting, share_of
from simulator import bookkeeping
from simulator.account import Account
from simulator.checks import checked, placed
from simulator.keys import order_id
from simulator.model import (
    ExchangeEvent,
    Fill,
    FillKind,
    FundingPayment,
    Leg,
    Listing,
    NewOrder,
    Order,
    OrderState,
    PositionSide,
    PositionView,
    Reason,
    Refused,
)
from simulator.venue_state import VenueState

ONE = Decimal(1)


class Desk:
    """Writes orders, fills, legs and wallets. Every write gets the next sequence number and is told to listeners."""

    def __init__(self, state: VenueState) -> None:
        self._state = state
        self._numbers = 0
        self._seen: tuple[float, int] | None = None
        self._next_funding = state.next_funding_after(state.clock.time())

    # --- orders -------------------------------------------------------------------------------------------------------

    def place(self, account: Account, new: NewOrder) -> Order:
        try:
            new = checked(self._state, account, new)
        except Refused as refused:
            dead = replace(self._order(new), state=OrderState.REJECTED, reason=refused.reason)
            account.put_order(dead, indexed=False)
            raise
        if new.leverage is not None and not new.reduce_only:
            account.leverages[new.symbol] = new.leverage
        listing = self._state.listings[new.symbol]
        order, place = self._order(new), placed(new)
        self._put(account, order)
        levels = self._levels(new.symbol, new.side)
        share = self._state.conditions.partial_fill
        if share is not None:
            levels = limited(levels, share_of(place, share, listing.instrument))
        leg, mark = account.leg(new.symbol, new.position_side), self._state.quote(new.symbol).mark
        matched = match(place, leg.contracts, levels, mark, listing.instrument, self._state.matching)
        return self._settle(account, order, matched)

    def cancel(self, account: Account, wanted: str) -> Order:
        order = account.open.get(wanted)
        if order is not None:
            return self._close(account, order)
        known = account.orders.get(wanted)
        if known is None or known.state is OrderState.REJECTED:
            raise Refused(Reason.ORDER_NOT_FOUND, f"there is no order {wanted}")
        raise Refused(Reason.ORDER_FINAL, f"the order {wanted} is {known.state}")

    def foreign(self, account: Account, listing: Listing, contracts: Decimal, kind: FillKind) -> Fill | None:
        """Fills at mark, of no client, until the position is at signed `contracts`."""
        if floor_to(contracts, listing.instrument.lot) != contracts:
            raise Refused(Reason.BAD_LOT, f"{contracts} contracts are not a multiple of {listing.instrument.lot}")
        long, short = max(contracts, ZERO), min(contracts, ZERO)
        aims = {PositionSide.NET: contracts, PositionSide.LONG: long, PositionSide.SHORT: short}
        fill = None
        for side in account.sides():
            leg = account.leg(listing.symbol, side)
            if change := aims[side] - leg.contracts:
                rate = ZERO if kind is FillKind.ADL else self._state.rules.taker_fee
                price = self._state.quote(listing.symbol).mark
                fill = self._impose(account, leg, change, price, rate, kind)
        return fill

    def book(self, symbol: Symbol, depth: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Bids and asks; a buyer meets the asks, so each side is what the other trades against."""
        bids, asks = self._levels(symbol, Side.SELL), self._levels(symbol, Side.BUY)
        return tuple(islice(bids, depth)), tuple(islice(asks, depth))

    # --- the passing of time ------------------------------------------------------------------------------------------

    def advance(self) -> None:
        now = self._state.clock.time()
        while now >= self._next_funding:
            self._pay_funding(self._next_funding)
            self._next_funding += self._state.rules.funding_interval_s
        stamp = self._state.market.stamp(now)
        if stamp == self._seen:
            return
        self._seen = stamp
        for account in self._state.accounts.values():
            for order in tuple(account.open.values()):
                self._match_resting(account, order)
            if account.legs:
                self._liquidate(account)

    def _match_resting(self, account: Account, order: Order) -> None:
        if order.order_id not in account.open:
            return  # another fill of this pass closed the leg it would have reduced
        leg = account.leg(order.symbol, order.position_side)
        instrument = self._state.listings[order.symbol].instrument
        levels = self._levels(order.symbol, order.side)
        matched = match_resting(_rest(order), leg.contracts, levels, instrument, self._state.matching)
        if matched.trades or matched.cancelled:
            self._settle(account, order, matched)

    def _pay_funding(self, at: float) -> None:
        state = self._state
        for account in state.accounts.values():
            for leg in tuple(account.legs.values()):
                if not leg.contracts:
                    continue
                listing, mark = state.listings[leg.symbol], state.mark(leg.symbol, at)
                amount = -listing.instrument.quantity(leg.contracts) * mark * listing.funding_rate
                seq = state.next_seq()
                payment = FundingPayment(leg.symbol, leg.contracts, mark, listing.funding_rate, amount, at, seq)
                account.funding.append(payment)
                account.wallet += amount
                account.put_leg(replace(leg, realized=leg.realized + amount), state.clock.monotonic())
                state.tell(ExchangeEvent(account.name, at, seq, funding=payment))
                state.tell(ExchangeEvent(account.name, at, seq, wallet=account.wallet))

    def _liquidate(self, account: Account) -> None:
        """Isolated legs one by one, at their bankruptcy price; cross legs together at mark, the wallet ending at 0."""
        views = [self._state.view(account, leg) for leg in account.legs.values() if leg.contracts]
        crossed = [view for view in views if view.margin_mode is MarginMode.CROSS]
        for view in views:
            price = view.bankruptcy_price
            if price is not None and bookkeeping.is_liquidated(view.leg, view.mark, view.liquidation_price):
                self._take_over(account, view, price)
        if not crossed:
            return
        locked = sum((view.margin for view in views if view.margin_mode is MarginMode.ISOLATED), ZERO)
        backing = account.wallet - locked + sum((view.unrealized for view in crossed), ZERO)
        if backing <= sum((view.maintenance for view in crossed), ZERO):
            for view in crossed:
                self._take_over(account, view, view.mark)
            account.wallet = max(account.wallet, ZERO)

    def _take_over(self, account: Account, view: PositionView, price: Decimal) -> None:
        for order in tuple(account.open.values()):
            if order.symbol == view.symbol:
                self._close(account, order)
        self._impose(account, view.leg, -view.contracts, price, ZERO, FillKind.LIQUIDATION)

    # --- booking ------------------------------------------------------------------------------------------------------

    def _levels(self, symbol: Symbol, side: Side) -> Iterator[Level]:
        """What an order of `side` trades against."""
        other = Side.SELL if side is Side.BUY else Side.BUY
        quote, instrument = self._state.quote(symbol), self._state.listings[symbol].instrument
        tick = self._state.rules.tick_at(quote.last, instrument.tick)
        at_price = instrument if tick == instrument.tick else replace(instrument, tick=tick)
        return levels_around(quote.last, other, self._state.shape, at_price)

    def _order(self, new: NewOrder) -> Order:
        self._numbers += 1
        now = self._state.clock.time()
        # A refused order may name a symbol that is not listed.
        listing = self._state.listings.get(new.symbol)
        size = ONE if listing is None else listing.instrument.contract_size
        return Order(
            number=self._numbers,
            order_id=order_id(self._state.seed, self._state.rules.venue, self._numbers),
            client_id=new.client_id,
            symbol=new.symbol,
            side=new.side,
            contracts=new.contracts,
            kind=new.kind,
            tif=new.tif if new.kind is OrderKind.LIMIT else TimeInForce.IOC,
            price=new.price if new.kind is OrderKind.LIMIT else None,
            reduce_only=new.reduce_only,
            position_side=new.position_side,
            state=OrderState.OPEN,
            received_at=now,
            updated_at=now,
            contract_size=size,
        )

    def _put(self, account: Account, order: Order) -> Order:
        order = replace(order, seq=self._state.next_seq(), updated_at=self._state.clock.time())
        account.put_order(order)
        self._state.tell(ExchangeEvent(account.name, order.updated_at, order.seq, order=order))
        return order

    def _close(self, account: Account, order: Order) -> Order:
        return self._put(account, replace(order, state=OrderState.CANCELLED))

    def _settle(self, account: Account, order: Order, matched: Matched) -> Order:
        """Books what the matcher decided and gives the order its next state."""
        for trade in matched.trades:
            order = self._fill(account, order, trade, FillKind.TRADE)
        if matched.resting:
            # Reduce-only took off what the position cannot carry: the rest is all that still stands.
            order = self._put(account, replace(order, contracts=order.filled + matched.resting))
        else:
            full = order.filled == order.contracts
            order = self._put(account, replace(order, state=OrderState.FILLED if full else OrderState.CANCELLED))
        self._sweep(account, order.symbol, order.position_side)
        return order

    def _sweep(self, account: Account, symbol: Symbol, side: PositionSide) -> None:
        """Cancels resting reduce-only orders of a leg that is flat."""
        if account.open and not account.leg(symbol, side).contracts:
            for order in tuple(account.open.values()):
                if order.reduce_only and (order.symbol, order.position_side) == (symbol, side):
                    self._close(account, order)

    def _impose(
        self, account: Account, leg: Leg, change: Decimal, price: Decimal, rate: Decimal, kind: FillKind
    ) -> Fill:
        """A fill that no client asked for. Its order exists for the fill's sake only and is not kept."""
        new = NewOrder(leg.symbol, Side.of(change), abs(change), OrderKind.MARKET, position_side=leg.position_side)
        fee = self._state.listings[leg.symbol].instrument.notional(change, price) * rate
        self._fill(account, self._order(new), Trade(price, abs(change), fee, maker=False), kind)
        self._sweep(account, leg.symbol, leg.position_side)
        return account.fills[-1]

    def _fill(self, account: Account, order: Order, trade: Trade, kind: FillKind) -> Order:
        state, symbol, now = self._state, order.symbol, self._state.clock.time()
        listing, seq = state.listings[symbol], state.next_seq()
        instrument = listing.instrument
        leg = account.leg(symbol, order.position_side)
        after, realized, closed = bookkeeping.after_fill(leg, trade.contracts * order.side.sign, trade.price, listing)
        opened_at = leg.opened_at if leg.contracts else now
        won = leg.realized + realized - trade.fee
        after = replace(after, realized=won, seq=seq, opened_at=opened_at, updated_at=now)
        account.put_leg(after, state.clock.monotonic())
        account.wallet += realized - trade.fee
        net = account.net(symbol)
        fill = Fill(
            exec_id=f"{order.order_id[:-12]}{seq:012x}",
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=symbol,
            position_side=order.position_side,
            side=order.side,
            contracts=trade.contracts,
            price=trade.price,
            fee=trade.fee,
            maker=trade.maker,
            at=now,
            seq=seq,
            kind=kind,
            position_after=net,
            quantity=instrument.quantity(trade.contracts),
            quantity_after=instrument.quantity(net),
            realized=realized,
            order_contracts=order.contracts,
            closed=closed,
        )
        account.put_fill(fill)
        for event in (
            ExchangeEvent(account.name, now, seq, fill=fill),
            ExchangeEvent(account.name, now, seq, leg=after),
            ExchangeEvent(account.name, now, seq, wallet=account.wallet),
        ):
            state.tell(event)
        value = order.value + instrument.notional(trade.contracts, trade.price)
        filled = order.filled + trade.contracts
        average = value / instrument.quantity(filled)
        return replace(order, filled=filled, value=value, average_price=average, fee=order.fee + trade.fee)


def _rest(order: Order) -> PlaceOrder:
    """What is left of a resting order, in the matcher's words."""
    return placed(
        NewOrder(
            order.symbol,
            order.side,
            order.remaining,
            order.kind,
            order.tif,
            order.price,
            order.reduce_only,
            position_side=order.position_side,
        )
    )
