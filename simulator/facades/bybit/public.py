"""Bybit's market data. Source of the shapes: https://bybit-exchange.github.io/docs/v5/market and recorded answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from core.domain import Side, plain
from core.matching import Level
from simulator.facades.bybit.context import LINEAR, Call
from simulator.facades.bybit.details import price_limit
from simulator.facades.bybit.wire import Json, Page, on, refuse_parameter
from simulator.model import Listing, Quote

NO_CONTRACTS: tuple[Json, ...] = ()
INTERVALS_MIN: Mapping[str, int] = {
    "1": 1, "3": 3, "5": 5, "15": 15, "30": 30, "60": 60, "120": 120, "240": 240, "360": 360, "720": 720,
    "D": 1440, "W": 10_080, "M": 43_200,
}  # fmt: skip
POINTS_PER_CANDLE = 8
"""Prices looked at inside one candle; a walk has no end of them."""


def time(call: Call) -> Json:
    """The venue's clock. `timeNano` is a text, as the venue has it."""
    now_ms = call.now_ms()
    return {"timeSecond": str(now_ms // 1000), "timeNano": f"{now_ms}000000"}


# --- instruments ------------------------------------------------------------------------------------------------------


def instruments(call: Call) -> Json:
    """Contracts in their fixed order, 500 a page unless asked otherwise, 1000 at most."""
    category = call.category()
    page = Page.of(call.params, 500, 1000)
    if category != LINEAR:
        return {"category": category, "list": NO_CONTRACTS, "nextPageCursor": ""}
    status = call.params.text("status", "Trading")
    listings = [it for it in call.exchange.listings() if status_of(it) == status]
    if call.params.text("symbol"):
        listings = [call.listing()]
    elif call.params.text("baseCoin"):
        listings = [it for it in listings if it.instrument.base == call.params.text("baseCoin")]
    listings.sort(key=lambda it: it.instrument.venue_symbol)
    rows, cursor = page.cut(listings, lambda it: it.instrument.venue_symbol)
    return {"category": category, "list": [contract(call, it) for it in rows], "nextPageCursor": cursor}


def status_of(listing: Listing) -> str:
    return "Trading" if listing.instrument.tradable else "Closed"


def contract(call: Call, listing: Listing) -> Json:
    """One entry of instruments-info."""
    it, details = listing.instrument, call.venue.details_of(listing)
    return {
        "symbol": it.venue_symbol,
        "contractType": "LinearPerpetual",
        "status": status_of(listing),
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "launchTime": details.launch_time,
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": details.price_scale,
        "leverageFilter": {
            "minLeverage": plain(listing.min_leverage),
            "maxLeverage": format(it.max_leverage, "f"),
            "leverageStep": format(listing.leverage_step, "f"),
        },
        "priceFilter": {
            "minPrice": format(it.tick, "f"),
            "maxPrice": details.max_price,
            "tickSize": format(it.tick, "f"),
        },
        "lotSizeFilter": {
            "maxOrderQty": on(it.max_contracts, it.lot),
            "minOrderQty": on(it.min_contracts, it.lot),
            "qtyStep": format(it.lot, "f"),
            "postOnlyMaxOrderQty": on(it.max_contracts, it.lot),
            "maxMktOrderQty": on(it.max_market_contracts, it.lot),
            "minNotionalValue": plain(it.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": details.funding_interval_min,
        "settleCoin": it.settle,
        "copyTrading": "none",
        "upperFundingRate": details.funding_cap,
        "lowerFundingRate": f"-{details.funding_cap}",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {
            "priceLimitRatioX": plain(details.price_limit_x),
            "priceLimitRatioY": plain(details.price_limit_y),
        },
        "displayName": "",
        "symbolType": "",
        "forbidUplWithdrawal": False,
    }


# --- prices -----------------------------------------------------------------------------------------------------------


def tickers(call: Call) -> Json:
    """One contract, or all of them. The simulator knows no turnover: volumes and open interest are 0."""
    category = call.category()
    if category != LINEAR:
        return {"category": category, "list": NO_CONTRACTS}
    listings = [call.listing()] if call.params.text("symbol") else call.exchange.listings()
    return {"category": category, "list": [ticker(call, it) for it in listings]}


def ticker(call: Call, listing: Listing) -> Json:
    it, quote = listing.instrument, call.exchange.quote(listing.symbol)
    day_ago, hour_ago = (call.venue.earlier_price(listing, age_s) for age_s in (86_400.0, 3_600.0))
    last = on(quote.last, it.tick)
    return {
        "symbol": it.venue_symbol,
        "lastPrice": last,
        "indexPrice": on(quote.index, it.tick),
        "markPrice": on(quote.mark, it.tick),
        "prevPrice24h": on(day_ago, it.tick),
        "price24hPcnt": plain((quote.last / day_ago - 1).quantize(Decimal("0.000001"))),
        "highPrice24h": on(max(quote.last, day_ago, hour_ago), it.tick),
        "lowPrice24h": on(min(quote.last, day_ago, hour_ago), it.tick),
        "prevPrice1h": on(hour_ago, it.tick),
        "openInterest": "0",
        "openInterestValue": "0",
        "turnover24h": "0",
        "volume24h": "0",
        "fundingRate": plain(quote.funding_rate),
        "nextFundingTime": str(call.stamp_ms(quote.next_funding_at)),
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        "ask1Size": on(quote.ask_contracts, it.lot),
        "bid1Price": on(quote.bid, it.tick),
        "ask1Price": on(quote.ask, it.tick),
        "bid1Size": on(quote.bid_contracts, it.lot),
        "basis": "",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
        "fundingIntervalHour": str(int(call.exchange.rules.funding_interval_s // 3600)),
        "basisRateYear": "",
        "fundingCap": call.venue.details_of(listing).funding_cap,
    }


def past_price(call: Call, listing: Listing, at: float) -> Decimal:
    """The mark price at an instant, on the tick."""
    return call.exchange.state.mark(listing.symbol, at)


def orderbook(call: Call) -> Json:
    """The book, best levels first; `u` and `seq` grow with everything the venue books."""
    call.linear()
    listing = call.listing()
    bids, asks = call.exchange.book(listing.symbol, call.params.integer("limit", 25, 1, 1000))
    now_ms, seq = call.now_ms(), call.exchange.state.seq
    it = listing.instrument

    def side(levels: tuple[Level, ...]) -> list[list[str]]:
        return [[on(level.price, it.tick), on(level.contracts, it.lot)] for level in levels]

    return {"s": it.venue_symbol, "b": side(bids), "a": side(asks), "ts": now_ms, "u": seq, "seq": seq, "cts": now_ms}


def order_price_limit(call: Call) -> Json:
    """The highest buy and the lowest sell price."""
    listing = call.listing()
    quote: Quote = call.exchange.quote(listing.symbol)
    details, tick = call.venue.details_of(listing), listing.instrument.tick
    limits = [on(price_limit(details, quote, side, tick), tick) for side in (Side.BUY, Side.SELL)]
    return {
        "symbol": listing.instrument.venue_symbol,
        "buyLmt": limits[0],
        "sellLmt": limits[1],
        "ts": str(call.now_ms()),
    }


# --- history ----------------------------------------------------------------------------------------------------------


def klines(call: Call) -> Json:
    """Candles of the mark price, newest first, the running one included; without turnover."""
    call.linear()
    listing = call.listing()
    minutes = INTERVALS_MIN[call.params.one_of("interval", INTERVALS_MIN)]
    limit = call.params.integer("limit", 200, 1, 1000)
    span_ms, now_ms = minutes * 60_000, call.now_ms()
    end = min(call.params.integer("end", now_ms, 0, 1 << 62), now_ms)
    first = call.params.integer("start", 0, 0, 1 << 62)
    newest = end - end % span_ms
    starts = [at for at in range(newest, newest - span_ms * limit, -span_ms) if at >= first]
    rows = [candle(call, listing, at, span_ms) for at in starts]
    return {"symbol": listing.instrument.venue_symbol, "category": LINEAR, "list": rows}


def candle(call: Call, listing: Listing, start_ms: int, span_ms: int) -> list[str]:
    offset_ms = call.now_ms() - round(call.exchange.clock.time() * 1000)
    last_ms = min(start_ms + span_ms, call.now_ms())
    points = [start_ms + (last_ms - start_ms) * n // POINTS_PER_CANDLE for n in range(POINTS_PER_CANDLE + 1)]
    prices = [past_price(call, listing, (point - offset_ms) / 1000) for point in points]
    shown = [on(price, listing.instrument.tick) for price in (prices[0], max(prices), min(prices), prices[-1])]
    return [str(start_ms), *shown, "0", "0"]


def funding_history(call: Call) -> Json:
    """Funding rates settled so far, newest first. A start without an end is refused, as documented."""
    call.linear()
    listing = call.listing()
    limit = call.params.integer("limit", 200, 1, 200)
    start, end = (call.params.integer(name, -1, 0, 1 << 62) for name in ("startTime", "endTime"))
    if start >= 0 and end < 0:
        raise refuse_parameter("startTime needs endTime")
    newest_first = settled(call, end if end >= 0 else call.now_ms())
    rows = [
        {
            "symbol": listing.instrument.venue_symbol,
            "fundingRate": plain(listing.funding_rate),
            "fundingRateTimestamp": str(at),
        }
        for at in _first(newest_first, limit, lambda at: at >= start)
    ]
    return {"category": LINEAR, "list": rows}


def settled(call: Call, until_ms: int) -> Iterator[int]:
    """Funding instants up to `until_ms`, newest first."""
    interval_ms = round(call.exchange.rules.funding_interval_s * 1000)
    yield from range(until_ms - until_ms % interval_ms, 0, -interval_ms)


def _first(instants: Iterator[int], limit: int, wanted: Callable[[int], bool]) -> Iterator[int]:
    for number, at in enumerate(instants):
        if number == limit or not wanted(at):
            return
        yield at
