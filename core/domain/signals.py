"""What sources say: signals, documents, and how well a document could be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from core.domain.words import SourceName


@dataclass(frozen=True, slots=True)
class Signal:
    """One source's opinion on one of its own symbols. `depth` in [-1, 1]; `timestamp` epoch seconds of the opinion."""

    depth: Decimal
    timestamp: float
    leverage: Decimal | None = None
    price: Decimal | None = None
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A source's whole opinion, by the source's own symbols. `written_at` epoch seconds."""

    source: SourceName
    revision: int
    written_at: float
    signals: Mapping[str, Signal]


class Reading(StrEnum):
    KNOWN = "known"
    UNKNOWN = "unknown"
    """It was read before and cannot be now: its contributions are frozen."""
    NOT_HEARD = "not_heard"
    """Nothing was ever read from it in this home."""


@dataclass(frozen=True, slots=True)
class SourceReading:
    """How one source reads now. `document` only when KNOWN; `because` names what is wrong and the remedy otherwise."""

    source: SourceName
    reading: Reading
    document: Document | None = None
    because: str = ""
    gone: frozenset[str] = frozenset()
    """Source symbols an earlier document had and this one lacks: frozen, never zero."""
