"""BloFin's frames: what a message says, what is left out, and what we send."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_processors.codecs import blofin
from account_processors.codecs import blofin_stream as codec
from account_processors.codecs.wire import Malformed
from core.domain import ClientId, Equity, Fill, MarginMode, OrderStatus, Position, Symbol, VenueEventKind
from core.errors import Denied
from tests.unit.account_processors.blofin_golden import GOLDEN, RECORDED, payload

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
MINE = ClientId("0123456789abcdef0123456789abcdef")
AT = 1_790_000_015.0
AHEAD_S = 2.5
BITCOIN = blofin.instruments(payload("instruments"))[BTC]
LISTED = {BTC: BITCOIN, ETH: replace(BITCOIN, symbol=ETH, venue_symbol="ETH-USDT")}
SUBSCRIPTIONS = RECORDED.parent.parent / "Subscriptions" / "Futures"


def view() -> codec.View:
    """That of a connection that was told nothing yet."""
    return codec.View(AT, lambda venue_s: venue_s - AHEAD_S, LISTED, codec.Progress())


def message(name: str, *changes: dict[str, Any]) -> codec.Message:
    """A golden message; with `changes` its rows are the first one, changed so."""
    body = json.loads((GOLDEN / f"stream_{name}.json").read_text())
    if changes:
        body["data"] = [body["data"][0] | change for change in changes]
    found = codec.frame(json.dumps(body).encode())
    assert isinstance(found, codec.Message)
    return found


def fills(found: list[codec.News]) -> list[Fill]:
    return [one.event.fill for one in found if one.event.fill is not None]


# --- positions --------------------------------------------------------------------------------------------------------


def test_positions_are_signed_and_have_no_number() -> None:
    found, foreign = codec.events(message("positions"), view())
    assert [one.event.position for one in found] == [
        Position(BTC, D(-12), D(3), MarginMode.ISOLATED, None, D("64900.5")),
        Position(ETH, D(0), D(5), MarginMode.ISOLATED, None),
    ]
    assert ([one.made_s for one in found], foreign) == ([1_790_000_010.02, 1_790_000_011.03], 0)


def test_no_row_is_no_word_about_any_symbol() -> None:
    empty = codec.Message("positions", {"data": []})
    assert codec.events(empty, view()) == ([], 0)


@pytest.mark.parametrize("order", [1, -1])
def test_a_flat_row_beside_an_open_one_says_nothing(order: int) -> None:
    rows = ({}, {"marginMode": "cross", "positions": "0"})[::order]
    (one,), _ = codec.events(message("positions", *rows), view())
    assert one.event.position is not None
    assert (one.event.position.contracts, one.event.position.margin_mode) == (D(-12), MarginMode.ISOLATED)


def test_two_open_positions_of_one_symbol_cannot_be_read() -> None:
    with pytest.raises(Malformed, match="two positions"):
        codec.events(message("positions", {}, {"marginMode": "cross"}), view())


def test_hedge_mode_is_denied() -> None:
    with pytest.raises(Denied, match="One-way"):
        codec.events(message("positions", {"positionSide": "long"}), view())


# --- orders -----------------------------------------------------------------------------------------------------------


def test_a_filled_order_is_one_fill_and_its_end() -> None:
    found, foreign = codec.events(message("orders"), view())
    ours, ended, other = (one.event for one in found)
    assert ours.fill == Fill(
        BTC, D(-12), D(64900), D("0.46728"), 1_790_000_010.02 - AHEAD_S, "28700001:12", MINE, None, "trade"
    )
    assert ended.outcome is not None
    assert (ended.client_id, ended.outcome.status, ended.outcome.filled) == (MINE, OrderStatus.DONE, D(12))
    assert other.fill is not None
    assert (other.fill.contracts, other.fill.client_id, other.fill.kind) == (D("2.5"), None, "liquidation")
    assert foreign == 0


def test_what_is_told_is_cumulative_and_what_is_new_is_one_fill() -> None:
    seen = view()
    stages = [("3", "100", "0.1"), ("3", "100", "0.1"), ("8", "102.5", "0.3"), ("12", "103", "0.5")]
    states = ["partially_filled"] * 3 + ["filled"]
    found = [
        one
        for (filled, average, fee), state in zip(stages, states, strict=True)
        for one in codec.events(
            message("orders", {"filledSize": filled, "averagePrice": average, "fee": fee, "state": state}), seen
        )[0]
    ]
    assert [(one.contracts, one.price, one.fee, one.exec_id) for one in fills(found)] == [
        (D(-3), D(100), D("0.1"), "28700001:3"),
        (D(-5), D(104), D("0.2"), "28700001:8"),
        (D(-4), D(104), D("0.2"), "28700001:12"),
    ]
    assert sum(one.event.kind is VenueEventKind.ORDER for one in found) == 1


def test_an_older_message_of_an_order_says_nothing() -> None:
    seen = view()
    codec.events(message("orders", {}), seen)
    old = message("orders", {"filledSize": "3", "state": "partially_filled"})
    assert codec.events(old, seen) == ([], 0)


def test_a_new_connection_knows_nothing_of_what_was_told_before() -> None:
    codec.events(message("orders", {"filledSize": "3", "state": "partially_filled"}), view())
    (fill,) = fills(codec.events(message("orders", {}), view())[0])
    assert (fill.contracts, fill.exec_id) == (D(-12), "28700001:12")


@pytest.mark.parametrize(
    ("state", "filled", "told"),
    [
        ("live", "0", None),
        ("partially_filled", "3", None),
        ("canceled", "0", (OrderStatus.DONE, D(0))),
        ("partially_canceled", "3", (OrderStatus.DONE, D(3))),
        ("order_failed", "0", (OrderStatus.REJECTED, D(0))),
        ("a_new_word", "0", None),
    ],
)
def test_an_order_is_told_of_when_nothing_more_can_happen_to_it(state: str, filled: str, told: Any) -> None:
    found, _ = codec.events(message("orders", {"state": state, "filledSize": filled}), view())
    outcomes = [one.event.outcome for one in found if one.event.outcome is not None]
    assert [(one.status, one.filled) for one in outcomes] == ([] if told is None else [told])


def test_progress_forgets_the_oldest_orders() -> None:
    seen = view()
    for number in range(codec.ORDERS_KEPT + 1):
        codec.events(message("orders", {"orderId": str(number)}), seen)
    assert len(seen.progress._known) == codec.ORDERS_KEPT
    assert "0" not in seen.progress._known


SIZES = st.lists(st.integers(0, 50), min_size=1, max_size=8)


@given(SIZES, st.randoms(use_true_random=False))
def test_fills_never_add_up_to_more_than_the_order_says(steps: list[int], chance: Any) -> None:
    """Repeated, late and shuffled messages included."""
    total, told = 0, []
    for step in steps:
        total += step
        told.append(total)
    chance.shuffle(told)
    seen, highest, heard = view(), 0, D(0)
    for filled in told:
        row = {"filledSize": str(filled), "state": "partially_filled", "size": "1000"}
        heard += sum((abs(fill.contracts) for fill in fills(codec.events(message("orders", row), seen)[0])), D(0))
        highest = max(highest, filled)
        assert heard == highest


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_the_equity_is_the_settle_coins_own() -> None:
    (one,), foreign = codec.events(message("account"), view())
    assert (one.event.equity, one.made_s, foreign) == (Equity(D("9851.204"), "USDT", AT), None, 0)


@pytest.mark.parametrize("name", ["orders", "positions"])
def test_what_is_not_traded_here_is_counted_and_left_out(name: str) -> None:
    found, foreign = codec.events(message(name, {"instId": "BTC-USD"}, {"instId": "BTCUSDT"}, {}), view())
    assert ({one.event.symbol for one in found}, foreign) == ({BTC}, 2)


def test_other_channels_are_only_counted() -> None:
    assert codec.events(codec.Message("orders-algo", {"data": [{}, {}]}), view()) == ([], 2)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("orders", {"filledSize": None}),
        ("orders", {"filledSize": "1e9999"}),
        ("orders", {"side": "short"}),
        ("orders", {"updateTime": "soon"}),
        ("orders", {"state": None}),
        ("orders", {"instId": 5}),
        ("positions", {"positions": ""}),
        ("positions", {"positionSide": "both"}),
        ("positions", {"marginMode": "fixed"}),
        ("positions", {"updateTime": None}),
    ],
)
def test_a_row_that_is_not_as_documented_fails(name: str, change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        codec.events(message(name, change), view())


@pytest.mark.parametrize(("name", "kinds"), [("Orders", set()), ("Positions2", {"position"}), ("Balances", {"equity"})])
def test_recorded_messages_can_be_read(name: str, kinds: set[str]) -> None:
    file = SUBSCRIPTIONS / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded messages at {SUBSCRIPTIONS}: they are not part of the project")
    text = file.read_text(encoding="utf-8-sig")
    found = codec.frame(text[text.rindex("= ") + 2 :].encode())
    assert isinstance(found, codec.Message)
    assert {one.event.kind.value for one in codec.events(found, view())[0]} == kinds


# --- answers, and what we send ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("login", codec.Said("login", "", "0", "")),
        ("login_refused", codec.Said("error", "", "60009", "Login failed.")),
        ("subscribed", codec.Said("subscribe", "positions", "", "")),
    ],
)
def test_answers(name: str, said: codec.Said) -> None:
    assert codec.frame((GOLDEN / f"stream_{name}.json").read_bytes()) == said
    assert said.ok is (said.event != "error")


def test_a_refusals_words_are_kept_short_and_printable() -> None:
    found = codec.frame(json.dumps({"event": "error", "code": "60012", "msg": "a\x1b[31m\n b" + "x" * 999}).encode())
    assert isinstance(found, codec.Said)
    assert found.why.startswith("a?[31m b")
    assert len(found.why) == 200


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"arg":{}}', b'{"data":[]}', b'{"event":""}', b"pong "])
def test_what_is_neither_answer_nor_message_fails(data: bytes) -> None:
    with pytest.raises(Malformed):
        codec.frame(data)


def test_the_heart_beat_is_text() -> None:
    assert codec.PING == "ping"
    assert codec.frame(b"pong") == codec.Said("pong")


def test_the_login_is_signed_as_ccxt_signs_it() -> None:
    asked = json.loads(codec.login("key", "secret", "phrase", 1_790_000_000_123))
    (given,) = asked["args"]
    witness = ccxt.blofin()
    text = f"/users/self/verifyGET{given['timestamp']}{given['nonce']}"
    digest = witness.hmac(witness.encode(text), witness.encode("secret"), hashlib.sha256)
    assert given["sign"] == witness.string_to_base64(digest)
    assert (asked["op"], given["apiKey"], given["passphrase"]) == ("login", "key", "phrase")
    assert given["timestamp"] == given["nonce"] == "1790000000123"


def test_channels_are_asked_for_by_name() -> None:
    channels = [{"channel": "positions"}, {"channel": "orders"}, {"channel": "account"}]
    assert json.loads(codec.subscription(codec.CHANNELS)) == {"op": "subscribe", "args": channels}


ROWS = [json.loads((GOLDEN / f"stream_{name}.json").read_text())["data"] for name in ("orders", "positions")]
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["1", "-0", "net"]))


@given(st.sampled_from(["orders", "positions", "account", "x"]), st.sampled_from(ROWS), st.data())
def test_whatever_comes_is_read_or_refused(channel: str, rows: list[dict[str, Any]], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(rows[0])))
    body = {"arg": {"channel": channel}, "data": [rows[0] | {name: data.draw(LEAVES)}]}
    with contextlib.suppress(Malformed, Denied):
        found = codec.frame(json.dumps(body).encode())
        assert isinstance(found, codec.Message)
        codec.events(replace(found), view())
