"""Whatever is cut, killed, cached or lost on the way, the document is what the raw log amounts to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SystemClock
from core.state import RealFileOps
from signal_processors.tradingview_order import Dedup, InForce, Record
from signal_processors.tradingview_processor import Places, Processor
from signal_processors.tradingview_raw import encode_record
from tests.unit.tradingview.processor_world import DAYS, PLACES, World, opinion
from tests.unit.tradingview.records import record

SEQUENCES = st.none() | st.integers(1, 3)
SIDES = st.sampled_from(["long", "short", "flat"])


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Alerts on two symbols that repeat, overtake and contradict each other, in the order of receipt."""
    records: list[Record] = []
    received = 0.0
    mixed: st.SearchStrategy[Dedup] = st.sampled_from([Dedup(), Dedup(5.0), Dedup(None, ("symbol", "direction"))])
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
        one = record(received, draw(SIDES), draw(mixed), **given)
        is_copy = draw(st.booleans())
        if is_copy and records:
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


def known(world: World) -> dict[str, tuple[object, ...]]:
    """All that the rules of order and repeats look at, by symbol."""
    return {
        symbol: (state.in_force.record.event, state.in_force.before, state.lately)
        for symbol, state in world.processor._fold.opinions.symbols.items()
    }


@settings(max_examples=50, deadline=None)
@given(logs(), st.integers(0, 14))
def test_files_taken_away_cost_no_opinion_that_was_carried_over(records: list[Record], split: int) -> None:
    """As the endpoint does it: a new file begins with the opinions so far, then the old one goes."""
    whole = World()
    whole.write(records[:split])
    whole.poll()
    held = whole.processor._fold.opinions.symbols
    carried = b"".join(encode_record(state.in_force.record, state) for state in held.values())
    whole.ops.append(PLACES.raw / DAYS[1], carried)
    whole.write(records[split:], DAYS[1])
    whole.poll()
    rest = World()
    rest.ops.append(PLACES.raw / DAYS[1], whole.ops.read(PLACES.raw / DAYS[1]))
    rest.poll()
    assert dict(opinion(rest).signals) == dict(opinion(whole).signals)
    assert known(rest) == known(whole)


# --- the cache --------------------------------------------------------------------------------------------------------


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
