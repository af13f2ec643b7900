"""Bybit's private stream of one account: what is said on a connection, and where to.

The login is signed in the venue's time, read anew for each connection. A stream that lags is as good as none and is
given up; one that leaves something out begins anew for whoever listens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from account_processors.bybit_client import BybitClient, read
from account_processors.codecs import bybit_stream as codec
from account_processors.continuity import Continuity
from account_processors.stream import Heard, StreamClient
from account_processors.stream_parts import Counts, connection_room, left_out, unless_late
from account_processors.wiring import Wiring, without_secrets
from core.domain import Instrument, MarginMode, Symbol, VenueEvent
from core.errors import Denied, Unavailable
from core.ports import Clock, Entropy, StreamRequest

BASE_URL = "https://api.bybit.com"
STREAMS: Mapping[str, str] = MappingProxyType(
    {
        BASE_URL: "wss://stream.bybit.com",
        "https://api-testnet.bybit.com": "wss://stream-testnet.bybit.com",
    }
)
"""REST address -> address of its streams (https://bybit-exchange.github.io/docs/v5/ws/connect)."""
LOGIN_VALID_S = 10.0
"""A second, as in the venue's examples, is too short for a slow line (https://github.com/bybit-exchange/pybit/issues/152)."""
CONNECTIONS = (400, 300.0)
"""Connections per seconds for one address; the venue bears 500."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the adapter knows besides the stream. `listed` reads the venue's instruments, `latest` are those last read;
    `held` collects settle coins of positions that were seen; `mode` is the account's margin mode, None: unknown."""

    settle: str
    listed: Callable[[], Awaitable[Mapping[Symbol, Instrument]]]
    latest: Callable[[], Mapping[Symbol, Instrument] | None]
    held: set[str]
    mode: Callable[[], MarginMode | None]


@dataclass(slots=True)
class PrivateSession:
    """One connection to `/v5/private`. See `stream.Session`."""

    client: BybitClient = field(repr=False)
    clock: Clock
    around: Surroundings
    listed: Mapping[Symbol, Instrument]
    counts: Counts
    continuity: Continuity = field(default_factory=Continuity)

    def begin(self) -> Heard[VenueEvent]:
        expires_ms = int((self.client.venue_clock.now() + LOGIN_VALID_S) * 1000)
        return Heard(send=(codec.login(self.client.api_key, self.client.api_secret, expires_ms),))

    def ping(self) -> str:
        return codec.PING

    def hear(self, text: str) -> Heard[VenueEvent]:
        heard = codec.frame(
            without_secrets(text.encode(errors="replace"), (self.client.api_key, self.client.api_secret))
        )
        return self._said(heard) if isinstance(heard, codec.Said) else self._told(heard)

    def tick(self) -> Heard[VenueEvent]:
        return left_out(self.continuity, self.counts, self.clock.monotonic())

    def _said(self, said: codec.Said) -> Heard[VenueEvent]:
        if said.op == codec.AUTH:
            if not said.ok:
                raise Denied(
                    f"bybit refused the login of the private stream ({said.why or 'no reason given'}); check that "
                    "api_key, api_secret and ws_url belong together (live, test) and that this address is allowed"
                )
            return Heard(send=(codec.choice(codec.SUBSCRIBE, codec.TOPICS),))
        if said.op == codec.SUBSCRIBE:
            if not said.ok:
                raise Unavailable(f"bybit refused the topics of the private stream ({said.why or 'no reason given'})")
            return Heard(up=True)
        return Heard()

    def _told(self, message: codec.Message) -> Heard[VenueEvent]:
        venue_clock, now_s = self.client.venue_clock, self.clock.monotonic()
        unless_late(venue_clock.now() - codec.created_s(message))
        around, listed = self.around, self.around.latest() or self.listed
        view = codec.View(self.clock.time(), venue_clock.local, around.mode(), listed, around.settle)
        found, foreign = codec.events(message, view)
        new = tuple(event for event in found if self.continuity.takes(event, now_s))
        self.counts.foreign += foreign
        self.counts.repeats += len(found) - len(new)
        around.held.update(
            listed[event.position.symbol].settle for event in new if event.position and event.position.contracts
        )
        return Heard(new)


class PrivateStream:
    """How the private stream of one account is opened; `client` keeps it so."""

    def __init__(self, url: str, client: BybitClient, wiring: Wiring, entropy: Entropy, around: Surroundings) -> None:
        self.counts = Counts()
        self.client: StreamClient[VenueEvent] = StreamClient(wiring.transport, wiring.clock, entropy, self._enter)
        self._url = url
        self._rest = client
        self._wiring = wiring
        self._around = around

    async def _enter(self) -> tuple[StreamRequest, PrivateSession]:
        """The venue's symbols and its time come first: messages are sorted by the ones, the login is signed in it."""
        listed = await self._around.listed()
        await read(self._rest.get_server_time())
        await connection_room(self._wiring, *CONNECTIONS)
        request = StreamRequest(f"{self._url}{codec.PRIVATE_PATH}", deadline_s=self._wiring.deadline_s)
        return request, PrivateSession(self._rest, self._wiring.clock, self._around, listed, self.counts)
