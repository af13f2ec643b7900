"""The simulated BloFin's answers, and what our codec reads, beside recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from account_processors.codecs import blofin as codec
from account_processors.codecs import blofin_errors as errors
from account_processors.codecs import blofin_orders as orders
from account_processors.codecs.wire import Row, rows
from simulator.facades.blofin.facade import ROUTES
from tests.contract.coverage.shapes import Shapes, answered
from tests.contract.test_blofin_facade_door import BTC, Door


def traded() -> Door:
    """An account with a position, a resting order, a filled and a cancelled one."""
    door = Door()
    door.order(clientOrderId="filled")
    door.order(orderType="limit", price="49700", clientOrderId="rest")
    door.order(orderType="limit", price="49600", clientOrderId="cancelled")
    door.post("trade/cancel-order", {"instId": BTC, "clientOrderId": "cancelled"})
    return door


Ask = Callable[[Door], Any]


def get(path: str, **params: str) -> Ask:
    return lambda door: door.get(path, **params)


def post(path: str, **body: object) -> Ask:
    return lambda door: door.post(path, body)


ASKED: Mapping[str, Ask] = {
    "ExchangeData/GetSymbols": get("market/instruments", instId=BTC),
    "ExchangeData/GetTickers": get("market/tickers", instId=BTC),
    "ExchangeData/GetIndexMarkPrice": get("market/mark-price", instId=BTC),
    "ExchangeData/GetOrderBook": get("market/books", instId=BTC),
    "ExchangeData/GetKlines": get("market/candles", instId=BTC),
    "ExchangeData/GetFundingRate": get("market/funding-rate", instId=BTC),
    "ExchangeData/GetFundingRateHistory": get("market/funding-rate-history", instId=BTC),
    "Account/GetBalances": get("account/balance"),
    "Account/GetMarginMode": get("account/margin-mode"),
    "Account/SetMarginMode": post("account/set-margin-mode", marginMode="isolated"),
    "Account/GetPositionMode": get("account/position-mode"),
    "Account/SetPositionMode": post("account/set-position-mode", positionMode="net_mode"),
    "Account/GetLeverage": get("account/batch-leverage-info", instId=f"{BTC},ETH-USDT", marginMode="cross"),
    "Account/SetLeverage": post("account/set-leverage", instId="ETH-USDT", marginMode="cross", leverage="5"),
    "Trading/GetPositions": get("account/positions"),
    "Trading/PlaceOrder": lambda door: door.order(clientOrderId="new"),
    "Trading/CancelOrder": post("trade/cancel-order", instId=BTC, clientOrderId="rest"),
    "Trading/ClosePosition": post("trade/close-position", instId=BTC, marginMode="cross"),
    "Trading/GetOrder": get("trade/order-detail", instId=BTC, clientOrderId="filled"),
    "Trading/GetOpenOrders": get("trade/orders-pending"),
    "Trading/GetClosedOrders": get("trade/orders-history"),
    "Trading/GetUserTrades": get("trade/fills-history"),
    "Trading/GetPriceLimits": get("trade/order/price-range", instId=BTC, side="buy"),
}

NEED_NOTHING_OPEN = {"Account/SetMarginMode", "Account/SetPositionMode"}
MORE: Mapping[str, set[str]] = {
    "Trading/GetOrder": {"cancelSource", "cancelSourceReason"},
    "Trading/GetOpenOrders": {"cancelSource", "cancelSourceReason"},
}
"""Fields beyond the recorded ones: those of other lists of the same rows, and those of cross margin."""
LESS: Mapping[str, set[str]] = {
    "Trading/GetOpenOrders": {"filled_amount"},
    "Trading/GetPositions": {"margin"},
}
"""Recorded fields left out: undocumented, or those of isolated margin."""
OTHERWISE: Mapping[str, set[str]] = {
    "Trading/CancelOrder": {"clientOrderId"},
    "Trading/GetOrder": {"tpTriggerPrice", "slTriggerPrice"},
    "Trading/GetOpenOrders": {"tpTriggerPrice", "slTriggerPrice"},
    "Trading/GetClosedOrders": {"tpTriggerPrice", "slTriggerPrice"},
}
"""Fields that may be null: nothing was given, or something was."""


def order_id(row: Row) -> str:
    (inner,) = rows(row, "data")
    return errors.order_id(answered(row), str(inner["clientOrderId"]))


READS: Mapping[str, Callable[[Row], object]] = {
    "ExchangeData/GetSymbols": codec.instruments,
    "ExchangeData/GetIndexMarkPrice": codec.venue_time_s,
    "Account/GetBalances": lambda row: codec.equity(row, "USDT"),
    "Account/GetMarginMode": codec.margin_mode,
    "Account/GetPositionMode": codec.position_mode,
    "Account/GetLeverage": codec.leverages,
    "Account/SetMarginMode": lambda row: errors.setting(answered(row)),
    "Account/SetPositionMode": lambda row: errors.setting(answered(row)),
    "Account/SetLeverage": lambda row: errors.setting(answered(row)),
    "Trading/GetPositions": codec.positions,
    "Trading/PlaceOrder": order_id,
    "Trading/CancelOrder": lambda row: errors.cancelled(answered(row), "ours"),
    "Trading/GetOrder": orders.detail,
    "Trading/GetOpenOrders": orders.order_rows,
    "Trading/GetClosedOrders": orders.order_rows,
    "Trading/GetUserTrades": orders.executions,
}


def answer(name: str, ask: Ask) -> Callable[[], Any]:
    def asked() -> Any:
        said = ask(Door() if name in NEED_NOTHING_OPEN else traded())
        return {key: value for key, value in said.items() if key != "status"}

    return asked


SHAPES = Shapes(
    venue="blofin",
    folder="blofin/Endpoints/Futures",
    served=lambda method, path: f"{method} {path}" in ROUTES,
    answers={name: answer(name, ask) for name, ask in ASKED.items()},
    reads=READS,
    more=MORE,
    less=LESS,
    otherwise=OTHERWISE,
)
