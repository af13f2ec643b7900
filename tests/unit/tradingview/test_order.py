"""Which alert is in force: order and repeats, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from signal_processors.tradingview_order import MAX_SYMBOLS, REMEMBERED, Dedup, Opinions, Outcome, Record, fold
from tests.unit.tradingview.records import T0, alert, folded, in_force, record

REPEAT, TOOK, OVERTAKEN = Outcome.REPEAT, Outcome.TOOK_EFFECT, Outcome.OVERTAKEN

# --- effective time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "time", "effective", "noted"),
    [
        (100, 90, 90, False),
        (100, 100, 100, False),
        (100, 105, 105, False),
        (100, 105.001, 100, True),
        (100, 5000, 100, True),
        (100, -80_000, -80_000, False),
        (100, None, 100, False),
    ],
)
def test_effective_time(received: float, time: float | None, effective: float, noted: bool) -> None:
    one = record(received) if time is None else record(received, time=time)
    assert one.effective_at == pytest.approx(T0 + effective, abs=0.0005)
    _, (verdict,) = folded(one)
    assert bool(verdict.notes) is noted


# --- order: (what is in force, what comes, who wins) ------------------------------------------------------------------

ORDER: dict[str, tuple[Record, Record, bool]] = {
    "no times: receipt": (record(0), record(1, "short"), True),
    "far later by time": (record(0, time=0), record(20, "short", time=20), True),
    "far earlier by time": (record(30, time=30), record(31, "short", time=10), False),
    "far later by time, whatever the sequence": (
        record(0, time=0, signal_seq=9),
        record(20, "short", time=20, signal_seq=1),
        True,
    ),
    "far earlier by time, whatever the sequence": (
        record(30, time=30, signal_seq=1),
        record(31, "short", time=10, signal_seq=9),
        False,
    ),
    "time against receipt, far apart": (record(30), record(31, "short", time=19), False),
    "exactly 10 s earlier is not far": (record(30, signal_seq=1), record(31, "short", time=20, signal_seq=2), True),
    "10.001 s earlier is far": (record(30, signal_seq=1), record(31, "short", time=19.999, signal_seq=2), False),
    "exactly 10 s later is not far": (
        record(0, time=0, signal_seq=5),
        record(11, "short", time=10, signal_seq=4),
        False,
    ),
    "sequence forward": (record(0, signal_seq=1), record(1, "short", signal_seq=2), True),
    "sequence back": (record(0, signal_seq=2), record(1, "short", signal_seq=1), False),
    "sequence before chain": (
        record(0, "short", signal_seq=2, prev_direction="flat"),
        record(1, "flat", signal_seq=3, prev_direction="long"),
        True,
    ),
    "sequence before time": (
        record(5, time=5, signal_seq=1),
        record(6, "short", time=4, signal_seq=2),
        True,
    ),
    "equal sequences decide nothing": (
        record(5, time=5, signal_seq=1),
        record(6, "short", time=4, signal_seq=1),
        False,
    ),
    "only one has a sequence": (record(5, signal_seq=7), record(6, "short"), True),
    "chain: comes after": (
        record(0, "flat", prev_direction="long"),
        record(1, "short", prev_direction="flat"),
        True,
    ),
    "chain: comes before": (
        record(0, "short", prev_direction="flat"),
        record(1, "flat", prev_direction="long"),
        False,
    ),
    "chain before time": (
        record(5, "short", time=3, prev_direction="flat"),
        record(6, "flat", time=4, prev_direction="long"),
        False,
    ),
    "chain: the exit goes before the entry on the same side": (
        record(0, "long", prev_direction="flat"),
        record(0.2, "flat", prev_direction="long"),
        False,
    ),
    "chain: the entry after the exit on the same side": (
        record(0, "flat", prev_direction="long"),
        record(0.2, "long", prev_direction="flat"),
        True,
    ),
    "chain: an add comes after the opening": (
        record(0, "long", prev_direction="flat"),
        record(1, "long", prev_direction="long", size="20/100"),
        True,
    ),
    "chain: an opening comes before the add": (
        record(0, "long", prev_direction="long", size="20/100"),
        record(1, "long", prev_direction="flat"),
        False,
    ),
    "chain: two adds decide nothing, time does": (
        record(5, "long", time=5, prev_direction="long", size="20/100"),
        record(6, "long", time=4, prev_direction="long"),
        False,
    ),
    "chain: no link decides nothing": (
        record(5, "long", time=5, prev_direction="flat"),
        record(6, "short", time=4, prev_direction="short"),
        False,
    ),
    "chain: two flips that could follow each other": (
        record(5, "long", time=5, prev_direction="short"),
        record(6, "short", time=4, prev_direction="long"),
        False,
    ),
    "only one has a previous direction": (record(0, "short"), record(1, "flat", prev_direction="long"), True),
    "time": (record(5, time=5), record(6, "short", time=3), False),
    "time forward": (record(5, time=4), record(6, "short", time=5), True),
    "equal times: receipt": (record(5, time=5), record(6, "short", time=5), True),
    "time needs both": (record(5), record(6, "short", time=4), True),
    "a time too far ahead is none": (record(5, time=5), record(6, "short", time=600), True),
    "after a time too far ahead": (record(5, time=600), record(6, "short", time=5), True),
}


@pytest.mark.parametrize(("first", "second", "second_wins"), ORDER.values(), ids=ORDER)
def test_order(first: Record, second: Record, second_wins: bool) -> None:
    opinions, verdicts = folded(first, second)
    assert in_force(opinions) == (second if second_wins else first)
    assert [v.outcome for v in verdicts] == [TOOK, TOOK if second_wins else OVERTAKEN]
    assert [v.in_force for v in verdicts] == [True, second_wins]
    assert (verdicts[1].because is None) is second_wins


BASES = {
    "flat before: opened, then closed": ("flat", "long", "flat", True),
    "long before: closed, then opened again": ("long", "long", "flat", False),
    "flat before: opened short, then closed": ("flat", "short", "flat", True),
    "short before: flip and flip back": ("short", "long", "short", True),
    "long before: the later flip came first": ("long", "long", "short", False),
}


@pytest.mark.parametrize(("before", "first", "second", "second_wins"), BASES.values(), ids=BASES)
def test_a_two_way_chain_is_decided_by_what_was_in_force_before(
    before: str, first: str, second: str, second_wins: bool
) -> None:
    """Each of the two could follow the other; the one that fits what went before came first."""
    base = record(0, before)
    one = record(100, first, prev_direction=second)
    two = record(101, second, prev_direction=first)
    opinions, _ = folded(base, one, two)
    assert in_force(opinions) == (two if second_wins else one)


def test_a_reversal_ends_the_same_in_either_order() -> None:
    base = record(0, "long", prev_direction="flat")
    close = record(100, "flat", prev_direction="long")
    reopen = record(100.1, "short", prev_direction="flat")
    swapped = (replace(reopen, received_at=close.received_at), replace(close, received_at=reopen.received_at))
    assert in_force(folded(base, close, reopen)[0]).alert == reopen.alert
    assert in_force(folded(base, *swapped)[0]).alert == reopen.alert


def test_a_recreated_strategy_wins_by_time_and_is_noted() -> None:
    _, verdicts = folded(record(0, time=0, signal_seq=812), record(60, "short", time=60, signal_seq=1))
    assert verdicts[1].outcome is TOOK
    assert "812 to 1" in verdicts[1].notes[0]


def test_what_lost_is_in_force_again_for_nobody() -> None:
    late = record(40, "short", time=10)
    opinions, verdicts = folded(record(30, time=30), late, replace(late, received_at=T0 + 41, event="again"))
    assert [v.outcome for v in verdicts] == [TOOK, OVERTAKEN, REPEAT]
    assert in_force(opinions).alert.direction == "long"


# --- repeats: (records, verdict on the last) --------------------------------------------------------------------------

REPEATS: dict[str, tuple[list[Record], Outcome, bool]] = {
    "same event id": ([record(0, event_id="a"), record(1, "short", event_id="a")], REPEAT, True),
    "same event id, of one no longer in force": (
        [record(0, event_id="a"), record(1, "short", event_id="b"), record(9999, event_id="a")],
        REPEAT,
        False,
    ),
    "same event id, of one that lost": (
        [
            record(0, signal_seq=2, event_id="a"),
            record(1, "short", signal_seq=1, event_id="b"),
            record(2, "flat", signal_seq=3, event_id="b"),
        ],
        REPEAT,
        False,
    ),
    "another event id": ([record(0, event_id="a"), record(1, event_id="b")], TOOK, True),
    "equal to the one in force, days later": ([record(0), record(500_000)], REPEAT, True),
    "equal but in other order": (
        [record(0, leverage="3", price="1"), record(1, price="1", leverage="3")],
        REPEAT,
        True,
    ),
    "equal but for a type": ([record(0, leverage="3"), record(1, leverage=3)], TOOK, True),
    "same body after a different one": ([record(0), record(1, "flat"), record(2)], TOOK, True),
    "same body with a time, within 60 s, after a different one": (
        [record(0, time=0), record(1, "flat", time=1), record(60, time=0)],
        REPEAT,
        False,
    ),
    "same body with a time, after 60 s": (
        [record(0, time=0, signal_seq=5), record(1, "flat", time=1), record(60.001, time=0, signal_seq=5)],
        OVERTAKEN,
        False,
    ),
    "same body without a time, within 60 s, after a different one": (
        [record(0), record(1, "flat"), record(5)],
        TOOK,
        True,
    ),
    "the time differs": ([record(0, time=0), record(1, time=1)], TOOK, True),
    "within the time to live": (
        [record(0, dedup=Dedup(60)), record(60, dedup=Dedup(60))],
        REPEAT,
        True,
    ),
    "past the time to live": (
        [record(0, dedup=Dedup(60)), record(60.001, dedup=Dedup(60))],
        TOOK,
        True,
    ),
    "compared on some fields": (
        [record(0, price="1"), record(1, price="2", dedup=Dedup(None, ("symbol", "direction", "size")))],
        REPEAT,
        True,
    ),
    "different in a field compared": (
        [record(0, price="1"), record(1, price="2", dedup=Dedup(None, ("symbol", "price")))],
        TOOK,
        True,
    ),
    "a field compared is missing in one": (
        [record(0), record(1, price="2", dedup=Dedup(None, ("symbol", "price")))],
        TOOK,
        True,
    ),
    "a field compared is missing in both": (
        [record(0, leverage="2"), record(1, dedup=Dedup(None, ("symbol", "price")))],
        REPEAT,
        True,
    ),
    "compared on some fields, after a different one within 60 s": (
        [
            record(0, time=0, dedup=Dedup(None, ("direction",))),
            record(1, "flat", time=1, dedup=Dedup(None, ("direction",))),
            record(2, time=2, dedup=Dedup(None, ("direction",))),
        ],
        TOOK,
        True,
    ),
}


@pytest.mark.parametrize(("records", "outcome", "is_in_force"), REPEATS.values(), ids=REPEATS)
def test_repeats(records: list[Record], outcome: Outcome, is_in_force: bool) -> None:
    before, _ = folded(*records[:-1])
    after, verdict = fold(before, records[-1])
    assert (verdict.outcome, verdict.in_force) == (outcome, is_in_force)
    if outcome is REPEAT:
        assert after is before
        assert verdict.because


def test_a_repeat_does_not_move_the_timestamp() -> None:
    opinions, _ = folded(record(0), record(300), record(600))
    assert in_force(opinions).effective_at == T0


def test_a_carried_record_is_a_repeat_of_itself_and_counts_where_it_is_the_first() -> None:
    one = record(0, "short")
    carried = replace(one, carried=True, before=alert("long").direction)
    opinions, verdicts = folded(one, carried)
    assert verdicts[1].outcome is REPEAT
    assert in_force(opinions) == one
    alone, _ = folded(carried)
    assert alone.symbols["SOLUSDT"].in_force.before == "long"
    assert in_force(alone).effective_at == T0


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_symbols_are_bounded() -> None:
    opinions, verdicts = folded(*[record(n, symbol=f"S{n:04d}") for n in range(MAX_SYMBOLS + 1)])
    assert len(opinions.symbols) == MAX_SYMBOLS
    assert verdicts[-1].outcome is Outcome.NO_ROOM
    assert not verdicts[-1].in_force
    known, verdict = fold(opinions, record(5000, "flat", symbol="S0003"))
    assert verdict.outcome is TOOK
    assert in_force(known, "S0003").alert.depth == 0


def test_what_is_remembered_is_bounded() -> None:
    many = [record(n / 1000, event_id=f"e{n}", time=n / 1000, price=str(n + 1)) for n in range(3 * REMEMBERED)]
    opinions, _ = folded(*many)
    state = opinions.symbols["SOLUSDT"]
    assert len(state.event_ids) == len(state.bodies) == len(state.body_times) == REMEMBERED
    assert state.event_ids[-1] == f"e{3 * REMEMBERED - 1}"


def test_the_empty_state_is_a_value() -> None:
    assert Opinions() == Opinions()
