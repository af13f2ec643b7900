"""What a fill does to a leg, in figures."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.domain import MarginMode, Symbol
from simulator import bookkeeping
from simulator.model import Leg

from .conftest import listing

D = Decimal
CONTRACT = listing("BTCUSDT", contract_size="0.001", lot="1")
FILLS = {
    # held, entry, signed, price -> held, entry, realized, closed
    "opens": (0, 0, 100, 50_000, 100, 50_000, 0, 0),
    "adds and averages": (100, 50_000, 100, 51_000, 200, 50_500, 0, 0),
    "adds to a short": (-100, 50_000, -300, 52_000, -400, 51_500, 0, 0),
    "reduces a long": (100, 50_000, -40, 51_000, 60, 50_000, 40, 40),
    "reduces a short": (-100, 50_000, 40, 51_000, -60, 50_000, -40, 40),
    "closes": (100, 50_000, -100, 49_000, 0, 0, -100, 100),
    "goes through zero": (100, 50_000, -150, 51_000, -50, 51_000, 100, 100),
    "goes through zero upward": (-100, 50_000, 150, 51_000, 50, 51_000, -100, 100),
}


@pytest.mark.parametrize("name", FILLS)
def test_after_fill(name: str) -> None:
    held, entry, signed, price, *expected = (D(number) for number in FILLS[name])
    leg = Leg(Symbol("BTCUSDT"), contracts=held, entry_price=entry)
    after, realized, closed = bookkeeping.after_fill(leg, signed, price, CONTRACT)
    assert [after.contracts, after.entry_price, realized, closed] == expected


@pytest.mark.parametrize(
    ("held", "mode", "margin", "edge", "bankrupt"),
    [
        (100, MarginMode.ISOLATED, "500", "45226.13", "45000.00"),
        (-100, MarginMode.ISOLATED, "500", "54726.37", "55000.00"),
        (100, MarginMode.CROSS, "600", None, None),
    ],
)
def test_margin_and_liquidation(
    held: int, mode: MarginMode, margin: str, edge: str | None, bankrupt: str | None
) -> None:
    leg = Leg(Symbol("BTCUSDT"), contracts=D(held), entry_price=D(50_000))
    mark, ten = D(60_000), D(10)
    assert bookkeeping.initial_margin(leg, mark, ten, mode, CONTRACT) == D(margin)
    assert bookkeeping.maintenance_margin(leg, mark, CONTRACT) == 30
    assert bookkeeping.unrealized(leg, mark, CONTRACT) == D(held) * 10
    prices = (
        bookkeeping.liquidation_price(leg, ten, mode, CONTRACT),
        bookkeeping.bankruptcy_price(leg, ten, mode),
    )
    assert [None if price is None else format(price, ".2f") for price in prices] == [edge, bankrupt]


def test_at_the_liquidation_price_the_margin_left_is_the_maintenance_margin() -> None:
    leg = Leg(Symbol("BTCUSDT"), contracts=D(100), entry_price=D(50_000))
    edge = bookkeeping.liquidation_price(leg, D(10), MarginMode.ISOLATED, CONTRACT)
    assert edge is not None
    left = D(500) + bookkeeping.unrealized(leg, edge, CONTRACT)
    assert abs(left - bookkeeping.maintenance_margin(leg, edge, CONTRACT)) < D("1e-20")
    assert bookkeeping.is_liquidated(leg, edge, edge)
    assert not bookkeeping.is_liquidated(leg, edge + 1, edge)
    assert not bookkeeping.is_liquidated(leg, D(1), None)
