"""Whether a venue takes an order: the rules at its entrance, in the order in which they are tested."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from core import matching
from core.domain import ZERO, MarginMode, OrderKind, PlaceOrder, Side, floor_to, same_sign
from simulator.account import Account
from simulator.model import Leg, Listing, NewOrder, PositionSide, Quote, Reason, Refused
from simulator.venue_state import VenueState

OF_MATCHING = {
    matching.Refusal.NO_SIZE: Reason.BAD_LOT,
    matching.Refusal.NO_PRICE: Reason.NO_PRICE,
    matching.Refusal.PRICE_BAND: Reason.PRICE_BAND,
    matching.Refusal.REDUCE_ONLY: Reason.REDUCE_ONLY,
    matching.Refusal.UNSUPPORTED: Reason.UNSUPPORTED,
}


def checked(state: VenueState, account: Account, new: NewOrder) -> NewOrder:
    """The order as it will be matched: a full close sized, a closing leg of a hedge made reduce-only.

    Raises `Refused` with the first rule it breaks.
    """
    listing = state.listing(new.symbol)
    _account_may(state, account, listing, new)
    leg = account.leg(listing.symbol, new.position_side)
    whole = new.full_close
    if whole:
        new = replace(new, contracts=abs(leg.contracts), reduce_only=True)
    elif closes_leg(new):
        new = replace(new, reduce_only=True)
    if why := matching.refusal(placed(new), leg.contracts, state.quote(listing.symbol).mark, state.matching):
        if whole and why is matching.Refusal.NO_SIZE:
            why = matching.Refusal.REDUCE_ONLY
        raise Refused(OF_MATCHING[why], f"{new.side} {new.contracts} {new.symbol}: {why}")
    if not whole:
        _size_fits(listing, new, leg)
    _price_fits(state, listing, new)
    if not new.reduce_only:
        _worth_and_margin(state, account, listing, new, leg)
    return new


def closes_leg(new: NewOrder) -> bool:
    """Whether a hedge-mode order can only close: a sell of the long leg, a buy of the short one."""
    return (new.position_side, new.side) in ((PositionSide.LONG, Side.SELL), (PositionSide.SHORT, Side.BUY))


def placed(new: NewOrder) -> PlaceOrder:
    """The order in the matcher's words; leverage and margin mode play no part in matching."""
    return PlaceOrder(
        symbol=new.symbol,
        side=new.side,
        contracts=new.contracts,
        kind=new.kind,
        price=new.price,
        tif=new.tif,
        reduce_only=new.reduce_only,
        leverage=None,
        margin_mode=new.margin_mode or MarginMode.ISOLATED,
        full_close=new.full_close,
    )


def leverage_fits(listing: Listing, leverage: Decimal) -> None:
    low, high = listing.min_leverage, listing.instrument.max_leverage
    if not low <= leverage <= high or leverage % listing.leverage_step:
        raise Refused(Reason.LEVERAGE_RANGE, f"leverage {leverage} of {listing.symbol} is not within {low} to {high}")


def _account_may(state: VenueState, account: Account, listing: Listing, new: NewOrder) -> None:
    symbol = listing.symbol
    if not account.can_trade:
        raise Refused(Reason.CANNOT_TRADE, "this key may not trade")
    if not listing.instrument.tradable:
        raise Refused(Reason.NOT_TRADABLE, f"{symbol} is not traded now")
    if new.position_side not in account.sides():
        raise Refused(Reason.POSITION_MODE_MISMATCH, f"{new.position_side} does not fit {account.position_mode} mode")
    if new.margin_mode not in (None, account.margin_mode(symbol)):
        raise Refused(Reason.MARGIN_MODE_MISMATCH, f"{symbol} is set to {account.margin_mode(symbol)}")
    if new.leverage is not None:
        leverage_fits(listing, new.leverage)
    if new.client_id is not None and account.has_client_id(new.client_id) and not state.conditions.accept_duplicate_ids:
        raise Refused(Reason.DUPLICATE_CLIENT_ID, f"the client id {new.client_id} exists")
    if sum(order.symbol == symbol for order in account.open.values()) >= state.rules.max_open_orders:
        raise Refused(Reason.TOO_MANY_ORDERS, f"{state.rules.max_open_orders} orders rest on {symbol} already")


def _size_fits(listing: Listing, new: NewOrder, leg: Leg) -> None:
    instrument = listing.instrument
    if floor_to(new.contracts, instrument.lot) != new.contracts:
        raise Refused(Reason.BAD_LOT, f"{new.contracts} is not a multiple of {instrument.lot}")
    # What closes a whole leg may be as small as the leg is.
    if new.contracts < instrument.min_contracts and not (new.reduce_only and new.contracts >= abs(leg.contracts)):
        raise Refused(Reason.BELOW_MINIMUM, f"{new.contracts} is below {instrument.min_contracts}")
    most = instrument.max_market_contracts if new.kind is OrderKind.MARKET else instrument.max_contracts
    if new.contracts > most:
        raise Refused(Reason.ABOVE_MAXIMUM, f"{new.contracts} is above {most}")


def _price_fits(state: VenueState, listing: Listing, new: NewOrder) -> None:
    if new.kind is OrderKind.LIMIT and new.price is not None:
        tick = state.rules.tick_at(new.price, listing.instrument.tick)
        if new.price % tick:
            raise Refused(Reason.BAD_TICK, f"{new.price} is not a multiple of {tick}")


def _worth_and_margin(state: VenueState, account: Account, listing: Listing, new: NewOrder, leg: Leg) -> None:
    instrument, quote = listing.instrument, state.quote(listing.symbol)
    price = _reference(new, quote)
    if instrument.notional(new.contracts, price) < instrument.min_notional:
        raise Refused(Reason.BELOW_NOTIONAL, f"{new.contracts} at {price} is worth less than {instrument.min_notional}")
    against = same_sign(leg.contracts, -Decimal(new.side.sign))
    opening = max(new.contracts - abs(leg.contracts), ZERO) if against else new.contracts
    if not opening:
        return
    leverage = new.leverage or state.leverage(account, listing.symbol)
    notional = instrument.notional(opening, price)
    needed = notional / leverage + notional * state.rules.taker_fee
    freed = state.view(account, leg).margin if against else ZERO
    available = state.balance(account).available
    if needed > available + freed:
        raise Refused(Reason.INSUFFICIENT_MARGIN, f"margin {needed} is needed, {available + freed} is available")


def _reference(new: NewOrder, quote: Quote) -> Decimal:
    """The price an order is margined at: its own, or where the market is."""
    if new.kind is OrderKind.LIMIT and new.price is not None:
        return new.price if new.side is Side.BUY else max(new.price, quote.bid)
    return quote.ask if new.side is Side.BUY else quote.bid
