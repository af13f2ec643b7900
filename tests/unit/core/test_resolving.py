"""What became of an order: which answers settle it, and that nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from core.domain import OrderOutcome, OrderStatus, Position, Positions
from core.errors import OurFault, Rejected, Unavailable
from core.execution.account import Account
from core.execution.resolving import AFTER_VALIDITY_S, CANCEL_OPEN_AFTER_S, LOOKUPS_APART_S, resolve
from core.records import IntentState, intent_record
from tests.unit.core.builders import BTC, NOW, d
from tests.unit.core.execution_parts import LookUps, StillClock, account_of
from tests.unit.core.test_memory import VERIFIED_FLAT, intent, size_record

LATE_S = intent().valid_until - NOW + AFTER_VALIDITY_S


class Scene:
    """One order over 5 contracts, sent `NOW`; nothing is known of it."""

    def __init__(
        self,
        answer: Callable[[], OrderOutcome | None] = lambda: None,
        state: IntentState = IntentState.UNKNOWN,
        signed: str = "5",
    ) -> None:
        self.clock = StillClock()
        self.venue = LookUps(answer)
        sent = intent_record(replace(intent(signed=signed), state=state))
        self.account: Account = account_of(self.venue, self.clock, VERIFIED_FLAT, size_record(), sent)

    def at(self, after_s: float, contracts: str = "0", seq: int | None = None) -> None:
        """The position is read and what is open is resolved, so long after the order was sent."""
        self.clock.now_s = NOW + after_s
        found = Position(BTC, d(contracts), seq=seq)
        positions = Positions({BTC: found}, self.clock.now_s, self.clock.now_s)
        asyncio.run(resolve(self.account, BTC, found, positions))

    def is_open(self) -> bool:
        return bool(self.account.memory.of(BTC).intents)

    @property
    def baseline(self) -> object:
        return self.account.memory.of(BTC).baseline


def test_one_absence_is_no_proof() -> None:
    scene = Scene()
    scene.at(LATE_S)
    assert scene.is_open()
    scene.at(LATE_S + LOOKUPS_APART_S - 0.1)
    assert scene.is_open(), "two absences count only so far apart"
    scene.at(LATE_S + LOOKUPS_APART_S + 1)
    assert not scene.is_open()
    assert scene.baseline == 0


def test_an_order_that_is_still_valid_is_not_dead() -> None:
    scene = Scene()
    for after_s in range(int(LATE_S)):
        scene.at(after_s)
    assert scene.venue.asked == int(LATE_S), "it is asked for every second all the same"
    scene.at(LATE_S + 0.1)
    assert scene.is_open(), "absence while it could still land does not count"


@pytest.mark.parametrize("error", [Unavailable("a time-out"), Rejected("a refusal"), OurFault("a bug")], ids=repr)
def test_a_look_up_that_fails_says_nothing(error: Exception) -> None:
    def fails() -> OrderOutcome | None:
        raise error

    scene = Scene(fails)
    for after_s in range(60):
        scene.at(after_s)
    assert scene.is_open()
    scene.venue.answer = lambda: OrderOutcome(OrderStatus.DONE, d(5))
    scene.at(61)
    assert not scene.is_open()
    assert scene.baseline == 5


def test_an_absence_before_a_failure_does_not_count_for_one_after_it_was_found() -> None:
    scene = Scene()
    scene.at(LATE_S)
    scene.venue.answer = lambda: OrderOutcome(OrderStatus.OPEN, d(0))
    scene.at(LATE_S + 2)
    scene.venue.answer = lambda: None
    scene.at(LATE_S + 4)
    assert scene.is_open(), "it was there in between: two absences in a row are wanted"


def test_an_order_that_still_rests_is_not_over() -> None:
    scene = Scene(lambda: OrderOutcome(OrderStatus.OPEN, d(2)))
    scene.at(1)
    assert (scene.is_open(), scene.venue.cancelled) == (True, [])
    scene.at(CANCEL_OPEN_AFTER_S + 1)
    assert scene.is_open()
    assert len(scene.venue.cancelled) == 1
    scene.venue.answer = lambda: OrderOutcome(OrderStatus.DONE, d(3))
    scene.at(CANCEL_OPEN_AFTER_S + 3)
    assert not scene.is_open()
    assert scene.baseline == 3, "what it filled, not what was asked"


def test_a_complete_fill_is_proven_by_a_read_after_the_ack() -> None:
    scene = Scene(state=IntentState.ACKED)
    scene.at(1, "5")
    assert not scene.is_open()
    assert (scene.baseline, scene.venue.asked) == (5, 0)


def test_a_read_that_may_be_old_proves_no_fill() -> None:
    scene = Scene(state=IntentState.ACKED)
    for contracts in ("5", "0"):  # what the fill would make was held a moment ago
        scene.account.hold_value(BTC, d(contracts))
    scene.at(1, "5")
    assert scene.is_open()
    assert scene.venue.asked == 1


def test_a_numbered_read_proves_a_fill_only_beyond_what_was_seen_before_the_order() -> None:
    scene = Scene(state=IntentState.ACKED)
    scene.account.view(BTC).seq_at_send = 7
    scene.at(1, "5", seq=7)
    assert scene.is_open()
    scene.at(3, "5", seq=8)
    assert not scene.is_open()


def test_without_an_ack_no_read_proves_a_fill() -> None:
    scene = Scene()
    scene.at(1, "5")
    assert scene.is_open()


@pytest.mark.parametrize("contracts", ["4", "6", "-5"])
def test_another_position_proves_no_fill(contracts: str) -> None:
    scene = Scene(state=IntentState.ACKED)
    scene.at(1, contracts)
    assert scene.is_open()
