"""The simulated BloFin's streams: who is let in, what is answered, what is told and when the venue hangs up."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ports import Request, Response, StreamRequest
from simulator.facades import Match
from simulator.facades.blofin.context import Ways
from simulator.facades.blofin.stream_wire import Asked
from tests.contract.blofin_wire import HOST, PRIVATE, PUBLIC, Wire, behaving, private, public
from tests.contract.test_blofin_facade_door import BTC, Door

FAILED = {"event": "error", "code": "60009", "msg": "Login failed."}
ALL = ("orders", "positions", "account")


def foreign(door: Door, quantity: str, kind: str = "manual") -> None:
    body = {"venue": "blofin", "account": "main", "symbol": "BTCUSDT", "quantity": quantity, "kind": kind}
    door.admin.position(body)


# --- the login --------------------------------------------------------------------------------------------------------

LOGINS: list[dict[str, Any]] = [
    {"changed": {"apiKey": "nobody"}},
    {"changed": {"apiKey": 5}},
    {"changed": {"passphrase": "wrong"}},
    {"changed": {"timestamp": "soon"}},
    {"changed": {"timestamp": "1790000010"}},
    {"changed": {"nonce": ""}},
    {"changed": {"nonce": None}},
    {"secret": "wrong"},
]


@pytest.mark.parametrize("wrong", LOGINS, ids=str)
def test_a_refused_login_names_no_reason_and_can_be_mended(wrong: dict[str, Any]) -> None:
    wire = Wire(Door())
    assert wire.login(**wrong) == FAILED
    assert wire.session.account is None
    assert wire.subscribe("orders")["code"] == "60012"
    assert wire.login()["code"] == "0"
    assert wire.session.account == "main"


@pytest.mark.parametrize(("skew_ms", "code"), [(-60_000, "0"), (60_000, "0"), (-60_001, "60009"), (60_001, "60009")])
def test_a_login_may_be_a_minute_off_by_the_venues_clock(skew_ms: int, code: str) -> None:
    door = Door()
    door.admin.clock({"venue": "blofin", "offset_ms": 5_000})
    wire = Wire(door)
    stamp = str(round(door.clock.time() * 1000) + 5_000 + skew_ms)
    assert wire.login(changed={"timestamp": stamp})["code"] == code


def test_a_nonce_serves_requests_and_logins_once() -> None:
    door = Door()
    assert door.ask("GET", "/api/v1/account/positions", b"", nonce="n")["code"] == "0"
    wire = Wire(door)
    assert wire.login(changed={"nonce": "n"}) == FAILED
    assert wire.login(changed={"nonce": "m"})["code"] == "0"
    assert door.ask("GET", "/api/v1/account/positions", b"", nonce="m")["code"] == "152407"


def test_one_account_a_connection() -> None:
    wire = private(Door(), "orders")
    assert wire.login("second") == FAILED
    assert wire.login()["code"] == "0"
    assert wire.session.account == "main"


def test_no_one_logs_in_on_the_public_stream() -> None:
    assert Wire(Door(), PUBLIC).login() == FAILED


# --- subscriptions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "arg"),
    [
        (PRIVATE, {"channel": "tickers", "instId": BTC}),
        (PRIVATE, {"channel": "orders-algo"}),
        (PRIVATE, {"channel": "orders", "instId": "NOPE-USDT"}),
        (PRIVATE, {"channel": "account", "instId": BTC}),
        (PUBLIC, {"channel": "orders"}),
        (PUBLIC, {"channel": "tickers"}),
        (PUBLIC, {"channel": "tickers", "instId": "NOPE-USDT"}),
        (PUBLIC, {"channel": "candle1m", "instId": BTC}),
        (PUBLIC, {"channel": "mark-price-candle7m", "instId": BTC}),
        (PUBLIC, {"channel": "tickers", "instId": 5}),
        (PUBLIC, {"instId": BTC}),
        (PUBLIC, "tickers"),
        (PUBLIC, {"channel": "x" * 4096, "instId": BTC}),
    ],
    ids=str,
)
def test_a_refused_channel_is_quoted_and_the_others_are_taken(path: str, arg: object) -> None:
    wire = Wire(Door(), path)
    if path == PRIVATE:
        wire.login()
    good = {"channel": "orders"} if path == PRIVATE else {"channel": "tickers", "instId": BTC}
    asked = json.dumps({"op": "subscribe", "args": [arg, good]})
    refused, taken = wire.raw(asked)
    assert (refused["event"], refused["code"], taken) == ("error", "60012", {"event": "subscribe", "arg": good})
    assert refused["msg"] == f"Invalid request: {asked}"[: len(refused["msg"])]


def test_all_channels_together_have_their_bound() -> None:
    wire = Wire(Door(), PUBLIC)
    names = ["tickers", "trades", "books", "books5", "funding-rate"]
    symbols = [it.instrument.venue_symbol for it in wire.door.exchange.listings()]
    answers = [wire.subscribe(name, symbol)["event"] for name in names for symbol in symbols]
    taken = [json.dumps({"channel": name, "instId": symbol}) for name in names for symbol in symbols]
    count = answers.index("error")
    assert sum(map(len, taken[:count])) <= 4096 < sum(map(len, taken[: count + 1]))


@pytest.mark.parametrize("path", [PRIVATE, PUBLIC])
@pytest.mark.parametrize("text", ["hello", "", "[]", "{}", '{"op":5}', '{"op":"order"}', '{"op":"subscribe"}'])
def test_what_asks_for_nothing_is_refused_and_the_connection_stays(path: str, text: str) -> None:
    wire = Wire(Door(), path)
    (answer,) = wire.raw(text)
    assert (answer["event"], answer["code"]) == ("error", "60012")
    assert wire.session.over is False


DOOR = Door()
VALUES = st.one_of(st.sampled_from([*ALL, "tickers", "login", BTC]), st.integers(), st.none(), st.text(max_size=9))
ARGS = st.one_of(VALUES, st.dictionaries(st.sampled_from(["channel", "instId", "apiKey"]), VALUES))
FRAMES = st.fixed_dictionaries(
    {"op": st.sampled_from(["login", "subscribe", "unsubscribe", "x"]), "args": st.lists(ARGS, max_size=4)}
)


@given(st.one_of(st.text(max_size=40), FRAMES.map(json.dumps)), st.sampled_from([PRIVATE, PUBLIC]))
def test_nothing_a_client_says_breaks_a_stream(text: str, path: str) -> None:
    wire = Wire(DOOR, path)
    if path == PRIVATE:
        wire.login()
    assert all(wire.session.receive(text))
    wire.session.push()
    wire.session.close()


# --- what an account is told ------------------------------------------------------------------------------------------


def test_an_order_is_told_of_as_taken_and_as_it_ended_then_the_position_then_the_money() -> None:
    door = Door()
    wire = private(door, *ALL)
    door.order(clientOrderId="mine")
    told = wire.told()
    assert [channel for channel, _ in told] == ["orders", "orders", "positions", "account"]
    stages = [row for channel, rows in told if channel == "orders" for row in rows]
    shown = [(row["clientOrderId"], row["state"], Decimal(row["filledSize"])) for row in stages]
    assert shown == [("mine", "live", Decimal(0)), ("mine", "filled", Decimal(12))]
    assert told[2][1][0]["positions"] == "12"
    assert Decimal(told[3][1]["details"][0]["equity"]) == door.exchange.balance("main").equity


def test_several_fills_are_told_of_cumulatively() -> None:
    door = Door()
    door.admin.account({"venue": "blofin", "account": "main", "equity": "1000000"})
    wire = private(door, "orders")
    size = str(sum((level.contracts for level in door.exchange.book("BTCUSDT", 3)[1]), Decimal(0)))
    door.order(size=size)
    rows = [row for _, data in wire.told() for row in data]
    assert [row["state"] for row in rows] == ["live", "partially_filled", "partially_filled", "filled"]
    filled = [Decimal(row["filledSize"]) for row in rows]
    assert filled == sorted(set(filled))
    assert filled[-1] == Decimal(size)
    spent = [Decimal(row["filledSize"]) * Decimal(row["averagePrice"]) for row in rows]
    assert spent == sorted(spent)
    assert [Decimal(row["fee"]) for row in rows] == sorted(Decimal(row["fee"]) for row in rows)
    (order,) = door.exchange.orders("main", open_only=False)
    assert Decimal(rows[-1]["averagePrice"]) == round(order.average_price or Decimal(0), 18)


def test_a_resting_order_is_new_once() -> None:
    door = Door()
    wire = private(door, "orders")
    door.order(orderType="limit", price="49700", clientOrderId="rest")
    door.post("trade/cancel-order", {"instId": BTC, "clientOrderId": "rest"})
    assert [data[0]["state"] for _, data in wire.told()] == ["live", "canceled"]


def test_positions_begin_with_a_snapshot_and_orders_do_not() -> None:
    door = Door()
    door.order()
    wire = Wire(door)
    wire.login()
    for name in ALL:
        wire.subscribe(name)
    ((channel, rows),) = wire.told()
    assert (channel, [row["positions"] for row in rows]) == ("positions", ["12"])


def test_one_contract_of_a_channel() -> None:
    door = Door()
    wire = Wire(door)
    wire.login()
    for name in ("orders", "positions"):
        wire.subscribe(name, "ETH-USDT")
    assert wire.told() == [("positions", [])]
    door.order()
    assert wire.told() == []
    door.order(instId="ETH-USDT")
    assert [message["arg"] for message in wire.news()] == [
        {"channel": name, "instId": "ETH-USDT"} for name in ("orders", "orders", "positions")
    ]


@pytest.mark.parametrize(
    ("kind", "category"), [("manual", "normal"), ("adl", "adl"), ("liquidation", "full_liquidation")]
)
def test_what_others_did_is_an_order_without_our_id(kind: str, category: str) -> None:
    door = Door()
    foreign(door, "0.5")
    wire = private(door, "orders")
    foreign(door, "0.2", kind)
    ((_, (row,)),) = wire.told()
    assert (row["clientOrderId"], row["state"], row["orderCategory"], row["side"]) == (None, "filled", category, "sell")


@pytest.mark.parametrize("shown", [False, True])
def test_a_position_that_was_closed_is_not_told_of_unless_the_venue_is_kind(shown: bool) -> None:
    door = behaving(Ways(closed_shown=shown))
    door.order()
    wire = private(door, "positions")
    door.order(side="sell")
    told = [row["positions"] for _, rows in wire.told() for row in rows]
    assert told == (["0"] if shown else [])


def test_positions_may_come_first_and_may_be_old() -> None:
    door = behaving(Ways(positions_first=True), read_lag_s=3.0)
    door.order()
    door.clock.now += 4
    wire = private(door, *ALL)
    door.order()
    told = wire.told()
    assert [channel for channel, _ in told] == ["positions", "orders", "orders", "account"]
    assert told[0][1][0]["positions"] == "12"


def test_positions_and_money_come_at_regular_intervals() -> None:
    door = Door()
    door.order()
    wire = private(door, *ALL)
    for _ in range(4):
        door.clock.now += 1
        assert wire.told() == []
    door.clock.now += 1
    assert [channel for channel, _ in wire.told()] == ["positions", "account"]


def test_each_account_hears_of_itself_and_no_more_once_it_leaves() -> None:
    door = Door()
    mine, other = private(door, *ALL), private(door, *ALL, account="second")
    door.order()
    assert len(mine.told()) == 4
    assert other.told() == []
    assert mine.say("unsubscribe", {"channel": "orders"})["event"] == "unsubscribe"
    door.order()
    assert [channel for channel, _ in mine.told()] == ["positions", "account"]
    mine.session.close()
    door.order()
    assert mine.told() == []


def test_a_client_that_takes_nothing_is_cut_off() -> None:
    door = Door()
    wire = private(door, "orders")
    for n in range(1_001):
        foreign(door, str(Decimal(n + 1) / 1000))
    wire.news()
    assert wire.session.over is True


# --- the connection ---------------------------------------------------------------------------------------------------


def test_without_subscription_thirty_seconds_are_all_there_is_pings_or_not() -> None:
    wire = Wire(Door())
    wire.login()
    wire.door.clock.now += 20
    assert wire.session.receive("ping") == ("pong",)
    wire.session.push()
    assert wire.session.over is False
    wire.door.clock.now += 10.1
    wire.session.push()
    assert wire.session.over is True


def test_pings_or_data_keep_a_connection() -> None:
    wire = private(Door(), "orders")
    for _ in range(3):
        wire.door.clock.now += 25
        wire.session.receive("ping")
        wire.session.push()
    wire.door.clock.now += 25
    wire.door.order()
    wire.session.push()
    wire.door.clock.now += 29
    wire.session.push()
    assert wire.session.over is False
    wire.door.clock.now += 1.1
    wire.session.push()
    assert wire.session.over is True


def test_one_new_connection_a_second() -> None:
    door = Door()
    Wire(door)
    refused = door.facade.session(StreamRequest(HOST + PUBLIC))
    assert isinstance(refused, Response)
    assert (refused.status, door.facade.counts().over_limit) == (429, 1)
    Wire(door, PUBLIC)
    counts = door.facade.counts().by_endpoint
    assert (counts["GET /ws/private"], counts["GET /ws/public"]) == (1, 2)


def test_a_handshake_is_aimed_at_by_faults_on_streams() -> None:
    upgrade = Request("GET", f"http://blofin.sim{PRIVATE}", {"upgrade": "websocket"})
    assert Door().facade.classify(upgrade).match is Match.STREAM


# --- market data ------------------------------------------------------------------------------------------------------


def test_tickers_come_at_once_and_then_a_second_apart_when_they_move() -> None:
    door = Door()
    wire = public(door, "tickers")
    ((_, (row,)),) = wire.told()
    assert (row["instId"], Decimal(row["last"])) == (BTC, Decimal(50_000))
    door.admin.price({"symbol": "BTCUSDT", "price": "50500"})
    assert wire.told() == []
    door.clock.now += 1
    ((_, (row,)),) = wire.told()
    assert Decimal(row["last"]) == 50_500


def test_a_book_is_whole_first_and_each_change_names_the_message_before() -> None:
    door = Door()
    wire = public(door, "books")
    (whole,) = wire.news()
    assert (whole["action"], whole["data"]["prevSeqId"]) == ("snapshot", "0")
    sides = {side: {str(price): size for price, size in whole["data"][side]} for side in ("bids", "asks")}
    for price in ("50100", "49800"):
        door.admin.price({"symbol": "BTCUSDT", "price": price})
        door.clock.now += 0.2
        (change,) = wire.news()
        assert (change["action"], change["data"]["prevSeqId"]) == ("update", whole["data"]["seqId"])
        whole = change
        for side, levels in sides.items():
            levels |= {str(price): size for price, size in change["data"][side]}
            sides[side] = {price: size for price, size in levels.items() if size}
    bids, asks = door.exchange.book("BTCUSDT", 200)
    assert {Decimal(price) for price in sides["bids"]} == {level.price for level in bids}
    assert {Decimal(price): Decimal(str(size)) for price, size in sides["asks"].items()} == {
        level.price: level.contracts for level in asks
    }
    (five,) = public(door, "books5").news()
    assert (len(five["data"]["bids"]), "seqId" in five["data"]) == (5, False)


def test_trades_funding_and_candles() -> None:
    door = Door()
    trades, funding, candles = (public(door, name) for name in ("trades", "funding-rate", "mark-price-candle1m"))
    assert trades.told() == []
    door.order(side="sell")
    ((_, (trade,)),) = trades.told()
    assert (trade["side"], trade["size"]) == ("sell", "12")
    ((_, (rate,)),) = funding.told()
    assert rate == door.get("market/funding-rate", instId=BTC)["data"][0]
    ((_, (bar,)),) = candles.told()
    assert (len(bar), Decimal(bar[4])) == (6, Decimal(50_000))


def test_what_a_client_asked_is_quoted_in_bounds() -> None:
    assert len(json.loads(Asked.of("x" * 9_999).refused())["msg"]) < 500
