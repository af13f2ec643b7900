"""Bybit's request limits: per UID and endpoint in any second, per address in any five, with the ban that follows.

Source: https://bybit-exchange.github.io/docs/v5/rate-limit. What the venue does not say is taken at its worst: a
request that was refused counts too, and a banned address counts on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

UID_WINDOW_S = 1.0
ADDRESS_WINDOW_S = 5.0
ADDRESS_REQUESTS = 600
BAN_S = 600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after a request: requests left in the window, and seconds until there is room."""

    limit: int
    left: int
    room_in_s: float

    @property
    def exceeded(self) -> bool:
        return self.room_in_s > 0


@dataclass(slots=True)
class Window:
    """The newest requests of a rolling window; never more than `limit` instants are kept."""

    limit: int
    span_s: float
    _seen: deque[float] = field(default_factory=deque)

    def take(self, now_s: float) -> Standing:
        """Counts one request at monotonic `now_s`."""
        seen = self._seen
        while seen and seen[0] <= now_s - self.span_s:
            seen.popleft()
        if len(seen) < self.limit:
            seen.append(now_s)
            return Standing(self.limit, self.limit - len(seen), 0.0)
        seen.popleft()
        seen.append(now_s)
        return Standing(self.limit, 0, max(seen[0] + self.span_s - now_s, 0.001))


class Limits:
    """The windows of all callers of one venue. Every request comes from one address, the loopback."""

    def __init__(self) -> None:
        self._by_uid: dict[tuple[str, str], Window] = {}
        self._address = Window(ADDRESS_REQUESTS, ADDRESS_WINDOW_S)
        self._banned_until_s = 0.0

    def address_banned(self, now_s: float) -> bool:
        """Counts a request of the address; True while it is banned, this request's own breach included."""
        exceeded = self._address.take(now_s).exceeded
        if exceeded and now_s >= self._banned_until_s:
            self._banned_until_s = now_s + BAN_S
        return now_s < self._banned_until_s

    def uid(self, account: str, path: str, per_s: int, now_s: float) -> Standing:
        """Counts a request of an account to an endpoint."""
        window = self._by_uid.get((account, path))
        if window is None:
            window = self._by_uid[account, path] = Window(per_s, UID_WINDOW_S)
        return window.take(now_s)
