"""Observers of `core.events`: log lines, facts for history. They watch; nothing waits for them or depends on them.

`FanOut` is the executor's `Emit`. Emitting puts the event into each observer's own bounded queue and returns; each
observer works off its queue in a task of its own, under the one task supervisor. So an observer that is slow loses its
own events only, one that fails loses the event it failed on, and neither is felt by the account that emitted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from core.events import Event
from core.journal import Offload
from core.supervisor import isolated

QUEUE_EVENTS = 10_000
DRAIN_S = 2.0

_logger = logging.getLogger("trade-engine")


class Observer(Protocol):
    """`see` may block (it is called off the loop, one event after the other) and may fail."""

    @property
    def name(self) -> str: ...
    def see(self, event: Event) -> None: ...


@dataclass(slots=True)
class _Line:
    """One observer's queue. `dropped`: events it was too slow for, not yet told; `failures`: events it failed on."""

    observer: Observer
    waiting: deque[Event] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    dropped: int = 0
    failures: int = 0

    def work_off(self) -> None:
        """Shows the observer everything that waits. An event is taken off before it is seen, and so never twice."""
        while self.waiting:
            self.observer.see(self.waiting.popleft())


class FanOut:
    """`core.events.Emit` for several observers; callable before its loop runs."""

    def __init__(self, observers: Sequence[Observer], offload: Offload, capacity: int = QUEUE_EVENTS) -> None:
        self._lines = [_Line(observer) for observer in observers]
        self._offload = offload
        self._capacity = capacity
        self._ending = False

    def __call__(self, event: Event) -> None:
        """Never blocks and never raises."""
        for line in self._lines:
            if len(line.waiting) < self._capacity:
                line.waiting.append(event)
            else:
                line.dropped += 1
            line.wake.set()

    @property
    def failures(self) -> dict[str, int]:
        """Observer -> events it failed on."""
        return {line.observer.name: line.failures for line in self._lines}

    @asynccontextmanager
    async def running(self, drain_s: float = DRAIN_S) -> AsyncIterator[None]:
        """Observers at work; at the end what waits is still shown to them, for at most `drain_s`."""
        tasks = [asyncio.ensure_future(self._serve(line)) for line in self._lines]
        try:
            yield
        finally:
            self._ending = True
            for line in self._lines:
                line.wake.set()
            if tasks:
                await asyncio.wait(tasks, timeout=drain_s)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, line: _Line) -> None:
        while True:
            while line.waiting or line.dropped:
                await isolated(self._show(line), lambda error: self._failed(line, error))
            if self._ending:
                return
            line.wake.clear()
            await line.wake.wait()

    async def _show(self, line: _Line) -> None:
        if line.dropped:
            _logger.warning("%s was too slow for %d events, which it did not get", line.observer.name, line.dropped)
            line.dropped = 0
        await self._offload(line.work_off)

    def _failed(self, line: _Line, error: Exception) -> None:
        line.failures += 1
        _logger.warning("%s failed on an event (%r) and goes on with the next", line.observer.name, error)
