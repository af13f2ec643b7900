"""Small parts that private and public streams are made of, whatever the venue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from account_processors.budget import Priority
from account_processors.continuity import Continuity
from account_processors.stream import Heard
from account_processors.wiring import Wiring
from core.domain import VenueEvent, VenueEventKind
from core.errors import Unavailable

MOST_LAG_S = 5.0


@dataclass(slots=True)
class Counts:
    """What a private stream did not pass on, since the start: rows about what is not traded here, repeated messages,
    and how often it left something out."""

    foreign: int = 0
    repeats: int = 0
    gaps: int = 0


def left_out(continuity: Continuity, counts: Counts, now_s: float) -> Heard[VenueEvent]:
    """A gap where something of what was told by monotonic `now_s` is missing, which is counted; else nothing."""
    missing = continuity.missing(now_s)
    counts.gaps += bool(missing)
    return Heard(gap=f"it left out {missing}; what it told before does not count" if missing else "")


def unless_late(lag_s: float) -> None:
    """Raises `Unavailable` where messages come so long after what they tell that the stream is as good as none."""
    if lag_s > MOST_LAG_S:
        raise Unavailable(f"the messages of the private stream come {lag_s:.0f} s late")


def others(events: Iterable[VenueEvent]) -> int:
    """How many are not positions: those come again and again."""
    return sum(event.kind is not VenueEventKind.POSITION for event in events)


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
