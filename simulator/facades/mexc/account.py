"""MEXC's account: money, positions, position mode, leverage, fees.

Source: https://www.mexc.com/api-docs/futures/account-and-trading-endpoints and recorded answers. Margin mode and
leverage belong to a symbol and come with the orders that open; while a position is open its mode stays, and its
leverage changes by its id, in isolated margin only.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from core.domain import ZERO, MarginMode, PositionMode
from simulator.facades.mexc.codes import MODE_IN_USE, NO_POSITION, NOT_IN_CROSS, OK, ORDERS_OPEN, REFUSALS
from simulator.facades.mexc.context import Call
from simulator.facades.mexc.public import contract_id
from simulator.facades.mexc.wire import Page, Refusal, wrong
from simulator.facades.parts import Json, ms
from simulator.model import Leg, Listing, PositionSide, PositionView, Refused

EIGHT = Decimal("0.00000001")
RATIO = Decimal("0.0001")
MARGIN_MODES = {1: MarginMode.ISOLATED, 2: MarginMode.CROSS}
OPEN_TYPES = {mode: number for number, mode in MARGIN_MODES.items()}
POSITION_MODES = {1: PositionMode.HEDGE, 2: PositionMode.ONE_WAY}
MODE_NUMBERS = {mode: number for number, mode in POSITION_MODES.items()}
LONG, SHORT = 1, 2
IDS_PER_CONTRACT = 10**13
LATEST_MS = 1 << 62


# --- money ------------------------------------------------------------------------------------------------------------


def assets(call: Call) -> list[Json]:
    """The settle currency first, then another one with nothing of it."""
    return [asset_row(call, name) for name in (call.exchange.rules.settle, "BTC")]


def asset(call: Call) -> Json:
    return asset_row(call, call.names[0])


def asset_row(call: Call, currency: str) -> Json:
    it = call.exchange.balance(call.account)
    shown = {
        "positionMargin": it.initial_margin,
        "availableBalance": it.available,
        "cashBalance": it.available,
        "frozenBalance": it.order_margin,
        "equity": it.equity,
        "unrealized": it.unrealized,
        "bonus": ZERO,
        "availableCash": it.available,
        "availableOpen": it.available,
        "debtAmount": ZERO,
        "contributeMarginAmount": ZERO,
    }
    held = currency == call.exchange.rules.settle
    return {"currency": currency, **{name: value.quantize(EIGHT) if held else ZERO for name, value in shown.items()}}


def fee_rate(call: Call) -> Json:
    rules = call.exchange.rules
    rates = {"makerFee": rules.maker_fee, "takerFee": rules.taker_fee}
    return {
        "level": 0,
        "dealAmount": ZERO,
        "walletBalance": call.exchange.balance(call.account).wallet.quantize(EIGHT),
        **rates,
        "makerFeeDiscount": 1,
        "takerFeeDiscount": 1,
        "originalMakerFee": rules.maker_fee,
        "originalTakerFee": rules.taker_fee,
        "realMakerFee": rules.maker_fee,
        "realTakerFee": rules.taker_fee,
    }


# --- positions --------------------------------------------------------------------------------------------------------


def open_positions(call: Call) -> list[Json]:
    """Open positions only, without pages: sizes positive beside a type."""
    symbol = call.symbol_or_none()
    with call.venue.lag.positions():
        views = call.exchange.positions(call.account, symbol)
    return [position_row(call, view) for view in views if view.contracts]


def position_id(call: Call, leg: Leg) -> int:
    """A position has its own id from opening to closing or turning round."""
    number = 2 * contract_id(call, call.exchange.listing(leg.symbol)) + type_of(leg)
    return number * IDS_PER_CONTRACT + ms(leg.opened_at) % IDS_PER_CONTRACT


def position_row(call: Call, view: PositionView) -> Json:
    leg, listing = view.leg, call.exchange.listing(view.symbol)
    size, entry, closed = abs(leg.contracts), leg.entry_price, not leg.contracts
    return {
        "positionId": position_id(call, leg),
        "symbol": listing.instrument.venue_symbol,
        "positionType": type_of(leg),
        "openType": OPEN_TYPES[view.margin_mode],
        "state": 3 if closed else 1,
        "holdVol": size,
        "frozenVol": ZERO,
        "closeVol": ZERO,
        "holdAvgPrice": entry.quantize(EIGHT),
        "holdAvgPriceFullyScale": format(entry, ".18f"),
        "openAvgPrice": entry.quantize(EIGHT),
        "openAvgPriceFullyScale": format(entry, ".18f"),
        "closeAvgPrice": ZERO,
        "liquidatePrice": max(view.liquidation_price or ZERO, ZERO).quantize(EIGHT),
        "oim": view.margin.quantize(EIGHT),
        "im": view.margin.quantize(EIGHT),
        "holdFee": ZERO,
        "realised": leg.realized.quantize(EIGHT),
        "leverage": int(view.leverage),
        "marginRatio": (view.maintenance / view.margin).quantize(RATIO) if view.margin else ZERO,
        "adlLevel": 1,
        "autoAddIm": False,
        "createTime": call.stamp_ms(leg.opened_at),
        "updateTime": call.stamp_ms(leg.updated_at),
    }


def type_of(leg: Leg) -> int:
    short = leg.contracts < 0 or leg.position_side is PositionSide.SHORT
    return SHORT if short else LONG


def funding_records(call: Call) -> object:
    """Of one position type and a span, newest first; positive was received."""
    params, wanted = call.params, call.params.integer("position_type", 0, LONG, SHORT)
    if not wanted:
        raise wrong("position_type")
    start, end = (params.integer(name, -1, 0, LATEST_MS) for name in ("start_time", "end_time"))
    if start < 0 or end < 0:
        raise wrong("start_time")
    rows: list[Json] = []
    for one in call.exchange.funding(call.account, symbol=call.symbol_or_none()):
        it, at_ms = call.exchange.listing(one.symbol).instrument, call.stamp_ms(one.at)
        kind = LONG if one.contracts > 0 else SHORT
        if kind == wanted and start <= at_ms <= end:
            rows.append(
                {
                    "id": one.seq,
                    "symbol": it.venue_symbol,
                    "positionType": kind,
                    "positionValue": (abs(it.quantity(one.contracts)) * one.mark).quantize(EIGHT),
                    "funding": one.amount.quantize(EIGHT),
                    "rate": one.rate,
                    "settleTime": at_ms,
                }
            )
    return Page.of(params).answer(rows, framed=True)


# --- modes and leverage -----------------------------------------------------------------------------------------------


def position_mode(call: Call) -> int:
    return MODE_NUMBERS[call.exchange.info(call.account).position_mode]


def change_position_mode(call: Call) -> None:
    """Of the account, while nothing is open."""
    wanted = POSITION_MODES.get(call.params.integer("positionMode", 0, 0, 9))
    if wanted is None:
        raise wrong("positionMode")
    if call.exchange.orders(call.account, open_only=True) or call.exchange.positions(call.account):
        raise Refusal(MODE_IN_USE)
    unless_as_asked(lambda: call.exchange.set_position_mode(call.account, wanted))


def unless_as_asked(change: Callable[[], None]) -> None:
    """A setting that is as asked already is a success."""
    try:
        change()
    except Refused as refused:
        if REFUSALS[refused.reason] != OK:
            raise


def leverage(call: Call) -> list[Json]:
    """A row for each position type; the simulator keeps one leverage for both."""
    listing = call.listing()
    shared = {
        "level": 1,
        "maxVol": listing.instrument.max_contracts,
        "mmr": listing.maintenance_rate,
        "imr": (1 / listing.instrument.max_leverage).quantize(RATIO),
        "openType": OPEN_TYPES[call.exchange.margin_mode(call.account, listing.symbol)],
        "leverage": int(call.exchange.leverage(call.account, listing.symbol)),
        "limitBySys": False,
        "currentMmr": listing.maintenance_rate,
        "maxLeverageView": int(listing.instrument.max_leverage),
    }
    return [{**shared, "positionType": kind} for kind in (LONG, SHORT)]


def change_leverage(call: Call) -> None:
    """Of an open position by its id; of a symbol without one by its name, and then its margin mode as well."""
    params = call.params
    wanted = Decimal(params.integer("leverage", 0, 0, 1 << 31))
    if not wanted:
        raise wrong("leverage")
    if params.given("positionId"):
        listing = _of_position(call, params.integer("positionId", 0, 1, 1 << 62))
    else:
        listing = _without_position(call)
    if call.exchange.orders(call.account, open_only=True, symbol=listing.symbol):
        raise Refusal(ORDERS_OPEN)
    unless_as_asked(lambda: call.exchange.set_leverage(call.account, listing.symbol, wanted))
    mode = MARGIN_MODES.get(params.integer("openType", 0, 0, 9))
    if mode is not None and not params.given("positionId"):
        unless_as_asked(lambda: call.exchange.set_margin_mode(call.account, mode, listing.symbol))


def _of_position(call: Call, number: int) -> Listing:
    for view in call.exchange.positions(call.account):
        if position_id(call, view.leg) == number:
            if view.margin_mode is MarginMode.CROSS:
                raise Refusal(NOT_IN_CROSS)
            return call.exchange.listing(view.symbol)
    raise Refusal(NO_POSITION)


def _without_position(call: Call) -> Listing:
    listing = call.listing()
    for name, known in (("openType", MARGIN_MODES), ("positionType", (LONG, SHORT))):
        if call.params.integer(name, 0, 0, 9) not in known:
            raise wrong(name)
    if any(view.contracts for view in call.exchange.positions(call.account, listing.symbol)):
        raise wrong("positionId")
    return listing
