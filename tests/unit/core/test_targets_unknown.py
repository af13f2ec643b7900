"""Unknown is not zero: every row of the table of what a silent, strange or removed source does to a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from core.domain import OnDisable, Scope, Settings, Signal, SourceName, SourceReading, SourceSettings, SymbolState
from core.sizing import Waiting, needs_size, size
from core.targets import Before, Moment, want
from tests.unit.core.builders import (
    BTC,
    NOW,
    SN8,
    TV,
    Desk,
    configured,
    d,
    facts,
    heard,
    not_heard,
    reads,
    say,
    unknown,
    weighted,
)

Readings = Mapping[SourceName, SourceReading]


def with_source(settings: Settings, source: SourceName, limits: SourceSettings) -> Settings:
    return replace(settings, sources={**settings.sources, source: limits})


def unmapped(settings: Settings, source: SourceName) -> Settings:
    return replace(settings, mappings={s: m for s, m in settings.mappings.items() if s != source})


@dataclass(frozen=True)
class Silence:
    """A way in which tradingview stops being heard, after it was: how it reads, and what became of the settings."""

    name: str
    reading: SourceReading | None
    names: str
    settings: Callable[[Settings], Settings] = lambda settings: settings


SPOKEN = say("0.5", leverage="10")
SILENCES = [
    Silence("unreadable", unknown(TV, "its document is torn; wait or restart it"), "torn"),
    Silence("vanished", unknown(TV, "its document is gone; restart it"), "gone"),
    Silence("vanished before a restart", not_heard(TV), "restart its signal processor"),
    Silence("never asked for", None, "restart its signal processor"),
    Silence("heartbeat too old", unknown(TV), "heartbeat is 300 s old"),
    Silence("written in the future", unknown(TV, "written 9 s in the future; check its clock"), "future"),
    Silence("symbol gone from the document", heard(TV), "BTCUSDT is gone from tradingview"),
    Silence("mapping removed", heard(TV, SPOKEN), "asset_mapping_config.json", lambda s: unmapped(s, TV)),
    Silence(
        "disabled, on_disable hold",
        heard(TV, SPOKEN),
        "disabled and held",
        lambda s: with_source(s, TV, SourceSettings(enabled=False, on_disable=OnDisable.HOLD)),
    ),
    Silence("deeper than max_depth", heard(TV, say("1.5")), "beyond max_depth"),
]
each_silence = pytest.mark.parametrize("silence", SILENCES, ids=lambda s: s.name)


def silenced(desk: Desk, silence: Silence, bittensor: Signal | None = None) -> Readings:
    """`desk` falls into `silence`; returns what is read from then on."""
    desk.settings = silence.settings(desk.settings)
    return reads(silence.reading, bittensor)


@each_silence
def test_unknown_stays_as_taken_without_a_generation(silence: Silence) -> None:
    desk = Desk()
    before = desk.cycle(reads(SPOKEN, say("-0.4")))
    wanted = desk.cycle(silenced(desk, silence, say("-0.4")), after_s=60)
    assert (wanted.depth, wanted.inputs_hash) == (d("0.06"), before.inputs_hash)
    assert wanted.taken[TV].contribution == d("0.1")
    assert desk.generation == 1
    assert wanted.held is not None
    assert silence.names in wanted.held


@each_silence
def test_returning_unchanged_makes_no_generation(silence: Silence) -> None:
    desk = Desk()
    settings = desk.settings
    desk.cycle(reads(SPOKEN, say("-0.4")))
    desk.cycle(silenced(desk, silence, say("-0.4")), after_s=60)
    desk.settings = settings
    wanted = desk.cycle(reads(SPOKEN, say("-0.4")), after_s=60)
    assert desk.generation == 1
    assert (wanted.depth, wanted.held, wanted.holds, wanted.reduce_only) == (d("0.06"), None, (), None)


@each_silence
def test_unknown_before_anything_was_taken_contributes_nothing(silence: Silence) -> None:
    desk = Desk()
    wanted = desk.cycle(silenced(desk, silence, say("-0.4")))
    assert wanted.depth == d("-0.04")


@dataclass(frozen=True)
class Answer:
    """bittensor's new depth while tradingview's +0.10 (0.5 x 0.2) is frozen, and what may come of it."""

    depth: str
    asked: str
    """D by the sum of taken contributions."""
    contracts: str
    """From 0.012 x 10 contracts stored (D 0.06, L 10, equity 1000, price 50 000)."""
    grows: bool


ANSWERS = [
    Answer("0.4", "0.14", "0.028", grows=True),  # the known ask for the target's side
    Answer("-0.2", "0.08", "0.012", grows=False),  # D grows, but what is known asks the other side
    Answer("-0.8", "0.02", "0.004", grows=False),  # a reduction always acts
    Answer("0", "0.10", "0.012", grows=False),  # nothing known asks for anything
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: a.depth)
def test_while_frozen_an_increase_needs_the_known_to_ask_for_the_side(answer: Answer) -> None:
    desk = Desk()
    desk.cycle(reads(SPOKEN, say("-0.4")))
    assert desk.stored == d("0.012")
    wanted = desk.cycle(reads(unknown(TV), say(answer.depth, NOW + 60)), after_s=60)
    assert wanted.depth == d(answer.asked)
    assert desk.stored == d(answer.contracts)
    assert (wanted.reduce_only is None) == answer.grows
    assert [(h.scope, h.state) for h in wanted.holds] == [(Scope.INCREASES, SymbolState.HELD)] * (not answer.grows)
    assert wanted.held is not None
    assert "tradingview" in wanted.held


def test_the_known_may_flip_a_target_to_their_own_side_while_another_is_frozen() -> None:
    desk = Desk(weighted(configured(), "0.1", "0.9"))
    desk.cycle(reads(say("0.5"), say("0")))
    wanted = desk.cycle(reads(unknown(TV), say("-0.5", NOW + 60)), after_s=60)
    assert (wanted.depth, wanted.reduce_only) == (d("-0.40"), None)
    assert desk.stored < 0


def test_while_frozen_leverage_is_at_most_that_of_the_last_size() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", leverage="10"), say("0.4")))
    assert desk.sized.leverage == 10
    raised = reads(unknown(TV), say("0.5", NOW + 60, leverage="20"))
    assert desk.cycle(raised, after_s=60).leverage == 10
    assert desk.sized.leverage == 10
    lowered = reads(unknown(TV), say("0.5", NOW + 90, leverage="2"))
    assert desk.cycle(lowered, after_s=30).leverage == 7  # (0.10 x 10 + 0.05 x 2) / 0.15


def test_frozen_and_close_only_at_once_still_only_reduces() -> None:
    desk = Desk(weighted(configured(), "0.2", "0.2"))
    desk.cycle(reads(say("0.5"), say("0.1")))
    stored = desk.stored
    desk.downward_only = "the account is close_only"
    desk.settings = weighted(desk.settings, "0.2", "0.8")
    wanted = desk.cycle(reads(unknown(TV), say("0.1")), after_s=60)
    assert wanted.depth == d("0.18")
    assert wanted.reduce_only == "the account is close_only"
    assert desk.stored == stored


def test_a_source_never_heard_contributes_nothing_and_is_named() -> None:
    wanted = Desk().cycle(reads(SPOKEN))
    assert wanted.depth == d("0.1")
    assert "bittensor has not been heard yet" in wanted.because
    assert (wanted.holds, wanted.held, wanted.reduce_only) == ((), None, None)


def test_a_source_that_never_spoke_on_the_symbol_is_not_frozen() -> None:
    wanted = Desk().cycle(reads(SPOKEN, heard(SN8)))
    assert (wanted.depth, wanted.held) == (d("0.1"), None)


def test_a_symbol_an_earlier_document_had_is_frozen_even_when_nothing_was_taken() -> None:
    lost = replace(heard(SN8), gone=frozenset({BTC}))
    wanted = Desk().cycle(reads(say("-0.5"), lost))
    assert (wanted.depth, wanted.reduce_only) == (d("-0.1"), None)
    assert "gone" in wanted.because


NOBODY_SPOKE: Mapping[str, Readings] = {
    "never heard": {},
    "heard, without the symbol": reads(heard(TV), heard(SN8)),
    "unreadable from the start": reads(unknown(TV), unknown(SN8)),
}


@pytest.mark.parametrize("readings", NOBODY_SPOKE.values(), ids=NOBODY_SPOKE)
def test_no_target_while_no_weighted_source_ever_spoke(readings: Readings) -> None:
    desk = Desk()
    wanted = desk.cycle(readings)
    assert wanted.depth is None
    assert not needs_size(wanted, None)
    assert desk.symbol.sized is None
    assert "no signal yet" in wanted.because


def test_only_a_source_without_weight_spoke() -> None:
    desk = Desk(weighted(configured(), "0", "0.1"))
    assert desk.cycle(reads(SPOKEN)).depth is None


@pytest.mark.parametrize(("weights", "depth"), [(("0", "0.1"), "-0.04"), ((None, "0.1"), "-0.04"), (("0", "0"), "0")])
def test_weight_0_and_left_out_contribute_nothing(weights: tuple[str | None, str], depth: str) -> None:
    desk = Desk()
    desk.cycle(reads(SPOKEN, say("-0.4")))
    desk.settings = weighted(desk.settings, *weights)
    wanted = desk.cycle(reads(SPOKEN, say("-0.4")), after_s=60)
    assert (wanted.depth, wanted.held) == (d(depth), None)
    assert desk.generation == 2
    assert desk.sized.depth == d(depth)


def test_all_weights_0_is_flat_even_when_nobody_can_be_read() -> None:
    desk = Desk()
    desk.cycle(reads(SPOKEN, say("-0.4")))
    desk.settings = weighted(desk.settings, "0", "0")
    wanted = desk.cycle(reads(unknown(TV), unknown(SN8)), after_s=60)
    assert (wanted.depth, wanted.held, desk.stored) == (d("0"), None, d("0"))


def test_all_weights_0_is_flat_before_anybody_spoke() -> None:
    desk = Desk(weighted(configured(), "0", "0"))
    assert desk.cycle({}).depth == 0
    assert (desk.generation, desk.stored) == (1, d("0"))


def test_a_held_source_without_weight_freezes_nothing() -> None:
    desk = Desk()
    desk.cycle(reads(SPOKEN, say("-0.4")))
    hold = SourceSettings(enabled=False, on_disable=OnDisable.HOLD)
    desk.settings = with_source(weighted(desk.settings, "0", "0.1"), TV, hold)
    wanted = desk.cycle(reads(SPOKEN, say("-0.5", NOW + 60)), after_s=60)
    assert (wanted.depth, wanted.reduce_only, wanted.held) == (d("-0.05"), None, None)


def test_disabled_source_contributes_nothing_and_makes_a_generation() -> None:
    desk = Desk()
    desk.cycle(reads(SPOKEN, say("-0.4")))
    desk.settings = with_source(desk.settings, TV, SourceSettings(enabled=False))
    wanted = desk.cycle(reads(SPOKEN, say("-0.4")), after_s=60)
    assert (wanted.depth, desk.generation) == (d("-0.04"), 2)


def test_entry_removed_from_the_weights_is_no_target_and_re_added_the_same_generation() -> None:
    desk = Desk()
    first = desk.cycle(reads(SPOKEN, say("-0.4")))
    gone = replace(desk.settings, weights={})
    memory = desk.symbol
    before = Before(memory.taken, memory.sized, memory.resync, memory.sized_resync)
    assert want(BTC, gone, desk.account, reads(SPOKEN, say("-0.4")), before, Moment(NOW)) is None
    assert desk.cycle(reads(SPOKEN, say("-0.4")), after_s=60).inputs_hash == first.inputs_hash
    assert desk.generation == 1


def test_a_symbol_outside_the_accounts_list_is_no_target() -> None:
    desk = Desk()
    narrow = replace(desk.account, symbols=frozenset())
    assert want(BTC, desk.settings, narrow, reads(SPOKEN), Before({}), Moment(NOW)) is None


def test_max_depth_is_the_accounts_own() -> None:
    desk = Desk()
    strict = replace(desk.account, policy=replace(desk.account.policy, max_depth=d("0.3")))
    desk.settings = replace(desk.settings, accounts={strict.account: strict})
    assert desk.cycle(reads(SPOKEN, say("-0.3"))).depth == d("-0.03")


def test_frozen_and_equity_unknown_waits_with_what_is_stored() -> None:
    desk = Desk()
    desk.cycle(reads(SPOKEN, say("-0.4")))
    desk.facts = replace(facts(), equity=None, missing="equity could not be read")
    desk.cycle(reads(unknown(TV), say("-0.2", NOW + 60)), after_s=60)
    assert (desk.sized.provisional, desk.stored) == (True, d("0.012"))
    again = size(desk.want(reads(unknown(TV), say("-0.2", NOW + 60))), desk.sized, desk.facts, desk.account.policy, NOW)
    assert isinstance(again, Waiting)
    assert "equity could not be read" in again.because


def test_contributions_are_decimal_shares() -> None:
    wanted = Desk().cycle(reads(say("0.1"), say("0.2")))
    assert wanted.depth == Decimal("0.04")
