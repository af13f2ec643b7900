"""Hyperliquid's private stream of one account: what is said on a connection, and where to.

Anybody may listen to any address, so there is no login. A fill that does not name our order waits for what says whose
its order is (an acknowledgement, the order's own update), and is nobody's if that does not come. A stream that lags is
as good as none and is given up; one that leaves something out begins anew for whoever listens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from account_processors.codecs import hyperliquid_stream as codec
from account_processors.codecs.hyperliquid import SETTLE, State
from account_processors.codecs.hyperliquid_orders import Moved
from account_processors.codecs.orders import OrderRow, outcome
from account_processors.continuity import Continuity
from account_processors.hyperliquid_client import HyperliquidClient
from account_processors.hyperliquid_finder import Finder
from account_processors.stream import Heard, StreamClient
from account_processors.stream_parts import Counts, connection_room, left_out, unless_late
from account_processors.wiring import Wiring
from core.domain import ZERO, Equity, Position, Symbol, VenueEvent, VenueEventKind
from core.errors import Unavailable
from core.ports import Clock, Entropy, StreamRequest

BASE_URL = "https://api.hyperliquid.xyz"
STREAMS: Mapping[str, str] = MappingProxyType(
    {
        BASE_URL: "wss://api.hyperliquid.xyz",
        "https://api.hyperliquid-testnet.xyz": "wss://api.hyperliquid-testnet.xyz",
    }
)
"""REST address -> address of its stream."""
CONNECTIONS = (25, 60.0)
"""Connections per seconds for one address; the venue bears 30."""
OWNER_WITHIN_S = 1.0
"""How long a fill waits for its owner."""


@dataclass(slots=True)
class Session:
    """One connection. See `stream.Session`."""

    client: HyperliquidClient = field(repr=False)
    finder: Finder
    clock: Clock
    counts: Counts
    continuity: Continuity = field(default_factory=Continuity)
    awaited: set[str] = field(default_factory=lambda: {*codec.CHANNELS, "snapshot"})
    """What is still missing for the stream to be complete."""
    held: dict[Symbol, Position] = field(default_factory=dict)
    """Positions as last told; flat ones as well, once they were told otherwise."""
    equity: Equity | None = None
    waiting: list[tuple[Moved, float]] = field(default_factory=list)
    """Fills without an owner, and when they came, monotonic."""

    def begin(self) -> Heard[VenueEvent]:
        return Heard(send=tuple(codec.subscription(channel, self.client.address) for channel in codec.CHANNELS))

    def ping(self) -> str:
        return codec.PING

    def hear(self, text: str) -> Heard[VenueEvent]:
        message = codec.frame(text.encode(errors="replace"))
        if message.channel == codec.ERROR:
            why = codec.refusal(message) or "no reason given"
            raise Unavailable(f"hyperliquid refused a subscription of the private stream ({why})")
        if message.channel == codec.SUBSCRIBED:
            return self._ready(codec.confirmed(message))
        if message.channel == codec.FILLS:
            return self._fills(message)
        if message.channel == codec.ORDERS:
            return self._orders(message)
        if message.channel == codec.STATE:
            return self._state(message)
        return Heard()

    def tick(self) -> Heard[VenueEvent]:
        now_s = self.clock.monotonic()
        late = self._released(lambda moved, came_s: now_s >= came_s + OWNER_WITHIN_S)
        missing = left_out(self.continuity, self.counts, now_s)
        return missing if missing.gap else Heard(late)

    def _ready(self, what: str) -> Heard[VenueEvent]:
        if what not in self.awaited:
            return Heard()
        self.awaited.remove(what)
        return Heard(up=not self.awaited)

    # --- channels -----------------------------------------------------------------------------------------------------

    def _fills(self, message: codec.Message) -> Heard[VenueEvent]:
        row = codec.about(message, self.client.address)
        moved, foreign = codec.fills(row, self.client.address)
        if codec.is_snapshot(row):
            return self._ready("snapshot")  # what was before the stream is nothing it has to tell
        self.counts.foreign += foreign
        self._in_time(max((one.execution.fill.time for one in moved), default=None))
        came_s = self.clock.monotonic()
        self.waiting += [(one, came_s) for one in moved]
        return Heard(self._released(lambda moved, _: self._owner_known(moved)))

    def _orders(self, message: codec.Message) -> Heard[VenueEvent]:
        told, foreign = codec.updates(message)
        self.counts.foreign += foreign
        self._in_time(max((at_s for _, at_s in told), default=None))
        for row, _ in told:
            self.finder.learn(row.order_id, row.client_id)
        fills = self._released(lambda moved, _: self._owner_known(moved))
        return Heard((*fills, *self._new([self._order(row) for row, _ in told])))

    def _order(self, row: OrderRow) -> VenueEvent:
        end = outcome([row], ())
        return VenueEvent(VenueEventKind.ORDER, self.clock.time(), row.symbol, client_id=row.client_id, outcome=end)

    def _state(self, message: codec.Message) -> Heard[VenueEvent]:
        """Positions that are not as they were told last, and the equity if it changed."""
        state = codec.state(codec.about(message, self.client.address))
        self._in_time(state.time_s)
        now = self.clock.time()
        flat = {symbol: Position(symbol, ZERO) for symbol in self.held}
        changed = [one for one in ({**flat, **state.positions}).values() if self.held.get(one.symbol) != one]
        self.held.update((one.symbol, one) for one in changed)
        told = [VenueEvent(VenueEventKind.POSITION, now, one.symbol, position=one) for one in changed]
        return Heard((*self._new(told, state.time_s), *self._money(state, now)))

    def _money(self, state: State, now: float) -> tuple[VenueEvent, ...]:
        if self.equity is not None and self.equity.value == state.equity:
            return ()
        self.equity = Equity(state.equity, SETTLE, now)
        return (VenueEvent(VenueEventKind.EQUITY, now, equity=self.equity),)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _owner_known(self, moved: Moved) -> bool:
        named = moved.nobodys or moved.execution.fill.client_id is not None
        return named or moved.execution.order_id in self.finder.owners

    def _released(self, ready: Callable[[Moved, float], bool]) -> tuple[VenueEvent, ...]:
        """The waiting fills that are `ready`, with their owners, as far as they are new."""
        chosen = [one for one, came_s in self.waiting if ready(one, came_s)]
        self.waiting = [(one, came_s) for one, came_s in self.waiting if not ready(one, came_s)]
        found = [codec.owned(one, self.finder.owners, self.client.venue_clock.local) for one in chosen]
        now = self.clock.time()
        return self._new(
            [VenueEvent(VenueEventKind.FILL, now, it.symbol, fill=it, client_id=it.client_id) for it in found]
        )

    def _new(self, found: list[VenueEvent], made_s: float | None = None) -> tuple[VenueEvent, ...]:
        now_s = self.clock.monotonic()
        new = tuple(event for event in found if self.continuity.takes(event, now_s, made_s))
        self.counts.repeats += len(found) - len(new)
        return new

    def _in_time(self, made_s: float | None) -> None:
        if made_s is not None:
            unless_late(self.client.venue_clock.now() - made_s)


class PrivateStream:
    """How the private stream of one account is opened; `client` keeps it so."""

    def __init__(
        self,
        url: str,
        client: HyperliquidClient,
        finder: Finder,
        wiring: Wiring,
        entropy: Entropy,
        learn_time: Callable[[], Awaitable[object]],
    ) -> None:
        """`learn_time` asks for something that carries the venue's time."""
        self.counts = Counts()
        self.client: StreamClient[VenueEvent] = StreamClient(wiring.transport, wiring.clock, entropy, self._enter)
        self._url = url
        self._rest = client
        self._finder = finder
        self._wiring = wiring
        self._learn_time = learn_time

    async def _enter(self) -> tuple[StreamRequest, Session]:
        """The venue's time comes first: what lags is told by it."""
        await self._learn_time()
        await connection_room(self._wiring, *CONNECTIONS)
        request = StreamRequest(f"{self._url}{codec.PATH}", deadline_s=self._wiring.deadline_s)
        return request, Session(self._rest, self._finder, self._wiring.clock, self.counts)
