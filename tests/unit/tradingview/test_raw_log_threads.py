"""Many threads bring alerts to one log: they share syncs, get their own answers, and a hung disk hangs one of them."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.state import RealFileOps
from signal_endpoints.raw_log import RawLog, StorageFailed, Stored
from signal_processors.tradingview_raw import decode_record
from tests.unit.tradingview.log_world import NO_DEDUP, World
from tests.unit.tradingview.records import alert


def test_many_threads_share_syncs_and_each_gets_its_own_answer(tmp_path: Path) -> None:
    syncs = itertools.count()

    class Counted(RealFileOps):
        def fsync(self, path: Path) -> None:
            next(syncs)
            gate.wait(0.002)
            RealFileOps.fsync(self, path)

    gate = threading.Event()  # never set: each sync takes 2 ms
    log = RawLog(tmp_path, tmp_path / "cache", Counted(), SystemClock(), lambda: f"e{next(numbers)}")
    log.tick()
    numbers = itertools.count()
    found: dict[tuple[int, int], Stored] = {}

    def work(thread: int) -> None:
        for n in range(20):
            found[thread, n] = log.submit(alert(price=f"{thread + 1}.{n:02d}", symbol=f"S{thread}"), NO_DEDUP)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(found) == 320
    for (thread, n), stored in found.items():
        assert stored.record.alert.body.fields["price"] == f"{thread + 1}.{n:02d}"
    (name,) = [path.name for path in tmp_path.glob("*.jsonl")]
    lines = (tmp_path / name).read_bytes().splitlines()
    for stored in found.values():
        number = int(stored.record.raw.rpartition(":")[2])
        assert decode_record(lines[number - 1], stored.record.raw) == stored.record
    assert len(lines) == 320
    assert next(syncs) < 160


def test_who_waits_for_a_hung_disk_is_answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The thread that writes hangs; the others do not, and what they brought is not written behind their backs."""
    monkeypatch.setattr("signal_endpoints.raw_log.WAIT_S", 0.05)
    hang, hanging = threading.Event(), threading.Event()

    class Hung(RealFileOps):
        def fsync(self, path: Path) -> None:
            if path.suffix == ".jsonl" and not hang.is_set():
                hanging.set()
                hang.wait(20)
            RealFileOps.fsync(self, path)

    numbers = itertools.count()
    log = RawLog(tmp_path, tmp_path / "cache", Hung(), SystemClock(), lambda: f"e{next(numbers)}")
    log.tick()
    done: list[Stored] = []
    leader = threading.Thread(target=lambda: done.append(log.submit(alert(), NO_DEDUP)))
    leader.start()
    assert hanging.wait(10)
    for _ in range(3):
        with pytest.raises(StorageFailed, match="did not answer"):
            log.submit(alert("flat"), NO_DEDUP)
    hang.set()
    leader.join(10)
    assert log.submit(alert("short"), NO_DEDUP).record.raw.endswith(":2")
    assert done[0].record.raw.endswith(":1")


def test_too_many_waiting_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal_endpoints.raw_log.MAX_WAITING", 0)
    assert "too many" in World().refused()
