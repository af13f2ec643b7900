"""Bybit's request limits: per UID and endpoint in any second, per address in any five, with the ban that follows.

Source: https://bybit-exchange.github.io/docs/v5/rate-limit. What the venue does not say is taken at its worst: a
request that was refused counts too, and a banned address counts on.
"""

from __future__ import annotations

from simulator.facades.parts import Standing, Window

__all__ = ["Limits", "Standing", "Window"]

UID_WINDOW_S = 1.0
ADDRESS_WINDOW_S = 5.0
ADDRESS_REQUESTS = 600
BAN_S = 600.0


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
