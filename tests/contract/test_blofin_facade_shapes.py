"""The simulated BloFin's answers beside recorded ones, field by field, and its list of contracts.

A recorded field must be there with the same JSON type. A further one must be in the documentation, and is named here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from simulator.facades.blofin.facade import ROUTES
from simulator.instruments import load_listings
from tests.contract.test_blofin_facade_door import BTC, Door

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "venues" / "blofin" / "Endpoints" / "Futures"


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


ANSWERS: Mapping[str, Ask] = {
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
    "Trading/PlaceOrder": lambda door: door.order(),
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
    "Trading/GetPositions": {"initialMargin"},
}
"""Fields beyond the recorded ones: those of other lists of the same rows, and those of cross margin."""
LESS: Mapping[str, set[str]] = {
    "Trading/GetOpenOrders": {"filled_amount"},
    "Trading/GetPositions": {"margin"},
}
"""Recorded fields left out: undocumented, or those of isolated margin."""
MAY_BE_NULL = {"cancelSourceReason", "tpTriggerPrice", "slTriggerPrice", "msg", "clientOrderId"}


def recorded(name: str) -> tuple[str, str, Any]:
    """Method, path and answer of a recorded exchange."""
    file = RECORDED / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded answers at {RECORDED}: nothing to compare with")
    method, path, _, *lines = file.read_text(encoding="utf-8-sig").splitlines()
    text = re.sub(r"^\s*//.*$", "", "\n".join(lines), flags=re.MULTILINE)
    return method.strip(), path.strip(), json.loads(text)


def differing(ours: Any, theirs: Any, name: str, where: str = "") -> list[str]:
    """Where a field is missing, undocumented or of another type; of a list its first rows are compared."""
    key = where.rsplit(".", 1)[-1]
    if type(ours) is not type(theirs):
        return [] if key in MAY_BE_NULL and None in (ours, theirs) else [f"{where}: {ours!r} where {theirs!r} is"]
    if isinstance(theirs, list):
        return differing(ours[0], theirs[0], name, f"{where}[]") if ours and theirs else [f"{where} is empty"]
    if not isinstance(theirs, dict):
        return []
    missing = set(theirs) - set(ours) - LESS.get(name, set())
    extra = set(ours) - set(theirs) - MORE.get(name, set())
    found = [f"{where}.{field} is missing" for field in sorted(missing)]
    found += [f"{where}.{field} is not documented" for field in sorted(extra)]
    shared = sorted(set(ours) & set(theirs))
    return found + [
        line for field in shared for line in differing(ours[field], theirs[field], name, f"{where}.{field}")
    ]


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_look_like_recorded_ones(name: str) -> None:
    method, path, theirs = recorded(name)
    assert f"{method} {path}" in ROUTES
    ours = ANSWERS[name](Door() if name in NEED_NOTHING_OPEN else traded())
    assert (ours.pop("status"), ours["code"]) == (200, "0")
    assert differing(ours, theirs, name) == []


def test_every_recorded_endpoint_that_is_served_is_compared() -> None:
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded answers at {RECORDED}")
    names = {file.relative_to(RECORDED).with_suffix("").as_posix() for file in RECORDED.glob("*/*.txt")}
    served = {name for name in names if " ".join(recorded(name)[:2]) in ROUTES}
    assert served == set(ANSWERS)


def test_contracts_have_sources_and_are_many() -> None:
    listings = load_listings("blofin")
    assert len(listings) >= 25
    assert all(listing.source for listing in listings)
    assert {it.symbol for it in listings if not it.generated} == {"BTCUSDT", "ETHUSDT", "LTCUSDT", "ADAUSDT"}
    assert all(it.instrument.venue_symbol.replace("-", "") == it.symbol for it in listings)
