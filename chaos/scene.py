"""What a seed begins with: accounts, symbols, sources, weights, policies. Drawn once, then frozen."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from account_processors import REGISTRY
from core.domain import SourceName, Symbol
from simulator.facades import served
from simulator.instruments import load_listings

TRADINGVIEW, BITTENSOR, HOUSE = SourceName("tradingview"), SourceName("bittensor"), SourceName("house")
MAX_ACCOUNTS = 5
MAX_SYMBOLS = 4
MAX_CYCLES = 40
MARGIN = Decimal("0.8")
"""Largest sum of all weights: below `max_total_margin`, so that everything asked for can be held."""
STALENESS_S = 30.0
KNOWN_EVERYWHERE = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "LTCUSDT", "TAOUSDT")


@dataclass(frozen=True, slots=True)
class Scene:
    """`accounts`: venue -> how many; `weights`: symbol -> source -> share of equity at depth 1."""

    seed: int
    accounts: Mapping[str, int]
    symbols: tuple[Symbol, ...]
    sources: tuple[SourceName, ...]
    weights: Mapping[Symbol, Mapping[SourceName, Decimal]]
    leverages: Mapping[Symbol, Decimal]
    rtt_s: float
    streams: bool
    pinned: bool
    """Prices stand still: sizes can then be checked to the lot."""
    isolated: bool
    """Accounts begin in the configured margin mode. Those that do not can switch only while nothing is open, so nobody
    else trades on them before they have."""
    compact_bytes: int
    cycles: int
    takes_ids_twice: bool
    """The venue may take a client id again; then no request is delivered twice."""
    chunked: bool
    """Orders are larger than the venue takes at once."""
    drift: str
    leverage_change: str
    """`when_flat`: signals then carry no leverage, since a venue may rightly keep the old one."""


def venues() -> tuple[str, ...]:
    """Every venue with an adapter and a facade."""
    return tuple(venue for venue in served() if venue in REGISTRY)


@cache
def listed(venue: str) -> frozenset[Symbol]:
    return frozenset(listing.symbol for listing in load_listings(venue))


def draw(seed: int, among: Sequence[str]) -> Scene:
    """The scene of a seed, on some of the venues `among`."""
    chance = random.Random(f"scene/{seed}")  # noqa: S311 - a seed replays
    accounts: dict[str, int] = {}
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, MAX_ACCOUNTS))):
        venue = chance.choice(list(among))
        accounts[venue] = accounts.get(venue, 0) + 1
    common = [s for s in map(Symbol, KNOWN_EVERYWHERE) if all(s in listed(venue) for venue in accounts)]
    symbols = tuple(chance.sample(common, min(chance.randint(1, MAX_SYMBOLS), len(common))))
    sources = chance.choice(((TRADINGVIEW,), (TRADINGVIEW,), (TRADINGVIEW, BITTENSOR), (TRADINGVIEW, HOUSE)))
    share = MARGIN / len(symbols) / len(sources)
    weights = {
        symbol: {source: (share * chance.choice((1, 2, 3)) / 3).quantize(Decimal("0.001")) for source in sources}
        for symbol in symbols
    }
    return Scene(
        seed=seed,
        accounts={venue: accounts[venue] for venue in among if venue in accounts},
        symbols=symbols,
        sources=sources,
        weights=weights,
        leverages={symbol: Decimal(chance.choice((1, 2, 3, 5))) for symbol in symbols},
        rtt_s=chance.choice((0.0, 0.02, 0.08, 0.3)),
        streams=chance.random() < 0.5,
        pinned=chance.random() < 0.4,
        isolated=chance.random() < 0.6,
        compact_bytes=chance.choice((4_000, 20_000, 4_000_000)),
        cycles=chance.randint(8, MAX_CYCLES),
        takes_ids_twice=chance.random() < 0.5,
        chunked=chance.random() < 0.25,
        drift=chance.choice(("reduce_only", "reduce_only", "correct", "warn")),
        leverage_change=chance.choice(("when_flat", "close_and_reopen")),
    )
