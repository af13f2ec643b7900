"""PURE: journal records to and from values. Money travels as plain decimal strings, instants as epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from core.domain import (
    ClientId,
    Instrument,
    MarginMode,
    OrderKind,
    PlaceOrder,
    Purpose,
    Side,
    Sized,
    SourceName,
    Symbol,
    Taken,
    TakenMode,
    TimeInForce,
    plain,
)

Record = Mapping[str, Any]


class IntentState(StrEnum):
    PREPARED = "PREPARED"
    ACKED = "ACKED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Intent:
    """One order of ours whose outcome is not known yet."""

    number: int
    client_id: ClientId
    order: PlaceOrder
    generation: int
    prepared_at: float
    valid_until: float
    state: IntentState = IntentState.PREPARED
    order_id: str = ""
    notional: Decimal | None = None
    """Settlement currency an increase moves at its limit price; None for reductions."""


def optional_text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def decimal_or_none(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def taken_record(taken: Mapping[SourceName, Taken]) -> dict[str, Any]:
    return {
        source: {
            "contribution": plain(t.contribution),
            "depth": plain(t.depth),
            "timestamp": t.timestamp,
            "leverage": optional_text(t.leverage),
            "weight": plain(t.weight),
            "mode": t.mode.value,
        }
        for source, t in taken.items()
    }


def taken_from(record: Record) -> dict[SourceName, Taken]:
    return {
        SourceName(source): Taken(
            contribution=Decimal(t["contribution"]),
            depth=Decimal(t["depth"]),
            timestamp=float(t["timestamp"]),
            leverage=decimal_or_none(t["leverage"]),
            weight=Decimal(t["weight"]),
            mode=TakenMode(t["mode"]),
        )
        for source, t in record.items()
    }


def instrument_record(instrument: Instrument) -> dict[str, Any]:
    """A contract's rules, as people and the depth cache have them; `instrument_from` reads it back."""
    found = {field.name: getattr(instrument, field.name) for field in fields(Instrument)}
    return {name: plain(value) if isinstance(value, Decimal) else value for name, value in found.items()}


def instrument_from(record: Record) -> Instrument:
    """Raises KeyError, ArithmeticError or TypeError for a record that is none."""
    texts = {"symbol", "venue_symbol", "base", "quote", "settle", "kind"}
    flags = {"can_short", "tradable"}
    found = {field.name: record[field.name] for field in fields(Instrument)}
    values: dict[str, Any] = {name: v if name in texts | flags else Decimal(str(v)) for name, v in found.items()}
    return Instrument(**values)


def sized_record(symbol: Symbol, sized: Sized, resync: int, kind: str = "SIZED") -> dict[str, Any]:
    """The SIZED (or ADOPTED) record of a generation."""
    return {
        "kind": kind,
        "at": sized.at,
        "symbol": symbol,
        "generation": sized.generation,
        "inputs": sized.inputs_hash,
        "contracts": plain(sized.contracts),
        "leverage": plain(sized.leverage),
        "depth": plain(sized.depth),
        "taken": taken_record(sized.taken),
        "equity": optional_text(sized.equity),
        "price": optional_text(sized.price),
        "fingerprint": sized.fingerprint,
        "below_minimum": sized.below_minimum,
        "provisional": sized.provisional,
        "entry_expires_at": sized.entry_expires_at,
        "resync": resync,
        "because": sized.because,
    }


def sized_from(record: Record) -> Sized:
    return Sized(
        generation=int(record["generation"]),
        inputs_hash=str(record["inputs"]),
        contracts=Decimal(record["contracts"]),
        leverage=Decimal(record["leverage"]),
        depth=Decimal(record["depth"]),
        taken=taken_from(record["taken"]),
        at=float(record["at"]),
        equity=decimal_or_none(record["equity"]),
        price=decimal_or_none(record["price"]),
        fingerprint=str(record["fingerprint"]),
        below_minimum=bool(record["below_minimum"]),
        provisional=bool(record["provisional"]),
        entry_expires_at=record["entry_expires_at"],
        because=str(record["because"]),
    )


def intent_record(intent: Intent, nonce: int = 0, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The PREPARED record: everything needed to find the order again, and to prove what was asked."""
    order = intent.order
    return {
        "kind": "PREPARED",
        "at": intent.prepared_at,
        "symbol": order.symbol,
        "n": intent.number,
        "client_id": intent.client_id,
        "generation": intent.generation,
        "order": order.canonical(),
        "digest": order.digest(),
        "leverage": optional_text(order.leverage),
        "margin_mode": order.margin_mode.value,
        "purpose": order.purpose.value,
        "full_close": order.full_close,
        "nonce": nonce,
        "fields": dict(fields or {}),
        "valid_until": intent.valid_until,
        "state": intent.state.value,
        "order_id": intent.order_id,
        "notional": optional_text(intent.notional),
    }


def intent_from(record: Record) -> Intent:
    order = record["order"]
    return Intent(
        number=int(record["n"]),
        client_id=ClientId(record["client_id"]),
        order=PlaceOrder(
            symbol=Symbol(record["symbol"]),
            side=Side(order["side"]),
            contracts=Decimal(order["contracts"]),
            kind=OrderKind(order["kind"]),
            price=decimal_or_none(order["price"]),
            tif=TimeInForce(order["tif"]),
            reduce_only=bool(order["reduce_only"]),
            leverage=decimal_or_none(record["leverage"]),
            margin_mode=MarginMode(record["margin_mode"]),
            purpose=Purpose(record["purpose"]),
            full_close=bool(record["full_close"]),
        ),
        generation=int(record["generation"]),
        prepared_at=float(record["at"]),
        valid_until=float(record["valid_until"]),
        state=IntentState(record["state"]),
        order_id=str(record["order_id"]),
        notional=decimal_or_none(record.get("notional")),
    )
