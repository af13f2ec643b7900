"""Rate budgets under virtual time: never more than the limit in any window, reductions first, fair, bounded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from account_processors.budget import Budget, Priority, Window
from core.clock import VirtualClock
from core.errors import Unavailable
from tests.unit.account_processors.virtual import virtual

FOREVER_S = 100_000.0


@dataclass(frozen=True)
class Ask:
    """One request: when it asks, for how much, and how long after being let go its answer takes."""

    at: float
    priority: Priority
    owner: str
    weight: int
    answer_s: float


@dataclass(frozen=True)
class Let:
    """One request let go."""

    ask: Ask
    asked: float
    at: float
    arrived: float
    """Somewhere on its way the venue saw it."""


ASKS = st.lists(
    st.builds(
        Ask,
        at=st.integers(0, 4000).map(lambda ms: ms / 1000),
        priority=st.sampled_from(Priority),
        owner=st.sampled_from(["a", "b", "c"]),
        weight=st.integers(1, 3),
        answer_s=st.integers(0, 900).map(lambda ms: ms / 1000),
    ),
    min_size=1,
    max_size=60,
)


def let_go(asks: list[Ask], own: tuple[int, float], shared: tuple[int, float], way: float) -> list[Let]:
    """Runs `asks` against a window of each owner and one for all; `way` in [0, 1] is where the venue saw a request."""

    async def scenario(clock: VirtualClock) -> list[Let]:
        budget, everyone, lets = Budget(clock), Window("all", *shared), []
        windows = {owner: Window(owner, *own) for owner in "abc"}

        async def one(ask: Ask) -> None:
            await asyncio.sleep(ask.at)
            asked = clock.monotonic()
            lease = await budget.acquire([windows[ask.owner], everyone], ask.priority, ask.owner, FOREVER_S, ask.weight)
            now = clock.monotonic()
            lets.append(Let(ask, asked, now, now + way * ask.answer_s))
            await asyncio.sleep(ask.answer_s)
            lease.done()

        await asyncio.gather(*(one(ask) for ask in asks))
        return lets

    return virtual(scenario)


def busiest(events: list[tuple[float, int]], span_s: float) -> int:
    """The largest weight in any window of `span_s`, both ends included."""
    return max(sum(weight for at, weight in events if start <= at <= start + span_s) for start, _ in events)


@settings(deadline=None)
@given(ASKS, st.integers(3, 6), st.integers(4, 10), st.sampled_from([0.0, 0.3, 1.0]))
def test_no_window_ever_holds_more_than_its_limit(asks: list[Ask], own: int, shared: int, way: float) -> None:
    lets = let_go(asks, (own, 1.0), (shared, 2.5), way)
    assert len(lets) == len(asks)  # and everyone is served in the end
    for moment in ("at", "arrived"):
        events = [(getattr(one, moment), one.ask.weight) for one in lets]
        assert busiest(events, 2.5) <= shared, moment
        for owner in {ask.owner for ask in asks}:
            mine = [(getattr(one, moment), one.ask.weight) for one in lets if one.ask.owner == owner]
            assert busiest(mine, 1.0) <= own, moment


@settings(deadline=None)
@given(ASKS)
def test_nothing_of_lower_rank_goes_while_a_higher_rank_waits_for_the_same_room(asks: list[Ask]) -> None:
    alike = [replace(ask, owner="a") for ask in asks]
    lets = let_go(alike, (100, 1.0), (3, 1.0), 0.0)
    for low in lets:
        for high in lets:
            if high.ask.priority < low.ask.priority and high.asked < low.at:
                assert high.at <= low.at, "a higher rank was waiting and was passed over"


def test_a_reduction_passes_a_queue_of_increases() -> None:
    asks = [Ask(0.0, Priority.INCREASE, "a", 1, 0.0) for _ in range(30)] + [Ask(0.5, Priority.REDUCTION, "a", 1, 0.0)]
    lets = let_go(asks, (10, 1.0), (100, 1.0), 0.0)
    order = [one.ask.priority for one in sorted(lets, key=lambda one: one.at)]
    assert order.index(Priority.REDUCTION) == 10  # the first that went after it asked
    reduced = next(one for one in lets if one.ask.priority is Priority.REDUCTION)
    assert 1.0 <= reduced.at < 1.1


def test_an_account_with_a_long_queue_does_not_hold_up_another() -> None:
    asks = [Ask(0.0, Priority.READ, "a", 1, 0.0) for _ in range(50)]
    asks += [Ask(0.1, Priority.READ, "b", 1, 0.0) for _ in range(5)]
    lets = let_go(asks, (1000, 1.0), (10, 1.0), 0.0)
    by_b = [one.at for one in lets if one.ask.owner == "b"]
    assert max(by_b) < 1.1  # all five are in the first ten that went after they asked
    after = [one for one in lets if 1.0 <= one.at < 1.1]
    assert [one.ask.owner for one in after].count("a") == 5


@pytest.mark.parametrize(
    ("owners", "given"),
    [("a", 180), ("ab", 160), ("abc", 160)],  # alone: everything; beside others that ask nothing: eight ninths
)
def test_who_comes_first_does_not_take_the_whole_minute(owners: str, given: int) -> None:
    """The latecomer's one read goes at once, however much the busy one asks for, and the limit still holds."""
    known = [Ask(0.0, Priority.READ, owner, 1, 0.0) for owner in owners[1:]]
    hog = [Ask(70.0, Priority.READ, "a", 1, 0.0) for _ in range(300)]
    late = [Ask(71.0, Priority.READ, owner, 1, 0.0) for owner in owners[1:]]
    urgent = [Ask(72.0, Priority.REDUCTION, "a", 1, 0.0)]
    lets = let_go(known + hog + late + urgent, (1000, 60.0), (180, 60.0), 0.0)
    assert sum(one.ask in hog and one.at < 72.0 for one in lets) == given
    assert [one.at for one in lets if one.ask in late] == [71.0] * len(late)
    assert [one.at == 72.0 for one in lets if one.ask in urgent] == [len(owners) > 1]


def test_a_window_of_one_serves_everybody_in_turn() -> None:
    asks = [Ask(at / 10, Priority.READ, owner, 1, 0.0) for at, owner in enumerate("abab")]
    lets = let_go(asks, (1000, 1.0), (1, 1.0), 0.0)
    assert [(one.ask.owner, round(one.at, 1)) for one in lets] == [("a", 0.0), ("b", 1.0), ("a", 2.0), ("b", 3.0)]


def test_room_in_time_is_given_at_once() -> None:
    async def scenario(clock: VirtualClock) -> float:
        budget, window = Budget(clock), Window("w", 10, 1.0)
        await asyncio.gather(*(budget.acquire([window], Priority.INCREASE, "a", 1.0) for _ in range(10)))
        return clock.monotonic()

    assert virtual(scenario) == 0.0


def test_who_waits_longer_than_allowed_is_told_when_to_come_back() -> None:
    async def scenario(clock: VirtualClock) -> tuple[float, float | None]:
        budget, window = Budget(clock), Window("w", 1, 60.0)
        await budget.acquire([window], Priority.READ, "a", 5.0)
        with pytest.raises(Unavailable) as caught:
            await budget.acquire([window], Priority.REDUCTION, "a", 5.0)
        return clock.monotonic(), caught.value.retry_after_s

    waited_s, retry_after_s = virtual(scenario)
    assert waited_s == pytest.approx(5.0)
    assert retry_after_s == pytest.approx(55.01)


def test_a_closed_window_refuses_at_once_and_opens_by_itself() -> None:
    async def scenario(clock: VirtualClock) -> None:
        budget, window = Budget(clock), Window("w", 10, 1.0)
        window.close(clock.monotonic() + 600.0)
        with pytest.raises(Unavailable) as caught:
            await budget.acquire([window], Priority.REDUCTION, "a", 5.0)
        assert clock.monotonic() == 0.0
        assert caught.value.retry_after_s == pytest.approx(600.0)
        await asyncio.sleep(598.0)
        await budget.acquire([window], Priority.REDUCTION, "a", 5.0)
        assert clock.monotonic() == pytest.approx(600.0)

    virtual(scenario)


def test_the_shorter_ban_does_not_lift_the_longer() -> None:
    window = Window("w", 10, 1.0)
    window.close(600.0)
    window.close(1.0)
    assert window.wait_s(10.0, 1) == pytest.approx(590.0)


def test_more_than_the_limit_at_once_is_refused() -> None:
    async def scenario(clock: VirtualClock) -> None:
        with pytest.raises(Unavailable):
            await Budget(clock).acquire([Window("w", 10, 1.0)], Priority.READ, "a", 5.0, weight=11)

    virtual(scenario)


@pytest.mark.parametrize(
    ("limit", "remaining", "then"),
    [
        (10, 9, 1),  # what we know already
        (10, 4, 6),  # five were used by somebody else
        (10, 0, 10),
        (5, 5, 1),  # the venue allows less than it publishes: one of five
        (20, 20, 1),  # more is not believed
        (None, None, 1),
        (None, 2, 8),
        (0, -3, 10),
    ],
)
def test_headers_correct_a_window_toward_caution(limit: int | None, remaining: int | None, then: int) -> None:
    window = Window("w", 10, 1.0)
    window.take(0.0, 1)
    window.correct(0.1, limit, remaining)
    assert window.used(0.1) == then
    assert window.limit == (limit if limit == 5 else 10)
    assert window.used(1.2) == 0  # and it passes


def test_a_lower_limit_of_the_venue_is_lifted_again() -> None:
    window = Window("w", 10, 1.0)
    window.correct(0.0, 5, None)
    window.correct(1.0, 10, None)
    assert window.limit == 10


def test_the_one_who_gives_up_leaves_no_gap_and_no_debt() -> None:
    async def scenario(clock: VirtualClock) -> list[float]:
        budget, window, went = Budget(clock), Window("w", 1, 1.0), []
        await budget.acquire([window], Priority.READ, "a", 5.0)

        async def one() -> None:
            await budget.acquire([window], Priority.READ, "a", 50.0)
            went.append(clock.monotonic())

        tasks = [asyncio.create_task(one()) for _ in range(3)]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return went

    assert virtual(scenario) == pytest.approx([1.01, 2.02])


def test_a_full_window_of_one_account_holds_up_no_other() -> None:
    async def scenario(clock: VirtualClock) -> float:
        budget, everyone = Budget(clock), Window("all", 100, 1.0)
        mine, other = Window("mine", 1, 60.0), Window("other", 1, 60.0)
        await budget.acquire([mine, everyone], Priority.REDUCTION, "a", 5.0)
        stuck = asyncio.create_task(budget.acquire([mine, everyone], Priority.REDUCTION, "a", 90.0))
        await asyncio.sleep(0.1)
        await budget.acquire([other, everyone], Priority.INCREASE, "b", 5.0)
        at = clock.monotonic()
        await stuck
        return at

    assert virtual(scenario) == pytest.approx(0.1)


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("account_processors.budget.MAX_WAITING", 3)

    async def scenario(clock: VirtualClock) -> None:
        budget, window = Budget(clock), Window("w", 1, 60.0)
        await budget.acquire([window], Priority.READ, "a", 5.0)
        waiting = [asyncio.create_task(budget.acquire([window], Priority.READ, "a", 5.0)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="too many"):
            await budget.acquire([window], Priority.READ, "a", 5.0)
        await asyncio.gather(*waiting, return_exceptions=True)

    virtual(scenario)


def test_what_a_request_did_not_take_is_given_back_at_once() -> None:
    async def scenario(clock: VirtualClock) -> None:
        budget, window = Budget(clock), Window("it", 100, 60.0)
        lease = await budget.acquire([window], Priority.READ, "a", 1.0, weight=90)
        waiting = asyncio.create_task(budget.acquire([window], Priority.READ, "b", 5.0, weight=80))
        await asyncio.sleep(1)
        assert not waiting.done()
        lease.done()
        lease.spent(15)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting.done()
        assert window.used(clock.monotonic()) == 95
        await asyncio.sleep(61)
        assert window.used(clock.monotonic()) == 0

    virtual(scenario)


def test_an_account_alone_may_use_all_that_the_venue_says_is_left() -> None:
    async def scenario(clock: VirtualClock) -> None:
        budget, window = Budget(clock), Window("w", 100, 60.0)
        await budget.acquire([window], Priority.READ, "a", 1.0, weight=10)
        window.correct(clock.monotonic(), 100, 80)  # ten are somebody else's
        await budget.acquire([window], Priority.READ, "a", 1.0, weight=80)
        assert window.used(clock.monotonic()) == 100

    virtual(scenario)
