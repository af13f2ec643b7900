"""The simulated KuCoin's websockets: tokens, welcome, topics, heart-beat, limits, and what is told."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from core.ports import Response
from simulator.facades.kucoin.limits import POOL
from tests.contract.kucoin_door import BTC, Door
from tests.contract.kucoin_wire import Wire, asked, handshake, token

ORDERS, POSITIONS, WALLET = "/contractMarket/tradeOrders", "/contract/positionAll", "/contractAccount/wallet"
DAY_S = 86_400.0


@pytest.fixture
def door() -> Door:
    return Door()


def listening(door: Door, *topics: str) -> Wire:
    wire = Wire(door)
    for topic in topics or (ORDERS, POSITIONS, WALLET):
        assert wire.subscribe(topic)["type"] == "ack"
    return wire


def beat(door: Door, wire: Wire, seconds: float) -> list[Any]:
    """Time goes by, with the pings the venue wants; what came meanwhile."""
    found: list[Any] = []
    while seconds > 0:
        door.wait(min(seconds, 15.0))
        seconds -= 15.0
        assert wire.say("ping") is not None
        found += wire.news()
    return found


# --- the way in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("private", [True, False])
def test_a_token_names_the_address_that_was_asked_and_how_often_to_ping(door: Door, private: bool) -> None:
    answer, _ = asked(door, private=private)
    assert answer["code"] == "200000"
    server = {
        "endpoint": "ws://kucoin.sim/",
        "encrypt": None,
        "protocol": "websocket",
        "pingInterval": 18000,
        "pingTimeout": 10000,
    }
    assert answer["data"]["instanceServers"] == [server]
    assert answer["data"]["token"] != asked(door, private=private)[0]["data"]["token"]


def test_tokens_weigh_ten_and_the_private_one_needs_a_signature(door: Door) -> None:
    assert door.ask("POST", "/api/v1/bullet-private").headers["gw-ratelimit-remaining"] == str(POOL - 10)
    assert door.ask("POST", "/api/v1/bullet-public").headers["gw-ratelimit-remaining"] == str(POOL - 10)
    refused = door.ask("POST", "/api/v1/bullet-private", {"kc-api-sign": "wrong"})
    assert json.loads(refused.body)["code"] == "400005"
    assert door.ask("POST", "/api/v1/bullet-public", {"kc-api-key": ""}).status == 200


def test_it_speaks_first(door: Door) -> None:
    assert Wire(door).greeting == [{"id": "here", "type": "welcome"}]


@pytest.mark.parametrize(("path", "query", "status"), [("/x", {"token": "t"}, 404), ("/", {}, 401)])
def test_a_handshake_without_stream_or_token_is_refused(
    door: Door, path: str, query: dict[str, str], status: int
) -> None:
    opened = handshake(door, path, **query)
    assert isinstance(opened, Response)
    assert opened.status == status


def test_a_token_that_is_no_good_is_told_on_the_open_connection(door: Door) -> None:
    old = token(door)
    door.wait(DAY_S)
    for given, words in (("nonsense", "token is invalid"), (old, "token is expired")):
        wire = Wire(door, with_token=given)
        assert wire.greeting == [{"id": "here", "type": "error", "code": 401, "data": words}]
        assert wire.session.over
        assert (wire.news(), wire.say("ping"), wire.session.account) == ([], None, None if given != old else "main")


def test_a_connection_ends_with_its_token(door: Door) -> None:
    wire = listening(door)
    beat(door, wire, DAY_S - 60)
    assert not wire.session.over
    beat(door, wire, 45)
    door.wait(15)
    wire.news()
    assert wire.session.over


def test_connections_are_limited_by_the_minute_and_at_once(door: Door) -> None:
    given = token(door)
    wires = [Wire(door, with_token=given) for _ in range(30)]
    refused = handshake(door, token=given)
    assert isinstance(refused, Response)
    assert refused.status == 429
    assert door.facade.counts().over_limit == 1
    for wire in wires:
        beat(door, wire, 1)
    door.wait(61)
    for wire in wires:
        wire.say("ping")
    more = [Wire(door, with_token=given) for _ in range(21)]
    assert [wire.greeting[0]["type"] for wire in more] == ["welcome"] * 20 + ["error"]
    assert more[-1].greeting[0]["code"] == 509
    more[0].session.close()
    assert Wire(door, with_token=given).greeting[0]["type"] == "welcome"


# --- what the client says ---------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, dict[str, object], int, str]] = [
    ("no topic", {"type": "subscribe"}, 406, "topic is required"),
    (
        "an unknown topic",
        {"type": "subscribe", "topic": "/contract/nothing"},
        404,
        "topic /contract/nothing is not found",
    ),
    ("an unknown contract", {"type": "subscribe", "topic": "/contract/instrument:X"}, 404, "is not found"),
    (
        "one of several",
        {"type": "subscribe", "topic": f"/contract/instrument:{BTC},X"},
        404,
        "instrument:X is not found",
    ),
    ("not a private channel", {"type": "subscribe", "topic": ORDERS}, 403, "login is required"),
    ("nothing", {}, 415, "command type is invalid"),
    ("an unknown type", {"type": "login"}, 415, "command type is invalid"),
]


@pytest.mark.parametrize(("what", "frame", "code", "words"), REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_what_is_wrong_is_said_with_the_clients_id(
    door: Door, what: str, frame: dict[str, object], code: int, words: str
) -> None:
    (answer,) = Wire(door).raw(json.dumps({"id": 77, **frame}))
    assert (answer["id"], answer["type"], answer["code"]) == ("77", "error", code)
    assert words in answer["data"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"type": NaN}', '{"id": "x", "id": "y"}'])
def test_what_is_no_object_is_an_error(door: Door, text: str) -> None:
    (answer,) = Wire(door).raw(text)
    assert (answer["type"], answer["code"]) == ("error", 415)


def test_private_topics_need_a_token_of_an_account(door: Door) -> None:
    wire = Wire(door, private=False)
    for topic in (ORDERS, POSITIONS, WALLET, f"{ORDERS}:{BTC}", f"/contract/position:{BTC}"):
        assert wire.subscribe(topic)["code"] == 403
    assert wire.subscribe(f"/contract/instrument:{BTC}", private=False)["type"] == "ack"


def test_an_acknowledgement_is_given_to_who_wants_one(door: Door) -> None:
    wire = Wire(door)
    assert wire.say("subscribe", topic=WALLET, privateChannel="true") is None
    assert wire.subscribe(POSITIONS, private="true") == {"id": "2", "type": "ack"}
    assert wire.say("ping") == {"id": "3", "type": "pong"}
    door.order()
    assert {one["topic"] for one in wire.news()} == {WALLET, POSITIONS}
    assert wire.say("unsubscribe", topic=POSITIONS, response=True)["type"] == "ack"
    door.order(clientOid="b")
    assert {one["topic"] for one in wire.news()} == {WALLET}


def test_who_does_not_ping_loses_the_connection(door: Door) -> None:
    wire = listening(door)
    door.wait(27.9)
    assert wire.news() == []
    wire.say("ping")
    door.wait(27.9)
    wire.subscribe(WALLET)  # is no ping
    assert not wire.session.over
    door.wait(0.2)
    assert [(one["type"], one["code"], one["data"]) for one in wire.news()] == [("error", 400, "ping timeout")]
    assert wire.session.over


def test_a_client_that_says_too_much_is_not_heard(door: Door) -> None:
    wire = Wire(door)
    assert {wire.say("ping")["type"] for _ in range(100)} == {"pong"}
    assert (wire.say("ping")["code"], wire.session.over) == (509, False)
    door.wait(11)
    assert wire.say("ping")["type"] == "pong"


def test_topics_are_limited_at_once_and_in_all(door: Door) -> None:
    wire = Wire(door)
    assert wire.subscribe("/contract/instrument:" + ",".join(f"A{n}" for n in range(101)))["code"] == 509
    names = [it.instrument.venue_symbol for it in door.world.venues["kucoin"].exchange.listings()]
    heads = ["/contract/instrument", "/contractMarket/tickerV2", "/contractMarket/ticker", ORDERS, "/contract/position"]
    took = 0
    for head in heads:
        answer = wire.subscribe(f"{head}:{','.join(names[:90])}")
        took += len(names[:90])
        assert answer["type"] == ("ack" if took <= 300 else "error"), (head, took)


def test_who_takes_nothing_is_cut_off(door: Door) -> None:
    wire = listening(door)
    for n in range(400):
        door.admin.position(
            {"venue": "kucoin", "account": "main", "symbol": "BTCUSDT", "quantity": f"0.{n + 1:03}", "kind": "manual"}
        )
    assert wire.session.over
    assert wire.news() == []


# --- what is told -----------------------------------------------------------------------------------------------------


def told(wire: Wire) -> list[tuple[str, str, Any]]:
    return [(one["topic"], one["subject"], one["data"]) for one in wire.news()]


def test_an_order_is_told_fill_by_fill_then_as_a_whole_then_position_and_wallet(door: Door) -> None:
    wire = listening(door)
    order_id = door.order(size=2)["data"]["orderId"]
    (match, whole, position, wallet) = told(wire)
    assert [one[:2] for one in (match, whole, position, wallet)] == [
        (ORDERS, "orderChange"),
        (ORDERS, "orderChange"),
        (POSITIONS, "position.change"),
        (WALLET, "walletBalance.change"),
    ]
    fill = json.loads(door.ask("GET", "/api/v1/fills").body)["data"]["items"][0]
    shown = {name: match[2][name] for name in ("type", "status", "orderId", "clientOid", "matchSize", "matchPrice")}
    assert shown == {
        "type": "match",
        "status": "match",
        "orderId": order_id,
        "clientOid": "a",
        "matchSize": "2",
        "matchPrice": fill["price"],
    }
    assert (match[2]["tradeId"], match[2]["ts"]) == (fill["tradeId"], fill["tradeTime"])
    assert "fee" not in match[2]
    assert (whole[2]["type"], whole[2]["status"], whole[2]["filledSize"], whole[2]["remainSize"]) == (
        "filled",
        "done",
        "2",
        "0",
    )
    (read,) = json.loads(door.ask("GET", "/api/v1/positions").body)["data"]
    same = {name: value for name, value in position[2].items() if name not in ("changeReason", "riskLimitLevel")}
    assert same == {name: read[name] for name in same}
    assert position[2]["changeReason"] == "positionChange"
    money = json.loads(door.ask("GET", "/api/v1/account-overview?currency=USDT").body)["data"]
    assert Decimal(wallet[2]["equity"]) == Decimal(str(money["accountEquity"]))


def test_an_order_that_rests_and_is_cancelled(door: Door) -> None:
    wire = listening(door)
    door.order(type="limit", price="49000", size=3)
    (opened, _) = told(wire)
    assert (opened[2]["type"], opened[2]["status"], opened[2]["remainSize"]) == ("open", "open", "3")
    door.ask("DELETE", f"/api/v1/orders/client-order/a?symbol={BTC}")
    (ended, _) = told(wire)
    assert (ended[2]["type"], ended[2]["status"]) == ("canceled", "done")
    assert (ended[2]["filledSize"], ended[2]["canceledSize"], ended[2]["remainSize"]) == ("0", "3", "0")


def test_a_resting_order_that_is_met_is_a_makers_match(door: Door) -> None:
    wire = listening(door)
    door.order(type="limit", price="49500", size=3)
    told(wire)
    door.admin.price({"symbol": "BTCUSDT", "price": "49400"})
    door.world.venues["kucoin"].exchange.advance()
    (match, whole, position, _) = told(wire)
    assert (match[2]["status"], match[2]["liquidity"], match[2]["feeType"]) == ("open", "maker", "makerFee")
    assert (whole[2]["type"], position[2]["currentQty"]) == ("filled", 3)


@pytest.mark.parametrize(("kind", "trade_type"), [("manual", "trade"), ("liquidation", "liquid"), ("adl", None)])
def test_what_others_did_is_told_without_an_id_of_ours(door: Door, kind: str, trade_type: str | None) -> None:
    door.order(size=9)
    wire = listening(door)
    quantity = "0.004" if kind != "liquidation" else "0"
    door.admin.position({"venue": "kucoin", "account": "main", "symbol": "BTCUSDT", "quantity": quantity, "kind": kind})
    news = told(wire)
    orders = [data for topic, _, data in news if topic == ORDERS]
    assert [one["type"] for one in orders] == ([] if trade_type is None else ["match", "filled"])
    assert all("clientOid" not in one and one["tradeType"] == trade_type for one in orders)
    (position,) = [data for topic, _, data in news if topic == POSITIONS]
    assert position["currentQty"] == int(Decimal(quantity) * 1000)
    assert position["isOpen"] is (quantity != "0")


def test_a_topic_of_one_contract_tells_of_that_alone(door: Door) -> None:
    wire = listening(door, f"{ORDERS}:{BTC}", "/contract/position:ETHUSDTM")
    door.order()
    door.order(symbol="ETHUSDTM", clientOid="b")
    news = told(wire)
    assert {(topic, data["symbol"]) for topic, _, data in news} == {
        (f"{ORDERS}:{BTC}", BTC),
        ("/contract/position:ETHUSDTM", "ETHUSDTM"),
    }
    assert {subject for topic, subject, _ in news if topic.startswith(ORDERS)} == {"symbolOrderChange"}


def test_accounts_do_not_hear_of_each_other() -> None:
    door = Door(accounts=2)
    wire = listening(door)
    door.keys = door.facade.credentials("second")
    other = listening(door)
    door.order()
    assert (len(told(wire)), len(told(other))) == (0, 4)
    other.session.close()
    door.order(clientOid="b")
    assert told(other) == []


def test_funding_is_a_settlement(door: Door) -> None:
    door.order(size=5)
    wire = listening(door)
    paid = [one for one in beat(door, wire, 8 * 3600 + 60) if one["subject"] == "position.settlement"]
    assert [(one["topic"], one["data"]["symbol"], one["data"]["qty"]) for one in paid] == [(POSITIONS, BTC, 5)]


# --- prices -----------------------------------------------------------------------------------------------------------


def test_the_mark_comes_every_second_and_the_book_when_it_changes(door: Door) -> None:
    wire = Wire(door, private=False)
    wire.subscribe(f"/contract/instrument:{BTC},ETHUSDTM", private=False)
    wire.subscribe(f"/contractMarket/tickerV2:{BTC}", private=False)
    first = wire.news()
    marks = [one for one in first if one["subject"] == "mark.index.price"]
    assert {one["topic"].partition(":")[2] for one in marks} == {BTC, "ETHUSDTM"}
    (book,) = [one for one in first if one["subject"] == "tickerV2"]
    assert set(book["data"]) == {
        "symbol", "sequence", "bestBidSize", "bestBidPrice", "bestAskPrice", "bestAskSize", "ts",
    }  # fmt: skip
    later: list[Any] = []
    for _ in range(31):
        door.wait(0.1)
        later += wire.news()
    pinned = [one for one in later if one["topic"].endswith(BTC)]
    assert [one["subject"] for one in pinned] == ["mark.index.price"] * 3
    assert {one["data"]["markPrice"] for one in pinned} == {50000}
    door.admin.price({"symbol": "BTCUSDT", "price": "50500"})
    assert [one["subject"] for one in wire.news() if one["topic"].endswith(BTC)] == ["tickerV2"]
