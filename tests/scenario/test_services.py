"""`up`, `restart` and `down` on live homes, under a PM2 like the user's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.services import SERVICES
from tests.scenario.front_door import FrontDoor, needs_pm2, wait_until

pytestmark = [pytest.mark.timeout(180), needs_pm2]


@pytest.fixture
def door(tmp_path: Path, worker_id: str) -> Iterator[FrontDoor]:
    """A front door onto an empty live home, with a canary among the environment's secrets."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    home = tmp_path / "a home"
    home.mkdir()
    (home / "engine_config.json").write_text(json.dumps({"tradingview_endpoint": {"port": 18_090 + number}}))
    it = FrontDoor(tmp_path, TRADE_ENGINE_HOME=str(home), BYBIT_SECRET="canary-7c1")
    yield it
    it.run("down")
    it.pm2("kill")
    wait_until(lambda: not it.processes(), "every process ended")


def test_up_on_an_empty_home(door: FrontDoor) -> None:
    """No credentials, no mappings, no weights: everything runs and says what is missing."""
    said = door.good("up")
    assert said.count(" started") == len(SERVICES)
    assert all(line.startswith("LIVE ") for line in said.splitlines())
    status = door.good("status")
    assert "asset_mapping_config.json: does not exist" in status
    assert status.count("running") == len(SERVICES)

    before = json.loads(door.good("status", "--json"))["homes"][0]["processes"]
    assert door.good("up").count("already running") == len(SERVICES)
    after = json.loads(door.good("status", "--json"))["homes"][0]["processes"]
    assert [facts["pid"] for facts in after.values()] == [facts["pid"] for facts in before.values()]
    assert all(facts["restarts"] == 0 for facts in after.values())

    assert "/webhook/" in door.good("webhook-url")
    assert "canary-7c1" not in door.pm2("jlist", "save") + (door.pm2_home / "dump.pm2").read_text()

    assert "restarted" in door.good("restart", "tradingview-signals")
    assert door.good("down").count(" stopped") == len(SERVICES)
    assert "nothing runs" in door.good("down")


def test_a_second_home_does_not_take_over_the_first(door: FrontDoor) -> None:
    door.good("up")
    second = door.folder / "second"
    second.mkdir()
    refused = door.run("up", "--home", str(second))
    assert refused.returncode == 1
    assert "a name stands for one process" in refused.stderr
    processes = json.loads(door.good("status", "--json"))["homes"][0]["processes"]
    assert all(facts["running"] and facts["restarts"] == 0 for facts in processes.values())
    assert "nothing runs" in door.good("down", "--home", str(second))
    assert door.good("status").count("running ") == len(SERVICES)
