"""KuCoin's request limits: weight in any thirty seconds, of an account's private and an address' public requests.

Source: https://www.kucoin.com/docs-new/rate-limit (2000 for the lowest level). The venue's windows begin with the first
request in them; a rolling one is stricter. What it does not say is taken at its worst: a refused request counts too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from simulator.facades.parts import Standing

POOL = 2_000
SPAN_S = 30.0
KEPT = 10_000


@dataclass(slots=True)
class Pool:
    """The weight of a rolling window."""

    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _weight: int = 0

    def take(self, now_s: float, weight: int) -> Standing:
        """Counts one request at monotonic `now_s`."""
        seen = self._seen
        while seen and seen[0][0] <= now_s - SPAN_S:
            self._weight -= seen.popleft()[1]
        if len(seen) == KEPT:
            self._weight -= seen.popleft()[1]
        seen.append((now_s, weight))
        self._weight += weight
        reset_s = max(seen[0][0] + SPAN_S - now_s, 0.001)
        return Standing(POOL, max(POOL - self._weight, 0), reset_s if self._weight > POOL else 0.0)

    def reset_s(self, now_s: float) -> float:
        """Seconds until something of the window is free again."""
        return max(self._seen[0][0] + SPAN_S - now_s, 0.0) if self._seen else 0.0


class Limits:
    """The pools of all callers of one venue. Every request comes from one address, the loopback."""

    def __init__(self) -> None:
        self._public = Pool()
        self._private: dict[str, Pool] = {}

    def of(self, account: str | None) -> Pool:
        """An account's pool; None: that of the address."""
        return self._public if account is None else self._private.setdefault(account, Pool())
