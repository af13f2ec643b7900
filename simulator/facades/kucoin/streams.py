"""The door to KuCoin's streams: tokens, and how many connections there may be.

Sources: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction (30 connections a minute) and
/docs-new/error-code/websocket (50 at once, which is the strictest number the venue names). A token that is no good is
told on the open connection, which then ends; without any the handshake is refused.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from core.ports import Response, StreamRequest
from simulator.facades import Session
from simulator.facades.kucoin import stream_wire as wire
from simulator.facades.kucoin.context import Call, Venue
from simulator.facades.kucoin.news import News
from simulator.facades.kucoin.stream_session import StreamSession
from simulator.facades.kucoin.stream_tokens import PING_INTERVAL_S, PING_TIMEOUT_S, Token
from simulator.facades.parts import Json, Window

PATHS = ("", "/")
ENDPOINT = "GET /"
CONNECTIONS, CONNECTIONS_SPAN_S = 30, 60.0
AT_ONCE = 50
TEXT = {"content-type": "text/plain; charset=utf-8"}


def asked_of(url: str) -> tuple[str, dict[str, str]] | None:
    """Path and first values of the query; None for a URL that cannot be read."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def bullet(call: Call) -> Json:
    """A token of the account that asks, or a public one; and where to go with it: the address that was asked."""
    parts = urlsplit(call.origin)
    scheme = "wss" if parts.scheme == "https" else "ws"
    server = {
        "endpoint": f"{scheme}://{parts.netloc}/",
        "encrypt": None,  # `false` breaks an SDK of the venue's on plain connections, `true` would be wrong
        "protocol": "websocket",
        "pingInterval": int(PING_INTERVAL_S * 1000),
        "pingTimeout": int(PING_TIMEOUT_S * 1000),
    }
    return {"token": call.venue.tokens.issue(call.account or None), "instanceServers": [server]}


class Streams:
    """Every stream of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._news = News(venue)
        self._window = Window(CONNECTIONS, CONNECTIONS_SPAN_S)
        self._open: list[StreamSession] = []
        self._opened = 0

    def account_of(self, url: str) -> str | None:
        """Whose token stands in a URL."""
        asked = asked_of(url)
        token = self._venue.tokens.of(asked[1].get("token", "")) if asked is not None else None
        return None if token is None else token.account

    def open(self, request: StreamRequest) -> Session | Response:
        """A session, or the refusal of the handshake: 404 without a stream, 401 without a token, 429 for too many."""
        asked, now_s = asked_of(request.url), self._venue.exchange.clock.monotonic()
        if asked is None or asked[0] not in PATHS:
            return Response(404, TEXT, b"404 page not found")
        if "token" not in asked[1]:
            return Response(401, TEXT, b"")
        if self._window.take(now_s).exceeded:
            return Response(429, TEXT, b"")
        self._opened += 1
        token = self._venue.tokens.of(asked[1]["token"])
        name = asked[1].get("connectId") or f"{self._opened:x}"
        session = StreamSession(self._venue, self._news, name[: wire.ID_CHARS], token, self._refusal(token, now_s))
        self._open = [one for one in self._open if not one.over]
        if not session.over:
            self._open.append(session)
        return session

    def _refusal(self, token: Token | None, now_s: float) -> tuple[int, str] | None:
        if token is None:
            return wire.TOKEN, wire.INVALID_TOKEN
        if now_s >= token.until_s:
            return wire.TOKEN, wire.EXPIRED_TOKEN
        if sum(not one.over and one.account == token.account for one in self._open) >= AT_ONCE:
            return wire.TOO_MUCH, f"exceed max session count limitation of {AT_ONCE}"
        return None
