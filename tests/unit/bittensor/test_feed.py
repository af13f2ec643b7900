"""Reading a reply: however it is cut into pieces the same, and anything that is no reply refused, in bounded memory."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signal_processors.bittensor_feed import MAX_RECORD_BYTES, ReplyReader, read_reply
from signal_processors.bittensor_traders import BadReply, View
from tests.unit.bittensor.replies import (
    ASSETS,
    NOW_MS,
    encoded,
    good_miner,
    miner,
    order,
    position,
    read,
)

VIEW = View(frozenset(ASSETS), Decimal("0.5"), None, NOW_MS + 10_000)
TWO = {"5A": good_miner(), "5B": good_miner(-0.2, "ETHUSD", all_time_returns=1.5)}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_trader_as_the_specification_shows_it() -> None:
    """The example of the source's own description, zero instants and null included."""
    reply = b"""{"5Hot": {"all_time_returns": 1.0645, "thirty_day_returns": 1.02, "n_positions": 71,
     "percentage_profitable": 0.507, "positions": [{"trade_pair": ["BTCUSD","BTC/USD",0.003,0.01,0.5],
     "orders": [{"order_type":"LONG","leverage":0.03137,"price":83024.24,"processed_ms":1743772817444,
     "order_uuid":"x"}],
     "is_closed_position": false, "open_ms": 0, "close_ms": null, "net_leverage": 0.03, "current_return": 1.0,
     "return_at_close": null, "position_type": "LONG", "position_uuid": "p"}]}}"""
    found = read(reply)["5Hot"]
    assert (found.all_time, found.thirty_day) == (Decimal("1.0645"), Decimal("1.02"))
    [only] = found.positions
    assert (only.net, only.entry_size, only.entry_value) == (
        Decimal("0.03137"),
        Decimal("0.03137"),
        Decimal("0.03137") * Decimal("83024.24"),
    )
    assert (only.open_ms, only.closed_ms, only.newest_ms) == (0, None, 1743772817444)
    assert only.won == 0


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1_000_000])
@pytest.mark.parametrize("indent", [None, 2])
def test_pieces_of_any_size_are_the_same_reply(size: int, indent: int | None) -> None:
    data = json.dumps(TWO, indent=indent).encode()
    assert read_reply(pieces(data, size), VIEW) == read_reply(iter([data]), VIEW)
    assert list(read(data)) == ["5A", "5B"]


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=8), tight=st.booleans(), more=st.booleans())
def test_cuts_change_nothing(cuts: list[int], tight: bool, more: bool) -> None:
    reply: dict[str, Any] = {**TWO, "5C": miner()} if more else TWO
    data = json.dumps(reply, separators=(",", ":") if tight else None).encode() + b" \n"
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = (data[a:b] for a, b in itertools.pairwise(edges))
    assert read_reply(parts, VIEW) == read(data)


def test_unknown_fields_and_objects_beside_the_positions_are_passed_over() -> None:
    strange = {"scores": {"a": {"b": 1}, "c": {"d": {}}}, "note": '},"5X": {"positions": [', "x": [{"a": 1}, {"b": {}}]}
    reply = {"5A": {**strange, **good_miner()}, "5B": {**good_miner(), **strange}}
    plainly = read({name: good_miner() for name in reply})
    assert read(reply) == plainly
    assert read_reply(pieces(encoded(reply), 50), VIEW) == plainly


def test_texts_with_colons_do_not_make_a_key_stand_twice() -> None:
    late = position(1.01)
    late["note"] = "12:30:00"
    assert len(read({"5A": miner(late)})["5A"].positions) == 1


def test_positions_on_assets_that_do_not_count_are_not_looked_at() -> None:
    odd = {"trade_pair": ["EURUSD", "EUR/USD", 0.1, 0.1, 500], "orders": "?", "open_ms": -3}
    assert read({"5A": miner(odd)})["5A"].positions == ()


def test_an_unchanged_record_is_not_parsed_again() -> None:
    seen: list[str] = []
    first = ReplyReader(VIEW, see=lambda hotkey, record: seen.append(hotkey))
    first.take(encoded(TWO))
    before = first.finish()
    changed = {**TWO, "5B": good_miner(-0.3, "ETHUSD")}
    second = ReplyReader(VIEW, first.known, lambda hotkey, record: seen.append(hotkey))
    second.take(encoded(changed))
    after = second.finish()
    assert seen == ["5A", "5B", "5B"]
    assert after["5A"] is before["5A"]
    assert after["5B"] != before["5B"]


def reread(before: object, after: object) -> tuple[dict[str, Any], list[int]]:
    """The traders of `after`, read knowing `before`, and how many positions of each record were parsed for it."""
    first = ReplyReader(VIEW)
    first.take(encoded(before))
    first.finish()
    parsed: list[int] = []
    second = ReplyReader(VIEW, first.known, lambda hotkey, record: parsed.append(len(record["positions"])))
    second.take(encoded(after))
    return second.finish(), parsed


def history(count: int, *, strange: bool = False) -> list[dict[str, Any]]:
    found = [position(1.0 + n / 1000, 500.0 - n, 0.5, ASSETS[n % 2]) for n in range(count)]
    if strange:
        found[3]["trade_pair"] = ["EURUSD", "EUR/USD", 0.1, 0.1, 500]
        found[4]["note"] = {"a": {"b": "}, {"}}
    return found


@pytest.mark.parametrize("strange", [False, True])
def test_of_a_changed_record_only_the_end_is_parsed(strange: bool) -> None:
    past, held = history(40, strange=strange), position(1.01, 2.0, None)
    before = {"5A": miner(*past, held)}
    for after, count in (
        ({"5A": miner(*past, {**held, "current_return": 1.02}, all_time_returns=1.07)}, 1),
        ({"5A": miner(*past, position(1.03, 2.0, 1.0), position(0.9, 1.0, None))}, 2),
        ({"5A": miner({**past[0], "return_at_close": 1.5}, *past[1:], held)}, 41),
        ({"5A": miner(*past[:-1], held)}, 40),
        ({"5A": miner(*past)}, 40),
        ({"5A": {"positions": [], "more": miner(*past, {**held, "current_return": 1.02})}}, 0),
    ):
        found, parsed = reread(before, after)
        assert parsed == [count]
        assert found == read(after)


def test_a_past_that_grew_is_learnt_anew() -> None:
    past, held = history(40), position(1.01, 2.0, None)
    reader = ReplyReader(VIEW)
    for grown in range(0, 40, 4):
        parsed: list[int] = []

        def see(hotkey: str, record: Mapping[str, Any], to: list[int] = parsed) -> None:
            to.append(len(record["positions"]))

        reader = ReplyReader(VIEW, reader.known, see)
        reply = {"5A": miner(*past, *history(grown), {**held, "current_return": 1.01 + grown / 1000})}
        reader.take(encoded(reply))
        assert reader.finish() == read(reply)
        assert parsed[0] <= 17 or parsed[0] == 41 + grown


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_knowing_an_earlier_reply_never_changes_what_a_later_one_says(data: st.DataObject) -> None:
    pool = [*history(14), position(1.01, 3.0, None), position(0.99, 2.0, None, "ETHUSD")]
    choose = st.lists(st.sampled_from(pool), max_size=18)
    before, after = data.draw(choose), data.draw(choose)
    found, _ = reread({"5A": miner(*pool[:10], *before)}, {"5A": miner(*pool[:10], *after)})
    assert found == read({"5A": miner(*pool[:10], *after)})


@pytest.mark.parametrize(
    ("leverages", "net", "entry"),
    [
        ((0.1,), "0.1", "60000"),
        ((0.1, 0.1), "0.2", "61000"),
        ((0.1, -0.05, 0.05), "0.1", "60000"),
        ((-0.1, -0.1), "-0.2", "61000"),
        ((0.1, -0.3), "-0.2", "61500"),
        ((0.1, -0.1), "0", "60000"),
    ],
)
def test_net_and_entry(leverages: tuple[float, ...], net: str, entry: str) -> None:
    """Entries are the orders that took |net| up: the third order above closes and reopens, a flip counts whole."""
    prices = (60_000.0, 62_000.0, 60_000.0)
    [found] = read({"5A": miner(position(1.0, 2, None, leverages=leverages, prices=prices))})["5A"].positions
    assert found.net == Decimal(net)
    assert found.entry_value / found.entry_size == Decimal(entry)


def test_any_flat_order_ends_a_position_that_is_called_open() -> None:
    held = position(1.0, 2, None)
    held["orders"].append(order(0.0, held["open_ms"] + 5, kind="FLAT"))
    held["orders"].append(order(0.2, held["open_ms"] + 9))
    [found] = read({"5A": miner(held)})["5A"].positions
    assert found.net == found.entry_size == 0


def test_orders_count_in_the_order_of_their_time() -> None:
    held = position(1.0, 2, None, leverages=(0.1, -0.05), prices=(60_000.0, 61_000.0))
    held["orders"].reverse()
    [found] = read({"5A": miner(held)})["5A"].positions
    assert found.entry_value / found.entry_size == 60_000


# --- what is refused --------------------------------------------------------------------------------------------------


def altered(**fields: object) -> dict[str, Any]:
    held = position(1.0, 2, None)
    for name, value in fields.items():
        if value is KeyError:
            del held[name]
        else:
            held[name] = value
    return {"5A": good_miner(), "5B": miner(held)}


def ordered(**fields: object) -> dict[str, Any]:
    held = position(1.0, 2, None)
    held["orders"][0].update(fields)
    return {"5B": miner(held)}


WHOLE = encoded(TWO)
BAD: list[tuple[object, str]] = [
    (b"", "is empty"),
    (b"  \n", "is empty"),
    (b"{}", "no trader at all"),
    (b" { } ", "no trader at all"),
    (b"[]", "not the JSON of traders"),
    (b"null", "not the JSON of traders"),
    (b"<html>oops</html>", "not the JSON of traders"),
    (b'{"error": "unauthorized"}', '"error"'),
    (b"{5: 1}", "not the JSON of traders"),
    (WHOLE[: len(WHOLE) // 2], "breaks off"),
    (WHOLE[:-1], "breaks off"),
    (WHOLE[:-2], "breaks off"),
    (WHOLE + b"}", "breaks off"),
    (WHOLE + b" x", "breaks off"),
    (WHOLE + WHOLE, "no JSON"),
    (WHOLE.replace(b'"current_return": 1.001', b'"current_return": NaN', 1), "no JSON"),
    (WHOLE.replace(b'"current_return": 1.001', b'"current_return": 1e999', 1), "current_return"),
    (WHOLE.replace(b'"current_return": 1.001', b'"current_return": 1.0, "current_return": 1.001', 1), "second time"),
    (WHOLE.replace(b'"leverage": 0.1,', b'"leverage": 0.4, "leverage": 0.1,', 1), "second time"),
    (WHOLE.replace(b'"5B"', b'"5A"', 1), "5A twice"),
    (WHOLE.replace(b"BTCUSD", b"\xff\xfe", 1), "no JSON"),
    (b'{"5A": {"positions": ' + b"[" * 500 + b"]" * 500 + b"}}", "no JSON"),
    ({"5A": {"all_time_returns": 1.0}}, "positions is missing"),
    ({"5A": {"positions": {}}}, "positions is an object"),
    ({"5A": miner(all_time_returns="1.05")}, "all_time_returns is a text"),
    ({"5A": miner(all_time_returns=-1)}, "all_time_returns is -1"),
    ({"5A": {"positions": [7]}}, "positions\\[0\\]: is not an object"),
    (altered(orders=KeyError), "5B: positions\\[0\\]: orders is missing"),
    (altered(open_ms=KeyError), "open_ms is missing"),
    (altered(open_ms=-1), "open_ms is -1"),
    (altered(open_ms=1.5), "open_ms is 1.5"),
    (altered(current_return=KeyError), "current_return is missing"),
    (altered(current_return=None), "current_return is None"),
    (altered(current_return=-0.1), "current_return is -0.1"),
    (altered(current_return=10**6), "current_return is 1000000"),
    (altered(is_closed_position=KeyError), "is_closed_position is missing"),
    (altered(is_closed_position="no"), "is_closed_position is a text"),
    (altered(is_closed_position=True), "return_at_close is None"),
    (altered(is_closed_position=True, close_ms=5, return_at_close=1.0), "closed before it was opened"),
    (altered(trade_pair=[]), "trade_pair is a list"),
    (altered(trade_pair=None), "trade_pair is None"),
    (altered(position_uuid=KeyError), "position_uuid is missing"),
    (altered(open_ms=NOW_MS + 60_000), "future"),
    (ordered(processed_ms=NOW_MS + 60_000), "future"),
    (ordered(processed_ms=-5), "processed_ms"),
    (ordered(processed_ms="1"), "processed_ms"),
    (ordered(leverage=None), "leverage is None"),
    (ordered(leverage=10.5), "leverage is 10.5; at most 10"),
    (ordered(leverage=-1e9), "leverage is -1000000000.0"),
    (ordered(price=0), "price is 0"),
    (ordered(price=-1.0), "price is -1.0"),
    (ordered(order_type="BUY"), "order_type is a text"),
]


@pytest.mark.parametrize(("reply", "words"), BAD)
@pytest.mark.parametrize("size", [64, 10**9])
def test_what_is_no_reply_is_refused(reply: object, words: str, size: int) -> None:
    data = reply if isinstance(reply, bytes) else encoded(reply)
    with pytest.raises(BadReply, match=words):
        read_reply(pieces(data, size), VIEW)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_damage_is_refused_or_harmless(at: int, byte: int, cut: bool) -> None:
    """Never anything but BadReply, and never a part of a reply for the whole."""
    data = WHOLE[:at] if cut else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    try:
        found = read_reply(iter([data]), VIEW)
    except BadReply:
        return
    assert not cut
    assert len(found) == 2


def endless(begin: bytes, piece: bytes, count: int = 1600) -> Iterator[bytes]:
    """A beginning and then 100 MB of the same."""
    yield begin
    for _ in range(count):
        yield piece


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b" " * 65_536),
        (b"{", b" " * 65_536),
        (b'{"5A": {"positions": "', b"x" * 65_536),
        (b'{"5A": {"positions": [', b"1," * 32_768),
        (b'{"5A": {"positions": [', b"[" * 65_536),
        (b'{"5A": {', b'"a":{},"b":{},' * 4_681),
        (b'{"5A": {"positions": [', b'{},"a": {' * 7_281),
        (b"", b"x" * 65_536),
    ],
)
def test_a_hundred_megabytes_of_nonsense_cost_little_memory(begin: bytes, piece: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadReply):
            read_reply(endless(begin, piece), VIEW)
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_RECORD_BYTES
    finally:
        tracemalloc.stop()


# --- as it stood at an instant ----------------------------------------------------------------------------------------


def test_as_of_drops_what_came_later() -> None:
    early, late = position(1.02, age_h=10, lasts_h=1), position(1.05, age_h=5, lasts_h=2, leverages=(0.1, 0.2))
    reply = {"5A": miner(early, late)}
    assert len(read(reply, as_of_ms=late["open_ms"] - 1)["5A"].positions) == 1
    at_open = read(reply, as_of_ms=late["open_ms"])["5A"].positions[1]
    assert (at_open.closed_ms, at_open.net, at_open.won) == (None, Decimal("0.1"), Decimal("0.05"))
    assert at_open.newest_ms == late["open_ms"]
    assert read(reply, as_of_ms=late["open_ms"] + 1000)["5A"].positions[1].net == Decimal("0.1") + Decimal("0.2")
    at_close = read(reply, as_of_ms=late["close_ms"])["5A"].positions[1]
    assert at_close.closed_ms == late["close_ms"]
    assert at_close.net == 0
    assert read(reply, as_of_ms=late["open_ms"] + 999)["5A"].positions[1].net == Decimal("0.1")
    assert read(reply, as_of_ms=late["open_ms"])["5A"].positions[0].closed_ms == early["close_ms"]


def test_a_close_without_an_instant_is_that_of_the_last_order() -> None:
    over = position(1.02, age_h=10, lasts_h=1)
    expected, over["close_ms"] = over["close_ms"], None
    assert read({"5A": miner(over)})["5A"].positions[0].closed_ms == expected
