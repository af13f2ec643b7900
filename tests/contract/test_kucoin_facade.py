"""The simulated KuCoin: its door, orders, lists and contracts; `coverage` holds its answers beside recorded ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.ports import Request, StreamRequest
from simulator.facades import Match
from simulator.instruments import load_listings
from tests.contract.kucoin_door import BTC, Door

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


def test_the_list_of_contracts() -> None:
    listings = load_listings("kucoin")
    assert len(listings) >= 25
    real = {it.symbol for it in listings if not it.generated}
    assert {"BTCUSDT", "ETHUSDT", "XRPUSDT", "DOGEUSDT"} <= real
    assert all(it.source for it in listings)
    assert all(it.instrument.lot == it.instrument.min_contracts == 1 for it in listings)
