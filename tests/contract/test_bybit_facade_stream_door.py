"""The simulated Bybit's streams: who is let in, and what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.bybit_door import Door, pinned
from tests.contract.bybit_wire import PRIVATE, PUBLIC, TRADE, Wire, private, public

LOGIN = {"success": True, "ret_msg": "", "op": "auth"}


# --- the login --------------------------------------------------------------------------------------------------------


def test_login_with_the_fields_of_the_venue() -> None:
    wire = Wire(Door())
    answer = wire.login()
    assert {name: answer[name] for name in LOGIN} == LOGIN
    assert set(answer) == {*LOGIN, "conn_id"}
    assert wire.session.account == "main"


def test_a_login_answers_with_the_id_it_was_asked_under() -> None:
    wire = Wire(Door())
    assert wire.say("auth", req_id="7")["req_id"] == "7"
    assert wire.say("auth", req_id=7)["req_id"] == "7"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"in_ms": 0}, "Params Error"),
        ({"in_ms": -1}, "Params Error"),
        ({"expires": "soon"}, "Params Error"),
        ({"expires": None}, "Params Error"),
        ({"expires": True}, "Params Error"),
        ({"expires": "9" * 17}, "Params Error"),
        ({"key": "nobody"}, "API key is invalid."),
        ({"key": 5}, "Params Error"),
        ({"secret": "wrong"}, "error sign! Please check your signature generation algorithm."),
    ],
)
def test_refused_logins(changed: dict[str, Any], words: str) -> None:
    wire = Wire(Door())
    answer = wire.login(**changed)
    assert (answer["success"], answer["ret_msg"], answer["op"]) == (False, words, "auth")
    assert wire.session.account is None
    assert wire.say("subscribe", "order")["success"] is False
    assert wire.login()["success"] is True, "a refused login does not spoil the connection"


def test_a_login_may_be_a_text_and_one_millisecond_is_enough() -> None:
    door = Door()
    assert Wire(door).login(in_ms=1)["success"] is True
    expires = str(round(door.exchange.time() * 1000) + 1)
    assert Wire(door).login(expires=expires)["success"] is True


def test_a_login_expires_by_the_clock_of_the_venue() -> None:
    door = Door()
    door.admin.clock({"venue": "bybit", "offset_ms": 5_000})
    wire, ours_ms = Wire(door), round(door.clock.time() * 1000)
    assert wire.login(expires=ours_ms + 5_000)["ret_msg"] == "Params Error"
    assert wire.login(expires=ours_ms + 5_001)["success"] is True


def test_an_account_bound_to_an_address_is_refused_from_another() -> None:
    door = Door(addresses={"main": frozenset({"10.0.0.1"})})
    assert Wire(door).login()["ret_msg"].startswith("Unmatched IP")
    assert Wire(door).login("second")["success"] is True


def test_one_login_a_connection() -> None:
    wire = private(Door())
    assert (wire.login("second")["success"], wire.session.account) == (False, "main")


# --- topics -----------------------------------------------------------------------------------------------------------


def test_private_topics_need_a_login() -> None:
    wire = Wire(Door())
    answer = wire.say("subscribe", "order", req_id="a")
    assert (answer["success"], answer["ret_msg"], answer["req_id"]) == (False, "Request not authorized", "a")
    assert wire.say("unsubscribe", "order")["success"] is False
    assert wire.login()["success"] is True
    assert wire.say("subscribe", "order") == {
        "success": True, "ret_msg": "", "op": "subscribe", "conn_id": answer["conn_id"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "topics",
    [
        ["position", "order", "execution", "execution.fast", "wallet"],
        ["position.linear", "order.linear", "execution.linear", "execution.fast.linear"],
        ["position.inverse", "order.spot", "execution.option", "greeks"],
        ["order", "position.linear"],
        ["execution", "execution.fast.linear"],
    ],
)
def test_topics_that_are_taken(topics: list[str]) -> None:
    assert private(Door()).say("subscribe", *topics)["success"] is True


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nothing"], "error:handler not found,topic:nothing"),
        (["wallet.linear"], "error:handler not found,topic:wallet.linear"),
        (["tickers.BTCUSDT"], "error:handler not found,topic:tickers.BTCUSDT"),
        (["order", "order.linear"], "Params Error"),
        (["execution.fast", "execution.fast.linear"], "Params Error"),
        ([], "Params Error"),
        ([5], "Params Error"),
        (["order", None], "Params Error"),
    ],
)
def test_refused_topics_subscribe_to_nothing(args: list[object], words: str) -> None:
    door = pinned()
    wire = private(door)
    answer = wire.say("subscribe", *args)
    assert (answer["success"], answer["ret_msg"]) == (False, words)
    door.order()
    assert wire.news() == []


def test_asking_twice_for_a_private_topic_is_once() -> None:
    door = pinned()
    wire = private(door, "order", "order")
    assert wire.say("subscribe", "order")["success"] is True
    door.order()
    assert [message["topic"] for message in wire.news()] == ["order"]


def test_unsubscribing() -> None:
    door = pinned()
    wire = private(door, "order", "wallet", "position")
    assert wire.say("unsubscribe", "order", "wallet", req_id="u")["success"] is True
    door.order()
    assert [message["topic"] for message in wire.news()] == ["position"]


def test_public_answers_carry_an_id_always() -> None:
    wire = Wire(Door(), PUBLIC)
    answer = wire.say("subscribe", "tickers.BTCUSDT")
    assert answer == {
        "req_id": "", "success": True, "ret_msg": "", "op": "subscribe", "conn_id": answer["conn_id"],
    }  # fmt: skip
    assert wire.say("subscribe", "orderbook.1.BTCUSDT", req_id=12)["req_id"] == "12"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["tickers.NOPEUSDT"], "error:handler not found,topic:tickers.NOPEUSDT"),
        (["tickers.btcusdt"], "error:handler not found,topic:tickers.btcusdt"),
        (["orderbook.30.BTCUSDT"], "error:handler not found,topic:orderbook.30.BTCUSDT"),
        (["kline.5.BTCUSDT"], "error:handler not found,topic:kline.5.BTCUSDT"),
        (["order"], "error:handler not found,topic:order"),
        (["tickers.ETHUSDT", "tickers.NOPE"], "error:handler not found,topic:tickers.NOPE"),
        (["tickers.BTCUSDT"], "error:already subscribed,topic:tickers.BTCUSDT"),
        (["tickers.ETHUSDT", "tickers.ETHUSDT"], "error:already subscribed,topic:tickers.ETHUSDT"),
        ([], "error:invalid op"),
        ([5], "error:invalid op"),
        (["tickers.ETHUSDT", "x" * 20_980], "args size >21000"),
    ],
)
def test_refused_public_topics_subscribe_to_nothing(args: list[object], words: str) -> None:
    wire = public(Door(), "tickers.BTCUSDT")
    answer = wire.say("subscribe", *args)
    assert (answer["success"], answer["ret_msg"]) == (False, words)
    assert [message["topic"] for message in wire.news()] == ["tickers.BTCUSDT"]


def test_public_topics_are_limited_together() -> None:
    door = Door()
    symbols = [it.instrument.venue_symbol for it in door.exchange.listings()]
    heads = ("tickers", "publicTrade", "orderbook.1", "orderbook.50")
    names = [f"{head}.{symbol}" for head in heads for symbol in symbols]
    assert sum(map(len, names)) < 21_000
    wire = public(door, *names)
    rest = 21_000 - sum(map(len, names))
    assert "handler not found" in wire.say("subscribe", "x" * rest)["ret_msg"]
    assert wire.say("subscribe", "x" * (rest + 1))["ret_msg"] == "args size >21000"


def test_public_unsubscribing() -> None:
    door = Door()
    wire = public(door, "tickers.BTCUSDT", "tickers.ETHUSDT")
    assert wire.say("unsubscribe", "tickers.BTCUSDT", "tickers.XRPUSDT")["success"] is True
    assert [message["topic"] for message in wire.news()] == ["tickers.ETHUSDT"]
    assert wire.say("subscribe", "tickers.BTCUSDT")["success"] is True
    assert [message["type"] for message in wire.news()] == ["snapshot"]


# --- other operations -------------------------------------------------------------------------------------------------


def test_heart_beats() -> None:
    door = Door()
    wire = private(door)
    now_ms = str(round(door.exchange.time() * 1000))
    answer = wire.raw('{"op":"ping"}')
    assert answer == {"op": "pong", "args": [now_ms], "conn_id": answer["conn_id"]}
    assert wire.raw('{"op":"ping","req_id":"p"}')["req_id"] == "p"
    answer = Wire(door, PUBLIC).raw('{"op":"ping"}')
    assert answer == {"req_id": "", "success": True, "ret_msg": "pong", "op": "ping", "conn_id": answer["conn_id"]}


@pytest.mark.parametrize("path", [PRIVATE, PUBLIC])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "Failed to decode incoming data:"),
        ("", "Failed to decode incoming data:"),
        ("[]", "Failed to decode incoming data:"),
        ('{"op":"ping","op":"ping"}', "Failed to decode incoming data:"),
        ("{}", "error:invalid op"),
        ('{"op":5}', "error:invalid op"),
        ('{"op":"nope"}', "error:invalid op"),
        ('{"op":"order.create","args":[{}]}', "error:invalid op"),
    ],
)
def test_what_is_no_operation_is_refused_and_the_connection_stays(path: str, text: str, words: str) -> None:
    wire = Wire(Door(), path)
    answer = wire.raw(text)
    assert answer["success"] is False
    assert answer["ret_msg"].startswith(words)
    assert wire.session.over is False


DOOR = Door()
WORDS = st.sampled_from(["auth", "subscribe", "unsubscribe", "ping", "order.create", "order", "tickers.BTCUSDT"])
VALUES = st.one_of(WORDS, st.integers(), st.none(), st.text(max_size=9))
FIELDS = st.sampled_from(["op", "args", "req_id", "reqId"])
FRAMES = st.dictionaries(FIELDS, st.one_of(VALUES, st.lists(VALUES, max_size=4))).map(json.dumps)


@given(st.one_of(st.text(max_size=40), FRAMES), st.sampled_from([PRIVATE, PUBLIC, TRADE]))
def test_nothing_a_client_says_breaks_a_stream(text: str, path: str) -> None:
    wire = Wire(DOOR, path)
    if path == PRIVATE:
        wire.login()
    assert isinstance(wire.raw(text), dict)
    wire.session.push()
    wire.session.close()


def test_order_entry_is_refused_visibly() -> None:
    door = Door()
    wire = Wire(door, TRADE)
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
    for op in ("order.create", "order.amend", "order.cancel", "order.create-batch"):
        answer = wire.say(op, order, reqId="r")
        assert (answer["retCode"], answer["op"], answer["reqId"], answer["data"]) == (10404, op, "r", {})
        assert "POST /v5/order/create" in answer["retMsg"]
    assert door.exchange.orders("main") == ()


def test_order_entry_knows_its_logins() -> None:
    wire = Wire(Door(), TRADE)
    assert wire.login(secret="x")["retCode"] == 10004
    assert wire.login(key="x")["retCode"] == 10003
    assert wire.login(in_ms=-1)["retCode"] == 10001
    assert (wire.session.account, wire.login()["retCode"], wire.session.account) == (None, 0, "main")
    assert wire.login()["retCode"] == 20001
    pong = wire.raw('{"op":"ping"}')
    assert (pong["retCode"], pong["op"], len(pong["data"])) == (0, "pong", 1)
    assert wire.raw("hello")["retCode"] == 10001
