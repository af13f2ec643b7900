"""Programs a bench starts: known to be ready, or said why not; nothing of them is left."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import programs
from bench.programs import LOOPBACK, BenchFailed, Program, finished, free_ports, interruptible

READY = "import os; os.write(int(os.environ['NODE_CHANNEL_FD']), b'\"ready\"\\n'); "
STAYS = "import time; time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
WITH_CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "


def program(folder: Path, code: str) -> Program:
    return Program("it", ["-c", code], folder)


def group(pid: int) -> list[str]:
    """Processes of the group that still run."""
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stats.append(path.read_text().rpartition(")")[2].split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [stat[0] for stat in stats if int(stat[2]) == pid and stat[0] != "Z"]


@pytest.mark.parametrize("code", [STAYS, WITH_CHILD + STAYS], ids=["one", "with a child"])
def test_started_and_stopped(tmp_path: Path, code: str) -> None:
    with program(tmp_path, READY + code) as it:
        pid = it.pid
        assert len(group(pid)) >= 1
        assert it.rss_mb() > 1
        assert it.cpu_s() >= 0
    end_s = time.monotonic() + 10  # a killed child is gone only when the kernel has seen to it
    while group(pid) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert group(pid) == []


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "STOP_S", 0.2)
    with program(tmp_path, DEAF + READY + STAYS) as it:
        pid = it.pid
    assert group(pid) == []


def test_started_again_after_a_kill(tmp_path: Path) -> None:
    with program(tmp_path, READY + STAYS) as it:
        first = it.pid
        it.kill()
        it.start()
        assert it.pid != first
        assert group(first) == []


def test_one_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(BenchFailed, match="no such thing"):
        program(tmp_path, "import sys; sys.exit('there is no such thing')").start()


def test_one_that_is_never_ready_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "READY_S", 0.3)
    it = program(tmp_path, f"import os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); " + STAYS)
    with pytest.raises(BenchFailed, match="not ready"):
        it.start()
    assert group(int((tmp_path / "pid").read_text())) == []


def test_the_home_of_whoever_measures_is_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADE_ENGINE_HOME", "/nowhere")
    code = "import os; assert 'TRADE_ENGINE_HOME' not in os.environ; "
    with program(tmp_path, code + READY + STAYS):
        pass


def test_the_end_of_the_bench_is_the_end_of_the_channel(tmp_path: Path) -> None:
    code = "import os; fd = int(os.environ['NODE_CHANNEL_FD']); " + READY + "os.read(fd, 1)"
    with program(tmp_path, code) as it:
        assert it._channel is not None
        it._channel.close()
        assert it._process is not None
        assert it._process.wait(10) == 0


def test_free_ports_are_free_and_in_a_row() -> None:
    base = free_ports(6)
    for port in range(base, base + 6):
        with socket.socket() as one:
            one.bind((LOOPBACK, port))


def test_a_termination_is_an_interruption() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def failing() -> dict[str, int]:
    raise BenchFailed("nothing works")


def interrupted() -> dict[str, int]:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("run", "status", "out", "err"),
    [
        (lambda: {"n": 1}, 0, '{"n": 1}\n', ""),
        (failing, 1, "", "it: nothing works\n"),
        (interrupted, 130, "", "it: interrupted; everything it had started was stopped\n"),
    ],
)
def test_finished(run: object, status: int, out: str, err: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(run)
    assert finished("it", run, as_line=True) == status
    assert capsys.readouterr() == (out, err)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    assert signal.getsignal(signal.SIGTERM) is before
