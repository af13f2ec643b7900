"""What a preflight finds becomes holds, before anything is sent; what cannot be asked is a hold as well."""

from __future__ import annotations

import asyncio
import math

import pytest

from core.domain import MarginMode, Policy, PositionMode, Preflight, Problem, Scope
from core.errors import Denied, OurFault, Rejected, Unavailable
from core.execution.account import Account
from core.execution.preflight import REPEAT_S, check
from tests.unit.core.builders import NOW
from tests.unit.core.execution_parts import CAPABILITIES, StillClock, account_of

HEDGED = Problem(Scope.ALL, "hedge", "the account is in hedge mode")
CLOCK = Problem(Scope.INCREASES, "clock", "this machine's clock is off")


class Asked:
    """A venue that is asked for nothing but its preflight; `found` is the answer, or what is raised."""

    capabilities = CAPABILITIES
    clock_offset_s = 0.0

    def __init__(self, found: Preflight | Exception) -> None:
        self.found = found
        self.asked = 0

    async def preflight(self) -> Preflight:
        self.asked += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def finding(*problems: Problem) -> Preflight:
    return Preflight(problems, PositionMode.ONE_WAY, MarginMode.ISOLATED, 0.0)


def checked(found: Preflight | Exception) -> tuple[Account, Asked, StillClock]:
    clock, venue = StillClock(), Asked(found)
    account = account_of(venue, clock)
    asyncio.run(check(account, Policy()))
    return account, venue, clock


def test_without_a_problem_nothing_is_held_and_nothing_asked_again() -> None:
    account, _, _ = checked(finding())
    assert (account.blocked, account.margin_hold, account.preflight_due) == (None, None, math.inf)


def test_a_problem_of_the_account_stops_everything_until_it_is_gone() -> None:
    account, venue, clock = checked(finding(HEDGED, CLOCK))
    assert account.blocked is not None
    assert (account.blocked.scope, account.blocked.because) == (Scope.ALL, HEDGED.because)
    asyncio.run(check(account, Policy()))
    assert venue.asked == 1, "it is asked again, but not at once"
    clock.now_s += REPEAT_S
    venue.found = finding()
    asyncio.run(check(account, Policy()))
    assert not account.blocked
    assert not account.margin_hold


def test_a_problem_of_increases_stops_increases_alone() -> None:
    account, _, _ = checked(finding(CLOCK))
    assert account.blocked is None
    assert account.margin_hold is not None
    assert (account.margin_hold.scope, account.margin_hold.because) == (Scope.INCREASES, CLOCK.because)


@pytest.mark.parametrize(
    "error", [Denied("no"), Unavailable("a time-out"), Rejected("no"), OurFault("a bug")], ids=repr
)
def test_what_cannot_be_asked_stops_everything_and_is_asked_again(error: Exception) -> None:
    account, _, _ = checked(error)
    assert account.blocked is not None
    assert account.blocked.scope is Scope.ALL
    assert NOW < account.preflight_due <= NOW + REPEAT_S
