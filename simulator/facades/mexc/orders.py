"""MEXC's order entry and cancelling.

Source: https://www.mexc.com/api-docs/futures/account-and-trading-endpoints/place-order and recorded answers. The
acknowledgement says accepted, not executed. What the simulator cannot match (post-only, fill-or-kill, take profit and
stop loss, best-price orders) is refused, never ignored.

`side` says open or close as well as buy or sell. In hedge mode that chooses the leg. In one-way mode there is one
position: what 2 and 4 mean there is documented nowhere, so they buy and sell without protection, and only `reduceOnly`
(which hedge mode does not take) keeps an order from opening the other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.domain import MarginMode, OrderKind, PositionMode, Side, TimeInForce
from simulator.facades.mexc import codes
from simulator.facades.mexc.account import MARGIN_MODES, MODE_NUMBERS
from simulator.facades.mexc.context import ORDER_BASE, Call, number_of
from simulator.facades.mexc.wire import Refusal, wrong
from simulator.facades.parts import Json
from simulator.keys import order_id as uuid_of
from simulator.model import Listing, NewOrder, Order, PositionSide, Reason, Refused

OPEN_LONG, CLOSE_SHORT, OPEN_SHORT, CLOSE_LONG = 1, 2, 3, 4
SIDES = {OPEN_LONG: Side.BUY, CLOSE_SHORT: Side.BUY, OPEN_SHORT: Side.SELL, CLOSE_LONG: Side.SELL}
LEGS = {
    OPEN_LONG: PositionSide.LONG,
    CLOSE_SHORT: PositionSide.SHORT,
    OPEN_SHORT: PositionSide.SHORT,
    CLOSE_LONG: PositionSide.LONG,
}
CLOSING = (CLOSE_SHORT, CLOSE_LONG)
TYPES = {
    1: (OrderKind.LIMIT, TimeInForce.GTC),
    3: (OrderKind.LIMIT, TimeInForce.IOC),
    5: (OrderKind.MARKET, TimeInForce.IOC),
    6: (OrderKind.MARKET, TimeInForce.IOC),
}
UNMATCHED = ("stopLossPrice", "takeProfitPrice", "bboTypeNum", "marketCeiling", "flashClose", "stpMode")
LONGEST_ID = 32
MOST_CANCELS = 50


def create(call: Call) -> Json:
    """Takes an order; see the module."""
    listing = call.listing()
    new = requested(call, listing)
    _fits_position(call, new)
    try:
        order = call.exchange.place(call.account, new)
    except Refused as refused:
        if refused.reason is Reason.PRICE_BAND and new.side is Side.SELL:
            raise Refusal(codes.SELL_PRICE) from None
        raise
    return {"orderId": number_of(order.number), "ts": call.now_ms()}


def requested(call: Call, listing: Listing) -> NewOrder:
    """The order as the request states it, in the mode the account is in."""
    params = call.params
    for name in UNMATCHED:
        if params.given(name):
            raise wrong(name)
    client_id = params.text("externalOid") or None
    if client_id is not None and len(client_id) > LONGEST_ID:
        raise Refusal(codes.ID_TOO_LONG)
    side, position_side, reduce_only = _direction(call)
    kind, tif = _kind(params.integer("type", 0, 0, 99))
    size = params.number("vol")
    if not size:
        raise Refusal(codes.BAD_SIZE)
    mode = MARGIN_MODES.get(params.integer("openType", 0, 0, 9))
    if mode is None:
        raise wrong("openType")
    return NewOrder(
        symbol=listing.symbol,
        side=side,
        contracts=size,
        kind=kind,
        tif=tif,
        price=_price(call) if kind is OrderKind.LIMIT else None,
        reduce_only=reduce_only,
        client_id=client_id,
        position_side=position_side,
        leverage=_leverage(call, mode, reduce_only),
        margin_mode=mode,
    )


def _direction(call: Call) -> tuple[Side, PositionSide, bool]:
    """Side, leg, and whether it may only reduce."""
    params, mode = call.params, call.exchange.info(call.account).position_mode
    wanted = params.integer("side", 0, 0, 99)
    if wanted not in SIDES:
        raise Refusal(codes.BAD_SIDE)
    if params.integer("positionMode", MODE_NUMBERS[mode], 0, 9) != MODE_NUMBERS[mode]:
        raise Refusal(codes.MODE_MISMATCH)
    reduce_only = params.flag("reduceOnly")
    if mode is PositionMode.HEDGE:
        if reduce_only:
            raise wrong("reduceOnly")
        return SIDES[wanted], LEGS[wanted], wanted in CLOSING
    if reduce_only and wanted in CLOSING:
        raise Refusal(codes.BAD_SIDE)  # both ways of saying it at once: clients report a refusal
    return SIDES[wanted], PositionSide.NET, reduce_only


def _kind(number: int) -> tuple[OrderKind, TimeInForce]:
    if number not in TYPES:
        raise Refusal(codes.BAD_TYPE)
    return TYPES[number]


def _price(call: Call) -> Decimal:
    price = call.params.number("price")
    if not price:
        raise Refusal(codes.BAD_PRICE)
    return price


def _leverage(call: Call, mode: MarginMode, reduce_only: bool) -> Decimal | None:
    """What the order carries. In isolated margin one that opens must; what closes by its side needs none."""
    leverage = call.params.integer("leverage", 0, 0, 1 << 31)
    opens = not reduce_only and call.params.integer("side", 0, 0, 99) not in CLOSING
    if opens and mode is MarginMode.ISOLATED and not leverage:
        raise Refusal(codes.BAD_LEVERAGE)
    return Decimal(leverage) if leverage and opens else None


def _fits_position(call: Call, new: NewOrder) -> None:
    """Margin mode and leverage must be those of an open position; a flat symbol takes the order's mode."""
    held = [view for view in call.exchange.positions(call.account, new.symbol) if view.contracts]
    resting = call.exchange.orders(call.account, open_only=True, symbol=new.symbol)
    mode, assured = call.exchange.margin_mode(call.account, new.symbol), new.margin_mode or MarginMode.ISOLATED
    if (held or resting) and mode is not assured:
        raise Refusal(codes.OTHER_MODE)
    if held and new.leverage is not None and new.leverage != held[0].leverage:
        raise Refusal(codes.OTHER_LEVERAGE)
    if mode is not assured and call.exchange.info(call.account).can_trade:
        call.exchange.set_margin_mode(call.account, assured, new.symbol)


# --- cancelling -------------------------------------------------------------------------------------------------------


def cancel(call: Call) -> list[Json]:
    """By the venue's ids: a list of them, as texts or numbers."""
    wanted = call.params.listed()
    if not wanted or len(wanted) > MOST_CANCELS:
        raise Refusal(codes.PARAMETER)
    return [_cancelled(call, order_at(call, str(one)), str(one)) for one in wanted]


def cancel_external(call: Call) -> list[Json]:
    """By ours and the contract's: a list of pairs."""
    pairs = call.params.listed()
    if not pairs or len(pairs) > MOST_CANCELS or not all(isinstance(one, Mapping) for one in pairs):
        raise Refusal(codes.PARAMETER)
    rows: list[Json] = []
    for pair in pairs:
        assert isinstance(pair, Mapping)
        symbol = call.exchange.listing_at(str(pair.get("symbol", ""))).symbol
        found = call.exchange.orders(call.account, symbol=symbol, client_id=str(pair.get("externalOid", "")))
        resting = [order for order in found if order.open] or list(found)
        rows.append(_cancelled(call, resting[0] if resting else None, "0"))
    return rows


def _cancelled(call: Call, order: Order | None, number: str) -> Json:
    code = codes.NO_ORDER
    if order is not None:
        number, code = number_of(order.number), codes.OK if order.open else codes.ORDER_FINAL
        if order.open:
            call.exchange.cancel(call.account, order.order_id)
    message = "success" if code == codes.OK else codes.MESSAGES[code]
    return {"orderId": number, "errorCode": code, "errorMsg": message}


def cancel_all(call: Call) -> None:
    """Of a contract, or all."""
    call.exchange.cancel_all(call.account, call.symbol_or_none())


def order_at(call: Call, number: str) -> Order | None:
    """The order with the venue's id."""
    if not (number.isascii() and number.isdigit() and ORDER_BASE < int(number[:20]) < ORDER_BASE + 10**12):
        return None
    state = call.exchange.state
    return call.exchange.order(call.account, uuid_of(state.seed, state.rules.venue, int(number) - ORDER_BASE))
