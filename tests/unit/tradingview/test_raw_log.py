"""The log's writer: what it says is stored survives anything; what fails is said, and mended by itself."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signal_endpoints.raw_log import NoRoom, StorageFailed
from signal_processors.tradingview_log import LogFold
from signal_processors.tradingview_order import MAX_SYMBOLS, Outcome
from signal_processors.tradingview_raw import Damage, decode_record, encode_record
from simulator.disk import Fault, SimulatedFileOps
from tests.unit.tradingview.log_world import DAY, FOLDER, World
from tests.unit.tradingview.records import record

# --- storing ----------------------------------------------------------------------------------------------------------


def test_an_alert_is_stored_as_it_came() -> None:
    world = World()
    stored = world.submit("short", comment="κόσμε")
    (line,) = world.lines()
    assert json.loads(line) == {
        "received_at": "2026-09-21T14:13:21.000Z",
        "event": "id-1",
        "body": {"symbol": "SOLUSDT", "direction": "short", "size": "10/100", "comment": "κόσμε"},
    }
    assert decode_record(line, f"{DAY}:1") == stored.record
    assert stored.verdict.in_force


def test_every_alert_is_stored_and_judged_in_its_turn() -> None:
    world = World()
    found = [world.submit(), world.submit(), world.submit("flat"), world.submit()]
    assert [one.verdict.outcome for one in found] == [
        Outcome.TOOK_EFFECT,
        Outcome.REPEAT,
        Outcome.TOOK_EFFECT,
        Outcome.TOOK_EFFECT,
    ]
    assert [one.record.raw for one in found] == [f"{DAY}:{number}" for number in (1, 2, 3, 4)]
    assert world.events_on_disk() == [one.record.event for one in found]


def test_the_writer_judges_as_a_replay_does() -> None:
    world = World()
    stored = [world.submit(("long", "flat", "short")[n % 3], signal_seq=n % 4) for n in range(20)]
    replay = LogFold(FOLDER, world.ops, world.read)
    found = list(replay.catch_up())
    assert [(one.record, one.verdict) for one in found if not isinstance(one, Damage)] == [
        (one.record, one.verdict) for one in stored
    ]
    assert replay.opinions == world.log._fold.opinions


def test_file_is_synced_before_folder_before_answer() -> None:
    world = World()
    world.ops.log.clear()
    world.submit()
    done = [entry.split()[0] for entry in world.ops.log if "raw_signals" in entry]
    assert [name for name in done if name != "identity"] == ["append", "fsync", "fsync_dir"]
    world.ops.log.clear()
    world.submit("flat")
    done = [entry.split()[0] for entry in world.ops.log if "raw_signals" in entry]
    assert [name for name in done if name != "identity"] == ["append", "fsync"]


def test_the_cost_of_an_alert_does_not_grow_with_the_log() -> None:
    world = World()

    def cost() -> tuple[int, int]:
        before, reads = world.ops.operations, read_bytes[0]
        world.submit("long", price=str(next(world.events)))
        return world.ops.operations - before, read_bytes[0] - reads

    read_bytes = [0]
    inner = world.ops.read

    def counted(path: Path) -> bytes:
        data = inner(path)
        read_bytes[0] += len(data)
        return data

    world.ops.read = counted  # type: ignore[method-assign]  # counts what the disk gives out
    world.submit("flat")
    first = cost()
    for n in range(3000):
        world.submit("long", price=str(10_000_000 + n))
    assert cost() == first == (first[0], 0)


def test_the_source_has_so_many_symbols() -> None:
    world = World()
    for n in range(MAX_SYMBOLS):
        world.submit(symbol=f"S{n:04d}")
    with pytest.raises(NoRoom, match="TAOUSDT"):
        world.submit(symbol="TAOUSDT")
    assert world.submit("flat", symbol="S0007").verdict.in_force
    assert len(world.events_on_disk()) == MAX_SYMBOLS + 1


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_new_day_begins_with_the_opinions_so_far() -> None:
    world = World()
    world.submit("short")
    world.submit("long", symbol="ETHUSDT")
    last = world.submit("flat", symbol="ETHUSDT")
    world.clock.at += 86_400
    stored = world.submit("long", symbol="XRPUSDT")
    assert stored.record.raw == "2026-09-22.jsonl:3"
    carried = [decode_record(line, "here") for line in world.lines("2026-09-22.jsonl")[:2]]
    assert [(one.raw, one.carried, one.event) for one in carried if not isinstance(one, Damage)] == [
        (f"{DAY}:1", True, "id-1"),
        (f"{DAY}:3", True, last.record.event),
    ]
    world.ops.remove(FOLDER / DAY)
    world.start()
    assert set(world.log._fold.opinions.symbols) == {"SOLUSDT", "ETHUSDT", "XRPUSDT"}
    assert world.submit("short").verdict.outcome is Outcome.REPEAT


def test_a_clock_that_steps_back_over_midnight_writes_on_in_the_newest_file() -> None:
    world = World()
    world.clock.at += 86_400
    world.submit()
    world.clock.at -= 86_400
    assert world.submit("flat").record.raw == "2026-09-22.jsonl:2"
    assert [name for name in world.ops.list(FOLDER) if name == DAY] == []


def test_a_file_taken_away_while_it_runs_costs_no_opinion() -> None:
    world = World()
    world.submit("short")
    world.ops.remove(FOLDER / DAY)
    stored = world.submit("long", symbol="ETHUSDT")
    assert stored.record.raw == f"{DAY}:2"
    world.start()
    assert set(world.log._fold.opinions.symbols) == {"SOLUSDT", "ETHUSDT"}


def test_what_somebody_else_wrote_is_read_before_going_on() -> None:
    world = World()
    world.submit("short")
    world.ops.append(FOLDER / DAY, encode_record(record(2, "flat")))
    stored = world.submit("short")
    assert stored.record.raw == f"{DAY}:3"
    assert stored.verdict.outcome is Outcome.TOOK_EFFECT


def test_a_log_cut_by_somebody_is_read_again() -> None:
    world = World()
    world.submit("short")
    world.submit("flat")
    world.ops.truncate(FOLDER / DAY, len(world.lines()[0]) + 1)
    stored = world.submit("short")
    assert (stored.record.raw, stored.verdict.outcome) == (f"{DAY}:2", Outcome.REPEAT)


# --- a torn end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 20, 60])
def test_a_torn_record_is_cut_off_and_nothing_else(cut: int) -> None:
    world = World()
    kept = [world.submit().record.event, world.submit("flat").record.event]
    torn = encode_record(record(9, "short"))
    world.ops.append(FOLDER / DAY, torn[: len(torn) - 1 - cut])
    world.start()
    stored = world.submit("long", symbol="ETHUSDT")
    assert world.events_on_disk() == [*kept, stored.record.event]
    assert all(not isinstance(decode_record(line, "x"), Damage) for line in world.lines())


def test_a_record_that_lacks_only_its_newline_is_kept() -> None:
    world = World()
    first = world.submit()
    whole = record(9, "short")
    world.ops.append(FOLDER / DAY, encode_record(whole)[:-1])
    world.start()
    second = world.submit("flat")
    assert world.events_on_disk() == [first.record.event, whole.event, second.record.event]


def test_a_damaged_line_before_the_end_stays_and_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    first = world.submit()
    world.ops.append(FOLDER / DAY, b"\0\0\0\n")
    world.start()
    second = world.submit("flat")
    assert second.record.raw == f"{DAY}:3"
    assert world.events_on_disk() == [first.record.event, second.record.event]
    assert f"{DAY}:2 is damaged" in caplog.text


# --- the disk fails ---------------------------------------------------------------------------------------------------

OPERATIONS = ["append", "fsync", "identity", "fsync_dir", "make_dir", "list", "read"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_failing_disk_is_said_and_recovered_from(operation: str, error: int, after: int) -> None:
    world = World()
    fault = world.ops.fail(Fault(error, operation, "raw_signals", after=after, times=0, partial=True))
    answered, reasons = [], []
    for n in range(4):
        try:
            answered.append(world.submit("long", price=str(n + 1)).record.event)
        except StorageFailed as failed:
            reasons.append(str(failed))
    assert not [reason for reason in reasons if "Errno" in reason]
    if operation in ("append", "fsync", "identity"):
        assert world.log.trouble
    world.ops.faults.remove(fault)
    world.log.tick()
    assert world.log.trouble is None
    answered.append(world.submit("flat").record.event)
    world.ops.crash()
    assert set(answered) <= set(world.events_on_disk())
    assert world.log._fold.opinions.symbols["SOLUSDT"].in_force.record.alert.depth == 0


def test_a_disk_that_fails_from_the_start() -> None:
    world = World()
    fault = world.ops.fail(Fault(errno.EIO, times=0))
    world.start()
    assert world.log.trouble == "Input/output error"
    assert world.refused() == "Input/output error"
    world.ops.faults.remove(fault)
    assert world.submit().verdict.in_force


def test_whole_records_of_a_failed_write_are_kept_and_known() -> None:
    """They were answered 503 and will come again: then they are repeats, not second opinions."""
    world = World()
    world.submit("flat")
    world.ops.fail(Fault(errno.EIO, "fsync", DAY))
    world.refused("long")
    stored = world.submit("long")
    assert (stored.verdict.outcome, stored.record.raw) == (Outcome.REPEAT, f"{DAY}:3")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 80), st.booleans(), st.integers(0, 2**16), st.integers(1, 3))
def test_what_was_answered_survives_a_power_loss(after: int, torn: bool, seed: int, days: int) -> None:
    world = World(SimulatedFileOps(seed))
    world.ops.power_off(after)
    answered = []
    for n in range(12):
        world.clock.at += 86_400 * days / 10
        try:
            answered.append(world.submit(("long", "flat")[n % 2], symbol=f"S{n % 3}").record.event)
        except StorageFailed:
            break
    world.ops.crash(torn)
    world.start()
    assert world.log.trouble is None
    last = world.submit("short", symbol="LAST")
    assert {*answered, last.record.event} <= set(world.events_on_disk())
    replay = LogFold(FOLDER, world.ops, world.read)
    assert list(replay.catch_up())
    assert replay.opinions == world.log._fold.opinions
