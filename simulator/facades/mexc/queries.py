"""What became of MEXC's orders: by id, in lists, and their deals.

Source: https://www.mexc.com/api-docs/futures/account-and-trading-endpoints and recorded answers. A deal names its order
by the venue's id, never ours. Orders that nobody sent over the API (manual ones, liquidations) are listed as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.domain import ZERO, OrderKind, Side, TimeInForce
from simulator.facades.mexc.account import MODE_NUMBERS, OPEN_TYPES
from simulator.facades.mexc.context import FOREIGN_BASE, Call, number_of, order_id_of
from simulator.facades.mexc.orders import CLOSE_LONG, CLOSE_SHORT, OPEN_LONG, OPEN_SHORT, order_at
from simulator.facades.mexc.wire import Page, Refusal, wrong
from simulator.facades.parts import Json
from simulator.model import Fill, FillKind, Order, OrderState, PositionSide

EIGHT = Decimal("0.00000001")
DAY_MS = 86_400_000
WEEK_MS, LONGEST_MS = 7 * DAY_MS, 90 * DAY_MS
LATEST_MS = 1 << 62
UNFILLED, FILLED, CANCELLED = 2, 3, 4
CATEGORIES = {FillKind.TRADE: 1, FillKind.LIQUIDATION: 2, FillKind.ADL: 4, FillKind.SETTLEMENT: 3}
IOC_CANCELLED, USER_CANCELLED = 18, 0
LARGEST_DEALS = 1000
MOST_IDS = 50


# --- single orders ----------------------------------------------------------------------------------------------------


def by_id(call: Call) -> object:
    return _one(call, [order for order in _seen(call) if number_of(order.number) == call.names[0]])


def by_external(call: Call) -> object:
    """The newest order with an id of ours."""
    symbol = call.listing().symbol
    until = call.venue.lag.until()
    found = call.exchange.orders(call.account, symbol=symbol, client_id=call.names[1], until=until)
    return _one(call, list(found))


def _one(call: Call, found: list[Order]) -> object:
    if found:
        return order_row(call, found[0])
    if call.venue.absent_code is None:
        return None
    raise Refusal(call.venue.absent_code)


def batch_query(call: Call) -> list[Json]:
    """Several by the venue's ids; unknown ones are left out."""
    wanted = call.params.needed("order_ids").split(",")
    if len(wanted) > MOST_IDS:
        raise wrong("order_ids")
    seen = {order.order_id for order in _seen(call)}
    found = [order for number in wanted if (order := order_at(call, number)) is not None]
    known = {number_of(order.number): order_row(call, order) for order in found if order.order_id in seen}
    known |= {str(row["orderId"]): row for _, row in _foreign(call)}
    return [known[number] for number in wanted if number in known]


def batch_external(call: Call) -> list[Json]:
    """Several by ids of ours; unknown ones are left out."""
    rows: list[Json] = []
    for pair in call.params.listed():
        if not isinstance(pair, Mapping):
            raise wrong("externalOid")
        symbol, mine = call.exchange.listing_at(str(pair.get("symbol", ""))).symbol, str(pair.get("externalOid", ""))
        until = call.venue.lag.until()
        found = call.exchange.orders(call.account, symbol=symbol, client_id=mine, until=until)
        rows += [order_row(call, order) for order in found[:1]]
    return rows


# --- lists ------------------------------------------------------------------------------------------------------------


def open_orders(call: Call) -> object:
    """Resting orders, newest first, of one contract or all."""
    symbol, until = call.symbol_or_none(), call.venue.lag.until()
    found = call.exchange.orders(call.account, open_only=True, symbol=symbol, until=until)
    return Page.of(call.params).answer([order_row(call, order) for order in found], framed=call.venue.framed)


def history_orders(call: Call) -> object:
    """Final orders, newest first; the span is about their creation and goes back a week unless it is given."""
    symbol, span = call.symbol_or_none(), _span(call, "startTime", "endTime")
    states = {int(state) for state in call.params.text("states").split(",") if state.isdigit()}
    found = [(order.received_at, order_row(call, order)) for order in _seen(call) if not order.open]
    rows = sorted((*found, *_foreign(call)), key=lambda one: -one[0])
    name = None if symbol is None else call.exchange.listing(symbol).instrument.venue_symbol
    chosen = [
        row
        for at, row in rows
        if call.stamp_ms(at) in span and name in (None, row["symbol"]) and (not states or row["state"] in states)
    ]
    return Page.of(call.params).answer(chosen, framed=call.venue.framed)


def deals(call: Call) -> object:
    """Of one contract, newest first; the span goes back a week unless it is given."""
    listing, span = call.listing(), _span(call, "start_time", "end_time")
    until = call.venue.lag.until()
    found = call.exchange.fills(call.account, symbol=listing.symbol, until=until)
    rows = [deal_row(call, fill) for fill in found if call.stamp_ms(fill.at) in span]
    return Page.of(call.params, LARGEST_DEALS).answer(rows, framed=call.venue.framed)


def deal_details(call: Call) -> list[Json]:
    """Of one order."""
    until = call.venue.lag.until()
    found = call.exchange.fills(call.account, until=until)
    return [deal_row(call, fill) for fill in found if order_id_of(call.exchange, call.account, fill) == call.names[0]]


def _span(call: Call, start: str, end: str) -> range:
    """A span of venue milliseconds, ends included; either way of writing the names is taken."""
    first, last = (
        call.params.integer(name, call.params.integer(other, -1, 0, LATEST_MS), 0, LATEST_MS)
        for name, other in ((start, "start_time"), (end, "end_time"))
    )
    last = LATEST_MS if last < 0 else last
    first = min(call.now_ms(), last) - WEEK_MS if first < 0 else first
    if min(last, call.now_ms()) - first > LONGEST_MS:
        raise wrong("start_time")
    return range(first, last + 1)


def _seen(call: Call) -> tuple[Order, ...]:
    return call.exchange.orders(call.account, until=call.venue.lag.until())


def _foreign(call: Call) -> list[tuple[float, Json]]:
    """The orders of fills nobody sent over the API, which the exchange does not keep."""
    taken = call.exchange.state.accounts[call.account].orders
    found = call.exchange.fills(call.account, until=call.venue.lag.until())
    return [(fill.at, foreign_row(call, fill)) for fill in found if fill.order_id not in taken]


# --- rows -------------------------------------------------------------------------------------------------------------


def side_number(side: Side, position_side: PositionSide) -> int:
    """In one-way mode an order opens by its side, whatever it did to the position."""
    if side is Side.BUY:
        return CLOSE_SHORT if position_side is PositionSide.SHORT else OPEN_LONG
    return CLOSE_LONG if position_side is PositionSide.LONG else OPEN_SHORT


def type_number(order: Order) -> int:
    if order.kind is OrderKind.MARKET:
        return 5
    return 3 if order.tif is TimeInForce.IOC else 1


def order_row(call: Call, order: Order) -> Json:
    """One order. Margin mode and leverage are the contract's present ones: the exchange keeps them there."""
    it = call.exchange.listing(order.symbol).instrument
    state = {OrderState.FILLED: FILLED, OrderState.CANCELLED: CANCELLED}.get(order.state, UNFILLED)
    immediate = state == CANCELLED and order.tif is TimeInForce.IOC
    one_way = order.position_side is PositionSide.NET
    return {
        "orderId": number_of(order.number),
        "symbol": it.venue_symbol,
        "positionId": 0,
        "price": order.price or ZERO,
        "priceStr": format(order.price or ZERO, ".18f"),
        "vol": order.contracts,
        "leverage": int(call.exchange.leverage(call.account, order.symbol)),
        "side": side_number(order.side, order.position_side),
        "category": 1,
        "orderType": type_number(order),
        "dealAvgPrice": (order.average_price or ZERO).quantize(EIGHT),
        "dealAvgPriceStr": format(order.average_price or ZERO, ".18f"),
        "dealVol": order.filled,
        "orderMargin": ZERO,
        "takerFee": order.fee.quantize(EIGHT),
        "makerFee": ZERO,
        "profit": ZERO,
        "feeCurrency": it.settle,
        "openType": OPEN_TYPES[call.exchange.margin_mode(call.account, order.symbol)],
        "state": state,
        "externalOid": order.client_id or f"_m_{order.order_id.replace('-', '')}",
        "errorCode": IOC_CANCELLED if immediate else USER_CANCELLED,
        "usedMargin": ZERO,
        "createTime": call.stamp_ms(order.received_at),
        "updateTime": call.stamp_ms(order.updated_at),
        "positionMode": 2 if one_way else 1,
        **({"reduceOnly": order.reduce_only} if one_way else {}),
        "version": 1,
        "totalFee": order.fee.quantize(EIGHT),
    }


def foreign_row(call: Call, fill: Fill) -> Json:
    """The order of a fill nobody sent over the API."""
    it, price = call.exchange.listing(fill.symbol).instrument, fill.price.quantize(EIGHT)
    return {
        "orderId": str(FOREIGN_BASE + fill.seq),
        "symbol": it.venue_symbol,
        "positionId": 0,
        "price": price,
        "vol": fill.contracts,
        "leverage": int(call.exchange.leverage(call.account, fill.symbol)),
        "side": side_number(fill.side, fill.position_side),
        "category": CATEGORIES[fill.kind],
        "orderType": 5,
        "dealAvgPrice": price,
        "dealVol": fill.contracts,
        "orderMargin": ZERO,
        "takerFee": fill.fee.quantize(EIGHT),
        "makerFee": ZERO,
        "profit": fill.realized.quantize(EIGHT),
        "feeCurrency": it.settle,
        "openType": OPEN_TYPES[call.exchange.margin_mode(call.account, fill.symbol)],
        "state": FILLED,
        "externalOid": f"_m_{fill.seq:032x}",
        "errorCode": 0,
        "usedMargin": ZERO,
        "createTime": call.stamp_ms(fill.at),
        "updateTime": call.stamp_ms(fill.at),
        "positionMode": MODE_NUMBERS[call.exchange.info(call.account).position_mode],
    }


def deal_row(call: Call, fill: Fill) -> Json:
    it = call.exchange.listing(fill.symbol).instrument
    return {
        "id": str(9_466_000_000 + fill.seq),
        "symbol": it.venue_symbol,
        "side": side_number(fill.side, fill.position_side),
        "vol": fill.contracts,
        "price": fill.price,
        "fee": fill.fee.quantize(EIGHT),
        "feeCurrency": it.settle,
        "profit": fill.realized.quantize(EIGHT),
        "category": CATEGORIES[fill.kind],
        "orderId": order_id_of(call.exchange, call.account, fill),
        "timestamp": call.stamp_ms(fill.at),
        "positionMode": MODE_NUMBERS[call.exchange.info(call.account).position_mode],
        "taker": not fill.maker,
        "isTaker": not fill.maker,
    }
