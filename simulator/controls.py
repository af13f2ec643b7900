"""What an account is set to: by its owner, as the venue allows, or by force, as the admin does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from core.domain import ZERO, MarginMode, PositionMode, Symbol
from simulator import bookkeeping
from simulator.account import Account
from simulator.checks import leverage_fits
from simulator.model import ExchangeEvent, Leg, Listing, PositionSide, Reason, Refused
from simulator.venue_state import VenueState


def set_leverage(state: VenueState, account: Account, listing: Listing, leverage: Decimal) -> None:
    """See `Exchange.set_leverage`."""
    symbol = listing.symbol
    _may_trade(account)
    leverage_fits(listing, leverage)
    present = state.leverage(account, symbol)
    if leverage == present:
        raise Refused(Reason.LEVERAGE_NOT_MODIFIED, f"{symbol} has leverage {present} already")
    held = [leg for side in account.sides() if (leg := account.leg(symbol, side)).contracts]
    if held and not state.rules.leverage_in_place:
        raise Refused(Reason.HAS_POSITION, f"a position is open on {symbol}")
    mark, mode = state.quote(symbol).mark, account.margin_mode(symbol)
    more = sum(
        (
            bookkeeping.initial_margin(leg, mark, leverage, mode, listing)
            - bookkeeping.initial_margin(leg, mark, present, mode, listing)
            for leg in held
        ),
        ZERO,
    )
    if more > state.balance(account).available:
        raise Refused(Reason.INSUFFICIENT_MARGIN, f"leverage {leverage} on {symbol} needs {more} more margin")
    account.leverages[symbol] = leverage
    for side in account.sides():
        leg = account.leg(symbol, side)
        state.tell(ExchangeEvent(account.name, state.clock.time(), state.next_seq(), leg=leg))


def set_margin_mode(account: Account, mode: MarginMode, symbol: Symbol | None) -> None:
    """See `Exchange.set_margin_mode`."""
    _may_trade(account)
    present = account.default_margin_mode if symbol is None else account.margin_mode(symbol)
    if mode is present:
        raise Refused(Reason.MARGIN_MODE_NOT_MODIFIED, f"the margin mode is {present} already")
    _nothing_open(account, symbol)
    force_margin_mode(account, mode, symbol)


def set_position_mode(account: Account, mode: PositionMode) -> None:
    """See `Exchange.set_position_mode`."""
    _may_trade(account)
    if mode is account.position_mode:
        raise Refused(Reason.POSITION_MODE_NOT_MODIFIED, f"the position mode is {mode} already")
    _nothing_open(account, None)
    account.position_mode = mode


def force_margin_mode(account: Account, mode: MarginMode, symbol: Symbol | None = None) -> None:
    if symbol is None:
        account.default_margin_mode = mode
        account.margin_modes.clear()
    else:
        account.margin_modes[symbol] = mode


def force_equity(state: VenueState, account: Account, equity: Decimal) -> None:
    """Pays in or out until equity, unrealized profit included, is `equity`."""
    account.wallet = equity - state.balance(account).unrealized
    state.tell(ExchangeEvent(account.name, state.clock.time(), state.next_seq(), wallet=account.wallet))


def force_position_mode(state: VenueState, account: Account, mode: PositionMode) -> None:
    """Switches whatever is open: a net position becomes a leg of its side; two legs become their net."""
    if mode is account.position_mode:
        return
    now = state.clock.monotonic()
    nets = {leg.symbol: account.net(leg.symbol) for leg in account.legs.values()}
    account.drop_legs(now)
    account.position_mode = mode
    for symbol, net in nets.items():
        if net:
            side = PositionSide.NET
            if mode is PositionMode.HEDGE:
                side = PositionSide.LONG if net > 0 else PositionSide.SHORT
            leg = Leg(symbol, side, net, state.quote(symbol).mark, seq=state.next_seq())
            at = state.clock.time()
            account.put_leg(replace(leg, opened_at=at, updated_at=at), now)


def _may_trade(account: Account) -> None:
    if not account.can_trade:
        raise Refused(Reason.CANNOT_TRADE, "this key may not trade")


def _nothing_open(account: Account, symbol: Symbol | None) -> None:
    if any(order.symbol == symbol or symbol is None for order in account.open.values()):
        raise Refused(Reason.HAS_ORDERS, "orders are open")
    if any(leg.contracts for leg in account.legs.values() if leg.symbol == symbol or symbol is None):
        raise Refused(Reason.HAS_POSITION, "a position is open")
