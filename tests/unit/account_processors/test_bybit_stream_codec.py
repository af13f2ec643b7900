"""Bybit's frames: what a message says, what is left out, and what we send."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybit._http_manager import generate_signature

from account_processors.codecs import bybit_stream as codec
from account_processors.codecs.wire import Malformed
from core.domain import (
    ClientId,
    Equity,
    Fill,
    MarginMode,
    OrderOutcome,
    OrderStatus,
    Position,
    Symbol,
    VenueEvent,
    VenueEventKind,
)
from core.errors import Denied
from tests.unit.account_processors.bybit_golden import frame, pushed

D = Decimal
BTC, ETH, XRP = Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("XRPUSDT")
MINE = ClientId("0123456789abcdef0123456789abcdef")
AT = 1_790_000_015.0
AHEAD_S = 2.5
VIEW = codec.View(AT, lambda venue_s: venue_s - AHEAD_S, MarginMode.ISOLATED, frozenset({BTC, ETH, XRP}), "USDT")


def message(data: bytes) -> codec.Message:
    found = codec.frame(data)
    assert isinstance(found, codec.Message)
    return found


def said(data: bytes) -> codec.Said:
    found = codec.frame(data)
    assert isinstance(found, codec.Said)
    return found


# --- private messages -------------------------------------------------------------------------------------------------


def test_positions_are_signed_and_flat_ones_are_told() -> None:
    found, foreign = codec.events(message(frame("position")), VIEW)
    assert found == [
        VenueEvent(VenueEventKind.POSITION, AT, one.symbol, position=one)
        for one in (
            Position(BTC, D("-0.012"), D("7.5"), MarginMode.ISOLATED, 8327597863, D("64010.5")),
            Position(ETH, D(0), D(3), MarginMode.ISOLATED, 41),
            Position(XRP, D(0), None, MarginMode.ISOLATED, None),
        )
    ]
    assert foreign == 2


def test_a_position_in_hedge_mode_is_denied_with_the_remedy() -> None:
    with pytest.raises(Denied, match="One-Way"):
        codec.events(message(frame("position_hedge")), VIEW)


def test_orders_say_what_became_of_them() -> None:
    found, foreign = codec.events(message(frame("order")), VIEW)
    partly = OrderOutcome(OrderStatus.DONE, D("0.005"), average_price=D("64010.5"))
    refused = OrderOutcome(OrderStatus.REJECTED, D(0), "EC_NoEnoughQtyToFill")
    assert [(one.kind, one.symbol, one.client_id, one.outcome) for one in found] == [
        (VenueEventKind.ORDER, BTC, MINE, OrderOutcome(OrderStatus.DONE, D("0.012"), average_price=D("64010.5"))),
        (VenueEventKind.ORDER, BTC, ClientId("1" * 32), partly),
        (VenueEventKind.ORDER, BTC, ClientId("2" * 32), refused),
        (VenueEventKind.ORDER, ETH, None, OrderOutcome(OrderStatus.OPEN, D(0))),
    ]  # fmt: skip
    assert foreign == 2


def test_executions_are_fills_in_our_time_and_funding_is_none() -> None:
    found, foreign = codec.events(message(frame("execution")), VIEW)
    fills = [one.fill for one in found if one.fill is not None]
    assert len(fills) == len(found) == 5
    assert fills[0] == Fill(
        symbol=BTC,
        contracts=D("0.010"),
        price=D("64010.5"),
        fee=D("0.3520577"),
        time=1_790_000_010.443 - AHEAD_S,
        exec_id="7e2ae69c-4edf-5800-a352-893d52b446aa",
        client_id=MINE,
        seq=8327597860,
    )
    assert [(one.contracts, one.kind, one.client_id, one.seq) for one in fills[1:]] == [
        (D("0.002"), "trade", MINE, 8327597863),
        (D("-0.3"), "adl", None, 8327597870),
        (D("-0.2"), "liquidation", None, 8327597871),
        (D("-0.1"), "settlement", None, 8327597872),
    ]
    assert [one.client_id for one in found] == [one.client_id for one in fills]
    assert {one.at for one in found} == {AT}
    assert foreign == 2


def test_equity_is_that_of_the_settle_coin_and_another_coin_is_no_news() -> None:
    found, _ = codec.events(message(frame("wallet")), VIEW)
    assert found == [VenueEvent(VenueEventKind.EQUITY, AT, equity=Equity(D("11726.64664904"), "USDT", AT))]
    assert codec.events(message(frame("wallet_other_coin")), VIEW) == ([], 0)


def test_a_topic_nobody_asked_for_is_counted_and_left_out() -> None:
    assert codec.events(message(b'{"topic":"greeks","creationTime":1,"data":[{},{}]}'), VIEW) == ([], 2)


def test_when_a_message_was_made() -> None:
    assert codec.created_s(message(frame("order"))) == pytest.approx(1_790_000_010.45)


RECORDED = [
    ("Private/UserTrades", XRP, VenueEventKind.FILL),
    ("Private/Balance", None, None),
    ("Private/Order", None, None),
]


@pytest.mark.parametrize(("name", "symbol", "kind"), RECORDED)
def test_recorded_messages_are_read(name: str, symbol: Symbol | None, kind: VenueEventKind | None) -> None:
    found, foreign = codec.events(message(pushed(name)), VIEW)
    assert [(one.symbol, one.kind) for one in found] == ([] if kind is None else [(symbol, kind)])
    assert foreign == (1 if name == "Private/Order" else 0)


def test_a_recorded_fill_in_figures() -> None:
    (event,), _ = codec.events(message(pushed("Private/UserTrades")), VIEW)
    assert event.fill == Fill(
        XRP, D(-25), D("0.3374"), D("0.005061"), 1_672_364_174.443 - AHEAD_S,
        "7e2ae69c-4edf-5800-a352-893d52b446aa", None, 4688002127,
    )  # fmt: skip


def test_a_recorded_position_is_one_of_hedge_mode() -> None:
    with pytest.raises(Denied):
        codec.events(message(pushed("Private/Position")), VIEW)


@pytest.mark.parametrize("name", ["position", "order", "execution", "wallet"])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_spoilt_message_is_malformed_or_denied_and_never_another_error(name: str, data: st.DataObject) -> None:
    body = json.loads(frame(name))
    row = body["data"][data.draw(st.integers(0, len(body["data"]) - 1))]
    key = data.draw(st.sampled_from(sorted(row)))
    spoilt = [
        "",
        "x",
        "1e999",
        "-1e999",
        "NaN",
        None,
        True,
        [],
        {},
        -1,
        0,
        "-0",
        "1e-9",
        10**400,
        "🙂",
        [1],
        {"coin": 1},
    ]
    row[key] = data.draw(st.sampled_from(spoilt))
    body = data.draw(st.sampled_from([body, body | {"data": row}, body | {"data": [row, 1]}, body | {"data": None}]))
    with contextlib.suppress(Malformed, Denied):
        found, _ = codec.events(message(json.dumps(body).encode()), VIEW)
        for one in found:
            assert one.symbol in (*VIEW.known, None)


# --- tickers ----------------------------------------------------------------------------------------------------------


def test_a_snapshot_and_a_delta() -> None:
    whole, delta = (codec.ticker(message(frame(f"ticker_{kind}"))) for kind in ("snapshot", "delta"))
    assert whole is not None
    assert delta is not None
    assert [(one.symbol, one.whole) for one in (whole, delta)] == [("BTCUSDT", True), ("BTCUSDT", False)]
    assert [one.made_s for one in (whole, delta)] == pytest.approx([1_790_000_010.5, 1_790_000_010.6])
    assert whole.row["markPrice"] == "64000.10"
    assert set(delta.row) == {"symbol", "markPrice", "bid1Price", "bid1Size"}


def test_a_recorded_ticker_is_a_snapshot() -> None:
    ticker = codec.ticker(message(pushed("Linear/Ticker")))
    assert ticker is not None
    assert (ticker.symbol, ticker.whole, ticker.row["markPrice"]) == ("BTCUSDT", True, "17217.33")


def test_other_topics_are_no_tickers() -> None:
    assert codec.ticker(message(frame("wallet"))) is None


SPOILT_TICKERS = [
    {"topic": "tickers.ETHUSDT"},
    {"type": "news"},
    {"type": None},
    {"data": []},
    {"data": {"markPrice": "1"}},
    {"ts": "soon"},
    {"ts": None},
    {"ts": 10**18},
]


@pytest.mark.parametrize("change", SPOILT_TICKERS)
def test_a_ticker_that_is_not_as_documented_is_malformed(change: dict[str, object]) -> None:
    body = json.loads(frame("ticker_snapshot")) | change
    with pytest.raises(Malformed):
        codec.ticker(message(json.dumps(body).encode()))


# --- answers ----------------------------------------------------------------------------------------------------------

ANSWERS = [
    ("login", codec.Said("auth", True, "", "auth")),
    ("login_refused", codec.Said("auth", False, "Params Error", "auth")),
    ("subscribed", codec.Said("subscribe", True, "", "position")),
    (
        "subscription_refused",
        codec.Said("subscribe", False, "error:handler not found,topic:tickers.NOSUCH", "tickers.NOSUCH"),
    ),
    ("pong", codec.Said("pong", True, "", "")),
    ("pong_public", codec.Said("ping", True, "pong", "")),
]


@pytest.mark.parametrize(("name", "expected"), ANSWERS)
def test_answers(name: str, expected: codec.Said) -> None:
    assert said(frame(name)) == expected


def test_a_success_that_is_not_true_is_none() -> None:
    assert not said(b'{"op":"auth","success":"true"}').ok
    assert not said(b'{"op":"auth","success":1}').ok


def test_the_venues_words_can_be_shown() -> None:
    assert said(b'{"op":"auth","success":false,"ret_msg":"a\\ud800b \\n\\u0007c"}').why == "a?b ?c"


NO_FRAMES = [b"", b"[]", b"{}", b"null", b"pong", b'{"topic":""}', b'{"op":"","success":false}', b'{"op":1}',
             b'{"topic":"wallet","topic":"wallet"}', b'{"topic":"wallet","data":NaN}', b'{"topic":"wall', b"\xff\xfe",
             b'{"retCode":0}']  # fmt: skip


@pytest.mark.parametrize("data", NO_FRAMES)
def test_what_is_neither_answer_nor_message_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        codec.frame(data)


# --- what we send -----------------------------------------------------------------------------------------------------


def test_the_login_is_signed_as_the_official_client_signs_it() -> None:
    asked = json.loads(codec.login("a-key", "a-secret", 1_790_000_020_000))
    expected = generate_signature(False, "a-secret", "GET/realtime1790000020000")
    assert asked["op"] == "auth"
    assert asked["args"] == ["a-key", 1_790_000_020_000, expected]


def test_topics_are_chosen_by_name() -> None:
    assert json.loads(codec.choice(codec.SUBSCRIBE, codec.TOPICS)) == {
        "req_id": "position",
        "op": "subscribe",
        "args": ["position", "order", "execution", "wallet"],
    }
    assert json.loads(codec.choice(codec.UNSUBSCRIBE, [codec.ticker_topic(BTC)]))["args"] == ["tickers.BTCUSDT"]
    assert json.loads(codec.PING) == {"op": "ping"}
