"""What became of BloFin's orders: detail, active orders, history, executions.

Source: https://docs.blofin.com and recorded answers. An execution does not name the client's id, only the order's.
Orders that nobody sent over the API (manual ones, liquidations) stand in the history too, without a client id.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain import ZERO, MarginMode, OrderKind, Side, TimeInForce, plain
from simulator.facades.blofin.account import SIDES
from simulator.facades.blofin.context import Call
from simulator.facades.blofin.wire import Page, Refusal, long, wrong
from simulator.facades.parts import Json, ms
from simulator.keys import order_id as uuid_of
from simulator.model import Fill, FillKind, Order, OrderState

ORDER_BASE = 28_000_000
FOREIGN_BASE = 9_000_000_000
"""Orders of nobody's are not kept by the exchange: their id is made from their fill."""
TRADE_BASE = 7_000_000
LATEST_MS = 1 << 62
SIDE_NAMES = {Side.BUY: "buy", Side.SELL: "sell"}
CATEGORIES = {FillKind.LIQUIDATION: "full_liquidation", FillKind.ADL: "adl"}


def number_of(number: int) -> str:
    """The venue's id of an order the exchange numbered."""
    return str(ORDER_BASE + number)


def order_at(call: Call, number: str) -> Order | None:
    """The order with the venue's id."""
    if not number.isdecimal() or len(number) > 12 or int(number) <= ORDER_BASE:
        return None
    state = call.exchange.state
    return call.exchange.order(call.account, uuid_of(state.seed, state.rules.venue, int(number) - ORDER_BASE))


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a list with what it is sorted and found by."""

    at: float
    id: str
    row: Json


# --- orders -----------------------------------------------------------------------------------------------------------


def detail(call: Call) -> object:
    """One order, by `orderId`, else by `clientOrderId` (the newest that has it)."""
    listing = call.listing()
    order_id, client_id = call.params.text("orderId"), call.params.text("clientOrderId")
    if not order_id and not client_id:
        raise Refusal("152003", "Either parameter orderId or clientOrderId is required.")
    for listed in (*open_orders(call), *closed_orders(call)):
        row = listed.row
        same = listed.id == order_id if order_id else row["clientOrderId"] == client_id
        if same and row["instId"] == listing.instrument.venue_symbol:
            return {**row, "filled_amount": long(ZERO)}
    if call.venue.absent_code is None:
        return {}
    raise Refusal(call.venue.absent_code, f"Parameter {'orderId' if order_id else 'clientOrderId'} error.")


def pending(call: Call) -> list[Json]:
    return page(call, open_orders(call))


def history(call: Call) -> list[Json]:
    """Final orders, newest first; `begin` and `end` are about their creation."""
    return page(call, [it for it in closed_orders(call) if within(call, it.at)])


def within(call: Call, at: float) -> bool:
    begin = call.params.integer("begin", 0, 0, LATEST_MS)
    end = call.params.integer("end", LATEST_MS, 0, LATEST_MS)
    return begin <= ms(call.exchange.stamp(at)) <= end


def page(call: Call, found: list[Listed]) -> list[Json]:
    inst_id = call.listing().instrument.venue_symbol if call.params.text("instId") else None
    chosen = [it for it in found if inst_id in (None, it.row["instId"])]
    return [it.row for it in Page.of(call.params).cut(chosen, [it.id for it in chosen])]


def open_orders(call: Call) -> list[Listed]:
    """Resting orders, newest first."""
    found = call.exchange.orders(call.account, open_only=True, until=call.venue.lag.until())
    return [Listed(order.received_at, number_of(order.number), order_row(call, order)) for order in found]


def closed_orders(call: Call) -> list[Listed]:
    """Final orders, newest first, nobody's included."""
    until = call.venue.lag.until()
    ours = [
        Listed(order.received_at, number_of(order.number), order_row(call, order))
        for order in call.exchange.orders(call.account, open_only=False, until=until)
    ]
    foreign = [
        Listed(fill.at, order_id_of(call, fill), foreign_row(call, fill))
        for fill in call.exchange.fills(call.account, until=until)
        if is_foreign(call, fill)
    ]
    return sorted((*ours, *foreign), key=lambda it: -it.at)


def is_foreign(call: Call, fill: Fill) -> bool:
    return fill.order_id not in call.exchange.state.accounts[call.account].orders


def order_id_of(call: Call, fill: Fill) -> str:
    order = call.exchange.state.accounts[call.account].orders.get(fill.order_id)
    return str(FOREIGN_BASE + fill.seq) if order is None else number_of(order.number)


def state_of(order: Order) -> str:
    if order.state is OrderState.FILLED:
        return "filled"
    if order.state is OrderState.CANCELLED:
        return "partially_canceled" if order.filled else "canceled"
    return "partially_filled" if order.filled else "live"


def type_of(order: Order) -> str:
    if order.kind is OrderKind.MARKET:
        return "market"
    return "ioc" if order.tif is TimeInForce.IOC else "limit"


def order_row(call: Call, order: Order) -> Json:
    """One order. Margin mode and leverage are the contract's present ones: the exchange keeps them there."""
    listing = call.exchange.listing(order.symbol)
    mode: MarginMode = call.exchange.margin_mode(call.account, order.symbol)
    resting = order.state is OrderState.OPEN
    by_user = order.state is OrderState.CANCELLED and order.tif is TimeInForce.GTC
    return {
        "orderId": number_of(order.number),
        "clientOrderId": order.client_id or "",
        "instId": listing.instrument.venue_symbol,
        "marginMode": mode.value,
        "positionSide": SIDES[order.position_side],
        "side": SIDE_NAMES[order.side],
        "orderType": type_of(order),
        "price": long(order.price or ZERO),
        "size": long(order.contracts),
        "reduceOnly": "true" if order.reduce_only else "false",
        "leverage": plain(call.exchange.leverage(call.account, order.symbol)),
        "state": state_of(order),
        "filledSize": long(order.filled),
        "pnl": long(ZERO),
        "averagePrice": long(order.average_price or ZERO),
        "fee": long(order.fee),
        "createTime": call.stamp(order.received_at),
        "updateTime": call.stamp(order.updated_at),
        "orderCategory": "normal",
        "tpTriggerPrice": None,
        "tpOrderPrice": None,
        "slTriggerPrice": None,
        "slOrderPrice": None,
        "cancelSource": "user_canceled" if by_user else "not_canceled" if resting else "system_canceled",
        "cancelSourceReason": "Order canceled by user" if by_user else None,
        "algoClientOrderId": "",
        "algoId": "",
        "brokerId": "",
    }


def foreign_row(call: Call, fill: Fill) -> Json:
    """The order of a fill nobody sent over the API."""
    mode: MarginMode = call.exchange.margin_mode(call.account, fill.symbol)
    size = long(fill.contracts)
    return {
        "orderId": order_id_of(call, fill),
        "clientOrderId": "",
        "instId": call.exchange.listing(fill.symbol).instrument.venue_symbol,
        "marginMode": mode.value,
        "positionSide": SIDES[fill.position_side],
        "side": SIDE_NAMES[fill.side],
        "orderType": "market",
        "price": long(ZERO),
        "size": size,
        "reduceOnly": "false",
        "leverage": plain(call.exchange.leverage(call.account, fill.symbol)),
        "state": "filled",
        "filledSize": size,
        "pnl": long(fill.realized),
        "averagePrice": long(fill.price),
        "fee": long(fill.fee),
        "createTime": call.stamp(fill.at),
        "updateTime": call.stamp(fill.at),
        "orderCategory": CATEGORIES.get(fill.kind, "normal"),
        "tpTriggerPrice": None,
        "tpOrderPrice": None,
        "slTriggerPrice": None,
        "slOrderPrice": None,
        "cancelSource": "not_canceled",
        "cancelSourceReason": None,
        "algoClientOrderId": "",
        "algoId": "",
        "brokerId": "",
    }


# --- executions -------------------------------------------------------------------------------------------------------


def fills(call: Call) -> list[Json]:
    """Executions, newest first."""
    wanted = call.params.text("orderId")
    if wanted and not wanted.isdecimal():
        raise wrong("orderId")
    found = [
        Listed(fill.at, str(TRADE_BASE + fill.seq), fill_row(call, fill))
        for fill in call.exchange.fills(call.account, until=call.venue.lag.until())
        if within(call, fill.at) and wanted in ("", order_id_of(call, fill))
    ]
    return page(call, found)


def fill_row(call: Call, fill: Fill) -> Json:
    return {
        "instId": call.exchange.listing(fill.symbol).instrument.venue_symbol,
        "tradeId": str(TRADE_BASE + fill.seq),
        "orderId": order_id_of(call, fill),
        "fillPrice": long(fill.price),
        "fillSize": long(fill.contracts),
        "fillPnl": long(fill.realized),
        "positionSide": SIDES[fill.position_side],
        "side": SIDE_NAMES[fill.side],
        "fee": long(fill.fee),
        "ts": call.stamp(fill.at),
        "brokerId": "",
    }
