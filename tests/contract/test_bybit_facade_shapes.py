"""The simulated Bybit's answers beside recorded ones, field by field, and its list of contracts.

A recorded field must be there with the same JSON type. A further one must be in the documentation, and is named here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from simulator.facades.bybit.details import load_details
from simulator.facades.bybit.facade import ROUTES
from simulator.instruments import load_listings
from tests.contract.bybit_door import Answer, Door

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "venues" / "bybit" / "Endpoints" / "V5Api"
LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": "BTCUSDT"}


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


Ask = Callable[[Door], Answer]


def get(path: str, **params: object) -> Ask:
    return lambda door: door.get(path, **params)


def post(path: str, **body: object) -> Ask:
    return lambda door: door.post(path, body)


ANSWERS: Mapping[str, Ask] = {
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
    "Trading/PlaceOrder": post("/v5/order/create", **BTC, side="Buy", orderType="Market", qty="0.001"),
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
    "Account/GetApiKeyInfo": {"Earn"},
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

BY_COIN = {"cumFeeDetail"}
"""Objects whose names are data."""


def recorded(name: str) -> tuple[str, str, Any]:
    """Method, path and answer of a recorded exchange; a few carry comments."""
    file = RECORDED / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded answers at {RECORDED}: nothing to compare with")
    method, path, _, *lines = file.read_text(encoding="utf-8-sig").splitlines()
    text = re.sub(r"^\s*//.*$", "", "\n".join(lines), flags=re.MULTILINE)
    return method.strip(), path.strip(), json.loads(text)


def fields(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Every field as (place, JSON type); of a list what its entries have, but for the rights a key happens to have."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{place}.{name}", kind(inner)
            if name not in BY_COIN:
                yield from fields(inner, f"{place}.{name}")
    elif isinstance(value, list) and ".permissions." not in place:
        for inner in value:
            yield f"{place}[]", kind(inner)
            yield from fields(inner, f"{place}[]")


def kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "number", float: "number", list: "list", dict: "object"}[type(value)]


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_have_the_recorded_fields(name: str) -> None:
    _, _, theirs = recorded(name)
    ours = ANSWERS[name](traded()).body
    assert ours is not None
    have, want = set(fields(ours)), set(fields(theirs))
    missing = {f"{place} ({what})" for place, what in want - have}
    extra = {place.rpartition(".")[2] for place, _ in have} - {place.rpartition(".")[2] for place, _ in want}
    assert (missing, extra - DOCUMENTED.get(name, set())) == (set(), set())
    assert DOCUMENTED.get(name, set()) <= extra, "a documented field has since been recorded: drop it from the table"


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_asked_for_where_they_were_recorded(name: str) -> None:
    method, path, _ = recorded(name)
    assert f"{method} {path}" in ROUTES


NEEDED: Mapping[str, str] = {
    "ExchangeData/GetLinearInverseSymbols": """
        symbol contractType status baseCoin quoteCoin settleCoin launchTime deliveryTime priceScale fundingInterval
        lotSizeFilter.minOrderQty lotSizeFilter.qtyStep lotSizeFilter.maxOrderQty lotSizeFilter.maxMktOrderQty
        lotSizeFilter.minNotionalValue priceFilter.tickSize priceFilter.minPrice priceFilter.maxPrice
        leverageFilter.minLeverage leverageFilter.maxLeverage leverageFilter.leverageStep""",
    "ExchangeData/GetLinearInverseTickers": """
        symbol markPrice lastPrice indexPrice bid1Price ask1Price bid1Size ask1Size fundingRate nextFundingTime""",
    "Trading/GetPositions": """
        symbol side size avgPrice leverage positionIdx seq markPrice liqPrice unrealisedPnl positionValue positionIM
        positionMM positionBalance tradeMode createdTime updatedTime positionStatus""",
    "Trading/GetOrders": """
        orderId orderLinkId symbol side qty price orderStatus cumExecQty cumExecValue cumFeeDetail avgPrice leavesQty
        orderType timeInForce reduceOnly rejectReason cancelType createdTime updatedTime positionIdx""",
    "Trading/GetUserTrades": """
        symbol side execQty execPrice execFee execTime execId execType orderId orderLinkId seq closedSize isMaker
        feeRate feeCurrency orderType""",
}
"""What the adapter and the unmodified clients read, by row."""


@pytest.mark.parametrize("name", NEEDED)
def test_no_field_a_client_needs_is_missing(name: str) -> None:
    for row in ANSWERS[name](traded()).rows:
        for place in NEEDED[name].split():
            value = row
            for part in place.split("."):
                assert part in value, place
                value = value[part]


# --- the list of contracts --------------------------------------------------------------------------------------------


def test_the_list_of_contracts() -> None:
    listings = {listing.symbol: listing for listing in load_listings("bybit")}
    assert len(listings) >= 25
    real = {symbol: it for symbol, it in listings.items() if not it.generated}
    assert {"BTCUSDT", "ETHUSDT", "XRPUSDT", "DOGEUSDT"} <= set(real)
    assert all(it.source.startswith(("https://", "instruments-info")) for it in real.values())
    assert {"TAOUSDT", "SOLUSDT", "1000PEPEUSDT", "BTCPERP"} <= set(listings) - set(real)
    assert {it.instrument.settle for it in listings.values()} == {"USDT", "USDC"}
    assert {it.symbol for it in listings.values() if it.instrument.settle == "USDC"} == {"BTCPERP", "ETHPERP"}
    assert set(load_details()) == set(real)


def test_every_contract_can_be_traded() -> None:
    door = Door()
    for listing in door.exchange.listings():
        it, price = listing.instrument, door.exchange.quote(listing.symbol).ask
        lots = max(it.min_contracts, it.contracts_for(it.min_notional * 2, price) + it.lot)
        answer = door.order(symbol=it.venue_symbol, qty=format(lots, "f"))
        assert answer.code == 0, (it.symbol, answer.message)
        door.wait(0.11)
