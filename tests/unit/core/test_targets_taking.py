"""What an account takes of a signal: all of it, downward only, or nothing; and what ends that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from core.domain import Signal, TakenMode
from tests.unit.core.builders import NOW, SN8, TV, Desk, configured, d, facts, reads, say, unknown, weighted

CLOSE_ONLY = "the account is close_only"
FLATTEN = "FLATTEN stands"


def old(depth: str, at: float = NOW) -> Signal:
    """A signal 601 s old: one second over the limit of tradingview."""
    return say(depth, at - 601)


@dataclass(frozen=True)
class Downward:
    """tradingview (weight 0.2) had `before`, then says `then` where only less may be taken: what is taken."""

    before: str
    then: str
    taken: str
    full: bool = False


DOWNWARD = [
    Downward("0.5", "0.8", "0.1"),  # more: what there was
    Downward("0.5", "0.3", "0.06"),  # less: all of it
    Downward("0.5", "0.5", "0.1"),  # the same depth, said again
    Downward("0.5", "-0.5", "0"),  # a flip stops at flat
    Downward("-0.5", "-0.8", "-0.1"),
    Downward("-0.5", "-0.3", "-0.06"),
    Downward("-0.5", "0.1", "0"),
    Downward("0", "0.5", "0"),  # an entry is not taken at all
    Downward("0.5", "0", "0", full=True),  # a flat always is
]


def aged(desk: Desk, depth: str) -> None:
    """The signal was 601 s old when the engine first saw it."""
    desk.cycle(reads(old(depth, desk.now)), after_s=0)


def while_close_only(desk: Desk, depth: str) -> None:
    desk.downward_only = CLOSE_ONLY
    desk.cycle(reads(say(depth, desk.now)))


def while_flatten_stands(desk: Desk, depth: str) -> None:
    desk.downward_only = FLATTEN
    desk.cycle(reads(say(depth, desk.now)))


TRIGGERS: list[Callable[[Desk, str], None]] = [aged, while_close_only, while_flatten_stands]
each_trigger = pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda t: t.__name__)


@each_trigger
@pytest.mark.parametrize("case", DOWNWARD, ids=lambda c: f"{c.before} then {c.then}")
def test_taken_downward_only(trigger: Callable[[Desk, str], None], case: Downward) -> None:
    desk = Desk()
    desk.cycle(reads(say(case.before, NOW - 5)))
    before = desk.stored
    desk.now += 3600
    trigger(desk, case.then)
    assert desk.contribution(TV) == d(case.taken)
    assert desk.symbol.taken[TV].mode is (TakenMode.FULL if case.full else TakenMode.DOWNWARD)
    assert desk.generation == 2
    assert abs(desk.stored) <= abs(before)


def last_signal(desk: Desk) -> Signal:
    taken = desk.symbol.taken[TV]
    return say(str(taken.depth), taken.timestamp)


@each_trigger
def test_it_stays_downward_while_the_same_signal_stands(trigger: Callable[[Desk, str], None]) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW - 5)))
    trigger(desk, "0.8")
    desk.downward_only = None
    wanted = desk.cycle(reads(last_signal(desk)), after_s=30)
    assert (desk.generation, wanted.depth) == (2, d("0.1"))
    assert wanted.held is not None
    assert "resync" in wanted.held


@each_trigger
def test_the_sources_next_signal_ends_it(trigger: Callable[[Desk, str], None]) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW - 5)))
    trigger(desk, "0.8")
    desk.downward_only = None
    wanted = desk.cycle(reads(say("0.8", desk.now + 10)), after_s=10)
    assert (wanted.depth, wanted.held, desk.generation) == (d("0.16"), None, 3)
    assert desk.symbol.taken[TV].mode is TakenMode.FULL


@each_trigger
def test_a_resync_ends_it_at_any_age(trigger: Callable[[Desk, str], None]) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW - 5)))
    trigger(desk, "0.8")
    signal = last_signal(desk)
    desk.downward_only = None
    desk.resync()
    wanted = desk.cycle(reads(signal), after_s=86_400)
    assert (wanted.depth, wanted.held, desk.generation) == (d("0.16"), None, 3)
    assert desk.stored == d("0.064")
    desk.cycle(reads(signal), after_s=30)
    assert desk.generation == 3


def test_a_resync_while_close_only_still_only_reduces() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5")))
    desk.downward_only = CLOSE_ONLY
    desk.resync()
    desk.cycle(reads(say("0.8", NOW + 5)), after_s=5)
    assert desk.contribution(TV) == d("0.1")


@pytest.mark.parametrize(("age_s", "taken"), [(600.0, "0.16"), (600.5, "0.1")])
def test_the_age_limit_is_exclusive(age_s: float, taken: str) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW - 700)), after_s=-700)
    desk.cycle(reads(say("0.8", NOW - age_s)), after_s=700)
    assert desk.contribution(TV) == d(taken)


def test_a_source_without_age_limit_is_taken_at_any_age() -> None:
    desk = Desk()
    assert desk.cycle(reads(None, say("0.8", NOW - 86_400))).depth == d("0.08")


def test_other_sources_act_normally_beside_an_old_entry() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5"), say("0.1")))
    wanted = desk.cycle(reads(old("0.8"), say("0.9", NOW)))
    assert wanted.depth == d("0.19")
    assert wanted.reduce_only is None
    assert wanted.held is not None
    assert "entry too old" in wanted.held


def test_an_old_entry_alone_never_enlarges_what_is_stored() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW - 5)))
    desk.facts = facts(value="5000")
    desk.cycle(reads(old("0.5")))
    assert (desk.generation, desk.stored) == (2, d("0.04"))


# --- weights ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edit:
    """tradingview's weight goes 0.2 -> `first` -> `second`; its contribution after each, from +0.10."""

    first: str
    after_first: str
    second: str
    after_second: str


FOLLOWS = [Edit("0.4", "0.2", "0.2", "0.1"), Edit("0.1", "0.05", "0.3", "0.15"), Edit("0", "0", "0.2", "0.1")]
SHRINKS = [Edit("0.4", "0.1", "0.2", "0.1"), Edit("0.1", "0.05", "0.3", "0.05"), Edit("0", "0", "0.2", "0")]


def edited(desk: Desk, edit: Edit, signal: Signal, *, frozen: bool = False) -> tuple[str, str]:
    """Both edits, a minute apart; the contributions they led to."""
    seen = []
    for weight in (edit.first, edit.second):
        desk.settings = weighted(desk.settings, weight, "0.1")
        desk.cycle(reads(unknown(TV) if frozen else signal, say("0.1")), after_s=60)
        seen.append(str(desk.contribution(TV).normalize()))
    return seen[0], seen[1]


@pytest.mark.parametrize("edit", FOLLOWS, ids=lambda e: f"{e.first} then {e.second}")
def test_a_full_contribution_follows_its_weight(edit: Edit) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5"), say("0.1")))
    assert edited(desk, edit, say("0.5")) == (edit.after_first, edit.after_second)


@pytest.mark.parametrize("edit", SHRINKS, ids=lambda e: f"{e.first} then {e.second}")
def test_a_frozen_contribution_follows_its_weight_downward_only(edit: Edit) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5"), say("0.1")))
    assert edited(desk, edit, say("0.5"), frozen=True) == (edit.after_first, edit.after_second)


@pytest.mark.parametrize("edit", SHRINKS, ids=lambda e: f"{e.first} then {e.second}")
def test_a_downward_contribution_follows_its_weight_downward_only(edit: Edit) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW - 5), say("0.1")))
    desk.cycle(reads(old("0.9"), say("0.1")))
    assert desk.contribution(TV) == d("0.1")
    assert edited(desk, edit, old("0.9")) == (edit.after_first, edit.after_second)


@pytest.mark.parametrize("weight", ["0.1", "0.4", "0"])
def test_a_closed_contribution_stays_closed_under_any_weight(weight: str) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5"), say("0.1")))
    desk.close()
    assert edited(desk, Edit(weight, "0", "0.3", "0"), say("0.5")) == ("0", "0")


# --- closed by the user -----------------------------------------------------------------------------------------------


def closed_desk() -> Desk:
    desk = Desk()
    desk.cycle(reads(say("0.5"), say("0.4")))
    desk.close()
    return desk


def test_closing_takes_everything_to_flat_in_a_new_generation() -> None:
    desk = closed_desk()
    assert (desk.stored, desk.generation) == (d("0"), 2)
    assert {t.contribution for t in desk.symbol.taken.values()} == {d("0")}
    assert {t.mode for t in desk.symbol.taken.values()} == {TakenMode.CLOSED}


def test_the_signals_that_were_there_do_not_reopen_it() -> None:
    desk = closed_desk()
    wanted = desk.cycle(reads(say("0.5"), say("0.4")), after_s=60)
    assert (wanted.depth, desk.generation, desk.stored) == (d("0"), 2, d("0"))
    assert wanted.held is not None
    assert "closed by the user" in wanted.held


def test_each_source_ends_it_for_itself() -> None:
    desk = closed_desk()
    wanted = desk.cycle(reads(say("0.5", NOW + 60), say("0.4")), after_s=60)
    assert (wanted.depth, desk.generation) == (d("0.1"), 3)
    assert (desk.contribution(TV), desk.contribution(SN8)) == (d("0.1"), d("0"))


def test_a_resync_ends_it_for_all() -> None:
    desk = closed_desk()
    desk.resync()
    wanted = desk.cycle(reads(say("0.5"), say("0.4")), after_s=3600)
    assert (wanted.depth, wanted.held) == (d("0.14"), None)


def test_a_source_unknown_at_the_close_returns_closed() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5"), say("0.4")))
    desk.cycle(reads(unknown(TV), say("0.4")), after_s=5)
    desk.close()
    assert desk.cycle(reads(say("0.5"), say("0.4")), after_s=5).depth == 0


def test_signals_that_appear_while_flatten_stands_stay_out_after_it() -> None:
    desk = closed_desk()
    desk.downward_only = FLATTEN
    desk.cycle(reads(say("0.7", NOW + 10), say("0.4")), after_s=10)
    desk.downward_only = None
    wanted = desk.cycle(reads(say("0.7", NOW + 10), say("0.4")), after_s=10)
    assert (wanted.depth, desk.stored) == (d("0"), d("0"))


def test_a_close_beats_a_resync_not_yet_acted_on() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5")))
    desk.resync()
    desk.close()
    assert desk.cycle(reads(say("0.5")), after_s=5).depth == 0
    assert desk.stored == 0


# --- the account's scale ----------------------------------------------------------------------------------------------


def test_scale_multiplies_the_sum_once() -> None:
    settings = configured()
    account = next(iter(settings.accounts.values()))
    halved = configured(account=type(account)(account.account, "bybit", "main", scale=d("0.5")))
    wanted = Desk(halved).cycle(reads(say("0.5"), say("-0.4")))
    assert wanted.depth == d("0.03")
    assert wanted.taken[TV].contribution == d("0.1")
