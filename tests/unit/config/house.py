"""A home of one's own for the tests of its files: a clock that is told the time, a disk that is told to fail."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.assemble import KnownAccount
from config.home import Home
from config.reload import FileSettings
from config.signal_files import SignalFiles
from core.domain import AccountId, SourceName, SourceReading
from core.ports import FileIdentity
from core.state import RealFileOps, format_instant

NOW = 1_800_000_000.0
BYBIT = KnownAccount(AccountId("bybit-main"), "bybit", "main")
MAPPINGS: Mapping[str, Any] = {"tradingview": {"BTCUSDT": "BTCUSDT"}, "bittensor": {"BTCUSD": "BTCUSDT"}}
WEIGHTS: Sequence[Any] = [
    {
        "symbol": "BTCUSDT",
        "leverage": 3,
        "sources": [{"source": "tradingview", "weight": 0.1}, {"source": "bittensor", "weight": 0.15}],
    }
]


@dataclass
class ToldClock:
    """Says what it was last told."""

    now: float = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class FailingFiles(RealFileOps):
    """The real disk, where any operation on the paths in `broken` fails with EIO and `reads` are counted."""

    def __init__(self) -> None:
        self.broken: set[Path] = set()
        self.reads: list[Path] = []

    def _look(self, path: Path) -> None:
        if path in self.broken:
            raise OSError(errno.EIO, "Input/output error", str(path))

    def read(self, path: Path) -> bytes:
        self._look(path)
        self.reads.append(path)
        return super().read(path)

    def write(self, path: Path, data: bytes) -> None:
        self._look(path.parent)
        super().write(path, data)

    def list(self, path: Path) -> tuple[str, ...]:
        self._look(path)
        return super().list(path)

    def identity(self, path: Path) -> FileIdentity | None:
        self._look(path)
        return super().identity(path)


@dataclass
class House:
    """A home with its clock and disk, and short ways to write into it."""

    home: Home
    clock: ToldClock = field(default_factory=ToldClock)
    files: FailingFiles = field(default_factory=FailingFiles)

    def settings(self, accounts: Sequence[KnownAccount] | None = (BYBIT,), *, keeps: bool = True) -> FileSettings:
        return FileSettings(self.home, self.clock, accounts=accounts, files=self.files, keeps=keeps)

    def signals(self, staleness_s: Mapping[str, float] | None = None, *, remembers: bool = True) -> SignalFiles:
        limits = staleness_s or {}
        return SignalFiles(self.home, self.clock, staleness_s=limits.get, files=self.files, remembers=remembers)

    def put(self, name: str, content: object) -> Path:
        """Writes text, bytes, or anything else as JSON, the way an editor does."""
        path = self.home.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def furnish(self) -> None:
        """A valid pair of mapping and weight file."""
        self.put("asset_mapping_config.json", MAPPINGS)
        self.put("signal_weight_config.json", WEIGHTS)

    def say(self, name: str, signals: Mapping[str, str], source: str = "tradingview", **others: object) -> Path:
        """Writes a signal document `signals/<name>.json`: symbol -> depth."""
        at = format_instant(self.clock.now - 1)
        said = {symbol: {"depth": depth, "timestamp": at} for symbol, depth in signals.items()}
        document = {"schema": 1, "source": source, "revision": 1, "written_at": at, "signals": said}
        return self.put(f"signals/{name}.json", document | others)

    def beat(self, source: str, age_s: float) -> Path:
        at = format_instant(self.clock.now - age_s)
        return self.put(f"signals/{source}.heartbeat", {"checked_at": at, "revision": 1})


TRADINGVIEW = SourceName("tradingview")
BITTENSOR = SourceName("bittensor")
BOTH = {"BTCUSDT": "0.5", "ETHUSDT": "-0.25"}


def read(files: SignalFiles) -> SourceReading:
    return files.readings([TRADINGVIEW])[TRADINGVIEW]
