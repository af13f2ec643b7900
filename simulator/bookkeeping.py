"""PURE: what a fill does to a leg, and what a leg is worth, locks and can lose."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from core.domain import ZERO, MarginMode, same_sign
from simulator.model import Leg, Listing

ONE = Decimal(1)


def after_fill(leg: Leg, signed: Decimal, price: Decimal, listing: Listing) -> tuple[Leg, Decimal, Decimal]:
    """The leg after `signed` contracts at `price`, the profit realized (before fees), the contracts that reduced it.

    An increase averages the entry price, a reduction keeps it, a fill through zero starts anew at its price.
    """
    held = leg.contracts
    now = held + signed
    if not held or same_sign(held, signed):
        entry = (abs(held) * leg.entry_price + abs(signed) * price) / abs(now)
        return replace(leg, contracts=now, entry_price=entry), ZERO, ZERO
    closed = min(abs(held), abs(signed))
    won = listing.instrument.quantity(closed) * (price - leg.entry_price)
    entry = leg.entry_price if same_sign(held, now) else (price if now else ZERO)
    return replace(leg, contracts=now, entry_price=entry), won if held > 0 else -won, closed


def unrealized(leg: Leg, mark: Decimal, listing: Listing) -> Decimal:
    return listing.instrument.quantity(leg.contracts) * (mark - leg.entry_price)


def initial_margin(leg: Leg, mark: Decimal, leverage: Decimal, mode: MarginMode, listing: Listing) -> Decimal:
    """What a leg locks: isolated by its entry price (fixed while held), cross by the mark."""
    at = leg.entry_price if mode is MarginMode.ISOLATED else mark
    return listing.instrument.notional(leg.contracts, at) / leverage


def maintenance_margin(leg: Leg, mark: Decimal, listing: Listing) -> Decimal:
    return listing.instrument.notional(leg.contracts, mark) * listing.maintenance_rate


def bankruptcy_price(leg: Leg, leverage: Decimal, mode: MarginMode) -> Decimal | None:
    """Where an isolated leg has lost all it locks; None for a cross or flat leg."""
    if mode is not MarginMode.ISOLATED or not leg.contracts:
        return None
    return leg.entry_price * (ONE - ONE / leverage if leg.contracts > 0 else ONE + ONE / leverage)


def liquidation_price(leg: Leg, leverage: Decimal, mode: MarginMode, listing: Listing) -> Decimal | None:
    """Where an isolated leg's margin is down to its maintenance margin; None for a cross or flat leg."""
    edge = bankruptcy_price(leg, leverage, mode)
    if edge is None:
        return None
    rate = listing.maintenance_rate
    return edge / (ONE - rate) if leg.contracts > 0 else edge / (ONE + rate)


def is_liquidated(leg: Leg, mark: Decimal, liquidation: Decimal | None) -> bool:
    if liquidation is None:
        return False
    return mark <= liquidation if leg.contracts > 0 else mark >= liquidation
