"""The webhook and its processor as processes of their own, over one home, asked over real HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from config.home import CHECKOUT
from core.domain import Document
from core.state import parse_document

DEADLINE_S = 30.0
TOKEN = "0123456789abcdef0123456789abcdef"
ENDPOINT = "signal_endpoints/tradingview_endpoint.py"
PROCESSOR = "signal_processors/tradingview_processor.py"


def until(fact: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Waits until `fact` holds."""
    end = time.monotonic() + deadline_s
    while not fact():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """One home. Whatever was started is ended by `close`."""

    root: Path
    port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.put("credentials.json", {"tradingview": {"webhook_tokens": [TOKEN]}})
        mapping = {f"S{n}USDT": f"S{n}USDT" for n in range(10)}
        self.put("asset_mapping_config.json", {"tradingview": mapping | {"SOLUSDT": "SOLUSDT"}})

    def put(self, name: str, value: object) -> None:
        (self.root / name).write_text(json.dumps(value))
        (self.root / name).chmod(0o600)

    # --- processes ----------------------------------------------------------------------------------------------------

    def start(self, script: str, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        log = self.root / f"{Path(script).stem}.log"
        environ = os.environ | more.pop("environ", {}) | {"TRADE_ENGINE_HOME": str(self.root)}
        with log.open("ab") as stream:
            command = [sys.executable, str(CHECKOUT / script), *arguments]
            process = subprocess.Popen(command, env=environ, stdout=stream, stderr=stream, cwd=self.root, **more)
        self.started.append(process)
        return process

    def endpoint(self, **more: Any) -> subprocess.Popen[bytes]:
        process = self.start(ENDPOINT, "--port", str(self.port), **more)
        until(lambda: self.healthy() or process.poll() is not None)
        assert process.poll() is None, self.log(ENDPOINT)
        return process

    def processor(self) -> subprocess.Popen[bytes]:
        process = self.start(PROCESSOR)
        until((self.root / "signals" / "tradingview.json").exists)
        return process

    def once(self) -> None:
        done = subprocess.run(
            [sys.executable, str(CHECKOUT / PROCESSOR), "--once", "--home", str(self.root)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def log(self, script: str) -> str:
        return (self.root / f"{Path(script).stem}.log").read_text()

    def close(self) -> None:
        for process in self.started:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait(10)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def healthy(self) -> bool:
        try:
            return self.ask("GET", "/health")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def post(self, alert: object) -> tuple[int, dict[str, Any]]:
        return self.ask("POST", f"/webhook/{TOKEN}", json.dumps(alert).encode())

    def say(self, data: bytes) -> bytes:
        """What the server answers to raw bytes, until it closes or has answered."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
            found = b""
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                while b"}" not in found and (chunk := connection.recv(65536)):
                    found += chunk
            return found

    # --- files --------------------------------------------------------------------------------------------------------

    def raw_files(self) -> list[Path]:
        return sorted((self.root / "raw_signals" / "tradingview").glob("*.jsonl"))

    def raw(self) -> list[dict[str, Any]]:
        """Every whole line."""
        return [json.loads(line) for path in self.raw_files() for line in path.read_bytes().split(b"\n")[:-1]]

    def document(self) -> Document:
        return parse_document((self.root / "signals" / "tradingview.json").read_bytes())

    def depths(self) -> dict[str, str]:
        return {symbol: f"{signal.depth:f}" for symbol, signal in self.document().signals.items()}


@contextlib.contextmanager
def house(root: Path) -> Iterator[House]:
    """A house that is cleared away whatever happens in it."""
    one = House(root)
    try:
        yield one
    finally:
        one.close()


def worker_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The server process below the endpoint's main process."""
    (worker,) = [p for p in psutil.Process(process.pid).children() if "resource_tracker" not in " ".join(p.cmdline())]
    return worker


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
