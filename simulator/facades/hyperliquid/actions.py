"""Hyperliquid's actions: orders, cancels, leverage. What the simulator cannot match is refused, never ignored.

Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/exchange-endpoint. An order's refusal stands
beside it in an answer that is ok; a setting's is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from core.domain import ZERO, MarginMode, OrderKind, Side, TimeInForce, same_sign
from simulator.facades.hyperliquid.codes import (
    CROSS_MARGIN,
    ISOLATED_MARGIN,
    LEVERAGE_RANGE,
    LEVERAGE_TYPE,
    MISSING,
    OF_AN_ORDER,
    REFUSALS,
)
from simulator.facades.hyperliquid.context import Venue
from simulator.facades.hyperliquid.queries import oid_of, order_at
from simulator.facades.hyperliquid.signing import Unreadable
from simulator.facades.hyperliquid.wallets import Refusal
from simulator.facades.parts import Json
from simulator.model import Listing, NewOrder, Order, Reason, Refused

TIFS = {"Ioc": TimeInForce.IOC, "Gtc": TimeInForce.GTC, "Alo": TimeInForce.GTC}
CLOID = re.compile(r"0x[0-9a-fA-F]{32}")
MIN_VALUE = Decimal(10)
UNCHANGED = (Reason.LEVERAGE_NOT_MODIFIED, Reason.MARGIN_MODE_NOT_MODIFIED)


@dataclass(frozen=True, slots=True)
class Act:
    """One action that passed the door, as the venue understood it."""

    venue: Venue
    account: str
    action: Json

    def rows(self, name: str) -> list[Json]:
        found = self.action[name]
        assert isinstance(found, list)
        return found

    def listing(self, asset: object) -> Listing | None:
        universe = self.venue.assets()
        return universe[asset] if isinstance(asset, int) and asset < len(universe) else None


class _Failed(Exception):
    """An order that is refused; the sentence stands beside it."""


def batch(action: Json) -> int:
    """How many orders or cancels an action has; 1 for any other."""
    rows = action.get("orders", action.get("cancels"))
    return max(len(rows), 1) if isinstance(rows, list) else 1


# --- orders -----------------------------------------------------------------------------------------------------------


def place(act: Act) -> Json:
    return {"type": "order", "data": {"statuses": [placed(act, row) for row in act.rows("orders")]}}


def placed(act: Act, row: Json) -> Json:
    try:
        if "builder" in act.action:
            raise _Failed(OF_AN_ORDER["Builder"])
        listing = act.listing(row["a"])
        if listing is None or not listing.instrument.tradable:
            raise _Failed("Asset does not exist or is delisted.")
        return taken(act, requested(act, row, listing))
    except _Failed as failed:
        return {"error": f"{failed} asset={row['a']}"}


def taken(act: Act, new: NewOrder) -> Json:
    exchange = act.venue.exchange
    # What becomes of a client id that exists is not documented: at worst the venue takes it again.
    with exchange.under(replace(exchange.state.conditions, accept_duplicate_ids=True)):
        try:
            order = exchange.place(act.account, new)
        except Refused as refused:
            raise _Failed(OF_AN_ORDER[REFUSALS[refused.reason]]) from None
    if order.open:
        return {"resting": {"oid": oid_of(order.number)}}
    if not order.filled:
        raise _Failed(OF_AN_ORDER["IocCancel"])
    return {"filled": filled(order)}


def filled(order: Order) -> Json:
    return {"totalSz": f"{order.filled:f}", "avgPx": f"{order.average_price:f}", "oid": oid_of(order.number)}


def requested(act: Act, row: Json, listing: Listing) -> NewOrder:
    """The order as the action states it."""
    size, price = Decimal(str(row["s"])), Decimal(str(row["p"]))
    kind = row["t"]
    limit = kind.get("limit") if isinstance(kind, dict) else None
    if not isinstance(limit, dict):
        raise _Failed(OF_AN_ORDER["BadTriggerPx"])  # the simulator matches no trigger orders
    tif = limit.get("tif")
    client_id = row.get("c")
    if tif not in TIFS or not (client_id is None or (isinstance(client_id, str) and CLOID.fullmatch(client_id))):
        raise Unreadable
    if not size:
        raise _Failed(OF_AN_ORDER["ZeroSize"])
    new = NewOrder(
        symbol=listing.symbol,
        side=Side.BUY if row["b"] is True else Side.SELL,
        contracts=size,
        kind=OrderKind.LIMIT,
        tif=TIFS[str(tif)],
        price=price,
        reduce_only=row["r"] is True,
        client_id=client_id if isinstance(client_id, str) else None,
    )
    if new.reduce_only:
        check_reduction(act, new, listing)
    if tif == "Alo" and crosses(act.venue, new):
        raise _Failed(OF_AN_ORDER["BadAloPx"])
    return new


def check_reduction(act: Act, new: NewOrder, listing: Listing) -> None:
    """The minimum value holds for reductions too, as far as is documented; those larger than the position are seen
    refused."""
    held = act.venue.exchange.state.accounts[act.account].net(listing.symbol)
    reduces = same_sign(held, -Decimal(new.side.sign))
    if reduces and new.contracts > abs(held) and not act.venue.behaviour.cuts_reductions:
        raise _Failed(OF_AN_ORDER["ReduceOnly"])
    whole = reduces and new.contracts >= abs(held)
    small = new.contracts * (new.price or ZERO) < MIN_VALUE
    if reduces and small and not (whole and act.venue.behaviour.small_closes):
        raise _Failed(OF_AN_ORDER["MinTradeNtl"])


def crosses(venue: Venue, new: NewOrder) -> bool:
    quote = venue.exchange.quote(new.symbol)
    assert new.price is not None
    return new.price >= quote.ask if new.side is Side.BUY else new.price <= quote.bid


def cancel(act: Act) -> Json:
    """By the venue's id."""
    return _cancelled(act, lambda row: _by_oid(act, row.get("o")))


def cancel_by_cloid(act: Act) -> Json:
    return _cancelled(act, lambda row: _by_cloid(act, row.get("cloid")))


def _by_oid(act: Act, oid: object) -> Order | None:
    return order_at(act.venue, act.account, oid) if isinstance(oid, int) else None


def _by_cloid(act: Act, cloid: object) -> Order | None:
    resting = act.venue.exchange.orders(act.account, open_only=True, client_id=str(cloid))
    return resting[0] if resting else None


def _cancelled(act: Act, found: Callable[[Json], Order | None]) -> Json:
    statuses: list[object] = []
    for row in act.rows("cancels"):
        listing, order = act.listing(row.get("a", row.get("asset"))), found(row)
        if order is None or not order.open or listing is None or listing.symbol != order.symbol:
            statuses.append({"error": f"{MISSING} asset={row.get('a', row.get('asset'))}"})
        else:
            act.venue.exchange.cancel(act.account, order.order_id)
            statuses.append("success")
    return {"type": "cancel", "data": {"statuses": statuses}}


# --- settings ---------------------------------------------------------------------------------------------------------

DEFAULT: Json = {"type": "default"}


def update_leverage(act: Act) -> Json:
    """Sets leverage and margin mode of a coin, both or none. With a position the mode stays, and isolated leverage does
    not go down."""
    value, crossed = act.action["leverage"], act.action["isCross"]
    listing = act.listing(act.action["asset"])
    if listing is None or isinstance(value, bool) or not isinstance(value, int) or not isinstance(crossed, bool):
        raise Unreadable
    exchange, symbol = act.venue.exchange, listing.symbol
    wanted, mode = Decimal(value), MarginMode.CROSS if crossed else MarginMode.ISOLATED
    if not listing.min_leverage <= wanted <= listing.instrument.max_leverage:
        raise Refusal(LEVERAGE_RANGE)
    if exchange.state.accounts[act.account].net(symbol):
        if exchange.margin_mode(act.account, symbol) is not mode:
            raise Refusal(LEVERAGE_TYPE)
        if mode is MarginMode.ISOLATED and wanted < exchange.leverage(act.account, symbol):
            raise Refusal(ISOLATED_MARGIN)
    try:
        unless_same(lambda: exchange.set_margin_mode(act.account, mode, symbol))
        unless_same(lambda: exchange.set_leverage(act.account, symbol, wanted))
    except Refused as refused:
        if refused.reason is Reason.INSUFFICIENT_MARGIN:
            raise Refusal(CROSS_MARGIN) from None
        raise Refusal(LEVERAGE_TYPE) from None
    return DEFAULT


def unless_same(change: Callable[[], None]) -> None:
    """A setting that is as asked already is a success."""
    try:
        change()
    except Refused as refused:
        if refused.reason not in UNCHANGED:
            raise


def nothing(act: Act) -> Json:
    """`noop`, whose point is its nonce."""
    return DEFAULT


ACTIONS: Mapping[str, Callable[[Act], Json]] = {
    "order": place,
    "cancel": cancel,
    "cancelByCloid": cancel_by_cloid,
    "updateLeverage": update_leverage,
    "noop": nothing,
}
