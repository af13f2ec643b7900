"""KuCoin Futures' order entry.

Source: https://www.kucoin.com/docs-new/rest/futures-trading/orders/add-order and the cancelling endpoints, recorded
answers. The acknowledgement says accepted, not executed; whatever the order then did is seen in reads. What the
simulator cannot match (stops, post-only, hidden, iceberg, sizes in coins or value) is refused, never ignored.
"""

from __future__ import annotations

import re
from decimal import Decimal

from core.domain import ZERO, MarginMode, OrderKind, Side, TimeInForce
from simulator.checks import checked
from simulator.facades.kucoin.account import MARGIN_MODES
from simulator.facades.kucoin.codes import (
    MARGIN_MODE_MISMATCH,
    NO_ORDER,
    NOTHING_TO_CLOSE,
    POSITION_MODE_MISMATCH,
    TOO_LOW,
)
from simulator.facades.kucoin.context import Call
from simulator.facades.kucoin.wire import Refusal, refuse_parameter
from simulator.facades.parts import Json
from simulator.keys import order_id
from simulator.model import Listing, NewOrder, PositionSide, Reason, Refused

SIDES = {"buy": Side.BUY, "sell": Side.SELL}
KINDS = {"limit": OrderKind.LIMIT, "market": OrderKind.MARKET}
TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC}
LEGS = {"BOTH": PositionSide.NET, "LONG": PositionSide.LONG, "SHORT": PositionSide.SHORT}
CLIENT_OID = re.compile(r"[A-Za-z0-9_-]{1,40}")
UNMATCHED = ("stop", "stopPrice", "stopPriceType", "postOnly", "hidden", "iceberg", "visibleSize", "qty", "valueQty")
UNSET = "330011"


def create(call: Call) -> Json:
    """Accepts an order; see the module."""
    listing = call.listing()
    new = requested(call, listing)
    try:
        order = call.exchange.place(call.account, new)
    except Refused as refused:
        raise _refusal(new, refused) from refused
    return {"orderId": order.order_id, "clientOid": new.client_id}


def validate(call: Call) -> Json:
    """Validates like an order and places nothing."""
    listing = call.listing()
    new = requested(call, listing)
    state = call.exchange.state
    call.exchange.advance()
    try:
        checked(state, state.accounts[call.account], new)
    except Refused as refused:
        raise _refusal(new, refused) from refused
    return {"orderId": order_id(state.seed, "kucoin-test", state.seq), "clientOid": new.client_id}


def _refusal(new: NewOrder, refused: Refused) -> Exception:
    """The venue's more precise codes where it has them."""
    if refused.reason is Reason.PRICE_BAND and new.side is Side.SELL:
        return Refusal(TOO_LOW)
    return refused


def requested(call: Call, listing: Listing) -> NewOrder:
    """The order as the request states it, in the modes the account is in."""
    params = call.params
    client_oid = params.text("clientOid")
    if not CLIENT_OID.fullmatch(client_oid):
        raise refuse_parameter("validation.createOrder.clientOidIsRequired")
    for name in UNMATCHED:
        if params.given(name):
            raise refuse_parameter(f"{name} is not supported by the simulator")
    if call.account in call.venue.unset:
        raise Refusal(UNSET)
    leg = _leg(call)
    margin_mode = MARGIN_MODES[params.one_of("marginMode", MARGIN_MODES, "ISOLATED")]
    if margin_mode is not call.exchange.margin_mode(call.account, listing.symbol):
        raise Refusal(MARGIN_MODE_MISMATCH)
    if params.flag("closeOrder"):
        return _whole(call, listing, client_oid, leg)
    kind = KINDS[params.one_of("type", KINDS, "limit")]
    reduce_only = params.flag("reduceOnly")
    size = params.number("size")
    if size is None or size <= 0 or size != int(size):
        raise refuse_parameter("Quantity parameter invalid.")
    return NewOrder(
        symbol=listing.symbol,
        side=SIDES[params.one_of("side", SIDES)],
        contracts=size,
        kind=kind,
        tif=TIMES_IN_FORCE[params.one_of("timeInForce", TIMES_IN_FORCE, "GTC")],
        price=_price(call) if kind is OrderKind.LIMIT else None,
        reduce_only=reduce_only,
        client_id=client_oid,
        position_side=leg,
        leverage=_leverage(call, listing, margin_mode, reduce_only),
    )


def _leg(call: Call) -> PositionSide:
    leg = LEGS[call.params.one_of("positionSide", LEGS, "BOTH")]
    if leg not in call.exchange.state.accounts[call.account].sides():
        raise Refusal(POSITION_MODE_MISMATCH)
    return leg


def _price(call: Call) -> Decimal:
    price = call.params.number("price")
    if price is None or price <= 0:
        raise refuse_parameter("Price parameter invalid.")
    return price


def _leverage(call: Call, listing: Listing, mode: MarginMode, reduce_only: bool) -> Decimal | None:
    """What the order carries in isolated margin, a whole number; in cross margin the symbol's own."""
    if mode is MarginMode.CROSS:
        return call.venue.cross_leverage(call.account, listing)
    leverage = call.params.number("leverage")
    if reduce_only:
        return None
    if leverage is None or leverage < 1 or leverage != int(leverage):
        raise refuse_parameter("Leverage parameter invalid.")
    return leverage


def _whole(call: Call, listing: Listing, client_oid: str, leg: PositionSide) -> NewOrder:
    """A close of all that is held; side and size are the venue's to find, whatever else the request says."""
    views = call.exchange.positions(call.account, listing.symbol)
    held = sum((view.contracts for view in views if view.leg.position_side is leg), ZERO)
    if not held:
        raise Refusal(NOTHING_TO_CLOSE)
    limited = call.params.one_of("type", KINDS, "limit") == "limit" and call.params.given("price")
    return NewOrder(
        symbol=listing.symbol,
        side=Side.of(-held),
        contracts=ZERO,
        kind=OrderKind.LIMIT if limited else OrderKind.MARKET,
        tif=TIMES_IN_FORCE[call.params.one_of("timeInForce", TIMES_IN_FORCE, "GTC")],
        price=_price(call) if limited else None,
        reduce_only=True,
        client_id=client_oid,
        position_side=leg,
        full_close=True,
    )


# --- cancelling -------------------------------------------------------------------------------------------------------


def cancel(call: Call) -> Json:
    """By the venue's id."""
    return {"cancelledOrderIds": [call.exchange.cancel(call.account, call.name).order_id]}


def cancel_by_client(call: Call) -> Json:
    """By ours and the symbol. Where the id stands for several orders, the newest that rests."""
    listing = call.exchange.listing_at(call.params.needed("symbol"))
    found = [it for it in call.exchange.orders(call.account, client_id=call.name) if it.symbol == listing.symbol]
    if not found:
        raise Refusal(NO_ORDER)
    resting = [it for it in found if it.open] or found
    call.exchange.cancel(call.account, resting[0].order_id)
    return {"clientOid": call.name}


def cancel_all(call: Call) -> Json:
    """Of a symbol, or all."""
    symbol = call.listing().symbol if call.params.text("symbol") else None
    return {"cancelledOrderIds": [it.order_id for it in call.exchange.cancel_all(call.account, symbol)]}
