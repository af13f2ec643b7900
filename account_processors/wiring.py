"""What every client of a venue is built from, and how it reads an answer's outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from account_processors.shared import VenueShared
from core.ports import Clock, Transport

MAX_PAUSE_S = 3600.0
MIN_SECRET = 6
"""Shorter secrets are not looked for in answers: they would match anything."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a client needs from outside. `owner` is the account, for fairness in the shared budget."""

    owner: str
    endpoint: str
    transport: Transport
    clock: Clock
    shared: VenueShared
    deadline_s: float


def without_secrets(body: bytes, secrets: Iterable[str]) -> bytes:
    """An answer as it may be passed on: some refusals quote what was sent."""
    for secret in secrets:
        if len(secret) >= MIN_SECRET:
            body = body.replace(secret.encode(), b"***")
    return body


def whole(value: str | None) -> int | None:
    """A header's whole number; None where there is none."""
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 16 else None


def pause_s(value: str | None) -> float | None:
    """`Retry-After` in seconds; a date is not used by these venues."""
    seconds = whole(value)
    return None if seconds is None else min(float(seconds), MAX_PAUSE_S)
