"""BloFin's request limits: per address in a minute and in five, with the suspensions that follow; per user on trading.

Source: https://docs.blofin.com, Rate Limits. What the venue does not say is taken at its worst: every endpoint of the
documentation's section Trading counts as trading, a request that was refused counts too.
"""

from __future__ import annotations

from simulator.facades.parts import Window

ADDRESS = ((500, 60.0, 300.0), (1500, 300.0, 3600.0))
"""Requests, seconds, and how long the address is suspended then."""
TRADING = (30, 10.0)
TRADING_PATHS = ("/api/v1/account/", "/api/v1/trade/")


class Limits:
    """The windows of all callers of one venue. Every request comes from one address, the loopback."""

    def __init__(self) -> None:
        self._address = [(Window(limit, span_s), ban_s) for limit, span_s, ban_s in ADDRESS]
        self._users: dict[str, Window] = {}
        self._suspended_until_s = 0.0

    def address_suspended(self, now_s: float) -> bool:
        """Counts a request of the address; True while it is suspended, this request's own breach included."""
        for window, ban_s in self._address:
            if window.take(now_s).exceeded and now_s >= self._suspended_until_s:
                self._suspended_until_s = now_s + ban_s
        return now_s < self._suspended_until_s

    def user_exceeds(self, account: str, path: str, now_s: float) -> bool:
        """Counts a request of an account; True where it is one too many."""
        if not path.startswith(TRADING_PATHS):
            return False
        return self._users.setdefault(account, Window(*TRADING)).take(now_s).exceeded
