"""The whole house under PM2, through `./run`'s verbs: an alert becomes a position, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.home import CHECKOUT

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not (CHECKOUT / ".venv/bin/pm2").exists(), reason="PM2 comes with ./run, not with pip"),
]
DEADLINE_S = 20.0


class Demo:
    """`./run` with its demos in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / ".demo"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRADE_ENGINE_", "PM2_"))}
        environ |= {"TRADE_ENGINE_DEMO_DIR": str(self.folder), "PM2_HOME": str(self.folder / "users-pm2")}
        command = [sys.executable, "-P", "-m", "cli", *words]
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=150, check=False
        )

    def good(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def note(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "demo.json").read_text())
        return found

    def sim(self, path: str, body: object = None) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.note()['simulator_port']}/_sim/{path}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=5) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def books(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sim("ledger")["venues"]["bybit"]["accounts"]["main"]
        return found

    def held(self) -> str:
        return str(self.books()["positions"].get("BTCUSDT", "0"))

    def said(self) -> dict[str, Any]:
        status = json.loads((self.home / "state/status/bybit-main.json").read_text())
        found: dict[str, Any] = status["symbols"]["BTCUSDT"]
        return found

    def processes(self) -> list[str]:
        """Command lines of everything that runs for a home below the folder, PM2's daemons included."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            words = " ".join(process.info["cmdline"] or [])
            if str(self.folder) in words + str((process.info["environ"] or {}).get("PM2_HOME")):
                found.append(words)
        return found


def wait_until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, f"not within {DEADLINE_S:.0f} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    it = Demo(tmp_path)
    yield it
    if (it.home / "DEMO").exists():
        it.run("--demo", "down")
    wait_until(lambda: not it.processes(), "every process ended")


@pytest.fixture
def port(worker_id: str) -> int:
    """A first port per test process, so that demos side by side do not race for the same ones."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return 18_100 + 400 * number


def test_once(demo: Demo, port: int) -> None:
    done = demo.run("demo", "--once", "--port-base", str(port))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not demo.processes()
    [line] = done.stdout.splitlines()
    found = json.loads(line)
    assert set(found) == {"converged", "home", "reason", "alert_to_fill_ms", "accounts"}
    assert found["converged"] is True
    assert found["reason"] is None
    assert found["home"] == str(demo.home)
    account = found["accounts"]["bybit-main"]
    symbol = account["symbols"]["BTCUSDT"]
    assert symbol["state"] == "CONVERGED"
    assert symbol["target"] == symbol["actual"] != "0"
    assert 0 < found["alert_to_fill_ms"] <= account["alert_to_verified_ms"]


def test_a_life_with_the_verbs(demo: Demo, port: int) -> None:
    said = demo.good("demo", "--port-base", str(port))
    assert "CONVERGED" in said
    assert "Try next" in said
    opened = demo.held()
    assert float(opened) > 0

    assert "already up" in demo.good("demo")
    assert demo.held() == opened

    machine = json.loads(demo.good("--demo", "status", "--json"))
    assert all(facts["running"] for facts in machine["homes"][0]["processes"].values())
    assert all(line.startswith("DEMO") for line in demo.good("status").splitlines())

    demo.good("alert", "--demo", "BTCUSDT", "short", "10/100")
    wait_until(lambda: float(demo.held()) < 0 and demo.said()["state"] == "CONVERGED", "the flip")

    assert "DEMO" in demo.good("halt")
    demo.good("alert", "--demo", "BTCUSDT", "short", "40/100")
    orders = len(demo.books()["orders"])
    wait_until(lambda: demo.said()["state"] != "CONVERGED", "the halt is said")
    assert len(demo.books()["orders"]) == orders
    demo.good("resume", "--demo")
    wait_until(lambda: len(demo.books()["orders"]) > orders, "the increase after the halt")

    demo.good("close", "--demo", "BTCUSDT")
    wait_until(lambda: demo.held() == "0", "the close")

    assert "restarted" in demo.good("--demo", "restart", "trade-engine")
    assert demo.held() == "0"
    assert "DEMO trade-engine |" in demo.good("logs", "--no-follow", "trade-engine")

    assert "stopped" in demo.good("--demo", "down")
    assert not demo.processes()


def test_once_beside_a_demo_that_runs(demo: Demo, port: int) -> None:
    demo.good("demo", "--port-base", str(port))
    before = demo.held()
    found = json.loads(demo.good("demo", "--once", "--port-base", str(port)))
    assert found["converged"] is True
    assert found["home"] == str(demo.folder / ".demo-2")
    assert demo.held() == before
