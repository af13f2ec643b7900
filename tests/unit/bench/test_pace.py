"""What a venue's limit of orders makes of a cycle."""

from __future__ import annotations

import pytest

from account_processors import REGISTRY
from bench.pace import PACES, Pace, bound, pace_of
from bench.reconcile import IN_TURN, shared_out

MEXC, BYBIT, BLOFIN, HYPERLIQUID = (pace_of(name) for name in ("mexc", "bybit", "blofin", "hyperliquid"))


@pytest.mark.parametrize(
    ("pace", "orders", "waits_s"),
    [(MEXC, 0, 0), (MEXC, 4, 0), (MEXC, 5, 2), (MEXC, 10, 4), (BYBIT, 10, 0), (BYBIT, 11, 1), (BLOFIN, 61, 20)],
)
def test_the_last_order_waits_for_whole_windows(pace: Pace, orders: int, waits_s: float) -> None:
    assert pace.waits_s(orders) == waits_s


@pytest.mark.parametrize(
    ("pace", "orders", "accounts", "settle_s"),
    [
        (BLOFIN, 10, 1, 10.5),
        (BLOFIN, 1, 1, 2.2),
        (BLOFIN, 20, 5, 300 / 9),  # nine cycles of 140 requests in five minutes
        (BYBIT, 10, 1, 2.2),
        (BYBIT, 10, 2, 2.2),
        (MEXC, 10, 1, 2.2),
        (HYPERLIQUID, 10, 1, 3.0),
        (HYPERLIQUID, 20, 5, 20.0),
    ],
)
def test_a_cycle_leaves_room_for_the_next(pace: Pace, orders: int, accounts: int, settle_s: float) -> None:
    assert pace.settle_s(orders, accounts) == pytest.approx(settle_s)


@pytest.mark.parametrize(("pace", "empty_s"), [(BYBIT, 2.31), (BLOFIN, 63.0), (HYPERLIQUID, 63.0)])
def test_a_fresh_start_finds_the_windows_empty(pace: Pace, empty_s: float) -> None:
    assert pace.empty_s() == pytest.approx(empty_s)


@pytest.mark.parametrize(
    ("accounts", "counts"),
    [
        (1, {"bybit": 1}),
        (5, {"bybit": 2, "blofin": 1, "kucoin": 1, "hyperliquid": 1}),
        (20, {"bybit": 5, "blofin": 5, "kucoin": 5, "hyperliquid": 5}),
    ],
)
def test_accounts_are_shared_out_in_turn(accounts: int, counts: dict[str, int]) -> None:
    assert shared_out(accounts, IN_TURN) == counts


def test_what_bounds_a_cycle() -> None:
    assert bound("mexc", 10, 0.08) == {
        "round_trips_s": 0.16, "order_limit_s": 4.0, "by": "order limit", "last_ack_s": 4.08,
    }  # fmt: skip
    assert bound("blofin", 10, 0.08)["by"] == "round trips"
    assert bound("somewhere", 10**5, 0.08)["last_ack_s"] == 0.16


def test_every_venue_of_our_own_has_a_pace() -> None:
    assert REGISTRY.keys() <= PACES.keys()
