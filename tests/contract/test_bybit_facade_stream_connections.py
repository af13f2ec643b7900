"""The simulated Bybit's connections: where they are opened, how many there may be, and when the venue hangs up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.domain import OrderKind, Side, Symbol
from core.ports import Request, Response, StreamRequest
from simulator.exchange import NewOrder
from simulator.facades import Match
from simulator.facades.bybit.stream_private import WAITING
from tests.contract.bybit_door import Door, pinned
from tests.contract.bybit_wire import HOST, PRIVATE, PUBLIC, TRADE, Wire, private, public


def test_where_there_is_no_stream() -> None:
    facade = Door().facade
    for url in (
        "",
        "/",
        "/v5/public/spot",
        "/v5/public/inverse",
        "/v5/private/",
        "/realtime",
        "/v5/order/create",
        "//[",
    ):
        refused = facade.session(StreamRequest(HOST + url))
        assert isinstance(refused, Response)
        assert refused.status == 404, url
    assert facade.counts().by_endpoint == {"unknown": 8}


def test_five_hundred_connections_in_five_minutes() -> None:
    door = Door()

    def opened() -> int:
        found = door.facade.session(StreamRequest(HOST + PUBLIC))
        if isinstance(found, Response):
            return found.status
        found.close()
        return 101

    assert [opened() for _ in range(501)] == [101] * 500 + [403]
    assert (door.facade.counts().over_limit, door.facade.counts().by_endpoint) == (1, {f"GET {PUBLIC}": 501})
    door.wait(300.0)
    assert opened() == 101


def test_connections_have_names_of_their_own_that_follow_from_the_seed() -> None:
    def names(seed: int) -> list[str]:
        door = Door(seed=seed)
        return [Wire(door, path).raw('{"op":"subscribe"}')["conn_id"] for path in (PRIVATE, PUBLIC, PRIVATE)]

    assert names(7) == names(7) != names(8)
    assert len(set(names(7))) == 3


def test_a_handshake_is_what_stream_faults_aim_at() -> None:
    facade = Door().facade
    for path in (PRIVATE, PUBLIC, TRADE):
        shaken = facade.classify(Request("GET", f"http://h{path}?max_active_time=1m", {"upgrade": "WebSocket"}))
        assert (shaken.match, shaken.account, shaken.endpoint) == (Match.STREAM, None, f"GET {path}")
        assert facade.classify(Request("GET", f"http://h{path}")).match is Match.OTHER
    upgrade = Request("GET", "http://h/v5/market/time", {"upgrade": "websocket"})
    assert facade.classify(upgrade).match is Match.OTHER


IDLE = [
    # path, seconds after which the venue hangs up (it looks every 30 s)
    (PRIVATE, 600),
    (PUBLIC, 600),
    (TRADE, 600),
    (f"{PRIVATE}?max_active_time=30s", 30),
    (f"{PRIVATE}?max_active_time=45s", 60),
    (f"{PRIVATE}?max_active_time=1m", 60),
    (f"{PRIVATE}?max_active_time=5s", 30),
    (f"{PRIVATE}?max_active_time=700s", 600),
    (f"{PRIVATE}?max_active_time=soon", 600),
    (f"{TRADE}?max_active_time=2m", 120),
    (f"{PUBLIC}?max_active_time=30s", 600),
]


@pytest.mark.parametrize(("path", "cut_s"), IDLE)
def test_an_idle_connection_is_cut_off(path: str, cut_s: int) -> None:
    door = Door()
    wire = Wire(door, path)
    for second in range(cut_s):
        assert (wire.news(), wire.session.over) == ([], False), second
        door.wait(1.0)
    assert wire.news() == []
    assert wire.session.over is True


@pytest.mark.parametrize("path", [f"{PRIVATE}?max_active_time=30s", f"{TRADE}?max_active_time=30s"])
def test_pings_keep_a_connection(path: str) -> None:
    door = Door()
    wire = Wire(door, path)
    for _ in range(30):
        door.wait(20.0)
        wire.raw('{"op":"ping"}')
        wire.session.push()
        assert wire.session.over is False
    for _ in range(60):
        door.wait(1.0)
        wire.session.push()
    assert wire.session.over is True


def test_other_words_do_not_keep_a_connection() -> None:
    door = Door()
    wire = Wire(door, f"{PRIVATE}?max_active_time=30s")
    for _ in range(30):
        door.wait(1.0)
        wire.say("subscribe", "order")
        wire.session.push()
    assert wire.session.over is True


def test_data_keeps_a_connection() -> None:
    door = pinned()
    wire = Wire(door, f"{PRIVATE}?max_active_time=30s")
    wire.login()
    wire.say("subscribe", "order")
    for _ in range(40):
        door.wait(15.0)
        door.order()
        assert len(wire.news()) == 1
    assert wire.session.over is False


def test_what_counts_is_how_idle_a_scan_found_it() -> None:
    door = Door()
    wire = Wire(door, f"{PRIVATE}?max_active_time=30s")
    door.wait(65.0)
    wire.raw('{"op":"ping"}')
    for wait_s, over in ((35.0, False), (19.9, False), (0.1, True)):
        door.wait(wait_s)
        wire.session.push()
        assert wire.session.over is over


def test_a_wait_over_many_scans_is_one_scan() -> None:
    door = Door()
    wire = Wire(door)
    door.wait(10_000.0)
    wire.session.push()
    assert wire.session.over is True


def test_who_lets_too_much_wait_is_cut_off() -> None:
    door = pinned()
    wire, other = private(door, "order"), private(door, "order")
    order = NewOrder(Symbol("BTCUSDT"), Side.BUY, Decimal("0.001"), OrderKind.LIMIT, price=Decimal(49_700))
    for number in range(WAITING + 1):
        resting = door.exchange.place("main", order)
        assert wire.session.over is (number == WAITING)
        assert len(other.news()) == 1
        door.exchange.state.accounts["main"].open.pop(resting.order_id)
    assert wire.news() == []
    assert other.session.over is False


def test_who_hangs_up_is_told_nothing_more() -> None:
    door = pinned()
    listening = len(door.exchange.state.listeners)
    wires = [private(door, "order"), public(door, "publicTrade.BTCUSDT")]
    for wire in wires:
        wire.session.close()
    door.order()
    assert [wire.news() for wire in wires] == [[], []]
    assert len(door.exchange.state.listeners) == listening
