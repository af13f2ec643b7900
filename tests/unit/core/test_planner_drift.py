"""A position moved by somebody else: each policy against each way it can have moved."""

from __future__ import annotations

import pytest

from core.domain import DriftPolicy, Policy, SymbolState
from core.planner import plan
from tests.unit.core.builders import DEFAULTS, actual, d, market, no_increase, orders, target, traded

CORRECT, REDUCE_ONLY, WARN = DriftPolicy.CORRECT, DriftPolicy.REDUCE_ONLY, DriftPolicy.WARN

TABLE = [
    # how it moved, stored, read; contracts traded next under correct, reduce_only, warn
    ("larger", "10", "14", "-4", "-4", "0"),
    ("larger, short", "-10", "-14", "4", "4", "0"),
    ("smaller", "10", "6", "4", "0", "0"),
    ("smaller, short", "-10", "-6", "-4", "0", "0"),
    ("gone (liquidated)", "10", "0", "10", "0", "0"),
    ("other side", "10", "-6", "6", "6", "0"),
    ("other side, short", "-10", "6", "-6", "-6", "0"),
    ("other side and larger", "10", "-20", "20", "20", "0"),
    ("target flat", "0", "6", "-6", "-6", "0"),
    ("target flat, short", "0", "-6", "6", "6", "0"),
    ("back where it should be", "10", "10", "0", "0", "0"),
]


@pytest.mark.parametrize(
    ("stored", "read", "correct", "reduce_only", "warn"), [c[1:] for c in TABLE], ids=[c[0] for c in TABLE]
)
@pytest.mark.parametrize("policy", DriftPolicy)
def test_drift(stored: str, read: str, correct: str, reduce_only: str, warn: str, policy: DriftPolicy) -> None:
    expected = d({CORRECT: correct, REDUCE_ONLY: reduce_only, WARN: warn}[policy])
    made = plan(target(stored, drifted="a manual trade"), actual(read), market(), Policy(drift=policy))
    assert traded(made) == expected
    if expected == 0:
        assert (made.steps, made.state) == ((), SymbolState.DRIFTED)
        assert "a manual trade" in made.because
        assert policy.value in made.because
    elif policy is REDUCE_ONLY:
        assert all(order.reduce_only for order in orders(made))


def test_reduce_only_is_the_default() -> None:
    assert DEFAULTS.drift is REDUCE_ONLY


def test_correcting_a_loss_is_an_increase_and_stands_under_every_hold() -> None:
    wanted = target("10", no_increase(), drifted="a manual trade")
    made = plan(wanted, actual("6"), market(), Policy(drift=CORRECT))
    assert (made.steps, made.state) == ((), SymbolState.HELD)


def test_taking_off_what_was_added_passes_every_hold() -> None:
    wanted = target("10", no_increase(), drifted="a manual trade")
    assert traded(plan(wanted, actual("14"), market(mark=None), DEFAULTS)) == -4


def test_without_the_flag_the_stored_size_is_restored() -> None:
    assert traded(plan(target("10"), actual("6"), market(), DEFAULTS)) == 4


def test_an_unreduced_remainder_of_a_drift_is_reported_as_drift() -> None:
    made = plan(target("10", drifted="a manual trade"), actual("10.4"), market(), DEFAULTS)
    assert (made.steps, made.state) == ((), SymbolState.DRIFTED)
