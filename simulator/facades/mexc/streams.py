"""MEXC's websocket at `/edge`: heart-beat, login, filters, public channels, and when the venue hangs up.

Source: https://www.mexc.com/api-docs/futures/websocket-api and recorded conversations. One address serves everything. A
connection ends a minute after its last ping. A refusal comes as `rs.error` with words; which words is not documented,
nor whether the connection goes on: it does. A client may ask for plain text (`gzip`), which is what it gets anyway.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.facades.mexc.auth import authenticate_stream
from simulator.facades.mexc.codes import MESSAGES
from simulator.facades.mexc.context import Venue
from simulator.facades.mexc.news import News
from simulator.facades.mexc.stream_private import Listening, WrongFilter, rules_of
from simulator.facades.mexc.stream_public import Market, Topic
from simulator.facades.mexc.wire import Refusal
from simulator.facades.parts import ms, rendered
from simulator.strict import StrictError, loads

PATH = "/edge"
ENDPOINT = f"GET {PATH}"
"""Its name in the counts."""
QUIET_S = 60.0
WAKE_S, PUSH_S = 1.0, 0.1
SUBSCRIBE, UNSUBSCRIBE = "sub.", "unsub."


class EdgeSession:
    """One connection. See `simulator.facades.Session`."""

    def __init__(self, venue: Venue, news: News) -> None:
        self._venue = venue
        self._news = news
        self._market = Market(venue)
        self._listening: Listening | None = None
        self._alive_s = venue.exchange.clock.monotonic()
        self._over = False

    @property
    def account(self) -> str | None:
        return None if self._listening is None else self._listening.account

    @property
    def over(self) -> bool:
        return self._over

    @property
    def wake_in_s(self) -> float:
        return PUSH_S if self._market else WAKE_S

    # --- what the client says -----------------------------------------------------------------------------------------

    def receive(self, text: str) -> tuple[str, ...]:
        try:
            asked = loads(text.encode(errors="replace"))
        except StrictError:
            return (self._error("Data parsing error"),)
        method, param = asked.get("method"), asked.get("param") or {}
        if not isinstance(method, str) or not isinstance(param, dict):
            return (self._error("Data parsing error"),)
        if method == "ping":
            self._alive_s = self._venue.exchange.clock.monotonic()
            return (rendered({"channel": "pong", "data": self._now_ms()}),)
        if method == "login":
            return (self._login(param, everything=asked.get("subscribe") is not False),)
        if method == "personal.filter":
            return (self._filter(param),)
        for prefix, chosen in ((SUBSCRIBE, True), (UNSUBSCRIBE, False)):
            if method.startswith(prefix):
                return (self._choose(method, Topic(method[len(prefix) :], str(param.get("symbol", ""))), chosen),)
        return (self._error(f"unknown method {method[:40]}"),)

    def _login(self, param: Mapping[str, object], *, everything: bool) -> str:
        """A second login, of whomever else, is one too many."""
        try:
            account = authenticate_stream(self._venue.exchange, param, self._venue.addresses)
        except Refusal as refusal:
            return self._error(MESSAGES.get(refusal.code, "login failed"))
        if self._listening is not None and self._listening.account != account:
            return self._error("already logged in")
        if self._listening is None:
            self._listening = Listening(self._venue, account, rules_of(None) if everything else {})
            self._news.readers.join(account, self._listening)
        return self._done("login")

    def _filter(self, param: Mapping[str, object]) -> str:
        if self._listening is None:
            return self._error("not logged in")
        try:
            self._listening.choose(rules_of(param.get("filters")))
        except WrongFilter:
            return self._error("filter error")
        return self._done("personal.filter")

    def _choose(self, method: str, topic: Topic, chosen: bool) -> str:
        if not chosen:
            self._market.leaves(topic)
            return self._done(method)
        if not self._market.opens(topic):
            return self._error(f"Contract does not exist: {method[:40]}")
        return self._done(method)

    def _done(self, what: str) -> str:
        return rendered({"channel": f"rs.{what}", "data": "success", "ts": str(self._now_ms())})

    def _error(self, words: str) -> str:
        return rendered({"channel": "rs.error", "data": words, "ts": self._now_ms()})

    def _now_ms(self) -> int:
        return ms(self._venue.exchange.time())

    # --- what the venue says ------------------------------------------------------------------------------------------

    def push(self) -> tuple[str, ...]:
        self._venue.exchange.advance()
        self._over = self._over or self._venue.exchange.clock.monotonic() - self._alive_s > QUIET_S
        if self._listening is not None and self._listening.flooded:
            self._over = True
            return ()
        told = [] if self._listening is None else self._listening.due()
        stamp = self._now_ms()
        mine = [{"channel": f"push.personal.{topic}", "data": row, "ts": stamp} for topic, row in told]
        return tuple(rendered(one) for one in (*mine, *self._public(stamp)))

    def _public(self, stamp: int) -> list[Mapping[str, object]]:
        found: list[Mapping[str, object]] = []
        for topic, said in self._market.due():
            named = {"symbol": topic.symbol} if topic.symbol else {}
            found.append({"channel": f"push.{topic.name}", "data": said, **named, "ts": stamp})
        return found

    def close(self) -> None:
        self._market.close()
        if self._listening is not None:
            self._news.readers.leave(self._listening.account, self._listening)
