"""The life of a program, with real processes: readiness, signals, the end of PM2, heartbeats."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.process import EXIT_INVALID, Channel, Life, invalid, setting, whole_setting

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 20.0

ASYNC = """
import asyncio
async def main():
    life = Life.begin("program")
    async with life.stopping() as stop:
        life.ready(); life.ready()
        say("up", os.environ.get("NODE_CHANNEL_FD"))
        await stop.wait()
    say(life.why)
asyncio.run(main())
"""
THREADS = """
life = Life.begin("program")
with life.stopping_threads() as stop:
    life.ready(); life.ready()
    say("up", os.environ.get("NODE_CHANNEL_FD"))
    stop.wait()
say(life.why)
"""
PROGRAMS = pytest.mark.parametrize("program", [ASYNC, THREADS], ids=["asyncio", "threads"])


@dataclass
class Running:
    process: subprocess.Popen[str]
    pm2: socket.socket

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> int:
        return self.process.wait(DEADLINE_S)

    def said(self) -> bytes:
        """Everything the program wrote to its channel, once it is over."""
        parts = []
        while part := self.pm2.recv(4096):
            parts.append(part)
        return b"".join(parts)


@contextmanager
def running(code: str, descriptor: str | None = None) -> Iterator[Running]:
    """A program as PM2 starts one: with our end of a socket pair as PM2's. `descriptor` overrides what it is told."""
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    told = {"NODE_CHANNEL_FD": str(theirs.fileno()) if descriptor is None else descriptor}
    head = """
    import os, sys
    from config.process import *
    def say(*words): print(*words, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + code],
        cwd=ROOT,
        env={**os.environ, **told},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    theirs.close()
    try:
        yield Running(process, ours)
    finally:
        process.kill()
        process.communicate()
        ours.close()


# --- ready ------------------------------------------------------------------------------------------------------------


@PROGRAMS
def test_says_ready_once_and_keeps_the_channel_to_itself(program: str) -> None:
    with running(program) as it:
        assert it.line() == "up None"
        assert it.pm2.recv(100) == b'"ready"\n'
        it.process.send_signal(signal.SIGINT)
        assert it.end() == 0
        assert it.said() == b""


def test_children_do_not_get_the_channel() -> None:
    code = """
import subprocess
life = Life.begin("program")
life.ready()
subprocess.Popen(["sleep", "30"], close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
say(subprocess.run(["sh", "-c", "echo ${NODE_CHANNEL_FD:-none}"], capture_output=True, text=True).stdout.strip())
"""
    with running(code) as it:
        assert it.line() == "none"
        assert it.end() == 0
        assert it.said() == b'"ready"\n'  # and then the end, though a child still runs


@pytest.mark.parametrize("told", ["", "x", "-1", "9999", "３"])
def test_without_a_channel_everything_else_works(told: str) -> None:
    with running(ASYNC, descriptor=told) as it:
        assert it.line() == "up None"
        it.process.send_signal(signal.SIGTERM)
        assert it.line() == "SIGTERM"
        assert it.end() == 0


def test_a_one_way_pipe_will_do() -> None:
    reads, writes = os.pipe()
    channel = Channel.take({"NODE_CHANNEL_FD": str(writes)})
    assert channel is not None
    channel.ready()
    assert os.read(reads, 100) == b'"ready"\n'
    watcher = threading.Thread(target=channel.wait_closed, daemon=True)
    watcher.start()
    assert watcher.is_alive()
    os.close(reads)
    watcher.join(DEADLINE_S)
    assert not watcher.is_alive()
    os.close(writes)


def test_ready_after_pm2_has_gone_is_no_error() -> None:
    ours, theirs = socket.socketpair()
    channel = Channel.take({"NODE_CHANNEL_FD": str(theirs.fileno())})
    assert channel is not None
    ours.close()
    channel.ready()
    channel.wait_closed()
    theirs.close()


def test_ready_when_healthy() -> None:
    answers = iter([False, False, True])
    ours, theirs = socket.socketpair()
    life = Life("program", Channel.take({"NODE_CHANNEL_FD": str(theirs.fileno())}))
    life.ready_when(lambda: next(answers), every_s=0.0).join(DEADLINE_S)
    assert ours.recv(100) == b'"ready"\n'
    ours.close()
    theirs.close()


def test_never_healthy_is_never_ready(caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = socket.socketpair()
    life = Life("program", Channel.take({"NODE_CHANNEL_FD": str(theirs.fileno())}))
    life.ready_when(lambda: False, every_s=0.0, deadline_s=0.01).join(DEADLINE_S)
    theirs.close()
    assert ours.recv(100) == b""
    assert "not healthy" in caplog.text
    ours.close()


# --- stop -------------------------------------------------------------------------------------------------------------


@PROGRAMS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_good_order(program: str, number: signal.Signals) -> None:
    with running(program) as it:
        assert it.line() == "up None"
        it.process.send_signal(number)
        assert it.line() == number.name
        assert it.end() == 0


@PROGRAMS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_same_signal_twice_does_not_cut_the_end_short(program: str, number: signal.Signals) -> None:
    with running(program + "say('still here', sys.stdin.readline().strip()); say('over')") as it:
        assert it.line() == "up None"
        it.process.send_signal(number)
        it.process.send_signal(number)
        assert it.line() == number.name
        it.process.send_signal(number)
        assert it.process.stdin is not None
        print("so am I", file=it.process.stdin, flush=True)
        assert it.line() == "still here so am I"
        assert it.line() == "over"
        assert it.end() == 0


@PROGRAMS
def test_stops_when_pm2_has_gone(program: str) -> None:
    with running(program) as it:
        assert it.line() == "up None"
        it.pm2.sendall(b'{"type":"axm:monitor"}\n"anything"\n')  # what PM2 says is no reason to stop
        it.pm2.recv(100)
        it.pm2.close()
        assert it.line() == "PM2 has gone"
        assert it.end() == 0
        _, errors = it.process.communicate()
        assert "PM2 has gone" in errors
        assert "./run up" in errors


def test_a_program_that_does_not_stop_is_ended() -> None:
    code = """
import time
life = Life("program", Channel.take(), grace_s=0.2)
life.watch(lambda: None)
say("up")
time.sleep(60)
"""
    with running(code) as it:
        assert it.line() == "up"
        it.pm2.close()
        assert it.end() == 1


def test_a_server_that_handles_its_signals_gets_one() -> None:
    code = """
import signal, sys, threading
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *args: over.set())
life = Life.begin("program")
life.watch()
say("up")
over.wait()
say("closed")
"""
    with running(code) as it:
        assert it.line() == "up"
        it.pm2.close()
        assert it.line() == "closed"
        assert it.end() == 0


def test_a_blocked_event_loop_is_ended_all_the_same() -> None:
    code = """
import asyncio, time
async def main():
    life = Life("program", Channel.take(), grace_s=0.2)
    async with life.stopping():
        say("up")
        time.sleep(60)
asyncio.run(main())
"""
    with running(code) as it:
        assert it.line() == "up"
        it.pm2.close()
        assert it.end() == 1


def test_a_second_signal_later_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    left: list[int] = []
    monkeypatch.setattr("config.process.time.monotonic", lambda: now_s[0])
    life = Life("program", None, leave=left.append)
    stops: list[str] = []
    for at_s in (100.0, 100.5, 102.0):
        now_s[0] = at_s
        life._signalled(signal.SIGINT, lambda: stops.append("stop"))
    assert stops == ["stop"]
    assert left == [130]
    assert life.why == "SIGINT"


async def test_signal_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with Life("program", None).stopping():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_signal_handlers_of_threads_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Life("program", None).stopping_threads():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- what a program is told -------------------------------------------------------------------------------------------


def test_settings_have_a_prefix_that_pm2_does_not_use() -> None:
    environ = {"name": "pm2", "PORT": "1", "TRADE_ENGINE_PORT": "8000", "TRADE_ENGINE_HOST": ""}
    assert setting("PORT", environ) == "8000"
    assert setting("HOST", environ) is None
    assert setting("name", environ) is None


def test_a_whole_setting_is_a_number_or_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert whole_setting("BYTES", 7, {}) == 7
    assert whole_setting("BYTES", 7, {"TRADE_ENGINE_BYTES": "12"}) == 12
    for wrong in ("0", "-1", "1.5", "many", "²"):
        with pytest.raises(SystemExit) as ended:
            whole_setting("BYTES", 7, {"TRADE_ENGINE_BYTES": wrong})
        assert ended.value.code == EXIT_INVALID
        assert "TRADE_ENGINE_BYTES" in capsys.readouterr().err


def test_invalid_ends_for_good(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        invalid("engine_config.json: port: must be a number")
    assert caught.value.code == EXIT_INVALID == 78
    assert capsys.readouterr().err == "engine_config.json: port: must be a number\n"


def test_ecosystem_knows_the_exit_code_and_the_grace_is_shorter_than_its() -> None:
    text = (ROOT / "ecosystem.config.js").read_text()
    assert f"stop_exit_codes: [{EXIT_INVALID}]" in text
    assert "kill_timeout: 15000" in text
    assert Life("program", None)._grace_s < 15
