"""What a venue facade is: the venue's wire protocol on top of an `Exchange`, sans-I/O.

One facade serves aiohttp and the in-memory transport alike. It verifies signatures, timestamps and limits, speaks the
venue's codes, and counts requests. It never waits, never reads a wall clock (`exchange.clock`, `exchange.time()`) and
draws no randomness.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import util
from typing import Protocol, runtime_checkable

from core.ports import Request, Response, StreamRequest
from simulator.exchange import Exchange, VenueRules


class Match(StrEnum):
    """What a request is about, in the words faults are aimed with."""

    ORDER_CREATE = "order_create"
    ORDER_QUERY = "order_query"
    """Anything that can tell what became of an order: open orders, order history, executions."""
    POSITIONS = "positions"
    EQUITY = "equity"
    PRICES = "prices"
    INSTRUMENTS = "instruments"
    LEVERAGE = "leverage"
    MARGIN_MODE = "margin_mode"
    STREAM = "stream"
    """The handshake of a websocket, and every message sent through an open one."""
    OTHER = "other"
    """None of these (time, account information, cancel, position mode …): only a fault on `any` meets it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as seen before it is verified. `account` is the name whose key it claims, None if public or unknown."""

    match: Match
    account: str | None
    endpoint: str
    """Method and path without query, for example `POST /v5/order/create`."""
    also: Match | None = None
    """What else it is about, where a venue answers two things at once."""


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests since the start: all of them, those refused by a rate limit or ban, and by `Call.endpoint`."""

    total: int = 0
    over_limit: int = 0
    by_endpoint: Mapping[str, int] = field(default_factory=dict)


class Session(Protocol):
    """One websocket, sans-I/O. The server feeds what arrives and sends what comes out, in order."""

    @property
    def account(self) -> str | None:
        """Whose stream it is; None before that is known, and on a public one."""

    @property
    def over(self) -> bool:
        """The venue hangs up: what was returned last is still sent, then the connection is closed."""

    @property
    def wake_in_s(self) -> float:
        """How long `push` may be left alone when no event of the exchange calls for it."""

    def receive(self, text: str) -> tuple[str, ...]:
        """Takes one text frame of the client and returns the frames that answer it; data comes by `push` alone."""

    def push(self) -> tuple[str, ...]:
        """Data due since the last call, for example what an event brought. Called after every event and frame."""

    def close(self) -> None:
        """The connection ended, whoever ended it: unsubscribe from the exchange."""


@runtime_checkable
class Greeting(Protocol):
    """A session that speaks first."""

    def greet(self) -> tuple[str, ...]:
        """What it says on the open connection before the client says anything; called once."""


class Facade(Protocol):
    """The wire protocol of one venue. Header names reach it in lower case, URLs absolute and as sent (encoded)."""

    @property
    def venue(self) -> str: ...

    def classify(self, request: Request) -> Call:
        """What the request is about. Cheap, free of side effects, never raises: garbage is `Match.OTHER`."""

    def handle(self, request: Request) -> Response:
        """Verifies, counts and executes the request. Never raises for anything a client can send."""

    def reject(self, request: Request, code: str) -> Response:
        """The refusal the venue words with its own `code`, as an answer to this request; nothing is executed."""

    def credentials(self, account: str) -> Mapping[str, str]:
        """The credential fields of an account as `credentials.json` names them (`api_key`, `api_secret`, …)."""

    def counts(self) -> RequestCounts: ...

    def session(self, request: StreamRequest) -> Session | Response:
        """A new websocket session on the URL's path, or the HTTP answer that refuses the handshake."""


@dataclass(frozen=True, slots=True)
class VenueKind:
    """What a facade package exports as `VENUE`. `build` puts a facade on top of its exchange."""

    venue: str
    rules: VenueRules
    build: Callable[[Exchange], Facade]


REGISTRY: Mapping[str, str] = {
    "bybit": "simulator.facades.bybit:VENUE",
    "blofin": "simulator.facades.blofin:VENUE",
    "kucoin": "simulator.facades.kucoin:VENUE",
    "mexc": "simulator.facades.mexc:VENUE",
    "hyperliquid": "simulator.facades.hyperliquid:VENUE",
}
"""Venue -> "module:name" of its `VenueKind`."""


def served() -> tuple[str, ...]:
    """The venues that have a facade, in the order of the registry."""
    return tuple(venue for venue, place in REGISTRY.items() if util.find_spec(place.partition(":")[0]) is not None)


def load(venue: str) -> VenueKind:
    """The venue's kind. Raises `KeyError` for a venue without a registry line, `ImportError` for a broken one."""
    module, _, name = REGISTRY[venue].partition(":")
    kind = getattr(importlib.import_module(module), name)
    if not isinstance(kind, VenueKind):
        raise TypeError(f"{REGISTRY[venue]} is not a VenueKind")
    return kind
