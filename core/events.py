"""Frozen facts for observers: log lines, metrics, notifications, history. Nothing in the core waits for an observer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from core.domain import AccountId, ClientId, PlaceOrder, Step, Symbol, SymbolState


@dataclass(frozen=True, slots=True)
class Event:
    """`at` epoch seconds; `account` whose loop saw it."""

    at: float
    account: AccountId


@dataclass(frozen=True, slots=True)
class SymbolSettled(Event):
    """A symbol ended a cycle in a state other than the one before."""

    symbol: Symbol
    state: SymbolState
    because: str


@dataclass(frozen=True, slots=True)
class GenerationSized(Event):
    symbol: Symbol
    generation: int
    depth: Decimal
    contracts: Decimal
    leverage: Decimal
    equity: Decimal | None
    price: Decimal | None
    because: str


@dataclass(frozen=True, slots=True)
class OrderSent(Event):
    symbol: Symbol
    client_id: ClientId
    order: PlaceOrder


@dataclass(frozen=True, slots=True)
class OrderAcked(Event):
    symbol: Symbol
    client_id: ClientId
    order_id: str


@dataclass(frozen=True, slots=True)
class OrderResolved(Event):
    """`filled` unsigned contracts; `outcome` one of filled, rejected, dead, abandoned."""

    symbol: Symbol
    client_id: ClientId
    outcome: str
    filled: Decimal
    because: str


@dataclass(frozen=True, slots=True)
class OrderUncertain(Event):
    """The outcome of a send is unknown; it is being looked up."""

    symbol: Symbol
    client_id: ClientId
    because: str


@dataclass(frozen=True, slots=True)
class StepDone(Event):
    """A leverage or margin-mode step took effect."""

    symbol: Symbol
    step: Step


@dataclass(frozen=True, slots=True)
class PositionVerified(Event):
    symbol: Symbol
    generation: int
    contracts: Decimal


@dataclass(frozen=True, slots=True)
class DriftSeen(Event):
    symbol: Symbol
    expected: Decimal
    found: Decimal
    because: str


@dataclass(frozen=True, slots=True)
class AccountChanged(Event):
    """The account as a whole went to `state` (ok, held, blocked, disabled)."""

    state: str
    because: str


@dataclass(frozen=True, slots=True)
class EquityRead(Event):
    value: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class CycleDone(Event):
    """`duration_s` from the cycle's start to its end; `orders` sent in it."""

    cycle: int
    duration_s: float
    orders: int
    settled: bool


@dataclass(frozen=True, slots=True)
class Trouble(Event):
    """Something the user should know of: what happened, what the engine did, what to do."""

    symbol: Symbol | None
    because: str


Emit = Callable[[Event], None]
