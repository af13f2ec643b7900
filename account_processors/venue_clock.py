"""What time it is at the venue, from the times it writes into its answers.

An answer that carries the venue's time bounds it: the venue wrote it between our sending and our receiving. So each
sample is an interval of width `round trip`, and the narrowest of the recent ones is the estimate. Samples are kept
against the monotonic clock: a step of this machine's wall clock changes the reported offset at once and moves no
signature.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from core.ports import Clock

RECENT = 16
MAX_AGE_S = 120.0
SLACK_S = 0.05
"""Rounding to milliseconds and drift between two samples; intervals further apart mean that a clock was set."""

MAX_AHEAD_MS = 900
"""How far a burst of stamps may run ahead of the clock; venues take up to a second."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """`ahead_s`: venue epoch time minus our monotonic time, known to `half_s` either way; `at` monotonic."""

    ahead_s: float
    half_s: float
    at: float

    def agrees(self, other: _Sample) -> bool:
        return abs(self.ahead_s - other.ahead_s) <= self.half_s + other.half_s + SLACK_S


class VenueClock:
    """Venue time for one key, and stamps in it that do not repeat."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[_Sample] = deque(maxlen=RECENT)
        self._last_stamp_ms = 0

    def learn(self, venue_time_s: float, sent_at: float, received_at: float) -> None:
        """`venue_time_s` epoch seconds by the venue; `sent_at` and `received_at` monotonic seconds by us."""
        half_s = max(received_at - sent_at, 0.0) / 2
        new = _Sample(venue_time_s - (sent_at + half_s), half_s, received_at)
        best = self._best()
        if best is not None and not new.agrees(best):
            self._samples.clear()
        self._samples.append(new)

    @property
    def offset_s(self) -> float | None:
        """Venue clock minus this machine's wall clock, seconds; None before the first sample."""
        best = self._best()
        return None if best is None else best.ahead_s + self._clock.monotonic() - self._clock.time()

    def now(self) -> float:
        """The venue's epoch time; before the first sample, ours."""
        return self._clock.time() + (self.offset_s or 0.0)

    def stamp_ms(self) -> int:
        """The venue's time in milliseconds, later than every stamp before.

        Unless the venue's clock was set back: stamps so far ahead would be refused until it caught up.
        """
        now_ms = int(self.now() * 1000)
        following_ms = self._last_stamp_ms + 1
        self._last_stamp_ms = following_ms if now_ms < following_ms <= now_ms + MAX_AHEAD_MS else now_ms
        return self._last_stamp_ms

    def local(self, venue_time_s: float) -> float:
        """A venue instant as this machine's epoch seconds."""
        return venue_time_s - (self.offset_s or 0.0)

    def venue(self, local_time_s: float) -> float:
        """An instant of this machine's wall clock as the venue's epoch seconds."""
        return local_time_s + (self.offset_s or 0.0)

    def _best(self) -> _Sample | None:
        if not self._samples:
            return None
        newest = self._samples[-1]
        recent = [sample for sample in self._samples if sample.at >= newest.at - MAX_AGE_S]
        return min(recent, key=lambda sample: sample.half_s)
