"""What became of KuCoin Futures orders: orders, fills, funding.

Sources: https://www.kucoin.com/docs-new/rest/futures-trading/orders, /funding-fees and recorded answers. What the
venue does not say is taken at its worst: a list without a time range goes back a day, not a week.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from core.domain import OrderKind, Side, plain
from simulator.facades.kucoin.account import MARGIN_MODE_NAMES
from simulator.facades.kucoin.codes import NO_ORDER
from simulator.facades.kucoin.context import Call
from simulator.facades.kucoin.wire import Page, Refusal, refuse_parameter
from simulator.facades.parts import Json, money, on
from simulator.model import Fill, FillKind, Order, OrderState

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
QUARTER_MS = 92 * DAY_MS
RECENT = 1000
LATEST_MS = 1 << 62
NANOSECONDS = 1_000_000
STATUSES = ("active", "done")
TRADE_TYPES = {
    FillKind.TRADE: "trade",
    FillKind.LIQUIDATION: "liquid",
    FillKind.ADL: "adl",
    FillKind.SETTLEMENT: "settlement",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A span of venue milliseconds, both ends included."""

    start: int
    end: int

    def __contains__(self, at_ms: int) -> bool:
        return self.start <= at_ms <= self.end

    @staticmethod
    def of(call: Call, longest_ms: int, default_ms: int = DAY_MS) -> Span:
        """`startAt` and `endAt`: one alone spans `default_ms`, none the latest such span."""
        start, end = (call.params.integer(name, -1, 0, LATEST_MS) for name in ("startAt", "endAt"))
        if start < 0 and end < 0:
            return Span(call.now_ms() - default_ms, LATEST_MS)
        if start < 0:
            return Span(end - default_ms, end)
        if end < 0:
            return Span(start, start + default_ms)
        if not 0 <= end - start <= longest_ms:
            raise refuse_parameter("The time range is too long.")
        return Span(start, end)


# --- orders -----------------------------------------------------------------------------------------------------------


def listed(call: Call) -> Json:
    """`active` orders of any age, or `done` ones (what is meant without a status) of a week at most; newest first."""
    active = call.params.one_of("status", STATUSES, "done") == "active"
    span = Span(0, LATEST_MS) if active else Span.of(call, WEEK_MS)
    page = Page.of(call.params)
    symbol = call.listing().symbol if call.params.text("symbol") else None
    side, kind = call.params.text("side"), call.params.text("type")
    found = [
        order
        for order in call.orders()
        if order.open is active
        and symbol in (None, order.symbol)
        and side in ("", order.side.value)
        and kind in ("", order.kind.value)
        and call.stamp_ms(order.received_at) in span
    ]
    return page.frame([order_row(call, order) for order in page.cut(found)], len(found))


def recent_done(call: Call) -> list[Json]:
    """The newest thousand of the last day."""
    symbol = call.listing().symbol if call.params.text("symbol") else None
    since_ms = call.now_ms() - DAY_MS
    found = [
        order
        for order in call.orders()
        if not order.open and symbol in (None, order.symbol) and call.stamp_ms(order.received_at) >= since_ms
    ]
    return [order_row(call, order) for order in found[:RECENT]]


def by_id(call: Call) -> Json:
    taken = call.exchange.order(call.account, call.name)
    until = call.venue.lag.until()
    if taken is not None and (until is None or taken.received_at < until):
        return _one(call, [taken])
    return _one(call, (order for order in call.orders() if order.order_id == call.name))


def by_client_oid(call: Call) -> Json:
    """One order, also where an id stands for several: then the newest."""
    client_oid = call.params.needed("clientOid")
    return _one(call, call.exchange.orders(call.account, client_id=client_oid, until=call.venue.lag.until()))


def _one(call: Call, found: Iterable[Order]) -> Json:
    """What is done can be looked up for a week."""
    since_ms = call.now_ms() - WEEK_MS
    kept = (order for order in found if order.open or call.stamp_ms(order.received_at) >= since_ms)
    order = next(kept, None)
    if order is None:
        raise Refusal(NO_ORDER)
    return order_row(call, order)


def order_row(call: Call, order: Order) -> Json:
    """One order. `open` or `done` is all its status says; `cancelExist` that something of it was cancelled."""
    it = call.exchange.listing(order.symbol).instrument
    leverage = call.exchange.leverage(call.account, order.symbol)
    ended = None if order.open else call.stamp_ms(order.updated_at)
    price = order.price if order.price is not None else order.average_price or Decimal(0)
    filled = plain(order.value)
    return {
        "id": order.order_id,
        "symbol": it.venue_symbol,
        "type": order.kind.value,
        "side": order.side.value,
        "price": "0" if order.price is None else on(order.price, it.tick),
        "size": int(order.contracts),
        "value": money(it.notional(order.contracts, price)),
        "dealValue": filled,
        "dealSize": int(order.filled),
        "stp": "",
        "stop": "",
        "stopPriceType": "",
        "stopTriggered": False,
        "stopPrice": None,
        "timeInForce": "GTC" if order.kind is OrderKind.MARKET else order.tif.value.upper(),
        "postOnly": False,
        "hidden": False,
        "iceberg": False,
        "leverage": plain(leverage),
        "forceHold": False,
        "closeOrder": False,
        "visibleSize": 0,
        "clientOid": order.client_id,
        "remark": None,
        "tags": "",
        "isActive": order.open,
        "cancelExist": order.state is OrderState.CANCELLED,
        "createdAt": call.stamp_ms(order.received_at),
        "updatedAt": call.stamp_ms(order.updated_at),
        "endAt": ended,
        "orderTime": call.stamp_ms(order.received_at) * NANOSECONDS,
        "settleCurrency": it.settle,
        "marginMode": MARGIN_MODE_NAMES[call.exchange.margin_mode(call.account, order.symbol)],
        "positionSide": "BOTH" if order.position_side.value == "net" else order.position_side.value.upper(),
        "avgDealPrice": "0" if order.average_price is None else money(order.average_price),
        "filledSize": int(order.filled),
        "filledValue": filled,
        "status": "open" if order.open else "done",
        "reduceOnly": order.reduce_only,
    }


# --- fills ------------------------------------------------------------------------------------------------------------


def fills(call: Call) -> Json:
    """Of one order, or of a span of a week at most; newest first."""
    page, until = Page.of(call.params), call.venue.lag.until()
    wanted = call.params.text("orderId")
    if wanted:
        found = list(call.exchange.fills(call.account, order_id=wanted, until=until))
    else:
        span = Span.of(call, WEEK_MS)
        symbol = call.listing().symbol if call.params.text("symbol") else None
        side, types = call.params.text("side"), call.params.text("tradeTypes")
        found = [
            fill
            for fill in call.exchange.fills(call.account, symbol=symbol, until=until)
            if call.stamp_ms(fill.at) in span
            and side in ("", fill.side.value)
            and (not types or TRADE_TYPES[fill.kind] in types.split(","))
        ]
    return page.frame([fill_row(call, fill) for fill in page.cut(found)], len(found))


def recent_fills(call: Call) -> list[Json]:
    """The newest thousand of the last day."""
    since_ms = call.now_ms() - DAY_MS
    found = call.exchange.fills(call.account, until=call.venue.lag.until())
    return [fill_row(call, fill) for fill in found if call.stamp_ms(fill.at) >= since_ms][:RECENT]


def fill_row(call: Call, fill: Fill) -> Json:
    """One fill; it names its order by the venue's id alone."""
    it = call.exchange.listing(fill.symbol).instrument
    value = fill.quantity * fill.price
    order = call.exchange.order(call.account, fill.order_id)
    kind = "limit" if order is not None and order.kind is OrderKind.LIMIT else "market"
    closing = fill.fee * fill.closed / fill.contracts
    return {
        "symbol": it.venue_symbol,
        "tradeId": str(fill.seq),
        "orderId": fill.order_id,
        "side": fill.side.value,
        "liquidity": "maker" if fill.maker else "taker",
        "forceTaker": False,
        "price": on(fill.price, it.tick),
        "size": int(fill.contracts),
        "value": money(value),
        "openFeePay": money(fill.fee - closing),
        "closeFeePay": money(closing),
        "stop": "",
        "feeRate": money(fill.fee / value) if value else "0",
        "fixFee": "0",
        "feeCurrency": it.settle,
        "subTradeType": None,
        "marginMode": MARGIN_MODE_NAMES[call.exchange.margin_mode(call.account, fill.symbol)],
        "openFeeTaxPay": "0",
        "closeFeeTaxPay": "0",
        "displayType": kind,
        "fee": money(fill.fee),
        "settleCurrency": it.settle,
        "orderType": kind,
        "tradeType": TRADE_TYPES[fill.kind],
        "tradeTime": call.stamp_ms(fill.at) * NANOSECONDS,
        "createdAt": call.stamp_ms(fill.at),
    }


# --- funding and the rest ---------------------------------------------------------------------------------------------


def funding(call: Call) -> Json:
    """Of one symbol, newest first, ten unless asked for more, a hundred at most."""
    listing, most = call.listing(), call.params.integer("maxCount", 10, 1, 100)
    span = Span.of(call, QUARTER_MS, QUARTER_MS)
    it = listing.instrument
    paid = [one for one in call.exchange.funding(call.account, symbol=listing.symbol) if call.stamp_ms(one.at) in span]
    mode = MARGIN_MODE_NAMES[call.exchange.margin_mode(call.account, listing.symbol)]
    rows = [
        {
            "id": one.seq,
            "symbol": it.venue_symbol,
            "timePoint": call.stamp_ms(one.at),
            "fundingRate": one.rate,
            "markPrice": one.mark,
            "positionQty": int(one.contracts),
            "positionCost": it.quantity(one.contracts) * one.mark,
            "funding": one.amount,
            "settleCurrency": it.settle,
            "context": "",
            "marginMode": mode,
        }
        for one in paid[:most]
    ]
    return {"dataList": rows, "hasMore": len(paid) > most}


def open_value(call: Call) -> Json:
    """What rests on one contract."""
    listing = call.listing()
    resting = call.exchange.orders(call.account, open_only=True, symbol=listing.symbol)
    sizes = {side: sum(int(it.remaining) for it in resting if it.side is side) for side in Side}
    costs = {
        side: sum(
            (listing.instrument.notional(it.remaining, it.price) for it in resting if it.side is side and it.price),
            Decimal(0),
        )
        for side in Side
    }
    return {
        "openOrderBuySize": sizes[Side.BUY],
        "openOrderSellSize": sizes[Side.SELL],
        "openOrderBuyCost": money(costs[Side.BUY]),
        "openOrderSellCost": money(costs[Side.SELL]),
        "settleCurrency": listing.instrument.settle,
    }
