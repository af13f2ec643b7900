"""The simulated Hyperliquid's answers beside recorded ones, field by field, and its list of coins.

A recorded field must be there with the same JSON type. A further one must be in the documentation, and is named here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from account_processors.codecs.hyperliquid import symbol_of
from simulator.instruments import load_listings
from tests.contract.test_hyperliquid_facade_door import NOW_MS, Door, order

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "venues" / "hyperliquid"
Ask = Callable[[Door], Any]


def user(kind: str, **fields: object) -> Ask:
    return lambda door: door.info(kind, user=door.master().address, **fields)


def public(kind: str, **fields: object) -> Ask:
    return lambda door: door.info(kind, **fields)


def rests() -> Mapping[str, Any]:
    return order(p="40000", t={"limit": {"tif": "Gtc"}})


ANSWERS: Mapping[str, Ask] = {
    "Futures/Account/GetAccountInfo": user("clearinghouseState"),
    "Futures/Account/GetFundingHistory": user("userFunding", startTime=0),
    "Futures/ExchangeData/GetExchangeInfo": public("meta"),
    "Futures/ExchangeData/GetExchangeInfoAndTickers": public("metaAndAssetCtxs"),
    "Futures/ExchangeData/GetFundingRateHistory": public("fundingHistory", coin="ETH", startTime=NOW_MS - 10**7),
    "Futures/Trading/SetLeverage": lambda door: door.act(
        {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 3}
    ),
    "Spot/Account/GetRateLimits": user("userRateLimit"),
    "Spot/Account/GetExtraAgents": user("extraAgents"),
    "Spot/ExchangeData/GetOrderBook": public("l2Book", coin="BTC"),
    "Spot/ExchangeData/GetKlines": public(
        "candleSnapshot", req={"coin": "BTC", "interval": "1h", "startTime": NOW_MS - 10**7, "endTime": NOW_MS}
    ),
    "Spot/ExchangeData/GetPrices": public("allMids"),
    "Spot/Trading/GetOpenOrders": user("openOrders"),
    "Spot/Trading/GetOpenOrdersExtended": user("frontendOpenOrders"),
    "Spot/Trading/GetUserTrades": user("userFills"),
    "Spot/Trading/PlaceOrder": lambda door: door.act(rests()),
}
CASSETTES: Mapping[str, Ask] = {
    "test_extra_agents": user("extraAgents"),
    "test_get_all_mids": public("allMids"),
    "test_get_frontend_open_orders": user("frontendOpenOrders"),
    "test_get_info": public("meta"),
    "test_get_l2_snapshot": public("l2Book", coin="BTC"),
    "test_get_open_orders": user("openOrders"),
    "test_get_user_fills": user("userFills"),
    "test_get_user_state": user("clearinghouseState"),
    "test_historical_orders": user("historicalOrders"),
    "test_user_rate_limit": user("userRateLimit"),
    "test_user_role": user("userRole"),
}
NOT_SERVED = {
    "Futures/ExchangeData/GetSymbolsAtMaxOpenInterest", "Spot/Account/GetAccountLedger",
    "Spot/Account/GetApprovedBuilderFee", "Spot/Account/GetBalances", "Spot/Account/GetSubAccounts",
    "Spot/Account/GetSubAccounts2", "Spot/ExchangeData/GetAssetInfo", "Spot/ExchangeData/GetExchangeInfo",
    "Spot/ExchangeData/GetExchangeInfoAndTickers", "test_portfolio",
}  # fmt: skip
"""Spot, money going in and out, a builder's fee; and accounts this one has none of."""
MORE = {
    "closedPnl", "crossed", "tid", "twapId", "feeToken", "fee",  # of fills, since the recording
    "time", "marginTables", "dayBaseVlm", "rawUsd", "crossMaintenanceMarginUsed", "withdrawable", "maxLeverage",
    "cumFunding", "origSz", "cloid", "data", "validUntil",
}  # fmt: skip
"""Documented fields that older recordings do not have."""
LESS = {"onlyIsolated", "isDelisted", "maxTradeSzs", "builderFee", "data"}
"""Recorded fields of coins there are none of here, of older answers, and of builders."""
MAY_BE_NULL = {"liquidationPx", "cloid", "tif", "nSamples"}


def recorded(name: str) -> Any:
    """The answer of a recorded exchange."""
    folder, ending = ("cassettes", "yaml") if name.startswith("test_") else ("Endpoints", "txt")
    file = RECORDED / folder / f"{name}.{ending}"
    if not file.is_file():
        pytest.skip(f"no recorded answers at {RECORDED}: nothing to compare with")
    whole = file.read_text(encoding="utf-8-sig")
    if ending == "txt":
        return json.loads(whole.split("\n", 3)[3])
    # Of a cassette with several calls the last is the one it is named after.
    *_, text = re.findall(r"^ +string: '(.*?)'$", whole, re.MULTILINE | re.DOTALL)
    return json.loads(re.sub(r"\n +", " ", text).replace("''", "'"))


def differing(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Where a field is missing, undocumented or of another type; of a list its first rows are compared."""
    key = where.rsplit(".", 1)[-1]
    if type(ours) is not type(theirs):
        return [] if key in MAY_BE_NULL and None in (ours, theirs) else [f"{where}: {ours!r} where {theirs!r} is"]
    if isinstance(theirs, list):
        return differing(ours[0], theirs[0], f"{where}[]") if ours and theirs else []
    if not isinstance(theirs, dict):
        return []
    if where == "" and "BTC" in ours:  # names of coins
        return differing(ours["BTC"], next(iter(theirs.values())), ".mid")
    missing, extra = set(theirs) - set(ours) - LESS, set(ours) - set(theirs) - MORE
    found = [f"{where}.{field} is missing" for field in sorted(missing)]
    found += [f"{where}.{field} is not documented" for field in sorted(extra)]
    shared = sorted(set(ours) & set(theirs))
    return found + [line for field in shared for line in differing(ours[field], theirs[field], f"{where}.{field}")]


def traded() -> Door:
    """An account with a position in isolated margin, a resting order and a filled one."""
    door = Door()
    door.act({"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 10})
    door.act(order())
    door.act(rests())
    return door


@pytest.mark.parametrize("name", sorted({**ANSWERS, **CASSETTES}))
def test_answers_look_like_recorded_ones(name: str) -> None:
    ours = {**ANSWERS, **CASSETTES}[name](traded())
    theirs = recorded(name)
    if isinstance(ours, list) and isinstance(theirs, list) and "Funding" not in name:
        assert ours
    assert differing(ours, theirs) == []


def test_every_recording_is_compared_or_named() -> None:
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded answers at {RECORDED}")
    names = {file.relative_to(RECORDED / "Endpoints").with_suffix("").as_posix() for file in RECORDED.rglob("*.txt")
             if "Endpoints" in file.parts}  # fmt: skip
    names |= {file.stem for file in RECORDED.glob("cassettes/*.yaml")}
    assert names == {*ANSWERS, *CASSETTES, *NOT_SERVED}


def test_coins_have_sources_and_are_many() -> None:
    listings = load_listings("hyperliquid")
    assert len(listings) >= 25
    assert all(listing.source for listing in listings)
    assert sum(not it.generated for it in listings) >= 25
    for it in listings:
        assert symbol_of(it.instrument.venue_symbol) == it.symbol
        assert it.instrument.lot.adjusted() <= 0
        assert it.instrument.tick.adjusted() == -6 - it.instrument.lot.adjusted()
