"""PURE: limits on increases, as holds. Every limit names the sum it saw; none ever stands in the way of a reduction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.domain import (
    ZERO,
    Equity,
    Hold,
    Instrument,
    Policy,
    Price,
    Scope,
    Sized,
    Symbol,
    SymbolState,
    SymbolWeights,
    plain,
)

DEFAULT_LIMIT_X = Decimal("1.1")
"""Unset notional limits are this multiple of what the files can ask."""
MARK_LAST_APART = Decimal("0.05")
MARK_SIZING_APART = Decimal("0.20")
SIZING_REMEMBERED_S = 600.0
MAX_CLOCK_OFFSET_S = 0.5
MAX_PRICE_AGE_S = 10.0
MAX_EQUITY_AGE_S = 30.0


def blocked(because: str, until: float | None = None) -> Hold:
    """A hold on increases reported as BLOCKED."""
    return Hold(Scope.INCREASES, SymbolState.BLOCKED, because, until)


def held(because: str, until: float | None = None) -> Hold:
    """A hold on increases reported as HELD."""
    return Hold(Scope.INCREASES, SymbolState.HELD, because, until)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One symbol in the admission pass. `margin` is max(|D sized|, |D wanted|), a share of equity."""

    symbol: Symbol
    margin: Decimal
    held: bool
    """It has a position or an unresolved order: counted whether it increases or not."""
    increases: bool


def admit(candidates: Iterable[Candidate], max_total_margin: Decimal) -> Mapping[Symbol, Hold]:
    """Holds for the increases that do not fit; held symbols first, then by name; the walk goes on after a refusal."""
    ordered = sorted(candidates, key=lambda c: (not c.held, c.symbol))
    total = sum((c.margin for c in ordered if c.held), ZERO)
    holds: dict[Symbol, Hold] = {}
    for candidate in ordered:
        if not candidate.increases:
            continue
        asked = total if candidate.held else total + candidate.margin
        if asked > max_total_margin:
            text = f"margin would be {plain(asked)} of equity, more than max_total_margin {plain(max_total_margin)}"
            holds[candidate.symbol] = blocked(text)
        else:
            total = asked
    return holds


def implausible(price: Price, mark: Decimal | None, mark_at: float | None, now: float) -> str | None:
    """Why `price` is not to be believed, or None. `mark`, `mark_at`: of the last sizing that used a price."""
    if now - price.at > MAX_PRICE_AGE_S:
        return f"the price is {now - price.at:.0f} s old"
    if price.mark <= 0:
        return f"the mark price is {plain(price.mark)}"
    if price.last is not None and abs(price.last - price.mark) > MARK_LAST_APART * price.mark:
        return (
            f"mark {plain(price.mark)} and last {plain(price.last)} are more than 5 % apart; nothing is sized by them"
        )
    if mark is None or mark_at is None or now - mark_at > SIZING_REMEMBERED_S:
        return None
    if abs(price.mark - mark) > MARK_SIZING_APART * mark:
        return (
            f"mark {plain(price.mark)} is more than 20 % from {plain(mark)}, "
            f"at which it was sized {now - mark_at:.0f} s ago; nothing is sized by it"
        )
    return None


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the notional limits look at. Notionals in settlement currency, unsigned."""

    increase_notional: Decimal
    gross_notional: Decimal
    """Of all present positions, this symbol included."""
    open_positions: int
    opens_new: bool
    increase_orders_last_minute: int


def asked_by_files(entry: SymbolWeights | None, scale: Decimal, leverage: Decimal) -> Decimal:
    """The most the files can ask of one symbol, as a multiple of equity: sum of weights x scale x leverage."""
    return sum(entry.weights.values(), ZERO) * scale * leverage if entry else ZERO


def notional_limits(
    policy: Policy, symbol_x: Decimal, all_x: Decimal, equity: Equity | None
) -> tuple[Decimal, Decimal] | None:
    """(max_order_notional, max_gross_exposure) in force; None where a rule needs an equity that is not known."""
    order_limit = policy.max_order_notional
    gross_limit = policy.max_gross_exposure
    if order_limit is None or gross_limit is None:
        if equity is None or equity.value <= 0:
            return None
        order_limit = order_limit if order_limit is not None else DEFAULT_LIMIT_X * symbol_x * equity.value
        gross_limit = gross_limit if gross_limit is not None else DEFAULT_LIMIT_X * all_x * equity.value
    return order_limit, gross_limit


def exposure_holds(
    exposure: Exposure, policy: Policy, symbol_x: Decimal, all_x: Decimal, equity: Equity | None
) -> tuple[Hold, ...]:
    """Holds of the notional, count and rate limits. `symbol_x`, `all_x`: what the files can ask, times equity."""
    holds: list[Hold] = []
    limits = notional_limits(policy, symbol_x, all_x, equity)
    if limits is None:
        return (held("equity is unknown; nothing increases until it is read"),)
    order_limit, gross_limit = limits
    if exposure.increase_notional > order_limit:
        text = f"an order of {exposure.increase_notional:.2f} is over max_order_notional {order_limit:.2f}"
        holds.append(blocked(text))
    gross = exposure.gross_notional + exposure.increase_notional
    if gross > gross_limit:
        holds.append(blocked(f"gross exposure would be {gross:.2f}, over max_gross_exposure {gross_limit:.2f}"))
    if policy.max_positions is not None and exposure.opens_new and exposure.open_positions >= policy.max_positions:
        holds.append(blocked(f"{exposure.open_positions} positions are open, max_positions is {policy.max_positions}"))
    if exposure.increase_orders_last_minute >= policy.max_increase_orders_per_minute:
        text = f"{exposure.increase_orders_last_minute} increases in the last minute (max_increase_orders_per_minute)"
        holds.append(held(text))
    return tuple(holds)


def clock_hold(offset_s: float | None) -> Hold | None:
    """A venue clock too far from ours blocks increases until it is back."""
    if offset_s is None or abs(offset_s) <= MAX_CLOCK_OFFSET_S:
        return None
    return blocked(
        f"this machine's clock is {-offset_s:+.1f} s off the venue's (limit 0.5 s); nothing increases. "
        "Set the clock (NTP)"
    )


def changed_instrument(fingerprint: str, instrument: Instrument) -> str | None:
    """Why only full closes may go: contract size or lot are not those the stored contracts were counted in."""
    if not fingerprint or fingerprint == instrument.fingerprint():
        return None
    return (
        f"contract size/lot changed from {fingerprint} to {instrument.fingerprint()}; "
        "check it and run `./run accept-instrument`"
    )


def expiry_hold(sized: Sized, verified_generation: int, now: float) -> Hold | None:
    """A generation never seen at its contracts stops increasing once its newest entry is too old."""
    if sized.entry_expires_at is None or now <= sized.entry_expires_at or verified_generation >= sized.generation:
        return None
    return held("entry too old: it was not reached in time; the next signal or `./run resync` takes it up again")
