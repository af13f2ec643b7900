"""BloFin's market data. Source of the shapes: https://docs.blofin.com, Public Data, and recorded answers.

The simulator knows no turnover: volumes are 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.domain import plain
from core.matching import Level
from simulator.facades.blofin.context import Call
from simulator.facades.blofin.wire import long
from simulator.facades.parts import Json, ms, on
from simulator.model import Listing

LISTED_AT, EXPIRES_AT = "1669869031395", "4918462716651"
"""For contracts without a record: as recorded ones have it."""
DAY_S = 86_400.0
BARS_MIN: Mapping[str, int] = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "2H": 120, "4H": 240, "6H": 360, "8H": 480, "12H": 720,
    "1D": 1440, "3D": 4320, "1W": 10_080,
}  # fmt: skip
POINTS_PER_CANDLE = 8
"""Prices looked at inside one candle; a walk has no end of them."""


def instruments(call: Call) -> list[Json]:
    return [contract(listing) for listing in call.listing_or_all()]


def contract(listing: Listing) -> Json:
    """One entry of the instruments. Sizes are contracts."""
    it = listing.instrument
    return {
        "instId": it.venue_symbol,
        "baseCurrency": it.base,
        "quoteCurrency": it.quote,
        "contractValue": plain(it.contract_size),
        "listTime": LISTED_AT,
        "expireTime": EXPIRES_AT,
        "maxLeverage": plain(it.max_leverage),
        "minSize": plain(it.min_contracts),
        "lotSize": plain(it.lot),
        "tickSize": plain(it.tick),
        "instType": "SWAP",
        "contractType": "linear",
        "maxLimitSize": plain(it.max_contracts),
        "maxMarketSize": plain(it.max_market_contracts),
        "state": "live" if it.tradable else "suspend",
        "settleCurrency": it.settle,
    }


# --- prices -----------------------------------------------------------------------------------------------------------


def tickers(call: Call) -> list[Json]:
    return [ticker(call, listing) for listing in call.listing_or_all()]


def ticker(call: Call, listing: Listing) -> Json:
    it, quote = listing.instrument, call.exchange.quote(listing.symbol)
    # To the minute, so that a whole market of tickers costs one look at the past a minute.
    opened = call.exchange.state.mark(listing.symbol, quote.at // 60 * 60 - DAY_S)
    return {
        "instId": it.venue_symbol,
        "last": on(quote.last, it.tick),
        "lastSize": plain(it.lot),
        "askPrice": on(quote.ask, it.tick),
        "askSize": plain(quote.ask_contracts),
        "bidPrice": on(quote.bid, it.tick),
        "bidSize": plain(quote.bid_contracts),
        "high24h": on(max(quote.last, opened), it.tick),
        "open24h": on(opened, it.tick),
        "low24h": on(min(quote.last, opened), it.tick),
        "volCurrency24h": "0",
        "vol24h": "0",
        "ts": call.now(),
    }


def mark_prices(call: Call) -> list[Json]:
    """Mark and index; `ts` is the venue's clock."""
    rows: list[Json] = []
    for listing in call.listing_or_all():
        it, quote = listing.instrument, call.exchange.quote(listing.symbol)
        rows.append(
            {
                "instId": it.venue_symbol,
                "indexPrice": on(quote.index, it.tick),
                "markPrice": on(quote.mark, it.tick),
                "ts": call.now(),
            }
        )
    return rows


def books(call: Call) -> list[Json]:
    """The book, best levels first; one level unless asked for more."""
    listing = call.listing()
    it = listing.instrument
    bids, asks = call.exchange.book(listing.symbol, call.params.integer("size", 1, 1, 100))

    def side(levels: tuple[Level, ...]) -> list[list[str]]:
        return [[on(level.price, it.tick), plain(level.contracts)] for level in levels]

    return [{"asks": side(asks), "bids": side(bids), "ts": call.now()}]


# --- funding, candles, tiers ------------------------------------------------------------------------------------------


def funding_rates(call: Call) -> list[Json]:
    rows: list[Json] = []
    for listing in call.listing_or_all():
        quote = call.exchange.quote(listing.symbol)
        rows.append(funding_row(listing, call.stamp(quote.next_funding_at)))
    return rows


def funding_row(listing: Listing, at: str) -> Json:
    return {"instId": listing.instrument.venue_symbol, "fundingRate": plain(listing.funding_rate), "fundingTime": at}


def funding_history(call: Call) -> list[Json]:
    """Past settlements, newest first: the rate of a simulated contract never changes."""
    listing = call.listing()
    limit = call.params.integer("limit", 20, 1, 100)
    interval_s = call.exchange.rules.funding_interval_s
    last = call.exchange.clock.time() // interval_s * interval_s
    return [funding_row(listing, call.stamp(last - n * interval_s)) for n in range(limit)]


def candles(call: Call) -> list[list[str]]:
    """Candles of the mark price, newest first, the running one included."""
    listing = call.listing()
    span_s = BARS_MIN[call.params.one_of("bar", BARS_MIN, "1m")] * 60
    limit = call.params.integer("limit", 500, 1, 1440)
    now = call.exchange.clock.time()
    first = int(now // span_s * span_s)
    return [candle(call, listing, start, span_s, now) for start in range(first, first - limit * span_s, -span_s)]


def mark_candles(call: Call) -> list[list[str]]:
    """The same as the streams show them: without volumes, of which a mark price has none."""
    return [[*bar[:5], bar[-1]] for bar in candles(call)]


def candle(call: Call, listing: Listing, start: int, span_s: int, now: float) -> list[str]:
    end = min(start + span_s, now)
    points = [start + (end - start) * n / POINTS_PER_CANDLE for n in range(POINTS_PER_CANDLE + 1)]
    prices = [call.exchange.state.mark(listing.symbol, at) for at in points]
    tick = listing.instrument.tick
    shown = [on(price, tick) for price in (prices[0], max(prices), min(prices), prices[-1])]
    return [str(ms(call.exchange.stamp(start))), *shown, "0", "0", "0", "1" if start + span_s <= now else "0"]


def position_tiers(call: Call) -> list[Json]:
    """One tier: the simulator's maintenance rate does not grow with the position."""
    listing = call.listing()
    it = listing.instrument
    return [
        {
            "symbol": it.venue_symbol,
            "marginMode": call.params.one_of("marginMode", ("cross", "isolated")),
            "minSize": plain(it.min_contracts),
            "maxSize": plain(it.max_contracts),
            "maintenanceMarginRate": plain(listing.maintenance_rate),
            "maxLeverage": plain(it.max_leverage),
        }
    ]


def price_range(call: Call) -> Json:
    """The highest price of a buy, the lowest of a sell."""
    listing = call.listing()
    call.params.one_of("side", ("buy", "sell"))
    mark, band = call.exchange.quote(listing.symbol).mark, call.exchange.rules.price_band
    return {"maxPrice": long(mark * (1 + band)), "minPrice": long(mark * (1 - band))}
