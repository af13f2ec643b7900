"""The loss guard by itself: what is a loss, and what makes it believed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from signal_processors.bittensor_guard import AGREEING, Guard

ALL = frozenset("ABCDEFGH")
HALF = Decimal("0.5")


@pytest.mark.parametrize(
    ("named", "loss", "accepted"),
    [
        ("ABCDEFGH", HALF, True),
        ("ABCDEFGHXYZ", HALF, True),
        ("ABCD", HALF, True),
        ("ABC", HALF, False),
        ("ABCWXYZ12", HALF, False),
        ("", Decimal(1), False),
        ("X", Decimal(1), True),
        ("ABCDEFG", Decimal(0), False),
    ],
)
def test_a_reply(named: str, loss: Decimal, accepted: bool) -> None:
    guard, why = Guard(ALL).judge(frozenset(named), loss)
    assert (why == "") is accepted
    assert guard.accepted == (frozenset(named) if accepted else ALL)


def test_the_first_reply_of_all_has_nothing_to_lose() -> None:
    assert Guard().judge({"A"}, Decimal(0)) == (Guard(frozenset("A")), "")


def test_agreeing_replies_are_believed_and_an_empty_one_never_is() -> None:
    guard, few = Guard(ALL), frozenset("AB")
    for _ in range(AGREEING - 1):
        guard, why = guard.judge(few, HALF)
        assert "lost 6 of the 8 traders" in why
    assert guard.judge(few, HALF) == (Guard(few), "")
    assert guard.interrupted().judge(few, HALF)[1]
    guard = Guard(ALL)
    for _ in range(2 * AGREEING):
        guard, why = guard.judge((), HALF)
        assert why
