"""PURE: a wanted depth becomes contracts, once per generation.

margin    = equity x D          quantity  = margin x L / mark
contracts = quantity / contract size, toward zero to the lot
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from core.domain import (
    ZERO,
    Equity,
    Instrument,
    Policy,
    Price,
    Sized,
    Wanted,
    floor_to,
    plain,
    same_sign,
    toward_zero,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What sizing needs of the venue; None where it is not known now (`missing` names why)."""

    equity: Equity | None
    price: Price | None
    instrument: Instrument | None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing can be sized now and what is stored stands: `because` names what is waited for."""

    because: str


def needs_size(wanted: Wanted, sized: Sized | None) -> bool:
    """Whether `wanted` is another generation than the stored one, or the stored one still waits for its size."""
    if wanted.depth is None:
        return False
    return sized is None or sized.provisional or sized.inputs_hash != wanted.inputs_hash


def size(wanted: Wanted, sized: Sized | None, facts: Facts, policy: Policy, now: float) -> Sized | Waiting:
    """The next generation of `wanted`.

    Where equity, price or instrument is missing, a size of 0 still needs none of them; any other new opinion becomes
    a *provisional* generation (what is stored if it has the same side, else flat: the closing leg), so that it is
    taken when it appears and sized once it can be: also not while a source that has since become Unknown would clamp
    it, because that source, returning unchanged, makes no new generation. A provisional generation is never repeated.
    """
    depth = wanted.depth or ZERO
    stored = sized.contracts if sized else ZERO
    if depth == 0:
        return _sized(wanted, sized, ZERO, wanted.leverage, facts, now, f"{wanted.because}: flat")
    missing = _missing(facts)
    if missing:
        if sized is not None and sized.inputs_hash == wanted.inputs_hash:
            return Waiting(f"waiting for its size: {missing}")
        kept = stored if same_sign(stored, depth) else ZERO
        because = f"{wanted.because}; waiting for its size: {missing}"
        return _sized(wanted, sized, kept, wanted.leverage, facts, now, because, provisional=True)
    assert facts.equity is not None
    assert facts.price is not None
    assert facts.instrument is not None
    return _measure(wanted, sized, facts.equity, facts.price, facts.instrument, policy, now)


def _missing(facts: Facts) -> str:
    if facts.equity is None:
        return facts.missing or "equity is unknown"
    if facts.equity.value <= 0:
        return f"equity is {plain(facts.equity.value)} {facts.equity.currency}"
    if facts.instrument is None:
        return facts.missing or "the venue does not list the symbol"
    if facts.instrument.settle != facts.equity.currency:
        return f"it settles in {facts.instrument.settle}, and the equity read is in {facts.equity.currency}"
    if facts.price is None:
        return facts.missing or "the price is unknown"
    return ""


def _measure(
    wanted: Wanted,
    sized: Sized | None,
    equity: Equity,
    price: Price,
    instrument: Instrument,
    policy: Policy,
    now: float,
) -> Sized | Waiting:
    facts = Facts(equity, price, instrument)
    depth = wanted.depth or ZERO
    leverage = max(min(wanted.leverage, floor_to(instrument.max_leverage, Decimal(1))), Decimal(1))
    notional = equity.value * depth * leverage
    contracts = instrument.contracts_for(notional, price.mark)
    sum_text = (
        f"{wanted.because}: {plain(equity.value)} {equity.currency} x {plain(depth)} x {plain(leverage)}"
        f" / {plain(price.mark)} = {plain(contracts)} contracts"
    )
    if leverage < wanted.leverage:
        sum_text += f" (venue maximum {plain(instrument.max_leverage)}x)"
    if contracts < 0 and not instrument.can_short:
        return _sized(wanted, sized, ZERO, leverage, facts, now, f"{sum_text}; this instrument cannot be sold short")
    if contracts == 0 or instrument.below_minimum(contracts, price.mark):
        because = f"{sum_text}; below the venue's minimum, so nothing is held"
        return _sized(wanted, sized, ZERO, leverage, facts, now, because, below_minimum=True)
    stored = sized.contracts if sized else ZERO
    if same_sign(stored, contracts) and abs(contracts - stored) <= policy.rebalance_band * abs(stored):
        return _sized(wanted, sized, stored, leverage, facts, now, f"{sum_text}; within the band of {plain(stored)}")
    if wanted.reduce_only:
        clamped = toward_zero(stored, contracts)
        if clamped != contracts and wanted.holds and sized is not None and sized.inputs_hash == wanted.inputs_hash:
            # It was taken in full when it appeared; only a source that cannot be read now stands against its size.
            return Waiting(f"waiting for its size: {wanted.reduce_only}")
        if clamped != contracts:
            return _sized(wanted, sized, clamped, leverage, facts, now, f"{sum_text}; {wanted.reduce_only}")
    return _sized(wanted, sized, contracts, leverage, facts, now, sum_text)


def _sized(
    wanted: Wanted,
    sized: Sized | None,
    contracts: Decimal,
    leverage: Decimal,
    facts: Facts,
    now: float,
    because: str,
    *,
    provisional: bool = False,
    below_minimum: bool = False,
) -> Sized:
    same = sized is not None and sized.inputs_hash == wanted.inputs_hash
    return Sized(
        generation=(sized.generation if sized else 0) + 1,
        inputs_hash=wanted.inputs_hash,
        contracts=contracts,
        leverage=leverage,
        depth=wanted.depth or ZERO,
        taken=wanted.taken,
        at=now,
        equity=facts.equity.value if facts.equity else None,
        price=facts.price.mark if facts.price else None,
        fingerprint=facts.instrument.fingerprint() if facts.instrument else "",
        below_minimum=below_minimum,
        provisional=provisional,
        entry_expires_at=sized.entry_expires_at if sized and same else wanted.expires_at,
        because=because,
    )
