"""Instants as text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.state import day_of, format_instant, parse_instant


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-11-20T09:12:44.123Z", 1795165964.123),
        ("2026-11-20T09:12:44.1Z", 1795165964.1),
        ("2026-11-20T09:12:44.123999999Z", 1795165964.123),  # cut, never rounded into the next one
        ("2026-11-20T10:12:44.123+01:00", 1795165964.123),
        ("2026-11-20T03:42:44-05:30", 1795165964.0),
        ("2024-02-29T23:59:59.999Z", 1709251199.999),
    ],
)
def test_reads(text: str, at: float) -> None:
    assert parse_instant(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20",
        "2026-11-20 09:12:44Z",
        "2026-11-20T09:12:44",  # no zone: nobody knows when that was
        "2026-11-20T09:12:44.Z",
        "2026-11-20T09:12:44z",
        "2026-13-20T09:12:44Z",
        "2026-02-29T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T09:12:60Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:30:00+01:00",
        "２026-11-20T09:12:44Z",
        "2026-11-20T09:12:44Z\n",
        "1795165964.123",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)


@pytest.mark.parametrize("at", [-0.001, 253402300800.0, float("inf"), float("nan")])
def test_refuses_to_write(at: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        format_instant(at)


@given(st.integers(min_value=0, max_value=253_402_300_799_999))
def test_what_was_read_is_written_the_same(milliseconds: int) -> None:
    text = format_instant(milliseconds / 1000)
    assert parse_instant(text) == milliseconds / 1000
    assert format_instant(parse_instant(text)) == text
    assert day_of(milliseconds / 1000) == text[:10]


@given(st.floats(min_value=0, max_value=4e9))
def test_writing_rounds_to_the_nearest_millisecond(at: float) -> None:
    assert abs(parse_instant(format_instant(at)) - at) <= 0.000501
