"""The simulated MEXC: its door, what sides, modes and leverage mean, and its lists; recordings are in `coverage`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.ports import Request, StreamRequest
from simulator.facades import Match
from simulator.facades.mexc import MexcFacade
from tests.contract.mexc_door import BTC, MARKET, PRIVATE, Door

POSITIONS = f"{PRIVATE}/position/open_positions"
ORDERS = f"{PRIVATE}/order/list/history_orders"

# --- the door ---------------------------------------------------------------------------------------------------------

NOW = 1_790_000_010_500
REFUSED: list[tuple[dict[str, str], int]] = [
    ({"apikey": ""}, 401),
    ({"apikey": "nobody"}, 401),
    ({"request-time": "soon"}, 513),
    ({"request-time": str(NOW // 1000)}, 513),
    ({"request-time": str(NOW - 10_000)}, 513),
    ({"request-time": str(NOW + 2_001)}, 513),
    ({"request-time": str(NOW - 60_000), "recv-window": "60"}, 513),
    ({"request-time": str(NOW - 5_000), "recv-window": "5"}, 513),
    ({"recv-window": "61"}, 513),
    ({"recv-window": "0"}, 513),
    ({"recv-window": "5000"}, 513),
    ({"signature": ""}, 602),
    ({"signature": "00"}, 602),
]
TAKEN: list[dict[str, str]] = [
    {},
    {"request-time": str(NOW - 9_999)},
    {"request-time": str(NOW + 2_000)},
    {"request-time": str(NOW - 59_999), "recv-window": "60"},
    {"recv-window": "5"},
]


@pytest.mark.parametrize(("changed", "code"), REFUSED)
def test_a_request_that_is_not_in_order_is_refused(changed: dict[str, str], code: int) -> None:
    door = Door()
    answer = door.send("GET", POSITIONS, "", changed=changed)
    assert (answer.status, json.loads(answer.body)["success"], json.loads(answer.body)["code"]) == (200, False, code)


@pytest.mark.parametrize("changed", TAKEN)
def test_a_timestamp_counts_for_its_window(changed: dict[str, str]) -> None:
    assert json.loads(Door().send("GET", POSITIONS, "", changed=changed).body) == {
        "success": True, "code": 0, "data": [],
    }  # fmt: skip


SIGNED: list[tuple[str, str, int]] = [
    ("page_num=1&page_size=20", "page_num=1&page_size=20", 0),
    ("page_size=20&page_num=1", "page_num=1&page_size=20", 0),  # by name, whatever the order they were sent in
    ("page_size=20&page_num=1", "page_size=20&page_num=1", 602),
    ("symbol=BTC_USDT&states=3%2C4", "states=3%2C4&symbol=BTC_USDT", 0),  # as it was sent: with its escapes
    ("symbol=BTC_USDT&states=3%2C4", "states=3,4&symbol=BTC_USDT", 602),
    ("page_num=2", "page_num=1", 602),
]


@pytest.mark.parametrize(("query", "signed", "code"), SIGNED)
def test_a_query_is_signed_by_name_and_as_it_was_sent(query: str, signed: str, code: int) -> None:
    assert json.loads(Door().send("GET", f"{ORDERS}?{query}", signed).body)["code"] == code


def test_a_body_is_signed_byte_for_byte() -> None:
    door, path = Door(), f"{PRIVATE}/position/change_position_mode"
    for sent, signed, code in (
        ('{"positionMode": 2}', '{"positionMode": 2}', 0),
        ('{"positionMode": 2}', '{"positionMode":2}', 602),
        ('{"positionMode": 1}', '{"positionMode": 2}', 602),
    ):
        assert json.loads(door.send("POST", path, signed, sent).body)["code"] == code
    assert door.get("position/position_mode")["data"] == 2


def test_a_key_bound_to_another_address_is_refused() -> None:
    bound = {"main": frozenset({"203.0.113.9"})}
    with pytest.raises(AssertionError):
        Door(lambda exchange: MexcFacade(exchange, addresses=bound))
    own = {"main": frozenset({"127.0.0.1"})}
    assert Door(lambda exchange: MexcFacade(exchange, addresses=own)).positions() == []


# --- limits -----------------------------------------------------------------------------------------------------------


def test_orders_have_a_limit_of_their_own_within_that_of_the_account() -> None:
    door = Door()
    door.wait(2.001)
    assert [door.order(vol=1)["code"] for _ in range(5)] == [0, 0, 0, 0, 510]
    assert [door.get("position/open_positions")["code"] for _ in range(16)] == [0] * 15 + [510]
    assert door.facade.counts().over_limit == 2
    assert door.get(f"{MARKET}/ping")["code"] == 0
    door.wait(2.001)
    assert door.order(vol=1)["code"] == 0


def test_the_lists_of_an_address_have_tighter_limits() -> None:
    door = Door()
    assert [door.get(f"{MARKET}/detail")["code"] for _ in range(11)] == [0] * 10 + [510]
    assert door.get(f"{MARKET}/ticker")["code"] == 0


@pytest.mark.parametrize(
    ("endpoint", "match"),
    [
        ("POST /api/v1/private/order/create", Match.ORDER_CREATE),
        ("POST /api/v1/private/order/submit", Match.ORDER_CREATE),
        ("POST /api/v1/private/order/cancel", Match.OTHER),
        ("GET /api/v1/private/order/external/BTC_USDT/abc", Match.ORDER_QUERY),
        ("GET /api/v1/private/order/list/open_orders/BTC_USDT", Match.ORDER_QUERY),
        ("GET /api/v1/private/position/open_positions", Match.POSITIONS),
        ("POST /api/v1/private/position/change_leverage", Match.LEVERAGE),
        ("GET /api/v1/private/account/assets", Match.EQUITY),
        ("GET /api/v1/contract/detail", Match.INSTRUMENTS),
        ("GET /api/v1/contract/ticker?symbol=BTC_USDT", Match.PRICES),
        ("GET /api/v9/nothing", Match.OTHER),
    ],
)
def test_requests_are_told_apart(endpoint: str, match: Match) -> None:
    method, _, target = endpoint.partition(" ")
    request = Request(method, f"http://mexc.sim{target}", {}, b"")
    assert Door().facade.classify(request).match is match


def test_what_nobody_serves() -> None:
    door = Door()
    assert door.get("/api/v9/nothing")["code"] == 511
    refused: Any = door.facade.session(StreamRequest("ws://mexc.sim/nowhere"))
    assert refused.status == 404


# --- sides, position mode, reduceOnly ---------------------------------------------------------------------------------


def test_in_one_way_mode_every_side_buys_or_sells_and_only_the_flag_protects() -> None:
    door = Door()
    assert door.order(side=1)["code"] == 0
    assert door.order(side=4, vol=25)["code"] == 0  # a side that would close in hedge mode turns the position round
    assert [(row["positionType"], row["holdVol"]) for row in door.positions()] == [(2, 15)]
    assert door.order(side=1, vol=40, reduceOnly=True)["code"] == 0
    assert door.positions() == []
    door.wait(2.001)
    assert door.order(side=1, reduceOnly=True)["code"] == 2009
    assert door.order(side=4, reduceOnly=True)["code"] == 2001
    assert door.order(side=5)["code"] == 2001
    assert door.order(side=1, positionMode=1)["code"] == 7002


def test_in_hedge_mode_the_side_chooses_the_leg_and_the_flag_is_refused() -> None:
    door = Door(hedge=True)
    assert door.order(side=1, reduceOnly=True)["code"] == 600
    assert door.order(side=1)["code"] == 0
    assert door.order(side=3, vol=4)["code"] == 0
    assert [(row["positionType"], row["holdVol"]) for row in door.positions()] == [(1, 10), (2, 4)]
    door.wait(2.001)
    assert door.order(side=4, vol=99, leverage=None)["code"] == 0
    assert [(row["positionType"], row["holdVol"]) for row in door.positions()] == [(2, 4)]
    assert door.order(side=1, positionMode=2)["code"] == 7002
    assert door.post("position/change_position_mode", positionMode=2)["code"] == 7001


# --- leverage and margin mode -----------------------------------------------------------------------------------------

OPENING: list[tuple[dict[str, Any], int]] = [
    ({"leverage": None}, 2006),
    ({"leverage": 0}, 2006),
    ({"leverage": 501}, 2006),
    ({"leverage": "3.5"}, 600),
    ({"openType": None}, 600),
    ({"openType": 3}, 600),
    ({"openType": 2, "leverage": None}, 0),  # cross margin keeps the contract's own
    ({"openType": 2}, 0),
    ({"externalOid": "x" * 33}, 2030),
    ({"externalOid": "x" * 32}, 0),
    ({"vol": "1.5"}, 2015),
    ({"vol": 0}, 2011),
    ({"type": 1, "price": "49700.05"}, 2015),
    ({"type": 1, "price": None}, 2007),
    ({"type": 1, "price": 60_000}, 2003),
    ({"type": 1, "price": 40_000, "side": 3}, 2004),
    ({"type": 2, "price": 49_700}, 2029),  # post-only is not matched, so it is not taken
    ({"type": 4, "price": 49_700}, 2029),
    ({"stopLossPrice": 40_000}, 600),
    ({"symbol": "NONE_USDT"}, 1001),
    ({"vol": 1_000_000}, 2028),
    ({"vol": 100_000, "leverage": 1}, 2005),
]


@pytest.mark.parametrize(("more", "code"), OPENING)
def test_an_order_that_opens_says_margin_mode_and_leverage(more: dict[str, Any], code: int) -> None:
    door = Door()
    assert door.order(**more)["code"] == code
    assert len(door.positions()) == (code == 0)


def test_an_order_must_fit_the_open_position() -> None:
    door = Door()
    door.order()
    assert door.order(leverage=9)["code"] == 2021
    assert door.order(openType=2)["code"] == 2027
    assert door.order(side=3, vol=1, leverage=9, reduceOnly=True)["code"] == 0  # what reduces brings no leverage
    (row,) = door.positions()
    assert (row["leverage"], row["openType"], row["holdVol"]) == (3, 1, 9)


def test_an_open_positions_leverage_changes_by_its_id() -> None:
    door = Door()
    door.order()
    number = door.positions()[0]["positionId"]
    assert door.post("position/change_leverage", positionId=number, leverage=9) == {"success": True, "code": 0}
    assert door.positions()[0]["leverage"] == 9
    assert door.post("position/change_leverage", positionId=number + 1, leverage=9)["code"] == 2009
    assert door.post("position/change_leverage", positionId=number, leverage=0)["code"] == 600
    assert door.post("position/change_leverage", positionId=number, leverage=9_999)["code"] == 2006
    by_name = {"symbol": BTC, "openType": 1, "positionType": 1}
    assert door.post("position/change_leverage", leverage=9, **by_name)["code"] == 600
    door.order(type=1, price=49_000, leverage=9)
    assert door.post("position/change_leverage", positionId=number, leverage=5)["code"] == 2019


def test_in_cross_margin_an_open_positions_leverage_stays() -> None:
    door = Door()
    door.order(openType=2)
    number = door.positions()[0]["positionId"]
    assert door.post("position/change_leverage", positionId=number, leverage=9)["code"] == 2026
    assert door.positions()[0]["leverage"] == 3


def test_a_flat_contracts_leverage_and_margin_mode_are_set_together() -> None:
    door = Door()
    asked = {"symbol": BTC, "leverage": 7, "openType": 2, "positionType": 1}
    assert door.post("position/change_leverage", **asked)["code"] == 0
    read = door.get("position/leverage", symbol=BTC)["data"]
    assert {(row["leverage"], row["openType"]) for row in read} == {(7, 2)}
    for name in ("openType", "positionType"):
        assert door.post("position/change_leverage", **{**asked, name: 3})["code"] == 600


def test_a_position_has_its_id_from_opening_to_closing() -> None:
    door = Door()
    door.order()
    first = door.positions()[0]["positionId"]
    door.wait(5)
    door.order()
    assert door.positions()[0]["positionId"] == first
    door.order(side=3, vol=20, reduceOnly=True)
    door.wait(5)
    door.order()
    assert door.positions()[0]["positionId"] != first


# --- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framed", [False, True])
def test_lists_come_bare_or_in_a_frame(framed: bool) -> None:
    door = Door(lambda exchange: MexcFacade(exchange, framed=framed))
    for number in range(3):
        door.order(vol=1, externalOid=f"n{number}")
    answer = door.get("order/list/history_orders", page_num=1, page_size=2)["data"]
    rows = answer["resultList"] if framed else answer
    assert [row["externalOid"] for row in rows] == ["n2", "n1"]
    if framed:
        assert (answer["totalCount"], answer["totalPage"], answer["currentPage"]) == (3, 2, 1)


@pytest.mark.parametrize(("code", "told"), [(2040, {"success": False, "code": 2040}), (None, {"success": True})])
def test_an_order_that_is_not_there_is_told_in_either_way(code: int | None, told: dict[str, Any]) -> None:
    door = Door(lambda exchange: MexcFacade(exchange, absent_code=code))
    answer = door.get(f"order/external/{BTC}/nobody")
    assert told.items() <= answer.items()
    assert answer.get("data") is None


def test_lists_go_back_a_week_and_never_further_than_ninety_days() -> None:
    door = Door()
    door.order(externalOid="old")
    began = round(door.clock.time() * 1000)
    door.wait(8 * 86_400)
    assert door.get("order/list/history_orders")["data"] == []
    (row,) = door.get("order/list/history_orders", start_time=began)["data"]
    assert row["externalOid"] == "old"
    assert len(door.get("order/list/order_deals/v3", symbol=BTC, start_time=began)["data"]) == 1
    door.wait(83 * 86_400)
    assert door.get("order/list/history_orders", start_time=began)["code"] == 600


def test_what_nobody_sent_over_the_api_has_an_id_of_the_venues() -> None:
    door = Door()
    door.admin.position({"venue": "mexc", "account": "main", "symbol": "BTCUSDT", "quantity": "0.0007"})
    (row,) = door.get("order/list/history_orders")["data"]
    assert row["externalOid"].startswith("_m_")
    (deal,) = door.get("order/list/order_deals", symbol=BTC)["data"]
    assert (deal["orderId"], deal["vol"]) == (row["orderId"], 7)
    assert door.get("order/batch_query", order_ids=row["orderId"])["data"] == [row]


def test_funding_is_paid_and_listed_by_type_newest_first() -> None:
    door = Door()
    door.order(vol=1000)
    door.wait(86_400)
    span = {"start_time": 0, "end_time": round(door.clock.time() * 1000)}
    paid = door.get("position/funding_records", position_type=1, page_size=2, **span)["data"]
    assert (paid["totalCount"], len(paid["resultList"])) == (3, 2)
    assert paid["resultList"][0]["settleTime"] - paid["resultList"][1]["settleTime"] == 28_800_000
    assert paid["resultList"][0]["funding"] < 0
    assert door.get("position/funding_records", position_type=2, **span)["data"]["resultList"] == []
    assert door.get("position/funding_records", **span)["code"] == 600


# --- cancelling -------------------------------------------------------------------------------------------------------


def test_cancels_are_answered_order_by_order() -> None:
    door = Door()
    first = door.order(type=1, price=49_700, externalOid="a")["data"]["orderId"]
    door.order(type=1, price=49_600, externalOid="b")
    rows = door.post("order/cancel", first, "739000000000009999")["data"]
    assert [row["errorCode"] for row in rows] == [0, 2040]
    pairs = [{"symbol": BTC, "externalOid": name} for name in ("a", "b", "c")]
    rows = door.post("order/batch_cancel_with_external", *pairs)["data"]
    assert [row["errorCode"] for row in rows] == [2041, 0, 2040]
    assert door.get("order/list/open_orders")["data"] == []
