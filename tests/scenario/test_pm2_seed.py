"""The PM2 lines of the installation guide, word for word, against a simulated venue."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.engine_house import EngineHouse, engine_house, needs_proc, wait_for
from tests.scenario.front_door import needs_pm2
from tests.scenario.pm2_house import SEED_LINE, Pm2House, pm2_house

pytestmark = [pytest.mark.timeout(120), needs_pm2, needs_proc]

CANARY = "canary-5f1c"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[EngineHouse]:
    with engine_house(tmp_path) as one:
        yield one


@pytest.fixture
def pm2(house: EngineHouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pm2House]:
    """A shell with a secret exported, and a home with secrets in credentials.json and .env."""
    root = tmp_path_factory.mktemp("p") / "pm2"
    with pm2_house(root, house.home, BYBIT_SECRET=CANARY) as one:
        yield one


def ids_are_unique(house: EngineHouse) -> bool:
    ids = [order["client_id"] for order in house.orders()]
    return len(ids) == len(set(ids))


def test_start_logs_restart_and_stop(house: EngineHouse, pm2: Pm2House) -> None:
    assert "Done" in pm2(*SEED_LINE)
    house.say("0.5")
    house.reaches("0.5")
    assert "filled" in pm2("logs", "trade-engine", "--nostream")
    assert "filled" in pm2("logs", "--nostream")

    first = pm2.pid()
    pm2("restart", "trade-engine")
    house.say("0.25")
    house.reaches("0.25")
    assert pm2.pid() != first
    pm2("restart", "all")
    house.say("0.75")
    house.reaches("0.75")
    assert pm2.app()["pm2_env"]["restart_time"] == 2

    pm2("stop", "trade-engine")
    assert pm2.app()["pm2_env"]["status"] == "stopped"
    assert not pm2.engines()
    orders = len(house.orders())
    house.say("0.5")
    pm2("stop", "all")
    pm2("restart", "trade-engine")
    house.reaches("0.5")
    assert len(house.orders()) == orders + 1
    assert ids_are_unique(house)


def test_logs_follow(house: EngineHouse, pm2: Pm2House) -> None:
    pm2(*SEED_LINE)
    with pm2.spawn("logs", "trade-engine", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as following:
        assert following.stdout is not None
        house.say("0.5")
        seen = read_until(following.stdout.fileno(), b"CONVERGED")
        following.terminate()
    assert b"trade-en" in seen


def test_monit_draws(house: EngineHouse, pm2: Pm2House) -> None:
    pm2(*SEED_LINE)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    with pm2.spawn("monit", stdin=theirs, stdout=theirs, stderr=theirs) as monit:
        try:
            os.close(theirs)
            assert b"PM2 Dashboard" in read_until(ours, b"trade-engine")
        finally:
            monit.kill()
            os.close(ours)


def read_until(descriptor: int, text: bytes, deadline_s: float = 30.0) -> bytes:
    """What comes until `text` has come."""
    seen, end_s = b"", time.monotonic() + deadline_s
    while text not in seen:
        assert select.select([descriptor], [], [], max(end_s - time.monotonic(), 0))[0], (
            f"{text!r} did not come: {seen!r}"
        )
        part = os.read(descriptor, 65536)
        assert part, f"it ended before {text!r} came: {seen!r}"
        seen += part
    return seen


def test_a_storm_of_restarts_doubles_nothing(house: EngineHouse, pm2: Pm2House) -> None:
    """Each restart is SIGINT, and SIGKILL 1.6 s later: PM2's own patience for an app started this way."""
    pm2(*SEED_LINE)
    size = house.size_of("0.5")
    for depth in ("0.5", "-0.5", "0.25", "0.5", "-0.25", "0.5"):
        house.say(depth)
        pm2("restart", "trade-engine")
    house.reaches("0.5")
    wait_for(lambda: house.shown().get("state") == "CONVERGED", "the position is verified")
    assert house.highest() <= size * 101 / 100
    assert ids_are_unique(house)


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_reaches_what_pm2_shows_or_saves(house: EngineHouse, pm2: Pm2House) -> None:
    """Neither what stands in the home's files nor what the shell has exported."""
    (house.home.root / ".env").write_text(f"FROM_THE_FILE={CANARY}-file\n")
    [secret] = house.secrets()
    pm2(*SEED_LINE)
    house.say("0.5")
    house.reaches("0.5")
    shown = (
        pm2("save", "--force") + pm2("jlist") + pm2("describe", "trade-engine") + pm2("env", str(pm2.app()["pm_id"]))
    )
    shown += pm2("logs", "--nostream", "--lines", "1000")
    saved = "".join(path.read_text(errors="replace") for path in pm2.root.rglob("*") if path.is_file())
    assert "trade-engine" in shown
    assert "trade-engine" in saved
    for text in (CANARY, secret):
        assert text not in shown
        assert text not in saved
    assert CANARY in pm2.environ.values(), "the shell had it all the time"
