"""A home on a disk in memory, a clock that is told the time, a feed that is told what to answer, and the processor."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.home import Home
from core.domain import Document
from core.state import ensure_dir, parse_document
from signal_processors.bittensor_client import FeedTrouble, Take
from signal_processors.bittensor_polling import Places, Processor
from signal_processors.bittensor_registry import Registry
from signal_processors.bittensor_settings import LiveSettings
from simulator.disk import SimulatedFileOps
from tests.unit.bittensor.replies import NOW_MS, encoded

HOME = Home(Path("/home-of-tests"))
PLACES = Places.of(HOME)
MAPPING: Mapping[str, Any] = {"bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"}}


@dataclass
class ToldClock:
    at: float = NOW_MS / 1000

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class ToldFeed:
    """Answers with bytes, in pieces of `size`; with a text it says that as its trouble."""

    answer: bytes | str = b"{}"
    size: int = 1000

    async def fetch(self, take: Take) -> None:
        if isinstance(self.answer, str):
            raise FeedTrouble(self.answer)
        for at in range(0, len(self.answer), self.size):
            take(self.answer[at : at + self.size])


async def no_chain() -> bytes:
    raise AssertionError("the chain was asked")


@dataclass
class House:
    ops: SimulatedFileOps = field(default_factory=SimulatedFileOps)
    clock: ToldClock = field(default_factory=ToldClock)
    feed: ToldFeed = field(default_factory=ToldFeed)

    def __post_init__(self) -> None:
        for folder in (HOME.root, HOME.state, HOME.last_good, HOME.root / "raw_signals"):
            ensure_dir(self.ops, folder)
        self.put(HOME.asset_mapping, MAPPING)
        self.start()

    def start(self, **how: Any) -> None:
        """A new process on the same disk."""
        self.settings = LiveSettings(HOME, self.ops, self.clock)
        self.registry = Registry(PLACES.metagraph, self.ops, self.clock, no_chain)
        self.processor = Processor(PLACES, self.ops, self.clock, self.settings, self.registry, **how)
        self.processor.feed = self.feed

    def put(self, path: Path, value: object) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.ops.write(path, data)

    def poll(self, reply: object = None, after_s: float = 2.0, **how: Any) -> bool:
        """One poll, `after_s` later; whether it was an opinion."""
        self.clock.at += after_s
        if reply is not None:
            self.feed.answer = reply if isinstance(reply, bytes | str) else encoded(reply)
        return asyncio.run(self.processor.poll(**how))

    # --- what is there ------------------------------------------------------------------------------------------------

    def document(self) -> Document:
        return parse_document(self.ops.read(PLACES.document))

    def depths(self) -> dict[str, str]:
        return {symbol: f"{signal.depth:f}" for symbol, signal in self.document().signals.items()}

    def beat(self) -> dict[str, Any] | None:
        if self.ops.identity(PLACES.heartbeat) is None:
            return None
        found: dict[str, Any] = json.loads(self.ops.read(PLACES.heartbeat))
        return found

    def raw_names(self) -> list[str]:
        return list(self.ops.list(PLACES.raw)) if self.ops.identity(PLACES.raw) else []

    def lines(self) -> list[tuple[str, str]]:
        """Kind and event of every raw line."""
        names = [name for name in self.raw_names() if name.endswith(".jsonl")]
        found = [json.loads(line) for name in names for line in self.ops.read(PLACES.raw / name).splitlines()]
        return [(line["kind"], line["event"]) for line in found]

    def archives(self) -> list[Any]:
        self.processor.archived(wait=True)
        names = [name for name in self.raw_names() if name.endswith(".gz")]
        return [json.loads(gzip.decompress(self.ops.read(PLACES.raw / name))) for name in names]
