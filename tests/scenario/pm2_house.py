"""PM2 as a user has it: the `pm2` command of the virtual environment, with a PM2_HOME of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from config.home import CHECKOUT, Home
from tests.scenario.engine_house import wait_for

BIN = CHECKOUT / ".venv" / "bin"
SEED_LINE = ("start", "execute_trades.py", "--name", "trade-engine", "--interpreter", "python3")
COMMAND_S = 60.0


class Pm2House:
    """An activated virtual environment in the checkout, with `home` as the engine's home. `environ` is added to it."""

    def __init__(self, root: Path, home: Home, **environ: str) -> None:
        self.root = root
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRADE_ENGINE_", "PM2_"))}
        self.environ = kept | {
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PM2_HOME": str(root),
            "TRADE_ENGINE_HOME": str(home.root),
        }
        self.environ |= environ

    def __call__(self, *words: str) -> str:
        """What `pm2 WORDS` prints. Fails when it fails."""
        done = subprocess.run(
            ["pm2", *words],
            cwd=CHECKOUT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def spawn(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["pm2", *words], cwd=CHECKOUT, env=self.environ, **more)

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self("jlist").splitlines()[-1])
        return found

    def app(self, name: str = "trade-engine") -> dict[str, Any]:
        [found] = [one for one in self.listed() if one["name"] == name]
        return found

    def pid(self, name: str = "trade-engine") -> int:
        return int(self.app(name)["pid"])

    def kill_daemon(self) -> None:
        """`kill -9` of the daemon itself."""
        os.kill(int((self.root / "pm2.pid").read_text()), signal.SIGKILL)

    def processes(self) -> dict[int, str]:
        """Everything alive that was started for this PM2_HOME: process id -> command line."""
        found = {}
        for process in psutil.process_iter(["cmdline", "environ", "status"]):
            words = " ".join(process.info["cmdline"] or [])
            named = str(self.root) in " ".join([words, *(process.info["environ"] or {}).values()])
            if named and process.info["status"] != psutil.STATUS_ZOMBIE:
                found[process.pid] = words
        return found

    def engines(self) -> list[int]:
        return [pid for pid, words in self.processes().items() if "execute_trades.py" in words and "pm2" not in words]


@contextmanager
def pm2_house(root: Path, home: Home, **environ: str) -> Iterator[Pm2House]:
    """Whatever it started is ended on the way out."""
    house = Pm2House(root, home, **environ)
    try:
        yield house
    finally:
        house.spawn("kill", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait(COMMAND_S)
        wait_for(lambda: not house.processes(), "everything under this PM2 ended")
