"""Public data asked once for all accounts: kept, coalesced, batched; a failure is everybody's and nobody's memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from account_processors.shared import VenueShared
from core.clock import VirtualClock
from core.errors import Unavailable
from tests.unit.account_processors.virtual import virtual


class Source:
    """Answers after a second, counting; fails while told to."""

    def __init__(self) -> None:
        self.asked: list[frozenset[str]] = []
        self.failing = False

    async def value(self) -> int:
        return (await self.rows(frozenset())).get("n", 0)

    async def rows(self, items: frozenset[str]) -> Mapping[str, int]:
        self.asked.append(items)
        await asyncio.sleep(1)
        if self.failing:
            raise Unavailable("down")
        return {**dict.fromkeys(items, len(self.asked)), "n": len(self.asked)}


def test_kept_values_answer_until_they_are_too_old() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        assert sut.peek("k") is None
        assert [await sut.once("k", 60, source.value) for _ in range(3)] == [1, 1, 1]
        assert sut.peek("k") == 1
        await asyncio.sleep(60)
        assert await sut.once("k", 60, source.value) == 2
        assert await sut.once("k", 0.0, source.value) == 3
        sut.forget("k")
        assert await sut.once("k", 60, source.value) == 4

    virtual(scenario)


def test_those_who_ask_together_wait_for_one_fetch() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        assert await asyncio.gather(*(sut.once("k", 60, source.value) for _ in range(5))) == [1] * 5
        assert len(source.asked) == 1

    virtual(scenario)


def test_a_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        source.failing = True
        failed = await asyncio.gather(*(sut.once("k", 60, source.value) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in failed] == [Unavailable] * 3
        source.failing = False
        assert await sut.once("k", 60, source.value) == 2

    virtual(scenario)


def test_a_caller_who_leaves_takes_nothing_from_the_others() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        first, second = (asyncio.create_task(sut.once("k", 60, source.value)) for _ in range(2))
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second == 1
        assert len(source.asked) == 1

    virtual(scenario)


def test_a_failure_nobody_waits_for_any_more_is_no_surprise() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        source.failing = True
        waiting = asyncio.create_task(sut.once("k", 60, source.value))
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.sleep(5)  # an exception never looked at would be logged as an error when collected

    virtual(scenario)


def test_a_batch_takes_along_who_asks_in_the_same_turn() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        asked = (["a"], ["b", "c"], ["a", "d"])
        found = await asyncio.gather(*(sut.batch("t", items, source.rows, everything_above=9) for items in asked))
        assert source.asked == [frozenset("abcd")]
        assert all(set(items) <= set(rows) for items, rows in zip(asked, found, strict=True))

    virtual(scenario)


@pytest.mark.parametrize(
    ("first", "later", "requests"),
    [
        (["a", "b"], ["a"], 1),  # covered by what is under way
        (["a", "b"], ["c"], 2),
        (["a", "b", "c"], ["d"], 1),  # more than two: the answer covers everything
    ],
)
def test_who_comes_later_joins_what_covers_him(first: list[str], later: list[str], requests: int) -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        one = asyncio.create_task(sut.batch("t", first, source.rows, everything_above=2))
        await asyncio.sleep(0.5)
        two = asyncio.create_task(sut.batch("t", later, source.rows, everything_above=2))
        await asyncio.gather(one, two)
        assert len(source.asked) == requests
        await sut.batch("t", first, source.rows, everything_above=2)
        assert len(source.asked) == requests + 1  # what has come is not kept

    virtual(scenario)


def test_a_failed_batch_fails_all_and_the_next_one_asks_again() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut, source = VenueShared(clock), Source()
        source.failing = True
        calls = (sut.batch("t", [item], source.rows, everything_above=2) for item in "ab")
        assert [type(one) for one in await asyncio.gather(*calls, return_exceptions=True)] == [Unavailable] * 2
        source.failing = False
        assert "a" in await sut.batch("t", ["a"], source.rows, everything_above=2)

    virtual(scenario)


def test_closing_ends_what_is_under_way() -> None:
    async def scenario(clock: VirtualClock) -> float:
        sut, source = VenueShared(clock), Source()
        waiting = [
            asyncio.create_task(sut.once("k", 60, source.value)),
            asyncio.create_task(sut.batch("t", ["a"], source.rows, everything_above=2)),
        ]
        await asyncio.sleep(0.1)
        await sut.close()
        await asyncio.gather(*waiting, return_exceptions=True)
        return clock.monotonic()

    assert virtual(scenario) == pytest.approx(0.1)


class Part:
    """Something that lasts."""

    closed = 0

    async def close(self) -> None:
        self.closed += 1


def test_lasting_parts_are_made_once_and_closed_with_what_shares_them() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut = VenueShared(clock)
        part = sut.lasting("a", Part)
        assert sut.lasting("a", Part) is part
        assert sut.lasting("b", Part) is not part
        for _ in range(2):
            await sut.close()
        assert part.closed == 1

    virtual(scenario)


def test_windows_of_the_address_are_one_for_all() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut = VenueShared(clock)
        assert sut.window("ip", 600, 5.0) is sut.window("ip", 600, 5.0)

    virtual(scenario)
