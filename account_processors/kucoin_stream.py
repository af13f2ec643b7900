"""KuCoin Futures' private stream of one account: what is said on a connection, and where to.

Every connection begins with a token of its own, so that none is ever out of date. A stream that lags is as good as none
and is given up; one that leaves something out begins anew for whoever listens. Its messages are not numbered: positions
are kept in the order of the venue's own instants, and what belongs together has to come together (see `continuity`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from account_processors.codecs import kucoin_stream as codec
from account_processors.continuity import Continuity
from account_processors.kucoin_client import KucoinClient, read
from account_processors.reading import usable
from account_processors.stream import Heard, StreamClient
from account_processors.stream_parts import Counts, connection_room, left_out, unless_late
from account_processors.wiring import Wiring, without_secrets
from core.domain import ClientId, Instrument, Symbol, VenueEvent
from core.errors import Unavailable
from core.ports import Clock, Entropy, StreamRequest

CONNECTIONS = (20, 60.0)
"""Connections per seconds for one address; the venue bears 30."""
CONNECT_ID_BYTES = 8
ORDERS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Places:
    """Where streams are. `own`: the address the account's entry names, None: the one the venue answers with."""

    client: KucoinClient
    wiring: Wiring
    entropy: Entropy
    own: str | None

    async def enter(self, *, private: bool) -> tuple[StreamRequest, codec.Door, str]:
        """A connection that may be opened now, with a new token; raises `Unavailable` or `Denied`."""
        await connection_room(self.wiring, *CONNECTIONS)
        answer, payload = await read(self.client.get_ws_token(private=private))
        with usable(answer.place):
            door = codec.door(payload)
        endpoint = self.own or door.endpoint
        plain = urlsplit(self.wiring.endpoint).scheme == "http"
        if urlsplit(endpoint).scheme not in (("ws", "wss") if plain else ("wss",)):
            raise Unavailable("kucoin names a stream that is not encrypted; it is not opened, and everything is read")
        connect_id = self.entropy.bytes(CONNECT_ID_BYTES).hex()
        request = StreamRequest(codec.url(endpoint, door.token, connect_id), deadline_s=self.wiring.deadline_s)
        return request, door, connect_id


def refused(said: codec.Said, what: str) -> Unavailable:
    """The venue's word against the connection or against what was asked of it."""
    if said.code == codec.TOKEN_REFUSED:
        return Unavailable(f"kucoin refused the token of {what} ({said.why}); a new one is asked for")
    return Unavailable(f"kucoin refused {what} ({said.code}: {said.why or 'no reason given'})", str(said.code))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the adapter knows besides the stream. `listed` reads the venue's instruments, `latest` are those last read;
    `secrets` are not to be told, whoever quotes them."""

    listed: Callable[[], Awaitable[Mapping[Symbol, Instrument]]]
    latest: Callable[[], Mapping[Symbol, Instrument] | None]
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(slots=True)
class PrivateSession:
    """One connection with a token of the account. See `stream.Session`."""

    client: KucoinClient
    clock: Clock
    around: Surroundings
    listed: Mapping[Symbol, Instrument]
    counts: Counts
    door: codec.Door = field(repr=False)
    continuity: Continuity = field(default_factory=Continuity)
    _open: set[str] = field(default_factory=lambda: set(codec.TOPICS))
    """Topics whose subscription is not confirmed yet."""
    _orders: OrderedDict[ClientId, str] = field(default_factory=OrderedDict)
    """Client id -> the venue's id of the first order that came with it."""
    _shared: set[ClientId] = field(default_factory=set)
    """Client ids that stand for several orders, which this venue was seen to allow."""

    def begin(self) -> Heard[VenueEvent]:
        """Nothing may be said before the venue's welcome."""
        return Heard(ping_within_s=self.door.ping_within_s)

    def ping(self) -> str:
        return codec.PING

    def hear(self, text: str) -> Heard[VenueEvent]:
        secrets = (*self.around.secrets, self.door.token)
        heard = codec.frame(without_secrets(text.encode(errors="replace"), secrets))
        return self._said(heard) if isinstance(heard, codec.Said) else self._told(heard)

    def tick(self) -> Heard[VenueEvent]:
        return left_out(self.continuity, self.counts, self.clock.monotonic())

    def _said(self, said: codec.Said) -> Heard[VenueEvent]:
        if said.kind == codec.ERROR:
            raise refused(said, "the private stream")
        if said.kind == codec.WELCOME:
            return Heard(send=tuple(codec.choice(codec.SUBSCRIBE, topic, private=True) for topic in codec.TOPICS))
        if said.kind == codec.ACK:
            self._open.discard(said.to)
            return Heard(up=not self._open)
        return Heard()

    def _told(self, message: codec.Message) -> Heard[VenueEvent]:
        venue_clock, now_s = self.client.venue_clock, self.clock.monotonic()
        view = codec.View(self.clock.time(), venue_clock.local, self.around.latest() or self.listed)
        told = codec.told(message, view)
        self.counts.foreign += told.foreign
        if told.made_s is not None:
            unless_late(venue_clock.now() - told.made_s)
        if told.event is None:
            return Heard()
        event, gap = self._owned(told.event, told.order_id)
        if not self.continuity.takes(event, now_s, told.made_s):
            self.counts.repeats += 1
            return Heard(gap=gap)
        return Heard((event,), gap=gap)

    def _owned(self, event: VenueEvent, order_id: str) -> tuple[VenueEvent, str]:
        """The event, nobody's if its id stands for several orders: then only lookups tell what became of them."""
        client_id, gap = event.client_id, ""
        if client_id is None or not order_id:
            return event, ""
        if self._orders.setdefault(client_id, order_id) != order_id and client_id not in self._shared:
            self._shared.add(client_id)
            self.counts.gaps += 1
            gap = f"it shows two orders with the id {client_id}; what it told before does not count"
        while len(self._orders) > ORDERS_KEPT:
            self._shared.discard(self._orders.popitem(last=False)[0])
        if client_id not in self._shared:
            return event, ""
        fill = None if event.fill is None else replace(event.fill, client_id=None)
        return replace(event, client_id=None, fill=fill), gap


class PrivateStream:
    """How the private stream of one account is opened; `client` keeps it so."""

    def __init__(self, places: Places, around: Surroundings) -> None:
        wiring = places.wiring
        self.counts = Counts()
        self.client: StreamClient[VenueEvent] = StreamClient(
            wiring.transport, wiring.clock, places.entropy, self._enter
        )
        self._places = places
        self._around = around

    async def _enter(self) -> tuple[StreamRequest, PrivateSession]:
        """The venue's symbols and its time come first: messages are sorted by the ones and held against the other."""
        listed = await self._around.listed()
        await self._places.client.time.learn(0.0)
        request, door, _ = await self._places.enter(private=True)
        clock = self._places.wiring.clock
        return request, PrivateSession(self._places.client, clock, self._around, listed, self.counts, door)
