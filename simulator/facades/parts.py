"""What facades share: where a request goes, numbers as venues print them, whether prices moved, rolling windows of
requests, counts."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from json.encoder import encode_basestring_ascii as quoted
from urllib.parse import urlsplit

from core.domain import plain
from core.ports import Request
from simulator.exchange import Exchange
from simulator.facades import RequestCounts

Json = Mapping[str, object]

MONEY_DECIMALS = Decimal("0.00000001")
UNKNOWN_ENDPOINT = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: path without query, and the query exactly as sent (it is what was signed)."""

    method: str
    path: str
    query: str

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.path}"

    @staticmethod
    def of(request: Request) -> Target:
        try:
            parts = urlsplit(request.url)
        except ValueError:
            return Target(request.method, "", "")
        return Target(request.method, parts.path, parts.query)


# --- numbers ----------------------------------------------------------------------------------------------------------


def on(value: Decimal, step: Decimal) -> str:
    """A size or price with the decimals of its step, as venues print them: 0.1 on 0.01 is `0.10`."""
    return format(value.quantize(step) if step.as_tuple().exponent != value.as_tuple().exponent else value, "f")


def money(value: Decimal) -> str:
    """At most eight decimals, no trailing zeros."""
    return plain(value.quantize(MONEY_DECIMALS))


def ms(at: float) -> int:
    """Epoch milliseconds of an instant in epoch seconds."""
    return round(at * 1000)


def rendered(value: object) -> str:
    """JSON with `Decimal` as a number to its last digit."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{quoted(key)}:{rendered(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(rendered(item) for item in value) + "]"
    return json.dumps(value)


def prices_seen(exchange: Exchange, symbol: str) -> object:
    """Equal as long as no price of a contract, nor the contract, can have changed."""
    return exchange.market.stamp(exchange.clock.time()), exchange.listing(symbol)


# --- limits -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after a request: requests left in the window, and seconds until there is room."""

    limit: int
    left: int
    room_in_s: float

    @property
    def exceeded(self) -> bool:
        return self.room_in_s > 0


@dataclass(slots=True)
class Window:
    """The newest requests of a rolling window; never more than `limit` instants are kept."""

    limit: int
    span_s: float
    _seen: deque[float] = field(default_factory=deque)

    def take(self, now_s: float) -> Standing:
        """Counts one request at monotonic `now_s`."""
        seen = self._seen
        while seen and seen[0] <= now_s - self.span_s:
            seen.popleft()
        if len(seen) < self.limit:
            seen.append(now_s)
            return Standing(self.limit, self.limit - len(seen), 0.0)
        seen.popleft()
        seen.append(now_s)
        return Standing(self.limit, 0, max(seen[0] + self.span_s - now_s, 0.001))


class Tally:
    """Requests since the start. Endpoints nobody serves share one count, so that a scan cannot fill the memory."""

    def __init__(self, endpoints: Collection[str]) -> None:
        self._endpoints = endpoints
        self._total = 0
        self._over_limit = 0
        self._by_endpoint: dict[str, int] = {}

    def count(self, endpoint: str) -> None:
        name = endpoint if endpoint in self._endpoints else UNKNOWN_ENDPOINT
        self._total += 1
        self._by_endpoint[name] = self._by_endpoint.get(name, 0) + 1

    def over_limit(self) -> None:
        """The request counted last was refused by a limit or a ban."""
        self._over_limit += 1

    def counts(self) -> RequestCounts:
        return RequestCounts(self._total, self._over_limit, dict(self._by_endpoint))
