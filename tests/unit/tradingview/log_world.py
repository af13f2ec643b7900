"""A disk in memory, a clock, and the writer of the raw log."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from signal_endpoints.raw_log import RawLog, StorageFailed, Stored
from signal_processors.tradingview_order import Dedup
from signal_processors.tradingview_raw import Damage, decode_record
from simulator.disk import SimulatedFileOps
from tests.unit.tradingview.records import T0, alert

HOME = Path("/home-of-tests")
FOLDER = HOME / "raw_signals" / "tradingview"
CACHE = HOME / "state" / "cache.json"
DAY = "2026-09-21.jsonl"
NO_DEDUP = Dedup()


@dataclass
class Clock:
    at: float = T0

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class World:
    ops: SimulatedFileOps = field(default_factory=SimulatedFileOps)
    clock: Clock = field(default_factory=Clock)
    events: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.ops.make_dir(HOME)
        self.ops.fsync_dir(HOME.parent)
        self.start()

    def start(self) -> None:
        self.log = RawLog(FOLDER, CACHE, self.ops, self.clock, lambda: f"id-{next(self.events)}", self.read)
        self.log.tick()

    def read(self, path: Path, offset: int, size: int) -> bytes:
        return self.ops.read(path)[offset : offset + size]

    def submit(self, direction: str = "long", **given: Any) -> Stored:
        self.clock.at = round(self.clock.at + 1, 3)
        return self.log.submit(alert(direction, **given), NO_DEDUP)

    def refused(self, direction: str = "long", **given: Any) -> str:
        with pytest.raises(StorageFailed) as failed:
            self.submit(direction, **given)
        return str(failed.value)

    def lines(self, name: str = DAY) -> list[bytes]:
        return self.ops.read(FOLDER / name).split(b"\n")[:-1]

    def events_on_disk(self) -> list[str]:
        names = [name for name in self.ops.list(FOLDER) if name.endswith(".jsonl")]
        found = [decode_record(line, "x") for name in names for line in self.lines(name)]
        return [one.event for one in found if not isinstance(one, Damage)]
