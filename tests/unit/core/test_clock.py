"""Virtual time: waiting costs nothing, order is that of the timers, and standing still is an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from core.clock import SystemClock, VirtualClock, VirtualLoop, run_virtual

T = TypeVar("T")
START = 1_700_000_000.0


def virtually(main: Coroutine[Any, Any, T]) -> T:
    return run_virtual(main, VirtualLoop())


def test_sleeping_for_years_takes_no_time() -> None:
    async def main() -> float:
        clock = VirtualClock(asyncio.get_running_loop())
        await asyncio.sleep(10 * 365 * 86_400)
        return clock.monotonic()

    before = time.monotonic()
    assert virtually(main()) == pytest.approx(10 * 365 * 86_400)
    assert time.monotonic() - before < 5


def test_timers_fire_in_the_order_of_their_instants() -> None:
    async def main() -> list[tuple[str, float]]:
        clock, seen = VirtualClock(asyncio.get_running_loop()), []

        async def note(name: str, delay_s: float) -> None:
            await asyncio.sleep(delay_s)
            seen.append((name, round(clock.monotonic(), 6)))

        await asyncio.gather(note("c", 3), note("a", 0), note("b", 0.25))
        return seen

    assert virtually(main()) == [("a", 0.0), ("b", 0.25), ("c", 3.0)]


def test_time_stands_while_there_is_work() -> None:
    async def main() -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return VirtualClock(asyncio.get_running_loop()).monotonic()

    assert virtually(main()) == 0


def test_a_time_out_is_virtual_too() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(35):
                await asyncio.sleep(3600)
        return VirtualClock(asyncio.get_running_loop()).monotonic()

    assert virtually(main()) == pytest.approx(35)


def test_wall_time_follows_and_can_step_alone() -> None:
    async def main() -> list[tuple[float, float]]:
        clock = VirtualClock(asyncio.get_running_loop(), START)
        seen = [(clock.time(), clock.monotonic())]
        await asyncio.sleep(5)
        seen.append((clock.time(), clock.monotonic()))
        clock.step(-2)
        seen.append((clock.time(), clock.monotonic()))
        return seen

    assert virtually(main()) == [(START, 0), (START + 5, 5), (START + 3, 5)]


def test_waiting_for_what_never_comes_is_an_error() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="virtual time stands still"):
        virtually(main())


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(time.time)

    with pytest.raises(RuntimeError, match="no threads"):
        virtually(main())


def test_what_is_left_is_cancelled_and_the_loop_closed() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(10**9)
        finally:
            ended.append("cancelled")

    async def main() -> str:
        task = asyncio.get_running_loop().create_task(forever())
        await asyncio.sleep(1)
        assert not task.done()
        return "done"

    loop = VirtualLoop()
    assert run_virtual(main(), loop) == "done"
    assert ended == ["cancelled"]
    assert loop.is_closed()


def test_the_result_of_a_run_is_the_same_each_time() -> None:
    async def main() -> list[int]:
        seen: list[int] = []

        async def worker(n: int) -> None:
            for k in range(3):
                await asyncio.sleep((n * 7 + k * 3) % 5)
                seen.append(n)

        await asyncio.gather(*(worker(n) for n in range(5)))
        return seen

    assert virtually(main()) == virtually(main())


def test_the_machines_clock() -> None:
    clock = SystemClock()
    assert abs(clock.time() - time.time()) < 5
    first = clock.monotonic()
    assert clock.monotonic() >= first
