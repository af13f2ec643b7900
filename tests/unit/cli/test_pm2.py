"""PM2: its list, its environment, its private homes, and the ecosystem file it reads."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cli.errors import UserError
from cli.pm2 import (
    MAX_PM2_HOME_CHARS,
    App,
    Pm2,
    by_name,
    clean_environment,
    make_private,
    pm2_of,
    private_pm2_home,
    read_list,
    surplus,
)
from cli.services import FEED, SERVICES, SIMULATOR, start_missing, stop
from config.home import CHECKOUT, Home


def entry(**env: Any) -> dict[str, Any]:
    shape = {"status": "online", "pm_uptime": 1_700_000_000_000, "pm_exec_path": "/usr/bin/python3", "restart_time": 2}
    return {"name": "trade-engine", "pm_id": 3, "pid": 4711, "pm2_env": shape | env}


def test_list_after_notices() -> None:
    text = f"\n>>>> In-memory PM2 is out-of-date\n[notice] something\n{json.dumps([entry(TRADE_ENGINE_HOME='/h')])}\n"
    assert read_list(text) == (App(3, "trade-engine", Path("/h"), "online", 4711, 2, 1_700_000_000.0, ()),)


def test_list_that_is_none_is_said() -> None:
    with pytest.raises(UserError, match="could not be read"):
        read_list("[PM2] not a list")


@pytest.mark.parametrize(
    ("env", "home"),
    [
        ({"TRADE_ENGINE_HOME": "/h"}, Path("/h")),
        ({"pm_exec_path": str(CHECKOUT / "execute_trades.py")}, CHECKOUT),
        ({"pm_exec_path": "/somebody/elses.py"}, None),
    ],
)
def test_whose_process_it_is(env: dict[str, Any], home: Path | None) -> None:
    assert read_list(json.dumps([entry(**env)]))[0].home == home


@pytest.mark.parametrize(
    ("status", "pid", "runs"),
    [("online", 1, True), ("launching", 1, True), ("stopped", 0, False), ("waiting restart", 0, False)],
)
def test_runs(status: str, pid: int, runs: bool) -> None:
    assert App(0, "x", None, status, pid, 0, 0.0, ()).runs is runs


def test_environment_carries_no_secret() -> None:
    given = {"PATH": "/bin", "TRADE_ENGINE_X": "1", "LC_ALL": "C", "BYBIT_API_SECRET": "canary", "AWS_KEY": "canary"}
    kept = clean_environment(given)
    assert {"TRADE_ENGINE_X", "LC_ALL", "PATH"} == set(kept)
    assert kept["PATH"].endswith("/bin")
    assert "canary" not in kept.values()


def test_daemon_that_is_not_there_is_not_started(tmp_path: Path) -> None:
    pm2 = Pm2(tmp_path)
    assert not pm2.alive()
    assert pm2.apps() == ()
    pm2.kill()
    assert list(tmp_path.iterdir()) == []


def test_daemon_that_died_without_cleaning_up_is_not_alive(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "rpc.sock"))
    assert not Pm2(tmp_path).alive()


@pytest.mark.parametrize("length", [10, 60, 120, 300])
def test_private_home_is_short_enough_and_its_own(tmp_path: Path, length: int) -> None:
    deep = tmp_path / "/".join(["d" * 10] * (length // 10))
    first, second = private_pm2_home(Home(deep / "a")), private_pm2_home(Home(deep / "b"))
    assert len(os.fsencode(first)) <= MAX_PM2_HOME_CHARS
    assert first != second
    assert private_pm2_home(Home(deep / "a")) == first


def test_whose_pm2(tmp_path: Path) -> None:
    live = Home(tmp_path / "live")
    assert pm2_of(live, {"PM2_HOME": "/p"}).root == Path("/p")
    assert pm2_of(live, {}).root == Path.home() / ".pm2"
    demo = Home(tmp_path / "demo")
    demo.root.mkdir()
    (demo.root / "DEMO").touch()
    assert pm2_of(demo, {"PM2_HOME": "/p"}).root == private_pm2_home(demo)


def test_private_folder(tmp_path: Path) -> None:
    make_private(tmp_path / "new" / "pm2")
    assert stat.S_IMODE((tmp_path / "new" / "pm2").stat().st_mode) == 0o700
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose").chmod(0o777)
    make_private(tmp_path / "loose")
    assert stat.S_IMODE((tmp_path / "loose").stat().st_mode) == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with pytest.raises(UserError, match="somebody else"):
        make_private(tmp_path / "link")


def test_a_name_taken_by_another_home_is_not_restarted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    other = App(0, SERVICES[0], Path("/other"), "online", 1, 0, 0.0, ())
    monkeypatch.setattr(Pm2, "apps", lambda self: (other,))
    monkeypatch.setattr(Pm2, "start", lambda *_: pytest.fail("nothing may be started"))
    with pytest.raises(UserError, match="--home /other"):
        start_missing(home, SERVICES)


def test_only_what_is_missing_is_started(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    running = App(0, SERVICES[0], home.root, "online", 1, 0, 0.0, ())
    dead = App(1, SERVICES[1], home.root, "errored", 0, 9, 0.0, ())
    started: list[list[str]] = []
    deleted: list[App] = []
    monkeypatch.setattr(Pm2, "apps", lambda self: (running, dead))
    monkeypatch.setattr(Pm2, "start", lambda self, home, names: started.append(list(names)))
    monkeypatch.setattr(Pm2, "delete", lambda self, apps: deleted.extend(apps))
    assert start_missing(home, SERVICES) == SERVICES[1:]
    assert started == [list(SERVICES[1:])]
    assert deleted == [dead]


def namesakes(home: Home, first: str = "online", second: str = "online") -> tuple[App, App]:
    """An engine from `up`, and one from `pm2 start execute_trades.py` beside it, in PM2's order."""
    return (
        App(3, "trade-engine", home.root, first, 11 * (first == "online"), 0, 100.0, ()),
        App(4, "trade-engine", home.root, second, 12 * (second == "online"), 0, 200.0, ()),
    )


def test_of_namesakes_the_elder_counts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    elder, younger = namesakes(home)
    for apps in ((elder, younger), (younger, elder)):
        monkeypatch.setattr(Pm2, "apps", lambda self, apps=apps: apps)
        assert Pm2(home.root).of(home) == {"trade-engine": elder}
        assert surplus(apps) == [younger]
    dead, alive = namesakes(home, first="stopped")
    assert by_name((alive, dead)) == {"trade-engine": alive}
    assert surplus((alive, dead)) == []


def test_down_stops_namesakes_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list(namesakes(home))
    monkeypatch.setattr(Pm2, "apps", lambda self: tuple(kept))

    def delete(_: Pm2, apps: Iterable[App]) -> None:
        for app in list(apps):
            kept.remove(app)

    monkeypatch.setattr(Pm2, "delete", delete)
    monkeypatch.setattr("cli.services.STOP_DEADLINE_S", 0.0)
    assert stop(home) == ("trade-engine",)
    assert kept == []


@pytest.mark.parametrize(("first", "second"), [("online", "stopped"), ("stopped", "online")])
def test_a_namesake_that_runs_is_not_started_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    apps, deleted = namesakes(home, first, second), list[App]()
    monkeypatch.setattr(Pm2, "apps", lambda self: apps)
    monkeypatch.setattr(Pm2, "start", lambda *_: pytest.fail("one runs"))
    monkeypatch.setattr(Pm2, "delete", lambda self, apps: deleted.extend(apps))
    assert start_missing(home, ["trade-engine"]) == ()
    assert deleted == [app for app in apps if not app.runs]


# --- ecosystem.config.js ----------------------------------------------------------------------------------------------

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no Node on the path")


def ecosystem(home: Path, **environ: str) -> list[dict[str, Any]]:
    program = "process.stdout.write(JSON.stringify(require(process.argv[1]).apps))"
    command = ["node", "-e", program, str(CHECKOUT / "ecosystem.config.js")]
    env = {"PATH": os.environ["PATH"], "TRADE_ENGINE_HOME": str(home), **environ}
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, env=env, capture_output=True, check=True).stdout)
    return found


@needs_node
def test_ecosystem_names_the_services(tmp_path: Path) -> None:
    apps = ecosystem(tmp_path)
    assert {app["name"] for app in apps} == set(SERVICES)
    for app in apps:
        assert app["script"] == str(CHECKOUT / ".venv" / "bin" / "python")
        assert app["interpreter"] == "none"
        assert app["stop_exit_codes"] == [78]
        assert app["kill_timeout"] == 15000
        assert app["vizion"] is False
        assert app["env"]["TRADE_ENGINE_HOME"] == str(tmp_path)


@needs_node
def test_ecosystem_lets_no_secret_into_pm2(tmp_path: Path) -> None:
    for app in ecosystem(tmp_path, BYBIT_SECRET="canary", LC_ALL="C"):
        assert "canary" not in app["env"].values()
        assert "BYBIT_SECRET" in app["filter_env"]
        assert app["env"]["LC_ALL"] == "C"


@needs_node
def test_ecosystem_of_a_demo_has_the_simulator(tmp_path: Path) -> None:
    note = {"seed": 7, "simulator_port": 18001, "accounts": "bybit=1"}
    (tmp_path / "demo.json").write_text(json.dumps(note))
    apps = ecosystem(tmp_path)
    assert [app["name"] for app in apps] == [SIMULATOR, *SERVICES]
    assert apps[0]["args"][1:5] == ["--seed", "7", "--port-base", "18001"]
    assert apps[0]["args"][-1] == str(tmp_path / "state" / "simulator.jsonl")

    (tmp_path / "demo.json").write_text(json.dumps(note | {"feed_port": 18007}))
    apps = ecosystem(tmp_path)
    assert [app["name"] for app in apps] == [SIMULATOR, FEED, *SERVICES]
    assert apps[1]["args"][1:3] == ["--port", "18007"]
