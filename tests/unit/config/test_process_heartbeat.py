"""Heartbeats of programs, and the leftovers of killed writers that are swept at a start."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from config.credentials_file import CredentialsFile
from config.home import Home
from config.process import Heartbeat, sweep
from core.clock import SystemClock
from core.state import RealFileOps, content_hash, ensure_dir, parse_instant
from simulator.disk import Fault, SimulatedFileOps

DEADLINE_S = 20.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def beat_of(home: Home) -> dict[str, object]:
    found: dict[str, object] = json.loads((home.heartbeats / "trade-engine.json").read_text())
    return found


def test_heartbeat_says_who_when_and_on_what(home: Home) -> None:
    versions = {"signal_weight_config.json": "ab12"}
    clock = SystemClock()
    before = clock.time()
    heart = Heartbeat(home, "trade-engine", RealFileOps(), clock, lambda: versions)
    assert heart.beat()
    found = beat_of(home)
    assert (found["process"], found["pid"], found["versions"]) == ("trade-engine", os.getpid(), versions)
    assert before - 0.001 <= parse_instant(str(found["started_at"])) <= parse_instant(str(found["at"])) <= clock.time()
    versions["signal_weight_config.json"] = "cd34"
    assert heart.beat()
    assert beat_of(home)["versions"] == versions


def test_heartbeat_says_what_is_wrong_and_that_credentials_changed(home: Home) -> None:
    home.credentials.write_text("{}")
    file = CredentialsFile(home, {})
    file.load()
    heart = Heartbeat(
        home, "trade-engine", RealFileOps(), SystemClock(), problems=lambda: ["one", ""], credentials=file
    )
    heart.beat()
    assert beat_of(home)["problems"] == ["one"]
    assert beat_of(home)["versions"] == {"credentials.json": content_hash(b"{}")}
    home.dotenv.write_text("NAME=value")
    heart.beat()
    problems = beat_of(home)["problems"]
    assert isinstance(problems, list)
    assert problems[0] == "one"
    assert ".env changed since" in problems[1]
    assert beat_of(home)["versions"] == {"credentials.json": content_hash(b"{}")}, "it still uses what it read"


def test_a_heartbeat_that_cannot_be_written_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ops = SimulatedFileOps()
    ensure_dir(ops, Path("/home"))
    heart = Heartbeat(Home(Path("/home")), "trade-engine", ops, SystemClock())
    ops.fail(Fault(errno.ENOSPC, operation="write", times=3))
    with caplog.at_level(logging.WARNING):
        assert [heart.beat() for _ in range(5)] == [False, False, False, True, True]
    assert len(caplog.records) == 1
    assert "could not be written" in caplog.text


async def test_heartbeat_of_an_asyncio_program(home: Home) -> None:
    beats = await counted(home, lambda heart: asyncio.ensure_future(heart.run(every_s=0.0)))
    assert beats >= 3


async def counted(home: Home, start: Callable[[Heartbeat], asyncio.Future[object]]) -> int:
    """How often the heart beat until the third beat was seen."""
    beats, third = [0], asyncio.Event()
    loop = asyncio.get_running_loop()

    def versions() -> dict[str, str]:
        beats[0] += 1
        if beats[0] == 3:
            loop.call_soon_threadsafe(third.set)
        return {}

    task = start(Heartbeat(home, "trade-engine", RealFileOps(), SystemClock(), versions))
    async with asyncio.timeout(DEADLINE_S):
        await third.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return beats[0]


def test_heartbeat_of_a_program_of_threads(home: Home) -> None:
    third, beats = threading.Event(), [0]

    def versions() -> dict[str, str]:
        beats[0] += 1
        if beats[0] == 3:
            third.set()
        return {}

    stop = Heartbeat(home, "trade-engine", RealFileOps(), SystemClock(), versions).start(every_s=0.0)
    assert third.wait(DEADLINE_S)
    stop.set()
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


# --- what killed writers left -----------------------------------------------------------------------------------------


def test_old_leftovers_are_swept_and_nothing_else(home: Home) -> None:
    home.prepare()
    home.statuses.mkdir()
    old, young = ".engine_config.json.7.1.tmp", ".engine_config.json.7.2.tmp"
    for folder in (home.root, home.statuses):
        for name in (old, young, "engine_config.json"):
            (folder / name).write_text("x")
        os.utime(folder / old, (1000, 1000))
    assert sweep(home, RealFileOps(), SystemClock()) == 2
    assert sorted(path.name for path in home.statuses.iterdir()) == [young, "engine_config.json"]
