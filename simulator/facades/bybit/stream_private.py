"""Bybit's `/v5/private`: login, topics, heart-beat, and the account's news.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect and /docs/v5/websocket/private. A topic of all categories
and one of a single category cannot stand in one request. Only linear contracts are traded here, so the topics of the
other categories and the greeks are taken and stay silent. No topic begins with a snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.facades.bybit.auth import authenticate_stream
from simulator.facades.bybit.context import CATEGORIES, LINEAR, Venue
from simulator.facades.bybit.news import Message, News
from simulator.facades.bybit.stream_idle import Idle
from simulator.facades.bybit.stream_wire import (
    INVALID_OP,
    NOT_AUTHORIZED,
    PARAMS_ERROR,
    REPEATED_LOGIN,
    UNREADABLE,
    Asked,
    Unreadable,
    answer,
    frame,
    login_words,
    no_topic,
)
from simulator.facades.bybit.wire import Refusal, ms

WAITING = 1_000
"""Messages not yet fetched. A client that lets more wait loses the connection."""
WAKE_S = 1.0
BY_CATEGORY = ("order", "execution", "execution.fast", "position")
TOPICS: Mapping[str, str] = {
    **{name: name for name in (*BY_CATEGORY, "wallet", "greeks")},
    **{f"{name}.{category}": name if category == LINEAR else "" for name in BY_CATEGORY for category in CATEGORIES},
}
"""Name of a topic -> the topic of all categories its messages are told under; '': nothing ever happens there."""


class PrivateSession:
    """One connection. `allowed_s`: how long it may be idle."""

    def __init__(self, venue: Venue, news: News, connection: str, allowed_s: float) -> None:
        self._venue = venue
        self._news = news
        self._connection = connection
        self._account: str | None = None
        self._topics: list[str] = []
        self._waiting: list[str] = []
        self._idle = Idle(venue.exchange.clock.monotonic(), allowed_s)
        self._over = False

    @property
    def account(self) -> str | None:
        return self._account

    @property
    def over(self) -> bool:
        return self._over

    @property
    def wake_in_s(self) -> float:
        return WAKE_S

    # --- what the client says -----------------------------------------------------------------------------------------

    def receive(self, text: str) -> tuple[str, ...]:
        try:
            asked = Asked.of(text)
        except Unreadable as error:
            return (answer(Asked("", "", ()), self._connection, f"{UNREADABLE}{error}"),)
        if asked.op == "ping":
            return (self._pong(asked),)
        if asked.op == "auth":
            return (answer(asked, self._connection, self._login(asked)),)
        if asked.op in ("subscribe", "unsubscribe"):
            return (answer(asked, self._connection, self._choose(asked)),)
        return (answer(asked, self._connection, INVALID_OP),)

    def _pong(self, asked: Asked) -> str:
        self._idle.active(self._venue.exchange.clock.monotonic())
        ids = {"req_id": asked.id} if asked.id else {}
        now_ms = ms(self._venue.exchange.time())
        return frame({**ids, "op": "pong", "args": [str(now_ms)], "conn_id": self._connection})

    def _login(self, asked: Asked) -> str | None:
        """Why not, in the venue's words."""
        if self._account is not None:
            return REPEATED_LOGIN
        try:
            self._account = authenticate_stream(self._venue.exchange, asked.args, self._venue.addresses)
        except Refusal as refusal:
            return login_words(refusal.code)
        self._news.readers.join(self._account, self)
        return None

    def _choose(self, asked: Asked) -> str | None:
        if self._account is None:
            return NOT_AUTHORIZED
        names = asked.topics()
        if names is None:
            return PARAMS_ERROR
        unknown = next((name for name in names if name not in TOPICS), None)
        if unknown is not None:
            return no_topic(unknown)
        if any(f"{whole}.{category}" in names for whole in names for category in CATEGORIES):
            return PARAMS_ERROR
        left = [name for name in self._topics if name not in names]
        self._topics = left if asked.op == "unsubscribe" else [*left, *dict.fromkeys(names)]
        return None

    # --- what the account's news bring --------------------------------------------------------------------------------

    def wants(self, topic: str) -> bool:
        return not self._over and any(TOPICS[name] == topic for name in self._topics)

    def hear(self, message: Message) -> None:
        """Queues it once under each name it was subscribed to by."""
        ids = {} if message.id is None else {"id": message.id}
        for name in self._topics:
            if TOPICS[name] == message.topic:
                told = {**ids, "topic": name, "creationTime": message.created_ms, "data": message.data}
                self._waiting.append(frame(told))
        if len(self._waiting) > WAITING:
            self._waiting.clear()
            self._over = True

    def push(self) -> tuple[str, ...]:
        exchange = self._venue.exchange
        exchange.advance()
        frames, now_s = tuple(self._waiting), exchange.clock.monotonic()
        self._waiting.clear()
        if frames:
            self._idle.active(now_s)
        self._over = self._over or self._idle.expired(now_s)
        return frames

    def close(self) -> None:
        if self._account is not None:
            self._news.readers.leave(self._account, self)
