"""Facts for history: events as JSON objects in `state/events/<account>.jsonl`, for whoever records or draws them.

    {"schema": 1, "at": "2026-11-20T09:12:44.123Z", "account": "bybit-main", "fact": "order_resolved",
     "symbol": "BTCUSDT", "client_id": "…", "outcome": "filled", "filled": "0.012", "because": "…"}

Every field of the event under its own name; numbers that are money as plain text, orders and steps as objects.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum

from core.domain import plain
from core.events import (
    AccountChanged,
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
from core.state.facts import FactLog

FACTS: Mapping[type[Event], str] = {
    AccountChanged: "account",
    DriftSeen: "drift",
    EquityRead: "equity",
    GenerationSized: "generation",
    OrderAcked: "order_acked",
    OrderResolved: "order_resolved",
    OrderSent: "order_sent",
    OrderUncertain: "order_uncertain",
    PositionVerified: "verified",
    StepDone: "step",
    SymbolSettled: "settled",
    Trouble: "trouble",
}
"""What is history, and its name in the file. Cycles are not: they say nothing about an account."""


class FactsObserver:
    """Writes what is history to the fact log; a trouble with the disk is logged when it begins."""

    name = "facts"

    def __init__(self, facts: FactLog, logger: str = "trade-engine") -> None:
        self._facts = facts
        self._log = logging.getLogger(logger)
        self._troubled = False

    def see(self, event: Event) -> None:
        fact = fact_of(event)
        if fact is None:
            return
        trouble = self._facts.append(event.account, event.at, fact)
        if trouble is not None and not self._troubled:
            self._log.warning("%s", trouble)
        self._troubled = trouble is not None


def fact_of(event: Event) -> dict[str, object] | None:
    """The event as a fact, without its instant and account; None for what is no history."""
    name = FACTS.get(type(event))
    return None if name is None else {"fact": name, **_told(event, ("at", "account"))}


def _told(value: object, without: tuple[str, ...] = ()) -> dict[str, object]:
    assert is_dataclass(value)
    return {f.name: _json(getattr(value, f.name)) for f in fields(value) if f.name not in without}


def _json(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {"type": type(value).__name__, **_told(value)}
    return value
