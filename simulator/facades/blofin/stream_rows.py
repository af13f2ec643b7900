"""What BloFin's private channels carry: the rows of the REST answers, as the streams fill them.

Source: https://docs.blofin.com (WS Positions, Order and Account Channel). Rows of orders are made in the middle of the
exchange's bookings: nothing in them lets it catch up with the clock.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import ZERO
from simulator.facades.blofin.account import balance, row
from simulator.facades.blofin.context import Call
from simulator.facades.blofin.queries import foreign_row, order_row
from simulator.facades.blofin.wire import long
from simulator.facades.parts import Json
from simulator.model import Fill, Order, PositionView

OF_AN_ORDER = (
    "instId", "orderId", "clientOrderId", "price", "size", "orderType", "side", "positionSide", "marginMode",
    "filledSize", "averagePrice", "state", "leverage", "tpTriggerPrice", "tpOrderPrice", "slTriggerPrice",
    "slOrderPrice", "fee", "pnl", "cancelSource", "orderCategory", "createTime", "updateTime", "reduceOnly", "brokerId",
)  # fmt: skip
ONLY_HERE = {"instType": "SWAP", "tpTriggerPriceType": None, "slTriggerPriceType": None}


def order(call: Call, it: Order) -> Json:
    return _as_told(order_row(call, it), it.value)


def foreign(call: Call, fill: Fill) -> Json:
    return _as_told(foreign_row(call, fill), fill.quantity * fill.price)


def _as_told(shown: Json, value: Decimal) -> Json:
    told = {name: shown[name] for name in OF_AN_ORDER}
    source = "" if shown["cancelSource"] == "not_canceled" else shown["cancelSource"]
    own = {"clientOrderId": shown["clientOrderId"] or None, "cancelSource": source, "filledAmount": long(value)}
    return {**told, **ONLY_HERE, **own}


def position(call: Call, view: PositionView) -> Json:
    shown = row(call, call.exchange.listing(view.symbol), view)
    return {"initialMargin": "", "margin": "", **shown}


def account(call: Call) -> Json:
    shown = balance(call)
    details = shown["details"]
    assert isinstance(details, list)
    unrealized = sum((view.unrealized for view in call.exchange.positions(call.account)), ZERO)
    return {**shown, "details": [{**one, "unrealizedPnl": long(unrealized)} for one in details]}
