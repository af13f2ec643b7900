"""PURE: how fast a venue lets accounts trade, which is what a cycle cannot be faster than however short the way is.

The figures are the venues' published ones (see docs/venues), not the smaller ones the engine keeps to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SHORTEST_SETTLE_S = 2.2
"""Between cycles at any venue: longer than the windows of a second or two."""
CYCLES_IN_A_WINDOW = 3
"""A window that has room for the requests of so many cycles never has to be waited for."""
USED = 0.85
"""Share of an address' limit that cycles may use up; the rest is for what goes on between them."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`most` requests of one account in any `per_s` seconds. `beside`: what a cycle of one account weighs beside its
    orders, about. `address`: (weight, seconds) that all accounts of one address share."""

    most: int
    per_s: float
    beside: int = 0
    address: tuple[tuple[int, float], ...] = ()

    def waits_s(self, orders: int) -> float:
        """From the first of `orders` at one moment to the last, windows being empty before: no engine is faster."""
        return max(orders - 1, 0) // self.most * self.per_s

    def settle_s(self, orders: int, accounts: int = 1) -> float:
        """Pause after a cycle of `orders` on each of `accounts`, so that none of its requests stands in the way of the
        next cycle."""
        weight = orders + self.beside
        ample = CYCLES_IN_A_WINDOW * weight <= self.most
        own_s = SHORTEST_SETTLE_S if ample else max(SHORTEST_SETTLE_S, 1.05 * self.per_s)
        return max([own_s, *(per_s / max(int(most * USED // (weight * accounts)), 1) for most, per_s in self.address)])

    def empty_s(self) -> float:
        """After so long without a request nothing counts any more."""
        return 1.05 * max([SHORTEST_SETTLE_S, self.per_s, *(per_s for _, per_s in self.address if per_s <= 60.0)])


PACES: Mapping[str, Pace] = {
    "bybit": Pace(10, 1.0),
    # Reads of the account count too: positions, equity, leverage. Those of the market count for the address.
    "blofin": Pace(30, 10.0, beside=8, address=((500, 60.0), (1500, 300.0))),
    "kucoin": Pace(1000, 30.0),  # 2000 weight, 2 for an order
    "mexc": Pace(4, 2.0),
    "hyperliquid": Pace(1200, 60.0, beside=40, address=((1200, 60.0),)),  # the market's prices alone weigh 20
}
UNLIMITED = Pace(1_000_000, 1.0)
"""For a venue whose limit is not known here."""


def pace_of(venue: str) -> Pace:
    return PACES.get(venue, UNLIMITED)


def bound(venue: str, orders: int, rtt_s: float) -> dict[str, float | str]:
    """What the last ack of `orders` orders of one account cannot come before: two round trips, or the order limit."""
    trips_s, limit_s = 2 * rtt_s, pace_of(venue).waits_s(orders)
    by = "order limit" if limit_s > trips_s else "round trips"
    return {
        "round_trips_s": round(trips_s, 4),
        "order_limit_s": round(limit_s, 4),
        "by": by,
        "last_ack_s": round(max(trips_s, limit_s + rtt_s if limit_s else 0.0), 4),
    }
