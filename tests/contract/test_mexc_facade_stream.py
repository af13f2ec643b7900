"""The simulated MEXC's stream: its door, filters, what it tells and in which order, and recorded messages beside it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from account_processors.codecs.mexc_stream import login
from core.ports import Response, StreamRequest
from simulator.facades import Session
from tests.contract.coverage.shapes import RECORDED, Difference, differences
from tests.contract.mexc_door import BTC, Door

MESSAGES = RECORDED / "mexc" / "Subscriptions" / "FuturesApi"
TRAILING_COMMA = re.compile(r",(\s*[}\]])")


class Wire:
    """One connection to the venue behind a door."""

    def __init__(self, door: Door) -> None:
        opened = door.facade.session(StreamRequest("ws://mexc.sim/edge"))
        assert not isinstance(opened, Response), opened.status
        self.door = door
        self.session: Session = opened

    def raw(self, text: str) -> Any:
        (answer,) = self.session.receive(text)
        return json.loads(answer)

    def say(self, method: str, param: object = None, **more: object) -> Any:
        return self.raw(json.dumps({"method": method, **({} if param is None else {"param": param}), **more}))

    def login(self, offset_ms: int = 0, **changed: object) -> Any:
        keys = self.door.keys
        asked = json.loads(login(keys["api_key"], keys["api_secret"], int(self.door.stamp()) + offset_ms))
        subscribe = {"subscribe": changed.pop("subscribe")} if "subscribe" in changed else {}
        return self.raw(json.dumps({**asked, "param": asked["param"] | changed, **subscribe}))

    def news(self) -> list[Any]:
        return [json.loads(frame) for frame in self.session.push()]

    def topics(self) -> list[str]:
        return [one["channel"].removeprefix("push.personal.") for one in self.news()]


def logged_in(door: Door) -> Wire:
    wire = Wire(door)
    assert wire.login()["data"] == "success"
    return wire


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "offset_ms"),
    [
        ({"apiKey": "nobody"}, 0),
        ({"signature": "00"}, 0),
        ({"signature": None}, 0),
        ({"reqTime": "1790000010499"}, 0),  # in time, but not what was signed
        ({}, -10_000),
        ({}, 2_001),
    ],
)
def test_a_login_that_is_not_in_order_is_refused(changed: dict[str, object], offset_ms: int) -> None:
    wire = Wire(Door())
    assert wire.login(offset_ms, **changed)["channel"] == "rs.error"
    wire.door.order()
    assert (wire.session.account, wire.news()) == (None, [])
    assert wire.login() == {"channel": "rs.login", "data": "success", "ts": wire.door.stamp()}
    assert wire.session.account == "main"


@pytest.mark.parametrize("text", ["", "hello", "[]", '{"method": 1}', '{"method": "login", "param": []}'])
def test_what_is_no_request_is_answered_with_an_error(text: str) -> None:
    assert Wire(Door()).raw(text)["channel"] == "rs.error"


@pytest.mark.parametrize(
    ("method", "param"),
    [
        ("sub.ticker", {"symbol": "NONE_USDT"}),
        ("sub.ticker", {}),
        ("sub.depth", {"symbol": BTC}),
        ("sub.tickers", {"symbol": BTC}),
        ("personal.filter", {"filters": []}),
        ("anything", {}),
    ],
)
def test_what_is_not_served_is_refused(method: str, param: dict[str, str]) -> None:
    assert Wire(Door()).say(method, param)["channel"] == "rs.error"


def test_a_connection_ends_a_minute_after_its_last_ping() -> None:
    door = Door()
    wire = logged_in(door)
    for _ in range(3):
        door.wait(59)
        assert wire.say("ping") == {"channel": "pong", "data": int(door.stamp())}
    door.wait(60.1)
    door.order()
    wire.news()
    assert wire.session.over


def test_who_fetches_nothing_loses_the_connection() -> None:
    door = Door()
    wire = logged_in(door)
    for number in range(600):
        door.admin.position({"venue": "mexc", "account": "main", "symbol": "BTCUSDT", "quantity": f"0.{number + 1:04}"})
    wire.news()
    assert wire.session.over


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_login_hears_of_everything_from_then_on_and_of_nothing_before() -> None:
    door = Door()
    door.order()
    wire = logged_in(door)
    assert wire.news() == []
    door.order(externalOid="mine")
    assert wire.topics() == ["order", "order", "order.deal", "position", "asset"]
    door.order(type=1, price=49_000, externalOid="rests")
    assert wire.topics() == ["order", "position", "asset"]
    door.post("position/change_leverage", positionId=door.positions()[0]["positionId"], leverage=9)
    assert wire.topics() == []  # refused: an order rests


def test_orders_deals_and_positions_name_what_they_are_about() -> None:
    door = Door()
    wire = logged_in(door)
    number = door.order(externalOid="mine")["data"]["orderId"]
    taken, ended, deal, position, money = (one["data"] for one in wire.news())
    assert (taken["state"], taken["dealVol"], taken["remainVol"]) == (2, 0, 10)
    assert (ended["state"], ended["dealVol"], ended["remainVol"], ended["externalOid"]) == (3, 10, 0, "mine")
    assert (deal["externalOid"], str(deal["orderId"]), deal["vol"], deal["side"]) == ("mine", number, 10, 1)
    assert (position["holdVol"], position["positionType"], position["state"]) == (10, 1, 1)
    assert "equity" not in money


def test_a_position_that_turns_round_ends_under_its_id_after_the_next_one_began() -> None:
    door = Door()
    door.order()
    wire = logged_in(door)
    first = door.positions()[0]["positionId"]
    door.order(side=3, vol=25)
    told = [one["data"] for one in wire.news() if one["channel"] == "push.personal.position"]
    assert [(row["positionType"], row["holdVol"], row["state"]) for row in told] == [(2, 15, 1), (1, 0, 3)]
    assert told[1]["positionId"] == first != told[0]["positionId"]
    door.order(side=1, vol=15, reduceOnly=True)
    told = [one["data"] for one in wire.news() if one["channel"] == "push.personal.position"]
    assert [(row["positionType"], row["holdVol"], row["state"]) for row in told] == [(2, 0, 3)]


def test_a_filter_chooses_topics_and_contracts_and_the_next_one_replaces_it() -> None:
    door = Door()
    wire = Wire(door)
    assert wire.login(subscribe=False)["data"] == "success"
    door.order()
    assert wire.topics() == []
    chosen: list[dict[str, object]] = [{"filter": "order.deal", "rules": [BTC]}, {"filter": "asset"}]
    assert wire.say("personal.filter", {"filters": chosen})["data"] == "success"
    door.order()
    assert wire.topics() == ["order.deal", "asset"]
    door.order(symbol="ETH_USDT")
    assert wire.topics() == ["asset"]
    assert wire.say("personal.filter", {"filters": [{"filter": "orders"}]})["channel"] == "rs.error"
    assert wire.say("personal.filter", {"filters": []})["data"] == "success"
    door.wait(2.01)
    door.order()
    assert wire.topics() == ["order", "order", "order.deal", "position", "asset"]


def test_a_position_mode_that_changes_is_told() -> None:
    door = Door()
    wire = logged_in(door)
    door.post("position/change_position_mode", positionMode=1)
    (told,) = wire.news()
    assert (told["channel"], told["data"]) == ("push.personal.position.mode", {"positionMode": 1})


def test_public_channels_come_at_their_pace_until_they_are_left() -> None:
    door = Door()
    wire = Wire(door)
    for method, param in (("sub.ticker", {"symbol": BTC}), ("sub.fair.price", {"symbol": BTC}), ("sub.tickers", {})):
        assert wire.say(method, param, gzip=False)["data"] == "success"
    assert [one["channel"] for one in wire.news()] == ["push.ticker", "push.fair.price", "push.tickers"]
    assert wire.news() == []
    door.wait(1.0)
    assert [one["channel"] for one in wire.news()] == ["push.ticker"]  # the price stands still
    door.admin.price({"symbol": "BTCUSDT", "price": "50100"})
    door.wait(1.0)
    assert [one["channel"] for one in wire.news()] == ["push.ticker", "push.fair.price", "push.tickers"]
    for method, param in (("unsub.ticker", {"symbol": BTC}), ("unsub.tickers", {})):
        assert wire.say(method, param)["data"] == "success"
    door.wait(5.0)
    assert wire.news() == []


# --- recorded messages ------------------------------------------------------------------------------------------------


def recorded(name: str) -> Any:
    """The message a recording ends with."""
    file = MESSAGES / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded messages at {MESSAGES}: they are not part of the project")
    text = file.read_text(encoding="utf-8-sig")
    return json.loads(TRAILING_COMMA.sub(r"\1", text[text.index("\n= ") + 3 :]))


def said(channel: str) -> Any:
    door = Door()
    door.order()
    wire = logged_in(door)
    if channel.startswith("push.personal"):
        door.order(side=3, vol=10, reduceOnly=True)
        if channel.endswith("position.mode"):
            door.post("position/change_position_mode", positionMode=1)
    else:
        wire.say(f"sub.{channel.removeprefix('push.')}", {} if channel.endswith("tickers") else {"symbol": BTC})
        door.order()
    return [one for one in wire.news() if one["channel"] == channel][-1]


DOCUMENTED = {
    "Order": {"bboTypeNum", "makerFeeRate", "positionMode", "reduceOnly", "takerFeeRate"},
    "Position": {
        "adlLevel", "closeProfitLoss", "createTime", "deductFeeList", "fee", "holdAvgPriceFullyScale", "makerFeeRate",
        "marginRatio", "newCloseAvgPrice", "newOpenAvgPrice", "openAvgPriceFullyScale", "pnl", "takerFeeRate",
        "updateTime", "version",
    },
    "Ticker": {"amount24"},
    "Trades": {"i"},
    "Tickers": {
        "amount24", "ask1", "bid1", "contractId", "fundingRate", "high24Price", "holdVol", "indexPrice",
        "lower24Price", "maxBidPrice", "minAskPrice", "riseFallValue", "timestamp",
    },
}  # fmt: skip
"""Fields beyond the recorded ones. Source: https://www.mexc.com/api-docs/futures/websocket-api"""


@pytest.mark.parametrize(
    "name",
    ["Order", "UserTrade", "Position", "Balance", "PositionMode", "Ticker", "Tickers", "Trades", "MarkPrice",
     "IndexPrice", "FundingRate"],
)  # fmt: skip
def test_messages_have_the_recorded_fields(name: str) -> None:
    theirs = recorded(name)

    def excused(one: Difference) -> bool:
        return one.how == "more" and one.name in DOCUMENTED.get(name, set())

    assert [one for one in differences(said(theirs["channel"]), theirs) if not excused(one)] == []
