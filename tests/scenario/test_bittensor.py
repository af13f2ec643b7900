"""The Bittensor source as processes: a feed on the loopback, the processor that follows it, and an engine over both."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.programs import Program, free_ports
from config.home import CHECKOUT, Home
from core.domain import Document
from core.state import parse_document, parse_instant
from simulator.feed.faults import SENDING
from simulator.feed.server import API_KEY
from tests.scenario.front_door import FrontDoor, needs_pm2

pytestmark = pytest.mark.timeout(180)
SCRIPT = "signal_processors/bittensor_processor.py"
MAPPING = {"bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"}}


def wait_until(true: Callable[[], object], what: str, deadline_s: float = 30.0) -> None:
    end_s = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < end_s, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.05)


def ask(url: str, body: object = None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as response:
        return json.load(response)


class House:
    """A home with a feed; the processor is started by the test."""

    def __init__(self, folder: Path, feed: Program, port: int) -> None:
        self.folder = folder
        self.feed = feed
        self.url = f"http://127.0.0.1:{port}"
        self.home = Home(folder / "home")
        self.home.prepare()
        self.home.asset_mapping.write_text(json.dumps(MAPPING))
        self.home.bittensor_config.write_text(json.dumps({"metagraph": False}))
        self.connect()

    def connect(self, key: str = API_KEY) -> None:
        section = {"api_key": key, "endpoint": f"{self.url}/miner-positions"}
        self.home.credentials.write_text(json.dumps({"bittensor_sn8": section}))
        self.home.credentials.chmod(0o600)

    def processor(self) -> Program:
        return Program("bittensor-signals", [SCRIPT, "--home", str(self.home.root)], self.folder)

    def said(self) -> str:
        path = self.folder / "bittensor-signals.log"
        return path.read_text() if path.exists() else ""

    def script(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, SCRIPT, "--home", str(self.home.root), *words]
        return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)

    def fault(self, kind: str | None, **more: object) -> None:
        ask(f"{self.url}/_feed/fault", None if kind is None else {"kind": kind, **more}, None if kind else "DELETE")

    def requests(self) -> int:
        return int(ask(f"{self.url}/_feed")["requests"])

    def asked_again(self) -> None:
        """Waits for the next request: whatever came of the one before it is done."""
        asked = self.requests()
        wait_until(lambda: self.requests() > asked, "the next poll")

    def document(self) -> Document:
        return parse_document(self.home.document("bittensor").read_bytes())

    def checked_at(self) -> float:
        found = json.loads(self.home.heartbeat("bittensor").read_text())
        return parse_instant(found["checked_at"])

    def follows(self) -> None:
        """Waits for a heartbeat from now on."""
        now = time.time()
        wait_until(lambda: self.home.heartbeat("bittensor").exists() and self.checked_at() > now, "a heartbeat")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    port = free_ports(1)
    with Program("sn8-feed", ["-m", "simulator.feed.server", "--port", str(port)], tmp_path) as feed:
        yield House(tmp_path, feed, port)


def test_it_follows_the_feed(house: House) -> None:
    with house.processor():
        house.follows()
        first = house.document().signals
        assert set(first) == {"BTCUSD", "ETHUSD"}
        ask(f"{house.url}/_feed/order", {"asset": "BTCUSD", "leverage": 0.1})
        wait_until(lambda: house.document().signals["BTCUSD"].depth > first["BTCUSD"].depth, "the order is seen")
        assert house.document().signals["ETHUSD"].depth == first["ETHUSD"].depth
        house.home.bittensor_config.write_text(json.dumps({"metagraph": False, "leverage_limit_crypto": 1}))
        wait_until(lambda: house.document().signals["ETHUSD"].depth < first["ETHUSD"].depth, "the edit acts")
    assert "Ended (SIG" in house.said()


def test_bad_replies_keep_the_document_and_the_process(house: House) -> None:
    """What only a socket can do, and a few more; every other kind is tried without one."""
    with house.processor() as program:
        house.follows()
        process = psutil.Process(program.pid)
        for kind in (*SENDING, "half", "lost"):
            house.fault(kind, value=503 if kind == "status" else 0.7)
            house.asked_again()
            beat, document = house.checked_at(), house.home.document("bittensor").read_bytes()
            house.asked_again()
            assert (house.checked_at(), house.home.document("bittensor").read_bytes()) == (beat, document), kind
            house.fault(None)
            house.follows()
        assert process.memory_info().rss < 200 * 2**20
        assert "Traceback" not in house.said()
    for words in ("breaks off", "HTTP 503", "no complete answer", "16 MiB", "could not be read", "lost 6 of the 8"):
        assert words in house.said(), words


def test_without_credentials_it_waits_and_says_so(house: House) -> None:
    house.home.credentials.unlink()
    with house.processor():
        wait_until(
            lambda: "credentials.json does not exist" in house.said().replace(":", ""), "it says what is missing"
        )
        assert house.document().signals == {}
        assert not house.home.heartbeat("bittensor").exists()
        house.connect()
        house.follows()
        assert len(house.document().signals) == 2


def test_a_wrong_key_is_said_and_shown_nowhere(house: House) -> None:
    house.connect("canary-key-31")
    done = house.script("--once")
    assert done.returncode == 1
    assert "HTTP 401" in done.stderr
    assert "API key" in done.stderr
    assert "canary-key-31" not in done.stdout + done.stderr


def test_once_as_of_and_explain(house: House) -> None:
    shown = house.script("--explain", "--json")
    assert shown.returncode == 0, shown.stderr
    explained = json.loads(shown.stdout)
    assert not house.home.document("bittensor").exists()
    done = house.script("--once")
    assert done.returncode == 0, done.stderr
    depths = {asset: f"{signal.depth:f}" for asset, signal in house.document().signals.items()}
    assert depths == {asset: one["depth"] for asset, one in explained["assets"].items()}
    assert house.home.heartbeat("bittensor").exists()
    assert "ranked" in house.script("--explain").stdout.lower()

    earlier = time.time() - 2 * 3600
    house.home.heartbeat("bittensor").unlink()
    done = house.script("--once", "--as-of", str(round(earlier * 1000)))
    assert done.returncode == 0, done.stderr
    signals = house.document().signals
    assert all(signal.depth == 0 for signal in signals.values())
    assert {signal.timestamp for signal in signals.values()} == {round(earlier * 1000) / 1000}
    assert not house.home.heartbeat("bittensor").exists()
    for words in (["--as-of", "now", "--once"], ["--as-of", "5"], ["--json"]):
        assert house.script(*words).returncode == 2


def test_two_processors_of_one_home_do_not_undo_each_other(house: House) -> None:
    with house.processor():
        house.follows()
        second = house.script("--once")
        assert second.returncode == 1
        assert "Another bittensor-signals works" in second.stderr


# --- the demo ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[FrontDoor]:
    it = FrontDoor(tmp_path)
    yield it
    with contextlib.suppress(FileNotFoundError):
        if (it.home / "DEMO").exists():
            it.run("--demo", "down")
    wait_until(lambda: not it.processes(), "every process ended")


@needs_pm2
def test_the_demo_holds_both_sources_and_a_silent_one_is_not_closed(demo: FrontDoor, worker_id: str) -> None:
    """An alert and the traders make one position; with the feed stopped an exit closes the alert's share alone."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    demo.good("demo", "--port-base", str(21_820 + 8 * number))
    both = float(demo.held())
    because = demo.said()["because"]
    assert "tradingview 0.01408 + bittensor 0.00" in because
    assert "BTCUSDT" in demo.good("explain", "--demo", "BTCUSDT")

    machine = json.loads(demo.good("--demo", "status", "--json"))
    feed = machine["homes"][0]["processes"]["sn8-feed"]["pid"]
    os.kill(feed, signal.SIGSTOP)
    try:
        wait_until(lambda: "bittensor last said" in demo.said()["because"], "the engine says who is silent", 60.0)
        assert float(demo.held()) == both

        demo.good("alert", "--demo", "BTCUSDT", "flat")
        wait_until(lambda: 0 < float(demo.held()) < both, "the alert's share is closed")
        wait_until(lambda: demo.said()["target"] == demo.said()["actual"] == demo.held(), "the rest is the target")
        said, rest = demo.said(), demo.held()
        assert "bittensor last said" in said["because"]
        assert "its share is held as it was taken" in said["because"]
        assert [order["reduce_only"] for order in demo.books()["orders"] if order["symbol"] == "BTCUSDT"][-1]
    finally:
        os.kill(feed, signal.SIGCONT)
    wait_until(lambda: demo.said()["state"] == "CONVERGED", "it is heard again", 60.0)
    assert demo.held() == rest
