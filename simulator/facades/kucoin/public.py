"""KuCoin Futures' market data.

Shapes: https://www.kucoin.com/docs-new/rest/futures-trading/market-data and recorded answers.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import Side, tick_inward
from core.matching import Level
from simulator.facades.kucoin.context import Call
from simulator.facades.kucoin.wire import refuse_parameter
from simulator.facades.parts import Json, on
from simulator.model import Listing

PERPETUAL = "FFWCSX"
OPENED_AT = 1_585_555_200_000
NANOSECONDS = 1_000_000
GRANULARITIES_MIN = (1, 5, 15, 30, 60, 120, 240, 480, 720, 1440, 10_080)
CANDLES = 500
DEPTHS = ("20", "100")
BOOK = 200
FUNDING_ROWS = 100
PRICE_RANGE = Decimal("0.05")
"""How far through the mark an order may be priced (`orderPriceRange`)."""
LARGEST_PRICE = Decimal(1_000_000)
ONE = Decimal(1)


def timestamp(call: Call) -> int:
    return call.now_ms()


def status(call: Call) -> Json:
    return {"msg": "", "status": "open"}


def currencies(call: Call) -> list[Json]:
    """The currencies contracts settle in. A spot endpoint, asked by clients that know both markets."""
    names = sorted({it.instrument.settle for it in call.exchange.listings()})
    shared = {"precision": 8, "confirms": None, "contractAddress": None, "isMarginEnabled": False}
    return [
        {"currency": name, "name": name, "fullName": name, **shared, "isDebitEnabled": False, "chains": []}
        for name in names
    ]


# --- contracts --------------------------------------------------------------------------------------------------------


def active(call: Call) -> list[Json]:
    """Every contract in one answer, paused ones too."""
    return [contract(call, it) for it in call.exchange.listings()]


def one_contract(call: Call) -> Json:
    return contract(call, call.listing())


def price_limit(listing: Listing, mark: Decimal, side: Side) -> Decimal:
    """The highest buy or the lowest sell price, on the tick inside."""
    return tick_inward(mark * (ONE + PRICE_RANGE * side.sign), listing.instrument.tick, side)


def contract(call: Call, listing: Listing) -> Json:
    """One entry of contracts/active. Numbers are JSON numbers; volumes are 0, the simulator knows no turnover."""
    it, rules = listing.instrument, call.exchange.rules
    base = it.venue_symbol.removesuffix(f"{it.quote}M")
    return {
        "symbol": it.venue_symbol,
        "rootSymbol": it.settle,
        "type": PERPETUAL,
        "firstOpenDate": OPENED_AT,
        "expireDate": None,
        "settleDate": None,
        "baseCurrency": base,
        "quoteCurrency": it.quote,
        "settleCurrency": it.settle,
        "maxOrderQty": it.max_contracts,
        "marketMaxOrderQty": it.max_market_contracts,
        "maxPrice": LARGEST_PRICE,
        "lotSize": it.lot,
        "tickSize": it.tick,
        "indexPriceTickSize": it.tick,
        "multiplier": it.contract_size,
        "initialMargin": (ONE / it.max_leverage).quantize(Decimal("0.0001")),
        "maintainMargin": listing.maintenance_rate,
        "maxRiskLimit": 2_000_000,
        "minRiskLimit": 2_000_000,
        "riskStep": 1_000_000,
        "makerFeeRate": rules.maker_fee,
        "takerFeeRate": rules.taker_fee,
        "takerFixFee": Decimal(0),
        "makerFixFee": Decimal(0),
        "settlementFee": None,
        **_rules(listing, base),
        **_figures(call, listing),
    }


def _rules(listing: Listing, base: str) -> Json:
    """How it is marked and funded, and the names of the indexes behind that."""
    it = listing.instrument
    return {
        "isDeleverage": True,
        "isQuanto": False,
        "isInverse": False,
        "markMethod": "FairPrice",
        "fairMethod": "FundingRate",
        "fundingBaseSymbol": f".{base}INT8H",
        "fundingQuoteSymbol": f".{it.quote}INT8H",
        "fundingRateSymbol": f".{it.venue_symbol}FPI8H",
        "indexSymbol": f".K{base}{it.quote}",
        "settlementSymbol": "",
        "status": "Open" if it.tradable else "Paused",
        "maxLeverage": it.max_leverage,
        "sourceExchanges": ["kucoin"],
        "premiumsSymbol1M": f".{it.venue_symbol}PI",
        "premiumsSymbol8H": f".{it.venue_symbol}PI8H",
        "fundingBaseSymbol1M": f".{base}INT",
        "fundingQuoteSymbol1M": f".{it.quote}INT",
        "k": Decimal(490),
        "m": Decimal(300),
        "f": Decimal("1.3"),
        "mmrLimit": Decimal("0.3"),
        "mmrLevConstant": it.max_leverage,
        "supportCross": True,
    }


def _figures(call: Call, listing: Listing) -> Json:
    """What moves."""
    rules, quote = call.exchange.rules, call.exchange.quote(listing.symbol)
    return {
        "fundingFeeRate": quote.funding_rate,
        "predictedFundingFeeRate": quote.funding_rate,
        "fundingRateGranularity": int(rules.funding_interval_s * 1000),
        "openInterest": "0",
        "turnoverOf24h": Decimal(0),
        "volumeOf24h": Decimal(0),
        "markPrice": quote.mark,
        "indexPrice": quote.index,
        "lastTradePrice": quote.last,
        "nextFundingRateTime": int((quote.next_funding_at - quote.at) * 1000),
        "nextFundingRateDateTime": call.stamp_ms(quote.next_funding_at),
        "lowPrice": quote.last,
        "highPrice": quote.last,
        "priceChgPct": Decimal(0),
        "priceChg": Decimal(0),
        "buyLimit": price_limit(listing, quote.mark, Side.BUY),
        "sellLimit": price_limit(listing, quote.mark, Side.SELL),
    }


# --- prices -----------------------------------------------------------------------------------------------------------


def ticker(call: Call) -> Json:
    return ticker_row(call, call.listing())


def all_tickers(call: Call) -> list[Json]:
    return [ticker_row(call, it) for it in call.exchange.listings()]


def ticker_row(call: Call, listing: Listing) -> Json:
    """The last trade and the best of the book; prices are texts, the time is in nanoseconds."""
    it, quote, seq = listing.instrument, call.exchange.quote(listing.symbol), call.exchange.state.seq
    return {
        "sequence": seq,
        "symbol": it.venue_symbol,
        "side": "buy",
        "size": int(it.lot),
        "tradeId": str(seq),
        "price": on(quote.last, it.tick),
        "bestBidPrice": on(quote.bid, it.tick),
        "bestBidSize": int(quote.bid_contracts),
        "bestAskPrice": on(quote.ask, it.tick),
        "bestAskSize": int(quote.ask_contracts),
        "ts": call.now_ms() * NANOSECONDS,
    }


def mark_price(call: Call) -> Json:
    listing = call.listing()
    quote = call.exchange.quote(listing.symbol)
    return {
        "symbol": listing.instrument.venue_symbol,
        "granularity": 1000,
        "timePoint": call.now_ms() // 1000 * 1000,
        "value": quote.mark,
        "indexPrice": quote.index,
    }


def snapshot(call: Call) -> Json:
    return book(call, call.listing(), BOOK)


def part_book(call: Call) -> Json:
    if call.name not in DEPTHS:
        raise refuse_parameter("size parameter invalid.")
    return book(call, call.exchange.listing_at(call.params.needed("symbol")), int(call.name))


def book(call: Call, listing: Listing, depth: int) -> Json:
    """Best levels first, prices and sizes as JSON numbers."""
    bids, asks = call.exchange.book(listing.symbol, depth)

    def side(levels: tuple[Level, ...]) -> list[list[object]]:
        return [[level.price, int(level.contracts)] for level in levels]

    return {
        "sequence": call.exchange.state.seq,
        "symbol": listing.instrument.venue_symbol,
        "bids": side(bids),
        "asks": side(asks),
        "ts": call.now_ms() * NANOSECONDS,
    }


# --- history ----------------------------------------------------------------------------------------------------------


def klines(call: Call) -> list[list[object]]:
    """Candles of the mark price, oldest first, 500 at most, without volume."""
    listing = call.listing()
    minutes = call.params.integer("granularity", 1, 1, GRANULARITIES_MIN[-1])
    if minutes not in GRANULARITIES_MIN:
        raise refuse_parameter("granularity parameter invalid.")
    span_ms, now_ms = minutes * 60_000, call.now_ms()
    end_ms = min(call.params.integer("to", now_ms, 0, 1 << 62), now_ms)
    newest = end_ms - end_ms % span_ms
    start_ms = call.params.integer("from", newest - span_ms * (CANDLES - 1), 0, 1 << 62)
    starts = [at for at in range(newest, newest - span_ms * CANDLES, -span_ms) if at >= start_ms]
    return [candle(call, listing, at, span_ms) for at in reversed(starts)]


def candle(call: Call, listing: Listing, start_ms: int, span_ms: int) -> list[object]:
    offset_ms = call.now_ms() - round(call.exchange.clock.time() * 1000)
    last_ms = min(start_ms + span_ms, call.now_ms())
    points = [start_ms + (last_ms - start_ms) * n // 8 for n in range(9)]
    prices = [call.exchange.state.mark(listing.symbol, (at - offset_ms) / 1000) for at in points]
    return [start_ms, prices[0], max(prices), min(prices), prices[-1], 0]


def funding_rate(call: Call) -> Json:
    listing = call.listing()
    quote, interval_ms = call.exchange.quote(listing.symbol), int(call.exchange.rules.funding_interval_s * 1000)
    due_ms = call.stamp_ms(quote.next_funding_at)
    return {
        "symbol": f".{listing.instrument.venue_symbol}FPI8H",
        "granularity": interval_ms,
        "timePoint": due_ms - interval_ms,
        "value": quote.funding_rate,
        "predictedValue": quote.funding_rate,
        "fundingRateCap": Decimal("0.003"),
        "fundingRateFloor": Decimal("-0.003"),
        "period": 0,
        "fundingTime": due_ms,
    }


def funding_rates(call: Call) -> list[Json]:
    """Settled so far within `from` and `to`, newest first."""
    listing = call.listing()
    start_ms, end_ms = (call.params.integer(name, -1, 0, 1 << 62) for name in ("from", "to"))
    if start_ms < 0 or end_ms < start_ms:
        raise refuse_parameter("from and to are required")
    interval_ms = int(call.exchange.rules.funding_interval_s * 1000)
    newest = min(end_ms, call.now_ms())
    instants = range(newest - newest % interval_ms, start_ms - 1, -interval_ms)
    return [
        {"symbol": listing.instrument.venue_symbol, "fundingRate": listing.funding_rate, "timepoint": at}
        for at in instants[:FUNDING_ROWS]
    ]
