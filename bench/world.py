"""A home of its own beside a simulator process of its own: what every bench measures in."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

from config.credentials_file import Credentials, CredentialsFile
from config.home import CHECKOUT, Home
from core.domain import Document, Signal, SourceName
from core.state import RealFileOps, render_document, write_atomic, write_json
from execute_trades import Engine

START_S = 30.0
TV = SourceName("tradingview")
MARGIN_SHARE = 0.8
"""Sum of all weights."""


class BenchWorld:
    """The simulator and a home whose accounts trade on it. Use as a context manager."""

    def __init__(self, folder: Path, venues: Sequence[str], accounts: int, symbols: int, rtt_ms: float) -> None:
        self.home = Home(folder / "home")
        self._venues = list(venues)
        self._accounts = accounts
        self._count = symbols
        self._rtt_ms = rtt_ms
        self._ready = folder / "ready.jsonl"
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: list[dict[str, Any]] = []
        self._revision = 0
        self.symbols: list[str] = []

    def __enter__(self) -> BenchWorld:
        accounts = ",".join(f"{venue}={self._accounts}" for venue in self._venues)
        command = [sys.executable, "-m", "simulator.server", "--quiet", "--port-base", str(_free_ports())]
        command += ["--accounts", accounts, "--venues", ",".join(self._venues), "--rtt-ms", str(self._rtt_ms)]
        command += ["--ready-file", str(self._ready)]
        self._process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL)
        end_s = time.monotonic() + START_S
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError("the simulator did not start; its message stands above")
            time.sleep(0.05)
        self._lines = [json.loads(line) for line in self._ready.read_text().splitlines()]
        self._configure()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def _configure(self) -> None:
        ops, home = RealFileOps(), self.home
        home.prepare()
        ledger = self._ledger()
        self.symbols = sorted(s for s in ledger["prices"] if s.endswith("USDT"))[: self._count]
        weight = round(MARGIN_SHARE / self._count, 4)
        entries = [{"symbol": s, "leverage": 3, "sources": [{"source": TV, "weight": weight}]} for s in self.symbols]
        write_json(ops, home.signal_weights, entries)
        write_json(ops, home.asset_mapping, {TV: {s: s for s in self.symbols}})
        write_json(ops, home.engine_config, {"max_increase_orders_per_minute": 100_000})
        accounts = [
            {"venue": line["venue"], "base_url": line["base_url"], "ws_url": line["ws_url"]}
            | {key: value for key, value in account.items() if key != "equity"}
            for line in self._lines
            for account in line["accounts"]
        ]
        write_json(ops, home.credentials, {"accounts": accounts})

    def credentials(self) -> Credentials:
        return CredentialsFile(self.home).load()

    def say(self, depth: str) -> None:
        """The source now says `depth` on every symbol."""
        self._revision += 1
        now = time.time()
        signals = {s: Signal(Decimal(depth), now) for s in self.symbols}
        data = render_document(Document(TV, self._revision, now, signals))
        write_atomic(RealFileOps(), self.home.document(TV), data)

    def requests(self) -> int:
        """Requests all venues have counted so far."""
        return sum(int(venue["requests"]["total"]) for venue in self._ledger()["venues"].values())

    def over_limit(self) -> int:
        return sum(int(venue["requests"]["over_limit"]) for venue in self._ledger()["venues"].values())

    def forget_shared(self, engine: Engine) -> None:
        """Makes the engine read public data of its venues again."""
        for shared in engine.shared:
            shared.forget("instruments")

    def _ledger(self) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._lines[0]["admin_url"].removeprefix("http://"), timeout=10)
        try:
            connection.request("GET", "/_sim/ledger")
            found: dict[str, Any] = json.load(connection.getresponse())
        finally:
            connection.close()
        return found


def _free_ports() -> int:
    """A base port with six free ports from it."""
    for base in range(21000, 29000, 10):
        sockets = []
        try:
            for port in range(base, base + 6):
                one = socket.socket()
                sockets.append(one)
                one.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no six free ports in a row between 21000 and 29000")
