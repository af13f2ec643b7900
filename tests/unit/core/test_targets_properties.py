"""Targets through random histories: signals, silences, edited weights, closes, re-syncs, close_only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import event, given
from hypothesis import strategies as st

from core.domain import Signal, SourceName, SourceReading, TakenMode, same_sign
from tests.unit.core.builders import (
    ACCOUNT,
    NOW,
    PROPERTY,
    SN8,
    TV,
    Desk,
    facts,
    heard,
    not_heard,
    reads,
    say,
    unknown,
    weighted,
)

depths = st.integers(-100, 100).map(lambda n: str(Decimal(n) / 100))
weights = st.tuples(st.integers(0, 10), st.integers(0, 10)).map(
    lambda pair: (str(Decimal(pair[0]) / 10), str(Decimal(min(pair[1], 10 - pair[0])) / 10))
)
leverages = st.none() | st.sampled_from(["1", "3", "12.5", "40"])


@dataclass(frozen=True)
class Say:
    """tradingview (or bittensor) says something new, `age_s` before now."""

    source: SourceName
    depth: str
    age_s: float
    leverage: str | None


@dataclass(frozen=True)
class Silent:
    source: SourceName
    how: SourceReading | None


@dataclass(frozen=True)
class Weigh:
    weights: tuple[str, str]


@dataclass(frozen=True)
class Stand:
    """close_only or FLATTEN begins to stand, or ends."""

    why: str | None


@dataclass(frozen=True)
class Worth:
    equity: str
    mark: str


@dataclass(frozen=True)
class Do:
    verb: str


Event = Say | Silent | Weigh | Stand | Worth | Do
names = st.sampled_from([TV, SN8])
silences = st.sampled_from([unknown(TV), unknown(SN8), not_heard(TV), heard(TV), heard(SN8), None])
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Say, names, depths, st.sampled_from([0.0, 5.0, 5000.0]), leverages),
    st.builds(Say, names, depths, st.sampled_from([0.0, 5.0, 5000.0]), leverages),
    st.builds(Silent, names, silences),
    st.builds(Weigh, weights),
    st.builds(Stand, st.sampled_from([None, None, "close_only"])),
    st.builds(Worth, st.sampled_from(["100", "1000", "9000"]), st.sampled_from(["30000", "50000"])),
    st.builds(Do, st.sampled_from(["close", "resync", "hear"])),
)
histories = st.lists(events, min_size=1, max_size=12)


class Story:
    """A desk living through events; what each source last said, and whether it can be read."""

    def __init__(self, scale: Decimal = Decimal(1)) -> None:
        self.desk = Desk(weighted(Desk().settings, "0.5", "0.5"))
        account = replace(self.desk.account, scale=scale)
        self.desk.settings = replace(self.desk.settings, accounts={ACCOUNT: account})
        self.said: dict[SourceName, Signal | None] = {TV: None, SN8: None}
        self.silent: dict[SourceName, SourceReading | None] = {}

    def readings(self) -> dict[SourceName, SourceReading]:
        now = {s: self.silent.get(s, self.said[s]) for s in (TV, SN8)}
        return reads(now[TV], now[SN8])

    def live(self, event_: Event) -> None:
        desk = self.desk
        desk.now += 60
        match event_:
            case Say(source, depth, age_s, leverage):
                self.said[source] = say(depth, desk.now - age_s, leverage)
                self.silent.pop(source, None)
            case Silent(source, how):
                if self.said[source] is not None:
                    self.silent[source] = how
            case Weigh((tradingview, bittensor)):
                desk.settings = weighted(desk.settings, tradingview, bittensor)
            case Stand(why):
                desk.downward_only = why
            case Worth(equity, mark):
                desk.facts = facts(equity, mark)
            case Do("close"):
                if desk.symbol.sized is not None:
                    desk.close()
            case Do("resync"):
                desk.resync()
            case Do(_):
                self.silent.clear()
        desk.cycle(self.readings())


@PROPERTY
@given(histories, st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(3)]))
def test_depth_stays_within_the_scale(history: list[Event], scale: Decimal) -> None:
    story = Story(scale)
    for happening in history:
        story.live(happening)
        wanted = story.desk.want(story.readings())
        event(f"{wanted.depth is None}")
        if wanted.depth is not None:
            assert -scale <= wanted.depth <= scale
        assert wanted.leverage == wanted.leverage.to_integral_value()
        assert 1 <= wanted.leverage <= story.desk.account.policy.max_leverage


@PROPERTY
@given(histories)
def test_want_is_a_function_of_its_arguments(history: list[Event]) -> None:
    story = Story()
    for happening in history:
        story.live(happening)
    readings = story.readings()
    assert story.desk.want(readings) == story.desk.want(readings)


@PROPERTY
@given(histories)
def test_a_second_cycle_changes_nothing(history: list[Event]) -> None:
    story = Story()
    for happening in history:
        story.live(happening)
        memory = story.desk.memory
        story.desk.cycle(story.readings(), after_s=30)
        assert story.desk.memory == memory


@PROPERTY
@given(histories, st.sampled_from([unknown(TV), not_heard(TV), heard(TV), None]))
def test_falling_silent_and_returning_makes_no_generation(history: list[Event], how: SourceReading | None) -> None:
    story = Story()
    for happening in history:
        story.live(happening)
    if story.silent or story.said[TV] is None or TV not in story.desk.symbol.taken:
        return
    event("silent")
    memory = story.desk.memory
    story.live(Silent(TV, how))
    assert story.desk.memory == memory
    story.live(Do("hear"))
    assert story.desk.memory == memory


@PROPERTY
@given(histories, histories)
def test_nothing_grows_while_only_reductions_are_allowed(history: list[Event], closing: list[Event]) -> None:
    story = Story()
    for happening in history:
        story.live(happening)
    story.desk.downward_only = "close_only"
    for happening in closing:
        if isinstance(happening, Stand):
            continue
        before = story.desk.stored
        story.live(happening)
        after = story.desk.stored
        assert abs(after) <= abs(before)
        assert after == 0 or same_sign(before, after)


@PROPERTY
@given(histories, histories)
def test_what_the_user_closed_stays_closed_until_it_is_said_again(history: list[Event], later: list[Event]) -> None:
    story = Story()
    for happening in history:
        story.live(happening)
    if story.desk.symbol.sized is None or len(story.desk.symbol.taken) < 2:
        return
    story.live(Do("close"))
    for happening in later:
        if isinstance(happening, Say) or happening == Do("resync"):
            continue
        story.live(happening)
        closed = [t for t in story.desk.symbol.taken.values() if t.mode is TakenMode.CLOSED]
        assert all(t.contribution == 0 for t in closed)
        if len(closed) == 2:
            assert story.desk.stored == 0


def test_the_story_starts_at_nothing() -> None:
    story = Story()
    story.live(Do("hear"))
    assert (story.desk.symbol.sized, story.desk.now) == (None, NOW + 60)
