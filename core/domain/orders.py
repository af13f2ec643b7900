"""What we ask of a venue: the three kinds of step, and the permit without which nothing is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from core.domain.words import MarginMode, OrderKind, Purpose, Side, Symbol, TimeInForce, plain


@dataclass(frozen=True, slots=True)
class SetMarginMode:
    symbol: Symbol
    margin_mode: MarginMode
    leverage: Decimal


@dataclass(frozen=True, slots=True)
class SetLeverage:
    symbol: Symbol
    leverage: Decimal
    margin_mode: MarginMode


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """One order, unsigned and unsent. `contracts` > 0; `price` only with a limit or stop."""

    symbol: Symbol
    side: Side
    contracts: Decimal
    kind: OrderKind
    price: Decimal | None
    tif: TimeInForce
    reduce_only: bool
    leverage: Decimal | None
    margin_mode: MarginMode
    purpose: Purpose = Purpose.TARGET
    full_close: bool = False
    """The order is meant to leave the position flat."""

    @property
    def signed(self) -> Decimal:
        return self.contracts * self.side.sign

    def canonical(self) -> dict[str, str | bool | None]:
        """What must be equal on the wire: the fields that decide what the venue will do."""
        return {
            "symbol": self.symbol,
            "side": self.side.value,
            "contracts": plain(self.contracts),
            "kind": self.kind.value,
            "price": None if self.price is None else plain(self.price),
            "tif": self.tif.value,
            "reduce_only": self.reduce_only,
        }

    def digest(self) -> str:
        """32 hex digits of BLAKE2b over the canonical form."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


Step = SetMarginMode | SetLeverage | PlaceOrder


@dataclass(frozen=True, slots=True)
class Cost:
    """What a send takes from the rate budget; reductions are served before increases."""

    reduction: bool
    orders: int = 1


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one order: its place in the rate budget and the venue fields it will be signed with.

    `nonce` is the venue's timestamp or nonce in milliseconds, strictly increasing per key; `valid_until` is the local
    epoch second after which the venue can no longer accept it.
    """

    nonce: int
    valid_until: float
    fields: Mapping[str, str] = field(default_factory=dict)
