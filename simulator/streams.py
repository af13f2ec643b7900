"""Websocket connections, sans-network: a session, what wakes it, what goes wrong with it, and what is still to be sent.

Both transports carry a `Line`. It is bounded: a client that does not take what it is sent loses the connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from core.errors import Lost
from core.ports import Clock
from simulator.exchange import Exchange, ExchangeEvent
from simulator.facades import Greeting, Session
from simulator.faults import Ending, Faults
from simulator.stream_faults import WHOLE, Parcel, packed

MAX_FRAME_CHARS = 65_536
"""A client's frame. The longest a venue takes is a list of 21 000 characters."""
MAX_WAITING_CHARS = 4_000_000
"""Of frames not yet taken; far more than one burst of a busy account."""
FRAME_COST_CHARS = 200
"""What a short frame takes in memory beside its text."""
DUE_WITHIN_S = 1e-6
"""Closer than any clock here can tell."""


class Ended(Exception):
    """The venue's side of a connection ended; `ending` says how the client gets to see that."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.value)
        self.ending = ending


@dataclass(frozen=True, slots=True)
class Due:
    """A frame and the monotonic instant at which it arrives."""

    at_s: float
    text: str


class Line:
    """One open connection. What the session says arrives `delay_s` later, in order, after the faults of its venue."""

    def __init__(self, session: Session, exchange: Exchange, faults: Faults, clock: Clock, delay_s: float) -> None:
        self._session = session
        self._venue = exchange.venue
        self._faults = faults
        self._clock = clock
        self._delay_s = delay_s
        self._waiting: deque[Due] = deque()
        self._waiting_chars = 0
        self._woken = asyncio.Event()
        self._ending: Ending | None = None
        self._silent_until_s = 0.0
        self._in_a_row = WHOLE
        self._rest = 0
        self._stops = [exchange.subscribe(self._hear), faults.subscribe(self._stricken), session.close]
        if isinstance(session, Greeting):
            for frame in session.greet():
                self._put(frame)

    # --- both ways ----------------------------------------------------------------------------------------------------

    def take(self, text: str) -> None:
        """A frame of the client has arrived."""
        if self._ending is not None:
            return
        if len(text) > MAX_FRAME_CHARS:
            self._end(Ending.CLOSE)
            return
        for answer in self._session.receive(text):
            self._put(answer)
        self._pull()
        self._woken.set()

    async def next(self) -> str:
        """The next frame, once it is due. Raises `Ended`."""
        while True:
            self._pull()
            if self._waiting:
                wait_s = self._waiting[0].at_s - self._clock.monotonic()
                if wait_s <= DUE_WITHIN_S:
                    text = self._waiting.popleft().text
                    self._waiting_chars -= len(text) + FRAME_COST_CHARS
                    return text
                await self._sleep(wait_s)
            elif self._ending is not None:
                raise Ended(self._ending)
            else:
                await self._sleep(self._session.wake_in_s)

    def close(self) -> None:
        """The client hung up."""
        while self._stops:
            self._stops.pop()()
        self._end(self._ending or Ending.CLOSE)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _hear(self, event: ExchangeEvent) -> None:
        """The session speaks later: it is being told in the middle of a booking."""
        self._woken.set()

    def _stricken(self) -> None:
        self._pull()
        self._woken.set()

    async def _sleep(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self._woken.wait()
        except TimeoutError:
            pass  # nothing happened, which the session may want to say
        self._woken.clear()

    def _pull(self) -> None:
        """Lets the session say what it has to, and the faults strike."""
        if self._ending is not None:
            return
        strike = self._faults.at_once(self._venue, self._session.account, silent=self._silent())
        if strike is not None:
            self._spoil(packed((strike,)), "")
        for frame in self._session.push():
            if self._ending is None and not self._silent():
                self._message(frame)
        if self._session.over:
            self._ending = self._ending or Ending.CLOSE
        if self._waiting_chars > MAX_WAITING_CHARS:
            self._end(Ending.CLOSE)

    def _message(self, text: str) -> None:
        """One message of a topic, through the faults. A fault with a `value` also takes the messages after it."""
        if self._rest:
            self._rest -= 1
            self._spoil(self._in_a_row, text)
            return
        parcel = packed(self._faults.in_stream(self._venue, self._session.account))
        if parcel.in_a_row > 1:
            self._rest, self._in_a_row = parcel.in_a_row - 1, Parcel(copies=parcel.copies)
        self._spoil(parcel, text)

    def _spoil(self, parcel: Parcel, text: str) -> None:
        if parcel.hang_s is not None:
            self._forget()
            self._silent_until_s = self._clock.monotonic() + parcel.hang_s
            return
        if parcel.ending is not None and not parcel.copies:
            self._end(parcel.ending)
            return
        for _ in range(parcel.copies):
            self._put(parcel.shown(text), parcel.late_s)
        self._ending = self._ending or parcel.ending

    def _silent(self) -> bool:
        return self._clock.monotonic() < self._silent_until_s

    def _put(self, text: str, late_s: float = 0.0) -> None:
        if not self._silent():
            due_s = self._clock.monotonic() + self._delay_s + late_s
            # In order even where a frame is late: nothing overtakes the head of the queue.
            self._waiting.append(Due(due_s, text))
            self._waiting_chars += len(text) + FRAME_COST_CHARS

    def _end(self, ending: Ending) -> None:
        """At once: nothing that waits is sent any more."""
        self._forget()
        self._ending = ending
        self._woken.set()

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_chars = 0


class MemoryStream:
    """`ports.Stream` on a line; what the client sends arrives `delay_s` later."""

    def __init__(self, line: Line, delay_s: float) -> None:
        self._line = line
        self._delay_s = delay_s
        self._closed = False

    async def send(self, text: str) -> None:
        self._open()
        await asyncio.sleep(self._delay_s)
        self._line.take(text)

    async def receive(self) -> str:
        self._open()
        await asyncio.sleep(0)  # a client that reads without pause lets others run
        try:
            return await self._line.next()
        except Ended as ended:
            await self.close()
            raise Lost(f"the venue ended the stream ({ended.ending.value})") from None

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._line.close()

    def _open(self) -> None:
        if self._closed:
            raise Lost("the stream is closed")
