"""Hyperliquid's frames: what a message says, what is left out, and what we send."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_processors.codecs import hyperliquid_stream as codec
from account_processors.codecs.wire import Malformed
from core.domain import ClientId, OrderStatus, Symbol
from tests.unit.account_processors.hyperliquid_golden import RECORDED, value

D = Decimal
BTC = Symbol("BTCUSDT")
USER = "0x" + "11" * 20
MINE = ClientId("0x" + "0a" * 16)


def message(channel: str, data: object) -> codec.Message:
    """As it comes off the wire."""
    return codec.frame(json.dumps({"channel": channel, "data": data}, default=str).encode())


def golden(name: str) -> Any:
    return json.loads(json.dumps(value(name), default=str))


def recorded(name: str) -> list[codec.Message]:
    """The confirmation and the message of a recorded subscription."""
    path = RECORDED / "Subscriptions" / f"{name}.txt"
    if not path.is_file():
        pytest.skip(f"no recorded payloads at {RECORDED}: they are not part of the project")
    _, confirmed, told = path.read_text(encoding="utf-8-sig").split("\n", 2)
    return [codec.frame(text[2:].encode()) for text in (confirmed, told)]


# --- what we send and what confirms it --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Order", "UserEventTrade"])
def test_what_is_said_and_what_confirms_it_is_as_recorded(name: str) -> None:
    confirmed, told = recorded(name)
    kind = codec.confirmed(confirmed)
    assert kind in ("orderUpdates", "userEvents")
    said = {"method": "subscribe", "subscription": {"type": kind, "user": "mtiz"}}
    assert json.loads(codec.subscription(kind, "mtiz")) == said
    assert confirmed.row() == said
    assert told.channel in ("orderUpdates", "user")


def test_the_end_of_a_subscription_confirms_none() -> None:
    said = {"method": "unsubscribe", "subscription": {"type": "userFills", "user": USER}}
    assert codec.confirmed(message("subscriptionResponse", said)) == ""


def test_a_refusal_is_short_and_printable() -> None:
    assert (
        codec.refusal(message("error", "Already\n subscribed\x1b[2J: " + "x" * 900))
        == ("Already subscribed?[2J: " + "x" * 900)[:200]
    )


@pytest.mark.parametrize("text", ["", "[]", "5", "{}", '{"channel":5}', '{"channel":""}', "{", '{"channel":"a"'])
def test_what_has_no_channel_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        codec.frame(text.encode())


def test_the_greeting_is_bare_text_and_says_nothing() -> None:
    assert codec.frame(b"Websocket connection established.").channel not in (*codec.CHANNELS, "error")


# --- orders -----------------------------------------------------------------------------------------------------------


def test_an_order_of_another_market_is_counted_as_foreign() -> None:
    assert codec.updates(recorded("Order")[1]) == ([], 1)


@pytest.mark.parametrize(
    ("status", "left", "expected", "filled"),
    [
        ("open", "0.012", OrderStatus.OPEN, "0"),
        ("open", "0.004", OrderStatus.OPEN, "0.008"),
        ("filled", "0.0", OrderStatus.DONE, "0.012"),
        ("canceled", "0.004", OrderStatus.DONE, "0.008"),
        ("iocCancelRejected", "0.012", OrderStatus.DONE, "0"),
    ],
)
def test_updates(status: str, left: str, expected: OrderStatus, filled: str) -> None:
    row = golden("order_open")["order"]
    row = {**row, "status": status, "order": {**row["order"], "sz": left}}
    ((told, at_s),), foreign = codec.updates(message("orderUpdates", [row]))
    assert (told.symbol, told.client_id, told.order_id) == (BTC, MINE, "77000000001")
    assert (told.final, told.filled, foreign) == (expected is OrderStatus.DONE, D(filled), 0)
    assert at_s == 1_790_000_000.1


@pytest.mark.parametrize("data", [None, {}, "x", [5], [{}], [{"order": {"coin": "BTC"}, "status": "open"}]])
def test_orders_that_are_none_are_malformed(data: object) -> None:
    with pytest.raises(Malformed):
        codec.updates(message("orderUpdates", data))


# --- fills ------------------------------------------------------------------------------------------------------------


def test_fills_are_of_a_user_and_leave_out_spot() -> None:
    row = codec.about(message("userFills", {"user": USER.upper().replace("X", "x"), "fills": golden("fills")}), USER)
    found, foreign = codec.fills(row, USER)
    assert (len(found), foreign, codec.is_snapshot(row)) == (6, 1, False)
    fill = codec.owned(found[0], {"77000000001": MINE}, lambda venue_s: venue_s - 2.5)
    assert (fill.symbol, fill.contracts, fill.client_id) == (BTC, D("0.005"), MINE)
    assert fill.time == pytest.approx(1_790_000_000.05 - 2.5)


def test_fills_of_somebody_else_are_malformed() -> None:
    with pytest.raises(Malformed, match="somebody else"):
        codec.about(message("userFills", {"user": "0x" + "22" * 20, "fills": []}), USER)


def test_a_snapshot_says_so() -> None:
    assert codec.is_snapshot(message("userFills", {"isSnapshot": True, "user": USER, "fills": []}).row())


# --- the account ------------------------------------------------------------------------------------------------------


def test_the_state_is_that_of_a_read() -> None:
    state = codec.state({"dex": "", "user": USER, "clearinghouseState": golden("state")})
    assert state.equity == D("1234.567891")
    assert state.positions[BTC].contracts == D("-0.0125")


@pytest.mark.parametrize("row", [{}, {"clearinghouseState": None}, {"dex": "xyz", "clearinghouseState": {}}])
def test_no_state_and_that_of_another_exchange_are_malformed(row: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        codec.state(row)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from([USER, "BTC", "0.5"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["user", "fills", "order", "status", "coin", "clearinghouseState"]), inner),
    ),
    max_leaves=8,
)


@given(JSON)
def test_anything_is_understood_or_malformed(data: object) -> None:
    told = message("x", data)
    for read in (
        lambda: codec.updates(told),
        lambda: codec.fills(codec.about(told, USER), USER),
        lambda: codec.state(codec.about(told, USER)),
        lambda: codec.confirmed(told),
        lambda: codec.refusal(told),
    ):
        try:
            read()
        except Malformed:
            pass
