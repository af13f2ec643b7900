"""KuCoin Futures' account: money, modes, leverage, fees, positions.

Sources: https://www.kucoin.com/docs-new/rest/futures-trading/positions, /rest/account-info and recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from core.domain import ZERO, MarginMode, PositionMode, plain
from simulator.checks import leverage_fits
from simulator.facades.kucoin.codes import REFUSALS, SUCCESS
from simulator.facades.kucoin.context import ONE, Call
from simulator.facades.kucoin.wire import refuse_parameter
from simulator.facades.parts import Json
from simulator.model import Listing, PositionSide, PositionView, Refused

EIGHT = Decimal("0.00000001")
TEN = Decimal("0.0000000001")
CENT = Decimal("0.01")
MARGIN_MODES = {"ISOLATED": MarginMode.ISOLATED, "CROSS": MarginMode.CROSS}
MARGIN_MODE_NAMES = {mode: name for name, mode in MARGIN_MODES.items()}
POSITION_MODES = {"0": PositionMode.ONE_WAY, "1": PositionMode.HEDGE}
SIDES = {PositionSide.NET: "BOTH", PositionSide.LONG: "LONG", PositionSide.SHORT: "SHORT"}
FIRST_POSITION_ID = 500_000_000_000_000_000


def overview(call: Call) -> Json:
    """One currency's futures wallet; XBT where none is named. Others than the settle currency are empty."""
    currency = call.params.text("currency", "XBT")
    held = currency == call.exchange.rules.settle
    it = call.exchange.balance(call.account)
    shown = {
        "accountEquity": it.equity,
        "unrealisedPNL": it.unrealized,
        "marginBalance": it.wallet,
        "positionMargin": it.initial_margin,
        "orderMargin": it.order_margin,
        "frozenFunds": ZERO,
        "availableBalance": it.available,
    }
    risk = it.maintenance_margin / it.equity if it.equity > 0 else ZERO
    return {
        **{name: value.quantize(EIGHT) if held else ZERO for name, value in shown.items()},
        "currency": currency,
        "riskRatio": risk.quantize(EIGHT) if held else ZERO,
        "maxWithdrawAmount": it.available.quantize(EIGHT) if held else ZERO,
    }


def fees(call: Call) -> Json:
    rules = call.exchange.rules
    return {
        "symbol": call.listing().instrument.venue_symbol,
        "takerFeeRate": plain(rules.taker_fee),
        "makerFeeRate": plain(rules.maker_fee),
    }


def account_mode(call: Call) -> Json:
    """The classic account; asked by clients that also know the unified one."""
    return {"selfAccountMode": "CLASSIC", "unifiedSubAccount": [], "classicSubAccount": []}


def margin_symbols(call: Call) -> Json:
    """The spot markets with cross margin: none. Asked by clients that know both markets."""
    return {"timestamp": call.now_ms(), "items": []}


def isolated_symbols(call: Call) -> list[Json]:
    """The spot markets with isolated margin: none."""
    return []


def high_frequency(call: Call) -> bool:
    """Whether the spot side has a high-frequency wallet: it has no side at all."""
    return False


# --- modes and leverage -----------------------------------------------------------------------------------------------


def get_margin_mode(call: Call) -> Json:
    listing = call.listing()
    mode = call.exchange.margin_mode(call.account, listing.symbol)
    return {"symbol": listing.instrument.venue_symbol, "marginMode": MARGIN_MODE_NAMES[mode]}


def change_margin_mode(call: Call) -> Json:
    """Of one symbol, while nothing is open on it; one that is as asked already is a success."""
    listing = call.listing()
    mode = MARGIN_MODES[call.params.one_of("marginMode", MARGIN_MODES)]
    cross = call.venue.cross_leverage(call.account, listing)
    _unless_as_asked(lambda: call.exchange.set_margin_mode(call.account, mode, listing.symbol))
    held = call.exchange.state.accounts[call.account]
    if mode is MarginMode.CROSS:
        held.leverages[listing.symbol] = cross
    else:
        call.venue.cross[call.account, listing.symbol] = cross
    return get_margin_mode(call)


def get_position_mode(call: Call) -> Json:
    mode = call.exchange.info(call.account).position_mode
    unset = call.account in call.venue.unset
    return {"positionMode": None if unset else 1 if mode is PositionMode.HEDGE else 0}


def switch_position_mode(call: Call) -> Json:
    """Of the account, while nothing is open; one that is as asked already is a success."""
    wanted = POSITION_MODES.get(str(call.params.integer("positionMode", -1, 0, 1)))
    if wanted is None:
        raise refuse_parameter("positionMode parameter invalid.")
    _unless_as_asked(lambda: call.exchange.set_position_mode(call.account, wanted))
    call.venue.unset.discard(call.account)
    return get_position_mode(call)


def get_cross_leverage(call: Call) -> Json:
    listing = call.listing()
    leverage = call.venue.cross_leverage(call.account, listing)
    return {"symbol": listing.instrument.venue_symbol, "leverage": plain(leverage)}


def change_cross_leverage(call: Call) -> bool:
    """In force at once where the symbol is in cross margin, an open position included."""
    listing, leverage = call.listing(), call.params.number("leverage")
    if leverage is None:
        raise refuse_parameter("leverage is required")
    leverage_fits(listing, leverage)
    if call.exchange.margin_mode(call.account, listing.symbol) is MarginMode.CROSS:
        _unless_as_asked(lambda: call.exchange.set_leverage(call.account, listing.symbol, leverage))
    else:
        call.venue.cross[call.account, listing.symbol] = leverage
    return True


def _unless_as_asked(change: Callable[[], None]) -> None:
    try:
        change()
    except Refused as refused:
        if REFUSALS[refused.reason] != SUCCESS:
            raise


# --- positions --------------------------------------------------------------------------------------------------------


def positions(call: Call) -> list[Json]:
    """Open positions, all of them or those of a settle currency; no pages."""
    currency = call.params.text("currency")
    with call.venue.lag.positions():
        views = call.exchange.positions(call.account)
    listed = ((call.exchange.listing(view.symbol), view) for view in views)
    return [row(call, it, view) for it, view in listed if currency in ("", it.instrument.settle)]


def one_position(call: Call) -> Json:
    """The symbol's position, also when flat; in hedge mode the first leg."""
    return _of_symbol(call)[0]


def position_v2(call: Call) -> list[Json]:
    return _of_symbol(call)


def _of_symbol(call: Call) -> list[Json]:
    listing = call.listing()
    with call.venue.lag.positions():
        views = call.exchange.positions(call.account, listing.symbol)
    return [row(call, listing, view) for view in views]


def row(call: Call, listing: Listing, view: PositionView) -> Json:
    """One position. In isolated margin `leverage` and `realLeverage` are the value over the margin at hand."""
    leg, it = view.leg, listing.instrument
    sign = ONE if leg.contracts >= 0 else -ONE
    crossed = view.margin_mode is MarginMode.CROSS
    margin = view.value / view.leverage if crossed else call.venue.margins.of(call.account, view)
    value, flat = it.notional(leg.contracts, view.mark), not leg.contracts
    at_hand = margin + view.unrealized
    real = (value / at_hand).quantize(CENT) if at_hand > 0 and not flat else ZERO
    shared = {
        "id": str(FIRST_POSITION_ID + sorted(call.exchange.state.listings).index(listing.symbol)),
        "symbol": it.venue_symbol,
        "crossMode": crossed,
        "delevPercentage": Decimal("0.5"),
        "openingTimestamp": call.stamp_ms(leg.opened_at),
        "currentTimestamp": call.now_ms(),
        "currentQty": int(leg.contracts),
        "currentCost": (view.value * sign).quantize(EIGHT),
        "currentComm": ZERO,
        "unrealisedCost": (view.value * sign).quantize(EIGHT),
        "realisedGrossCost": ZERO,
        "realisedCost": ZERO,
        "isOpen": not flat,
        "markPrice": view.mark,
        "markValue": (value * sign).quantize(EIGHT),
        "posCost": (view.value * sign).quantize(EIGHT),
        "posInit": ZERO if flat else margin.quantize(TEN),
        "posMargin": ZERO if flat else margin.quantize(TEN),
        "realisedGrossPnl": ZERO,
        "realisedPnl": leg.realized.quantize(EIGHT),
        "unrealisedPnl": view.unrealized.quantize(EIGHT),
        "unrealisedPnlPcnt": _share(view.unrealized, view.value),
        "unrealisedRoePcnt": _share(view.unrealized, margin),
        "avgEntryPrice": leg.entry_price.quantize(EIGHT),
        "liquidationPrice": (view.liquidation_price or ZERO).quantize(EIGHT),
        "bankruptPrice": (view.bankruptcy_price or ZERO).quantize(EIGHT),
        "settleCurrency": it.settle,
        "isInverse": False,
        "marginMode": MARGIN_MODE_NAMES[view.margin_mode],
        "positionSide": SIDES[leg.position_side],
        "leverage": view.leverage if crossed else real,
    }
    return shared if crossed else {**shared, **_isolated(listing, view, real)}


def _isolated(listing: Listing, view: PositionView, real: Decimal) -> Json:
    return {
        "autoDeposit": False,
        "maintMarginReq": listing.maintenance_rate,
        "riskLimit": 2_000_000,
        "realLeverage": real,
        "posCross": ZERO,
        "posCrossMargin": ZERO,
        "posComm": ZERO,
        "posCommCommon": ZERO,
        "posLoss": ZERO,
        "posFunding": ZERO,
        "posMaint": view.maintenance.quantize(EIGHT),
        "maintMargin": (view.margin + view.unrealized).quantize(EIGHT),
        "maintainMargin": listing.maintenance_rate,
    }


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(Decimal("0.0001")) if whole > 0 else ZERO
