"""Prices: the walk, the replay and the pins."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Symbol
from simulator.market import MAX_DRIFT_PPM, BadPrices, Level, Market, Pin, Replay, Walk

D = Decimal
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
START = 1_800_000_000.0
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded" / "market" / "btc-perp-1m-202201.csv"


# --- the walk ---------------------------------------------------------------------------------------------------------


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_walk_depends_on_seed_symbol_and_time_alone(second: int) -> None:
    asked_before = Walk(7, BTC, D(50_000))
    for other in (0, second // 2, second + 70_000):
        asked_before.price(other)
    price = Walk(7, BTC, D(50_000)).price(second)
    assert asked_before.price(second) == price == asked_before.price(second + 0.9)
    assert abs(price / 50_000 - 1) * 1_000_000 <= MAX_DRIFT_PPM


def test_walks_differ_by_seed_and_symbol() -> None:
    def path(seed: int, symbol: str) -> list[Decimal]:
        return [Walk(seed, symbol, D(100)).price(START + n) for n in range(50)]

    assert path(7, BTC) == path(7, BTC)
    assert path(7, BTC) != path(8, BTC)
    assert path(7, BTC) != path(7, ETH)


def test_walk_moves_like_a_market() -> None:
    """A second moves it by about 0.01 %, never by a tenth of a percent, and an hour by clearly more than a second."""
    walk = Walk(7, BTC, D(1_000_000))
    prices = [walk.price(START + n) for n in range(20_000)]
    moves = [abs(after - before) for before, after in pairwise(prices)]
    assert max(moves) < 1_000
    assert 40 < sum(moves) / len(moves) < 250
    assert len(set(prices)) > 10_000
    hours = [abs(prices[n + 3600] - prices[n]) for n in range(0, 16_000, 400)]
    assert sum(hours) / len(hours) > 2_000


# --- the replay -------------------------------------------------------------------------------------------------------

HEADER = "timestamp,open,high,low,close,volume\n"
BARS = "2022-01-01 00:00:00.000000,100.0,130.0,90.0,120.0,5\n2022-01-01 00:01:00.000000,120.0,126.0,102.0,105.0,5\n"


def replay(tmp_path: Path, text: str, speed: float = 1.0) -> Replay:
    path = tmp_path / "bars.csv"
    path.write_text(text)
    return Replay(path, START, speed)


@pytest.mark.parametrize(
    ("after_s", "price"),
    [
        (-5, "100"),
        (0, "100"),
        (10, "95"),
        (20, "90"),
        (40, "130"),
        (50, "125"),
        (60, "105"),
        (3600, "105"),
    ],
)
def test_replay_goes_through_the_bar_and_stays_at_the_end(tmp_path: Path, after_s: float, price: str) -> None:
    assert abs(replay(tmp_path, HEADER + BARS).price(START + after_s) - D(price)) < D("0.001")


def test_falling_bar_sees_its_high_first(tmp_path: Path) -> None:
    falling = HEADER + BARS + "2022-01-01 00:02:00,105,105,105,105,1\n"
    prices = [replay(tmp_path, falling).price(START + 60 + s) for s in (0, 20, 40)]
    assert [round(price) for price in prices] == [120, 126, 102]


def test_speed_is_of_the_replay(tmp_path: Path) -> None:
    assert replay(tmp_path, HEADER + BARS, 4.0).price(START + 10) == replay(tmp_path, HEADER + BARS).price(START + 40)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "line 1"),
        ("time,price\n1,2\n", "line 1"),
        (HEADER, "no bar"),
        (HEADER + "2022-01-01 00:00:00,1,2,3\n", "line 2"),
        (HEADER + "yesterday,1,2,3,4,5\n", "line 2"),
        (HEADER + "2022-01-01 00:00:00,1,two,3,4,5\n", "line 2"),
        (HEADER + "2022-01-01 00:00:00,1,NaN,3,4,5\n", "line 2"),
        (HEADER + "2022-01-01 00:00:00,1,-2,3,4,5\n", "line 2"),
        (HEADER + BARS + "2022-01-01 00:00:30,1,2,3,4,5\n", "line 4"),
    ],
)
def test_bad_price_file_names_the_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(BadPrices, match=what):
        replay(tmp_path, text)


@pytest.mark.skipif(not RECORDED.exists(), reason=f"the recorded bars are not at {RECORDED}")
def test_recorded_month_replays() -> None:
    month = Replay(RECORDED, START, speed=60.0)
    assert month.price(START) == D("46319.0")
    assert all(30_000 < month.price(START + n) < 50_000 for n in range(0, 50_000, 500))
    assert month.price(START + 45_031) == month.price(START + 10**6)


# --- pins -------------------------------------------------------------------------------------------------------------


def test_pins_hold_until_they_are_lifted() -> None:
    market = Market({symbol: Walk(7, symbol, D(100)) for symbol in (BTC, ETH)})
    moving = market.level(BTC, START)
    market.pin(BTC, Pin(D(50)))
    market.pin(ETH, Pin(D(50), last=D(60)))
    assert market.level(BTC, START + 100) == Level(D(50), D(50))
    assert market.level(ETH, START + 100) == Level(D(50), D(60))
    market.unpin(ETH)
    assert market.level(ETH, START + 100).mark != 50
    market.unpin()
    assert market.level(BTC, START) == moving
    assert not market.pins()


def test_pin_of_an_unknown_symbol_is_refused() -> None:
    with pytest.raises(KeyError):
        Market({}).pin(BTC, Pin(D(1)))


def test_stamp_changes_whenever_a_price_may_have() -> None:
    market = Market({BTC: Walk(7, BTC, D(100))})
    stamps = [market.stamp(START), market.stamp(START + 0.25)]
    market.pin(BTC, Pin(D(1)))
    stamps.append(market.stamp(START))
    market.unpin()
    stamps.append(market.stamp(START))
    assert len(set(stamps)) == 4
    assert market.stamp(START) == market.stamp(START + 0.1)
