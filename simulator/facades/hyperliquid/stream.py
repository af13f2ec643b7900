"""Hyperliquid's one websocket, `/ws`: subscriptions to users and to coins, heart-beats, and limits.

Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket and recorded frames. There is no
login: whoever knows an address may listen. A subscription is confirmed and then begins with what there is (fills with a
snapshot). The venue hangs up on a connection on which it heard nothing for a minute. How often the state of an account
comes is not documented: with every event here, and now and then without one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

from simulator.facades.hyperliquid import public
from simulator.facades.hyperliquid.account import account_state, nobodys_state
from simulator.facades.hyperliquid.context import ADDRESS, Call, Venue
from simulator.facades.hyperliquid.news import FILLS, ORDERS, STATE, TOPICS, Message, News
from simulator.facades.hyperliquid.queries import user_fills
from simulator.facades.parts import Json, prices_seen
from simulator.model import Refused
from simulator.strict import StrictError, loads

PATH = "/ws"
GREETING = "Websocket connection established."
"""Bare text. The official SDK expects it, and it is not documented."""
QUIET_S = 60.0
REGULAR_S = 5.0
"""How often the state comes without an event."""
WAKE_S, PRICE_S = 1.0, 0.5
WAITING = 1_000
"""Messages not yet fetched. A client that lets more wait loses the connection."""
OF_A_COIN = ("l2Book", "bbo", "activeAssetCtx")
MIDS = "allMids"
SNAPSHOT_FILLS = 100


class Users(Protocol):
    """Who is listened to, over all connections of one address."""

    def join(self, session: object, user: str) -> bool:
        """False: one more user than may be."""

    def leave(self, session: object) -> None: ...


class StreamSession:
    """See `simulator.facades.Session` and `Greeting`."""

    def __init__(self, venue: Venue, told: News, users: Users) -> None:
        self._venue = venue
        self._news = told
        self._users = users
        self._chosen: dict[str, Json] = {}
        """Subscriptions by what makes them one."""
        self._account: str | None = None
        self._user = ""
        self._waiting: list[str] = []
        self._moved = False
        self._heard_s = venue.exchange.clock.monotonic()
        self._regular_s = 0.0
        self._price_s = 0.0
        self._seen: object = None
        self._over = False

    @property
    def account(self) -> str | None:
        return self._account

    @property
    def over(self) -> bool:
        return self._over

    @property
    def wake_in_s(self) -> float:
        priced = any(one["type"] not in TOPICS for one in self._chosen.values())
        return PRICE_S if priced else WAKE_S

    def greet(self) -> tuple[str, ...]:
        return (GREETING,)

    # --- what the client says -----------------------------------------------------------------------------------------

    def receive(self, text: str) -> tuple[str, ...]:
        self._heard_s = self._venue.exchange.clock.monotonic()
        try:
            asked = loads(text.encode(errors="replace"))
        except StrictError:
            return (frame("error", f"Error parsing JSON into valid websocket request: {text[:400]}"),)
        method, wanted = asked.get("method"), asked.get("subscription")
        if method == "ping":
            return (json.dumps({"channel": "pong"}),)
        if method not in ("subscribe", "unsubscribe") or not isinstance(wanted, dict):
            return (frame("error", f"Error parsing JSON into valid websocket request: {text[:400]}"),)
        return self._choose(str(method), wanted, text)

    def _choose(self, method: str, wanted: Json, text: str) -> tuple[str, ...]:
        name = self._named(wanted)
        if name is None:
            return (frame("error", f"Invalid subscription: {text[:400]}"),)
        if method == "unsubscribe":
            if self._chosen.pop(name, None) is None:
                return (frame("error", f"Already unsubscribed: {text[:400]}"),)
            return (frame("subscriptionResponse", {"method": method, "subscription": wanted}),)
        if name in self._chosen:
            return (frame("error", f"Already subscribed: {text[:400]}"),)
        user = wanted.get("user")
        if isinstance(user, str) and not self._listen(user.lower()):
            return (frame("error", "Cannot track more than 10 total users."),)
        self._chosen[name] = wanted
        confirmed = frame("subscriptionResponse", {"method": method, "subscription": wanted})
        return (confirmed, *self._first(wanted))

    def _named(self, wanted: Json) -> str | None:
        """What makes a subscription one; None for what is none."""
        kind, user, coin = wanted.get("type"), wanted.get("user"), wanted.get("coin")
        if kind in TOPICS and isinstance(user, str) and ADDRESS.fullmatch(user):
            return f"{kind}:{user.lower()}" if not self._user or self._user == user.lower() else None
        if kind == MIDS:
            return MIDS
        if kind in OF_A_COIN and isinstance(coin, str):
            try:
                self._venue.exchange.listing_at(coin)
            except Refused:
                return None
            return f"{kind}:{coin}"
        return None

    def _listen(self, user: str) -> bool:
        """Begins to hear of a user. The simulator serves one user to a connection."""
        if not self._users.join(self, user):
            return False
        if not self._user:
            self._user, self._account = user, self._venue.wallets.account_at(user)
            if self._account is not None:
                self._news.readers.join(self._account, self)
        return True

    def _first(self, wanted: Json) -> tuple[str, ...]:
        """What a subscription begins with."""
        if wanted["type"] == FILLS:
            found = user_fills(self._call(wanted))[:SNAPSHOT_FILLS]
            return (frame(FILLS, {"isSnapshot": True, "user": self._user, "fills": found}),)
        if wanted["type"] == STATE:
            self._moved = True
        self._seen = None
        return ()

    def _call(self, fields: Json) -> Call:
        return Call(self._venue, fields, self._account)

    # --- what the account's news bring --------------------------------------------------------------------------------

    def wants(self, topic: str) -> bool:
        return not self._over and any(one["type"] == topic for one in self._chosen.values())

    def hear(self, message: Message) -> None:
        if message.topic == STATE:
            self._moved = True
            return
        data: object = list(message.rows)
        if message.topic == FILLS:
            data = {"user": self._user, "fills": data}
        self._waiting.append(frame(message.topic, data))
        if len(self._waiting) > WAITING:
            self._waiting.clear()
            self._over = True

    def push(self) -> tuple[str, ...]:
        exchange = self._venue.exchange
        exchange.advance()
        now_s = exchange.clock.monotonic()
        found, self._waiting = [*self._waiting, *self._state(now_s), *self._prices(now_s)], []
        self._over = self._over or now_s - self._heard_s > QUIET_S
        return tuple(found)

    def _state(self, now_s: float) -> list[str]:
        if not self.wants(STATE) or not (self._moved or now_s >= self._regular_s):
            return []
        self._moved, self._regular_s = False, now_s + REGULAR_S
        state = nobodys_state(self._venue) if self._account is None else account_state(self._venue, self._account)
        return [frame(STATE, {"dex": "", "user": self._user, "clearinghouseState": state})]

    def _prices(self, now_s: float) -> list[str]:
        chosen = [one for one in self._chosen.values() if one["type"] not in TOPICS]
        if not chosen or now_s < self._price_s:
            return []
        exchange = self._venue.exchange
        seen = tuple(prices_seen(exchange, listing.symbol) for listing in exchange.listings())
        if seen == self._seen:
            return []
        self._seen, self._price_s = seen, now_s + PRICE_S
        return [frame(str(one["type"]), self._shown(one)) for one in chosen]

    def _shown(self, wanted: Json) -> object:
        call = self._call(wanted)
        if wanted["type"] == MIDS:
            return {"mids": public.all_mids(call)}
        if wanted["type"] == "activeAssetCtx":
            return {"coin": wanted["coin"], "ctx": public.context(call, call.listing())}
        book = public.l2_book(call)
        levels = book["levels"]
        assert isinstance(levels, list)
        if wanted["type"] == "bbo":
            return {"coin": book["coin"], "time": book["time"], "bbo": [side[0] for side in levels]}
        return book

    def close(self) -> None:
        self._users.leave(self)
        if self._account is not None:
            self._news.readers.leave(self._account, self)


def frame(channel: str, data: object) -> str:
    return json.dumps({"channel": channel, "data": data}, separators=(",", ":"))


class Crowd:
    """See `Users`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_session: dict[int, set[str]] = {}

    def join(self, session: object, user: str) -> bool:
        known: Mapping[int, set[str]] = self._by_session
        if len({user, *(one for users in known.values() for one in users)}) > self._most:
            return False
        self._by_session.setdefault(id(session), set()).add(user)
        return True

    def leave(self, session: object) -> None:
        self._by_session.pop(id(session), None)


__all__ = ["ORDERS", "PATH", "Crowd", "StreamSession"]
