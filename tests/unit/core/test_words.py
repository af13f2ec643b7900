"""The few arithmetic rules everything shares, as laws."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Halt, Side, floor_to, plain, same_sign, tick_inward, toward_zero
from tests.unit.core.builders import PROPERTY, d, instrument

values = st.decimals(-(10**9), 10**9, places=8, allow_nan=False)
steps = st.decimals("0.00000001", 1000, places=8, allow_nan=False)
prices = st.decimals("0.00000001", 10**7, places=8, allow_nan=False)


@PROPERTY
@given(values, steps)
def test_floor_to_goes_toward_zero_to_a_multiple(value: Decimal, step: Decimal) -> None:
    floored = floor_to(value, step)
    assert floored % step == 0
    assert abs(floored) <= abs(value) < abs(floored) + step
    assert floored == 0 or same_sign(floored, value)
    assert floor_to(floored, step) == floored
    assert floor_to(-value, step) == -floored


FLOORS = [("0.0129", "0.001", "0.012"), ("-0.0129", "0.001", "-0.012"), ("12", "5", "10"), ("0.9", "1", "0")]
FLOORS += [("8.999999999999999999999999999", "3", "6")]  # whose quotient rounds to 3


@pytest.mark.parametrize(("value", "step", "floored"), FLOORS)
def test_floor_to(value: str, step: str, floored: str) -> None:
    assert floor_to(d(value), d(step)) == d(floored)


@PROPERTY
@given(prices, steps, st.sampled_from(Side))
def test_a_limit_never_leaves_what_was_allowed(price: Decimal, tick: Decimal, side: Side) -> None:
    inward = tick_inward(price, tick, side)
    assert inward % tick == 0
    assert 0 <= (price - inward) * side.sign < tick


@pytest.mark.parametrize(
    ("price", "side", "inward"),
    [("101.07", Side.BUY, "101.0"), ("98.92", Side.SELL, "99.0"), ("101.5", Side.BUY, "101.5"), ("9", Side.SELL, "9")],
)
def test_tick_inward(price: str, side: Side, inward: str) -> None:
    assert tick_inward(d(price), d("0.5"), side) == d(inward)


@PROPERTY
@given(values, values)
def test_toward_zero_never_grows_or_flips(old: Decimal, new: Decimal) -> None:
    taken = toward_zero(old, new)
    assert abs(taken) <= min(abs(old), abs(new))
    assert taken == 0 or (same_sign(taken, old) and same_sign(taken, new))
    assert toward_zero(taken, new) == taken
    assert toward_zero(old, old) == old


TOWARD_ZERO = [("5", "8", "5"), ("5", "3", "3"), ("5", "-3", "0"), ("-5", "-8", "-5"), ("-5", "-3", "-3")]
TOWARD_ZERO += [("0", "3", "0"), ("5", "0", "0"), ("-5", "3", "0")]


@pytest.mark.parametrize(("old", "new", "taken"), TOWARD_ZERO)
def test_toward_zero(old: str, new: str, taken: str) -> None:
    assert toward_zero(d(old), d(new)) == d(taken)


@pytest.mark.parametrize(
    ("a", "b", "same"), [("1", "2", True), ("-1", "-2", True), ("1", "-2", False), ("0", "0", False)]
)
def test_zero_has_no_side(a: str, b: str, same: bool) -> None:
    assert same_sign(d(a), d(b)) is same


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.500E+1", "15"), ("0.1000", "0.1"), ("-0.0", "0"), ("100", "100"), ("1E-9", "0.000000001"), ("-2.50", "-2.5")],
)
def test_plain(value: str, text: str) -> None:
    assert plain(d(value)) == text


@PROPERTY
@given(values)
def test_plain_loses_nothing(value: Decimal) -> None:
    assert Decimal(plain(value)) == value


@pytest.mark.parametrize(("signed", "side"), [("3", Side.BUY), ("-3", Side.SELL)])
def test_sides(signed: str, side: Side) -> None:
    assert Side.of(d(signed)) is side
    assert abs(d(signed)) * side.sign == d(signed)


def test_which_halts_flatten() -> None:
    assert [halt for halt in Halt if halt.flattens] == [Halt.FLATTEN, Halt.FLATTEN_ALL]


@PROPERTY
@given(st.decimals(-(10**6), 10**6, places=4, allow_nan=False), prices, st.sampled_from(["0.001", "0.1", "1"]))
def test_contracts_are_never_worth_more_than_asked(notional: Decimal, price: Decimal, contract_size: str) -> None:
    listed = instrument(contract_size=contract_size, lot="0.001")
    contracts = listed.contracts_for(notional, price)
    lot_worth = listed.notional(listed.lot, price)
    assert listed.notional(contracts, price) <= abs(notional) * (1 + d("1e-20"))
    assert listed.notional(contracts, price) > abs(notional) - lot_worth - d("1e-9")
