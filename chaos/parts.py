"""What every simulated engine is made of: seeded randomness, and accounts with their real adapters."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from account_processors import load
from account_processors.shared import VenueShared
from core.domain import AccountId
from core.events import Emit
from core.execution.account import COMPACT_BYTES, Account
from core.ports import Clock, Entropy, Transport


class SeededEntropy:
    """`ports.Entropy` that replays."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a simulation replays

    def bytes(self, n: int) -> bytes:
        return self._random.randbytes(n)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


@dataclass(frozen=True, slots=True)
class Seat:
    """One account of a simulated world: our id of it, its venue, its name there, and its credential fields."""

    account: AccountId
    venue: str
    name: str
    fields: Mapping[str, str]


def seats_of(credentials: Mapping[str, Mapping[str, Mapping[str, str]]]) -> tuple[Seat, ...]:
    """Every account of a world, in its order."""
    return tuple(
        Seat(AccountId(f"{venue}-{name}"), venue, name, fields)
        for venue, by_name in credentials.items()
        for name, fields in by_name.items()
    )


def accounts_of(
    seats: Iterable[Seat],
    transport: Transport,
    clock: Clock,
    entropy: Entropy,
    emit: Emit,
    compact_bytes: int = COMPACT_BYTES,
    streams: bool = True,
) -> list[Account]:
    """The accounts of one process, each with its real adapter. Without `streams` everything is read."""
    shared: dict[str, VenueShared] = {}
    accounts = []
    for seat in seats:
        venue = shared.setdefault(seat.venue, VenueShared(clock))
        ws_url = seat.fields["ws_url"] if streams else None
        base_url = seat.fields["base_url"]
        processor = load(seat.venue)(seat.account, seat.fields, transport, clock, entropy, base_url, ws_url, venue)
        accounts.append(Account(seat.account, processor, clock, entropy, emit, compact_bytes))
    return accounts
