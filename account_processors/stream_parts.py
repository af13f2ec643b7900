"""Small parts that private and public streams are made of, whatever the venue."""

from __future__ import annotations

from dataclasses import dataclass

from account_processors.budget import Priority
from account_processors.wiring import Wiring


@dataclass(slots=True)
class Counts:
    """What a private stream did not pass on, since the start: rows about what is not traded here, repeated messages,
    and how often it left something out."""

    foreign: int = 0
    repeats: int = 0
    gaps: int = 0


async def connection_room(wiring: Wiring, most: int, per_s: float) -> None:
    """Returns when one more connection may be opened, of `most` in `per_s` seconds; raises `Unavailable`."""
    shared = wiring.shared
    window = shared.window("websocket connections of this address", most, per_s)
    await shared.budget.acquire([window], Priority.READ, wiring.owner, wiring.deadline_s)
