"""What the journal's tests share: seeded entropy, a gated offload, journals on a simulated disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

from core.domain import AccountId
from core.journal import Journal, Record, inline
from core.ports import FileOps
from core.state import ensure_dir
from simulator.disk import SimulatedFileOps

T = TypeVar("T")

ACCOUNT = AccountId("bybit-main")
HOME = Path("/home")


class Chance:
    """`ports.Entropy` from a seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)

    def bytes(self, n: int) -> bytes:
        return self._random.randbytes(n)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class Gate:
    """An `Offload` whose work waits until it is let through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.started = 0

    async def __call__(self, work: Callable[[], T], /) -> T:
        self.started += 1
        await self.open.wait()
        return work()


def simulated(seed: int = 0) -> SimulatedFileOps:
    ops = SimulatedFileOps(seed)
    ensure_dir(ops, HOME)
    return ops


def at(home: Path) -> Path:
    return home / "state" / "journal" / "bybit-main.jsonl"


def opened(ops: FileOps, home: Path = HOME, offload: object = inline, seed: int = 1) -> Journal:
    return Journal.open(at(home), ACCOUNT, ops, Chance(seed), offload)  # type: ignore[arg-type] # a generic callable


def numbered(n: int) -> Record:
    return {"kind": "ACKED", "n": n}


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
