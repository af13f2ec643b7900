"""What MEXC's private channels carry: the rows of the REST answers, as the stream fills them.

Source: https://www.mexc.com/api-docs/futures/websocket-api and recorded messages.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import ZERO
from simulator.facades.mexc.account import EIGHT, asset_row, position_row
from simulator.facades.mexc.context import Call
from simulator.facades.mexc.queries import deal_row, foreign_row, order_row
from simulator.facades.parts import Json
from simulator.model import Fill, Order, PositionView

NOT_HERE = ("priceStr", "dealAvgPriceStr", "totalFee", "taker")
ASSETS = ("currency", "positionMargin", "frozenBalance", "availableBalance", "bonus")
MADE_UP = "_m_"


def order(call: Call, it: Order) -> Json:
    return _order(call, order_row(call, it), it.contracts - it.filled)


def foreign(call: Call, fill: Fill) -> Json:
    return _order(call, {**foreign_row(call, fill), "reduceOnly": False, "version": 1}, ZERO)


def _order(call: Call, shown: Json, left: Decimal) -> Json:
    return {**_without(shown), **_rates(call), "remainVol": left, "bboTypeNum": 0}


def deal(call: Call, fill: Fill, of: Order | None) -> Json:
    """`of`: the order it belongs to; None for one nobody sent."""
    shown = deal_row(call, fill)
    whose = f"{MADE_UP}{fill.seq:032x}" if of is None else str(order_row(call, of)["externalOid"])
    return {
        **_without(shown),
        "id": int(str(shown["id"])),
        "orderId": int(str(shown["orderId"])),
        "isSelf": False,
        "externalOid": whose,
        "reduceOnly": of is not None and of.reduce_only,
        "opponentUid": 0,
    }


def position(call: Call, view: PositionView, version: int) -> Json:
    shown = position_row(call, view)
    return {
        **shown,
        **_rates(call),
        "pnl": view.unrealized.quantize(EIGHT),
        "newOpenAvgPrice": shown["openAvgPrice"],
        "newCloseAvgPrice": ZERO,
        "closeProfitLoss": ZERO,
        "fee": ZERO,
        "deductFeeList": [],
        "version": version,
    }


def ended(call: Call, shown: Json, version: int) -> Json:
    """The position that was last shown so, now closed."""
    none = dict.fromkeys(("holdVol", "frozenVol", "im", "oim", "pnl", "liquidatePrice"), ZERO)
    return {
        **shown, **none, "closeVol": shown["holdVol"], "state": 3, "updateTime": call.now_ms(), "version": version,
    }  # fmt: skip


def money(call: Call) -> Json:
    shown = asset_row(call, call.exchange.rules.settle)
    return {name: shown[name] for name in ASSETS}


def _rates(call: Call) -> Json:
    rules = call.exchange.rules
    return {"makerFeeRate": rules.maker_fee, "takerFeeRate": rules.taker_fee}


def _without(shown: Json) -> Json:
    return {name: value for name, value in shown.items() if name not in NOT_HERE}
