"""No request and no stream frame of any adapter carries a mark of anybody: every one a test causes is looked at.

`watched` wraps the transports adapters send through, in memory and over sockets, for the whole session; what it finds
fails the test that caused it (`conftest`). Programs the tests start look at their own requests
(`children/sitecustomize.py`) and report into a file.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from account_processors import transport
from core.ports import Request, StreamRequest
from simulator import memory, streams
from tests.marks import marks_in, telling

CHILDREN = Path(__file__).resolve().parent / "children"
REPORT = "REQUEST_MARKS_REPORT"
"""Names the file for the programs a test starts."""


@dataclass
class Children:
    """What programs the tests started have reported: a line for each mark."""

    report: Path | None
    read: int = 0

    def new(self) -> list[str]:
        if self.report is None or not self.report.exists():
            return []
        lines = self.report.read_text().splitlines()
        found, self.read = lines[self.read :], len(lines)
        return found


@dataclass
class Seen:
    """What was looked at since the session began, and the marks nobody has taken yet."""

    requests: int = 0
    frames: int = 0
    marks: list[str] = field(default_factory=list)
    children: Children = field(default_factory=lambda: Children(None))

    def request(self, request: Request | StreamRequest) -> None:
        self.requests += 1
        self.marks += telling(request)

    def frame(self, text: str) -> None:
        self.frames += 1
        self.marks += [f"{one} in a frame of a stream" for one in marks_in(text)]

    def taken(self) -> list[str]:
        marks, self.marks = self.marks, []
        return [*marks, *self.children.new()]


SEEN = Seen()
PLACES: tuple[tuple[type, str, Callable[[Any], None]], ...] = (
    (memory.MemoryTransport, "send", SEEN.request),
    (memory.MemoryTransport, "connect", SEEN.request),
    (streams.MemoryStream, "send", SEEN.frame),
    (transport.HttpTransport, "send", SEEN.request),
    (transport.HttpTransport, "connect", SEEN.request),
    (transport._WebSocket, "send", SEEN.frame),
)


@contextmanager
def watched(report: Path) -> Iterator[Seen]:
    """Until the end, whatever goes through `PLACES` is looked at before it goes, also in programs started meanwhile."""
    SEEN.children = Children(report)
    before = [(kind, name, getattr(kind, name)) for kind, name, _ in PLACES]
    for kind, name, look in PLACES:
        setattr(kind, name, looking(getattr(kind, name), look))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(REPORT, str(report))
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(CHILDREN), os.environ.get("PYTHONPATH")])))
            yield SEEN
    finally:
        for kind, name, plain in before:
            setattr(kind, name, plain)


def looking(send: Callable[..., Awaitable[Any]], look: Callable[[Any], None]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(send)
    async def looked(self: object, message: Any, *more: Any) -> Any:
        look(message)
        return await send(self, message, *more)

    return looked
