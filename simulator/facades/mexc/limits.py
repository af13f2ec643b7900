"""MEXC's request limits.

Source: the "Rate limit" of every endpoint at https://www.mexc.com/api-docs/futures. Whether the 20 in two seconds of a
private endpoint are its own, or shared by all of an account's, is not said: they are taken as shared, and the tighter
ones of single endpoints count besides. Public ones are an address'. A request that was refused counts too.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.facades.parts import Window

PRIVATE = (20, 2.0)
PUBLIC = (20, 2.0)
TIGHTER: Mapping[str, tuple[int, float]] = {
    "POST /api/v1/private/order/create": (4, 2.0),
    "POST /api/v1/private/order/submit": (4, 2.0),
    "POST /api/v1/private/position/change_leverage": (10, 10.0),
    "GET /api/v1/private/order/batch_query": (5, 2.0),
    "GET /api/v1/contract/detail": (10, 2.0),
    "GET /api/v1/contract/ticker": (10, 2.0),
    "GET /api/v1/contract/depth/{}": (10, 2.0),
}
"""Requests per seconds."""


class Limits:
    """The windows of all callers of one venue. Every request comes from one address, the loopback."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Window] = {}

    def exceeds(self, account: str, endpoint: str, now_s: float) -> bool:
        """Counts a request of an account ('' for a public one); True where it is one too many."""
        limits = {"": PRIVATE if account else PUBLIC}
        if endpoint in TIGHTER:
            limits[endpoint] = TIGHTER[endpoint]
        windows = [self._windows.setdefault((account, name), Window(*limit)) for name, limit in limits.items()]
        standings = [window.take(now_s) for window in windows]  # every one counts it
        return any(standing.exceeded for standing in standings)
