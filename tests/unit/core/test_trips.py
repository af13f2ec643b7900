"""What stops an account by itself: the day, the hour, the window, and what a restart remembers of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import ZERO, Equity, Trips
from core.memory import AccountMemory, fold, snapshot_records
from core.trips import (
    CHANGES_KEPT,
    Day,
    Increase,
    Rule,
    Trip,
    Watch,
    below_kill,
    day_due,
    due,
    notional_due,
    overdue,
    utc_date,
)
from tests.unit.core.builders import BTC, ETH, PROPERTY, d

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
NOON = MIDNIGHT + 12 * 3600
DAY_S = 86400.0
TODAY = Day("2026-11-20", d(10_000))
OFF = Trips(daily_loss_pct=None)


def worth(value: str | int, at: float = NOON) -> Equity:
    return Equity(d(value), "USDT", at)


# --- the day ----------------------------------------------------------------------------------------------------------

DAYS = [
    ("the first read ever", None, worth(9000), NOON, "2026-11-20"),
    ("the same day goes on", TODAY, worth(9000), NOON, None),
    ("the next day", replace(TODAY, date="2026-11-19"), worth(9000), NOON, "2026-11-20"),
    ("after a week of silence", replace(TODAY, date="2026-11-13"), worth(9000), NOON, "2026-11-20"),
    ("the last second of the day", TODAY, worth(9000, MIDNIGHT + DAY_S - 1), MIDNIGHT + DAY_S - 1, None),
    ("the first second of the next", TODAY, worth(9000, MIDNIGHT + DAY_S), MIDNIGHT + DAY_S, "2026-11-21"),
    ("a read of before midnight begins no day", TODAY, worth(9000, MIDNIGHT + DAY_S - 1), MIDNIGHT + DAY_S + 1, None),
    ("a clock set back over midnight", replace(TODAY, date="2026-11-21"), worth(9000), NOON, None),
    ("a clock that was days ahead", replace(TODAY, date="2026-11-22"), worth(9000), NOON, "2026-11-20"),
    ("no equity", None, None, NOON, None),
    ("equity 0 begins no day", None, worth(0), NOON, None),
    ("equity below 0 begins no day", None, worth(-5), NOON, None),
]


@pytest.mark.parametrize(("day", "equity", "now", "begins"), [c[1:] for c in DAYS], ids=[c[0] for c in DAYS])
def test_a_day_is_a_utc_day_and_begins_with_its_first_read(
    day: Day | None, equity: Equity | None, now: float, begins: str | None
) -> None:
    found = day_due(day, equity, now)
    assert (found.date if found else None) == begins
    if found is not None and equity is not None:
        assert found.equity == equity.value


# --- losses and profits -----------------------------------------------------------------------------------------------

LOSS, PROFIT, KILL = Rule.DAILY_LOSS, Rule.DAILY_PROFIT, Rule.KILL_LOSS
ALL = Trips(daily_loss_pct=d(10), daily_profit_pct=d(20), kill_loss_pct=d(15))
CHANGES: list[tuple[str, Trips, str, bool, list[Rule]]] = [
    ("nothing happened", ALL, "10000", False, []),
    ("just above the loss", ALL, "9000.01", False, []),
    ("the loss itself", ALL, "9000", False, [LOSS]),
    ("beyond it", ALL, "8600", False, [LOSS]),
    ("the default is 10 %", Trips(), "9000", False, [LOSS]),
    ("a loss set to 5", Trips(daily_loss_pct=d(5)), "9500", False, [LOSS]),
    ("a loss switched off", OFF, "1", False, []),
    ("everything gone", ALL, "0", False, [LOSS]),
    ("less than nothing", ALL, "-50", True, [LOSS, KILL]),
    ("the kill seen once", ALL, "8500", False, [LOSS]),
    ("the kill seen twice", ALL, "8500", True, [LOSS, KILL]),
    ("just above the kill", ALL, "8500.01", True, [LOSS]),
    ("the kill is off by default", Trips(), "1", True, [LOSS]),
    ("just below the profit", ALL, "11999.99", False, []),
    ("the profit itself", ALL, "12000", False, [PROFIT]),
    ("a profit is off by default", Trips(), "99999", False, []),
]


@pytest.mark.parametrize(("trips", "equity", "killed", "rules"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_losses_and_profits_of_the_day(trips: Trips, equity: str, killed: bool, rules: list[Rule]) -> None:
    found = due(Watch(day=TODAY), trips, worth(equity), NOON, killed=killed)
    assert [trip.rule for trip in found] == rules
    for trip in found:
        assert trip.flatten is (trip.rule is KILL), "only the kill closes anything"
        assert trip.rule.value in trip.because
        assert "10000" in trip.because
        assert "2026-11-20" in trip.because
    assert below_kill(Watch(day=TODAY), trips, worth(equity)) or KILL not in rules


def test_a_trip_that_stands_is_not_begun_again() -> None:
    watch = Watch(day=TODAY, trips=(Trip(LOSS, NOON, "lost"),))
    assert [trip.rule for trip in due(watch, ALL, worth("8000"), NOON, killed=True)] == [KILL]


@pytest.mark.parametrize("equity", [None, worth("1")])
def test_nothing_is_lost_of_a_day_that_has_not_begun(equity: Equity | None) -> None:
    assert due(Watch(), ALL, equity, NOON, killed=True) == ()
    assert due(Watch(day=TODAY), ALL, None, NOON, killed=True) == ()


percents = st.integers(1, 100).map(Decimal)
values = st.integers(0, 30_000).map(Decimal)


@PROPERTY
@given(percents, st.integers(1, 20_000).map(Decimal), values, values)
def test_a_deeper_loss_never_lifts_what_a_smaller_one_trips(
    pct: Decimal, start: Decimal, one: Decimal, other: Decimal
) -> None:
    trips, watch = Trips(daily_loss_pct=pct), Watch(day=Day("2026-11-20", start))
    smaller, deeper = max(one, other), min(one, other)
    first = due(watch, trips, Equity(smaller, "USDT", NOON), NOON)
    second = due(watch, trips, Equity(deeper, "USDT", NOON), NOON)
    assert not first or second
    assert bool(second) == ((start - deeper) * 100 >= pct * start)


# --- the notional of an hour ------------------------------------------------------------------------------------------


def sent(number: int, at: float, notional: str, contracts: str = "10") -> Increase:
    return Increase(number, at, d(contracts), d(notional))


HOURS = [
    # equity 1000, 20 x: 20 000
    ("nothing sent, as much as may be", [], "20000", False),
    ("nothing sent, one cent more", [], "20000.01", True),
    ("the rest of the hour", [sent(1, NOON - 60, "15000")], "5000", False),
    ("more than the rest", [sent(1, NOON - 60, "15000")], "5000.01", True),
    ("an hour ago is over", [sent(1, NOON - 3600, "15000")], "20000", False),
    ("almost an hour ago is not", [sent(1, NOON - 3599, "15000")], "20000", True),
    ("several", [sent(n, NOON - 60 * n, "4000") for n in range(1, 6)], "1", True),
    ("nothing more, but too much was sent", [sent(1, NOON, "20001")], "0", True),
]


@pytest.mark.parametrize(("increases", "more", "trips"), [c[1:] for c in HOURS], ids=[c[0] for c in HOURS])
def test_the_notional_of_an_hour(increases: list[Increase], more: str, trips: bool) -> None:
    found = notional_due(Watch(increases=tuple(increases)), Trips(), d(more), worth(1000), NOON)
    assert (found is not None) is trips
    if found is not None:
        assert "20000.00" in found.because
        assert not found.flatten


def test_the_multiple_is_of_equity_and_can_be_set() -> None:
    trips = Trips(max_notional_per_hour_x=d(2))
    assert notional_due(Watch(), trips, d(2000), worth(1000), NOON) is None
    assert notional_due(Watch(), trips, d(2001), worth(1000), NOON) is not None
    assert notional_due(Watch(), trips, d(2001), worth(2000), NOON) is None
    assert notional_due(Watch(), trips, d(1), worth(0), NOON) is not None


# --- changes that nothing explains ------------------------------------------------------------------------------------

WINDOWS = [
    ("none", {}, []),
    ("two", {BTC: (NOON - 2, NOON - 1)}, []),
    ("three", {BTC: (NOON - 3, NOON - 2, NOON - 1)}, [Rule.UNEXPLAINED]),
    ("three of two symbols", {BTC: (NOON - 3, NOON - 2), ETH: (NOON - 1,)}, []),
    ("one of them too old", {BTC: (NOON - 600, NOON - 2, NOON - 1)}, []),
    ("all just within", {BTC: (NOON - 599, NOON - 2, NOON - 1)}, [Rule.UNEXPLAINED]),
    ("the other symbol", {BTC: (NOON - 1,), ETH: (NOON - 3, NOON - 2, NOON - 1)}, [Rule.UNEXPLAINED]),
]


@pytest.mark.parametrize(("changes", "rules"), [c[1:] for c in WINDOWS], ids=[c[0] for c in WINDOWS])
def test_changes_that_nothing_explains(changes: dict[Any, tuple[float, ...]], rules: list[Rule]) -> None:
    found = due(Watch(changes=changes), Trips(), None, NOON)
    assert [trip.rule for trip in found] == rules
    assert all(str(max(changes, key=lambda s: len(changes[s]))) in trip.because for trip in found)


def test_the_count_and_the_window_can_be_set() -> None:
    watch = Watch(changes={BTC: (NOON - 50, NOON - 1)})
    assert due(watch, Trips(max_unexplained_changes=2), None, NOON)
    assert not due(watch, Trips(max_unexplained_changes=2, unexplained_window_s=50), None, NOON)


# --- closing everything -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_s", "open_still", "late"), [(59.0, {BTC: d(1)}, False), (60.0, {BTC: d(1)}, True), (600.0, {}, False)]
)
def test_a_close_out_that_takes_too_long_is_reported(age_s: float, open_still: Any, late: bool) -> None:
    watch = Watch(trips=(Trip(KILL, NOON - age_s, "lost", flatten=True),))
    found = overdue(watch, Trips(), open_still, NOON)
    assert (found is not None) is late
    assert found is None or "1 contracts of BTCUSDT still open" in found


def test_a_trip_that_closes_nothing_is_never_overdue() -> None:
    watch = Watch(trips=(Trip(LOSS, NOON - 9999, "lost"),))
    assert overdue(watch, Trips(), {BTC: d(1)}, NOON) is None
    assert not watch.flattens


# --- what is journaled ------------------------------------------------------------------------------------------------

Json = dict[str, Any]


def prepared(number: int, at: float = NOON, notional: str | None = "500", contracts: str = "10") -> Json:
    return {
        "kind": "PREPARED", "at": at, "n": number, "notional": notional, "order": {"contracts": contracts},
    }  # fmt: skip


def about(kind: str, number: int, **more: object) -> Json:
    return {"kind": kind, "at": NOON + 1, "symbol": BTC, "n": number, **more}


def watched(*records: Json) -> Watch:
    """The watch after records that went through JSON."""
    watch = Watch()
    for record in json.loads(json.dumps(records)):
        watch = watch.apply(record)
    return watch


OUTCOMES: list[tuple[str, list[Json], str, int]] = [
    ("on its way: all of it", [], "500", 1),
    ("acknowledged: all of it", [about("ACKED", 1)], "500", 1),
    ("unknown: all of it", [about("UNKNOWN", 1)], "500", 1),
    ("filled", [about("RESOLVED", 1, filled="10")], "500", 1),
    ("half filled", [about("RESOLVED", 1, filled="5")], "250", 1),
    ("not filled", [about("RESOLVED", 1, filled="0")], "0", 1),
    ("rejected: an order, no notional", [about("REJECTED", 1)], "0", 1),
    ("never landed: an order, no notional", [about("DEAD", 1)], "0", 1),
    ("never sent: no order either", [about("ABANDONED", 1)], "0", 0),
    ("another one's outcome", [about("RESOLVED", 2, filled="0")], "500", 1),
]


@pytest.mark.parametrize(("records", "notional", "orders"), [c[1:] for c in OUTCOMES], ids=[c[0] for c in OUTCOMES])
def test_what_became_of_an_increase(records: list[Json], notional: str, orders: int) -> None:
    watch = watched(prepared(1), *records)
    assert watch.notional_last_hour(NOON + 2) == d(notional)
    assert watch.sent_last_minute(NOON + 2) == orders
    assert watch.sent_last_minute(NOON + 60) == 0


def test_reductions_do_not_count() -> None:
    assert watched(prepared(1, notional=None)) == Watch()


def test_increases_of_more_than_an_hour_ago_are_forgotten() -> None:
    watch = watched(prepared(1, NOON - 3600), prepared(2, NOON - 3599), prepared(3))
    assert [increase.number for increase in watch.increases] == [2, 3]


def test_only_drift_that_nothing_of_ours_explains_counts() -> None:
    drift = {"kind": "DRIFT", "at": NOON, "symbol": BTC}
    watch = watched(drift, {**drift, "unexplained": False}, {**drift, "unexplained": True})
    assert watch.changes == {BTC: (NOON,)}
    many = watched(*[{**drift, "unexplained": True, "at": NOON + n} for n in range(CHANGES_KEPT + 5)])
    assert len(many.changes[BTC]) == CHANGES_KEPT
    late = many.apply({**drift, "unexplained": True, "at": NOON + 3 * DAY_S})
    assert late.changes[BTC] == (NOON + 3 * DAY_S,)


TRIPPED = {"kind": "TRIPPED", "at": NOON, "rule": "daily_loss_pct", "because": "lost", "flatten": False}
KILLED = {**TRIPPED, "rule": "kill_loss_pct", "flatten": True}
BEGUN = {"kind": "DAY", "at": NOON, "day": "2026-11-20", "equity": "10000"}
DRIFT = {"kind": "DRIFT", "at": NOON, "symbol": BTC, "unexplained": True}


def test_a_trip_stands_until_it_is_lifted() -> None:
    watch = watched(BEGUN, TRIPPED, KILLED, TRIPPED, prepared(1), DRIFT)
    assert [trip.rule for trip in watch.trips] == [KILL, LOSS]
    assert watch.flattens
    lifted = watch.apply({"kind": "LIFTED", "at": NOON + 5, "day": "2026-11-20", "equity": "8000"})
    assert (lifted.trips, lifted.changes, lifted.day) == ((), {}, Day("2026-11-20", d(8000)))
    assert lifted.notional_last_hour(NOON + 6) == 0
    assert lifted.sent_last_minute(NOON + 6) == 1, "orders were sent all the same"
    unknown = watch.apply({"kind": "LIFTED", "at": NOON + 5, "day": None, "equity": None})
    assert unknown.day is None, "the next read begins it"


def test_after_lifting_a_loss_counts_from_then_on() -> None:
    watch = watched(BEGUN, TRIPPED, {"kind": "LIFTED", "at": NOON, "day": "2026-11-20", "equity": "9000"})
    assert not due(watch, Trips(), worth("8101"), NOON)
    assert due(watch, Trips(), worth("8100"), NOON)


def test_the_memory_carries_the_watch_and_compaction_loses_none_of_it() -> None:
    records = [BEGUN, TRIPPED, KILLED, {**prepared(1), "symbol": BTC}]
    memory = AccountMemory(watch=watched(*records, DRIFT))
    assert fold(json.loads(json.dumps(snapshot_records(memory, NOON)))).watch == memory.watch
    assert fold([BEGUN, TRIPPED]).watch == watched(BEGUN, TRIPPED)


def test_a_journal_of_before_trips_is_read() -> None:
    memory = fold([{"kind": "COUNTERS", "at": NOON, "next_intent": 4, "commands": {}}])
    assert memory.watch == Watch()
    assert memory.next_intent == 4


numbers = st.integers(1, 6)
histories = st.lists(
    st.one_of(
        st.builds(lambda n, f: prepared(n, NOON, str(f)), numbers, st.integers(1, 900)),
        st.builds(lambda n, f: about("RESOLVED", n, filled=str(f)), numbers, st.integers(0, 10)),
        st.builds(about, st.sampled_from(["REJECTED", "DEAD", "ABANDONED", "ACKED"]), numbers),
        st.sampled_from([BEGUN, TRIPPED, KILLED, DRIFT]),
    ),
    max_size=14,
)


@PROPERTY
@given(histories)
def test_any_history_survives_compaction_and_counts_no_less_than_what_filled(history: list[Json]) -> None:
    watch = watched(*history)
    compacted = Watch().apply({"kind": "COUNTERS", "watch": json.loads(json.dumps(watch.record()))})
    assert compacted == watch
    assert watch.notional_last_hour(NOON) >= ZERO
    assert watch.notional_last_hour(NOON) <= sum((d(r["notional"]) for r in history if r["kind"] == "PREPARED"), ZERO)
    assert watch.standing(LOSS) == (TRIPPED in history)


def test_utc() -> None:
    assert utc_date(MIDNIGHT).isoformat() == "2026-11-20"
    assert utc_date(MIDNIGHT - 1).isoformat() == "2026-11-19"
