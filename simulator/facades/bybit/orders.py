"""Bybit's order entry.

Sources: https://bybit-exchange.github.io/docs/v5/order/create-order, /cancel-order, /cancel-all, recorded answers.

The acknowledgement says accepted, not executed; whatever the order then did is seen in reads. What the simulator cannot
match (triggers, take profit and stop loss, FOK, post-only) is refused, never ignored.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from core.domain import ZERO, OrderKind, Side, TimeInForce
from simulator.facades.bybit.codes import MESSAGES, NO_SUCH_ORDER, NOTHING_TO_REDUCE, POSITION_LIMIT, PRICE_LIMIT
from simulator.facades.bybit.context import Call
from simulator.facades.bybit.details import position_limit, price_limit
from simulator.facades.bybit.queries import plain_orders
from simulator.facades.bybit.wire import Json, Refusal, on, refuse_parameter
from simulator.model import Listing, NewOrder, Order, PositionSide, PositionView, Reason, Refused

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
KINDS = {"Market": OrderKind.MARKET, "Limit": OrderKind.LIMIT}
TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC}
LEGS = {0: PositionSide.NET, 1: PositionSide.LONG, 2: PositionSide.SHORT}
LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
UNMATCHED = (
    "triggerPrice", "takeProfit", "stopLoss", "tpLimitPrice", "slLimitPrice", "tpOrderType", "slOrderType", "orderIv",
    "slippageTolerance", "bboSideType", "bboLevel",
)  # fmt: skip
CANCELLED_AT_ONCE = 500


def create(call: Call) -> Json:
    """Accepts an order; see the module."""
    call.linear()
    listing = call.listing()
    new = within_limits(call, listing, requested(call, listing))
    try:
        order = call.exchange.place(call.account, new)
    except Refused as refused:
        raise _refusal(call, listing, new, refused) from refused
    return ids(order)


def ids(order: Order) -> Json:
    return {"orderId": order.order_id, "orderLinkId": order.client_id or ""}


def requested(call: Call, listing: Listing) -> NewOrder:
    """The order as the request states it. Quantity 0 with `reduceOnly` and `closeOnTrigger` closes the position, up to
    the largest order."""
    params = call.params
    side = SIDES[params.one_of("side", SIDES)]
    kind = KINDS[params.one_of("orderType", KINDS)]
    _unmatched(call)
    leg = LEGS[params.integer("positionIdx", 0, 0, 2)]
    contracts = params.number("qty")
    if contracts is None:
        raise refuse_parameter("qty is required")
    reduce_only = params.flag("reduceOnly")
    link_id = params.text("orderLinkId") or None
    if link_id is not None and not LINK_ID.fullmatch(link_id):
        raise refuse_parameter("orderLinkId must be at most 36 letters, digits, dashes or underscores")
    new = NewOrder(
        symbol=listing.symbol,
        side=side,
        contracts=contracts,
        kind=kind,
        tif=TIMES_IN_FORCE[params.one_of("timeInForce", TIMES_IN_FORCE, "GTC")],
        price=params.number("price") if kind is OrderKind.LIMIT else None,
        reduce_only=reduce_only,
        client_id=link_id,
        position_side=leg,
    )
    if contracts:
        return new
    if not (reduce_only and params.flag("closeOnTrigger")):
        raise Refusal(10001, "The number of contracts exceeds minimum limit allowed")
    return _whole(call, listing, new)


def _unmatched(call: Call) -> None:
    for name in UNMATCHED:
        if call.params.text(name) not in ("", "0"):
            raise refuse_parameter(f"{name} is not supported by the simulator")
    time_in_force = call.params.text("timeInForce")
    if time_in_force and time_in_force not in TIMES_IN_FORCE:
        raise refuse_parameter(f"timeInForce {time_in_force} is not supported by the simulator")


def _whole(call: Call, listing: Listing, new: NewOrder) -> NewOrder:
    """A close of all that is held, or of as much as one order may have."""
    most = largest(listing, new.kind)
    held = abs(held_on(call, listing, new.position_side))
    return replace(new, contracts=most) if held > most else replace(new, full_close=True)


def largest(listing: Listing, kind: OrderKind) -> Decimal:
    """The most contracts one order may have."""
    it = listing.instrument
    return it.max_market_contracts if kind is OrderKind.MARKET else it.max_contracts


def held_on(call: Call, listing: Listing, side: PositionSide) -> Decimal:
    """Signed contracts of a leg; 0 for a leg the position mode does not have."""
    views = call.exchange.positions(call.account, listing.symbol)
    return sum((view.contracts for view in views if view.leg.position_side is side), ZERO)


# --- limits only this venue has ---------------------------------------------------------------------------------------


def within_limits(call: Call, listing: Listing, new: NewOrder) -> NewOrder:
    """The order with its price inside the limit, or a refusal: 110003, 110090, 10001."""
    if new.price is not None:
        new = replace(new, price=priced(call, listing, new.side, new.price))
    if not new.reduce_only and new.contracts <= largest(listing, new.kind):
        _position_fits(call, listing, new)
    return new


def priced(call: Call, listing: Listing, side: Side, price: Decimal) -> Decimal:
    """A price beyond the limit is adjusted to it, as by default, or refused, as the account may have asked.

    Source: https://bybit-exchange.github.io/docs/v5/account/set-price-limit
    """
    details, tick = call.venue.details_of(listing), listing.instrument.tick
    if not tick <= price <= Decimal(details.max_price) or price % tick:
        raise refuse_parameter("price invalid")
    limit = price_limit(details, call.exchange.quote(listing.symbol), side, tick)
    beyond = price > limit if side is Side.BUY else price < limit
    if not beyond:
        return price
    if call.account in call.venue.fixed_prices:
        raise Refusal(PRICE_LIMIT, MESSAGES[PRICE_LIMIT])
    return limit


def _position_fits(call: Call, listing: Listing, new: NewOrder) -> None:
    views = [it for it in call.exchange.positions(call.account, listing.symbol) if _is_on(it, new.position_side)]
    for view in views:
        after = abs(view.contracts + new.contracts * new.side.sign)
        limit = position_limit(listing, view.leverage)
        if after > abs(view.contracts) and listing.instrument.notional(after, view.mark) > limit:
            lower = int(position_limit(listing, Decimal(1)) / listing.instrument.notional(after, view.mark))
            raise Refusal(
                POSITION_LIMIT,
                f"{MESSAGES[POSITION_LIMIT]} Please adjust your leverage to {lower} or below to increase the max. "
                "position limit",
            )


def _is_on(view: PositionView, side: PositionSide) -> bool:
    return view.leg.position_side is side


def _refusal(call: Call, listing: Listing, new: NewOrder, refused: Refused) -> Exception:
    """The venue's more precise words where it has them."""
    if refused.reason is Reason.REDUCE_ONLY and held_on(call, listing, new.position_side):
        return Refusal(NOTHING_TO_REDUCE, "Reduce-only rule not satisfied")
    if refused.reason is Reason.ABOVE_MAXIMUM:
        sizes = [on(size * 10**8, Decimal(1)) for size in (new.contracts, largest(listing, new.kind))]
        told = f"too large, order_qty:{sizes[0]} > max_qty:{sizes[1]}"
        return Refusal(10001, f"The number of contracts exceeds maximum limit allowed: {told}")
    return refused


# --- cancelling -------------------------------------------------------------------------------------------------------


def cancel(call: Call) -> Json:
    """By `orderId`, else by `orderLinkId`. What is final or unknown is 110001."""
    call.linear()
    listing = call.listing()
    order_id, link_id = call.params.text("orderId"), call.params.text("orderLinkId")
    if not order_id and not link_id:
        raise refuse_parameter("orderId or orderLinkId is required")
    if not order_id:
        resting = call.exchange.orders(call.account, open_only=True, client_id=link_id, symbol=listing.symbol)
        if not resting:
            raise Refusal(NO_SUCH_ORDER, MESSAGES[NO_SUCH_ORDER])
        order_id = resting[0].order_id
    known = call.exchange.order(call.account, order_id)
    if known is None or known.symbol != listing.symbol:
        raise Refusal(NO_SUCH_ORDER, MESSAGES[NO_SUCH_ORDER])
    return ids(call.exchange.cancel(call.account, order_id))


def cancel_all(call: Call) -> Json:
    """Of a symbol, a base coin or a settle coin; the newest 500."""
    call.linear()
    wanted = plain_orders(call, call.chosen("symbol", "baseCoin", "settleCoin"))
    resting = call.exchange.orders(call.account, open_only=True)
    chosen = [order for order in resting if wanted(call.exchange.listing(order.symbol))][:CANCELLED_AT_ONCE]
    return {"list": [ids(call.exchange.cancel(call.account, order.order_id)) for order in chosen], "success": "1"}
