"""Reads of the simulated Bybit: pages, position and order rows, and how long things stay visible."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import plain
from simulator.exchange import Conditions
from tests.contract.bybit_door import START, Answer, Door, pinned

LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": "BTCUSDT"}
DAY_S = 86_400.0


def resting(door: Door, **changed: object) -> Answer:
    return door.order(**{"orderType": "Limit", "price": "49700", **changed})


def crowded() -> Door:
    """Positions on 25 contracts, 23 of them settled in USDT."""
    door = Door()
    listings = [it for it in door.exchange.listings() if it.instrument.settle == "USDT"][:23]
    for listing in [*listings, *(it for it in door.exchange.listings() if it.instrument.settle == "USDC")]:
        door.foreign(listing.symbol, plain(listing.instrument.min_contracts))
    return door


def follow(door: Door, path: str, key: str, **params: object) -> tuple[list[str], int]:
    """Every row of a paged read, by `key`, and how many pages there were."""
    found: list[str] = []
    cursor, pages = "", 0
    while pages < 100:
        answer = door.get(path, **params, **({"cursor": cursor} if cursor else {}))
        found += [row[key] for row in answer.rows]
        cursor, pages = answer.result["nextPageCursor"], pages + 1
        if not cursor:
            break
        door.wait(0.05)
    return found, pages


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_position_read_without_pages_looks_like_closed_positions() -> None:
    door = crowded()
    unpaged = door.get("/v5/position/list", **LINEAR, settleCoin="USDT")
    assert len(unpaged.rows) == 20
    assert unpaged.result["nextPageCursor"]
    symbols, pages = follow(door, "/v5/position/list", "symbol", **LINEAR, settleCoin="USDT")
    assert (len(symbols), len(set(symbols)), pages) == (23, 23, 2)
    usdc = door.get("/v5/position/list", **LINEAR, settleCoin="USDC").rows
    assert [row["symbol"] for row in usdc] == ["BTCPERP", "ETHPERP"]


@pytest.mark.parametrize(
    ("path", "params", "most"),
    [
        ("/v5/position/list", {**LINEAR, "settleCoin": "USDT"}, 200),
        ("/v5/market/instruments-info", LINEAR, 1000),
        ("/v5/order/realtime", BTC, 50),
        ("/v5/order/history", LINEAR, 50),
        ("/v5/execution/list", LINEAR, 100),
        ("/v5/account/transaction-log", {}, 50),
        ("/v5/market/funding/history", BTC, 200),
        ("/v5/market/kline", {**BTC, "interval": "1"}, 1000),
        ("/v5/market/orderbook", BTC, 1000),
    ],
)
def test_page_sizes(path: str, params: dict[str, object], most: int) -> None:
    door = Door()
    sizes: dict[object, int] = {1: 0, most: 0, 0: 10001, most + 1: 10001, -1: 10001, "many": 10001, "1.5": 10001}
    assert {limit: door.get(path, **params, limit=limit).code for limit in sizes} == sizes


@pytest.mark.parametrize("cursor", ["x", "page_token=x", "page_token%3Dx"])
def test_strange_cursors(cursor: str) -> None:
    assert Door().get("/v5/order/history", **LINEAR, cursor=cursor).code == 10001


@pytest.mark.parametrize("form", [lambda text: text, quote])
def test_a_cursor_may_be_sent_as_it_came_or_encoded(form: Callable[[str], str]) -> None:
    door = crowded()
    first = door.get("/v5/position/list", **LINEAR, settleCoin="USDT", limit=10)
    cursor = form(first.result["nextPageCursor"])
    second = door.get_raw("/v5/position/list", f"category=linear&settleCoin=USDT&limit=10&cursor={cursor}")
    symbols = [row["symbol"] for row in (*first.rows, *second.rows)]
    assert len(set(symbols)) == 20


@given(limit=st.integers(1, 15), count=st.integers(0, 30))
def test_pages_hold_everything_once(limit: int, count: int) -> None:
    door = pinned()
    for number in range(count):
        assert resting(door, qty="0.001", orderLinkId=f"id{number}").code == 0
        door.wait(0.11)
    ids, pages = follow(door, "/v5/order/realtime", "orderLinkId", **BTC, limit=limit)
    assert ids == [f"id{number}" for number in reversed(range(count))]
    assert pages == count // limit + 1


def test_new_rows_between_pages_hide_none() -> None:
    door = pinned()
    for number in range(5):
        resting(door, qty="0.001", orderLinkId=f"id{number}")
    first = door.get("/v5/order/realtime", **BTC, limit=3)
    resting(door, qty="0.001", orderLinkId="late")
    rest = door.get("/v5/order/realtime", **BTC, limit=3, cursor=first.result["nextPageCursor"])
    assert [row["orderLinkId"] for row in (*first.rows, *rest.rows)] == ["id4", "id3", "id2", "id1", "id0"]


# --- positions --------------------------------------------------------------------------------------------------------


def test_a_flat_row_has_no_side_and_no_values() -> None:
    row = Door().position("ETHUSDT")
    shown = ("side", "size", "avgPrice", "positionValue", "unrealisedPnl", "liqPrice", "positionIM", "seq", "leverage")
    assert [row[name] for name in shown] == ["", "0", "0", "", "", "", "", -1, "10"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (LINEAR, 10001),
        ({"settleCoin": "USDT"}, 10001),
        ({**LINEAR, "symbol": "NOSUCH"}, 10001),
        ({"category": "inverse"}, 0),
        ({**LINEAR, "settleCoin": "EUR"}, 0),
        ({**BTC, "settleCoin": "USDC"}, 0),
    ],
)
def test_what_a_position_read_must_name(params: dict[str, object], code: int) -> None:
    assert Door().get("/v5/position/list", **params).code == code


def test_a_position_row() -> None:
    door = pinned()
    door.post("/v5/account/set-margin-mode", {"setMarginMode": "ISOLATED_MARGIN"})
    door.foreign("BTCUSDT", "-0.5")
    door.pin("BTCUSDT", "51000")
    row = door.position()
    shown = ("side", "size", "avgPrice", "markPrice", "positionValue", "unrealisedPnl", "positionIM", "positionMM")
    assert [row[name] for name in shown] == [
        "Sell", "0.500", "50000", "51000.00", "25000", "-500", "2500", "127.5",
    ]  # fmt: skip
    assert Decimal(54700) < Decimal(row["liqPrice"]) < Decimal(55000)
    assert row["riskLimitValue"] == "20000000"
    assert int(row["createdTime"]) == int(row["updatedTime"]) == round(START * 1000)


def test_profit_realised_since_the_position_was_opened() -> None:
    door = pinned()
    door.foreign("BTCUSDT", "1")
    door.pin("BTCUSDT", "51000")
    door.foreign("BTCUSDT", "0.5")
    partly = door.position()
    fees = Decimal("27.5") + Decimal("14.025")
    assert Decimal(partly["curRealisedPnl"]) == Decimal(partly["cumRealisedPnl"]) == 500 - fees
    door.foreign("BTCUSDT", "0")
    door.wait(1)
    door.foreign("BTCUSDT", "0.1")
    again = door.position()
    assert Decimal(again["curRealisedPnl"]) == Decimal("-2.805")
    assert Decimal(again["cumRealisedPnl"]) == 1000 - fees - Decimal("14.025") - Decimal("2.805")


def test_positions_read_late_under_a_fault() -> None:
    door = pinned()
    door.order()
    door.wait(5)
    door.order()
    with door.exchange.under(Conditions(stale_positions_s=3)):
        assert door.position()["size"] == "0.012"
    assert door.position()["size"] == "0.024"


def test_everything_is_read_late_while_execution_is_asynchronous() -> None:
    door = pinned(read_lag_s=0.5)
    placed = door.order(orderLinkId="slow").result
    rests = resting(door, symbol="ETHUSDT", price="2970", qty="0.1").result
    ledger = door.exchange.positions("main")
    assert [view.contracts for view in ledger] == [Decimal("0.012")]
    ways: list[Callable[[], Any]] = [
        lambda: door.get("/v5/position/list", **LINEAR, settleCoin="USDT").rows,
        lambda: door.get("/v5/order/realtime", **BTC, orderLinkId="slow").rows,
        lambda: door.get("/v5/order/realtime", **BTC, orderId=placed["orderId"]).rows,
        lambda: door.get("/v5/order/realtime", **BTC, orderId=rests["orderId"]).rows,
        lambda: door.get("/v5/order/realtime", **LINEAR, baseCoin="ETH").rows,
        lambda: door.get("/v5/order/history", **LINEAR, orderLinkId="slow").rows,
        lambda: door.get("/v5/execution/list", **LINEAR, orderLinkId="slow").rows,
        lambda: door.get("/v5/execution/list", **BTC).rows,
    ]
    assert [way() for way in ways] == [[]] * len(ways)
    assert door.order(orderLinkId="slow").code == 110072
    door.wait(0.51)
    assert [len(way()) for way in ways] == [1] * len(ways)


# --- orders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "links"),
    [
        (BTC, ["rest"]),
        ({**LINEAR, "settleCoin": "USDT"}, ["eth", "rest"]),
        ({**LINEAR, "baseCoin": "ETH"}, ["eth"]),
        ({**BTC, "orderFilter": "Order"}, ["rest"]),
        ({**BTC, "orderFilter": "StopOrder"}, []),
        ({**BTC, "openOnly": 1}, ["cancelled", "filled"]),
        ({**BTC, "orderLinkId": "filled"}, ["filled"]),
        ({**BTC, "orderLinkId": "eth"}, ["eth"]),
        ({**BTC, "orderLinkId": "rejected"}, []),
        ({**BTC, "orderLinkId": "nothing"}, []),
        ({**BTC, "orderId": "nothing", "orderLinkId": "filled"}, []),
        ({**LINEAR, "orderLinkId": "filled"}, None),
        (LINEAR, None),
        ({"symbol": "BTCUSDT"}, None),
        ({**BTC, "openOnly": 7}, None),
        ({"category": "inverse"}, []),
    ],
)
def test_open_and_recent_orders(params: dict[str, object], links: list[str] | None) -> None:
    door = pinned()
    resting(door, orderLinkId="rest")
    door.order(orderLinkId="filled")
    resting(door, orderLinkId="cancelled")
    door.post("/v5/order/cancel", {**BTC, "orderLinkId": "cancelled"})
    resting(door, orderLinkId="eth", symbol="ETHUSDT", price="2970", qty="0.1")
    door.order(orderLinkId="rejected", qty="400")
    answer = door.get("/v5/order/realtime", **params)
    assert (None if answer.code else [row["orderLinkId"] for row in answer.rows]) == links


@pytest.mark.parametrize(
    ("params", "links"),
    [
        (LINEAR, ["eth", "cancelled", "filled"]),
        (BTC, ["cancelled", "filled"]),
        ({**LINEAR, "orderStatus": "Filled"}, ["eth", "filled"]),
        ({**LINEAR, "baseCoin": "ETH"}, ["eth"]),
        ({**LINEAR, "orderLinkId": "filled", "symbol": "ETHUSDT"}, ["filled"]),
        ({**LINEAR, "orderLinkId": "rest"}, []),
        ({**LINEAR, "orderFilter": "tpslOrder"}, []),
        ({}, None),
    ],
)
def test_order_history(params: dict[str, object], links: list[str] | None) -> None:
    door = pinned()
    resting(door, orderLinkId="rest")
    door.order(orderLinkId="filled")
    resting(door, orderLinkId="cancelled")
    door.post("/v5/order/cancel", {**BTC, "orderLinkId": "cancelled"})
    door.order(orderLinkId="eth", symbol="ETHUSDT", qty="0.1")
    answer = door.get("/v5/order/history", **params)
    assert (None if answer.code else [row["orderLinkId"] for row in answer.rows]) == links


def test_orders_without_fills_are_known_for_a_day_those_with_fills_for_longer() -> None:
    door = pinned()
    door.order(orderLinkId="filled")
    with door.exchange.under(Conditions(partial_fill=Decimal(0))):
        door.order(orderLinkId="empty", orderType="Limit", price="50400", timeInForce="IOC")
    for age_s, known in ((DAY_S - 60, ["empty", "filled"]), (DAY_S + 60, ["filled"]), (8 * DAY_S, ["filled"])):
        door.clock.now = START + age_s
        for path in ("/v5/order/realtime", "/v5/order/history"):
            found = [
                row["orderLinkId"]
                for link in ("empty", "filled")
                for row in door.get(path, **BTC, orderLinkId=link).rows
            ]
            assert found == known, (path, age_s)
    assert door.get("/v5/order/history", **LINEAR).rows == []


def test_only_the_newest_500_closed_orders_are_recent() -> None:
    door = pinned()
    for number in range(502):
        door.order(qty="0.001", side="Sell" if number % 2 else "Buy", orderLinkId=f"id{number}")
        door.wait(0.11)
    known = [bool(door.get("/v5/order/realtime", **BTC, orderLinkId=f"id{number}").rows) for number in (0, 1, 2)]
    assert known == [False, False, True]
    assert len(door.get("/v5/order/history", **BTC, orderLinkId="id0").rows) == 1


def spans(path: str) -> dict[str, object]:
    """The codes a read gives for time ranges, `now` being the clock's."""
    door = Door()
    now, week = round(START * 1000), 7 * 86_400_000
    asked: dict[str, dict[str, object]] = {
        "none": {},
        "start": {"startTime": now},
        "end": {"endTime": now},
        "a week": {"startTime": now - week, "endTime": now},
        "more": {"startTime": now - week - 1, "endTime": now},
        "backwards": {"startTime": now, "endTime": now - 1},
        "nonsense": {"startTime": "soon"},
    }
    return {name: door.get(path, **LINEAR, **params).code for name, params in asked.items()}


@pytest.mark.parametrize("path", ["/v5/order/history", "/v5/execution/list", "/v5/account/transaction-log"])
def test_time_ranges(path: str) -> None:
    refused = ("more", "backwards", "nonsense")
    names = ("none", "start", "end", "a week", *refused)
    assert spans(path) == {name: 10001 if name in refused else 0 for name in names}
