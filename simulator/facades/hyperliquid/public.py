"""Hyperliquid's market data. Source of the shapes: the documentation's info endpoint, and recorded answers.

The simulator knows no turnover: volumes are 0. There is one exchange of perpetuals, and no spot pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from simulator.facades.hyperliquid.context import Call, Malformed, shown
from simulator.facades.parts import Json, ms
from simulator.model import Listing

LEVELS = 20
DAY_S = 86_400.0
IMPACT_LEVELS = 3
MOST_CANDLES = 5_000
POINTS_PER_CANDLE = 8
"""Prices looked at inside one candle; a walk has no end of them."""
BARS_MIN: Mapping[str, int] = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480, "12h": 720, "1d": 1440,
    "3d": 4320, "1w": 10_080,
}  # fmt: skip
USDC: Json = {
    "name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0, "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
    "isCanonical": True, "evmContract": None, "fullName": None, "deployerTradingFeeShare": "0.0",
}  # fmt: skip


def meta(call: Call) -> Json:
    return {"universe": [coin(listing) for listing in call.venue.assets()], "marginTables": []}


def coin(listing: Listing) -> Json:
    it = listing.instrument
    delisted = {} if it.tradable else {"isDelisted": True}
    return {
        "szDecimals": max(-it.lot.adjusted(), 0),
        "name": it.venue_symbol,
        "maxLeverage": int(it.max_leverage),
        **delisted,
    }


def meta_and_contexts(call: Call) -> list[object]:
    return [meta(call), [context(call, listing) for listing in call.venue.assets()]]


def context(call: Call, listing: Listing) -> Json:
    """What a coin is worth now. The impact prices are some levels into the book."""
    quote = call.exchange.quote(listing.symbol)
    bids, asks = call.exchange.book(listing.symbol, IMPACT_LEVELS)
    # To the minute, so that a whole market of contexts costs one look at the past a minute.
    opened = call.exchange.state.mark(listing.symbol, quote.at // 60 * 60 - DAY_S)
    return {
        "funding": shown(quote.funding_rate),
        "openInterest": "0.0",
        "prevDayPx": shown(opened),
        "dayNtlVlm": "0.0",
        "premium": "0.0",
        "oraclePx": shown(quote.index),
        "markPx": shown(quote.mark),
        "midPx": shown((quote.bid + quote.ask) / 2),
        "impactPxs": [shown(bids[-1].price), shown(asks[-1].price)],
        "dayBaseVlm": "0.0",
    }


def all_mids(call: Call) -> Json:
    found: dict[str, object] = {}
    for listing in call.venue.assets():
        quote = call.exchange.quote(listing.symbol)
        found[listing.instrument.venue_symbol] = shown((quote.bid + quote.ask) / 2)
    return found


def l2_book(call: Call) -> Json:
    listing = call.listing()
    sides = call.exchange.book(listing.symbol, LEVELS)
    levels = [[{"px": shown(it.price), "sz": shown(it.contracts), "n": 1} for it in side] for side in sides]
    return {"coin": listing.instrument.venue_symbol, "time": call.now_ms(), "levels": levels}


def spot_meta(call: Call) -> Json:
    return {"universe": [], "tokens": [USDC]}


def spot_meta_and_contexts(call: Call) -> list[object]:
    return [spot_meta(call), []]


def perp_dexs(call: Call) -> list[object]:
    """Builder-deployed exchanges: none; the first, which has no name, is null."""
    return [None]


def exchange_status(call: Call) -> Json:
    return {"time": call.now_ms(), "specialStatuses": None}


def funding_history(call: Call) -> list[Json]:
    """Past settlements, oldest first: the rate of a simulated contract never changes."""
    listing, interval_s = call.listing(), call.exchange.rules.funding_interval_s
    start_s = call.whole("startTime") / 1000
    end_s = min(call.whole("endTime", call.now_ms()) / 1000, call.exchange.time())
    first = -(-start_s // interval_s) * interval_s
    count = min(max(int((end_s - first) // interval_s) + 1, 0), 500)
    return [
        {
            "coin": listing.instrument.venue_symbol,
            "fundingRate": shown(listing.funding_rate),
            "premium": "0.0",
            "time": ms(first + n * interval_s),
        }
        for n in range(count)
    ]


def candles(call: Call) -> list[Json]:
    """Candles of the mark price, oldest first, the running one included."""
    asked = call.fields.get("req")
    if not isinstance(asked, dict) or asked.get("interval") not in BARS_MIN:
        raise Malformed
    inner = Call(call.venue, asked)
    listing, span_s = inner.listing(), BARS_MIN[str(asked["interval"])] * 60
    now = call.exchange.time()
    end_s = min(inner.whole("endTime", call.now_ms()) / 1000, now)
    first = int(inner.whole("startTime") / 1000 // span_s * span_s)
    first = max(first, int(end_s // span_s * span_s) - (MOST_CANDLES - 1) * span_s)
    return [candle(call, listing, start, span_s, str(asked["interval"])) for start in range(first, int(end_s), span_s)]


def candle(call: Call, listing: Listing, start: int, span_s: int, interval: str) -> Json:
    offset_s = call.exchange.state.offset_s
    end = min(start + span_s, call.exchange.time())
    points = [start - offset_s + (end - start) * n / POINTS_PER_CANDLE for n in range(POINTS_PER_CANDLE + 1)]
    prices: list[Decimal] = [call.exchange.state.mark(listing.symbol, at) for at in points]
    opened, closed = prices[0], prices[-1]
    shape = {"o": opened, "c": closed, "h": max(prices), "l": min(prices)}
    times = {"t": start * 1000, "T": (start + span_s) * 1000 - 1}
    name = {"s": listing.instrument.venue_symbol, "i": interval}
    return {**times, **name, **{key: shown(price) for key, price in shape.items()}, "v": "0.0", "n": 0}
