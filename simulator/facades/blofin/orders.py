"""BloFin's order entry and cancelling.

Source: https://docs.blofin.com (Place Order, Cancel Order, Close Positions) and recorded answers. The acknowledgement
says accepted, not executed. What the simulator cannot match (take profit and stop loss, post-only, fill-or-kill) is
refused, never ignored.
"""

from __future__ import annotations

import re
from decimal import Decimal

from core.domain import ZERO, OrderKind, PositionMode, Side, TimeInForce
from simulator.facades.blofin.account import LEGS, MARGIN_MODES, SIDES
from simulator.facades.blofin.codes import (
    BAD_CLIENT_ID,
    BROKER_MARK,
    CANCEL_FAILED,
    MARKET_TOO_LARGE,
    MESSAGES,
    NOTHING_TO_REDUCE,
    REFUSALS,
    SELL_PRICE,
)
from simulator.facades.blofin.context import Call
from simulator.facades.blofin.queries import number_of, order_at
from simulator.facades.blofin.wire import Refusal, wrong
from simulator.facades.parts import Json
from simulator.model import Listing, NewOrder, PositionSide, Reason, Refused

TYPES = {
    "market": (OrderKind.MARKET, TimeInForce.IOC),
    "limit": (OrderKind.LIMIT, TimeInForce.GTC),
    "ioc": (OrderKind.LIMIT, TimeInForce.IOC),
}
SIDE_NAMES = {"buy": Side.BUY, "sell": Side.SELL}
CLIENT_ID = re.compile(r"[A-Za-z0-9_]{1,32}")
UNMATCHED = ("tpTriggerPrice", "tpOrderPrice", "slTriggerPrice", "slOrderPrice")


class Failed(Exception):
    """An order that is refused: the answer as a whole fails, and the code stands beside the order."""

    def __init__(self, code: str, message: str, client_id: str) -> None:
        super().__init__(message)
        self.row: Json = {"orderId": None, "clientOrderId": client_id, "msg": message, "code": code}


def create(call: Call) -> list[Json]:
    """Takes an order; see the module."""
    listing = call.listing()
    new = requested(call, listing)
    try:
        order = call.exchange.place(call.account, new)
    except Refused as refused:
        raise refusal(new, refused) from None
    return [{"orderId": number_of(order.number), "clientOrderId": order.client_id or "", "msg": "success", "code": "0"}]


def refusal(new: NewOrder, refused: Refused) -> Exception:
    """How the venue words it: wrong parameters fail the request, the rest fails the order."""
    code, message = REFUSALS[refused.reason]
    if refused.reason is Reason.ABOVE_MAXIMUM and new.kind is OrderKind.MARKET:
        code, message = MARKET_TOO_LARGE, MESSAGES[MARKET_TOO_LARGE]
    if refused.reason is Reason.PRICE_BAND and new.side is Side.SELL:
        code, message = SELL_PRICE, MESSAGES[SELL_PRICE]
    if code.startswith("152"):
        return Refusal(code, message)
    return Failed(code, message, new.client_id or "")


def requested(call: Call, listing: Listing) -> NewOrder:
    """The order as the request states it."""
    params = call.params
    if params.text("brokerId"):
        raise Refusal(BROKER_MARK)
    if unmatched := params.given(UNMATCHED):
        raise wrong(unmatched[0])
    kind, tif = TYPES[params.one_of("orderType", TYPES)]
    price = params.number("price") if kind is OrderKind.LIMIT else None
    if kind is OrderKind.LIMIT and not price:
        params.needed("price")
        raise wrong("price")
    size = params.number("size")
    if not size:
        params.needed("size")
        raise wrong("size")
    return NewOrder(
        symbol=listing.symbol,
        side=SIDE_NAMES[params.one_of("side", SIDE_NAMES)],
        contracts=size,
        kind=kind,
        tif=tif,
        price=price,
        reduce_only=params.flag("reduceOnly"),
        client_id=client_id(call),
        position_side=leg(call),
        margin_mode=MARGIN_MODES[params.one_of("marginMode", MARGIN_MODES)],
    )


def client_id(call: Call) -> str | None:
    given = call.params.text("clientOrderId") or None
    if given is not None and not CLIENT_ID.fullmatch(given):
        raise Refusal(BAD_CLIENT_ID, "clientOrderId must be a combination of numbers, letters, or underscores, "
                      "and the maximum length of characters is 32.")  # fmt: skip
    return given


def leg(call: Call) -> PositionSide:
    """`net` by default in one-way mode; a side must be named in hedge mode."""
    hedged = call.exchange.info(call.account).position_mode is PositionMode.HEDGE
    return LEGS[call.params.one_of("positionSide", LEGS, "" if hedged else "net")]


def close_position(call: Call) -> Json:
    """A market order over all that is held."""
    listing, side = call.listing(), leg(call)
    if call.params.text("brokerId"):
        raise Refusal(BROKER_MARK)
    mode = MARGIN_MODES[call.params.one_of("marginMode", MARGIN_MODES)]
    views = call.exchange.positions(call.account, listing.symbol)
    held = sum((view.contracts for view in views if view.leg.position_side is side), Decimal(0))
    if held == ZERO:
        raise Refusal(NOTHING_TO_REDUCE)
    new = NewOrder(
        listing.symbol,
        Side.of(-held),
        ZERO,
        OrderKind.MARKET,
        client_id=client_id(call),
        position_side=side,
        full_close=True,
        margin_mode=mode,
    )
    try:
        call.exchange.place(call.account, new)
    except Refused as refused:
        code, message = REFUSALS[refused.reason]
        raise Refusal(code, message) from None
    return {
        "instId": listing.instrument.venue_symbol,
        "positionSide": SIDES[side],
        "clientOrderId": new.client_id or "",
    }


def cancel(call: Call) -> list[Json]:
    """By `orderId`, else by `clientOrderId`. What is final or unknown is 102068.

    A list of one, as recorded and as clients read it; the documentation shows the bare object.
    """
    order_id, given = call.params.text("orderId"), call.params.text("clientOrderId")
    if not order_id and not given:
        call.params.needed("orderId")
    if order_id:
        known = order_at(call, order_id)
    else:
        resting = call.exchange.orders(call.account, open_only=True, client_id=given)
        known = resting[0] if resting else None
    if known is None or not known.open:
        raise Failed(CANCEL_FAILED, MESSAGES[CANCEL_FAILED], given)
    call.exchange.cancel(call.account, known.order_id)
    return [{"orderId": number_of(known.number), "clientOrderId": known.client_id, "code": "0", "msg": None}]
