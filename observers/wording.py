"""PURE: events in words, one line each."""

from __future__ import annotations

import logging
from dataclasses import fields
from decimal import Decimal
from enum import Enum

from core.domain import PlaceOrder, SetLeverage, Step, plain
from core.events import (
    AccountChanged,
    CycleDone,
    DriftSeen,
    EquityRead,
    Event,
    GenerationSized,
    OrderAcked,
    OrderResolved,
    OrderSent,
    OrderUncertain,
    PositionVerified,
    StepDone,
    SymbolSettled,
    Trouble,
)

SHOWN_ID_DIGITS = 10


def level(event: Event) -> int:
    """What a person watching should see: routine reads are DEBUG, what wants attention WARNING."""
    if isinstance(event, Trouble | OrderUncertain | DriftSeen):
        return logging.WARNING
    if isinstance(event, EquityRead) or (isinstance(event, CycleDone) and not event.orders):
        return logging.DEBUG
    return logging.INFO


def sentence(event: Event) -> str:
    """`account symbol: what: because`, on one line whatever the texts in it hold."""
    symbol = getattr(event, "symbol", None)
    where = f"{event.account} {symbol}" if symbol else str(event.account)
    because = getattr(event, "because", "")
    return one_line(f"{where}: {_what(event)}" + (f": {because}" if because else ""))


def one_line(text: str) -> str:
    """`text` with what could end or colour a line made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _what(event: Event) -> str:
    match event:
        case SymbolSettled():
            return event.state.value
        case GenerationSized():
            return _sized(event)
        case OrderSent():
            return f"sends {order_in_words(event.order)} ({short(event.client_id)})"
        case OrderAcked():
            return f"accepted ({short(event.client_id)}, the venue calls it {event.order_id})"
        case OrderResolved():
            return f"{event.outcome}, {plain(event.filled)} contracts ({short(event.client_id)})"
        case OrderUncertain():
            return f"outcome unknown, looking it up, not sending it again ({short(event.client_id)})"
        case StepDone():
            return step_in_words(event.step)
        case PositionVerified():
            return f"verified at {plain(event.contracts)} contracts (generation {event.generation})"
        case DriftSeen():
            return f"moved by somebody else, expected {plain(event.expected)} contracts, found {plain(event.found)}"
        case AccountChanged():
            return event.state
        case EquityRead():
            return f"equity {plain(event.value)} {event.currency}"
        case CycleDone():
            return f"cycle {event.cycle}, {event.orders} orders, {event.duration_s * 1000:.0f} ms"
        case Trouble():
            return "trouble"
    return _unworded(event)


def _sized(event: GenerationSized) -> str:
    size = f"generation {event.generation} sized to {plain(event.contracts)} contracts"
    from_what = [f"depth {plain(event.depth)}", f"{plain(event.leverage)}x"]
    from_what += [f"equity {plain(event.equity)}"] if event.equity is not None else []
    from_what += [f"price {plain(event.price)}"] if event.price is not None else []
    return f"{size} ({', '.join(from_what)})"


def order_in_words(order: PlaceOrder) -> str:
    price = "" if order.price is None else f" at {plain(order.price)}"
    reduce_only = " reduce-only" if order.reduce_only else ""
    return f"{order.side.value} {plain(order.contracts)} {order.kind.value}{price} {order.tif.value}{reduce_only}"


def step_in_words(step: Step) -> str:
    if isinstance(step, PlaceOrder):
        return order_in_words(step)
    if isinstance(step, SetLeverage):
        return f"leverage set to {plain(step.leverage)}x"
    return f"margin mode set to {step.margin_mode.value}"


def short(client_id: str) -> str:
    """Enough of a client id to find it by."""
    return f"order {client_id[:SHOWN_ID_DIGITS]}"


def _unworded(event: Event) -> str:
    """A kind of event that has no sentence yet: its name and fields."""
    told = {
        f.name: getattr(event, f.name) for f in fields(event) if f.name not in ("at", "account", "symbol", "because")
    }
    return " ".join([type(event).__name__, *(f"{name}={as_text(value)}" for name, value in told.items())])


def as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    return str(value.value) if isinstance(value, Enum) else str(value)
