"""BloFin's account: key, balance, positions, modes, leverage.

Source: https://docs.blofin.com, sections Trading, Account and User, and recorded answers. Margin mode and position mode
belong to the whole account and change only while nothing is open.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from core.domain import ZERO, MarginMode, PositionMode, plain
from simulator.facades.blofin.codes import CROSS_ORDERS, TOO_MANY_INSTRUMENTS
from simulator.facades.blofin.context import Call
from simulator.facades.blofin.wire import Refusal, long
from simulator.facades.parts import Json, ms
from simulator.model import Listing, PositionSide, PositionView, Reason, Refused

MARGIN_MODES = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
POSITION_MODES = {"net_mode": PositionMode.ONE_WAY, "long_short_mode": PositionMode.HEDGE}
POSITION_MODE_NAMES = {mode: name for name, mode in POSITION_MODES.items()}
SIDES = {PositionSide.NET: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}
LEGS = {name: side for side, name in SIDES.items()}
UNCHANGED = (Reason.LEVERAGE_NOT_MODIFIED, Reason.MARGIN_MODE_NOT_MODIFIED, Reason.POSITION_MODE_NOT_MODIFIED)
MOST_INSTRUMENTS = 20
CREATED_AT = 1_704_067_200.0
UID_BASE = 24_600_000
UNBOUND_KEY_S = 90 * 86_400.0
"""A key that is bound to no address ends after this time."""


def query_apikey(call: Call) -> Json:
    """What the key may do. A key without the trade right is read-only."""
    uid = UID_BASE + call.exchange.accounts().index(call.account)
    bound = call.venue.addresses.get(call.account)
    return {
        "uid": str(uid),
        "apiName": call.account,
        "apiKey": call.exchange.keys(call.account).api_key,
        "readOnly": 0 if call.exchange.info(call.account).can_trade else 1,
        "ips": sorted(bound or ()),
        "type": 1,
        "expireTime": "0" if bound else str(ms(call.exchange.time() + UNBOUND_KEY_S)),
        "createTime": str(ms(CREATED_AT)),
        "referralCode": "",
        "parentUid": "0",
    }


def config(call: Call) -> Json:
    """A normal account, not a unified one."""
    return {"accountLevel": "0"}


def balance(call: Call) -> Json:
    """The settle currency; a coin with nothing of it is left out."""
    it = call.exchange.balance(call.account)
    views = call.exchange.positions(call.account)
    isolated = [view for view in views if view.margin_mode is MarginMode.ISOLATED]
    unrealized = sum((view.unrealized for view in isolated), ZERO)
    locked = sum((view.margin for view in isolated), ZERO) + unrealized
    coin = {
        "currency": call.exchange.rules.settle,
        "equity": long(it.equity),
        "balance": long(it.wallet),
        "ts": call.now(),
        "isolatedEquity": long(locked),
        "available": long(it.available),
        "availableEquity": long(it.available),
        "frozen": long(it.initial_margin + it.order_margin),
        "orderFrozen": long(it.order_margin),
        "equityUsd": long(it.equity),
        "isolatedUnrealizedPnl": long(unrealized),
        "bonus": "0",
    }
    return {
        "ts": call.now(),
        "totalEquity": long(it.equity),
        "isolatedEquity": long(locked),
        "details": [coin] if it.equity or it.wallet else [],
    }


# --- positions --------------------------------------------------------------------------------------------------------


def positions(call: Call) -> list[Json]:
    """Open positions only."""
    symbol = call.listing().symbol if call.params.text("instId") else None
    with call.venue.lag.positions():
        views = call.exchange.positions(call.account, symbol)
    return [row(call, call.exchange.listing(view.symbol), view) for view in views if view.contracts]


def row(call: Call, listing: Listing, view: PositionView) -> Json:
    """One position: signed in net mode, positive beside a side in hedge mode."""
    leg = view.leg
    net = leg.position_side is PositionSide.NET
    size = plain(leg.contracts if net else abs(leg.contracts))
    cross = view.margin_mode is MarginMode.CROSS
    margin = {"initialMargin": long(view.margin)} if cross else {"margin": long(view.margin)}
    edge = view.liquidation_price
    return {
        "positionId": str(UID_BASE + leg.seq),
        "instId": listing.instrument.venue_symbol,
        "instType": "SWAP",
        "marginMode": view.margin_mode.value,
        "positionSide": SIDES[leg.position_side],
        "adl": "1",
        "positions": size,
        "availablePositions": size,
        "averagePrice": long(leg.entry_price),
        **margin,
        "markPrice": plain(view.mark),
        "marginRatio": long((view.margin + view.unrealized) / view.maintenance if view.maintenance else ZERO),
        "liquidationPrice": "" if edge is None or edge <= 0 else long(edge),
        "unrealizedPnl": plain(view.unrealized),
        "unrealizedPnlRatio": long(view.unrealized / view.margin if view.margin else ZERO),
        "maintenanceMargin": plain(view.maintenance),
        "createTime": call.stamp(leg.opened_at),
        "updateTime": call.stamp(leg.updated_at),
        "leverage": plain(view.leverage),
    }


# --- modes and leverage -----------------------------------------------------------------------------------------------


def margin_mode(call: Call) -> Json:
    return {"marginMode": call.exchange.info(call.account).margin_mode.value}


def set_margin_mode(call: Call) -> Json:
    """Account-wide: it takes no instId. Refused while anything is open, changed or not."""
    name = call.params.one_of("marginMode", MARGIN_MODES)
    nothing_open(call)
    unless_same(lambda: call.exchange.set_margin_mode(call.account, MARGIN_MODES[name]))
    return {"marginMode": name}


def position_mode(call: Call) -> Json:
    return {"positionMode": POSITION_MODE_NAMES[call.exchange.info(call.account).position_mode]}


def set_position_mode(call: Call) -> Json:
    """For every symbol. Refused while anything is open, changed or not."""
    name = call.params.one_of("positionMode", POSITION_MODES)
    nothing_open(call)
    unless_same(lambda: call.exchange.set_position_mode(call.account, POSITION_MODES[name]))
    return {"positionMode": name}


def unless_same(change: Callable[[], None]) -> None:
    """A setting that is as asked already is a success."""
    try:
        change()
    except Refused as refused:
        if refused.reason not in UNCHANGED:
            raise


def nothing_open(call: Call) -> None:
    if call.exchange.orders(call.account, open_only=True):
        raise Refused(Reason.HAS_ORDERS, "orders are open")
    if call.exchange.positions(call.account):
        raise Refused(Reason.HAS_POSITION, "a position is open")


def leverage_info(call: Call) -> Json:
    """One contract. The simulator keeps one leverage per contract, whatever the margin mode asked for."""
    mode = call.params.one_of("marginMode", MARGIN_MODES)
    return leverage_row(call, call.listing(), mode)


def batch_leverage_info(call: Call) -> list[Json]:
    """Up to twenty contracts; in hedge mode a row for each side."""
    mode = call.params.one_of("marginMode", MARGIN_MODES)
    names = call.params.needed("instId").split(",")
    if len(names) > MOST_INSTRUMENTS:
        raise Refusal(TOO_MANY_INSTRUMENTS)
    listings = [call.exchange.listing_at(name) for name in names]
    return [{**leverage_row(call, it, mode), "positionSide": side} for it in listings for side in sides(call)]


def sides(call: Call) -> list[str]:
    hedged = call.exchange.info(call.account).position_mode is PositionMode.HEDGE
    return ["long", "short"] if hedged else ["net"]


def leverage_row(call: Call, listing: Listing, mode: str) -> Json:
    leverage = call.exchange.leverage(call.account, listing.symbol)
    return {"leverage": plain(leverage), "marginMode": mode, "instId": listing.instrument.venue_symbol}


def set_leverage(call: Call) -> Json:
    """Whole numbers only. Orders that rest in cross margin stand in the way, a position does not."""
    listing = call.listing()
    mode = call.params.one_of("marginMode", MARGIN_MODES)
    leverage = Decimal(call.params.integer("leverage", 0, 1, 1000))
    side = call.params.one_of("positionSide", LEGS, sides(call)[0])
    resting = call.exchange.orders(call.account, open_only=True, symbol=listing.symbol)
    if resting and call.exchange.margin_mode(call.account, listing.symbol) is MarginMode.CROSS:
        raise Refusal(CROSS_ORDERS)
    unless_same(lambda: call.exchange.set_leverage(call.account, listing.symbol, leverage))
    return {**leverage_row(call, listing, mode), "positionSide": side}
