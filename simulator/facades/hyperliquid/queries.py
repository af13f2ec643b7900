"""What became of Hyperliquid's orders: by id, open, past; fills and funding.

Source: the documentation's info endpoint, and recorded answers. A fill names the venue's id of its order; whether it
names the client's too is not documented. Orders that nobody sent over the API (manual ones) are listed without one.
"""

from __future__ import annotations

import hashlib

from core.domain import Side, TimeInForce
from simulator.facades.hyperliquid.context import Call, Malformed, Venue, shown
from simulator.facades.parts import Json
from simulator.keys import order_id as uuid_of
from simulator.model import Fill, FillKind, FundingPayment, Order, OrderState

ORDER_BASE = 77_000_000_000
FOREIGN_BASE = 90_000_000_000
"""Orders of nobody's are not kept by the exchange: their id is made from their fill."""
TRADE_BASE = 118_000_000_000_000
MOST_ORDERS, MOST_FILLS, MOST_FUNDING = 2_000, 2_000, 500
SIDES = {Side.BUY: "B", Side.SELL: "A"}


def oid_of(number: int) -> int:
    """The venue's id of an order the exchange numbered."""
    return ORDER_BASE + number


def order_at(venue: Venue, account: str, oid: int) -> Order | None:
    """The order with the venue's id."""
    if not ORDER_BASE < oid < FOREIGN_BASE:
        return None
    state = venue.exchange.state
    return venue.exchange.order(account, uuid_of(state.seed, state.rules.venue, oid - ORDER_BASE))


# --- orders -----------------------------------------------------------------------------------------------------------


def status(call: Call) -> Json:
    """One order by `oid`: the venue's number, or the client's id (the newest that has it)."""
    asked = call.fields.get("oid")
    if isinstance(asked, bool) or not isinstance(asked, int | str):
        raise Malformed
    for row in (*open_rows(call), *past_rows(call)):
        order = row["order"]
        assert isinstance(order, dict)
        if order["oid"] == asked or (isinstance(asked, str) and order["cloid"] == asked):
            return {"status": "order", "order": row}
    return {"status": "unknownOid"}


def open_orders(call: Call) -> list[Json]:
    fields = ("coin", "side", "limitPx", "sz", "oid", "timestamp", "origSz", "cloid")
    return [{name: row[name] for name in fields} for row in frontend_open_orders(call)]


def frontend_open_orders(call: Call) -> list[Json]:
    return [order for row in open_rows(call) if isinstance(order := row["order"], dict)]


def historical_orders(call: Call) -> list[Json]:
    """Final orders, newest first."""
    return past_rows(call)[:MOST_ORDERS]


def open_rows(call: Call) -> list[Json]:
    if call.account is None or call.fields.get("dex"):
        return []
    found = call.exchange.orders(call.account, open_only=True, until=call.venue.lag.until())
    return [seen_row(call.venue, order) for order in found]


def past_rows(call: Call) -> list[Json]:
    if call.account is None:
        return []
    until = call.venue.lag.until()
    known = call.exchange.state.accounts[call.account].orders
    ours = call.exchange.orders(call.account, open_only=False, until=until)
    found = [(order.updated_at, seen_row(call.venue, order)) for order in ours]
    fills = call.exchange.fills(call.account, until=until)
    found += [(fill.at, foreign_row(call, fill)) for fill in fills if fill.order_id not in known]
    return [row for _, row in sorted(found, key=lambda pair: -pair[0])]


def state_of(order: Order) -> str:
    if order.state is OrderState.FILLED:
        return "filled"
    if order.state is OrderState.CANCELLED:
        # Of an order that was filled in part nobody says what its last status is.
        return "iocCancelRejected" if order.tif is TimeInForce.IOC and not order.filled else "canceled"
    return "open"


def seen_row(venue: Venue, order: Order) -> Json:
    """An order with its status."""
    stamp = venue.exchange.stamp
    return {
        "order": order_row(venue, order),
        "status": state_of(order),
        "statusTimestamp": round(stamp(order.updated_at) * 1000),
    }


def order_row(venue: Venue, order: Order) -> Json:
    filled = order.state is OrderState.FILLED
    return {
        "coin": venue.coin(order.symbol),
        "side": SIDES[order.side],
        "limitPx": shown(order.price) if order.price is not None else "0.0",
        "sz": "0.0" if filled else shown(order.contracts - order.filled),
        "oid": oid_of(order.number),
        "timestamp": round(venue.exchange.stamp(order.received_at) * 1000),
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": order.reduce_only,
        "orderType": "Limit",
        "origSz": shown(order.contracts),
        "tif": "Ioc" if order.tif is TimeInForce.IOC else "Gtc",
        "cloid": order.client_id,
    }


def foreign_row(call: Call, fill: Fill) -> Json:
    """The order of a fill nobody sent over the API."""
    at_ms = call.stamp_ms(fill.at)
    order = {
        "coin": call.venue.coin(fill.symbol),
        "side": SIDES[fill.side],
        "limitPx": shown(fill.price),
        "sz": "0.0",
        "oid": FOREIGN_BASE + fill.seq,
        "timestamp": at_ms,
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": False,
        "orderType": "Market",
        "origSz": shown(fill.contracts),
        "tif": "FrontendMarket",
        "cloid": None,
    }
    return {"order": order, "status": "filled", "statusTimestamp": at_ms}


# --- fills and funding ------------------------------------------------------------------------------------------------


def user_fills(call: Call) -> list[Json]:
    """Newest first."""
    return list(reversed(fill_rows(call)))[:MOST_FILLS]


def user_fills_by_time(call: Call) -> list[Json]:
    """From `startTime` on, oldest first, both ends included."""
    rows = between(call, fill_rows(call))
    return rows[:MOST_FILLS]


def fill_rows(call: Call) -> list[Json]:
    """Oldest first."""
    if call.account is None:
        return []
    fills = call.exchange.fills(call.account, until=call.venue.lag.until())
    return [fill_row(call.venue, call.account, fill) for fill in reversed(fills)]


def between(call: Call, rows: list[Json], earliest: int | None = None) -> list[Json]:
    start, end = call.whole("startTime", earliest), call.whole("endTime", 1 << 62)
    return [row for row in rows if isinstance(at := row["time"], int) and start <= at <= end]


def fill_row(venue: Venue, account: str, fill: Fill) -> Json:
    order = venue.exchange.state.accounts[account].orders.get(fill.order_id)
    digest = hashlib.blake2b(fill.exec_id.encode(), digest_size=32).hexdigest()
    row: dict[str, object] = {
        "coin": venue.coin(fill.symbol),
        "px": shown(fill.price),
        "sz": shown(fill.contracts),
        "side": SIDES[fill.side],
        "time": round(venue.exchange.stamp(fill.at) * 1000),
        "startPosition": shown(fill.position_after - fill.contracts * fill.side.sign),
        "dir": direction(fill),
        "closedPnl": shown(fill.realized),
        "hash": f"0x{digest}",
        "oid": FOREIGN_BASE + fill.seq if order is None else oid_of(order.number),
        "crossed": not fill.maker,
        "fee": shown(fill.fee),
        "tid": TRADE_BASE + fill.seq,
        "feeToken": "USDC",
        "twapId": None,
    }
    if fill.kind is FillKind.LIQUIDATION:
        user = venue.wallets.masters[account].address
        row["liquidation"] = {"liquidatedUser": user, "markPx": shown(fill.price), "method": "market"}
    if venue.behaviour.fills_name_orders and fill.client_id is not None:
        row["cloid"] = fill.client_id
    return row


def direction(fill: Fill) -> str:
    if fill.kind is FillKind.ADL:
        return "Auto-Deleveraging"
    before = fill.position_after - fill.contracts * fill.side.sign
    if fill.kind is FillKind.LIQUIDATION:
        return f"Liquidated Cross {'Long' if before > 0 else 'Short'}"
    if before * fill.position_after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    opens = abs(fill.position_after) > abs(before)
    return f"{'Open' if opens else 'Close'} {'Long' if (fill.position_after or before) > 0 else 'Short'}"


def user_funding(call: Call) -> list[Json]:
    """From `startTime` on, or all, oldest first."""
    if call.account is None:
        return []
    paid = [funding_row(call, payment) for payment in reversed(call.exchange.funding(call.account))]
    return between(call, paid, 0)[:MOST_FUNDING]


def funding_row(call: Call, payment: FundingPayment) -> Json:
    delta = {
        "type": "funding",
        "coin": call.venue.coin(payment.symbol),
        "usdc": shown(payment.amount),
        "szi": shown(payment.contracts),
        "fundingRate": shown(payment.rate),
        "nSamples": None,
    }
    return {"time": call.stamp_ms(payment.at), "hash": f"0x{0:064x}", "delta": delta}
