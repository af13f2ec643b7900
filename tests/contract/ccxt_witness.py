"""ccxt and ccxt.pro as their users have them, unmodified but for addresses, on an account of a simulated venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tests.contract.simulator_process import Simulator
from tests.contract.watching import ARRIVES_S

Build = Callable[[Simulator, dict[str, Any]], Any]
"""An exchange with these settings, keys among them, whose addresses are the simulated venue's."""
KEYS = {
    "api_key": "apiKey",
    "api_secret": "secret",
    "api_passphrase": "password",
    "wallet_address": "walletAddress",
    "private_key": "privateKey",
}
"""Fields of credentials, and what ccxt calls them."""


def moved(urls: Any, base_url: str, ws_url: str = "") -> Any:
    """The same tree of addresses with every leaf replaced; where `ws_url` is given, streams keep their paths on it."""
    if isinstance(urls, dict):
        return {name: moved(inner, base_url, ws_url) for name, inner in urls.items()}
    if ws_url and urls.startswith("wss://"):
        return ws_url + urls[urls.index("/", len("wss://")) :]
    return base_url


def settings_of(venue: Simulator, account: str) -> dict[str, Any]:
    fields = venue.accounts[account]
    return {"enableRateLimit": False, **{name: fields[field] for field, name in KEYS.items() if field in fields}}


class Client:
    """ccxt's exchanges on one account. Every test has an account of its own, as limits are per account."""

    def __init__(self, venue: Simulator, account: str, build: Build) -> None:
        self.venue = venue
        self.account = account
        self._build = build
        self._open: list[Any] = []

    def __call__(self, **changed: Any) -> Any:
        exchange = self._build(self.venue, {**settings_of(self.venue, self.account), **changed})
        self._open.append(exchange)
        return exchange

    def ledger(self) -> Any:
        return self.venue.ledger(self.account)

    @contextmanager
    def closing(self) -> Iterator[Client]:
        """Closes every exchange at the end."""
        yield self
        for exchange in self._open:
            exchange.session.close()


async def at_once(exchange: Any) -> None:
    """Nothing is asked for before the exchange is used."""


class Follower:
    """ccxt.pro's exchanges on one account. Every test has an account of its own."""

    def __init__(
        self, venue: Simulator, account: str, build: Build, prepare: Callable[[Any], Awaitable[None]] = at_once
    ) -> None:
        self.venue = venue
        self.account = account
        self._build = build
        self._prepare = prepare

    @asynccontextmanager
    async def exchange(self, **changed: Any) -> AsyncIterator[Any]:
        """One that is prepared, and closed at the end."""
        settings = {**settings_of(self.venue, self.account), "newUpdates": True, **changed}
        made = self._build(self.venue, settings)
        try:
            async with asyncio.timeout(3 * ARRIVES_S):
                await self._prepare(made)
                yield made
        finally:
            await made.close()

    def fault(self, kind: str, **more: object) -> None:
        """In the account's streams."""
        body = {"venue": self.venue.venue, "match": "stream", "kind": kind, "account": self.account, **more}
        self.venue.post("faults", **body)

    def ledger(self) -> Any:
        return self.venue.ledger(self.account)
