"""Heartbeats: for sources with a staleness limit, a document counts only while its processor says it is up to date."""

from __future__ import annotations

import pytest

from core.domain import Reading
from tests.unit.config.house import BOTH, House, read

LIMIT = {"tradingview": 120.0}


@pytest.mark.parametrize(
    ("age_s", "reading"),
    [
        (0.0, Reading.KNOWN),
        (120.0, Reading.KNOWN),
        (120.1, Reading.UNKNOWN),
        (-5.0, Reading.KNOWN),
        (-5.1, Reading.UNKNOWN),
    ],
)
def test_a_heartbeat_counts_by_its_age(house: House, age_s: float, reading: Reading) -> None:
    house.say("tradingview", BOTH)
    house.beat("tradingview", age_s)
    assert read(house.signals(LIMIT)).reading is reading
    assert read(house.signals()).reading is Reading.KNOWN


def test_time_alone_makes_a_source_stale_and_a_beat_mends_it(house: House) -> None:
    house.say("tradingview", BOTH)
    house.beat("tradingview", 0)
    files = house.signals(LIMIT)
    first = read(files)
    house.clock.now += 121
    stale = read(files)
    assert stale.reading is Reading.UNKNOWN
    assert "more than 120 s ago" in stale.because
    house.clock.now += 1
    assert read(files) is stale
    house.beat("tradingview", 0)
    assert read(files) == first


BEATS = [
    (b"", "is empty"),
    (b'{"checked_at":', "line 1"),
    (b"[]", "must be an object"),
    (b"{}", "checked_at"),
    (b'{"checked_at": 3}', "checked_at"),
    (b'{"checked_at": "now"}', "checked_at"),
]


@pytest.mark.parametrize(("data", "words"), BEATS)
def test_a_broken_heartbeat_is_unknown(house: House, data: bytes, words: str) -> None:
    house.say("tradingview", BOTH)
    house.put("signals/tradingview.heartbeat", data)
    found = read(house.signals(LIMIT))
    assert found.reading is Reading.UNKNOWN
    assert words in found.because
    assert "signals/tradingview.heartbeat" in found.because


def test_a_missing_heartbeat_is_too_old(house: House) -> None:
    house.say("tradingview", BOTH)
    found = read(house.signals(LIMIT))
    assert found.reading is Reading.UNKNOWN
    assert "signals/tradingview.heartbeat does not exist" in found.because


def test_a_source_never_heard_needs_no_heartbeat(house: House) -> None:
    assert read(house.signals(LIMIT)).reading is Reading.NOT_HEARD
