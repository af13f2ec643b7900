"""The door to Bybit's streams: which there are, and how many connections one address may open.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect (500 connections in five minutes). How the refusal looks is
not documented: it is the one that limit has over REST, HTTP 403.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from core.ports import Response, StreamRequest
from simulator.facades import Session
from simulator.facades.bybit.context import Venue
from simulator.facades.bybit.limits import Window
from simulator.facades.bybit.news import News
from simulator.facades.bybit.stream_idle import asked_for
from simulator.facades.bybit.stream_private import PrivateSession
from simulator.facades.bybit.stream_public import PublicSession
from simulator.facades.bybit.stream_trade import TradeSession
from simulator.facades.bybit.stream_wire import connection_id

PRIVATE, PUBLIC, TRADE = "/v5/private", "/v5/public/linear", "/v5/trade"
PATHS = (PRIVATE, PUBLIC, TRADE)
CONNECTIONS, CONNECTIONS_WINDOW_S = 500, 300.0
TEXT = {"content-type": "text/plain; charset=utf-8"}


def path_of(url: str) -> str:
    """The path of a URL; '' for one that cannot be read."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


class Streams:
    """Every stream of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._news = News(venue)
        self._window = Window(CONNECTIONS, CONNECTIONS_WINDOW_S)
        self._opened = 0

    def open(self, request: StreamRequest) -> Session | Response:
        """A session, or the refusal of the handshake: 404 for a path without a stream, 403 for too many connections."""
        path, exchange = path_of(request.url), self._venue.exchange
        if path not in PATHS:
            return Response(404, TEXT, b"404 page not found")
        if self._window.take(exchange.clock.monotonic()).exceeded:
            return Response(403, TEXT, b"access too frequent")
        self._opened += 1
        connection = connection_id(exchange.state.seed, self._opened, private=path != PUBLIC)
        if path == PUBLIC:
            return PublicSession(self._venue, connection)
        if path == TRADE:
            return TradeSession(self._venue, connection, asked_for(request.url))
        return PrivateSession(self._venue, self._news, connection, asked_for(request.url))
