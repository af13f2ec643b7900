"""`status` and `logs`: what they show, and the label on every line."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from cli import main as front
from cli.pm2 import App, Pm2
from cli.status import Tail, account_lines, ago, process_words
from config.home import Home
from core.state import content_hash, format_instant
from tests.unit.cli.files import write_configuration, write_credentials, write_status

Run = pytest.CaptureFixture[str]
NOW = 1_763_629_964.0


def test_status_of_an_empty_home(home: Home, capsys: Run) -> None:
    assert front.main(["status"]) == 0
    said = capsys.readouterr().out
    assert all(line.startswith("LIVE") for line in said.splitlines())
    assert "trade-engine          not running" in said
    assert "asset_mapping_config.json" in said


def test_status_shows_accounts_symbols_and_the_halt(home: Home, capsys: Run) -> None:
    write_credentials(home, "main")
    write_configuration(home)
    home.halt.write_text("FLATTEN")
    symbol = {"state": "CONVERGED", "target": "0.006", "actual": "0.006", "depth": "0.01", "leverage": "3"}
    write_status(
        home,
        "bybit-main",
        at=format_instant(NOW),
        cycle=3,
        state="ok",
        equity="10000",
        symbols={"BTCUSDT": symbol | {"generation": 2, "because": "position equals target"}},
    )
    assert front.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "HALTED: FLATTEN" in said
    assert "bybit-main: ok, equity 10000, cycle 3" in said
    assert "BTCUSDT: CONVERGED, target 0.006, actual 0.006, depth 0.01, leverage 3, generation 2" in said
    assert "position equals target" in said


def test_status_shows_a_program_that_runs_twice(home: Home, capsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    apps = tuple(App(n, "trade-engine", home.root, "online", 10 + n, 0, time.time() - 60 / n, ()) for n in (1, 2))
    monkeypatch.setattr(Pm2, "apps", lambda self: apps)
    assert front.main(["status"]) == 0
    said = capsys.readouterr().out
    assert "pid 11" in said
    assert "runs a second time" in said
    assert "pm2 delete 2" in said


def test_status_as_json(home: Home, capsys: Run) -> None:
    write_status(home, "bybit-main", state="ok")
    assert front.main(["status", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["homes"]
    assert found["home"] == str(home.root)
    assert found["label"] == "LIVE"
    assert found["halt"] == "NONE"
    assert found["accounts"]["bybit-main"]["state"] == "ok"
    assert found["processes"]["trade-engine"]["running"] is False


def test_status_lists_every_running_home(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run) -> None:
    demo = Home(home.root.parent / "demo")
    demo.prepare()
    (demo.root / "DEMO").touch()
    monkeypatch.delenv("TRADE_ENGINE_HOME")
    monkeypatch.setattr("cli.status.running_homes", lambda: (home, demo))
    front.main(["status"])
    said = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in said} == {"LIVE", "DEMO"}


@pytest.mark.parametrize("file", ["state/status/bybit-main.json", "state/heartbeat/trade-engine.json"])
def test_a_broken_projection_is_said(home: Home, capsys: Run, file: str) -> None:
    path = home.root / file
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"schema": 1, ')
    assert front.main(["status"]) == 1
    assert path.name in capsys.readouterr().err


def test_an_engine_in_a_terminal_is_seen(home: Home, capsys: Run) -> None:
    home.heartbeats.mkdir()
    beat = {"at": format_instant(time.time()), "pid": os.getpid()}
    (home.heartbeats / "trade-engine.json").write_text(json.dumps(beat))
    front.main(["status"])
    assert f"running in a terminal, pid {os.getpid()}" in capsys.readouterr().out


def beat(home: Home, process: str, **more: object) -> None:
    home.heartbeats.mkdir(exist_ok=True)
    said = {"at": format_instant(time.time()), "pid": os.getpid()} | more
    (home.heartbeats / f"{process}.json").write_text(json.dumps(said))


def test_what_each_process_runs_on_is_shown(home: Home, capsys: Run) -> None:
    write_credentials(home, "main")
    write_configuration(home)
    taken = content_hash(home.signal_weights.read_bytes())
    files = {home.signal_weights.name: taken, home.engine_config.name: "0123456789", "engine_config.toml": "ab"}
    beat(home, "trade-engine", versions=files, problems=["credentials.json changed since this process started"])
    assert front.main(["status"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "trade-engine" in line]
    [runs_on] = [line for line in lines if "runs on" in line]
    assert f"signal_weight_config.json {taken[:8]}" in runs_on
    assert runs_on.count("NOT as on disk") == 2
    assert (
        f"engine_config.json 01234567 (NOT as on disk: {content_hash(home.engine_config.read_bytes())[:8]})" in runs_on
    )
    assert "engine_config.toml ab (NOT as on disk: gone)" in runs_on
    assert any("changed since this process started" in line for line in lines)
    front.main(["status", "--json"])
    engine = json.loads(capsys.readouterr().out)["homes"][0]["processes"]["trade-engine"]
    assert engine["versions"][home.signal_weights.name] == {"runs_on": taken, "on_disk": taken}
    assert engine["problems"] == ["credentials.json changed since this process started"]


def test_a_dead_process_runs_on_nothing(home: Home, capsys: Run) -> None:
    old = {"at": format_instant(NOW), "versions": {"engine_config.json": "ab"}, "problems": ["a bygone one"]}
    beat(home, "trade-engine", **old)
    front.main(["status"])
    said = capsys.readouterr().out
    assert "runs on" not in said
    assert "bygone" not in said


def test_what_is_wrong_with_the_sources_is_shown(home: Home, capsys: Run) -> None:
    write_credentials(home, "main")
    write_configuration(home)
    home.document("tradingview").write_text("{")
    home.last_good.mkdir(parents=True)
    (home.last_good / "heard.json").write_text("{")
    front.main(["status"])
    said = capsys.readouterr().out
    assert "signals/tradingview.json" in said
    assert "heard.json" in said


@pytest.mark.parametrize("missing", [["target", "depth", "leverage"], ["generation"]])
def test_what_is_not_known_is_a_dash(missing: list[str]) -> None:
    symbol = {"state": "NO_SIGNAL", "target": "1", "actual": "0", "depth": "1", "leverage": "2", "generation": 0}
    facts = {"symbols": {"BTCUSDT": symbol | dict.fromkeys(missing)}}
    *_, line = account_lines("bybit-main", facts, NOW)
    assert all(f"{name} -" in line for name in missing)
    assert "None" not in line


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"running": False, "pm2": None}, "not running"),
        ({"running": False, "pm2": "errored"}, "not running (PM2 says errored)"),
        ({"pid": 5, "started_at": NOW - 30, "restarts": 0, "heartbeat_at": NOW}, "running 30 s, pid 5"),
        ({"pid": 5, "started_at": NOW - 600, "restarts": 2, "heartbeat_at": NOW}, "10 min, pid 5, restarted 2 times"),
        ({"pid": 5, "started_at": NOW - 600, "restarts": 0, "heartbeat_at": NOW - 300}, "SILENT for 5 min"),
    ],
)
def test_process_words(facts: dict[str, object], words: str) -> None:
    assert words in process_words({"running": True, "under_pm2": True} | facts, NOW)


def test_account_without_a_readable_instant() -> None:
    [line] = account_lines("bybit-main", {"state": "HELD", "at": "yesterday", "because": "no equity"}, NOW)
    assert line == "bybit-main: HELD, equity -, cycle -: no equity"


@pytest.mark.parametrize(
    ("age", "words"), [(-1, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_ago(age: float, words: str) -> None:
    assert ago(age) == words


# --- logs -------------------------------------------------------------------------------------------------------------


def test_tail_follows_lines_rotation_and_disappearance(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_text("one\ntwo\nthree\n")
    tail = Tail("x", path)
    assert tail.start(2) == ["two", "three"]
    assert tail.more() == []
    with path.open("a") as file:
        file.write("four\nfi")
    assert tail.more() == ["four"]
    with path.open("a") as file:
        file.write("ve\n")
    assert tail.more() == ["five"]
    path.write_text("new\n")
    assert tail.more() == ["new"]
    path.unlink()
    assert tail.more() == []


@pytest.mark.parametrize(
    ("words", "shown"), [([], ["a", "b"]), (["trade-engine"], ["a"]), (["--lines", "1"], ["a", "b"])]
)
def test_logs(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: Run, words: list[str], shown: list[str]) -> None:
    apps = []
    for number, (name, text) in enumerate([("trade-engine", "a"), ("tradingview-signals", "b")]):
        path = home.root / f"{name}.log"
        path.write_text(f"old\n{text}\n")
        apps.append(App(number, name, home.root, "online", 1, 0, 0.0, (path, path)))
    monkeypatch.setattr(Pm2, "apps", lambda self: tuple(apps))
    assert front.main(["logs", "--no-follow", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("LIVE ") for line in lines)
    assert [line[-1] for line in lines if not line.endswith("old")] == shown
    assert ("old" in lines[0]) is ("--lines" not in words)


def test_logs_of_nothing(home: Home, capsys: Run) -> None:
    assert front.main(["logs"]) == 1
    assert "./run status" in capsys.readouterr().err
