"""What a venue's limit of orders makes of a cycle."""

from __future__ import annotations

import pytest

from account_processors import REGISTRY
from bench.pace import PACES, Pace, bound, pace_of

MEXC, BYBIT, BLOFIN = (pace_of(name) for name in ("mexc", "bybit", "blofin"))


@pytest.mark.parametrize(
    ("pace", "orders", "waits_s"),
    [(MEXC, 0, 0), (MEXC, 4, 0), (MEXC, 5, 2), (MEXC, 10, 4), (BYBIT, 10, 0), (BYBIT, 11, 1), (BLOFIN, 61, 20)],
)
def test_the_last_order_waits_for_whole_windows(pace: Pace, orders: int, waits_s: float) -> None:
    assert pace.waits_s(orders) == waits_s


@pytest.mark.parametrize(
    ("pace", "orders", "settle_s"), [(BLOFIN, 10, 10.5), (BLOFIN, 4, 2.2), (BYBIT, 10, 2.2), (MEXC, 10, 2.2)]
)
def test_a_cycle_leaves_room_for_the_next(pace: Pace, orders: int, settle_s: float) -> None:
    assert pace.settle_s(orders) == pytest.approx(settle_s)


def test_what_bounds_a_cycle() -> None:
    assert bound("mexc", 10, 0.08) == {
        "round_trips_s": 0.16, "order_limit_s": 4.0, "by": "order limit", "last_ack_s": 4.08,
    }  # fmt: skip
    assert bound("blofin", 10, 0.08)["by"] == "round trips"
    assert bound("somewhere", 10**5, 0.08)["last_ack_s"] == 0.16


def test_every_venue_of_our_own_has_a_pace() -> None:
    assert REGISTRY.keys() <= PACES.keys()
