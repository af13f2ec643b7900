"""Clocks. `SystemClock` is the machine's; `VirtualClock` is that of a `VirtualLoop`, in which waiting costs nothing.

Under a `VirtualLoop` every `asyncio.sleep`, time-out and `call_later` runs on virtual time: when nothing is ready to
run, time jumps to the next timer. Such a loop does no real I/O and uses no thread, so a run is a function of its seed.
"""

from __future__ import annotations

import asyncio
import os
import random
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class SystemClock:
    """Wall time and the monotonic time of asyncio's default loops."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


RESOLUTION_S = 1e-6


class _JumpingSelector(selectors.BaseSelector):
    """A selector with nothing to watch: instead of waiting it moves the loop's time forward."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.next_timer_s: Callable[[], float | None] = lambda: None
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, fd, events, data)
        self._keys[fd] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("virtual time stands still: every task waits for something that no timer will bring")
        self.now_s += max(timeout, 0.0)
        next_s = self.next_timer_s()
        if next_s is not None and self.now_s < next_s <= self.now_s + RESOLUTION_S:
            self.now_s = next_s  # asyncio runs it now: whoever it wakes must not find its instant still ahead
        return []

    def get_map(self) -> Any:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual. Thread hand-offs (`run_in_executor`) are refused."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.next_timer_s = self._next_timer_s
        # asyncio runs timers due within this; the machine's nanosecond is lost in rounding after half a year of
        # virtual time, and a timer that is exactly due would then never run.
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        return self._jumping.now_s

    def _next_timer_s(self) -> float | None:
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # no public way to ask
        return timers[0].when() if timers else None

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # generic stub
        raise RuntimeError("a virtual loop runs no threads; inject the blocking operation instead")


class VirtualClock:
    """The clock of a `VirtualLoop`: epoch time is `start` plus loop time plus every `step`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: float = 1_700_000_000.0) -> None:
        self._loop = loop
        self._start = start

    def time(self) -> float:
        return self._start + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()

    def step(self, by_s: float) -> None:
        """Moves wall time without moving monotonic time, as an operator or NTP would."""
        self._start += by_s


def run_virtual(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Runs `main` to its end on `loop`, cancels what is left, and closes the loop."""
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


class SystemEntropy:
    """`ports.Entropy` of the machine: ids from the operating system's generator, jitter from a seeded one."""

    def __init__(self) -> None:
        self._jitter = random.SystemRandom()

    def bytes(self, n: int) -> bytes:
        return os.urandom(n)

    def uniform(self, low: float, high: float) -> float:
        return self._jitter.uniform(low, high)
