"""The whole house under PM2, through `./run`'s verbs: an alert becomes a position, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from account_processors import REGISTRY
from tests.scenario.front_door import FrontDoor, needs_pm2, wait_until

pytestmark = [pytest.mark.timeout(180), needs_pm2]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[FrontDoor]:
    it = FrontDoor(tmp_path)
    yield it
    if (it.home / "DEMO").exists():
        it.run("--demo", "down")
    wait_until(lambda: not it.processes(), "every process ended")


@pytest.fixture
def port(worker_id: str) -> int:
    """A first port per test process, so that demos side by side do not race for the same ones."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return 18_100 + 400 * number


def test_once(demo: FrontDoor, port: int) -> None:
    done = demo.run("demo", "--once", "--port-base", str(port))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not demo.processes()
    [line] = done.stdout.splitlines()
    found = json.loads(line)
    assert set(found) == {"converged", "home", "reason", "alert_to_fill_ms", "accounts"}
    assert found["converged"] is True
    assert found["reason"] is None
    assert found["home"] == str(demo.home)
    assert found["accounts"].keys() == {f"{venue}-main" for venue in REGISTRY} | {"bybit-second"}
    for name, account in found["accounts"].items():
        symbol = account["symbols"]["BTCUSDT"]
        assert symbol["state"] == "CONVERGED", name
        assert symbol["target"] == symbol["actual"] != "0"
        assert "tradingview" in symbol["because"]
        assert 0 < found["alert_to_fill_ms"] <= account["alert_to_verified_ms"], name


def test_a_life_with_the_verbs(demo: FrontDoor, port: int) -> None:
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


def test_once_beside_a_demo_that_runs(demo: FrontDoor, port: int) -> None:
    demo.good("demo", "--port-base", str(port))
    before = demo.held()
    found = json.loads(demo.good("demo", "--once", "--port-base", str(port)))
    assert found["converged"] is True
    assert found["home"] == str(demo.folder / ".demo-2")
    assert demo.held() == before
