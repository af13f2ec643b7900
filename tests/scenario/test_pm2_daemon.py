"""The end of the PM2 daemon by `kill -9`: nothing trades on without it, and what is brought back is there once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.rotation import NAME as ROTATION
from cli.services import SERVICES
from config.home import Home
from tests.scenario.engine_house import EngineHouse, engine_house, needs_proc, wait_for
from tests.scenario.front_door import FrontDoor, needs_pm2
from tests.scenario.pm2_house import SEED_LINE, Pm2House, pm2_house
from tests.scenario.tradingview_house import free_port

pytestmark = [pytest.mark.timeout(120), needs_pm2, needs_proc]

GRACE_S = 15.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[EngineHouse]:
    with engine_house(tmp_path) as one:
        yield one


@pytest.fixture
def pm2(house: EngineHouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pm2House]:
    with pm2_house(tmp_path_factory.mktemp("p") / "pm2", house.home) as one:
        yield one


def ids_are_unique(house: EngineHouse) -> bool:
    ids = [order["client_id"] for order in house.orders()]
    return len(ids) == len(set(ids))


def test_no_orphan_trades_and_a_resurrect_brings_one_engine(house: EngineHouse, pm2: Pm2House) -> None:
    pm2(*SEED_LINE)
    pm2("save", "--force")
    house.say("0.5")
    house.reaches("0.5")
    [engine] = pm2.engines()
    pm2.kill_daemon()
    wait_for(lambda: not pm2.processes(), "the engine went with its daemon", GRACE_S)
    orders = len(house.orders())
    house.say("0.25")
    assert len(house.orders()) == orders

    pm2("resurrect")
    house.reaches("0.25")
    [second] = pm2.engines()
    assert second == pm2.pid() != engine
    assert len(house.orders()) == orders + 1
    assert ids_are_unique(house)


def test_a_resurrect_at_once_finds_the_account_free_or_waits_for_it(house: EngineHouse, pm2: Pm2House) -> None:
    """The new engine comes while the old one still ends: the account's lock parts them."""
    pm2(*SEED_LINE)
    pm2("save", "--force")
    house.say("0.5")
    house.reaches("0.5")
    for depth in ("0.75", "0.25", "0.5"):
        house.say(depth)
        pm2.kill_daemon()
        pm2("resurrect")
        house.reaches(depth)
    wait_for(lambda: pm2.engines() == [pm2.pid()], "there is one engine", GRACE_S)
    assert len(house.orders()) == 4
    assert ids_are_unique(house)


def test_everything_goes_with_the_daemon_and_up_brings_it_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "engine_config.json").write_text(json.dumps({"tradingview_endpoint": {"port": free_port()}}))
    door = FrontDoor(tmp_path, TRADE_ENGINE_HOME=str(home))
    try:
        door.good("up")
        pm2 = Pm2House(door.pm2_home, Home(home))
        pm2.kill_daemon()
        wait_for(lambda: not pm2.processes(), "programs and log rotation went with their daemon", GRACE_S)
        assert door.good("up").count(" started") == len(SERVICES)
        running = pm2.processes().values()
        assert all(sum(script in words for words in running) == 1 for script in SINGLES)
        assert [one["pm2_env"]["status"] for one in pm2.listed() if one["name"] == ROTATION] == ["online"]
    finally:
        door.run("down")
        door.pm2("kill")
        wait_for(lambda: not door.processes(), "every process ended")


SINGLES = ("execute_trades.py", "tradingview_processor.py")
"""What runs as one process each; the endpoint has a worker."""
