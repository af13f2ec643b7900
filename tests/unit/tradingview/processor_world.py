"""A disk in memory, a clock, and the processor that works there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.domain import Document
from core.state import parse_document
from signal_processors.tradingview_order import Record
from signal_processors.tradingview_processor import Places, Processor
from signal_processors.tradingview_raw import encode_record
from simulator.disk import SimulatedFileOps
from tests.unit.tradingview.records import T0

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
