"""The door to BloFin's streams: which there are, and how often one address may open one.

Source: https://docs.blofin.com, WebSocket Connection Management: one new connection a second. How the refusal looks is
not documented: it is the one limits have over REST, HTTP 429.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from core.ports import StreamRequest
from simulator.facades import Session
from simulator.facades.blofin.auth import Door
from simulator.facades.blofin.context import Venue
from simulator.facades.blofin.news import News
from simulator.facades.blofin.stream_private import PrivateDesk
from simulator.facades.blofin.stream_public import PublicDesk
from simulator.facades.blofin.stream_session import StreamSession
from simulator.facades.parts import Window

PRIVATE, PUBLIC = "/ws/private", "/ws/public"
PATHS = {path: f"GET {path}" for path in (PRIVATE, PUBLIC)}
"""Path -> its name in the counts."""
CONNECTIONS = (1, 1.0)


class TooOften(Exception):
    """One connection too many for this second."""


class Streams:
    """Every stream of one venue."""

    def __init__(self, venue: Venue, door: Door) -> None:
        self._venue = venue
        self._door = door
        self._news = News(venue)
        self._window = Window(*CONNECTIONS)

    def open(self, path: str) -> Session:
        """A session on one of `PATHS`. Raises `TooOften`."""
        clock = self._venue.exchange.clock
        if self._window.take(clock.monotonic()).exceeded:
            raise TooOften
        if path == PUBLIC:
            return StreamSession(PublicDesk(self._venue), clock)
        return StreamSession(PrivateDesk(self._venue, self._news, self._door), clock)


def path_of(request: StreamRequest) -> str:
    """The path of a URL; '' for one that cannot be read."""
    try:
        return urlsplit(request.url).path
    except ValueError:
        return ""
