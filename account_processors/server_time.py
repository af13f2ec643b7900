"""The venue's time where its answers do not say it: asked for now and then, once for all accounts there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from account_processors.shared import VenueShared
from account_processors.venue_clock import VenueClock
from core.errors import Unavailable
from core.ports import Clock

FRESH_S = 30.0
"""A warm account learns the venue's time beside another read once per this."""
KEPT_S = 110.0
"""Older than this the venue's time is asked before anything is signed; the venue clock's own limit is a little more."""
_KEY = "server time"


class ServerTime:
    """Keeps one account's `venue_clock` right. `ask` gives the venue's epoch seconds; raises `Unavailable`."""

    def __init__(
        self, venue_clock: VenueClock, clock: Clock, shared: VenueShared, ask: Callable[[], Awaitable[float]]
    ) -> None:
        self._venue_clock = venue_clock
        self._clock = clock
        self._shared = shared
        self._ask = ask
        self._learnt_at = float("-inf")

    async def learn(self, max_age_s: float = FRESH_S) -> None:
        """Returns when the time is no older than `max_age_s`. Raises `Unavailable`."""
        if self._clock.monotonic() - self._learnt_at < max_age_s:
            return
        at_s, sent_at, received_at = await self._shared.once(_KEY, max_age_s, self._asked)
        if received_at > self._learnt_at:
            self._learnt_at = received_at
            self._venue_clock.learn(at_s, sent_at, received_at)

    async def keep(self) -> None:
        """Beside a read: a time that cannot be learnt now is no reason not to know what was read."""
        try:
            await self.learn()
        except Unavailable:
            return

    def forget(self) -> None:
        """The venue refused a time: what was learnt of it is wrong."""
        self._shared.forget(_KEY)
        self._learnt_at = float("-inf")

    async def _asked(self) -> tuple[float, float, float]:
        """The venue's epoch seconds and our monotonic seconds around the question."""
        sent_at = self._clock.monotonic()
        at_s = await self._ask()
        return at_s, sent_at, self._clock.monotonic()
