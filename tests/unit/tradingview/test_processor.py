"""The processor: whatever is cut, killed, cached or lost on the way, the document is what the raw log amounts to."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SystemClock
from core.domain import Document
from core.state import RealFileOps, parse_document
from signal_processors.tradingview_order import Dedup, InForce, Record
from signal_processors.tradingview_processor import Places, Processor
from signal_processors.tradingview_raw import encode_record
from simulator.disk import Fault, SimulatedFileOps
from tests.unit.tradingview.records import T0, record

HOME = Path("/home-of-tests")
DAYS = ("2026-09-21.jsonl", "2026-09-22.jsonl")
PLACES = Places(
    raw=HOME / "raw",
    document=HOME / "signals" / "tradingview.json",
    heartbeat=HOME / "signals" / "tradingview.heartbeat",
    effects=HOME / "effects",
    cache=HOME / "cache" / "tradingview.json",
)


@dataclass
class Clock:
    at: float = T0 + 1_000_000

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class World:
    """A disk, a clock, and the processor that works there at the moment."""

    ops: SimulatedFileOps = field(default_factory=SimulatedFileOps)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.ops.make_dir(HOME)
        self.ops.make_dir(PLACES.raw)
        self.ops.fsync_dir(HOME)
        self.start()

    def start(self) -> None:
        self.processor = Processor(PLACES, self.ops, self.clock, self.read)

    def read(self, path: Path, offset: int, size: int) -> bytes:
        return self.ops.read(path)[offset : offset + size]

    def write(self, records: Iterable[Record], day: str = DAYS[0]) -> None:
        self.ops.append(PLACES.raw / day, b"".join(map(encode_record, records)))

    def poll(self, *, last: bool = False) -> bool:
        self.clock.at += 1
        return self.processor.poll(last=last)

    def remove(self, path: Path) -> None:
        if self.ops.identity(path) is not None:
            self.ops.remove(path)

    @property
    def document(self) -> Document:
        return parse_document(self.ops.read(PLACES.document))

    def effects(self) -> list[dict[str, Any]]:
        names = self.ops.list(PLACES.effects) if self.ops.identity(PLACES.effects) else ()
        return [json.loads(line) for name in names for line in self.ops.read(PLACES.effects / name).splitlines()]


def opinion(world: World) -> Document:
    """The document but for what a replay may differ in."""
    return replace(world.document, revision=0, written_at=0.0)


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
    assert not any([world.poll() for _ in range(3)])
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


# --- any way of getting there -----------------------------------------------------------------------------------------

SEQUENCES = st.none() | st.integers(1, 3)
SIDES = st.sampled_from(["long", "short", "flat"])


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Alerts on two symbols that repeat, overtake and contradict each other, in the order of receipt."""
    records: list[Record] = []
    received = 0.0
    for _ in range(draw(st.integers(1, 14))):
        received += draw(st.sampled_from([0.0, 0.5, 3.0, 11.0, 61.0, 400.0]))
        given: dict[str, Any] = {"symbol": draw(st.sampled_from(["SOLUSDT", "ETHUSDT"]))}
        if draw(st.booleans()):
            given["time"] = received + draw(st.sampled_from([-200.0, -12.0, -3.0, 0.0, 4.0, 30.0]))
        for name, strategy in (("signal_seq", SEQUENCES), ("prev_direction", st.none() | SIDES)):
            if (value := draw(strategy)) is not None:
                given[name] = value
        if draw(st.booleans()):
            given["event_id"] = draw(st.sampled_from(["a", "b", "c"]))
        dedup = draw(st.sampled_from([Dedup(), Dedup(5.0), Dedup(None, ("symbol", "direction"))]))
        one = record(received, draw(SIDES), dedup, **given)
        if records and draw(st.booleans()):
            one = replace(draw(st.sampled_from(records)), received_at=one.received_at, event=one.event)
        records.append(one)
    return records


def at_once(records: list[Record], split: int) -> World:
    world = World()
    world.write(records[:split])
    world.write(records[split:], DAYS[1])
    assert world.poll(last=True)
    return world


STEPS = st.sampled_from(["poll", "restart", "lose the cache", "lose everything", "keep an old cache", "torn"])


@settings(max_examples=150, deadline=None)
@given(logs(), st.data())
def test_any_way_there_leads_to_the_same_document(records: list[Record], data: st.DataObject) -> None:
    split = data.draw(st.integers(0, len(records)))
    world, old_cache = World(), b""
    for number, one in enumerate(records):
        day = DAYS[0] if number < split else DAYS[1]
        line = encode_record(one)
        for step in data.draw(st.lists(STEPS, max_size=3)):
            if step == "torn":
                cut = data.draw(st.integers(0, len(line) - 1))
                world.ops.append(PLACES.raw / day, line[:cut])
                line = line[cut:]
                world.poll()
                continue
            world.poll(last=True)
            if step == "keep an old cache":
                if not old_cache and world.ops.identity(PLACES.cache) is not None:
                    old_cache = world.ops.read(PLACES.cache)
                world.ops.write(PLACES.cache, old_cache)
            if step in ("lose the cache", "lose everything"):
                world.remove(PLACES.cache)
            if step == "lose everything":
                for path in (PLACES.document, PLACES.heartbeat, PLACES.effects / DAYS[0], PLACES.effects / DAYS[1]):
                    world.remove(path)
            if step != "poll":
                world.start()
        world.ops.append(PLACES.raw / day, line)
    assert world.poll(last=True)
    fresh = at_once(records, split)
    assert opinion(world) == opinion(fresh)
    assert world.effects() == fresh.effects()


@settings(max_examples=50, deadline=None)
@given(logs(), logs())
def test_a_cache_of_another_log_changes_nothing(records: list[Record], others: list[Record]) -> None:
    cache = at_once(others, len(others)).ops.read(PLACES.cache)
    world = World()
    world.ops.make_dir(PLACES.cache.parent)
    world.ops.write(PLACES.cache, cache)
    world.write(records)
    world.poll()
    assert opinion(world) == opinion(at_once(records, len(records)))


@settings(max_examples=50, deadline=None)
@given(logs(), st.integers(0, 14))
def test_files_taken_away_cost_no_opinion_that_was_carried_over(records: list[Record], split: int) -> None:
    """As the endpoint does it: a new file begins with the opinions so far, then the old one goes."""
    whole = World()
    whole.write(records[:split])
    whole.poll()
    held = whole.processor._fold.opinions.symbols
    carried = b"".join(encode_record(state.in_force.record, state.in_force) for state in held.values())
    whole.ops.append(PLACES.raw / DAYS[1], carried)
    late = [replace(one, received_at=one.received_at + 100_000) for one in records[split:]]
    late = [one for one in late if one.alert.time is None and one.alert.event_id is None]
    whole.write(late, DAYS[1])
    whole.poll()
    rest = World()
    rest.ops.append(PLACES.raw / DAYS[1], whole.ops.read(PLACES.raw / DAYS[1]))
    rest.poll()
    assert dict(opinion(rest).signals) == dict(opinion(whole).signals)


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b'{"schema":1,"rules":1}', b'{"schema":1,"rules":0}'])
def test_a_broken_cache_is_none(damage: bytes) -> None:
    world = World()
    world.write([record(0)])
    world.ops.make_dir(PLACES.cache.parent)
    world.ops.write(PLACES.cache, damage)
    assert world.poll(last=True)
    assert set(world.document.signals) == {"SOLUSDT"}
    assert world.ops.read(PLACES.cache) != damage


def test_a_cache_spares_the_reading(tmp_path: Path) -> None:
    places = Places(*(tmp_path / name for name in ("raw", "s/tv.json", "s/tv.heartbeat", "effects", "c/tv.json")))
    places.raw.mkdir()
    (places.raw / DAYS[0]).write_bytes(b"".join(encode_record(record(n, price=str(n + 1))) for n in range(500)))
    assert Processor(places, RealFileOps(), SystemClock()).poll(last=True)
    again = Processor(places, RealFileOps(), SystemClock())
    assert again.poll()
    assert again._fold.marks()[0].lines == 500
    assert isinstance(again._fold.opinions.symbols["SOLUSDT"].in_force, InForce)
