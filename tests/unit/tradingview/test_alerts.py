"""What is an alert and what is not: every rule as a row, then anything at all."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.state import parse_instant
from signal_processors.tradingview_alerts import (
    Alert,
    Body,
    Direction,
    Refusal,
    body_text,
    read_alert,
    read_body,
)
from tests.unit.tradingview.bodies import BAD, flat, long, nested, raw


def judge(body: bytes, max_depth: str = "1") -> Alert | Refusal:
    fields = read_body(body)
    return fields if isinstance(fields, Refusal) else read_alert(fields, Decimal(max_depth))


# --- good ones --------------------------------------------------------------------------------------------------------

DEPTHS = [
    (long(), "0.1408"),
    (long(size="1/4"), "0.25"),
    (long(size="100/100"), "1"),
    (long(size="1/3"), "0.333333333333"),
    (long(size=None, depth="0.25"), "0.25"),
    (raw(depth="0.25", size='"1/4"'), "0.25"),
    (long(size=None, depth=1), "1"),
    (long(direction="short"), "-0.1408"),
    (long(direction="short", size="-14.08/100"), "-0.1408"),
    (long(direction="short", size=None, depth="-0.5"), "-0.5"),
    (long(direction="short", size=None, depth="0.5"), "-0.5"),
    (long(size="0.000000000001/1"), "0.000000000001"),
    (long(size="999999999.999999999999/999999999.999999999999"), "1"),
    (flat(), "0"),
    (flat(size="Exit @ 3263.55"), "0"),
    (flat(size="14.08/100"), "0"),
    (flat(depth="0.25"), "0"),
]


@pytest.mark.parametrize(("body", "depth"), DEPTHS)
def test_depth(body: bytes, depth: str) -> None:
    alert = judge(body)
    assert isinstance(alert, Alert)
    assert f"{alert.depth:f}" == depth


SYMBOLS = [
    ("SOLUSDT", "SOLUSDT"),
    ("BYBIT:SOLUSDT.P", "SOLUSDT"),
    ("BINANCE:1000PEPEUSDT.P", "1000PEPEUSDT"),
    ("SOLUSDT.P", "SOLUSDT"),
    ("CME_MINI:ES1.x", "ES1.x"),
    ("ES1:ES2:ES3", "ES2:ES3"),
    ("SOL.P.P", "SOL.P"),
    ("A" * 64, "A" * 64),
    ("A1", "A1"),
]


@pytest.mark.parametrize(("given", "symbol"), SYMBOLS)
def test_symbol(given: str, symbol: str) -> None:
    alert = judge(long(symbol=given))
    assert isinstance(alert, Alert)
    assert alert.symbol == symbol


def test_every_field() -> None:
    alert = judge(
        long(
            action="sell",
            leverage="3",
            price=152.25,
            time="2026-11-20T09:12:44Z",
            signal_seq="17",
            prev_direction="short",
            event_id="a-1",
            comment={"whatever": [1, None, "x"]},
        )
    )
    assert isinstance(alert, Alert)
    assert (alert.direction, alert.leverage, alert.price) == (Direction.LONG, Decimal(3), Decimal("152.25"))
    assert alert.time == parse_instant("2026-11-20T09:12:44Z")
    assert (alert.signal_seq, alert.prev_direction, alert.event_id) == (17, Direction.SHORT, "a-1")
    assert alert.notes == ()


@pytest.mark.parametrize("leverage", ["1", 1, "125", 125, "2.5", "1.000000000001"])
def test_leverage_in_range(leverage: Any) -> None:
    alert = judge(long(leverage=leverage))
    assert isinstance(alert, Alert)
    assert alert.leverage == Decimal(str(leverage))


def test_nesting_may_be_32_levels() -> None:
    assert isinstance(judge(nested(32)), Alert)


def test_unknown_fields_may_hold_numbers_that_ours_may_not() -> None:
    """`{{volume}}` easily has more than nine digits."""
    assert isinstance(judge(raw(volume="123456789012345.5", tiny="1e-300")), Alert)


def test_max_depth_counts_for_entries() -> None:
    assert isinstance(judge(long(size="20/100"), "0.2"), Alert)
    assert judge(long(size="20.1/100"), "0.2") == Refusal("size", "asks for a depth of 0.201; max_depth allows 0.2")
    assert isinstance(judge(long(size=None, direction="short", depth="-0.21"), "0.2"), Refusal)
    assert isinstance(judge(flat(depth="1"), "0.2"), Alert)


# --- bad ones ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "field"), BAD.values(), ids=BAD)
def test_refused(body: bytes, field: str) -> None:
    found = judge(body)
    assert isinstance(found, Refusal), found
    assert found.field == field
    assert found.reason


def test_refusals_cover_many_classes() -> None:
    assert len(BAD) >= 50


def test_an_unfilled_placeholder_is_named_as_one() -> None:
    found = judge(long(direction="{{strategy.market_position}}"))
    assert isinstance(found, Refusal)
    assert "placeholder" in found.reason


def test_a_long_value_is_shortened() -> None:
    found = judge(long(direction="x" * 10_000))
    assert isinstance(found, Refusal)
    assert len(found.reason) < 200


# --- flat never fails for what it does not need -----------------------------------------------------------------------

UNNEEDED = [
    {"price": "NaN"},
    {"price": 0},
    {"leverage": "0"},
    {"leverage": None},
    {"leverage": [1]},
    {"size": 5},
    {"size": "abc"},
    {"depth": "7"},
    {"depth": None},
    {"action": "close"},
    {"time": "yesterday"},
    {"signal_seq": "x"},
    {"prev_direction": ""},
    {"event_id": "a b"},
    {"event_id": None},
]


@pytest.mark.parametrize("field", UNNEEDED, ids=str)
def test_flat_needs_symbol_and_direction_only(field: dict[str, Any]) -> None:
    alert = judge(flat(**field), "0.01")
    assert isinstance(alert, Alert)
    assert alert.depth == 0


def test_flat_says_what_it_did_not_use_and_uses_the_rest() -> None:
    alert = judge(flat(time="yesterday", signal_seq=4, price="x", leverage="3"))
    assert isinstance(alert, Alert)
    assert (alert.time, alert.signal_seq, alert.price, alert.leverage) == (None, 4, None, Decimal(3))
    assert [note.split()[0] for note in alert.notes] == ["time", "price"]


# --- anything at all --------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
names = st.sampled_from(
    ["symbol", "direction", "size", "depth", "leverage", "price", "time", "action", "signal_seq", "event_id"]
)
plausible = st.sampled_from(
    ["SOLUSDT", "long", "short", "flat", "1/2", "-1/2", "0.5", "-0.5", "3", "2026-11-20T09:12:44Z", "buy", 1, 0.5]
)


@given(st.binary(max_size=600))
def test_any_bytes_are_judged(body: bytes) -> None:
    assert isinstance(judge(body), Alert | Refusal)


@given(st.dictionaries(names, plausible | values), st.sampled_from(["1", "0.3"]))
def test_any_fields_are_judged_and_no_alert_breaks_the_rules(fields: dict[str, Any], max_depth: str) -> None:
    found = judge(json.dumps(fields).encode(), max_depth)
    if isinstance(found, Refusal):
        assert found.reason
        return
    assert abs(found.depth) <= Decimal(max_depth)
    sign = {Direction.LONG: 1, Direction.SHORT: -1, Direction.FLAT: 0}[found.direction]
    assert (found.depth > 0) - (found.depth < 0) == sign
    assert found.leverage is None or 1 <= found.leverage <= 125
    assert found.price is None or found.price > 0


@given(st.binary(max_size=80), st.integers(0, 200))
def test_a_damaged_alert_is_judged(damage: bytes, place: int) -> None:
    good = long(time="2026-11-20T09:12:44Z", comment="x")
    assert isinstance(judge(good[:place] + damage + good[place + len(damage) :]), Alert | Refusal)


# --- bodies -----------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), values, max_size=6))
def test_a_body_reads_back_as_it_was(fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()
    read = read_body(body)
    if isinstance(read, Refusal):
        return
    text = body_text(read)
    assert text.isascii()
    assert "\n" not in text
    assert read_body(text.encode()) == read
    assert Body.of(read).text == text


def test_numbers_stay_as_they_were_written() -> None:
    read = read_body(b'{"a":1.50,"b":1e2,"c":-0,"d":0.0000001}')
    assert body_text(read) == '{"a":1.50,"b":1e2,"c":0,"d":0.0000001}'


def test_digests_tell_content_not_order() -> None:
    def digest(text: bytes) -> str:
        read = read_body(text)
        assert isinstance(read, dict)
        return Body.of(read).digest

    assert digest(b'{"a":1,"b":"2"}') == digest(b'{ "b":"2" , "a":1}')
    different = [b'{"a":1,"b":"2"}', b'{"a":"1","b":"2"}', b'{"a":1.0,"b":"2"}', b'{"a":1}', b'{"a":true,"b":"2"}']
    assert len({digest(text) for text in different}) == len(different)
