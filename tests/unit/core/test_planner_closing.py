"""Closing where it is hard: venues without market orders, and contracts whose size or lot changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain import OrderKind, SymbolState, TimeInForce
from core.planner import plan
from tests.unit.core.builders import DEFAULTS, PER_SYMBOL, actual, d, instrument, market, orders, target, traded

S = SymbolState


# --- venues without market orders -------------------------------------------------------------------------------------

CLOSINGS = [
    # position, fresh mark, stale price, tries, limit
    ("14", "100", None, 0, "95"),
    ("-14", "100", None, 0, "105"),
    ("14", None, "80", 0, "76"),
    ("14", "100", "80", 0, "95"),
    ("14", "100", None, 1, "80"),
    ("-14", None, "80", 3, "96"),
]


@pytest.mark.parametrize(("position", "mark", "stale", "tries", "limit"), CLOSINGS)
def test_closing_by_a_limit_through_any_price(
    position: str, mark: str | None, stale: str | None, tries: int, limit: str
) -> None:
    bare = market(mark=mark, stale_price=stale, capabilities=replace(PER_SYMBOL, market_orders=False))
    (order,) = orders(plan(target("0"), actual(position, closing_tries=tries), bare, DEFAULTS))
    assert (order.kind, order.tif, order.price) == (OrderKind.LIMIT, TimeInForce.IOC, d(limit))
    assert order.reduce_only
    assert order.full_close


def test_without_any_price_it_cannot_close_and_says_so() -> None:
    bare = market(mark=None, capabilities=replace(PER_SYMBOL, market_orders=False))
    made = plan(target("0"), actual("14"), bare, DEFAULTS)
    assert (made.steps, made.state) == ((), S.HELD)
    assert "no price of any age" in made.because


# --- a changed contract -----------------------------------------------------------------------------------------------

CHANGED = [("10", "4", "0", S.BLOCKED), ("10", "14", "0", S.BLOCKED), ("0", "14", "-14", S.OUT_OF_SYNC)]
CHANGED += [("-10", "14", "-14", S.OUT_OF_SYNC), ("10", "10", "0", S.CONVERGED), ("10", "0", "0", S.BLOCKED)]


@pytest.mark.parametrize(("stored", "position", "expected", "state"), CHANGED)
def test_on_a_changed_contract_only_full_closes_go(
    stored: str, position: str, expected: str, state: SymbolState
) -> None:
    wanted = target(stored, full_close_only="the lot changed; run accept-instrument")
    made = plan(wanted, actual(position), market(), DEFAULTS)
    assert (traded(made), made.state) == (d(expected), state)
    if state is S.BLOCKED:
        assert "accept-instrument" in made.because


def test_a_position_that_is_no_multiple_of_the_new_lot_is_closed_as_far_as_it_goes() -> None:
    coarse = market(instrument(lot="1", minimum="1"))
    wanted = target("0", full_close_only="the lot changed")
    (order,) = orders(plan(wanted, actual("14.5"), coarse, DEFAULTS))
    assert (order.contracts, order.full_close) == (d(14), False)
