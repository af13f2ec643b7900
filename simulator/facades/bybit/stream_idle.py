"""When Bybit cuts off a connection on which nothing happens.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect: without a ping and without stream data for ten minutes, or
for the `max_active_time` a private connection may ask for (30 s to 600 s); looked at every 30 s only.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

SCAN_S = 30.0
SHORTEST_S, LONGEST_S = 30.0, 600.0
DURATION = re.compile(r"([0-9]{1,4})([sm])")


def asked_for(url: str) -> float:
    """Seconds a private connection lives without activity, by its `max_active_time`; what is out of range is brought
    into it, what is unreadable is as if it were not there."""
    found = DURATION.fullmatch(parse_qs(urlsplit(url).query).get("max_active_time", [""])[0])
    if found is None:
        return LONGEST_S
    return min(max(int(found[1]) * (60.0 if found[2] == "m" else 1.0), SHORTEST_S), LONGEST_S)


class Idle:
    """Watches one connection. Instants are monotonic seconds."""

    def __init__(self, now_s: float, allowed_s: float = LONGEST_S) -> None:
        self._allowed_s = allowed_s
        self._active_s = now_s
        self._scan_s = now_s + SCAN_S

    def active(self, now_s: float) -> None:
        self._active_s = now_s

    def expired(self, now_s: float) -> bool:
        """Whether the latest scan, if one was due since the last call, has found it idle for too long."""
        if now_s < self._scan_s:
            return False
        scanned_s = self._scan_s + SCAN_S * ((now_s - self._scan_s) // SCAN_S)
        self._scan_s = scanned_s + SCAN_S
        return scanned_s - self._active_s >= self._allowed_s
