"""Strict reading: what is not exactly a number, a text or a list is refused, never taken for zero."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_processors.codecs import wire
from account_processors.codecs.wire import Malformed

D = Decimal


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"1", b"null", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b"\xff{}",
     b'{"a": 1, "a": 1}', b'{"x": {"a": 1, "a": 2}}', b"{}{}", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_a_body_that_is_not_one_clean_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.loads(body)


def test_numbers_are_exact() -> None:
    row = wire.loads(b'{"a": 0.1, "b": "0.10", "c": 3, "d": 1e-7, "e": "1E+2", "f": "-0.000", "g": 5723621632}')
    assert [wire.number(row, key) for key in "abcdefg"] == [
        D("0.1"), D("0.10"), D(3), D("1E-7"), D(100), D(0), D(5723621632),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value", [None, "", True, False, "NaN", "nan", "Infinity", "-Infinity", "1,5", " 1", "1 ", "0x1", "1_000", "--1",
              "+1", "1e9999", [], {}, "9" * 60, "١"],
)  # fmt: skip
def test_what_is_not_a_number_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        wire.number({"a": value}, "a")
    with pytest.raises(Malformed):
        wire.number({}, "a")


def test_optional_numbers_are_none_only_when_left_out_or_empty() -> None:
    assert wire.number_or_none({"a": ""}, "a") is None
    assert wire.number_or_none({"a": None}, "a") is None
    assert wire.number_or_none({}, "a") is None
    assert wire.number_or_none({"a": "0"}, "a") == 0
    with pytest.raises(Malformed):
        wire.number_or_none({"a": "x"}, "a")


@pytest.mark.parametrize("value", ["0", "-1", "0.000"])
def test_positive_is_above_zero(value: str) -> None:
    with pytest.raises(Malformed):
        wire.positive({"a": value}, "a")


def test_other_shapes() -> None:
    assert wire.integer({"a": "12"}, "a") == 12
    assert wire.epoch_s({"a": "1790000010500"}, "a") == pytest.approx(1_790_000_010.5)
    for bad in ("12.5", "", None):
        with pytest.raises(Malformed):
            wire.integer({"a": bad}, "a")
    assert wire.text({"a": "x"}, "a") == "x"
    texts: list[object] = ["", None, 5, []]
    for bad_text in texts:
        with pytest.raises(Malformed):
            wire.text({"a": bad_text}, "a")
    assert wire.rows({"list": [{"a": 1}]}, "list") == [{"a": 1}]
    lists: list[object] = [None, {}, "list", [1], [[]], [None]]
    for bad_rows in lists:
        with pytest.raises(Malformed):
            wire.rows({"list": bad_rows}, "list")


@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_an_object_or_a_refusal(body: bytes) -> None:
    try:
        row = wire.loads(body)
    except Malformed:
        return
    assert isinstance(row, dict)
