"""What became of Bybit orders: open and recent ones, and the order history.

Sources: https://bybit-exchange.github.io/docs/v5/order/open-order, /docs/v5/order/order-list and recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from core.domain import ZERO, OrderKind, Side, TimeInForce
from simulator.facades.bybit.context import LINEAR, Call
from simulator.facades.bybit.positions import POSITION_IDX
from simulator.facades.bybit.wire import Json, Page, money, on, refuse_parameter
from simulator.model import Listing, Order, OrderState

RECENT_CLOSED = 500
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
UNFILLED_KEPT_MS = DAY_MS
"""Orders that ended without a fill can be queried for a day."""
FILLED_KEPT_MS = 730 * DAY_MS
LATEST_MS = 1 << 62
SIDE_NAMES = {Side.BUY: "Buy", Side.SELL: "Sell"}


@dataclass(frozen=True, slots=True)
class Span:
    """A span of venue milliseconds, both ends included."""

    start: int
    end: int

    def __contains__(self, at_ms: int) -> bool:
        return self.start <= at_ms <= self.end

    @staticmethod
    def of(call: Call, default_ms: int) -> Span:
        """`startTime` and `endTime`: one alone spans `default_ms`, none the latest such span, both at most a week."""
        start, end = (call.params.integer(name, -1, 0, LATEST_MS) for name in ("startTime", "endTime"))
        if start < 0 and end < 0:
            return Span(call.now_ms() - default_ms, LATEST_MS)
        if start < 0:
            return Span(end - default_ms, end)
        if end < 0:
            return Span(start, start + default_ms)
        if not 0 <= end - start <= WEEK_MS:
            raise refuse_parameter("the time range must be within 7 days")
        return Span(start, end)


# --- orders -----------------------------------------------------------------------------------------------------------


def realtime(call: Call) -> Json:
    """Open orders, or with `openOnly=1` or an id also the account's newest 500 closed ones; 20 a page, 50 at most.

    An id outranks the filters, but a filter must be given all the same.
    """
    page = Page.of(call.params, 20, 50)
    if call.category() != LINEAR:
        return {"list": [], "nextPageCursor": "", "category": call.category()}
    wanted = plain_orders(call, call.chosen("symbol", "baseCoin", "settleCoin"))
    with_closed = call.params.integer("openOnly", 0, 0, 2) == 1
    named = by_id(call)
    if named is not None:
        found = [order for order in named if order.open or any(order is recent for recent in closed(call))]
    else:
        pool: Iterable[Order] = closed(call) if with_closed else visible(call, open_only=True)
        found = [order for order in pool if wanted(call.exchange.listing(order.symbol))]
    return orders_page(call, found, page)


def history(call: Call) -> Json:
    """Closed orders: those with fills for two years, those without for a day; 20 a page, 50 at most."""
    page = Page.of(call.params, 20, 50)
    if call.category() != LINEAR:
        return {"list": [], "nextPageCursor": "", "category": call.category()}
    wanted = any_or_chosen(call)
    status, span = call.params.text("orderStatus"), Span.of(call, WEEK_MS)
    named = by_id(call)
    pool = visible(call, open_only=False) if named is None else [order for order in named if not order.open]
    found = [
        order
        for order in pool
        if kept(call, order)
        and (named is not None or (wanted(order) and call.stamp_ms(order.received_at) in span))
        and status in ("", status_of(order))
    ]
    return orders_page(call, found, page)


def any_or_chosen(call: Call) -> Callable[[Order], bool]:
    """Like `Call.chosen`, but no filter at all is allowed."""
    names = ("symbol", "baseCoin", "settleCoin")
    some = any(call.params.text(name) for name in names)
    wanted = plain_orders(call, call.chosen(*names) if some else lambda listing: True)
    return lambda order: wanted(call.exchange.listing(order.symbol))


def plain_orders(call: Call, wanted: Callable[[Listing], bool]) -> Callable[[Listing], bool]:
    """The filter, or one that lets nothing through where only conditional orders are asked for: there are none."""
    return wanted if call.params.text("orderFilter", "Order") == "Order" else lambda listing: False


def by_id(call: Call) -> list[Order] | None:
    """The orders named by `orderId`, else by `orderLinkId`, newest first; None if the request names none."""
    order_id, link_id = call.params.text("orderId"), call.params.text("orderLinkId")
    until = call.venue.lag.until()
    if order_id:
        order = call.exchange.order(call.account, order_id)
        return [order] if order is not None and (until is None or order.received_at < until) else []
    if link_id:
        return list(call.exchange.orders(call.account, client_id=link_id, until=until))
    return None


def visible(call: Call, *, open_only: bool) -> tuple[Order, ...]:
    return call.exchange.orders(call.account, open_only=open_only, until=call.venue.lag.until())


def closed(call: Call) -> Iterator[Order]:
    """The newest closed orders `realtime` still knows; lazily, for it is mostly asked for one of the last."""
    call.exchange.advance()
    until = call.venue.lag.until()
    known = (
        order
        for order in call.exchange.state.accounts[call.account].newest()
        if order.state in (OrderState.FILLED, OrderState.CANCELLED)
        and (until is None or order.received_at < until)
        and kept(call, order)
    )
    return islice(known, RECENT_CLOSED)


def kept(call: Call, order: Order) -> bool:
    """Whether a closed order can still be queried."""
    age_ms = call.now_ms() - call.stamp_ms(order.updated_at)
    return age_ms <= (FILLED_KEPT_MS if order.filled else UNFILLED_KEPT_MS)


def orders_page(call: Call, found: list[Order], page: Page) -> Json:
    rows, cursor = page.cut(found, lambda order: f"{order.number:012}", newest_first=True)
    return {"list": [order_row(call, it) for it in rows], "nextPageCursor": cursor, "category": LINEAR}


def status_of(order: Order) -> str:
    if order.state is OrderState.FILLED:
        return "Filled"
    if order.state is OrderState.CANCELLED:
        return "Cancelled"
    return "PartiallyFilled" if order.filled else "New"


def ending(order: Order) -> tuple[str, str]:
    """`cancelType` and `rejectReason`: an IOC's remainder has no cancel type, a resting order was cancelled by its
    user."""
    if order.state is not OrderState.CANCELLED:
        return "UNKNOWN", "EC_NoError"
    if order.tif is TimeInForce.IOC:
        return "UNKNOWN", "EC_CancelForNoFullFill" if order.filled else "EC_NoImmediateQtyToFill"
    return "CancelByUser", "EC_PerCancelRequest"


def order_row(call: Call, order: Order) -> Json:
    """One order; the price of a market order is where it was matched, for it has none of its own."""
    it = call.exchange.listing(order.symbol).instrument
    cancel_type, reject_reason = ending(order)
    average = order.average_price
    price = order.price if order.price is not None else average or ZERO
    return {
        "orderId": order.order_id,
        "orderLinkId": order.client_id or "",
        "parentOrderLinkId": "",
        "blockTradeId": "",
        "symbol": it.venue_symbol,
        "price": on(price, it.tick) if order.price is not None else money(price),
        "qty": on(order.contracts, it.lot),
        "side": SIDE_NAMES[order.side],
        "isLeverage": "",
        "positionIdx": POSITION_IDX[order.position_side],
        "orderStatus": status_of(order),
        "createType": "CreateByUser",
        "cancelType": cancel_type,
        "rejectReason": reject_reason,
        "avgPrice": "" if average is None else money(average),
        "leavesQty": on(order.remaining, it.lot),
        "leavesValue": money(it.notional(order.remaining, price)),
        "cumExecQty": on(order.filled, it.lot),
        "cumExecValue": money(order.value),
        "cumExecFee": money(order.fee),
        "cumFeeDetail": {call.exchange.rules.settle: money(order.fee)} if order.filled else {},
        "timeInForce": order.tif.value.upper(),
        "orderType": "Market" if order.kind is OrderKind.MARKET else "Limit",
        "stopOrderType": "",
        "orderIv": "",
        "marketUnit": "",
        "triggerPrice": "",
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "triggerDirection": 0,
        "triggerBy": "",
        "lastPriceOnCreated": "",
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": False,
        "placeType": "",
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": str(call.stamp_ms(order.received_at)),
        "updatedTime": str(call.stamp_ms(order.updated_at)),
        "extraFees": "",
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }
