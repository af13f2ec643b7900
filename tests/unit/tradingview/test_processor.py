"""The processor: what it writes, what it says, and what it does while the disk or the log is not what it was."""

from __future__ import annotations

import errno
import json
import logging

import pytest

from signal_processors.tradingview_raw import encode_record
from simulator.disk import Fault
from tests.unit.tradingview.processor_world import DAYS, PLACES, World, opinion
from tests.unit.tradingview.records import record

# --- what it writes ---------------------------------------------------------------------------------------------------


def test_an_empty_document_at_the_start() -> None:
    world = World()
    assert world.poll()
    assert world.document.signals == {}
    assert world.document.source == "tradingview"
    assert json.loads(world.ops.read(PLACES.document))["signals"] == {}


def test_the_document_of_some_alerts() -> None:
    world = World()
    world.write([record(0, leverage="3", price="152.30"), record(1, symbol="BYBIT:ETHUSDT.P", direction="short")])
    world.write([record(2, "flat", symbol="XRPUSDT", time=1)], DAYS[1])
    assert world.poll()
    found = json.loads(world.ops.read(PLACES.document))
    assert (found["schema"], found["source"], found["revision"]) == (1, "tradingview", 1)
    assert {symbol: signal["depth"] for symbol, signal in found["signals"].items()} == {
        "SOLUSDT": "0.1",
        "ETHUSDT": "-0.1",
        "XRPUSDT": "0",
    }
    sol = found["signals"]["SOLUSDT"]
    assert sol["timestamp"] == "2026-09-21T14:13:20.000Z"
    assert (sol["leverage"], sol["price"], sol["meta"]["raw"]) == ("3", "152.3", f"{DAYS[0]}:1")
    assert found["signals"]["XRPUSDT"]["timestamp"] == "2026-09-21T14:13:21.000Z"
    assert found["signals"]["XRPUSDT"]["meta"]["raw"] == f"{DAYS[1]}:1"


def test_revisions_count_changes_only() -> None:
    world = World()
    world.poll()
    world.write([record(0)])
    world.poll()
    world.write([record(5)])  # a repeat
    world.poll()
    world.poll()
    assert world.document.revision == 2
    assert json.loads(world.ops.read(PLACES.heartbeat)) == {"checked_at": "2026-10-03T04:00:04.000Z", "revision": 2}
    world.write([record(6, "flat")])
    world.poll()
    assert world.document.revision == 3


def test_a_restart_writes_nothing_new() -> None:
    world = World()
    world.write([record(0)])
    world.poll()
    before = world.ops.read(PLACES.document)
    world.start()
    world.poll()
    assert world.ops.read(PLACES.document) == before


@pytest.mark.parametrize("damage", [None, b"", b"{", b'{"schema":99}', b'{"signals":{}}'])
def test_a_lost_document_is_written_anew_and_does_not_count_from_1(damage: bytes | None) -> None:
    world = World()
    for n, direction in enumerate(("long", "flat", "short")):
        world.write([record(n, direction)])
        world.poll()
    before = opinion(world)
    world.remove(PLACES.document)
    if damage is not None:
        world.ops.write(PLACES.document, damage)
    world.start()
    world.poll()
    assert opinion(world) == before
    assert world.document.revision == 4


def test_a_symbol_outlives_its_raw_file(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.write([record(0, "short"), record(1, symbol="ETHUSDT")])
    world.poll()
    world.remove(PLACES.raw / DAYS[0])
    world.start()
    world.write([record(2, "flat", symbol="ETHUSDT")], DAYS[1])
    world.poll()
    assert {symbol: str(signal.depth) for symbol, signal in world.document.signals.items()} == {
        "SOLUSDT": "-0.1",
        "ETHUSDT": "0",
    }
    assert "SOLUSDT is in the document but in no raw file" in caplog.text


def test_a_damaged_line_is_skipped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.write([record(0)])
    world.ops.append(PLACES.raw / DAYS[0], b'{"received_at":"2026-11\n\0\0\0\n')
    world.write([record(1, symbol="ETHUSDT")])
    assert world.poll()
    assert set(world.document.signals) == {"SOLUSDT", "ETHUSDT"}
    assert [line for line in caplog.messages if "damaged" in line and f"{DAYS[0]}:2" in line]
    assert world.document.signals["ETHUSDT"].meta["raw"] == f"{DAYS[0]}:4"


def test_many_at_once_are_not_all_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World()
    world.write([record(n, price=str(n + 1)) for n in range(100)])
    world.poll()
    assert len(caplog.messages) < 30
    assert "80 more" in caplog.text
    assert len(world.effects()) == 100


# --- what took effect -------------------------------------------------------------------------------------------------


def test_what_took_effect_is_listed_once() -> None:
    world = World()
    world.write([record(0, time=0, signal_seq=5), record(1, "short", time=1, signal_seq=4)])
    world.write([record(9, time=0, signal_seq=5)])
    world.write([record(60, "flat", time=60, signal_seq=1, price="x")])
    world.poll()
    for keep in (True, False):
        if not keep:
            world.remove(PLACES.cache)
        world.start()
        world.poll()
    found = world.effects()
    assert [(line["symbol"], line["depth"], line["raw"]) for line in found] == [
        ("SOLUSDT", "0.1", f"{DAYS[0]}:1"),
        ("SOLUSDT", "0", f"{DAYS[0]}:4"),
    ]
    assert len(found[1]["notes"]) == 2


def test_a_torn_end_of_what_took_effect_is_mended() -> None:
    world = World()
    world.write([record(0)])
    world.poll()
    world.ops.append(PLACES.effects / DAYS[0], b'{"symbol":"SO')
    world.start()
    world.write([record(1, "flat")])
    world.poll()
    assert [line["depth"] for line in world.effects()] == ["0.1", "0"]


def test_what_took_effect_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    fault = world.ops.fail(Fault(errno.ENOSPC, "append", "effects", times=0, partial=True))
    world.write([record(0)])
    assert world.poll()
    assert set(world.document.signals) == {"SOLUSDT"}
    assert "deduplicated_signals" in caplog.text
    world.ops.faults.remove(fault)
    world.write([record(1, "flat")])
    assert world.poll()
    assert [line["depth"] for line in world.effects()] == ["0.1", "0"]


# --- when the disk fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["write", "fsync", "replace", "fsync_dir", "list", "identity", "read"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EMFILE])
def test_a_failing_disk_is_told_once_and_recovered_from(
    operation: str, error: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.write([record(0)])
    world.poll()
    before = world.ops.read(PLACES.document)
    beat = world.ops.read(PLACES.heartbeat)
    world.write([record(1, "flat")])
    fault = world.ops.fail(Fault(error, operation, times=0))
    assert [world.poll() for _ in range(3)] == [False] * 3
    world.ops.faults.remove(fault)
    assert caplog.text.count("mend the disk") == 1
    assert world.ops.read(PLACES.heartbeat) == beat
    if operation != "fsync_dir":  # then readers already see the new one
        assert world.ops.read(PLACES.document) == before
    assert world.poll()
    assert world.document.signals["SOLUSDT"].depth == 0


def test_a_disk_that_fails_from_the_start() -> None:
    world = World()
    world.write([record(0)])
    fault = world.ops.fail(Fault(errno.EIO, times=0))
    assert not world.poll()
    world.ops.faults.remove(fault)
    assert world.poll()
    assert set(world.document.signals) == {"SOLUSDT"}


def test_nothing_stands_in_the_document_that_a_power_loss_takes_from_the_log() -> None:
    for after in range(60):
        world = World()
        world.poll()
        world.write([record(0)])  # written, not yet synced by its writer
        world.ops.power_off(after)
        world.poll()
        world.ops.crash()
        world.start()
        stood = world.document.signals
        world.poll()
        assert set(stood) <= set(world.document.signals)
        raw = PLACES.raw / DAYS[0]
        assert not stood or world.ops.identity(raw) is not None


# --- a log that changes under it --------------------------------------------------------------------------------------


def test_a_log_that_shrank_for_a_moment_is_not_believed() -> None:
    world = World()
    world.write([record(0), record(1, "flat")])
    world.poll()
    before = world.document
    whole = world.ops.read(PLACES.raw / DAYS[0])
    world.ops.truncate(PLACES.raw / DAYS[0], len(whole) // 2)
    assert not world.poll()
    assert world.document == before
    world.ops.write(PLACES.raw / DAYS[0], whole)
    assert world.poll()
    assert world.document == before


def test_a_log_that_stays_another_is_read_anew(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    first = record(0)
    world.write([first, record(1, "flat")])
    world.poll()
    world.ops.truncate(PLACES.raw / DAYS[0], len(encode_record(first)))
    assert not world.poll()
    assert world.poll()
    assert str(world.document.signals["SOLUSDT"].depth) == "0.1"
    assert "read again from its beginning" in caplog.text
