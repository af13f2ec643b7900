"""The simulated MEXC's answers, and what our codec reads, beside recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from account_processors.codecs import mexc as codec
from account_processors.codecs import mexc_errors as errors
from account_processors.codecs import mexc_orders as orders
from account_processors.codecs.wire import Row, table
from simulator.facades.mexc.facade import ROUTES, endpoint_of
from simulator.facades.parts import Target
from tests.contract.coverage.shapes import Shapes, answered
from tests.contract.mexc_door import BTC, MARKET, Door


def traded() -> Door:
    """An account with a position, a resting order, a filled and a cancelled one, and funding paid."""
    door = Door()
    door.order(externalOid="filled")
    door.order(externalOid="rest", type=1, price=49500)
    door.order(externalOid="cancelled", type=1, price=49400)
    door.post("order/cancel_with_external", {"symbol": BTC, "externalOid": "cancelled"})
    door.wait(28_800)
    door.order(externalOid="last")
    door.wait(2)
    return door


def id_of(door: Door, external: str) -> str:
    return str(door.get(f"order/external/{BTC}/{external}")["data"]["orderId"])


def funding(door: Door) -> Any:
    span = {"start_time": 0, "end_time": round(door.clock.time() * 1000)}
    return door.get("position/funding_records", position_type=1, **span)


Ask = Callable[[Door], Any]


def get(path: str, **params: object) -> Ask:
    return lambda door: door.get(path, **params)


def post(path: str, *listed: object, **params: object) -> Ask:
    return lambda door: door.post(path, *listed, **params)


ASKED: Mapping[str, Ask] = {
    "ExchangeData/GetSymbols": get(f"{MARKET}/detail"),
    "ExchangeData/GetSymbol": get(f"{MARKET}/detail", symbol=BTC),
    "ExchangeData/GetTickers": get(f"{MARKET}/ticker"),
    "ExchangeData/GetMarkPrice": get(f"{MARKET}/fair_price/{BTC}"),
    "ExchangeData/GetIndexPrice": get(f"{MARKET}/index_price/{BTC}"),
    "ExchangeData/GetFundingRate": get(f"{MARKET}/funding_rate/{BTC}"),
    "ExchangeData/GetFundingRateHistory": get(f"{MARKET}/funding_rate/history", symbol=BTC),
    "Account/GetBalances": get("account/assets"),
    "Account/GetTradingFees": get("account/tiered_fee_rate", symbol=BTC),
    "Account/GetFundingHistory": funding,
    "Account/GetLeverage": get("position/leverage", symbol=BTC),
    "Account/SetLeverage": post("position/change_leverage", symbol="ETH_USDT", openType=1, leverage=5, positionType=1),
    "Account/GetPositionMode": get("position/position_mode"),
    "Account/SetPositionMode": post("position/change_position_mode", positionMode=2),
    "Trading/GetPositions": get("position/open_positions"),
    "Trading/PlaceOrder": lambda door: door.order(externalOid="new"),
    "Trading/CancelOrders": lambda door: door.post("order/cancel", int(id_of(door, "rest"))),
    "Trading/CancelOrdersByClientOrderIds": post(
        "order/batch_cancel_with_external", {"symbol": BTC, "externalOid": "rest"}
    ),
    "Trading/CancelAllOrders": post("order/cancel_all", symbol=BTC),
    "Trading/GetOrder": lambda door: door.get(f"order/get/{id_of(door, 'filled')}"),
    "Trading/GetOrderByClientOrderId": get(f"order/external/{BTC}/filled"),
    "Trading/GetOrdersById": lambda door: door.get("order/batch_query", order_ids=id_of(door, "filled")),
    "Trading/GetOpenOrders": get("order/list/open_orders"),
    "Trading/GetOrderHistory": get("order/list/history_orders"),
    "Trading/GetOrderTrades": lambda door: door.get(f"order/deal_details/{id_of(door, 'filled')}"),
}

NEED_NOTHING_OPEN = {"Account/SetPositionMode"}


def order(row: Row) -> object:
    return orders.order_row(table(row["data"], "data"))


READS: Mapping[str, Callable[[Row], object]] = {
    "ExchangeData/GetSymbols": codec.instruments,
    "ExchangeData/GetTickers": lambda row: codec.quoted(row, 1.0),
    "Account/GetBalances": lambda row: codec.equity(row, "USDT"),
    "Account/GetPositionMode": codec.position_mode,
    "Account/SetPositionMode": lambda row: errors.setting(answered(row)),
    "Account/SetLeverage": lambda row: errors.setting(answered(row)),
    "Account/GetFundingHistory": lambda row: [orders.funding(one) for one in orders.page(row).items],
    "Trading/GetPositions": codec.positions,
    "Trading/PlaceOrder": lambda row: errors.order_id(answered(row), "new"),
    "Trading/GetOrder": order,
    "Trading/GetOrderByClientOrderId": order,
}


CONTRACT = {"id", "limitMaxVol", "maxNumOrders", "maxNumOrders[]", "riskLimitType"}
ORDER = {"dealAvgPriceStr", "positionMode", "priceStr", "reduceOnly", "totalFee", "version"}
# Recorded with zeros and empty texts: shapes to compare, and nothing the codec would take for orders.
LISTS = ("Trading/GetOrdersById", "Trading/GetOpenOrders", "Trading/GetOrderHistory")
MORE: Mapping[str, set[str]] = {
    "ExchangeData/GetSymbols": CONTRACT,
    "ExchangeData/GetSymbol": CONTRACT,
    "ExchangeData/GetTickers": {"contractId"},
    "Account/GetBalances": {"availableCash", "availableOpen", "contributeMarginAmount", "debtAmount"},
    "Account/GetTradingFees": {"originalMakerFee", "originalTakerFee", "realMakerFee", "realTakerFee"},
    "Account/GetLeverage": {"currentMmr", "limitBySys", "maxLeverageView", "maxVol", "openType"},
    "Trading/GetPositions": {"adlLevel", "holdAvgPriceFullyScale", "marginRatio", "openAvgPriceFullyScale"},
    "Trading/GetOrder": ORDER,
    "Trading/GetOrderTrades": {"isTaker", "positionMode"},
    "Trading/GetOrderByClientOrderId": ORDER,
    **dict.fromkeys(LISTS, ORDER),
}
"""Fields beyond the recorded ones. Source: https://www.mexc.com/api-docs/futures"""
LESS: Mapping[str, set[str]] = {name: {"stopLossPrice", "takeProfitPrice", "message"} for name in LISTS}
"""Of orders with a stop, which nobody places here; and a word beside success."""
OTHERWISE: Mapping[str, set[str]] = {
    "Trading/CancelOrders": {"orderId"},
    "Trading/CancelOrdersByClientOrderIds": {"orderId"},
    **{name: {"orderId", "createTime", "updateTime"} for name in LISTS},
}
"""Ids are texts and instants numbers in some answers, and the reverse in others: the codec takes both."""
ASIDE = {"Trading/GetUserTrades": "its recording is no JSON"}


def answer(name: str, ask: Ask) -> Callable[[], Any]:
    return lambda: ask(Door() if name in NEED_NOTHING_OPEN else traded())


SHAPES = Shapes(
    venue="mexc",
    folder="mexc/Endpoints/FuturesApi",
    served=lambda method, path: endpoint_of(Target(method, path, ""))[0] in ROUTES,
    answers={name: answer(name, ask) for name, ask in ASKED.items()},
    reads=READS,
    more=MORE,
    less=LESS,
    otherwise=OTHERWISE,
    aside=ASIDE,
)
