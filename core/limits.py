"""PURE: limits on increases, as holds. Every limit names the sum it saw; none ever stands in the way of a reduction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
STALE_EQUITY_S = 60.0
"""An equity this old is no equity: the account could have lost anything since."""


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
    notional: Decimal | None = ZERO
    """The largest of what it holds, is to hold and would be sized to; None: not known."""


@dataclass(frozen=True, slots=True)
class Room:
    """What increases of one account share. `max_gross_exposure` in settlement currency; None: off, or not known yet."""

    max_total_margin: Decimal
    max_gross_exposure: Decimal | None = None
    max_positions: int | None = None
    others_notional: Decimal = ZERO
    others_open: int = 0
    """Positions on symbols that are not candidates: not ours, but the account's."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is used of the room."""

    margin: Decimal
    notional: Decimal
    positions: int

    def with_(self, candidate: Candidate) -> _Taken:
        if candidate.held:
            return self  # counted from the start
        notional = self.notional + (candidate.notional or ZERO)
        return _Taken(self.margin + candidate.margin, notional, self.positions + 1)

    def refusal(self, room: Room) -> str | None:
        """The first limit this is beyond, with the sum; None: it fits."""
        if self.margin > room.max_total_margin:
            limit = plain(room.max_total_margin)
            return f"margin would be {plain(self.margin)} of equity, more than max_total_margin {limit}"
        if room.max_gross_exposure is not None and self.notional > room.max_gross_exposure:
            return f"gross exposure would be {self.notional:.2f}, over max_gross_exposure {room.max_gross_exposure:.2f}"
        if room.max_positions is not None and self.positions > room.max_positions:
            return f"{self.positions} positions would be open, max_positions is {room.max_positions}"
        return None


def admit(candidates: Iterable[Candidate], room: Room) -> Mapping[Symbol, Hold]:
    """Holds for the increases that do not fit; held symbols first, then by name; the walk goes on after a refusal.

    Growing a position opens none, so that `max_positions` never stands against it.
    """
    ordered = sorted(candidates, key=lambda c: (not c.held, c.symbol))
    held_ones = [c for c in ordered if c.held]
    taken = _Taken(
        sum((c.margin for c in held_ones), ZERO),
        sum((c.notional or ZERO for c in held_ones), room.others_notional),
        len(held_ones) + room.others_open,
    )
    holds: dict[Symbol, Hold] = {}
    for candidate in ordered:
        if not candidate.increases:
            continue
        asked = taken.with_(candidate)
        refusal = asked.refusal(replace(room, max_positions=None) if candidate.held else room)
        if room.max_gross_exposure is not None and candidate.notional is None:
            holds[candidate.symbol] = held("what it would be worth is not known yet; nothing increases until it is")
        elif refusal is not None:
            holds[candidate.symbol] = blocked(refusal)
        else:
            taken = asked
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
    """Of all present positions, this symbol included. What others are to hold is the admission pass's to count."""
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


def leverage_hold(leverage: Decimal, policy: Policy) -> Hold | None:
    """A stored size whose leverage is over a cap that was lowered since is not increased at it."""
    if leverage <= policy.max_leverage:
        return None
    text = f"it was sized at leverage {plain(leverage)}, over max_leverage {plain(policy.max_leverage)}"
    return blocked(f"{text}; the next signal or `./run resync` sizes it anew")


def equity_hold(equity: Equity | None, now: float) -> Hold | None:
    """Losses are counted from equity: while nobody knows it, nothing increases."""
    if equity is None:
        return held("equity is unknown; nothing increases until it is read")
    age_s = now - equity.at
    if age_s <= STALE_EQUITY_S:
        return None
    return held(f"equity was last read {age_s:.0f} s ago; nothing increases until it is read again")


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
