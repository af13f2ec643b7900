"""The venue's time from its answers: the narrowest sample wins, a set clock is followed, stamps do not repeat."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from account_processors.venue_clock import VenueClock


@dataclass
class HandClock:
    """Wall and monotonic time, moved by hand."""

    wall: float = 1_790_000_000.0
    mono: float = 1000.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def move(self, by_s: float) -> None:
        self.wall += by_s
        self.mono += by_s


def ask(sut: VenueClock, clock: HandClock, ahead_s: float, there_s: float, back_s: float) -> None:
    """A request whose way there and back take that long, to a venue whose clock is ahead by `ahead_s`."""
    sent = clock.mono
    clock.move(there_s)
    written = clock.wall + ahead_s
    clock.move(back_s)
    sut.learn(written, sent, clock.mono)


def test_before_the_first_answer_nothing_is_known() -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    assert sut.offset_s is None
    assert sut.now() == clock.time()
    assert sut.local(5.0) == sut.venue(5.0) == pytest.approx(5.0)


def test_the_narrowest_recent_sample_is_the_estimate() -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    ask(sut, clock, 0.3, 0.4, 0.01)  # a slow way there looks like a slow clock
    assert sut.offset_s == pytest.approx(0.495, abs=0.001)
    ask(sut, clock, 0.3, 0.01, 0.01)
    ask(sut, clock, 0.3, 0.02, 0.5)
    assert sut.offset_s == pytest.approx(0.3, abs=0.001)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=40), st.floats(-100, 100))
def test_the_error_is_at_most_half_the_shortest_recent_round_trip(
    ways: list[tuple[float, float]], ahead_s: float
) -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    for there_s, back_s in ways:
        ask(sut, clock, ahead_s, there_s, back_s)
    assert sut.offset_s is not None
    shortest = min(there_s + back_s for there_s, back_s in ways[-16:])
    assert abs(sut.offset_s - ahead_s) <= shortest / 2 + 1e-3


def test_old_samples_give_way() -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    ask(sut, clock, 0.0, 0.001, 0.001)
    clock.move(121)
    ask(sut, clock, 0.08, 0.05, 0.05)
    assert sut.offset_s == pytest.approx(0.08, abs=0.001)


@pytest.mark.parametrize("jump_s", [-3600.0, -2.0, -0.3, 0.3, 2.0, 3600.0])
def test_a_venue_clock_that_is_set_is_believed_at_once(jump_s: float) -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    for _ in range(16):
        ask(sut, clock, 0.0, 0.001, 0.001)
    ask(sut, clock, jump_s, 0.05, 0.05)
    assert sut.offset_s == pytest.approx(jump_s, abs=0.01)


def test_a_step_of_our_own_clock_shows_at_once_and_moves_no_stamp() -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    ask(sut, clock, 0.0, 0.01, 0.01)
    before = sut.now()
    clock.wall += 30.0
    assert sut.offset_s == pytest.approx(-30.0, abs=0.001)
    assert sut.now() == pytest.approx(before, abs=0.001)
    assert sut.local(sut.now()) == pytest.approx(clock.time())
    assert sut.venue(clock.time()) == pytest.approx(sut.now())


def test_stamps_grow_even_where_time_stands_still() -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    stamps = [sut.stamp_ms() for _ in range(500)]
    assert stamps == sorted(set(stamps))
    clock.move(10)
    assert sut.stamp_ms() == int(clock.wall * 1000)


def test_stamps_follow_a_clock_that_went_back_too_far_to_wait_for() -> None:
    clock = HandClock()
    sut = VenueClock(clock)
    ask(sut, clock, 0.0, 0.01, 0.01)
    first = sut.stamp_ms()
    ask(sut, clock, -0.5, 0.01, 0.01)
    second = sut.stamp_ms()
    assert second == first + 1  # half a second ahead is still taken
    ask(sut, clock, -60.0, 0.01, 0.01)
    assert sut.stamp_ms() == pytest.approx((clock.wall - 60) * 1000, abs=50)
