"""The simulated KuCoin: its door, and its answers beside recorded ones, field by field.

A recorded field must be there with the same JSON type. What differs is named here, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from core.ports import Request, StreamRequest
from simulator.facades import Match
from simulator.facades.kucoin.facade import ROUTES, endpoint_of
from simulator.facades.parts import Target
from simulator.instruments import load_listings
from tests.contract.kucoin_door import BTC, Door
from tests.contract.test_bybit_facade_shapes import fields
from tests.unit.account_processors.kucoin_golden import recorded

POSITIONS = "/api/v1/positions"

# --- the door ---------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, str], int, str]] = [
    ({"kc-api-key": ""}, 401, "400001"),
    ({"kc-api-sign": ""}, 401, "400001"),
    ({"kc-api-timestamp": ""}, 401, "400001"),
    ({"kc-api-passphrase": ""}, 401, "400001"),
    ({"kc-api-key": "nobody"}, 401, "400003"),
    ({"kc-api-timestamp": "1790000005499"}, 400, "400002"),
    ({"kc-api-timestamp": "1790000015501"}, 400, "400002"),
    ({"kc-api-timestamp": "soon"}, 400, "400002"),
    ({"kc-api-passphrase": "plain"}, 401, "400004"),
    ({"kc-api-key-version": "1"}, 401, "400004"),
    ({"kc-api-key-version": ""}, 401, "400004"),
    ({"kc-api-timestamp": "1790000010499"}, 401, "400005"),  # in time, but not what was signed
    ({"kc-api-sign": "bm8="}, 401, "400005"),
]


@pytest.mark.parametrize(("changed", "status", "code"), REFUSED)
def test_a_request_that_is_not_in_order_is_refused(changed: dict[str, str], status: int, code: str) -> None:
    door = Door()
    answer = door.ask("GET", POSITIONS, changed)
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
    assert door.ask("GET", POSITIONS).status == 200


def test_a_body_that_was_changed_on_its_way_is_refused() -> None:
    door = Door()
    signature = door.ask("POST", "/api/v2/position/changeMarginMode", symbol=BTC, marginMode="CROSS")
    assert signature.status == 200
    stamp = "1790000010500"
    path = "/api/v1/orders"
    sealed = door.seal(f"{stamp}POST{path}".encode() + b'{"size":1}')
    headers = {
        "kc-api-key": door.keys["api_key"], "kc-api-timestamp": stamp, "kc-api-sign": sealed,
        "kc-api-passphrase": door.seal(door.keys["api_passphrase"].encode()), "kc-api-key-version": "2",
    }  # fmt: skip
    answer = door.facade.handle(Request("POST", f"http://kucoin.sim{path}", headers, b'{"size":2}'))
    assert json.loads(answer.body)["code"] == "400005"


def test_the_pools_refuse_tell_and_open_again() -> None:
    door = Door()
    left = [int(door.ask("GET", "/api/v1/account-overview").headers["gw-ratelimit-remaining"]) for _ in range(400)]
    assert (left[0], left[-1]) == (1995, 0)
    answer = door.ask("GET", POSITIONS)
    assert (answer.status, json.loads(answer.body)["code"]) == (429, "429000")
    assert (answer.headers["gw-ratelimit-limit"], answer.headers["gw-ratelimit-reset"]) == ("2000", "30000")
    assert door.ask("GET", "/api/v1/timestamp").status == 200
    assert door.facade.counts().over_limit == 1
    door.wait(30.001)
    assert door.ask("GET", POSITIONS).status == 200


@pytest.mark.parametrize(
    ("endpoint", "match"),
    [
        ("POST /api/v1/orders", Match.ORDER_CREATE),
        ("POST /api/v1/orders/test", Match.OTHER),
        ("GET /api/v1/orders/byClientOid?clientOid=1", Match.ORDER_QUERY),
        ("GET /api/v1/orders/301123456789012345", Match.ORDER_QUERY),
        ("DELETE /api/v1/orders/client-order/abc?symbol=XBTUSDTM", Match.OTHER),
        ("GET /api/v1/contracts/active", Match.INSTRUMENTS),
        ("GET /api/v1/contracts/XBTUSDTM", Match.PRICES),
        ("GET /api/v1/mark-price/XBTUSDTM/current", Match.PRICES),
        ("GET /api/v1/account-overview", Match.EQUITY),
        ("GET /api/v1/positions", Match.POSITIONS),
        ("GET /api/v9/nothing", Match.OTHER),
        ("GET /api/v1/contracts/a/b", Match.OTHER),
    ],
)
def test_requests_are_told_apart(endpoint: str, match: Match) -> None:
    method, _, target = endpoint.partition(" ")
    request = Request(method, f"http://kucoin.sim{target}", {}, b"")
    assert Door().facade.classify(request).match is match


def test_what_nobody_serves() -> None:
    door = Door()
    answer = door.ask("GET", "/api/v9/nothing")
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "404000")
    assert door.facade.counts().by_endpoint == {"unknown": 1}
    refused: Any = door.facade.session(StreamRequest("ws://kucoin.sim/endpoint"))
    assert refused.status == 404


# --- orders -----------------------------------------------------------------------------------------------------------


def test_close_order_closes_whatever_is_open() -> None:
    door = Door()
    assert door.body("POST", "/api/v1/orders", clientOid="x", symbol=BTC, closeOrder=True)["code"] == "300009"
    door.order(side="sell", size=7)
    assert door.body("POST", "/api/v1/orders", clientOid="y", symbol=BTC, closeOrder=True)["code"] == "200000"
    assert door.body("GET", POSITIONS)["data"] == []


def test_a_list_without_a_status_is_of_finished_orders_and_goes_back_a_day() -> None:
    door = Door()
    door.order(clientOid="rests", type="limit", price="49500")
    door.order(clientOid="done")
    assert [one["clientOid"] for one in door.body("GET", "/api/v1/orders")["data"]["items"]] == ["done"]
    door.wait(2 * 86_400)
    assert door.body("GET", "/api/v1/orders")["data"]["items"] == []
    assert door.body("GET", "/api/v1/fills")["data"]["items"] == []
    resting = door.body("GET", "/api/v1/orders", status="active")["data"]["items"]
    assert [one["clientOid"] for one in resting] == ["rests"]
    now = round(door.clock.time() * 1000)
    assert door.body("GET", "/api/v1/fills", startAt=now - 8 * 86_400_000, endAt=now)["code"] == "400100"
    assert door.body("GET", "/api/v1/orders/byClientOid", clientOid="done")["data"]["status"] == "done"
    door.wait(6 * 86_400)
    assert door.body("GET", "/api/v1/orders/byClientOid", clientOid="done")["code"] == "100001"


def test_funding_is_paid_and_listed_newest_first() -> None:
    door = Door()
    door.order(size=100)
    door.wait(86_400)
    paid = door.body("GET", "/api/v1/funding-history", symbol=BTC, maxCount=2)["data"]
    assert (len(paid["dataList"]), paid["hasMore"]) == (2, True)
    assert paid["dataList"][0]["timePoint"] - paid["dataList"][1]["timePoint"] == 28_800_000
    assert paid["dataList"][0]["funding"] < 0


# --- shapes -----------------------------------------------------------------------------------------------------------


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


Ask = Callable[[Door], Any]


def get(path: str, **params: object) -> Ask:
    return lambda door: door.body("GET", path, **params)


def post(path: str, **body: object) -> Ask:
    return lambda door: door.body("POST", path, **body)


ONE = {"clientOid": "n", "side": "buy", "symbol": BTC, "type": "market", "size": 1, "leverage": 3}

ANSWERS: Mapping[str, Ask] = {
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
    "Account/GetFundingHistory": get("/api/v1/funding-history", symbol=BTC),
    "Account/GetTradingFee": get("/api/v1/trade-fees", symbol=BTC),
    "Account/GetOpenOrderValue": get("/api/v1/openOrderStatistics", symbol=BTC),
    "Trading/PlaceOrder": lambda door: door.order(clientOid="new"),
    "Trading/PlaceTestOrder": post("/api/v1/orders/test", **ONE),
    "Trading/CancelOrderByClientOrderId": lambda door: door.body(
        "DELETE", "/api/v1/orders/client-order/rest", symbol=BTC
    ),
    "Trading/CancelAllOrders": lambda door: door.body("DELETE", "/api/v3/orders", symbol=BTC),
    "Trading/GetOrders": get("/api/v1/orders"),
    "Trading/GetClosedOrders": get("/api/v1/recentDoneOrders"),
    "Trading/GetOrderByClientOrderId": get("/api/v1/orders/byClientOid", clientOid="filled"),
    "Trading/GetUserTrades": get("/api/v1/fills"),
    "Trading/GetRecentUserTrades": get("/api/v1/recentFills"),
}  # fmt: skip

ABSENT: Mapping[str, set[str]] = {
    "Account/GetPositions": {"userId"},
    "Account/GetPosition": {"userId", "riskLimitLevel"},
    "ExchangeData/GetFundingRateHistory": {"success", "msg", "retry"},
}
"""Recorded fields the present documentation no longer has; nobody reads them."""

OTHERWISE: Mapping[str, set[str]] = {
    "ExchangeData/GetAggregatedPartialOrderBook": {"asks[][]", "bids[][]"},
    "ExchangeData/GetAggregatedFullOrderBook": {"asks[][]", "bids[][]"},
    "Trading/GetOrders": {"visibleSize", "remark", "tags"},
    "Trading/GetClosedOrders": {"visibleSize", "remark", "tags"},
    "Trading/GetOrderByClientOrderId": {"visibleSize", "remark", "tags"},
}
"""Fields whose type differs in the present documentation: a value where null was recorded, prices as numbers."""


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_have_the_recorded_fields(name: str) -> None:
    _, theirs = recorded(name)
    ours = ANSWERS[name](traded())
    assert ours["code"] == "200000"
    have, want = set(fields(ours)), set(fields(json.loads(json.dumps(theirs, default=float))))
    missing = {f"{place} ({what})" for place, what in want - have}
    excused = ABSENT.get(name, set()) | OTHERWISE.get(name, set())
    assert {one for one in missing if one.split(" ")[0].rpartition(".")[2] not in excused} == set()


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_asked_for_where_they_were_recorded(name: str) -> None:
    place, _ = recorded(name)
    assert any(endpoint_of(Target(method, place.strip(), ""))[0] in ROUTES for method in ("GET", "POST", "DELETE"))


def test_the_list_of_contracts() -> None:
    listings = load_listings("kucoin")
    assert len(listings) >= 25
    real = {it.symbol for it in listings if not it.generated}
    assert {"BTCUSDT", "ETHUSDT", "XRPUSDT", "DOGEUSDT"} <= real
    assert all(it.source for it in listings)
    assert all(it.instrument.lot == it.instrument.min_contracts == 1 for it in listings)
