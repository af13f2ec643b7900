"""Statuses, the depth cache and heartbeats: schemas as documented, rebuilt when missing, never in the way."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from core.domain import AccountId
from core.execution.projecting import Publisher
from core.ports import FileOps
from core.state import RealFileOps, ensure_dir, loads
from core.state.facts import FactLog
from core.state.projections import DepthCache, Projections, heartbeat, publish, read_depths
from simulator.disk import Fault, SimulatedFileOps

HOME = Path("/home")
BYBIT, KUCOIN = AccountId("bybit-main"), AccountId("kucoin-main")
SIZED = {"kind": "SIZED", "at": 1795165964.123456, "taken": {"tradingview": {"timestamp": 1795165964.101}}}
ENTRIES: dict[str, dict[str, Any]] = {"BTCUSDT": {"depth": "0.06", "contracts": "12", "generation": 3, "sized": SIZED}}


class Noon:
    """`ports.Clock` that stands still."""

    def time(self) -> float:
        return 1795165964.123

    def monotonic(self) -> float:
        return 7.0


@pytest.fixture
def ops() -> SimulatedFileOps:
    disk = SimulatedFileOps()
    ensure_dir(disk, HOME)
    return disk


class Rig:
    """Projections of a home on one disk, with what they told."""

    def __init__(self, ops: FileOps, home: Path = HOME) -> None:
        self.ops = ops
        self.told: list[tuple[str, str]] = []
        self.depths = home / "account_asset_depths.json"
        self.statuses = home / "state" / "status"
        self.projections = Projections(
            self.depths, self.statuses, ops, Noon(), lambda account, because: self.told.append((account, because))
        )

    def json(self, path: Path) -> Any:
        return loads(self.ops.read(path), real=float)


def test_is_what_the_executor_asks_for(ops: SimulatedFileOps) -> None:
    publisher: Publisher = Rig(ops).projections
    assert publisher


def test_status_is_as_documented(tmp_path: Path) -> None:
    rig = Rig(RealFileOps(), tmp_path)
    symbol = {"target": "0.012", "actual": "0", "depth": "0.06", "leverage": "10", "generation": 3}
    content = {
        "account": BYBIT,
        "cycle": 7,
        "state": "OK",
        "because": "",
        "equity": "1000",
        "symbols": {"BTCUSDT": {**symbol, "state": "OUT_OF_SYNC", "because": "buying"}},
    }
    rig.projections.status(BYBIT, content)
    written = json.loads((tmp_path / "state" / "status" / "bybit-main.json").read_text())
    assert written == {"schema": 1, "at": "2026-11-20T09:12:44.123Z", **content}
    assert list(written)[:3] == ["schema", "account", "at"]
    assert rig.told == []


def test_one_depth_file_for_all_accounts(ops: SimulatedFileOps) -> None:
    rig = Rig(ops)
    rig.projections.depths(BYBIT, "e1", ENTRIES)
    rig.projections.depths(KUCOIN, "e2", {})
    rig.projections.depths(BYBIT, "e1", {**ENTRIES, "ETHUSDT": {"depth": "0"}})
    assert rig.json(rig.depths) == {
        "schema": 1,
        "at": "2026-11-20T09:12:44.123Z",
        "accounts": {
            "bybit-main": {"epoch": "e1", "symbols": {**ENTRIES, "ETHUSDT": {"depth": "0"}}},
            "kucoin-main": {"epoch": "e2", "symbols": {}},
        },
    }


def test_what_was_projected_survives_a_restart_to_the_last_digit(ops: SimulatedFileOps) -> None:
    Rig(ops).projections.depths(BYBIT, "e1", ENTRIES)
    ops.crash()
    again = Rig(ops).projections
    assert again.projected(BYBIT) == ("e1", ENTRIES)
    assert again.projected(KUCOIN) is None
    again.depths(KUCOIN, "e2", ENTRIES)
    assert read_depths(ops, HOME / "account_asset_depths.json").keys() == {BYBIT, KUCOIN}


def vanish(ops: FileOps, path: Path) -> None:
    ops.remove(path)


def empty(ops: FileOps, path: Path) -> None:
    ops.write(path, b"")


def break_by_hand(ops: FileOps, path: Path) -> None:
    ops.write(path, b'{"schema": 1, "accounts": {')


@pytest.mark.parametrize("meddle", [vanish, empty, break_by_hand])
def test_a_depth_file_that_is_gone_comes_back_with_the_next_cycle(ops: SimulatedFileOps, meddle: Any) -> None:
    rig = Rig(ops)
    rig.projections.depths(BYBIT, "e1", ENTRIES)
    before = ops.read(rig.depths)
    meddle(ops, rig.depths)
    rig.projections.status(BYBIT, {})
    assert ops.read(rig.depths) == before
    count = ops.operations
    rig.projections.status(BYBIT, {})
    idle = ops.operations - count
    assert not [line for line in list(ops.log)[-idle:] if line.startswith("write") and "depths" in line]


def test_a_program_that_projects_nothing_leaves_the_depth_file_alone(ops: SimulatedFileOps) -> None:
    first, second = Rig(ops), Rig(ops)
    first.projections.depths(BYBIT, "e1", ENTRIES)
    second.projections.status(BYBIT, {})
    assert first.projections.projected(BYBIT) == ("e1", ENTRIES)
    assert read_depths(ops, first.depths)[BYBIT]["symbols"] == ENTRIES
    ops.remove(first.depths)
    second.projections.status(BYBIT, {})
    assert ops.identity(first.depths) is None


BROKEN = [
    (b"", "is empty"),
    (b"{", "not valid JSON"),
    (b"[]", "must be an object"),
    (b'{"schema": 2}', "newer version"),
    (b'{"schema": 1}', "accounts: is missing"),
    (b'{"schema": 1, "accounts": {"bybit-main": 5}}', "accounts.bybit-main: must be an object"),
    (b'{"schema": 1, "accounts": {"bybit-main": {"symbols": {}}}}', "accounts.bybit-main.epoch: is missing"),
    (b'{"schema": 1, "accounts": {"bybit-main": {"epoch": 1, "symbols": {}}}}', "epoch: must be a text"),
    (b'{"schema": 1, "accounts": {"bybit-main": {"epoch": "e", "symbols": {"A": 1}}}}', "symbols.A: must be an object"),
]


def test_an_account_that_traded_and_is_forgotten_is_not_new(ops: SimulatedFileOps) -> None:
    facts = FactLog(HOME / "facts", ops)
    facts.append(BYBIT, 1.0, {"fact": "order_sent", "symbol": "BTCUSDT"})
    facts.append(KUCOIN, 1.0, {"fact": "equity", "value": "1"})
    rig = Rig(ops)
    found = Projections(rig.depths, rig.statuses, ops, Noon(), lambda *_: None, facts.traded)
    assert found.projected(BYBIT) == ("", {})
    assert found.projected(KUCOIN) is None
    found.depths(BYBIT, "e1", ENTRIES)
    assert found.projected(BYBIT) == ("e1", ENTRIES)


@pytest.mark.parametrize(("data", "problem"), BROKEN)
def test_a_broken_depth_file_is_named_and_never_half_believed(ops: SimulatedFileOps, data: bytes, problem: str) -> None:
    ops.write(HOME / "account_asset_depths.json", data)
    rig = Rig(ops)
    assert rig.projections.read_problem is not None
    assert problem in rig.projections.read_problem
    assert "account_asset_depths.json" in rig.projections.read_problem
    for account in (BYBIT, KUCOIN, BYBIT):
        assert rig.projections.projected(account) == ("", {}), "it may have held anything: not the same as never"
    assert rig.told == [(BYBIT, rig.projections.read_problem)]
    rig.projections.depths(BYBIT, "e1", ENTRIES)
    assert rig.projections.projected(BYBIT) == ("e1", ENTRIES)
    assert Rig(ops).projections.projected(BYBIT) == ("e1", ENTRIES)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("at", range(12))
def test_no_failure_of_the_disk_reaches_the_loop_and_all_is_mended_afterwards(code: int, at: int) -> None:
    ops = SimulatedFileOps()
    ensure_dir(ops, HOME)
    rig = Rig(ops)
    fault = ops.fail(Fault(code, after=at, times=0, partial=True))
    for cycle in range(3):
        rig.projections.depths(BYBIT, "e1", ENTRIES)
        rig.projections.status(BYBIT, {"cycle": cycle})
    assert fault.hits > 3
    assert {account for account, _ in rig.told} == {BYBIT}
    assert len(rig.told) <= 2  # once per file, not once per cycle
    assert all("could not be written" in because for _, because in rig.told)
    ops.faults.clear()
    rig.projections.status(BYBIT, {"cycle": 3})
    assert rig.json(rig.statuses / "bybit-main.json")["cycle"] == 3
    assert read_depths(ops, rig.depths)[BYBIT]["symbols"] == ENTRIES
    before = len(rig.told)
    ops.fail(Fault(code, operation="replace", path_part="status", times=0))
    rig.projections.status(BYBIT, {})
    rig.projections.status(BYBIT, {})
    assert len(rig.told) == before + 1  # a new trouble is news again, once


def test_a_failed_depth_write_is_made_up_for_in_the_next_cycle(ops: SimulatedFileOps) -> None:
    rig = Rig(ops)
    rig.projections.depths(BYBIT, "e1", {})
    ops.fail(Fault(errno.ENOSPC, operation="write"))
    rig.projections.depths(BYBIT, "e1", ENTRIES)
    assert read_depths(ops, rig.depths)[BYBIT]["symbols"] == {}
    rig.projections.status(BYBIT, {})
    assert read_depths(ops, rig.depths)[BYBIT]["symbols"] == ENTRIES


def test_a_text_that_is_no_text_does_not_stop_a_status(ops: SimulatedFileOps) -> None:
    rig = Rig(ops)
    rig.projections.status(BYBIT, {"because": "venue: \ud800"})
    assert rig.json(rig.statuses / "bybit-main.json")["because"] == "venue: ?"


def test_depth_cache_on_its_own_reports_instead_of_raising(ops: SimulatedFileOps) -> None:
    cache = DepthCache(HOME / "depths.json", ops, Noon())
    assert cache.restore() is None
    ops.power_off()
    assert "depths.json could not be written" in (cache.put(BYBIT, "e", {}) or "")
    assert "depths.json could not be written" in (cache.restore() or "")


def test_heartbeat_names_the_versions_a_process_runs_on(ops: SimulatedFileOps) -> None:
    beat = heartbeat("trade-engine", 77, 0.0, 1.5, {"signal_weight_config.json": "ab"}, ["credentials changed", ""])
    path = HOME / "state" / "heartbeat" / "trade-engine.json"
    assert publish(ops, path, beat) is None
    assert loads(ops.read(path)) == {
        "schema": 1,
        "process": "trade-engine",
        "pid": 77,
        "at": "1970-01-01T00:00:01.500Z",
        "started_at": "1970-01-01T00:00:00.000Z",
        "versions": {"signal_weight_config.json": "ab"},
        "problems": ["credentials changed"],
    }
