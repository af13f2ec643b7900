"""The simulated KuCoin's answers, and what our codec reads, beside recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from account_processors.codecs import kucoin as codec
from account_processors.codecs import kucoin_errors as errors
from account_processors.codecs import kucoin_orders as orders
from account_processors.codecs.wire import Row, table
from simulator.facades.kucoin.facade import ROUTES, endpoint_of
from simulator.facades.parts import Target
from tests.contract.coverage.shapes import Shapes, answered
from tests.contract.kucoin_door import BTC, Door


def traded() -> Door:
    """An account with a position, a resting order, a filled and a cancelled one, and funding paid."""
    door = Door()
    door.order(clientOid="filled", size=12)
    door.order(clientOid="rest", type="limit", price="49500")
    door.order(clientOid="cancelled", type="limit", price="49400")
    door.body("DELETE", "/api/v1/orders/client-order/cancelled", symbol=BTC)
    door.wait(28_800)
    door.order(clientOid="last")
    return door


def resting(door: Door) -> str:
    """The venue's id of the order that rests."""
    return str(door.body("GET", "/api/v1/orders", status="active")["data"]["items"][0]["id"])


def filled(door: Door) -> str:
    return str(door.body("GET", "/api/v1/orders/byClientOid", clientOid="filled")["data"]["id"])


Ask = Callable[[Door], Any]


def get(path: str, **params: object) -> Ask:
    return lambda door: door.body("GET", path, **params)


def post(path: str, **body: object) -> Ask:
    return lambda door: door.body("POST", path, **body)


ONE = {"clientOid": "n", "side": "buy", "symbol": BTC, "type": "market", "size": 1, "leverage": 3}

ASKED: Mapping[str, Ask] = {
    "ExchangeData/GetOpenContracts": get("/api/v1/contracts/active"),
    "ExchangeData/GetContract": get(f"/api/v1/contracts/{BTC}"),
    "ExchangeData/GetTicker": get("/api/v1/ticker", symbol=BTC),
    "ExchangeData/GetTickers": get("/api/v1/allTickers"),
    "ExchangeData/GetCurrentMarkPrice": get(f"/api/v1/mark-price/{BTC}/current"),
    "ExchangeData/GetCurrentFundingRate": get(f"/api/v1/funding-rate/{BTC}/current"),
    "ExchangeData/GetFundingRateHistory": get("/api/v1/contract/funding-rates", symbol=BTC, **{"from": 1, "to": 9**15}),
    "ExchangeData/GetAggregatedPartialOrderBook": get("/api/v1/level2/depth20", symbol=BTC),
    "ExchangeData/GetAggregatedFullOrderBook": get("/api/v1/level2/snapshot", symbol=BTC),
    "ExchangeData/GetKlines": get("/api/v1/kline/query", symbol=BTC, granularity=60),
    "ExchangeData/GetServiceStatus": get("/api/v1/status"),
    "Account/GetAccountOverview": get("/api/v1/account-overview", currency="USDT"),
    "Account/GetPositions": get("/api/v1/positions"),
    "Account/GetPosition": get("/api/v2/position", symbol=BTC),
    "Account/GetMarginMode": get("/api/v2/position/getMarginMode", symbol=BTC),
    "Account/SetMarginMode": post("/api/v2/position/changeMarginMode", symbol="ETHUSDTM", marginMode="CROSS"),
    "Account/GetCrossMarginLeverage": get("/api/v2/getCrossUserLeverage", symbol=BTC),
    "Account/SetCrossMarginLeverage": post("/api/v2/changeCrossUserLeverage", symbol=BTC, leverage="4"),
    "Account/GetFundingHistory": get("/api/v1/funding-history", symbol=BTC),
    "Account/GetTradingFee": get("/api/v1/trade-fees", symbol=BTC),
    "Account/GetOpenOrderValue": get("/api/v1/openOrderStatistics", symbol=BTC),
    "Trading/PlaceOrder": lambda door: door.order(clientOid="new"),
    "Trading/PlaceTestOrder": post("/api/v1/orders/test", **ONE),
    "Trading/CancelOrderByClientOrderId": lambda door: door.body(
        "DELETE", "/api/v1/orders/client-order/rest", symbol=BTC
    ),
    "Trading/CancelAllOrders": lambda door: door.body("DELETE", "/api/v3/orders", symbol=BTC),
    "Trading/CancelOrder": lambda door: door.body("DELETE", f"/api/v1/orders/{resting(door)}"),
    "Trading/GetOrder": lambda door: door.body("GET", f"/api/v1/orders/{filled(door)}"),
    "Trading/GetOrders": get("/api/v1/orders"),
    "Trading/GetClosedOrders": get("/api/v1/recentDoneOrders"),
    "Trading/GetOrderByClientOrderId": get("/api/v1/orders/byClientOid", clientOid="filled"),
    "Trading/GetUserTrades": get("/api/v1/fills"),
    "Trading/GetRecentUserTrades": get("/api/v1/recentFills"),
}  # fmt: skip

ABSENT: Mapping[str, set[str]] = {
    "Account/GetPositions": {"userId"},
    "Account/GetPosition": {"userId", "riskLimitLevel"},
    "Account/SetCrossMarginLeverage": {"leverage", "symbol"},
    "ExchangeData/GetFundingRateHistory": {"success", "msg", "retry"},
}
"""Recorded fields the present documentation no longer has; nobody reads them."""

OTHERWISE: Mapping[str, set[str]] = {
    "ExchangeData/GetAggregatedPartialOrderBook": {"asks[][]", "bids[][]"},
    "ExchangeData/GetAggregatedFullOrderBook": {"asks[][]", "bids[][]"},
    "Account/SetCrossMarginLeverage": {"data"},
    "Trading/GetOrders": {"visibleSize", "tags"},
    "Trading/GetClosedOrders": {"visibleSize", "tags"},
    "Trading/GetOrder": {"visibleSize", "tags"},
    "Trading/GetOrderByClientOrderId": {"visibleSize", "tags"},
}
"""Fields whose type differs in the present documentation: a value where null was recorded, prices as numbers."""

READS: Mapping[str, Callable[[Row], object]] = {
    "ExchangeData/GetOpenContracts": codec.instruments,
    "Account/GetPositions": codec.positions,
    "Account/GetAccountOverview": lambda row: codec.equity(row, "XBT" if "XBT" in str(row) else "USDT"),
    "Account/GetMarginMode": codec.margin_mode,
    "Account/GetCrossMarginLeverage": codec.cross_leverage,
    "Account/GetFundingHistory": orders.funding,
    "Account/SetMarginMode": lambda row: errors.setting(answered(row)),
    "Account/SetCrossMarginLeverage": lambda row: errors.setting(answered(row)),
    "Trading/PlaceOrder": lambda row: errors.order_id(answered(row), "new"),
    "Trading/CancelOrderByClientOrderId": lambda row: errors.cancelled(answered(row), "ours"),
    "Trading/GetOrder": lambda row: orders.order_row(table(row["data"], "data")),
    "Trading/GetOrderByClientOrderId": lambda row: orders.order_row(table(row["data"], "data")),
    "Trading/GetOrders": lambda row: [orders.order_row(one) for one in orders.page(row).items],
    "Trading/GetUserTrades": lambda row: [orders.execution(one) for one in orders.page(row).items],
}


CONTRACT = {
    "buyLimit", "f", "fundingRateGranularity", "k", "m", "marketMaxOrderQty", "mmrLevConstant", "mmrLimit",
    "nextFundingRateDateTime", "sellLimit", "supportCross",
}  # fmt: skip
POSITION = {"leverage", "marginMode", "posCommCommon", "posCrossMargin", "posFunding", "positionSide"}
ORDER = {"avgDealPrice", "marginMode", "positionSide"}
FILL = {"closeFeeTaxPay", "displayType", "marginMode", "openFeeTaxPay", "subTradeType"}
DOCUMENTED: Mapping[str, set[str]] = {
    "ExchangeData/GetOpenContracts": CONTRACT,
    "ExchangeData/GetContract": CONTRACT,
    "ExchangeData/GetCurrentFundingRate": {"fundingRateCap", "fundingRateFloor", "fundingTime", "period"},
    "Account/GetAccountOverview": {"maxWithdrawAmount", "riskRatio"},
    "Account/GetPositions": POSITION,
    "Account/GetPosition": POSITION | {"isInverse"},
    "Account/GetFundingHistory": {"context", "marginMode"},
    "Trading/PlaceOrder": {"clientOid"},
    "Trading/PlaceTestOrder": {"clientOid"},
    "Trading/GetOrders": ORDER,
    "Trading/GetClosedOrders": ORDER,
    "Trading/GetOrder": ORDER,
    "Trading/GetOrderByClientOrderId": ORDER,
    "Trading/GetUserTrades": FILL,
    "Trading/GetRecentUserTrades": FILL,
}
"""Fields beyond the recorded ones. Source: https://www.kucoin.com/docs-new"""


def answer(ask: Ask) -> Callable[[], Any]:
    return lambda: ask(traded())


SHAPES = Shapes(
    venue="kucoin",
    folder="kucoin/Endpoints/Futures",
    served=lambda method, path: endpoint_of(Target(method, path, ""))[0] in ROUTES,
    answers={name: answer(ask) for name, ask in ASKED.items()},
    reads=READS,
    more=DOCUMENTED,
    less=ABSENT,
    otherwise=OTHERWISE,
)
