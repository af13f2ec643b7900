"""The life of one program of this house: how it says it is ready, how it is told to stop, how it shows it is alive.

PM2 starts a program with a channel (the descriptor in NODE_CHANNEL_FD). Writing `"ready"` to it answers `wait_ready`;
its end means that PM2 has died, and then the program must go too: nobody would stop, restart or count it any more.
Stopping is asked for by SIGINT or SIGTERM, and PM2 kills 15 s later; so everything here is done in less.

    life = Life.begin("trade-engine")
    async with life.stopping() as stop:     # an asyncio program
        ...; life.ready(); await stop.wait()

    life = Life.begin("tradingview-endpoint")
    life.watch(); life.ready_when(healthy)  # a server that handles its signals itself
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

from config.credentials_file import CredentialsFile
from config.home import Home
from core.ports import Clock, FileOps
from core.state.files import sweep_leftovers
from core.state.projections import heartbeat, publish

EXIT_INVALID = 78
"""PM2 does not restart a program that ends with this (`stop_exit_codes`): only a person can mend what is wrong."""
PREFIX = "TRADE_ENGINE_"
"""PM2 puts its own `name`, `status`, `instances` into the environment; ours are told apart by this."""
GRACE_S = 12.0
HEARTBEAT_S = 5.0
READY_POLL_S = 0.05
READY_DEADLINE_S = 25.0
SECOND_SIGNAL_S = 1.0
"""A second Ctrl-C after this ends the program at once. Sooner it is the first one, come twice (terminal and parent)."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PM2_GONE = "PM2 has gone"


def setting(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The environment's `TRADE_ENGINE_<name>`; None where it is unset or empty."""
    return environ.get(PREFIX + name) or None


def whole_setting(name: str, default: int, environ: Mapping[str, str] = os.environ) -> int:
    """The setting as a whole number above 0, or `default` where it is unset. Ends the program where it is neither."""
    found = setting(name, environ)
    if found is None:
        return default
    if not (found.isascii() and found.isdigit() and int(found) > 0):
        invalid(f"{PREFIX}{name} in the environment must be a whole number above 0. Correct or unset it.")
    return int(found)


def invalid(message: str) -> NoReturn:
    """Ends the program for good with `message`: a restart would not mend it."""
    sys.stderr.write(message.rstrip() + "\n")
    sys.stderr.flush()
    raise SystemExit(EXIT_INVALID)


class Channel:
    """PM2's end of the line. Reads what it says only to notice that it has stopped saying anything."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._said_ready = False

    @staticmethod
    def take(environ: MutableMapping[str, str] = os.environ) -> Channel | None:
        """The channel this program was started with; None without PM2. Its children shall not take it for theirs."""
        named = environ.pop("NODE_CHANNEL_FD", "")
        environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
        if not (named.isascii() and named.isdigit()):
            return None
        try:
            os.set_inheritable(int(named), False)
        except OSError:  # no such descriptor: the variable was meant for a process before us
            return None
        return Channel(int(named))

    def ready(self) -> None:
        """Tells PM2 once that the program does its work."""
        with self._lock:
            if self._said_ready:
                return
            self._said_ready = True
            left = b'"ready"\n'
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `wait_closed` notices
                while left:
                    select.select([], [self._descriptor], [])
                    left = left[os.write(self._descriptor, left) :]

    def wait_closed(self) -> None:
        """Blocks until PM2's end is closed."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while True:
            (_, happened) = poll.poll()[0]
            if not happened & select.POLLIN:
                return
            try:
                if not os.read(self._descriptor, 4096):
                    return
            except BlockingIOError:
                continue
            except ConnectionResetError:
                return


def settle_memory() -> None:
    """Takes what was loaded so far out of the garbage collector's sight: it stays, and to look through all of it now
    and then would hold everything up for a tenth of a second."""
    gc.collect()
    gc.freeze()


class Life:
    """From `begin` to the end of the process. `why` is what ended it, '' while nothing has."""

    def __init__(
        self, name: str, channel: Channel | None, *, grace_s: float = GRACE_S, leave: Callable[[int], object] = os._exit
    ) -> None:
        self.name = name
        self.why = ""
        self._channel = channel
        self._grace_s = grace_s
        self._leave = leave
        self._log = logging.getLogger(name)
        self._stopped_at_s: float | None = None

    @staticmethod
    def begin(name: str, environ: MutableMapping[str, str] = os.environ) -> Life:
        """`name` is the program's name in PM2 and of its heartbeat. Call it first, and once."""
        return Life(name, Channel.take(environ))

    # --- ready --------------------------------------------------------------------------------------------------------

    def ready(self) -> None:
        """Answers PM2's `wait_ready`. Without PM2, and a second time, it does nothing but `settle_memory`."""
        settle_memory()
        if self._channel is not None:
            self._channel.ready()

    def ready_when(
        self, healthy: Callable[[], bool], every_s: float = READY_POLL_S, deadline_s: float = READY_DEADLINE_S
    ) -> threading.Thread:
        """Answers as soon as `healthy` (which does not raise) is true, from a thread; never, if not in `deadline_s`."""

        def wait() -> None:
            end_s = time.monotonic() + deadline_s
            while time.monotonic() < end_s:
                if healthy():
                    self.ready()
                    return
                time.sleep(every_s)
            self._log.warning(
                "%s is not healthy %g s after its start; PM2 is not told that it is", self.name, deadline_s
            )

        return _thread("ready", wait)

    # --- stop ---------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def stopping(self) -> AsyncIterator[asyncio.Event]:
        """For asyncio programs: an event that is set when the program should end, by SIGINT, SIGTERM or PM2's end."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            loop.call_soon_threadsafe(event.set)

        with self._signals(stop):
            self.watch(stop)
            yield event

    @contextlib.contextmanager
    def stopping_threads(self) -> Iterator[threading.Event]:
        """The same for a program of threads; to be entered in its main thread."""
        event = threading.Event()
        with self._signals(event.set):
            self.watch(event.set)
            yield event

    @contextlib.contextmanager
    def _signals(self, stop: Callable[[], object]) -> Iterator[None]:
        def handle(number: int, frame: FrameType | None) -> None:
            self._signalled(number, stop)

        before = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            # Once told to stop, the handlers stay: the same signal, coming a second time, must not cut the end short.
            if self._stopped_at_s is None:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def watch(self, stop: Callable[[], object] | None = None) -> None:
        """Calls `stop` when PM2 has gone, and ends the process if it is still there after the grace period.

        By default `stop` is SIGTERM to this process, for servers that handle it. Belongs in a server's main process.
        """
        channel = self._channel
        if channel is None:
            return

        def wait() -> None:
            channel.wait_closed()
            self.why = self.why or PM2_GONE
            self._log.warning(
                "%s: PM2 has gone, so nobody could stop or restart this program. It ends now, in good order. "
                "Start it again with `./run up`.",
                self.name,
            )
            with contextlib.suppress(RuntimeError):  # the loop that would be told is closed: the program is at its end
                (stop or _terminate_ourselves)()
            time.sleep(self._grace_s)
            self._leave(1)

        _thread("pm2-channel", wait)

    def _signalled(self, number: int, stop: Callable[[], object]) -> None:
        now_s = time.monotonic()
        if self._stopped_at_s is None:
            self._stopped_at_s = now_s
            self.why = self.why or signal.Signals(number).name
            stop()
        elif now_s - self._stopped_at_s > SECOND_SIGNAL_S:
            self._leave(128 + number)


def _thread(name: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _terminate_ourselves() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Heartbeat:
    """`state/heartbeat/<process>.json`: that the process lives, the versions of the files it runs on, its problems.

    `credentials`, where the process loaded any: their versions count too, and a change since then is a problem.
    """

    def __init__(
        self,
        home: Home,
        process: str,
        ops: FileOps,
        clock: Clock,
        versions: Callable[[], Mapping[str, str]] = dict,
        problems: Callable[[], Iterable[str]] = tuple,
        credentials: CredentialsFile | None = None,
    ) -> None:
        self._path: Path = home.heartbeats / f"{process}.json"
        self._process = process
        self._ops = ops
        self._clock = clock
        self._versions = versions
        self._problems = problems
        self._credentials = credentials
        self._started_at = clock.time()
        self._troubled = False
        self._log = logging.getLogger(process)

    def beat(self) -> bool:
        """Writes it now; whether that worked. A trouble is logged when it begins and stops nothing."""
        versions, problems = dict(self._versions()), list(self._problems())
        if self._credentials is not None:
            versions |= self._credentials.versions
            problems.append(self._credentials.changed())
        value = heartbeat(self._process, os.getpid(), self._started_at, self._clock.time(), versions, problems)
        trouble = publish(self._ops, self._path, value)
        if trouble is not None and not self._troubled:
            self._log.warning("%s", trouble)
        self._troubled = trouble is not None
        return not self._troubled

    async def run(self, every_s: float = HEARTBEAT_S) -> NoReturn:
        """Beats until cancelled, on a thread, so that a slow disk delays nothing."""
        while True:
            await asyncio.to_thread(self.beat)
            await asyncio.sleep(every_s)

    def start(self, every_s: float = HEARTBEAT_S) -> threading.Event:
        """Beats from a thread, at once and until the returned event is set."""
        stop = threading.Event()

        def beat_on() -> None:
            while True:
                self.beat()
                if stop.wait(every_s):
                    return

        _thread("heartbeat", beat_on)
        return stop


def sweep(home: Home, ops: FileOps, clock: Clock) -> int:
    """Removes what killed writers left in the folders several programs write to; returns how many files."""
    folders: Iterable[Path] = (home.root, home.state, home.statuses, home.heartbeats, home.last_good, home.signals)
    present = [folder for folder in folders if ops.identity(folder) is not None]
    return sum(sweep_leftovers(ops, folder, clock.time()) for folder in present)
