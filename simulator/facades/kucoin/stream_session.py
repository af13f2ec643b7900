"""One connection to KuCoin's streams: welcome, topics, heart-beat, and how it ends.

Source: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction. A connection belongs to the token it was
opened with: with an account's all topics are open to it, with a public one the market data. It ends when the client has
not pinged for the interval and the time-out its token came with, and with its token. Of what the venue does not say the
worst is taken: nothing but a ping keeps it open, and messages above the limit are refused unread.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.facades.kucoin import stream_wire as wire
from simulator.facades.kucoin.context import Call, Venue
from simulator.facades.kucoin.news import ONE_POSITION, ORDERS, POSITIONS, WALLET, Message, News
from simulator.facades.kucoin.stream_tokens import PING_INTERVAL_S, PING_TIMEOUT_S, Token
from simulator.facades.kucoin.stream_topics import TOPICS, Topic
from simulator.facades.kucoin.stream_wire import Asked
from simulator.facades.kucoin.wire import Params
from simulator.facades.parts import Window
from simulator.model import Refused

WAITING = 1_000
"""Messages not yet fetched. A client that lets more wait loses the connection."""
MOST_AT_ONCE, MOST_TOPICS = 100, 300
MESSAGES, MESSAGES_SPAN_S = 100, 10.0
PUSH_S, QUIET_S = 0.1, 1.0
WHOLE: Mapping[str, str] = {ORDERS: ORDERS, POSITIONS: POSITIONS, WALLET: WALLET}
"""Private topics of all contracts, and what they are told under."""
OF_ONE: Mapping[str, str] = {ORDERS: ORDERS, ONE_POSITION: POSITIONS}
"""Private topics that can be of one contract, by what stands before it."""


class StreamSession:
    """`refused`: why the connection is closed as soon as it is open, a code and words. See `facades.Session`."""

    def __init__(
        self, venue: Venue, news: News, connect_id: str, token: Token | None, refused: tuple[int, str] | None = None
    ) -> None:
        self._venue = venue
        self._news = news
        self._connect_id = connect_id
        self._token = token
        self._refused = refused
        self._topics: dict[str, Topic | None] = {}
        """By name; None: private, told of by the news."""
        self._waiting: list[str] = []
        self._window = Window(MESSAGES, MESSAGES_SPAN_S)
        self._pinged_s = venue.exchange.clock.monotonic()
        self._over = refused is not None
        if self.account is not None and not self._over:
            news.readers.join(self.account, self)

    @property
    def account(self) -> str | None:
        return None if self._token is None else self._token.account

    @property
    def over(self) -> bool:
        return self._over

    @property
    def wake_in_s(self) -> float:
        return PUSH_S if any(topic is not None for topic in self._topics.values()) else QUIET_S

    def greet(self) -> tuple[str, ...]:
        if self._refused is not None:
            return (wire.error(self._connect_id, *self._refused),)
        return (wire.welcome(self._connect_id),)

    # --- what the client says -----------------------------------------------------------------------------------------

    def receive(self, text: str) -> tuple[str, ...]:
        now_s = self._venue.exchange.clock.monotonic()
        if self._over:
            return ()
        try:
            asked = Asked.of(text)
        except wire.Unreadable:
            return (wire.error(self._connect_id, wire.BAD_TYPE, wire.UNKNOWN_TYPE),)
        if self._window.take(now_s).exceeded:
            return (wire.error(asked.id, wire.TOO_MUCH, wire.TOO_MANY_MESSAGES),)
        if asked.type == "ping":
            self._pinged_s = now_s
            return (wire.pong(asked),)
        if asked.type not in ("subscribe", "unsubscribe"):
            return (wire.error(asked.id, wire.BAD_TYPE, wire.UNKNOWN_TYPE),)
        refusal = self._choose(asked)
        if refusal is not None:
            return (wire.error(asked.id, *refusal),)
        return (wire.ack(asked),) if asked.response else ()

    def _choose(self, asked: Asked) -> tuple[int, str] | None:
        """Subscribes to all of a request's topics or to none; why not, as a code and words."""
        names = asked.names()
        if not asked.topic:
            return wire.NO_NAME, wire.NAME_NEEDED
        if asked.type == "unsubscribe":
            for name in names:
                self._topics.pop(name, None)
            return None
        if len(names) > MOST_AT_ONCE:
            return wire.TOO_MUCH, f"exceed max subscription count limitation of {MOST_AT_ONCE} per time"
        if len({*self._topics, *names}) > MOST_TOPICS:
            return wire.TOO_MUCH, f"exceed max subscription count limitation of {MOST_TOPICS} per session"
        made: dict[str, Topic | None] = {}
        for name in names:
            if _private(name):
                if self.account is None or not asked.private:
                    return wire.LOGIN, wire.LOGIN_NEEDED
                known = name in WHOLE or self._lists(name)
                made[name] = None
            else:
                topic = self._topics.get(name) or self._public(name)
                made[name], known = topic, topic is not None
            if not known:
                return wire.NO_TOPIC, f"topic {name[: wire.ID_CHARS]} is not found"
        self._topics |= made
        return None

    def _public(self, name: str) -> Topic | None:
        head, _, symbol = name.partition(":")
        make = TOPICS.get(head)
        if make is None or not self._lists(name):
            return None
        call = Call(self._venue, "", Params({}), "")
        return make(name, call, self._venue.exchange.listing_at(symbol))

    def _lists(self, name: str) -> bool:
        try:
            self._venue.exchange.listing_at(name.partition(":")[2])
        except Refused:
            return False
        return True

    # --- what the account's news bring --------------------------------------------------------------------------------

    def wants(self, topic: str) -> bool:
        return not self._over and any(_told_under(name) == topic for name in self._topics)

    def hear(self, message: Message) -> None:
        """Queues it once under each name it was subscribed to by."""
        for name in self._topics:
            symbol = name.partition(":")[2]
            if _told_under(name) == message.topic and symbol in ("", message.symbol):
                user = f"{self._venue.exchange.accounts().index(self.account or ''):024x}"
                subject = message.subject
                if subject == "symbolOrderChange" and not symbol:
                    subject = "orderChange"
                self._waiting.append(wire.message(name, subject, message.data, user=user))
        if len(self._waiting) > WAITING:
            self._waiting.clear()
            self._over = True

    def push(self) -> tuple[str, ...]:
        exchange = self._venue.exchange
        exchange.advance()
        if self._over:
            return ()
        frames, now_s = self._waiting, exchange.clock.monotonic()
        self._waiting = []
        for topic in tuple(self._topics.values()):
            frames += () if topic is None else topic.due()
        if now_s >= self._pinged_s + PING_INTERVAL_S + PING_TIMEOUT_S:
            frames.append(wire.error(self._connect_id, wire.BAD_TOPIC, wire.PING_TIMEOUT))
            self._over = True
        self._over = self._over or (self._token is not None and now_s >= self._token.until_s)
        return tuple(frames)

    def close(self) -> None:
        self._over = True
        if self.account is not None:
            self._news.readers.leave(self.account, self)


def _private(name: str) -> bool:
    return name in WHOLE or name.partition(":")[0] in OF_ONE


def _told_under(name: str) -> str | None:
    head, colon, _ = name.partition(":")
    return OF_ONE.get(head) if colon else WHOLE.get(name)
