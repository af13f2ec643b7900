"""Signal stores: what is compressed and removed when, and that nothing the fold needs is ever lost by it."""

from __future__ import annotations

import errno
import gzip
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.home import Home
from config.reload import FileSettings
from core.clock import SystemClock
from core.state import RealFileOps, day_of
from signal_endpoints.raw_log import Stored
from signal_processors.signal_stores import FIRST_S, Ages, Store, raw_may_go, tend_for_ever, tend_once
from signal_processors.tradingview_log import LogFold
from simulator.disk import Fault, SimulatedFileOps
from tests.unit.tradingview.log_world import FOLDER, World
from tests.unit.tradingview.records import T0

DAY_S = 86_400.0
STORE = Path("/home-of-tests/store")
NOW = T0
OFF = Ages(None, None)


def day(ago: int) -> str:
    return f"{day_of(NOW - ago * DAY_S)}.jsonl"


def disk(*names: str) -> SimulatedFileOps:
    ops = SimulatedFileOps()
    for folder in (STORE.parent, STORE):
        ops.make_dir(folder)
    for name in names:
        ops.write(STORE / name, text(name))
        ops.fsync(STORE / name)
    ops.fsync_dir(STORE)
    return ops


def text(name: str) -> bytes:
    return (f'{{"file":"{name}"}}\n' * 2000).encode()


def store(ops: SimulatedFileOps, folder: Path = STORE, *, raw: bool = False) -> Store:
    def read(path: Path, offset: int, size: int) -> bytes:
        return ops.read(path)[offset : offset + size]

    return Store(folder, ops, read, raw_may_go(read) if raw else None)


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ages", "left"),
    [
        (OFF, [day(40), day(9), day(8), day(7), day(0)]),
        (Ages(7, None), [day(40) + ".gz", day(9) + ".gz", day(8) + ".gz", day(7), day(0)]),
        (Ages(7, 30), [day(9) + ".gz", day(8) + ".gz", day(7), day(0)]),
        (Ages(None, 30), [day(9), day(8), day(7), day(0)]),
        (Ages(1, 1), [day(0)]),
        (Ages(30, 8), [day(8), day(7), day(0)]),
    ],
)
def test_what_becomes_of_each_day(ages: Ages, left: list[str]) -> None:
    ops = disk(day(40), day(9), day(8), day(7), day(0))
    said = store(ops).tend(ages, NOW)
    assert sorted(ops.list(STORE)) == sorted(left)
    assert len(said) == 5 - sum(not name.endswith(".gz") for name in left)
    for name in left:
        data = ops.read(STORE / name)
        assert (gzip.decompress(data) if name.endswith(".gz") else data) == text(name.removesuffix(".gz"))
    assert store(ops).tend(ages, NOW) == []


def test_the_newest_day_stays_however_old() -> None:
    ops = disk(day(900), day(800))
    store(ops).tend(Ages(1, 1), NOW)
    assert ops.list(STORE) == (day(800),)


@pytest.mark.parametrize("ending", [".gz", ".xz", ".bz2", ".zst"])
def test_compressed_days_are_removed_in_their_time(ending: str) -> None:
    ops = disk(day(31) + ending, day(30) + ending, day(0))
    store(ops).tend(Ages(7, 30), NOW)
    assert set(ops.list(STORE)) == {day(30) + ending, day(0)}


def test_what_is_not_of_the_store_is_left_alone() -> None:
    others = ("tradingview.log", "2020-01-01.txt", "2020-02-31.jsonl", "notes.jsonl.gz", "2020-01-01.jsonl.zip")
    ops = disk(*others, day(0))
    store(ops).tend(Ages(1, 1), NOW)
    assert set(others) <= set(ops.list(STORE))


def test_no_folder_is_nothing_to_do() -> None:
    assert store(SimulatedFileOps()).tend(Ages(1, 1), NOW) == []


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["write", "append", "fsync", "replace", "remove", "fsync_dir"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_disk_that_refuses_loses_nothing(operation: str, after: int) -> None:
    ops = disk(day(9), day(8), day(0))
    one = store(ops)
    ops.fail(Fault(errno.EIO, operation=operation, times=1, after=after))
    try:
        one.tend(Ages(7, None), NOW)
    except OSError:
        held_whole(ops, day(9), day(8))
    one.tend(Ages(7, None), NOW)
    held_whole(ops, day(9), day(8))
    assert sorted(name for name in ops.list(STORE) if not name.startswith(".")) == sorted(
        [day(9) + ".gz", day(8) + ".gz", day(0)]
    )


def held_whole(ops: SimulatedFileOps, *names: str) -> None:
    """Each day is there in full, plain or compressed."""
    for name in names:
        found = ops.list(STORE)
        if name not in found:
            assert gzip.decompress(ops.read(STORE / (name + ".gz"))) == text(name)
        else:
            assert ops.read(STORE / name) == text(name)


NO_COPIES = {
    "empty": b"",
    "not gzip": b"not gzip",
    "another": gzip.compress(b"other"),
    "cut off": gzip.compress(text(day(9)))[:-9],
}


@pytest.mark.parametrize("held", NO_COPIES.values(), ids=NO_COPIES)
def test_a_copy_that_is_no_copy_stops_it(held: bytes) -> None:
    ops = disk(day(9), day(8), day(0))
    ops.write(STORE / (day(9) + ".gz"), held)
    [said] = store(ops).tend(Ages(7, None), NOW)
    assert "holds something else" in said
    assert ops.read(STORE / day(9)) == text(day(9))
    assert ops.read(STORE / (day(9) + ".gz")) == held
    assert day(8) in ops.list(STORE)


def test_a_copy_left_by_a_crash_is_taken() -> None:
    ops = disk(day(9), day(0))
    ops.write(STORE / (day(9) + ".gz"), gzip.compress(text(day(9)), mtime=5))
    store(ops).tend(Ages(7, None), NOW)
    assert set(ops.list(STORE)) == {day(9) + ".gz", day(0)}


def test_leftovers_of_killed_writers_go() -> None:
    ops = disk(day(0), f".{day(9)}.gz.1.1.tmp")
    store(ops).tend(Ages(7, None), NOW + 10 * DAY_S)
    assert ops.list(STORE) == (day(0),)


# --- the raw log ------------------------------------------------------------------------------------------------------

Alert = tuple[str, str, str | None, bool, float]
"""Symbol, direction, event id, whether it carries a time, seconds since the one before."""
ALERT = st.tuples(
    st.sampled_from(["SOLUSDT", "BTCUSDT", "ETHUSDT"]),
    st.sampled_from(["long", "short", "flat"]),
    st.sampled_from([None, "a", "b", "c"]),
    st.booleans(),
    st.sampled_from([1.0, 5.0, DAY_S, 3 * DAY_S]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ALERT, max_size=20), st.integers(1, 12), st.lists(ALERT, max_size=6))
def test_rotation_changes_no_judgement(
    before: list[Alert],
    compress_days: int,
    after: list[Alert],
) -> None:
    """A log whose old days are compressed folds to what it folded to, and judges what comes later the same way."""
    worlds = [World(), World()]
    for world in worlds:
        receive(world, before)
    rotated, whole = worlds
    said = store(rotated.ops, FOLDER, raw=True).tend(Ages(compress_days, None), rotated.clock.at) if before else []
    assert all(" is compressed" in line for line in said), said
    if before:
        assert opinions(rotated) == opinions(whole)
    for world in worlds:
        world.start()
    assert [one.verdict for one in receive(rotated, after)] == [one.verdict for one in receive(whole, after)]


def receive(world: World, alerts: Sequence[Alert]) -> list[Stored]:
    found = []
    for number, (symbol, direction, event_id, timed, pause_s) in enumerate(alerts):
        world.clock.at += pause_s
        fields: dict[str, Any] = {"symbol": symbol} | ({} if event_id is None else {"event_id": event_id})
        if timed:
            fields["time"] = world.clock.at - T0 - number % 3
        found.append(world.submit(direction, **fields))
    return found


def opinions(world: World) -> dict[str, tuple[object, ...]]:
    fold = LogFold(FOLDER, world.ops, world.read)
    list(fold.catch_up_whatever_happened())
    return {
        symbol: (state.in_force.record.event, state.in_force.before, state.lately)
        for symbol, state in fold.opinions.symbols.items()
    }


def test_a_day_that_no_newer_one_repeats_stays_and_that_is_said_once() -> None:
    """As an older log that was imported beside a day that had begun already."""
    world = World()
    world.submit(symbol="SOLUSDT")
    imported = FOLDER / f"{day_of(T0 - DAY_S)}.jsonl"
    world.ops.write(imported, world.ops.read(FOLDER / f"{day_of(T0)}.jsonl").replace(b"SOLUSDT", b"TAOUSDT"))
    world.clock.at += 20 * DAY_S
    one = store(world.ops, FOLDER, raw=True)
    [said] = one.tend(Ages(7, 7), world.clock.at)
    assert said.startswith(imported.name)
    assert one.tend(Ages(7, 7), world.clock.at) == []
    assert len(world.ops.list(FOLDER)) == 2
    world.start()
    world.submit(symbol="BTCUSDT")  # a new day, which begins with copies of everything
    assert len(one.tend(Ages(7, 7), world.clock.at)) == 2
    assert len(world.ops.list(FOLDER)) == 1
    assert set(opinions(world)) == {"SOLUSDT", "TAOUSDT", "BTCUSDT"}


# --- the thread -------------------------------------------------------------------------------------------------------


def test_ages_are_those_of_the_configuration(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.asset_mapping.write_text("{}")
    home.signal_weights.write_text("[]")
    home.engine_config.write_text('{"signal_stores": {"compress_after_days": 3}}')
    folder = tmp_path / "store"
    folder.mkdir()
    now = SystemClock().time()
    for ago in (4, 3, 0):
        (folder / f"{day_of(now - ago * DAY_S)}.jsonl").write_text("x\n")
    tended = (Store(folder, RealFileOps()), lambda keys: Ages(keys.compress_after_days, None))
    log = logging.getLogger("test")
    with caplog.at_level(logging.INFO):
        tend_once(FileSettings(home, SystemClock()), [tended], SystemClock(), log)
    assert len(list(folder.glob("*.gz"))) == 1
    assert "compressed" in caplog.text
    folder.chmod(0o755)


def test_trouble_is_logged_and_the_next_store_is_tended(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    ops = disk(day(900), day(0))
    ops.fail(Fault(errno.EIO, operation="remove", times=1))
    tended = [(store(ops), lambda keys: Ages(1, 1)), (store(ops), lambda keys: Ages(1, 1))]
    tend_once(FileSettings(Home(tmp_path), SystemClock()), tended, SystemClock(), logging.getLogger("test"))
    assert "the next hour tries again" in caplog.text
    assert ops.list(STORE) == (day(0),)


def test_the_thread_waits_and_ends(tmp_path: Path) -> None:
    stop = tend_for_ever(Home(tmp_path), [], SystemClock(), logging.getLogger("test"))
    assert FIRST_S > 60
    stop.set()
