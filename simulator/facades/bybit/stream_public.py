"""Bybit's `/v5/public/linear`: market data without a login.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect. All topics of a connection may have 21 000 characters
together. Topics served: tickers, orderbook.1/50/200/1000, publicTrade; candles, liquidations and whatever else the
venue has there answer as a topic that does not exist.
"""

from __future__ import annotations

from simulator.facades.bybit.context import Call, Venue
from simulator.facades.bybit.news import NOTHING_ASKED
from simulator.facades.bybit.stream_idle import Idle
from simulator.facades.bybit.stream_topics import TOPICS, Topic
from simulator.facades.bybit.stream_wire import INVALID_OP, UNREADABLE, Asked, Unreadable, answer, no_topic
from simulator.model import ExchangeEvent, Refused

MAX_CHARS = 21_000
PUSH_S = 0.1
QUIET_S = 1.0


class PublicSession:
    """One connection."""

    def __init__(self, venue: Venue, connection: str) -> None:
        self._call = Call(venue, "", NOTHING_ASKED)
        self._connection = connection
        self._topics: dict[str, Topic] = {}
        self._idle = Idle(venue.exchange.clock.monotonic())
        self._over = False
        self._stop = venue.exchange.subscribe(self._hear)

    @property
    def account(self) -> str | None:
        return None

    @property
    def over(self) -> bool:
        return self._over

    @property
    def wake_in_s(self) -> float:
        return PUSH_S if self._topics else QUIET_S

    def receive(self, text: str) -> tuple[str, ...]:
        try:
            asked = Asked.of(text)
        except Unreadable as error:
            return (self._answer(Asked("", "", ()), f"{UNREADABLE}{error}"),)
        if asked.op == "ping":
            self._idle.active(self._call.exchange.clock.monotonic())
            return (self._answer(asked, None, "pong"),)
        if asked.op == "subscribe":
            return (self._answer(asked, self._subscribe(asked)),)
        if asked.op == "unsubscribe":
            return (self._answer(asked, self._unsubscribe(asked)),)
        return (self._answer(asked, INVALID_OP),)

    def _answer(self, asked: Asked, refusal: str | None, word: str = "") -> str:
        return answer(asked, self._connection, refusal, word=word, public=True)

    def _subscribe(self, asked: Asked) -> str | None:
        """Why not, in the venue's words; then none of the topics is subscribed to."""
        names = asked.topics()
        if names is None:
            return INVALID_OP
        if sum(map(len, (*self._topics, *names))) > MAX_CHARS:
            return f"args size >{MAX_CHARS}"
        made: dict[str, Topic] = {}
        for name in names:
            topic = self._made(name)
            if topic is None:
                return no_topic(name)
            if name in self._topics or name in made:
                return f"error:already subscribed,topic:{name}"
            made[name] = topic
        self._topics |= made
        return None

    def _made(self, name: str) -> Topic | None:
        head, _, symbol = name.rpartition(".")
        make = TOPICS.get(head)
        if make is None:
            return None
        try:
            return make(name, self._call, self._call.exchange.listing_at(symbol))
        except Refused:
            return None

    def _unsubscribe(self, asked: Asked) -> str | None:
        """A topic that was not subscribed to is left as it is."""
        names = asked.topics()
        if names is None:
            return INVALID_OP
        for name in names:
            self._topics.pop(name, None)
        return None

    def _hear(self, event: ExchangeEvent) -> None:
        for topic in self._topics.values():
            self._over = self._over or not topic.hear(event)

    def push(self) -> tuple[str, ...]:
        exchange = self._call.exchange
        exchange.advance()
        frames = tuple(due for topic in tuple(self._topics.values()) if (due := topic.due()) is not None)
        now_s = exchange.clock.monotonic()
        if frames:
            self._idle.active(now_s)
        self._over = self._idle.expired(now_s) or self._over
        return frames

    def close(self) -> None:
        self._stop()
