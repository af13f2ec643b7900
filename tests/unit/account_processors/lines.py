"""A venue of websockets, as a test plays it: what it does when somebody connects, and what it answers."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from account_processors.codecs.wire import Malformed
from account_processors.stream import Heard
from core.clock import VirtualClock
from core.errors import Denied, Lost, TransportError, Unavailable
from core.ports import Request, Response, Stream, StreamRequest


class Chance:
    """Jitter without chance: always the middle."""

    def bytes(self, n: int) -> bytes:
        return bytes(n)

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


class Line:
    """One connection. `sent` is what the client said, with its instant; `say` and `end` are the venue's."""

    def __init__(self, venue: Venue) -> None:
        self.sent: list[tuple[float, str]] = []
        self.closed = False
        self._venue = venue
        self._coming: deque[str | BaseException] = deque()
        self._woken = asyncio.Event()

    def say(self, *frames: str) -> None:
        self._coming.extend(frames)
        self._woken.set()

    def end(self, error: BaseException | None = None) -> None:
        self._coming.append(error or Lost("the venue ended the stream"))
        self._woken.set()

    async def send(self, text: str) -> None:
        await asyncio.sleep(self._venue.send_takes_s)
        if self.closed:
            raise Lost("the stream is closed")
        self.sent.append((self._venue.clock.monotonic(), text))
        self._venue.heard(self, text)

    async def receive(self) -> str:
        while not self._coming:
            self._woken.clear()
            await self._woken.wait()
        frame = self._coming.popleft()
        if isinstance(frame, BaseException):
            raise frame
        return frame

    async def close(self) -> None:
        self.closed = True
        await asyncio.sleep(self._venue.close_takes_s)

    def texts(self) -> list[str]:
        return [text for _, text in self.sent]


@dataclass
class Venue:
    """A transport for streams. `heard` answers a frame; `refuse` is what connecting raises, None: nothing."""

    clock: VirtualClock
    heard: Callable[[Line, str], None] = lambda line, text: None
    refuse: TransportError | None = None
    greet: Callable[[Line], None] = lambda line: None
    send_takes_s: float = 0.0
    close_takes_s: float = 0.0
    lines: list[Line] = field(default_factory=list)
    tried_s: list[float] = field(default_factory=list)
    asked: list[StreamRequest] = field(default_factory=list)
    _opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self, request: StreamRequest) -> Stream:
        self.tried_s.append(self.clock.monotonic())
        self.asked.append(request)
        if self.refuse is not None:
            raise self.refuse
        line = Line(self)
        self.lines.append(line)
        self.greet(line)
        self._opened.set()
        return line

    async def another(self) -> Line:
        """The next connection, once it is made."""
        self._opened.clear()
        await self._opened.wait()
        return self.line

    async def send(self, request: Request) -> Response:
        raise AssertionError(request)

    async def close(self) -> None:
        return None

    @property
    def line(self) -> Line:
        """The latest connection."""
        return self.lines[-1]

    def pauses_s(self) -> list[float]:
        """Time between attempts to connect."""
        return [after - before for before, after in itertools.pairwise(self.tried_s)]


class Talk:
    """A made-up venue's session: `in`, `ok`, then words that are items."""

    def __init__(self) -> None:
        self.wishes: list[str] = []

    def begin(self) -> Heard[str]:
        return Heard(send=("login",))

    def hear(self, text: str) -> Heard[str]:
        if text == "no":
            raise Denied("the key is not known")
        if text == "full":
            raise Unavailable("no room for this subscription")
        if text == "?":
            raise Malformed("it says ?")
        if text == "bug":
            raise KeyError(text)
        if text == "in":
            return Heard(send=("subscribe",))
        if text == "gap":
            return Heard(("after the gap",), gap="a number was left out")
        return Heard(up=True) if text == "ok" else Heard() if text == "pong" else Heard((text,))

    def tick(self) -> Heard[str]:
        wishes, self.wishes = tuple(self.wishes), []
        return Heard(send=wishes)

    def ping(self) -> str:
        return "ping"


def friendly(line: Line, text: str) -> None:
    """A venue that lets everybody in and answers pings."""
    answers = {"login": "in", "subscribe": "ok", "ping": "pong"}
    if text in answers:
        line.say(answers[text])
