"""Rate budgets: at most so much in any window of time, the most urgent first.

A `Window` is one published limit (a venue's per-address limit, an account's limit on one endpoint). A `Budget` hands
out room in several windows at once, in order of priority and fairly between accounts. What was handed out counts from
the moment it was given and again from the moment its answer came (`Lease.done`): the venue counted it somewhere in
between, so while answers take less than a window, the venue too sees no more than the limit in any of its windows.

What nobody uses is anybody's, but not all of it: where several accounts share a window, each may hold at most
`HELD_X_FREE` times what it leaves free, or its equal share, reductions apart. Otherwise the first to come would have
the whole minute, and whoever comes later could not even look at the position it has to reduce.

Everything waits on the loop's time, so it runs under virtual time unchanged.
"""

from __future__ import annotations

import asyncio
import bisect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from core.errors import Unavailable
from core.ports import Clock

MAX_WAITING = 2_000
GUARD_S = 0.01
"""Longer than the published window by this much, against rounding on either side."""
ANYBODY = ""
STRANGER = ""
"""Whoever else uses the key or address: nobody who asks here, so no room is left for it."""
HELD_X_FREE = 8
"""One busy account leaves a ninth of a shared window to the others, two of them a seventeenth."""


class Priority(IntEnum):
    """Served in this order. What lowers exposure never waits behind what raises it, nor behind a read."""

    REDUCTION = 0
    READ = 1
    INCREASE = 2


@dataclass(eq=False, slots=True)
class _Use:
    """`weight` taken from a window at `at`; `counted` while it is inside the window."""

    weight: int
    at: float
    owner: str = STRANGER
    counted: bool = True


@dataclass(eq=False, slots=True)
class Window:
    """At most `limit` weight in any `span_s` seconds. Times are monotonic seconds."""

    name: str
    limit: int
    span_s: float
    guard_s: float = GUARD_S
    published: int = field(init=False)
    _used: int = field(init=False, default=0)
    _held: dict[str, int] = field(init=False, default_factory=dict)
    """By every owner that ever used it: what of `_used` is its own."""
    _uses: deque[tuple[float, _Use]] = field(init=False, default_factory=deque)
    _closed_until: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.published = self.limit

    def used(self, now: float) -> int:
        """Weight that counts at `now`."""
        while self._uses and self._uses[0][0] + self.span_s + self.guard_s <= now:
            at, use = self._uses.popleft()
            if use.at == at and use.counted:  # otherwise it was counted anew, later
                use.counted = False
                self._add(use.owner, -use.weight)
        return self._used

    def wait_s(self, now: float, weight: int) -> float:
        """0 when `weight` fits at `now`, else seconds after which it is worth asking again."""
        if now < self._closed_until:
            return self._closed_until - now
        if self.used(now) + weight <= self.limit or not self._uses:
            return 0.0
        return max(self._uses[0][0] + self.span_s + self.guard_s - now, 0.0)

    def greedy_s(self, now: float, weight: int, owner: str) -> float:
        """0 where `owner` may have `weight` more beside the others, else seconds after which to ask again."""
        free = self.limit - self.used(now) - weight
        held, sharing = self._held.get(owner, 0), len(self._held.keys() - {STRANGER})
        if held == 0 or sharing < 2:
            return 0.0
        if held + weight <= max(HELD_X_FREE * free, self.limit / sharing):
            return 0.0
        return max(self._uses[0][0] + self.span_s + self.guard_s - now, 0.0)

    def take(self, now: float, weight: int, owner: str = STRANGER) -> _Use:
        use = _Use(weight, now, owner)
        self._uses.append((now, use))
        self._add(owner, weight)
        return use

    def _add(self, owner: str, weight: int) -> None:
        self._used += weight
        self._held[owner] = self._held.get(owner, 0) + weight

    def recount(self, use: _Use, now: float) -> None:
        """`use` counts from `now` on: its answer just came."""
        self.used(now)
        if not use.counted:
            use.counted = True
            self._add(use.owner, use.weight)
        use.at = now
        self._uses.append((now, use))

    def weigh(self, use: _Use, weight: int) -> None:
        """`use` turned out to have this weight."""
        if use.counted:
            self._add(use.owner, weight - use.weight)
        use.weight = weight

    def correct(self, now: float, limit: int | None, remaining: int | None) -> None:
        """Believes the venue where it is stricter: its present limit, and what it says is left of it."""
        if limit is not None and limit > 0:
            self.limit = min(self.published, limit)
        if remaining is not None:
            unseen = self.limit - max(remaining, 0) - self.used(now)
            if unseen > 0:  # somebody else uses the same key or address
                self.take(now, unseen)

    def close(self, until: float) -> None:
        """Nothing more before `until`: the venue said so."""
        self._closed_until = max(self._closed_until, until)


@dataclass(eq=False, slots=True)
class Lease:
    """Room that was given. `done` when the answer came or was given up."""

    _budget: Budget
    _uses: tuple[tuple[Window, _Use], ...]

    def done(self) -> None:
        self._budget.recount(self._uses)

    def spent(self, weight: int) -> None:
        """What it really took, where only the answer says so: at most what was asked for. Call it after `done`."""
        self._budget.weigh(self._uses, weight)


@dataclass(order=True, slots=True)
class _Waiting:
    """Order of service: priority, then start-time fair queueing between owners, then arrival."""

    priority: Priority
    tag: int
    number: int
    owner: str = field(compare=False)
    weight: int = field(compare=False)
    windows: tuple[Window, ...] = field(compare=False)
    granted: asyncio.Future[Lease] = field(compare=False)

    def waits_s(self, window: Window, now: float) -> tuple[float, float]:
        """Seconds until `window` may have room, and until it may have room for this owner."""
        greedy_s = 0.0 if self.priority is Priority.REDUCTION else window.greedy_s(now, self.weight, self.owner)
        return window.wait_s(now, self.weight), greedy_s


class Budget:
    """Gives room in windows. One object is shared by all accounts of a venue that share an address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._served_tag = 0
        self._owner_tags: dict[str, int] = {}

    async def acquire(
        self, windows: Sequence[Window], priority: Priority, owner: str, max_wait_s: float, weight: int = 1
    ) -> Lease:
        """Waits for `weight` in every one of `windows`; raises `Unavailable` when that takes longer than `max_wait_s`.

        `owner` is the account: among equals the one that was given less lately goes first.
        """
        now = self._clock.monotonic()
        closed = max(windows, key=lambda window: window.wait_s(now, 0), default=None)
        if closed is not None and (wait_s := closed.wait_s(now, 0)) > max_wait_s:
            raise _no_room(closed.name, wait_s)
        if over := next((window for window in windows if weight > window.limit), None):
            raise _no_room(over.name, over.span_s)
        if len(self._queue) >= MAX_WAITING:
            raise Unavailable("too many requests wait for room in the rate budget; nothing was sent")
        waiting = self._enqueue(tuple(windows), priority, owner, weight)
        self._serve()
        if waiting.granted.done():
            return waiting.granted.result()
        try:
            async with asyncio.timeout(max_wait_s):
                return await asyncio.shield(waiting.granted)
        except TimeoutError:
            if waiting.granted.done():
                return waiting.granted.result()
            now = self._clock.monotonic()
            wait_s = max(max(waiting.waits_s(window, now)) for window in windows)
            raise _no_room(windows[0].name, wait_s) from None
        finally:
            if not waiting.granted.done():
                waiting.granted.cancel()
                self._queue.remove(waiting)

    def recount(self, uses: tuple[tuple[Window, _Use], ...]) -> None:
        now = self._clock.monotonic()
        for window, use in uses:
            window.recount(use, now)

    def weigh(self, uses: tuple[tuple[Window, _Use], ...], weight: int) -> None:
        for window, use in uses:
            window.weigh(use, weight)
        self._serve()

    def _enqueue(self, windows: tuple[Window, ...], priority: Priority, owner: str, weight: int) -> _Waiting:
        tag = max(self._served_tag, self._owner_tags.get(owner, 0)) + weight
        self._owner_tags[owner] = tag
        self._number += 1
        granted: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(priority, tag, self._number, owner, weight, windows, granted)
        bisect.insort(self._queue, waiting)
        return waiting

    def _serve(self) -> None:
        """Grants all that fits, in order. A window that is full for one is closed to all who come after it; one that
        an owner holds too much of, to that owner."""
        now = self._clock.monotonic()
        full: set[tuple[int, str]] = set()
        left: list[_Waiting] = []
        again_s: list[float] = []
        for waiting in self._queue:
            blocked_s = 0.0
            for window in waiting.windows:
                full_s, greedy_s = waiting.waits_s(window, now)
                if full_s > 0.0:
                    full.add((id(window), ANYBODY))
                elif greedy_s > 0.0:
                    full.add((id(window), waiting.owner))
                blocked_s = max(blocked_s, full_s, greedy_s)
            keys = [(id(window), owner) for window in waiting.windows for owner in (ANYBODY, waiting.owner)]
            if blocked_s > 0.0:
                again_s.append(blocked_s)
                left.append(waiting)
            elif any(key in full for key in keys):
                left.append(waiting)
            else:
                self._served_tag = max(self._served_tag, waiting.tag)
                uses = tuple((window, window.take(now, waiting.weight, waiting.owner)) for window in waiting.windows)
                waiting.granted.set_result(Lease(self, uses))
        self._queue = left
        self._schedule(min(again_s, default=None))

    def _schedule(self, after_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if after_s is not None:
            self._timer = asyncio.get_running_loop().call_later(after_s, self._serve)


def _no_room(name: str, wait_s: float) -> Unavailable:
    return Unavailable(
        f"the rate budget of {name} has no room for {wait_s:.1f} s; nothing was sent, the engine tries again then",
        retry_after_s=wait_s,
    )
