"""What is wanted, what is stored, and what is planned, per account and symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from core.domain.orders import Step
from core.domain.venue import Capabilities, Instrument, Price
from core.domain.words import ZERO, MarginMode, Scope, SourceName, Symbol, SymbolState


class TakenMode(StrEnum):
    FULL = "full"
    DOWNWARD = "downward"
    """Taken downward only (old entry, close_only, FLATTEN), until the source speaks again or a re-sync."""
    CLOSED = "closed"
    """Set to 0 by FLATTEN or `close`, until the source speaks again or a re-sync."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What an account has taken from one source on one symbol. `contribution` is the signed share (depth x weight).

    `depth`, `timestamp` and `leverage` name the signal it came from, `weight` the weight it was last taken with.
    """

    contribution: Decimal
    depth: Decimal
    timestamp: float
    leverage: Decimal | None
    weight: Decimal
    mode: TakenMode = TakenMode.FULL


@dataclass(frozen=True, slots=True)
class Hold:
    """A standing reason not to send certain orders. `until` is the instant it ends by itself (None: not by time)."""

    scope: Scope
    state: SymbolState
    because: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What documents and settings ask of one account on one symbol now; pure output of `core.targets`.

    `depth` is D (signed share of equity, account scale applied); None: no weighted source ever spoke (NO_SIGNAL).
    `inputs_hash` names everything that sizes it: the same hash is the same generation.
    """

    symbol: Symbol
    depth: Decimal | None
    leverage: Decimal
    inputs_hash: str
    taken: Mapping[SourceName, Taken]
    because: str
    holds: tuple[Hold, ...] = ()
    reduce_only: str | None = None
    """Why this generation may only shrink what is stored (frozen, close_only, FLATTEN, old entry); None: may grow."""
    held: str | None = None
    """What a user must know even at the target: reported as HELD with this text."""
    expires_at: float | None = None
    """When a generation that was never reached stops increasing (epoch seconds); None: never."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A generation's stored size: signed contracts, journaled before its first order and never repeated.

    `equity` and `price` are None for a size of 0 that needed neither.
    """

    generation: int
    inputs_hash: str
    contracts: Decimal
    leverage: Decimal
    depth: Decimal
    taken: Mapping[SourceName, Taken]
    at: float
    equity: Decimal | None = None
    price: Decimal | None = None
    fingerprint: str = ""
    below_minimum: bool = False
    provisional: bool = False
    """Only the closing leg of a target that cannot be sized yet; sized properly once it can be."""
    entry_expires_at: float | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Planner input: the stored size of one symbol and what stands against acting on it."""

    symbol: Symbol
    contracts: Decimal | None
    """Signed stored contracts; None: nothing was ever sized."""
    leverage: Decimal
    margin_mode: MarginMode
    holds: tuple[Hold, ...] = ()
    drifted: str | None = None
    """Why the position is no longer ours alone (the generation's drift flag); None: it is."""
    below_minimum: bool = False
    no_signal: str | None = None
    full_close_only: str | None = None
    """Why only a full close may go (the contract's size or lot changed); None: anything may."""
    held: str | None = None
    """What a user must know even at the target."""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Actual:
    """Planner input: what the venue says and what we know of our own orders. Signed contracts.

    `position` None: Unknown. `baseline` None: no first sight yet. `lagging` names why the read is not yet explained.
    `unresolved_*` are unsigned contracts of orders whose outcome is not known.
    """

    position: Decimal | None
    baseline: Decimal | None
    leverage: Decimal | None = None
    margin_mode: MarginMode | None = None
    lagging: str | None = None
    unresolved_increase: Decimal = ZERO
    unresolved_reduction: Decimal = ZERO
    unresolved: str | None = None
    leverage_fixed: bool = False
    """The venue refused to change the leverage of this open position: it is taken to be possible only while flat."""
    closing_tries: int = 0
    """Reductions in a row that were sent and filled nothing; matters only where a venue has no market orders."""
    because: str = ""
    """Why the position is Unknown, when it is."""


@dataclass(frozen=True, slots=True)
class Market:
    """Planner input: the contract's rules and the price. `price` None: Unknown or implausible; `stale_price` is the
    last mark, mid or book price of any age, used only to close where a venue has no market orders."""

    instrument: Instrument | None
    capabilities: Capabilities
    price: Price | None
    stale_price: Decimal | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps (the shell executes the first, re-reads, re-plans), the symbol's state and why."""

    steps: tuple[Step, ...]
    state: SymbolState
    because: str
    next_due: float | None = None
    """Instant at which a hold in the way ends; None: nothing is waited for by time."""
    meta: Mapping[str, str] = field(default_factory=dict)
