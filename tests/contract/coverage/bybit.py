"""The simulated Bybit's answers, and what our codec reads, beside recorded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from account_processors.codecs import bybit as codec
from account_processors.codecs import bybit_errors as errors
from account_processors.codecs import bybit_orders as orders
from account_processors.codecs.wire import Row, rows, table
from simulator.facades.bybit.facade import ROUTES
from tests.contract.bybit_door import Answer as Said
from tests.contract.bybit_door import Door
from tests.contract.coverage.shapes import Shapes, answered

LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": "BTCUSDT"}
MARKET = {"side": "Buy", "orderType": "Market", "qty": "0.001", "orderLinkId": "new"}


def traded() -> Door:
    """An account with a position, a resting order, a filled and a cancelled one, and funding paid."""
    door = Door()
    door.pin("BTCUSDT", "50000")
    door.order(orderLinkId="filled")
    door.order(orderType="Limit", price="49700", orderLinkId="rest")
    door.order(orderType="Limit", price="49600", orderLinkId="cancelled")
    door.post("/v5/order/cancel", {**BTC, "orderLinkId": "cancelled"})
    door.wait(28_800)
    return door


Ask = Callable[[Door], Said]


def get(path: str, **params: object) -> Ask:
    return lambda door: door.get(path, **params)


def post(path: str, **body: object) -> Ask:
    return lambda door: door.post(path, body)


ASKED: Mapping[str, Ask] = {
    "ExchangeData/GetLinearInverseSymbols": get("/v5/market/instruments-info", **BTC),
    "ExchangeData/GetLinearInverseTickers": get("/v5/market/tickers", **BTC),
    "ExchangeData/GetOrderbook": get("/v5/market/orderbook", **BTC),
    "ExchangeData/GetKlines": get("/v5/market/kline", **BTC, interval="60"),
    "ExchangeData/GetFundingRateHistory": get("/v5/market/funding/history", **BTC),
    "ExchangeData/GetOrderPriceLimit": get("/v5/market/price-limit", **BTC),
    "Account/GetBalances": get("/v5/account/wallet-balance", accountType="UNIFIED"),
    "Account/GetMarginAccountInfo": get("/v5/account/info"),
    "Account/GetFeeRate": get("/v5/account/fee-rate", **BTC),
    "Account/GetCollateralInfo": get("/v5/account/collateral-info"),
    "Account/GetApiKeyInfo": get("/v5/user/query-api"),
    "Account/GetAccountTypes": get("/v5/user/get-member-type"),
    "Account/GetTransactionHistory": get("/v5/account/transaction-log"),
    "Account/SetMarginMode": post("/v5/account/set-margin-mode", setMarginMode="PORTFOLIO_MARGIN"),
    "Account/SetLeverage": post("/v5/position/set-leverage", **BTC, buyLeverage="5", sellLeverage="5"),
    "Account/SwitchPositionMode": post("/v5/position/switch-mode", **LINEAR, coin="USDT", mode=0),
    "Trading/GetPositions": get("/v5/position/list", **LINEAR, settleCoin="USDT"),
    "Trading/PlaceOrder": post("/v5/order/create", **BTC, **MARKET),
    "Trading/CancelOrder": post("/v5/order/cancel", **BTC, orderLinkId="rest"),
    "Trading/CancelAllOrder": post("/v5/order/cancel-all", **BTC),
    "Trading/GetOrders": get("/v5/order/realtime", **BTC),
    "Trading/GetOrderHistory": get("/v5/order/history", **BTC),
    "Trading/GetUserTrades": get("/v5/execution/list", **BTC),
}

DOCUMENTED = {
    "ExchangeData/GetLinearInverseSymbols": {
        "isPreListing", "preListingInfo", "riskParameters", "priceLimitRatioX", "priceLimitRatioY", "displayName",
        "symbolType", "forbidUplWithdrawal",
    },
    "ExchangeData/GetLinearInverseTickers": {
        "preOpenPrice", "preQty", "curPreListingPhase", "fundingIntervalHour", "basisRateYear", "fundingCap",
    },
    "ExchangeData/GetOrderbook": {"cts"},
    "Account/GetBalances": {
        "accountIMRateByMp", "accountMMRateByMp", "totalInitialMarginByMp", "totalMaintenanceMarginByMp", "spotBorrow",
        "colRes",
    },
    "Account/GetMarginAccountInfo": {"retExtInfo", "time"},
    "Account/SetMarginMode": {"retExtInfo", "time"},
    "Account/GetCollateralInfo": {"otherBorrowAmount"},
    "Account/GetTransactionHistory": {"transSubType", "extraFees"},
    "Trading/GetPositions": {
        "breakEvenPrice", "positionMMByMp", "positionIMByMp", "mmrSysUpdatedTime", "openTime",
    },
    "Trading/GetOrders": {
        "parentOrderLinkId", "createType", "marketUnit", "cumFeeDetail", "slippageToleranceType", "slippageTolerance",
        "extraFees", "rpiTakerAccess", "rpiMatchedQty",
    },
    "Trading/GetOrderHistory": {
        "parentOrderLinkId", "createType", "marketUnit", "cumFeeDetail", "slippageToleranceType", "slippageTolerance",
        "extraFees", "rpiTakerAccess", "rpiMatchedQty",
    },
    "Trading/GetUserTrades": {"createType", "extraFees", "execFeeV2"},
}  # fmt: skip
"""Fields beyond the recorded ones. Source: https://bybit-exchange.github.io/docs/v5"""


def result(payload: Row) -> Row:
    return table(payload["result"], "result")


def order_id(payload: Row) -> str:
    return errors.order_id(answered(payload), str(result(payload)["orderLinkId"]))


def equity(payload: Row) -> Decimal:
    """Of the first coin, whichever that is."""
    (account,) = rows(result(payload), "list")
    return codec.equity(result(payload), str(rows(account, "coin")[0]["coin"]))


OTHER = "of another product or of a function the simulator answers shortly: no client here reads its fields"
ASIDE = dict.fromkeys(
    [
        "Account/GetAssetInfo", "Account/SetPriceLimitBehavior", "Account/SwitchCrossIsolatedMargin",
        "ExchangeData/GetLinearInverseSymbolsPreListing", "ExchangeData/GetMarkPriceKlines",
        "ExchangeData/GetOptionSymbols", "ExchangeData/GetOptionTickers", "ExchangeData/GetSpotSymbols",
        "ExchangeData/GetSpotTickers",
    ],
    OTHER,
)  # fmt: skip
READS: Mapping[str, Callable[[Row], object]] = {
    "ExchangeData/GetLinearInverseSymbols": lambda row: codec.instruments(result(row)),
    "ExchangeData/GetLinearInverseTickers": lambda row: codec.tickers(result(row)),
    "Account/GetBalances": equity,
    "Account/GetMarginAccountInfo": lambda row: codec.margin_mode(result(row)),
    "Account/GetApiKeyInfo": lambda row: codec.key_problems(result(row)),
    "Trading/GetPositions": lambda row: codec.positions([result(row)], None),
    "Trading/PlaceOrder": order_id,
    "Trading/CancelOrder": lambda row: errors.cancelled(answered(row), str(result(row)["orderLinkId"])),
    "Account/SetLeverage": lambda row: errors.setting(answered(row), ()),
    "Account/SwitchPositionMode": lambda row: errors.setting(answered(row), {110025}),
    "Trading/GetOrders": lambda row: orders.order_rows(result(row)),
    "Trading/GetOrderHistory": lambda row: orders.order_rows(result(row)),
    "Trading/GetUserTrades": lambda row: orders.executions(result(row)),
}


def answer(ask: Ask) -> Callable[[], Any]:
    return lambda: ask(traded()).body


SHAPES = Shapes(
    venue="bybit",
    folder="bybit/Endpoints/V5Api",
    served=lambda method, path: f"{method} {path}" in ROUTES,
    answers={name: answer(ask) for name, ask in ASKED.items()},
    reads=READS,
    more=DOCUMENTED,
    aside=ASIDE,
    opaque=frozenset({"cumFeeDetail", "permissions"}),
)
