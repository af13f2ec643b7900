"""MEXC's market data. Source of the shapes: https://www.mexc.com/api-docs/futures/market-endpoints, recorded answers.

The simulator knows no turnover: volumes are 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.domain import Side, tick_inward
from core.matching import Level
from simulator.facades.mexc.context import Call
from simulator.facades.mexc.wire import Page, wrong
from simulator.facades.parts import Json
from simulator.model import Listing

DAY_S = 86_400.0
BARS_S: Mapping[str, int] = {
    "Min1": 60, "Min5": 300, "Min15": 900, "Min30": 1800, "Min60": 3600, "Hour4": 14_400, "Hour8": 28_800,
    "Day1": 86_400, "Week1": 604_800,
}  # fmt: skip
BARS = 200
POINTS_PER_BAR = 8
ONE = Decimal(1)
FUNDING_BOUND = Decimal("0.003")
MAX_LEVELS = 50
FIRST_CONTRACT_ID = 10


def ping(call: Call) -> int:
    return call.now_ms()


# --- contracts --------------------------------------------------------------------------------------------------------


def detail(call: Call) -> object:
    """One contract, or every one in one answer; those that may not be traded over the API too."""
    if call.params.given("symbol"):
        return contract(call, call.listing())
    return [contract(call, it) for it in call.exchange.listings()]


def contract_id(call: Call, listing: Listing) -> int:
    return FIRST_CONTRACT_ID + [it.symbol for it in call.exchange.listings()].index(listing.symbol)


def contract(call: Call, listing: Listing) -> Json:
    """One contract. `apiAllowed` says whether orders for it may come over the API."""
    it, rules = listing.instrument, call.exchange.rules
    return {
        "symbol": it.venue_symbol,
        "displayName": it.venue_symbol,
        "displayNameEn": f"{it.venue_symbol} PERPETUAL",
        "positionOpenType": 3,
        "baseCoin": it.base,
        "quoteCoin": it.quote,
        "settleCoin": it.settle,
        "contractSize": it.contract_size,
        "minLeverage": int(listing.min_leverage),
        "maxLeverage": int(it.max_leverage),
        "priceScale": _scale(it.tick),
        "volScale": _scale(it.lot),
        "amountScale": 4,
        "priceUnit": it.tick,
        "volUnit": it.lot,
        "minVol": it.min_contracts,
        "maxVol": it.max_market_contracts,
        "limitMaxVol": it.max_contracts,
        "bidLimitPriceRate": rules.price_band,
        "askLimitPriceRate": rules.price_band,
        "takerFeeRate": rules.taker_fee,
        "makerFeeRate": rules.maker_fee,
        "maintenanceMarginRate": listing.maintenance_rate,
        "initialMarginRate": (ONE / it.max_leverage).normalize(),
        "riskBaseVol": it.max_contracts,
        "riskIncrVol": it.max_contracts,
        "riskIncrMmr": listing.maintenance_rate,
        "riskIncrImr": listing.maintenance_rate,
        "riskLevelLimit": 1,
        "priceCoefficientVariation": Decimal("0.1"),
        "indexOrigin": ["SIMULATED"],
        "state": 0,
        "isNew": False,
        "isHot": False,
        "isHidden": False,
        "riskLimitType": "BY_VOLUME",
        "maxNumOrders": [200, rules.max_open_orders],
        "apiAllowed": it.tradable,
        "id": contract_id(call, listing),
    }


def _scale(step: Decimal) -> int:
    """How many decimals a multiple of `step` has."""
    exponent = step.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


# --- prices -----------------------------------------------------------------------------------------------------------


def tickers(call: Call) -> object:
    if call.params.given("symbol"):
        return ticker(call, call.listing())
    return [ticker(call, it) for it in call.exchange.listings()]


def ticker(call: Call, listing: Listing) -> Json:
    it, quote, rules = listing.instrument, call.exchange.quote(listing.symbol), call.exchange.rules
    # To the minute, so that a whole market of tickers costs one look at the past a minute.
    opened = call.exchange.state.mark(listing.symbol, quote.at // 60 * 60 - DAY_S)
    moved = quote.last - opened
    return {
        "contractId": contract_id(call, listing),
        "symbol": it.venue_symbol,
        "lastPrice": quote.last,
        "bid1": quote.bid,
        "ask1": quote.ask,
        "volume24": 0,
        "amount24": 0,
        "holdVol": 0,
        "lower24Price": min(quote.last, opened),
        "high24Price": max(quote.last, opened),
        "riseFallRate": (moved / opened).quantize(Decimal("0.0001")) if opened else 0,
        "riseFallValue": moved,
        "indexPrice": quote.index,
        "fairPrice": quote.mark,
        "fundingRate": listing.funding_rate,
        "maxBidPrice": tick_inward(quote.mark * (1 + rules.price_band), it.tick, Side.BUY),
        "minAskPrice": tick_inward(quote.mark * (1 - rules.price_band), it.tick, Side.SELL),
        "timestamp": call.now_ms(),
    }


def fair_price(call: Call) -> Json:
    return _price(call, "fairPrice", call.exchange.quote(call.listing().symbol).mark)


def index_price(call: Call) -> Json:
    return _price(call, "indexPrice", call.exchange.quote(call.listing().symbol).index)


def _price(call: Call, name: str, price: Decimal) -> Json:
    return {"symbol": call.listing().instrument.venue_symbol, name: price, "timestamp": call.now_ms()}


def depth(call: Call) -> Json:
    """Levels as price, number of orders, size: the book has one order a level."""
    bids, asks = call.exchange.book(call.listing().symbol, min(call.params.integer("limit", 20, 1, 1000), MAX_LEVELS))

    def side(levels: tuple[Level, ...]) -> list[list[object]]:
        return [[level.price, level.contracts, 1] for level in levels]

    version = max(call.exchange.state.seq, 1)
    return {"asks": side(asks), "bids": side(bids), "version": version, "timestamp": call.now_ms()}


def klines(call: Call) -> Json:
    """Bars of the mark price, oldest first, the running one included."""
    listing, interval = call.listing(), call.params.text("interval", "Min1")
    if interval not in BARS_S:
        raise wrong("interval")
    span_s, now = BARS_S[interval], call.exchange.clock.time()
    last = int(now // span_s * span_s)
    bars = [_bar(call, listing, start, span_s, now) for start in range(last - (BARS - 1) * span_s, last + 1, span_s)]
    columns: dict[str, list[object]] = {name: [bar[name] for bar in bars] for name in bars[0]}
    return {**columns, "vol": [0] * BARS, "amount": [0] * BARS}


def _bar(call: Call, listing: Listing, start: int, span_s: int, now: float) -> Mapping[str, object]:
    end = min(start + span_s, now)
    points = [start + (end - start) * n / POINTS_PER_BAR for n in range(POINTS_PER_BAR + 1)]
    prices = [call.exchange.state.mark(listing.symbol, at) for at in points]
    shown = {"open": prices[0], "close": prices[-1], "high": max(prices), "low": min(prices)}
    return {"time": start, **shown}


# --- funding ----------------------------------------------------------------------------------------------------------


def funding_rate(call: Call) -> Json:
    listing, rules = call.listing(), call.exchange.rules
    return {
        "symbol": listing.instrument.venue_symbol,
        "fundingRate": listing.funding_rate,
        "maxFundingRate": FUNDING_BOUND,
        "minFundingRate": -FUNDING_BOUND,
        "collectCycle": int(rules.funding_interval_s // 3600),
        "nextSettleTime": call.stamp_ms(call.exchange.quote(listing.symbol).next_funding_at),
        "timestamp": call.now_ms(),
    }


def funding_history(call: Call) -> object:
    """Past settlements, newest first: the rate of a simulated contract never changes."""
    listing, interval_s = call.listing(), call.exchange.rules.funding_interval_s
    last = call.exchange.clock.time() // interval_s * interval_s
    rows: list[Json] = [
        {
            "symbol": listing.instrument.venue_symbol,
            "fundingRate": listing.funding_rate,
            "settleTime": call.stamp_ms(last - n * interval_s),
        }
        for n in range(BARS)
    ]
    return Page.of(call.params).answer(rows, framed=True)
