"""Signal documents: read whole or not at all, every refusal names its field; written so that reading gives it back."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Document, Signal, SourceName
from core.errors import ConfigError
from core.state import parse_document, render_document

EXAMPLE = b"""{"schema": 1, "source": "tradingview", "revision": 412, "written_at": "2026-11-20T09:12:44.123Z",
 "signals": {"BTCUSDT": {"depth": "0.1408", "timestamp": "2026-11-20T09:12:44.101Z", "leverage": "3",
             "price": "64617.05", "meta": {"event": "e1", "raw": "2026-11-20.jsonl:88"}}}}"""


def test_reads_the_documented_example() -> None:
    assert parse_document(EXAMPLE) == Document(
        source=SourceName("tradingview"),
        revision=412,
        written_at=1795165964.123,
        signals={
            "BTCUSDT": Signal(
                depth=Decimal("0.1408"),
                timestamp=1795165964.101,
                leverage=Decimal(3),
                price=Decimal("64617.05"),
                meta={"event": "e1", "raw": "2026-11-20.jsonl:88"},
            )
        },
    )


def test_numbers_may_be_numbers_and_never_become_floats() -> None:
    text = (
        EXAMPLE.replace(b'"0.1408"', b"-0.10000000000000000001").replace(b'"3"', b"3").replace(b'"64617.05"', b"1e-7")
    )
    signal = parse_document(text).signals["BTCUSDT"]
    assert signal.depth == Decimal("-0.10000000000000000001")
    assert signal.leverage == 3
    assert signal.price == Decimal("0.0000001")


def test_what_may_be_left_out_and_what_is_ignored() -> None:
    text = b"""{"schema": 1, "later": [1], "source": "s", "revision": 0, "written_at": "2026-11-20T09:12:44Z",
        "signals": {"BTC/USD": {"depth": 0, "timestamp": "2026-11-20T09:12:44Z", "leverage": null, "mood": 7}}}"""
    assert parse_document(text).signals == {"BTC/USD": Signal(depth=Decimal(0), timestamp=1795165964.0)}
    empty = b'{"schema":1,"source":"s","revision":0,"written_at":"2026-11-20T09:12:44Z","signals":{}}'
    assert parse_document(empty).signals == {}


WRONG: list[tuple[str, str, object, str]] = [
    ("schema", "schema", None, "whole number"),
    ("newer schema", "schema", 2, "written by a newer version"),
    ("schema as text", "schema", "1", "whole number"),
    ("schema true", "schema", True, "whole number"),
    ("source", "source", "Trading View", "not a source name"),
    ("source path", "source", "../x", "not a source name"),
    ("source number", "source", 7, "must be a text"),
    ("revision", "revision", -1, "at least 0"),
    ("revision fraction", "revision", 1.5, "whole number"),
    ("written_at", "written_at", "yesterday", "not an instant"),
    ("written_at number", "written_at", 1795165964, "must be a text"),
    ("signals", "signals", [], "must be an object"),
    ("signal", "signals.BTCUSDT", 5, "must be an object"),
    ("depth", "signals.BTCUSDT.depth", "1.0000001", "outside -1 to 1"),
    ("depth below", "signals.BTCUSDT.depth", "-1.1", "outside -1 to 1"),
    ("depth fat finger", "signals.BTCUSDT.depth", 14.08, "outside -1 to 1"),
    ("depth empty", "signals.BTCUSDT.depth", "", "must be a number"),
    ("depth null", "signals.BTCUSDT.depth", None, "must be a number"),
    ("depth true", "signals.BTCUSDT.depth", True, "must be a number"),
    ("depth exponent text", "signals.BTCUSDT.depth", "1e-1", "must be a number"),
    ("depth NaN text", "signals.BTCUSDT.depth", "NaN", "must be a number"),
    ("depth infinite text", "signals.BTCUSDT.depth", "Infinity", "must be a number"),
    ("depth other digits", "signals.BTCUSDT.depth", "0.１", "must be a number"),
    ("depth underscore", "signals.BTCUSDT.depth", "0.1_0", "must be a number"),
    ("depth blank", "signals.BTCUSDT.depth", " 0.1", "must be a number"),
    ("depth plus", "signals.BTCUSDT.depth", "+0.1", "must be a number"),
    ("depth list", "signals.BTCUSDT.depth", [0.1], "must be a number"),
    ("timestamp", "signals.BTCUSDT.timestamp", "2026-11-20", "not an instant"),
    ("leverage", "signals.BTCUSDT.leverage", "0", "not above 0"),
    ("leverage below", "signals.BTCUSDT.leverage", -3, "not above 0"),
    ("price", "signals.BTCUSDT.price", "0.0", "not above 0"),
    ("price word", "signals.BTCUSDT.price", "market", "must be a number"),
    ("meta", "signals.BTCUSDT.meta", "x", "must be an object"),
]


@pytest.mark.parametrize(("field", "value", "problem"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_field_is_named(field: str, value: object, problem: str) -> None:
    document = json.loads(EXAMPLE)
    *above, name = field.split(".")
    holder = document
    for step in above:
        holder = holder[step]
    holder[name] = value
    with pytest.raises(ConfigError) as caught:
        parse_document(json.dumps(document).encode(), "signals/tradingview.json")
    assert caught.value.where == f"signals/tradingview.json: {field}"
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "field",
    ["schema", "source", "revision", "written_at", "signals", "signals.BTCUSDT.depth", "signals.BTCUSDT.timestamp"],
)
def test_a_missing_field_is_named(field: str) -> None:
    document = json.loads(EXAMPLE)
    *above, name = field.split(".")
    holder = document
    for step in above:
        holder = holder[step]
    del holder[name]
    with pytest.raises(ConfigError, match="is missing") as caught:
        parse_document(json.dumps(document).encode())
    assert caught.value.where == f"signal document: {field}"


def test_a_newer_schema_is_named_before_anything_it_may_have_changed() -> None:
    with pytest.raises(ConfigError, match="newer version"):
        parse_document(b'{"schema": 2, "opinions": []}')


@pytest.mark.parametrize("symbol", ["", "A" * 65, "BTC\\nUSDT", "BTC\\u0000"])
def test_an_impossible_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(ConfigError, match="not a symbol"):
        parse_document(EXAMPLE.replace(b"BTCUSDT", symbol.encode()))


def test_too_many_symbols_are_refused() -> None:
    document = {**json.loads(EXAMPLE), "signals": {f"S{number}": {} for number in range(10_001)}}
    with pytest.raises(ConfigError, match="more than 10000"):
        parse_document(json.dumps(document).encode())


@pytest.mark.parametrize("cut", range(len(EXAMPLE)))
def test_a_torn_document_is_never_half_a_document(cut: int) -> None:
    with pytest.raises(ConfigError):
        parse_document(EXAMPLE[:cut])


INSTANTS = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
NUMBERS = st.decimals(min_value="0.000000001", max_value=10**9, places=9)
META = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.integers() | st.text(max_size=4) | NUMBERS,
    max_size=3,
)
SIGNALS = st.builds(
    Signal,
    depth=st.decimals(min_value=-1, max_value=1, places=12),
    timestamp=INSTANTS,
    leverage=st.none() | NUMBERS,
    price=st.none() | NUMBERS,
    meta=META,
)
DOCUMENTS = st.builds(
    Document,
    source=st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,63}", fullmatch=True).map(SourceName),
    revision=st.integers(0, 10**12),
    written_at=INSTANTS,
    signals=st.dictionaries(st.text("ABCXYZ0123456789/:.-üß", min_size=1, max_size=64), SIGNALS, max_size=5),
)


@given(DOCUMENTS)
def test_what_is_written_is_read_back(document: Document) -> None:
    data = render_document(document)
    assert parse_document(data) == document
    assert render_document(parse_document(data)) == data
    assert json.loads(data)["schema"] == 1


def test_numbers_are_written_as_plain_text_one_symbol_to_a_line() -> None:
    document = Document(
        SourceName("s"),
        3,
        1795165964.123,
        {"A": Signal(Decimal("1E-7"), 0.0, leverage=Decimal("3.00")), "B": Signal(Decimal("-0"), 1.0)},
    )
    assert render_document(document).decode().splitlines() == [
        '{"schema":1,"source":"s","revision":3,"written_at":"2026-11-20T09:12:44.123Z","signals":{',
        '"A": {"depth":"0.0000001","timestamp":"1970-01-01T00:00:00.000Z","leverage":"3"},',
        '"B": {"depth":"0","timestamp":"1970-01-01T00:00:01.000Z"}',
        "}}",
    ]
