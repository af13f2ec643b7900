"""The fact log: lines of JSON, rotated by day and size, bounded, and never in the way."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from core.domain import AccountId
from core.ports import FileOps
from core.state import RealFileOps, ensure_dir, loads, parse_instant
from core.state.facts import FactLog
from simulator.disk import Fault, SimulatedFileOps

ACCOUNT = AccountId("bybit-main")
NOON = parse_instant("2026-11-20T12:00:00Z")
DAY_S = 86_400.0


@pytest.fixture(params=["real", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FileOps, Path]:
    if request.param == "real":
        return RealFileOps(), tmp_path / "state" / "events"
    ops = SimulatedFileOps()
    ensure_dir(ops, Path("/home"))
    return ops, Path("/home/state/events")


def facts(ops: FileOps, path: Path) -> list[Any]:
    data = ops.read(path)
    assert data.endswith(b"\n")
    return [loads(line) for line in data.splitlines()]


def test_facts_are_lines_with_schema_instant_and_account(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    log = FactLog(folder, ops)
    assert log.append(ACCOUNT, NOON, {"fact": "equity", "value": "1000"}) is None
    assert log.append(ACCOUNT, NOON + 0.25, {"fact": "fill"}) is None
    assert log.append(AccountId("mexc-main"), NOON, {"fact": "equity"}) is None
    assert facts(ops, folder / "bybit-main.jsonl") == [
        {"schema": 1, "at": "2026-11-20T12:00:00.000Z", "account": "bybit-main", "fact": "equity", "value": "1000"},
        {"schema": 1, "at": "2026-11-20T12:00:00.250Z", "account": "bybit-main", "fact": "fill"},
    ]
    assert len(facts(ops, folder / "mexc-main.jsonl")) == 1


def test_a_day_ends_its_file_across_restarts_too(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    log = FactLog(folder, ops)
    log.append(ACCOUNT, NOON, {"n": 1})
    log.append(ACCOUNT, NOON + DAY_S, {"n": 2})
    assert ops.list(folder) == ("bybit-main.2026-11-20.001.jsonl", "bybit-main.jsonl")
    FactLog(folder, ops).append(ACCOUNT, NOON + DAY_S + 5, {"n": 3})
    FactLog(folder, ops).append(ACCOUNT, NOON + 2 * DAY_S, {"n": 4})
    assert [f["n"] for f in facts(ops, folder / "bybit-main.2026-11-21.001.jsonl")] == [2, 3]
    assert [f["n"] for f in facts(ops, folder / "bybit-main.jsonl")] == [4]


def test_a_clock_that_goes_back_does_not_rotate(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    log = FactLog(folder, ops)
    for offset_s in (0, -DAY_S, 0):
        log.append(ACCOUNT, NOON + offset_s, {})
    assert ops.list(folder) == ("bybit-main.jsonl",)


def test_size_and_number_of_files_are_bounded(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    log = FactLog(folder, ops, max_bytes=400, kept_files=3)
    for n in range(100):
        assert log.append(ACCOUNT, NOON + n * DAY_S / 20, {"n": n}) is None
    names = ops.list(folder)
    assert len(names) == 4
    assert all(len(ops.read(folder / name)) <= 400 for name in names)
    *rotated, current = names
    assert current == "bybit-main.jsonl"
    kept = [fact["n"] for name in names for fact in facts(ops, folder / name)]
    assert kept == list(range(kept[0], 100))  # the newest, in order, none twice
    assert rotated == sorted(rotated)


def test_numbers_of_one_day_are_not_sorted_as_text(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    log = FactLog(folder, ops, max_bytes=1, kept_files=5)
    for n in range(1010):
        log.append(ACCOUNT, NOON, {"n": n})
    assert ops.list(folder)[:5] == tuple(f"bybit-main.2026-11-20.{n}.jsonl" for n in range(1005, 1010))


def test_somebody_elses_files_are_left_alone(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    log = FactLog(folder, ops, max_bytes=1, kept_files=1)
    log.append(ACCOUNT, NOON, {})
    for name in ("bybit-main2.2020-01-01.001.jsonl", "bybit-main.notes.jsonl"):
        ops.write(folder / name, b"x")
    for _ in range(5):
        log.append(ACCOUNT, NOON, {})
    assert {"bybit-main2.2020-01-01.001.jsonl", "bybit-main.notes.jsonl"} < set(ops.list(folder))
    assert len(ops.list(folder)) == 4


def test_the_collector_may_take_the_file_away(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    log = FactLog(folder, ops)
    log.append(ACCOUNT, NOON, {"n": 1})
    ops.replace(folder / "bybit-main.jsonl", folder / "taken")
    for n in (2, 3):
        log.append(ACCOUNT, NOON + DAY_S, {"n": n})
    assert ops.list(folder) == ("bybit-main.jsonl", "taken")


def test_a_torn_line_is_cut_off_at_the_next_start(disk: tuple[FileOps, Path]) -> None:
    ops, folder = disk
    FactLog(folder, ops).append(ACCOUNT, NOON, {"n": 1})
    ops.append(folder / "bybit-main.jsonl", b'{"schema": 1, "at"')
    FactLog(folder, ops).append(ACCOUNT, NOON, {"n": 2})
    assert [f["n"] for f in facts(ops, folder / "bybit-main.jsonl")] == [1, 2]


@pytest.mark.parametrize("first", [b"", b"garbage\n", b"[]\n", b'{"at": "soon"}\n', b"no line end"])
def test_a_strange_file_does_not_stop_the_facts(disk: tuple[FileOps, Path], first: bytes) -> None:
    ops, folder = disk
    ensure_dir(ops, folder)
    ops.write(folder / "bybit-main.jsonl", first)
    log = FactLog(folder, ops)
    assert log.append(ACCOUNT, NOON, {"n": 1}) is None
    assert log.append(ACCOUNT, NOON + DAY_S, {"n": 2}) is None
    assert [f["n"] for f in facts(ops, folder / "bybit-main.jsonl")] == [2]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EMFILE])
def test_a_failing_disk_costs_facts_and_nothing_else(code: int) -> None:
    for at in range(40):
        ops = SimulatedFileOps()
        folder = Path("/home/state/events")
        ensure_dir(ops, folder)
        log = FactLog(folder, ops, max_bytes=300)
        ops.fail(Fault(code, after=at, partial=True))
        troubles = [log.append(ACCOUNT, NOON, {"n": n}) for n in range(8)]
        lost = [trouble for trouble in troubles if trouble]
        assert len(lost) <= 1
        assert all("history lacks this fact" in trouble for trouble in lost)
        ops.faults.clear()
        log.append(ACCOUNT, NOON, {"n": 8})
        written = [f["n"] for name in ops.list(folder) for f in facts(ops, folder / name)]
        assert written == [n for n in range(9) if n == 8 or not troubles[n]]
