"""One websocket of a venue, kept open: connect, log in, subscribe, notice when it dies, and try again without haste.

Knows no venue and no SDK. What is said on the wire is a `Session`'s business, which does no input or output and is made
anew for each connection; what becomes of what was heard is a `Listener`'s. A connection counts as up only when its
session says so, and as down at its end, whatever ended it: the venue, silence, a frame that cannot be read, a listener
that is too slow. Pauses between connections grow from one second to half a minute, and shrink only after a connection
that lasted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from account_processors.codecs.wire import Malformed
from core.domain import VenueEvent, VenueEventKind
from core.errors import Denied, Lost, TransportError, Unavailable, VenueError
from core.ports import Clock, Entropy, Stream, StreamRequest, Transport
from core.supervisor import isolated

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)

MOST_WAITING = 1000
"""Events nobody took yet, after which the connection is given up; far more than one burst of a busy account."""


@dataclass(frozen=True, slots=True)
class Heard(Generic[T_co]):
    """What a session makes of a frame or of a moment. `send` goes out in order, `items` go to the listener.

    `up`: logged in and subscribed; what comes from here on is complete. `gap`: why something must have been missed, so
    that nothing told so far counts any more ('' where nothing was). `ping_within_s`: from now on the venue wants to be
    pinged at least so often (None: as the habit is).
    """

    items: tuple[T_co, ...] = ()
    send: tuple[str, ...] = ()
    up: bool = False
    gap: str = ""
    ping_within_s: float | None = None


class Session(Protocol[T_co]):
    """The conversation on one connection, sans I/O.

    Raises `Malformed` for a frame that cannot be read and `Unavailable` for a refusal, which both end the connection;
    `Denied` where the login is refused.
    """

    def begin(self) -> Heard[T_co]:
        """The connection is open."""

    def hear(self, text: str) -> Heard[T_co]:
        """A frame came."""

    def tick(self) -> Heard[T_co]:
        """Some time went by, or the client was nudged."""

    def ping(self) -> str:
        """A frame that the venue answers."""


class Listener(Protocol[T_contra]):
    """Who is told. Must not block; `item` may raise `Lost` to give the connection up."""

    def up(self) -> None: ...
    def item(self, item: T_contra) -> None: ...
    def down(self, because: str) -> None:
        """Also for every attempt that did not come as far as being up. '' where an error that is raised says it."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a stream is kept, in seconds; the defaults suit every venue so far."""

    ping_every_s: float = 5.0
    silent_after_s: float = 12.0
    """Without any frame for so long, two unanswered pings included, the connection is dead."""
    ready_within_s: float = 5.0
    send_within_s: float = 5.0
    close_within_s: float = 1.0
    tick_every_s: float = 1.0
    pause_first_s: float = 1.0
    pause_most_s: float = 30.0
    pause_denied_s: float = 60.0
    steady_after_s: float = 60.0
    """A connection that was up for so long makes the failures before it forgotten."""


class Pauses:
    """When the next connection may be tried. `wait` returns then."""

    def __init__(self, clock: Clock, entropy: Entropy, habits: Habits) -> None:
        self._clock = clock
        self._entropy = entropy
        self._habits = habits
        self._failures = 0
        self._until_s = 0.0

    async def wait(self) -> None:
        if (left_s := self._until_s - self._clock.monotonic()) > 0:
            await asyncio.sleep(left_s)

    def ended(self, up_s: float, *, denied: bool) -> None:
        """A connection ended that had been up for `up_s`."""
        habits = self._habits
        self._failures = 1 if up_s >= habits.steady_after_s else self._failures + 1
        pause_s = min(habits.pause_first_s * 2.0 ** min(self._failures - 1, 16), habits.pause_most_s)
        pause_s = max(pause_s, habits.pause_denied_s) if denied else pause_s
        self._until_s = self._clock.monotonic() + pause_s * self._entropy.uniform(0.8, 1.2)


class StreamClient(Generic[T]):
    """Keeps one stream open. `enter` prepares a connection: where to, and the session that will talk on it."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        entropy: Entropy,
        enter: Callable[[], Awaitable[tuple[StreamRequest, Session[T]]]],
        habits: Habits | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._enter = enter
        self._habits = habits or Habits()
        self._pauses = Pauses(clock, entropy, self._habits)
        self._nudged = asyncio.Event()
        self.connections = 0
        """How many came up so far."""

    def nudge(self) -> None:
        """The session has something new to say."""
        self._nudged.set()

    async def run(self, listener: Listener[T]) -> None:
        """Follows the stream until cancelled. Raises `Denied` where the venue refuses the login.

        Called again after that, it waits first, so that repeating it at once does no harm.
        """
        while True:
            await self._pauses.wait()
            try:
                await self._connection(listener)
            except (TransportError, Unavailable, Malformed):
                continue  # the listener was told why

    async def _connection(self, listener: Listener[T]) -> None:
        talk: _Talk[T] | None = None
        denied, why = False, "it was closed"
        try:
            request, session = await self._enter()
            stream = await self._transport.connect(request)
            talk = _Talk(stream, session, listener, self._clock, self._habits, self._nudged)
            try:
                await talk.run()
            finally:
                await _hang_up(stream, self._habits.close_within_s)
        except (TransportError, VenueError, Malformed) as error:
            denied, why = isinstance(error, Denied), str(error)
            raise
        finally:
            up_s = talk.up_s() if talk is not None else None
            self.connections += up_s is not None
            self._pauses.ended(up_s or 0.0, denied=denied)
            listener.down("" if denied else why)


async def _hang_up(stream: Stream, within_s: float) -> None:
    """Closes without waiting long for a peer that may be dead: a cancelled close still ends the connection."""
    try:
        async with asyncio.timeout(within_s):
            await stream.close()
    except (TimeoutError, TransportError):
        return


class _Talk(Generic[T]):
    """One open connection: a task reads it, another one writes to it and watches the time."""

    def __init__(
        self,
        stream: Stream,
        session: Session[T],
        listener: Listener[T],
        clock: Clock,
        habits: Habits,
        nudged: asyncio.Event,
    ) -> None:
        self._stream = stream
        self._session = session
        self._listener = listener
        self._clock = clock
        self._habits = habits
        self._nudged = nudged
        self._opened_s = self._heard_s = clock.monotonic()
        self._up_s: float | None = None
        self._ping_every_s = habits.ping_every_s
        self._early: list[T] = []
        self._outbox: deque[str] = deque()

    def up_s(self) -> float | None:
        """How long it has been up; None if it never was."""
        return None if self._up_s is None else self._clock.monotonic() - self._up_s

    async def run(self) -> None:
        """Until the connection ends; raises why."""
        self._act(self._session.begin())
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        # What was read says more than what was not sent. Neither says anything where the transport itself was given up.
        raise next((end for end in ends if isinstance(end, Exception)), Lost("the connection was given up"))

    async def _read(self) -> None:
        while True:
            text = await self._stream.receive()
            self._heard_s = self._clock.monotonic()
            self._act(self._session.hear(text))

    async def _keep(self) -> None:
        """Sends what there is to send, pings, and notices that the peer is silent or does not let us in."""
        habits = self._habits
        pinged_s = self._opened_s
        while True:
            await self._send()
            now_s = self._clock.monotonic()
            # Compared as sums, like `wake_s`: a difference may round to just below what the sum has reached.
            if now_s >= self._heard_s + habits.silent_after_s:
                raise Lost(f"the venue has been silent for {now_s - self._heard_s:.0f} s")
            if self._up_s is None and now_s >= self._opened_s + habits.ready_within_s:
                raise Lost(f"the venue did not complete login and subscription within {habits.ready_within_s:g} s")
            ping_s = pinged_s + self._ping_every_s
            if now_s >= ping_s:
                pinged_s = now_s
                self._outbox.append(self._session.ping())
                continue
            wake_s = min(ping_s, self._heard_s + habits.silent_after_s, now_s + habits.tick_every_s)
            await self._wait(wake_s - now_s)
            self._act(self._session.tick())

    async def _wait(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self._nudged.wait()
        except TimeoutError:
            return
        self._nudged.clear()

    async def _send(self) -> None:
        while self._outbox:
            try:
                async with asyncio.timeout(self._habits.send_within_s):
                    await self._stream.send(self._outbox.popleft())
            except TimeoutError:
                raise Lost(f"the venue took nothing for {self._habits.send_within_s:g} s") from None

    def _act(self, heard: Heard[T]) -> None:
        if heard.send:
            self._outbox.extend(heard.send)
            self._nudged.set()
        if heard.ping_within_s is not None:
            self._ping_every_s = min(heard.ping_within_s, self._habits.ping_every_s)
        if heard.gap and self._up_s is not None:
            self._listener.down(heard.gap)
            self._listener.up()
        if heard.up and self._up_s is None:
            self._up_s = self._clock.monotonic()
            self._listener.up()
            early, self._early = self._early, []
            for item in early:
                self._listener.item(item)
        if self._up_s is None:
            self._early.extend(heard.items)
            if len(self._early) > MOST_WAITING:
                raise Lost("the venue sends data but does not confirm the subscription")
            return
        for item in heard.items:
            self._listener.item(item)


# --- private streams --------------------------------------------------------------------------------------------------


class _Events:
    """Events between the stream and who iterates over them; bounded."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._waiting: deque[VenueEvent] = deque()
        self._up = False
        self._told = ""
        self._woken = asyncio.Event()

    def up(self) -> None:
        self._up, self._told = True, ""
        self._put(VenueEvent(VenueEventKind.STREAM_UP, self._clock.time()))

    def item(self, item: VenueEvent) -> None:
        if len(self._waiting) >= self._most:
            raise Lost(f"{self._most} events wait and nobody takes them")
        self._put(item)

    def down(self, because: str) -> None:
        """Attempts that fail again for the same reason are told of once."""
        if not self._up and because == self._told:
            return
        if len(self._waiting) >= self._most:
            self._waiting.clear()  # none of them counts after this one
        self._up, self._told = False, because
        self._put(VenueEvent(VenueEventKind.STREAM_DOWN, self._clock.time(), because=because))

    def wake(self) -> None:
        self._woken.set()

    def take(self) -> VenueEvent | None:
        return self._waiting.popleft() if self._waiting else None

    async def wait(self) -> None:
        await self._woken.wait()
        self._woken.clear()

    def _put(self, event: VenueEvent) -> None:
        self._waiting.append(event)
        self._woken.set()


async def private_events(
    client: StreamClient[VenueEvent], clock: Clock, most: int = MOST_WAITING
) -> AsyncIterator[VenueEvent]:
    """The events of a private stream, for ever. Raises `Denied` where the login is refused, and nothing but
    `VenueError`; begun again, it waits before it connects. More than `most` events not taken end the connection."""
    waiting = _Events(clock, most)
    following = asyncio.create_task(isolated(_followed(client, waiting), _fault))
    following.add_done_callback(lambda _: waiting.wake())
    try:
        while True:
            while (event := waiting.take()) is not None:
                yield event
            if following.done():
                raise following.result()
            await waiting.wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _followed(client: StreamClient[VenueEvent], waiting: _Events) -> VenueError:
    try:
        await client.run(waiting)
    except VenueError as error:
        return error
    return Unavailable("the private stream ended; it is opened again")


def _fault(error: Exception) -> VenueError:
    return Unavailable(f"a fault of this program in the private stream: {error!r}. Please report it")
