"""`simulator/server.py` as a process of its own on the loopback, for clients that need a real address."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
READY_S = 30.0
ANSWER_S = 5.0
STOP_S = 10.0
PORTS_EACH = 6


@dataclass(frozen=True)
class Simulator:
    """A running simulator with one venue; `accounts`: name -> the fields of its ready line."""

    base_url: str
    ws_url: str
    admin_url: str
    accounts: Mapping[str, Mapping[str, str]]
    venue: str = "bybit"

    def ledger(self, account: str) -> Any:
        return self._admin("GET", "ledger")["venues"][self.venue]["accounts"][account]

    def requests(self) -> Any:
        return self._admin("GET", "ledger")["venues"][self.venue]["requests"]

    def post(self, path: str, **body: object) -> Any:
        return self._admin("POST", path, body)

    def hits(self) -> list[int]:
        """Of every fault that was not deleted."""
        return [fault["hits"] for fault in self._admin("GET", "faults")["faults"]]

    def _admin(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.admin_url}/_sim/{path}", data, {"content-type": "application/json"}, method=method)
        with urlopen(request, timeout=ANSWER_S) as answer:
            return json.load(answer)


@contextmanager
def simulator(
    first_port: int, last_port: int, accounts: int, rtt_ms: int = 0, venue: str = "bybit"
) -> Iterator[Simulator]:
    """One venue with `accounts` accounts on the first free ports of the range. Stopped at the end, whatever happens."""
    # Workers that run in parallel begin at different places of the range.
    turn = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", "0"))) or 0)
    places = list(range(first_port, last_port - PORTS_EACH + 1, PORTS_EACH))
    for number in range(len(places)):
        process = start(places[(turn + number) % len(places)], accounts, rtt_ms, venue)
        try:
            line = ready_line(process)
            if line:
                fields = json.loads(line)
                accounts_by_name = {it["name"]: it for it in fields["accounts"]}
                yield Simulator(fields["base_url"], fields["ws_url"], fields["admin_url"], accounts_by_name, venue)
                return
        finally:
            stop(process)
    raise AssertionError(f"every port from {first_port} to {last_port} is taken")


def start(port: int, accounts: int, rtt_ms: int, venue: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "simulator.server", "--seed", "7", "--port-base", str(port), "--quiet"]
    command += ["--venues", venue, "--accounts", f"{venue}={accounts}", "--rtt-ms", str(rtt_ms)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def ready_line(process: subprocess.Popen[bytes]) -> bytes:
    """The line that says the venue can be used; empty if the process ended because a port was taken."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], READY_S)[0]:
        raise AssertionError(f"the simulator said nothing for {READY_S} s")
    line = process.stdout.readline()
    if not line:
        assert process.wait(STOP_S) == 1
    return line


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()
