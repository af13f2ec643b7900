"""Programs of this house as processes of their own: started, known to be ready, stopped and killed by a bench.

A program gets what PM2 would give it: a channel on which it says that it is ready, and whose end tells it to go. So
nothing a bench started outlives it, however the bench ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from config.home import CHECKOUT

READY_S = 30.0
STOP_S = 15.0
LOG_TAIL_LINES = 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOOPBACK = "127.0.0.1"
PORT_TRIES = 100


class BenchFailed(Exception):
    """The measurement cannot be made; the text says what happened and what would help."""


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Makes SIGTERM what Ctrl-C is: an exception, so that everything started is stopped on the way out."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def finished(name: str, run: Callable[[], Mapping[str, Any]], as_line: bool) -> int:
    """Runs a bench and prints its figures, on one line or for people; the exit code. Everything started is stopped."""
    try:
        with interruptible():
            found = run()
    except BenchFailed as error:
        progress(f"{name}: {error}")
        return 1
    except KeyboardInterrupt:
        progress(f"{name}: interrupted; everything it had started was stopped")
        return 130
    print(json.dumps(found, indent=None if as_line else 2))
    return 0


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row, wherever the system finds room."""
    for _ in range(PORT_TRIES):
        with contextlib.ExitStack() as taken, contextlib.suppress(OSError, OverflowError):
            base = 0
            for number in range(count):
                probe = taken.enter_context(socket.socket())
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((LOOPBACK, base + number if base else 0))
                base = base or probe.getsockname()[1]
            return base
    raise BenchFailed(f"there are no {count} free ports in a row; close something that listens on many")


class Program:
    """One process group. Use as a context manager, or call `stop`; its output goes to `<folder>/<name>.log`."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, **environ: str) -> None:
        """`environ`: what its environment holds besides ours."""
        self.name = name
        self._environ = environ
        self._command = [sys.executable, *command]
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def __enter__(self) -> Program:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    def start(self) -> None:
        """Returns once the program says that it is ready. Raises BenchFailed with the end of its log."""
        self.launch()
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)  # whatever ends the waiting, Ctrl-C included
            self.wait_ready()
            undo.pop_all()

    def launch(self) -> None:
        """Starts it and returns at once; `wait_ready` waits."""
        ours, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADE_ENGINE_")}
        environment |= {"NODE_CHANNEL_FD": str(theirs.fileno()), "PYTHONUNBUFFERED": "1"} | self._environ
        self._channel = ours
        with theirs, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Returns once it says that it is ready; what it said before counts. Raises BenchFailed."""
        channel = self._channel
        assert channel is not None, f"{self.name} was not started"
        end_s, heard = time.monotonic() + READY_S, b""
        while b'"ready"' not in heard:
            left_s = end_s - time.monotonic()
            readable = select.select([channel], [], [], max(left_s, 0.0))[0]
            if not readable:
                raise BenchFailed(f"{self.name} was not ready after {READY_S:g} s. {self._tail()}")
            part = channel.recv(4096)
            if not part:
                raise BenchFailed(f"{self.name} ended before it was ready. {self._tail()}")
            heard += part

    def _tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "Its last words:\n" + "\n".join(f"    {line}" for line in lines)

    def stop(self) -> None:
        """Ends it in good order, or by force after `STOP_S`. Whatever is left of its group is killed."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
        self.kill()

    def kill(self, *, whole: bool = True) -> None:
        """SIGKILL to the whole group, workers included, or to the main process alone; returns once that is gone."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if whole else os.kill)(process.pid, signal.SIGKILL)
        process.wait(STOP_S)
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None

    def cpu_s(self) -> float:
        """Processor time its group has used so far, user and system."""
        return sum(int(field) for stat in self._stats() for field in stat[11:13]) / TICKS_PER_S

    def rss_mb(self) -> float:
        """Resident memory of its group, MiB (pages that its processes share count for each)."""
        return sum(int(stat[21]) for stat in self._stats()) * os.sysconf("SC_PAGESIZE") / 2**20

    def _stats(self) -> list[list[str]]:
        """`/proc/<pid>/stat` of every process of the group, from the third field on (the second may hold blanks)."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                stat = path.read_text().rpartition(")")[2].split()
                if int(stat[2]) == self.pid:
                    found.append(stat)
        return found
