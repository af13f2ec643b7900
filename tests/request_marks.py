"""No request and no stream frame of any adapter carries a mark of anybody: every one a test causes is looked at.

`watched` wraps the transports adapters send through, in memory and over sockets, for the whole session; what it finds
fails the test that caused it (`conftest`). It knows nothing of what the adapters do against marks.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from account_processors import transport
from core.ports import Request, StreamRequest
from simulator import memory, streams

MARK = re.compile(
    r".*(broker|builder|partner|referr?er|referral|affiliate|invite|rebate|integrator|ordertag|channelapi|ccxt).*"
    r"|source|inputsource|xsourcekey|tag|tags|remark|ref|agentcode|clientsource|useragent"
)
"""Names of headers, of query and body fields and of actions, in lower case, letters and digits only."""
WORDS = re.compile(r"ccxt|pybit|approvebuilderfee|setreferrer|createsubaccountreferral", re.IGNORECASE)
"""Values that name a product or an action in somebody's favour, wherever they stand."""
CLIENT_IDS = re.compile(r"orderlinkid|clientorderid|clientoid|externaloid|newclientorderid|clordid|cloid|clientid|c")
OURS = re.compile(r"(0x|t-)?[0-9a-f]*")
"""A client id of the engine: hex digits behind what the venue demands. A partner's begins with the partner's prefix."""


def marks_of(request: Request | StreamRequest) -> list[str]:
    """Everything in a request that is a mark, in words."""
    parts = urlsplit(request.url)
    found = [f"header {name}: {value}" for name, value in request.headers.items() if marked(name, value)]
    found += [f"query {name}={value}" for name, value in parse_qsl(parts.query, True) if marked(name, value)]
    found += [f"address {request.url}"] if WORDS.search(parts.path) else []
    return found if isinstance(request, StreamRequest) else found + marks_in(request.body.decode(errors="replace"))


def marks_in(text: str) -> list[str]:
    """The same of a body or a stream's frame: JSON, or a form."""
    try:
        leaves = list(inside("", json.loads(text)))
    except ValueError:
        leaves = parse_qsl(text, True)
    return [f"body {name}={value}" for name, value in leaves if marked(name, value)]


def inside(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every name with its value, however deep; a list's entries have the list's name."""
    if isinstance(value, Mapping):
        if name:
            yield name, ""
        for inner, item in value.items():
            yield from inside(inner, item)
    elif isinstance(value, list):
        for item in value:
            yield from inside(name, item)
        if not value:
            yield name, ""
    else:
        yield name, str(value)


def marked(name: str, value: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    foreign = CLIENT_IDS.fullmatch(plain) is not None and OURS.fullmatch(value) is None
    return MARK.fullmatch(plain) is not None or WORDS.search(value) is not None or foreign


@dataclass
class Seen:
    """What was looked at since the session began, and the marks nobody has taken yet."""

    requests: int = 0
    frames: int = 0
    marks: list[str] = field(default_factory=list)

    def request(self, request: Request | StreamRequest) -> None:
        self.requests += 1
        self.marks += [f"{one} in a request to {urlsplit(request.url).path}" for one in marks_of(request)]

    def frame(self, text: str) -> None:
        self.frames += 1
        self.marks += [f"{one} in a frame of a stream" for one in marks_in(text)]

    def taken(self) -> list[str]:
        marks, self.marks = self.marks, []
        return marks


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
def watched() -> Iterator[Seen]:
    """Until the end, whatever goes through `PLACES` is looked at before it goes."""
    before = [(kind, name, getattr(kind, name)) for kind, name, _ in PLACES]
    for kind, name, look in PLACES:
        setattr(kind, name, looking(getattr(kind, name), look))
    try:
        yield SEEN
    finally:
        for kind, name, plain in before:
            setattr(kind, name, plain)


def looking(send: Callable[..., Awaitable[Any]], look: Callable[[Any], None]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(send)
    async def looked(self: object, message: Any) -> Any:
        look(message)
        return await send(self, message)

    return looked
