"""The simulated Hyperliquid's websocket: what is confirmed, refused and told, and when the venue hangs up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ports import Request, Response, StreamRequest
from simulator.facades import Greeting, Match, Session
from tests.contract.test_hyperliquid_facade_door import STRANGER, Door, order

HOST = "ws://hyperliquid.sim"
TOPICS = ("orderUpdates", "userFills", "clearinghouseState")


@dataclass
class Wire:
    """One connection to the venue behind a door."""

    door: Door = field(default_factory=Door)
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        opened = self.door.facade.session(StreamRequest(f"{HOST}/ws"))
        assert not isinstance(opened, Response), opened.status
        self.session = opened

    def user(self, name: str = "main") -> str:
        return self.door.master(name).address

    def raw(self, text: str) -> list[tuple[str, Any]]:
        return [(one["channel"], one.get("data")) for one in map(json.loads, self.session.receive(text))]

    def subscribe(self, kind: str, method: str = "subscribe", **fields: str) -> list[tuple[str, Any]]:
        return self.raw(json.dumps({"method": method, "subscription": {"type": kind, **fields}}))

    def told(self) -> list[tuple[str, Any]]:
        return [(one["channel"], one["data"]) for one in map(json.loads, self.session.push())]


def listening(*topics: str, name: str = "main") -> Wire:
    """Subscribed to topics of an account; what comes first is taken out."""
    wire = Wire()
    for topic in topics:
        confirmed = wire.subscribe(topic, user=wire.user(name))[0]
        said = {"method": "subscribe", "subscription": {"type": topic, "user": wire.user(name)}}
        assert confirmed == ("subscriptionResponse", said)
    wire.told()
    return wire


def refused(said: list[tuple[str, Any]]) -> str:
    ((channel, words),) = said
    assert channel == "error"
    return str(words)


# --- the door ---------------------------------------------------------------------------------------------------------


def test_a_handshake_too_many_in_a_minute_is_refused() -> None:
    door = Door()
    opened = [door.facade.session(StreamRequest(f"{HOST}/ws")) for _ in range(31)]
    assert [isinstance(one, Response) for one in opened] == [False] * 30 + [True]
    assert isinstance(opened[-1], Response)
    assert opened[-1].status == 429
    assert door.facade.counts().over_limit == 1
    door.clock.passed += 61
    assert not isinstance(door.facade.session(StreamRequest(f"{HOST}/ws")), Response)
    elsewhere = door.facade.session(StreamRequest(f"{HOST}/nowhere"))
    assert isinstance(elsewhere, Response)
    assert elsewhere.status == 404


def test_the_venue_speaks_first_and_not_in_json() -> None:
    session = Wire().session
    assert isinstance(session, Greeting)
    assert session.greet() == ("Websocket connection established.",)


def test_a_handshake_is_told_from_a_request() -> None:
    request = Request("GET", "http://here/ws", {"upgrade": "WebSocket"})
    call = Door().facade.classify(request)
    assert (call.match, call.endpoint) == (Match.STREAM, "GET /ws")


def test_no_more_than_ten_users_are_listened_to_over_all_connections() -> None:
    door = Door()
    wires = [Wire(door) for _ in range(11)]
    said = [wire.subscribe("userFills", user=f"0x{number:040x}") for number, wire in enumerate(wires)]
    assert [one[0][0] for one in said[:10]] == ["subscriptionResponse"] * 10
    assert refused(said[10]) == "Cannot track more than 10 total users."
    assert wires[9].subscribe("orderUpdates", user=f"0x{9:040x}")[0][0] == "subscriptionResponse"
    wires[0].session.close()
    assert wires[10].subscribe("userFills", user=f"0x{10:040x}")[0][0] == "subscriptionResponse"


def test_who_says_nothing_for_a_minute_is_hung_up_on() -> None:
    wire = Wire()
    wire.door.clock.passed += 59
    assert wire.raw('{"method":"ping"}') == [("pong", None)]
    wire.door.clock.passed += 59
    wire.told()
    assert not wire.session.over
    wire.door.clock.passed += 2
    wire.told()
    assert wire.session.over


# --- subscriptions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["hello", "", "[]", "{}", '{"method":5}', '{"method":"post"}', '{"method":"subscribe"}',
     '{"method":"subscribe","subscription":[]}'],
)  # fmt: skip
def test_what_asks_for_nothing_is_refused_and_the_connection_stays(text: str) -> None:
    wire = Wire()
    assert refused(wire.raw(text)) == f"Error parsing JSON into valid websocket request: {text}"
    assert not wire.session.over


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("userFills", {}),
        ("userFills", {"user": "mtiz"}),
        ("l2Book", {"coin": "NOPE"}),
        ("l2Book", {}),
        ("weather", {}),
    ],
)
def test_what_is_no_subscription_is_refused(kind: str, fields: dict[str, str]) -> None:
    assert refused(Wire().subscribe(kind, **fields)).startswith("Invalid subscription: ")


def test_a_subscription_is_taken_once_and_given_up_once() -> None:
    wire = listening("orderUpdates")
    user = wire.user()
    assert refused(wire.subscribe("orderUpdates", user=user)).startswith("Already subscribed: ")
    assert wire.subscribe("orderUpdates", "unsubscribe", user=user)[0][0] == "subscriptionResponse"
    assert refused(wire.subscribe("orderUpdates", "unsubscribe", user=user)).startswith("Already unsubscribed: ")
    assert wire.subscribe("orderUpdates", user=user)[0][0] == "subscriptionResponse"


WIRE = Wire()
VALUES = st.one_of(st.sampled_from([*TOPICS, "allMids", "bbo", "BTC", STRANGER.address]), st.integers(), st.none())
FRAMES = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["subscribe", "unsubscribe", "ping", "x"]),
        "subscription": st.one_of(VALUES, st.dictionaries(st.sampled_from(["type", "user", "coin"]), VALUES)),
    }
)


@given(st.one_of(st.text(max_size=40), FRAMES.map(json.dumps)))
def test_nothing_a_client_says_breaks_a_stream(text: str) -> None:
    assert all(WIRE.session.receive(text))
    WIRE.session.push()


# --- an account's news ------------------------------------------------------------------------------------------------


def test_fills_begin_with_what_there_was() -> None:
    wire = Wire()
    wire.door.act(order())
    _, (channel, data) = wire.subscribe("userFills", user=wire.user())
    assert (channel, data["isSnapshot"], data["user"]) == ("userFills", True, wire.user())
    assert [one["sz"] for one in data["fills"]] == ["0.01"]
    wire.told()
    wire.door.act(order())
    (told,) = [data for channel, data in wire.told() if channel == "userFills"]
    assert "isSnapshot" not in told
    assert [one["sz"] for one in told["fills"]] == ["0.01"]


def test_an_order_is_told_of_with_its_fills_and_what_it_made_of_the_account() -> None:
    wire = listening(*TOPICS)
    cloid = "0x" + "0c" * 16
    wire.door.act(order(c=cloid))
    told = dict(wire.told())
    assert list(told) == ["userFills", "orderUpdates", "clearinghouseState"]
    (update,) = told["orderUpdates"]
    assert (update["status"], update["order"]["cloid"], update["order"]["origSz"]) == ("filled", cloid, "0.01")
    assert update["order"]["oid"] == told["userFills"]["fills"][0]["oid"]
    assert "cloid" not in told["userFills"]["fills"][0]
    (held,) = told["clearinghouseState"]["clearinghouseState"]["assetPositions"]
    assert held["position"]["szi"] == "0.01"
    assert told["clearinghouseState"]["user"] == wire.user()


def test_the_state_comes_without_an_event_too() -> None:
    wire = listening("clearinghouseState")
    assert wire.told() == []
    wire.door.clock.passed += 5
    ((channel, data),) = wire.told()
    assert (channel, data["dex"]) == ("clearinghouseState", "")


def test_nothing_is_heard_of_others_nor_through_the_address_of_an_agent() -> None:
    door = Door()
    agent, second = Wire(door), Wire(door)
    for topic in TOPICS:
        agent.subscribe(topic, user=door.agent().address)
        second.subscribe(topic, user=door.master("second").address)
    agent.told()
    second.told()
    door.act(order())
    for wire in (agent, second):
        assert [channel for channel, _ in wire.told() if channel != "clearinghouseState"] == []
    door.clock.passed += 5
    assert dict(agent.told())["clearinghouseState"]["clearinghouseState"]["marginSummary"]["accountValue"] == "0.0"


# --- prices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "keys"),
    [
        ("allMids", {}, {"mids"}),
        ("l2Book", {"coin": "BTC"}, {"coin", "time", "levels"}),
        ("bbo", {"coin": "BTC"}, {"coin", "time", "bbo"}),
        ("activeAssetCtx", {"coin": "BTC"}, {"coin", "ctx"}),
    ],
)
def test_prices_come_at_once_and_whenever_they_move(kind: str, fields: dict[str, str], keys: set[str]) -> None:
    wire = Wire()
    assert wire.subscribe(kind, **fields)[0][0] == "subscriptionResponse"
    ((channel, data),) = wire.told()
    assert (channel, data.keys()) == (kind, keys)
    assert wire.told() == []
    wire.door.clock.passed += 60
    ((channel, after),) = wire.told()
    assert (channel, after != data) == (kind, True)
