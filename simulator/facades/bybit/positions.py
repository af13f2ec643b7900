"""Bybit's positions. Sources: https://bybit-exchange.github.io/docs/v5/position and a recorded answer."""

from __future__ import annotations

from decimal import Decimal

from core.domain import PositionMode, plain
from simulator.facades.bybit.codes import INSUFFICIENT_AVAILABLE, MESSAGES, UNAVAILABLE_TO_UNIFIED
from simulator.facades.bybit.context import LINEAR, Call
from simulator.facades.bybit.details import position_limit
from simulator.facades.bybit.wire import Json, Page, Refusal, money, on, refuse_parameter
from simulator.model import Listing, PositionSide, PositionView, Reason, Refused

POSITION_IDX = {PositionSide.NET: 0, PositionSide.LONG: 1, PositionSide.SHORT: 2}
ONE_WAY, BOTH_SIDES = 0, 3
NEVER_TRADED = -1
LEAST_FEE_RATE = Decimal("0.00055")


def listed(call: Call) -> Json:
    """With `symbol` its rows even when flat, else the open positions of `settleCoin`; 20 a page, 200 at most."""
    category = call.category()
    page = Page.of(call.params, 20, 200)
    if category != LINEAR:
        return {"list": [], "nextPageCursor": "", "category": category}
    wanted = call.chosen("symbol", "settleCoin")
    symbol = call.listing().symbol if call.params.text("symbol") else None
    with call.venue.lag.positions():
        views = call.exchange.positions(call.account, symbol)
    rows = sorted(
        ((listing, view) for view in views if wanted(listing := call.exchange.listing(view.symbol))),
        key=lambda pair: _key(*pair),
    )
    chosen, cursor = page.cut(rows, lambda pair: _key(*pair))
    return {"list": [row(call, *pair) for pair in chosen], "nextPageCursor": cursor, "category": category}


def _key(listing: Listing, view: PositionView) -> str:
    return f"{listing.instrument.venue_symbol}:{POSITION_IDX[view.leg.position_side]}"


def row(call: Call, listing: Listing, view: PositionView) -> Json:
    """One position. Sizes are positive beside a `side`; a flat one has neither side nor values."""
    leg, it = view.leg, listing.instrument
    flat = not leg.contracts
    current = call.venue.realised.of(call.account, leg)
    price = view.liquidation_price
    return {
        "positionIdx": POSITION_IDX[leg.position_side],
        "riskId": 1,
        "riskLimitValue": money(position_limit(listing, view.leverage)),
        "symbol": it.venue_symbol,
        "side": "" if flat else "Buy" if leg.contracts > 0 else "Sell",
        "size": on(abs(leg.contracts), it.lot) if leg.contracts else "0",
        "avgPrice": "0" if flat else money(leg.entry_price),
        "positionValue": "" if flat else money(view.value),
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 0 if flat else 2,
        "leverage": plain(view.leverage),
        "breakEvenPrice": "" if flat else money(break_even(call, view, current)),
        "positionBalance": "0" if flat else money(view.margin),
        "markPrice": on(view.mark, it.tick),
        "liqPrice": "" if flat or price is None or price <= 0 else money(price),
        "bustPrice": "",
        "positionMM": "" if flat else money(view.maintenance),
        "positionMMByMp": "" if flat else money(view.maintenance),
        "positionIM": "" if flat else money(view.margin),
        "positionIMByMp": "" if flat else money(view.margin),
        "tpslMode": "Full",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "unrealisedPnl": "" if flat else money(view.unrealized),
        "curRealisedPnl": "0" if flat else money(current),
        "cumRealisedPnl": money(leg.realized),
        "seq": leg.seq or NEVER_TRADED,
        "isReduceOnly": False,
        "mmrSysUpdateTime": "",
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "sessionAvgPrice": "",
        "openTime": 0 if flat else call.stamp_ms(leg.opened_at),
        "createdTime": str(call.stamp_ms(leg.opened_at)) if leg.seq else "0",
        "updatedTime": str(call.stamp_ms(leg.updated_at)) if leg.seq else "0",
    }


def break_even(call: Call, view: PositionView, realised: Decimal) -> Decimal:
    """Where closing leaves nothing won or lost. Source: the documentation's formula, sizes signed."""
    size = view.contracts
    fee = max(call.exchange.rules.taker_fee, LEAST_FEE_RATE)
    return (view.leg.entry_price * size - realised) / (size - abs(size) * fee)


# --- settings ---------------------------------------------------------------------------------------------------------


def set_leverage(call: Call) -> Json:
    """Both sides of a symbol alike, flat or not. An unchanged leverage is refused with 110043."""
    call.linear()
    listing = call.listing()
    buy, sell = (call.params.number(name) for name in ("buyLeverage", "sellLeverage"))
    if buy is None or sell is None:
        raise refuse_parameter("buyLeverage and sellLeverage are required")
    if buy != sell:
        raise refuse_parameter("buyLeverage and sellLeverage must be the same")
    if buy < listing.min_leverage:
        raise refuse_parameter("buy leverage invalid")
    try:
        call.exchange.set_leverage(call.account, listing.symbol, buy)
    except Refused as refused:
        if refused.reason is not Reason.INSUFFICIENT_MARGIN:
            raise
        raise Refusal(INSUFFICIENT_AVAILABLE, MESSAGES[INSUFFICIENT_AVAILABLE]) from refused
    return {}


def switch_mode(call: Call) -> Json:
    """One-way or hedge, for a coin or a symbol; the simulator keeps one mode per account, so either switches it all.

    USDC contracts are one-way only.
    """
    call.linear()
    mode = call.params.integer("mode", -1, ONE_WAY, BOTH_SIDES)
    if mode not in (ONE_WAY, BOTH_SIDES):
        raise refuse_parameter("mode invalid")
    settle = call.listing().instrument.settle if call.params.text("symbol") else call.params.needed("coin")
    if settle != call.exchange.rules.settle:
        raise refuse_parameter("position mode cannot be switched for this coin")
    wanted = PositionMode.HEDGE if mode == BOTH_SIDES else PositionMode.ONE_WAY
    call.exchange.set_position_mode(call.account, wanted)
    return {}


def switch_isolated(call: Call) -> Json:
    """Per-symbol margin mode: classic accounts only, a unified one sets its margin mode account-wide."""
    raise Refusal(UNAVAILABLE_TO_UNIFIED, MESSAGES[UNAVAILABLE_TO_UNIFIED])
