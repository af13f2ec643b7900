"""What the accounts of one venue share: public data, asked once for all of them, and the budget of one address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from account_processors.budget import Budget, Window
from core.ports import Clock

T = TypeVar("T")


class Lasting(Protocol):
    """A part that lives as long as what it is shared by."""

    async def close(self) -> None: ...


L = TypeVar("L", bound=Lasting)


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    at: float


@dataclass(eq=False, slots=True)
class _Batch:
    """One batch read. `items` grows until it is sent; `covers` says what its answer will answer then."""

    task: asyncio.Task[Any]
    items: set[str] = field(default_factory=set)
    covers: Callable[[Collection[str]], bool] | None = None


class VenueShared:
    """One per venue and base URL, handed to every account there.

    `budget` and the windows of `window` hold for the address (IP); each account adds its own windows to a request.
    Tasks started here run to the end of their request's deadline even if every caller went away.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.budget = Budget(clock)
        self._windows: dict[str, Window] = {}
        self._kept: dict[str, _Kept] = {}
        self._flying: dict[str, asyncio.Task[Any]] = {}
        self._batches: dict[str, list[_Batch]] = {}
        self._lasting: dict[str, Lasting] = {}

    def window(self, name: str, limit: int, span_s: float) -> Window:
        """The address-wide window called `name`, made at the first call."""
        return self._windows.setdefault(name, Window(name, limit, span_s))

    def lasting(self, name: str, make: Callable[[], L]) -> L:
        """The part called `name`, made at the first call and closed with this object."""
        if name not in self._lasting:
            self._lasting[name] = make()
        return cast("L", self._lasting[name])

    def peek(self, key: str) -> Any:
        """What is kept under `key`, of any age; None before the first success."""
        kept = self._kept.get(key)
        return None if kept is None else kept.value

    def forget(self, key: str) -> None:
        """What is kept under `key` is known to be out of date."""
        self._kept.pop(key, None)

    async def once(self, key: str, max_age_s: float, fetch: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The kept value if it is younger than `max_age_s`, else that of one fetch all callers wait for together.

        Failures are not kept: each caller of that fetch gets the error, the next one asks again.
        """
        kept = self._kept.get(key)
        if kept is not None and self.clock.monotonic() - kept.at < max_age_s:
            value: T = kept.value
            return value
        task = self._flying.get(key)
        if task is None:
            task = asyncio.create_task(self._keep(key, fetch))
            task.add_done_callback(_look)
            self._flying[key] = task
        return await asyncio.shield(task)

    async def batch(
        self,
        name: str,
        items: Collection[str],
        fetch: Callable[[frozenset[str]], Awaitable[Mapping[str, T]]],
        everything_above: int,
        fresh: bool = False,
    ) -> Mapping[str, T]:
        """One read for all who ask in the same turn of the loop, and for who comes while it covers them in flight.

        `fetch` gets the union of the items; with more than `everything_above` of them its answer covers any item.
        `fresh`: a read that was sent before this call will not do.
        """
        wanted = set(items)
        for flying in self._batches.setdefault(name, []):
            if flying.covers is None:
                flying.items |= wanted
                return await asyncio.shield(flying.task)
            if not fresh and flying.covers(wanted):
                return await asyncio.shield(flying.task)
        batch = _Batch(asyncio.create_task(self._send_batch(name, fetch, everything_above)), wanted)
        batch.task.add_done_callback(_look)
        self._batches[name].append(batch)
        return await asyncio.shield(batch.task)

    async def close(self) -> None:
        """Cancels what is in flight and closes the parts that lasted so far."""
        lasting, self._lasting = self._lasting, {}
        for part in lasting.values():
            await part.close()
        tasks = [*self._flying.values(), *(batch.task for batches in self._batches.values() for batch in batches)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, key: str, fetch: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            value = await fetch()
            self._kept[key] = _Kept(value, self.clock.monotonic())
            return value
        finally:
            del self._flying[key]

    async def _send_batch(
        self, name: str, fetch: Callable[[frozenset[str]], Awaitable[Mapping[str, T]]], everything_above: int
    ) -> Mapping[str, T]:
        await asyncio.sleep(0)  # whoever asks in this turn of the loop is taken along
        batch = next(batch for batch in self._batches[name] if batch.covers is None)
        items = frozenset(batch.items)
        batch.covers = (lambda wanted: True) if len(items) > everything_above else items.issuperset
        try:
            return await fetch(items)
        finally:
            self._batches[name].remove(batch)


def _look(task: asyncio.Task[Any]) -> None:
    """Marks a failure as seen: whoever still waits gets it, and if nobody does it is nobody's surprise."""
    if not task.cancelled():
        task.exception()
