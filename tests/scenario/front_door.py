"""`./run` as a user calls it, in a folder of the test's own, with its own PM2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.home import CHECKOUT

DEADLINE_S = 20.0

needs_pm2 = pytest.mark.skipif(not (CHECKOUT / ".venv/bin/pm2").exists(), reason="PM2 comes with ./run, not with pip")


class FrontDoor:
    """Calls verbs. `home` is the demo's; `environ` is added to what a fresh shell would have."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.environ = environ
        self.home = folder / ".demo"
        self.pm2_home = folder / "users-pm2"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRADE_ENGINE_", "PM2_"))}
        environ |= {"TRADE_ENGINE_DEMO_DIR": str(self.folder), "PM2_HOME": str(self.pm2_home)} | self.environ
        command = [sys.executable, "-P", "-m", "cli", *words]
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=150, check=False
        )

    def good(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pm2(self, *commands: str) -> str:
        """What PM2 itself says to each command, as `./run` starts it."""
        program, environ = str(CHECKOUT / ".venv/bin/pm2"), os.environ | {"PM2_HOME": str(self.pm2_home)}
        calls = [subprocess.run([program, command], env=environ, capture_output=True, text=True, timeout=60, check=True)
                 for command in commands]  # fmt: skip
        return "".join(done.stdout for done in calls)

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
