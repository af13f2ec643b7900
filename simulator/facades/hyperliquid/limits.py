"""Hyperliquid's limits: weight of an address on the internet in a minute, and the number of actions of a wallet.

Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits. What it does not
say is taken at its worst: a refused request counts too, any minute counts, lists are rounded up, and an action that
came too late counts five times, as documented for those that are cancelled for being stale.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

LIMIT, SPAN_S = 1_200, 60.0
KEPT = 10_000
WEIGHTS: Mapping[str, int] = {
    "l2Book": 2,
    "allMids": 2,
    "clearinghouseState": 2,
    "orderStatus": 2,
    "spotClearinghouseState": 2,
    "exchangeStatus": 2,
    "userRole": 60,
}
WEIGHT = 20
PER_20_ROWS = frozenset({"historicalOrders", "userFills", "userFillsByTime", "fundingHistory", "userFunding"})
PER_60_ROWS = frozenset({"candleSnapshot"})
CONNECTIONS = (30, 60.0)
"""New websockets per seconds."""
USERS = 10
"""Whom an address on the internet may listen to at once, over all its websockets."""
ACTIONS = 10_000
"""That an address begins with, beside one for every USDC it ever traded."""
ONE_IN_S = 10.0
"""What is left to an address that has used them up."""
STALE = 5


def weight_of(kind: str) -> int:
    return WEIGHTS.get(kind, WEIGHT)


def extra_of(kind: str, rows: int) -> int:
    """What the rows of an answer weigh."""
    return -(-rows // 20) if kind in PER_20_ROWS else -(-rows // 60) if kind in PER_60_ROWS else 0


def weight_of_action(batch: int) -> int:
    return 1 + batch // 40


@dataclass(slots=True)
class Minute:
    """The weight of a rolling minute."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _weight: int = 0

    def take(self, now_s: float, weight: int) -> bool:
        """Counts a request at monotonic `now_s`; whether it was one too many."""
        seen = self._seen
        while seen and (seen[0][0] <= now_s - SPAN_S or len(seen) >= KEPT):
            self._weight -= seen.popleft()[1]
        seen.append((now_s, weight))
        self._weight += weight
        return self._weight > LIMIT


@dataclass(slots=True)
class Actions:
    """The actions of one account's address."""

    used: int = 0
    _last_s: float = float("-inf")

    def take(self, now_s: float, count: int, traded: Decimal, *, cancels: bool) -> bool:
        """Counts `count` actions at monotonic `now_s`; whether they are too many for what was `traded`, USDC."""
        cap = ACTIONS + int(traded)
        if cancels:
            cap = min(cap + 100_000, cap * 2)
        if self.used + count > cap and now_s < self._last_s + ONE_IN_S:
            return True
        self.used += count
        self._last_s = now_s
        return False
