"""A simulated venue and trade-engine processes over homes of their own, judged by the venue's ledger."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bench.programs import Program
from bench.world import TV, BenchWorld
from config.home import Home
from core.domain import Document, Signal
from core.state import RealFileOps, render_document, write_atomic, write_json

DEADLINE_S = 30.0
ACCOUNT = "bybit-main"


def wait_for(fact: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    end_s = time.monotonic() + deadline_s
    while not fact():
        assert time.monotonic() < end_s, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.02)


class Engine:
    """One trade-engine process and its log."""

    def __init__(self, home: Home, folder: Path, name: str = "trade-engine", **environ: str) -> None:
        self.program = Program(name, ["execute_trades.py", "--home", str(home.root)], folder, **environ)
        self._log = folder / f"{name}.log"

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def says(self, text: str, deadline_s: float = DEADLINE_S) -> None:
        wait_for(lambda: text in self.said(), f"{self.program.name} says {text!r}", deadline_s)

    def sent(self) -> int:
        """How many orders it says it sent."""
        return len(re.findall(r": sends (?:buy|sell) ", self.said()))

    def has_sent(self, orders: int) -> None:
        """Waits until it says so: the log is written after the venue has the order."""
        wait_for(lambda: self.sent() >= orders, f"{self.program.name} says that it sent {orders} orders")
        assert self.sent() == orders

    def freeze(self) -> None:
        os.kill(self.program.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.program.pid, signal.SIGCONT)


class EngineHouse:
    """One symbol at a weight of 0.8 and leverage 3, so that a depth of 1 holds 24 000 of an equity of 10 000."""

    def __init__(self, world: BenchWorld, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.home = world.home
        self.symbol = world.symbols[0]
        self.engine = Engine(self.home, folder)

    @property
    def journal(self) -> Path:
        return self.home.journals / f"{ACCOUNT}.jsonl"

    def second_home(self) -> Home:
        """Another home with the same configuration and the same account's keys."""
        home = Home(self.folder / "second")
        home.prepare()
        for mine, theirs in (
            (home.signal_weights, self.home.signal_weights),
            (home.asset_mapping, self.home.asset_mapping),
            (home.engine_config, self.home.engine_config),
            (home.credentials, self.home.credentials),
        ):
            write_json(RealFileOps(), mine, json.loads(theirs.read_text()))
        return home

    def say(self, depth: str, *homes: Home) -> None:
        """The source now says `depth`, to these homes; by default to the one."""
        now = time.time()
        document = Document(TV, int(now * 1000), now, {self.symbol: Signal(Decimal(depth), now)})
        for home in homes or (self.home,):
            write_atomic(RealFileOps(), home.document(TV), render_document(document))

    def secrets(self) -> list[str]:
        """What stands in credentials.json and must stand nowhere else."""
        found = json.loads(self.home.credentials.read_text())
        return [entry["api_secret"] for entry in found["accounts"]]

    # --- what is true -------------------------------------------------------------------------------------------------

    def books(self) -> dict[str, Any]:
        found: dict[str, Any] = self.world.ledger()["venues"]["bybit"]["accounts"]["main"]
        return found

    def held(self) -> Decimal:
        return Decimal(self.books()["positions"].get(self.symbol, "0"))

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.books()["orders"]
        return found

    def highest(self) -> Decimal:
        """The largest |position| the ledger ever showed."""
        return max((abs(Decimal(fill["position_after"])) for fill in self.books()["fills"]), default=Decimal(0))

    def shown(self, home: Home | None = None) -> dict[str, Any]:
        """What the status says of the symbol; nothing before the first cycle."""
        found: dict[str, Any] = self.status(home).get("symbols", {}).get(self.symbol, {})
        return found

    def status(self, home: Home | None = None) -> dict[str, Any]:
        path = (home or self.home).statuses / f"{ACCOUNT}.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def size_of(self, depth: str) -> Decimal:
        """The size the ledger should show, within the little that fees and prices move it."""
        found = self.world.ledger()
        equity = Decimal(found["venues"]["bybit"]["accounts"]["main"]["equity"])
        return equity * Decimal(depth) * Decimal("0.8") * 3 / Decimal(found["prices"][self.symbol])

    def reaches(self, depth: str, deadline_s: float = DEADLINE_S) -> Decimal:
        """Waits until the ledger is at a depth; returns the position."""
        wait_for(lambda: self.is_at(depth), f"the ledger at a depth of {depth}", deadline_s)
        return self.held()

    def is_at(self, depth: str) -> bool:
        wanted = self.size_of(depth)
        return abs(self.held() - wanted) <= abs(wanted) * Decimal("0.02")


@contextlib.contextmanager
def engine_house(folder: Path, rtt_ms: float = 0.0) -> Iterator[EngineHouse]:
    """A house with its price pinned; its engine does not run yet. Everything is stopped on the way out."""
    with BenchWorld(folder, {"bybit": 1}, 1, rtt_ms) as world:
        house = EngineHouse(world, folder)
        world.admin("price", {"symbol": house.symbol, "price": world.ledger()["prices"][house.symbol]})
        try:
            yield house
        finally:
            house.engine.program.stop()


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc")
