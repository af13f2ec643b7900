"""BloFin's private stream of one account: what is said on a connection, and where to.

The login is signed in the venue's time, read anew for each connection. A stream that lags is as good as none and is
given up; one that leaves something out begins anew for whoever listens. Nothing here proves more than it says: an order
that is told of as filled is, because what is told of it is cumulative; a position may be an older one than the last
read, because nothing numbers it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from account_processors.blofin_client import BloFinClient, read
from account_processors.codecs import blofin_stream as codec
from account_processors.codecs.blofin_errors import PROVEN
from account_processors.continuity import Continuity
from account_processors.stream import Heard, StreamClient
from account_processors.stream_parts import Counts, connection_room, left_out, others, unless_late
from account_processors.wiring import Wiring
from core.domain import Instrument, Symbol, VenueEvent
from core.errors import Denied, Unavailable
from core.ports import Clock, Entropy, StreamRequest

BASE_URL = "https://openapi.blofin.com"
STREAMS: Mapping[str, str] = MappingProxyType(
    {
        BASE_URL: "wss://openapi.blofin.com",
        "https://demo-trading-openapi.blofin.com": "wss://demo-trading-openapi.blofin.com",
    }
)
"""REST address -> address of its streams (https://docs.blofin.com, General Info)."""
CONNECTIONS = (1, 2.0)
"""Connections per seconds for one address. The venue takes one a second; one that is held up arrives in a later one."""
ROOM_WITHIN_S = 60.0
"""Accounts of one address come in one after another, which takes longer than a request may."""


@dataclass(frozen=True, slots=True)
class Listings:
    """The venue's contracts: `read` asks for them, `latest` are those last read."""

    read: Callable[[], Awaitable[Mapping[Symbol, Instrument]]]
    latest: Callable[[], Mapping[Symbol, Instrument] | None]


@dataclass(slots=True)
class PrivateSession:
    """One connection to `/ws/private`. See `stream.Session`."""

    client: BloFinClient = field(repr=False)
    clock: Clock
    listings: Listings
    known: Mapping[Symbol, Instrument]
    counts: Counts
    continuity: Continuity = field(default_factory=lambda: Continuity(shows_flat=False))
    progress: codec.Progress = field(default_factory=codec.Progress)
    awaited: set[str] = field(default_factory=lambda: set(codec.CHANNELS))
    """Channels whose subscription is not confirmed yet."""

    def begin(self) -> Heard[VenueEvent]:
        return Heard(send=(self.client.login(),))

    def ping(self) -> str:
        return codec.PING

    def hear(self, text: str) -> Heard[VenueEvent]:
        heard = codec.frame(self.client.clean(text.encode(errors="replace")))
        return self._said(heard) if isinstance(heard, codec.Said) else self._told(heard)

    def tick(self) -> Heard[VenueEvent]:
        return left_out(self.continuity, self.counts, self.clock.monotonic())

    def _said(self, said: codec.Said) -> Heard[VenueEvent]:
        if not said.ok:
            raise self._refusal(said)
        if said.event == codec.LOGIN:
            return Heard(send=(codec.subscription(codec.CHANNELS),))
        if said.event == codec.SUBSCRIBE and said.channel in self.awaited:
            self.awaited.remove(said.channel)
            return Heard(up=not self.awaited)
        return Heard()

    def _refusal(self, said: codec.Said) -> Denied | Unavailable:
        """A refused login is for the user to mend; the venue says nothing of why but that it failed."""
        why = f"code {said.code}: {said.why}" if said.why else f"code {said.code or 'none'}"
        verdict = PROVEN.get(said.code)
        if said.code == codec.LOGIN_FAILED or (verdict is not None and verdict.kind is Denied):
            return Denied(
                f"blofin refused the login of the private stream ({why}); check that api_key, api_secret, "
                "api_passphrase and ws_url belong together (live, demo) and that this address is allowed",
                said.code,
            )
        return Unavailable(f"blofin refused the channels of the private stream ({why})", said.code)

    def _told(self, message: codec.Message) -> Heard[VenueEvent]:
        venue_clock, now_s = self.client.venue_clock, self.clock.monotonic()
        known = self.listings.latest() or self.known
        view = codec.View(self.clock.time(), venue_clock.local, known, self.progress)
        found, foreign = codec.events(message, view)
        if message.channel == codec.ORDERS:  # the one channel whose messages come of an event, and say when it was
            unless_late(max((venue_clock.now() - one.made_s for one in found if one.made_s is not None), default=0.0))
        new = tuple(one.event for one in found if self.continuity.takes(one.event, now_s, one.made_s))
        self.counts.foreign += foreign
        self.counts.repeats += others(one.event for one in found) - others(new)
        return Heard(new)


class PrivateStream:
    """How the private stream of one account is opened; `client` keeps it so."""

    def __init__(self, url: str, client: BloFinClient, wiring: Wiring, entropy: Entropy, listings: Listings) -> None:
        self.counts = Counts()
        self.client: StreamClient[VenueEvent] = StreamClient(wiring.transport, wiring.clock, entropy, self._enter)
        self._url = url
        self._rest = client
        self._wiring = wiring
        self._listings = listings

    async def _enter(self) -> tuple[StreamRequest, PrivateSession]:
        """The venue's contracts and its time come first: rows are sorted by the ones, the login is signed in it."""
        known = await self._listings.read()
        await read(self._rest.call("publicGetMarketMarkPrice"))
        await connection_room(self._wiring, *CONNECTIONS, within_s=ROOM_WITHIN_S)
        request = StreamRequest(f"{self._url}{codec.PRIVATE_PATH}", deadline_s=self._wiring.deadline_s)
        return request, PrivateSession(self._rest, self._wiring.clock, self._listings, known, self.counts)
