"""A whole simulated world: venues with their facades, one market, one clock, one set of faults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from core.domain import Symbol
from core.ports import Clock, Request, Response
from simulator.exchange import Exchange, Listing
from simulator.facades import Facade, VenueKind, load, served
from simulator.faults import Ending, Faults, Verdict
from simulator.instruments import load_listings
from simulator.keys import account_names
from simulator.market import Market, PriceSource, Walk

DEFAULT_EQUITY = Decimal(10_000)
GATEWAY_PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"
CUT_NOTHING = b'{"'


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue of the world, complete."""

    exchange: Exchange
    facade: Facade

    def respond(self, request: Request, verdict: Verdict) -> Response | None:
        """The answer to a request under a verdict, executed if it lands; None: the client gets none."""
        answer = None
        if verdict.landed:
            with self.exchange.under(verdict.conditions):
                arrivals, answered = verdict.answers
                answer = [self.facade.handle(request) for _ in range(arrivals)][answered - 1]
        if verdict.ending is not Ending.ANSWER:
            return None
        if verdict.code is not None:
            return self.facade.reject(request, verdict.code)
        if verdict.status is not None:
            page = GATEWAY_PAGE % (verdict.status, verdict.status)
            return Response(verdict.status, {"content-type": "text/html"}, page)
        if verdict.empty or verdict.cut:
            whole = Response(200, {"content-type": "application/json"}, b"") if answer is None else answer
            # Half of a JSON document is never one: its first bracket stays open.
            half = whole.body[: len(whole.body) // 2] or CUT_NOTHING
            spoilt = half if verdict.garbage is None else verdict.garbage
            return replace(whole, body=b"" if verdict.empty else spoilt)
        return answer


@dataclass(frozen=True, slots=True)
class World:
    """Everything simulated. `venues` by name, in the order of their ports."""

    seed: int
    clock: Clock
    market: Market
    faults: Faults
    venues: Mapping[str, Venue]

    def credentials(self) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """venue -> account name -> credential fields."""
        return {
            name: {account: venue.facade.credentials(account) for account in venue.exchange.accounts()}
            for name, venue in self.venues.items()
        }

    def ready_line(self, venue: str, base_url: str, ws_url: str, admin_url: str) -> str:
        """The JSON line that tells a client where a venue is and with which credentials."""
        place = self.venues[venue]
        accounts = [
            {
                "name": account,
                "equity": format(place.exchange.balance(account).equity, "f"),
                **place.facade.credentials(account),
            }
            for account in place.exchange.accounts()
        ]
        return json.dumps(
            {"venue": venue, "base_url": base_url, "ws_url": ws_url, "admin_url": admin_url, "accounts": accounts}
        )


def build_world(
    clock: Clock,
    *,
    seed: int = 7,
    venues: Iterable[str] | None = None,
    accounts: Mapping[str, int | Mapping[str, Decimal]] | None = None,
    equity: Decimal = DEFAULT_EQUITY,
    prices: Mapping[Symbol, PriceSource] | None = None,
    kinds: Iterable[VenueKind] | None = None,
) -> World:
    """Builds a world in one call.

    `venues` (default: all that have a facade); `accounts`: venue -> how many, or name -> opening balance (default: one
    account `main` with `equity`); `prices`: symbol -> replay, every other symbol walks; `kinds` instead of `venues`
    where a facade is not in the registry. Raises `KeyError` for an unknown venue, `ConfigError` for bad instruments.
    """
    chosen = (
        tuple(kinds) if kinds is not None else tuple(load(name) for name in (served() if venues is None else venues))
    )
    listings = {kind.venue: load_listings(kind.venue) for kind in chosen}
    market = Market(_sources(seed, listings.values(), prices or {}))
    built = {}
    for kind in chosen:
        equities = _equities((accounts or {}).get(kind.venue, 1), equity)
        exchange = Exchange(kind.rules, listings[kind.venue], market, clock, seed, equities)
        built[kind.venue] = Venue(exchange, kind.build(exchange))
    return World(seed, clock, market, Faults(seed), built)


def _sources(
    seed: int, venues: Iterable[tuple[Listing, ...]], prices: Mapping[Symbol, PriceSource]
) -> dict[Symbol, PriceSource]:
    """One source per symbol, the same for every venue: the first venue that lists it names the level."""
    sources: dict[Symbol, PriceSource] = {}
    for listings in venues:
        for listing in listings:
            if listing.symbol not in sources:
                walk = Walk(seed, listing.symbol, listing.price)
                sources[listing.symbol] = prices.get(listing.symbol, walk)
    return sources


def _equities(accounts: int | Mapping[str, Decimal], equity: Decimal) -> Mapping[str, Decimal]:
    return dict.fromkeys(account_names(accounts), equity) if isinstance(accounts, int) else dict(accounts)
