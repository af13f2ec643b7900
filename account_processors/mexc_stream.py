"""MEXC's private stream of one account: what is said on a connection, and where to.

The login is signed in the venue's time. It begins with nothing of what is open already, so a connection counts from its
login on, and whoever listens reads first. A stream that lags is as good as none and is given up; one that leaves
something out begins anew. Where the account is switched to hedge mode it ends: positions of that mode are no net ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from account_processors.codecs import mexc as account_codec
from account_processors.codecs import mexc_stream as codec
from account_processors.continuity import Continuity
from account_processors.mexc_client import MexcClient
from account_processors.stream import Heard, StreamClient
from account_processors.stream_parts import Counts, connection_room, left_out, others, unless_late
from account_processors.wiring import Wiring
from core.domain import Instrument, PositionMode, Symbol, VenueEvent
from core.errors import Denied
from core.ports import Clock, Entropy, StreamRequest

BASE_URL = "https://api.mexc.com"
STREAMS: Mapping[str, str] = MappingProxyType({BASE_URL: "wss://contract.mexc.com"})
"""REST address -> address of its streams (https://www.mexc.com/api-docs/futures/websocket-api)."""
CONNECTIONS = (2, 1.0)
"""Connections per seconds for one address. The venue states no limit."""
ROOM_WITHIN_S = 60.0
"""Accounts of one address come in one after another, which takes longer than a request may."""
CLOCK_MAX_AGE_S = 5.0


@dataclass(frozen=True, slots=True)
class Around:
    """What the stream needs of its account. `listed` asks for the venue's contracts, `latest` are those last read;
    `mode` reads the position mode, `moded` is told of it."""

    listed: Callable[[], Awaitable[Mapping[Symbol, Instrument]]]
    latest: Callable[[], Mapping[Symbol, Instrument] | None]
    mode: Callable[[], Awaitable[PositionMode]]
    moded: Callable[[PositionMode], None]


@dataclass(slots=True)
class PrivateSession:
    """One connection, logged in. See `stream.Session`."""

    client: MexcClient = field(repr=False)
    clock: Clock
    around: Around
    known: Mapping[Symbol, Instrument]
    counts: Counts
    continuity: Continuity = field(default_factory=Continuity)
    held: dict[Symbol, int] = field(default_factory=dict)
    """Ids of positions told of as open."""

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
        if said.ok:
            return Heard(up=said.channel == codec.LOGIN)
        self.client.time.forget()  # it may have been the time
        raise Denied(
            f"mexc refused the login of the private stream ({said.why or 'without a reason'}); check that api_key, "
            "api_secret and ws_url belong together and that this address is allowed",
            codec.ERROR,
        )

    def _told(self, message: codec.Message) -> Heard[VenueEvent]:
        venue_clock, now_s = self.client.venue_clock, self.clock.monotonic()
        if (mode := codec.mode(message)) is not None:
            self.around.moded(mode)
            unless_one_way(mode)
        view = codec.View(self.clock.time(), venue_clock.local, self.around.latest() or self.known, self.held)
        found, foreign = codec.events(message, view)
        if found and message.made_s is not None:
            unless_late(venue_clock.now() - message.made_s)
        new = tuple(one.event for one in found if self.continuity.takes(one.event, now_s, one.made_s))
        self.counts.foreign += foreign
        self.counts.repeats += others(one.event for one in found) - others(new)
        return Heard(new)


def unless_one_way(mode: PositionMode) -> None:
    """Raises `Denied` in hedge mode."""
    if mode is PositionMode.HEDGE:
        raise Denied(account_codec.HEDGE_REMEDY, account_codec.HEDGE_MODE)


class PrivateStream:
    """How the private stream of one account is opened; `client` keeps it so."""

    def __init__(self, url: str, client: MexcClient, wiring: Wiring, entropy: Entropy, around: Around) -> None:
        self.counts = Counts()
        self.client: StreamClient[VenueEvent] = StreamClient(wiring.transport, wiring.clock, entropy, self._enter)
        self._url = url
        self._rest = client
        self._wiring = wiring
        self._around = around

    async def _enter(self) -> tuple[StreamRequest, PrivateSession]:
        """First the venue's contracts, by which rows are sorted, its time, in which the login is signed, and the
        position mode, which the stream tells of only when it changes."""
        known = await self._around.listed()
        unless_one_way(await self._around.mode())
        await connection_room(self._wiring, *CONNECTIONS, within_s=ROOM_WITHIN_S)
        await self._rest.time.learn(CLOCK_MAX_AGE_S)
        request = StreamRequest(f"{self._url}{codec.PATH}", deadline_s=self._wiring.deadline_s)
        return request, PrivateSession(self._rest, self._wiring.clock, self._around, known, self.counts)
