"""Small parts that private and public streams are made of, whatever the venue."""

from __future__ import annotations

from collections.abc import Mapping
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


def stream_url(base_url: str | None, ws_url: str | None, live: str, streams: Mapping[str, str]) -> str | None:
    """Where the streams of a REST address (None: the `live` one) are, by `streams`; None where that is not known.

    Never the live streams beside another address: prices and positions would be those of another world.
    """
    if ws_url is not None:
        return ws_url.rstrip("/")
    return streams.get((base_url or live).rstrip("/"))


async def connection_room(wiring: Wiring, most: int, per_s: float, within_s: float | None = None) -> None:
    """Returns when one more connection may be opened, of `most` in `per_s` seconds.

    Raises `Unavailable` where there is no room `within_s` (None: as for a request).
    """
    shared = wiring.shared
    window = shared.window("websocket connections of this address", most, per_s)
    await shared.budget.acquire([window], Priority.READ, wiring.owner, within_s or wiring.deadline_s)
