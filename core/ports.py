"""What the core asks of the outside: protocols, and the sans-I/O request and response every venue speaks through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from core.domain import (
    Ack,
    Capabilities,
    ClientId,
    Cost,
    Equity,
    Halt,
    History,
    Instrument,
    Leverage,
    MarginMode,
    OpenOrder,
    OrderOutcome,
    Permit,
    PlaceOrder,
    PositionMode,
    Positions,
    Preflight,
    Price,
    Settings,
    SourceName,
    SourceReading,
    Symbol,
    VenueEvent,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, complete: `url` absolute with its query, `body` the bytes that were signed."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    deadline_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` keys are lower case; `received_at` local epoch seconds; `elapsed_s` from send to last byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float = 0.0
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamRequest:
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = 5.0


class Stream(Protocol):
    """An open websocket. `receive` raises `Lost` when it ends."""

    async def send(self, text: str) -> None: ...
    async def receive(self) -> str: ...
    async def close(self) -> None: ...


class Transport(Protocol):
    """Sends exactly once, never retries. Raises `NotSent` when no byte left, `Lost` for everything after that."""

    async def send(self, request: Request) -> Response: ...
    async def connect(self, request: StreamRequest) -> Stream: ...
    async def close(self) -> None: ...


class Clock(Protocol):
    """`time` epoch seconds (may step); `monotonic` seconds that only grow and agree with the running loop's time."""

    def time(self) -> float: ...
    def monotonic(self) -> float: ...


class Entropy(Protocol):
    """Randomness, injected so that a seed replays: `bytes(n)` for ids, `uniform` for jitter."""

    def bytes(self, n: int) -> bytes: ...
    def uniform(self, low: float, high: float) -> float: ...


@dataclass(frozen=True, slots=True)
class FileIdentity:
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int = 0


class FileOps(Protocol):
    """The disk. Files are created 0600, folders 0700. Everything raises `OSError` as the operating system would.

    `append` and `write` are not durable until `fsync`; `replace` and creation not until `fsync_dir` of the folder.
    """

    def read(self, path: Path) -> bytes: ...
    def append(self, path: Path, data: bytes) -> None: ...
    def write(self, path: Path, data: bytes) -> None: ...
    def truncate(self, path: Path, size: int) -> None: ...
    def fsync(self, path: Path) -> None: ...
    def replace(self, source: Path, target: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def fsync_dir(self, path: Path) -> None: ...
    def make_dir(self, path: Path) -> None: ...
    def list(self, path: Path) -> tuple[str, ...]: ...
    def identity(self, path: Path) -> FileIdentity | None: ...


class SettingsSource(Protocol):
    """Validated settings and the operator's switches. Never raises: an invalid edit leaves the last good in force."""

    def settings(self) -> Settings | None:
        """The version in force, or None while no valid one was ever read (`problems` says why)."""

    def problems(self) -> tuple[str, ...]: ...
    def halt(self) -> Halt: ...
    def desired(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """`state/desired.json`: verb -> account -> symbol or `*` -> n; empty where missing or unreadable."""


class SignalSource(Protocol):
    def readings(self, sources: Collection[SourceName]) -> Mapping[SourceName, SourceReading]:
        """How each named source reads now. Never raises: unreadable is `Reading.UNKNOWN` with its reason."""


class AccountProcessor(Protocol):
    """One account on one venue: thin I/O over a pure codec. Knows no targets, retries of sends, or cool-downs.

    Reads raise `Unavailable` or `Denied`; sends `Rejected`, `Unavailable` (nothing sent), `Ambiguous`, `Denied` or
    `OurFault`. Every call is bounded by the request deadline.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def clock_offset_s(self) -> float | None:
        """Venue clock minus ours, seconds, from the latest answers; None before the first."""

    async def preflight(self) -> Preflight: ...
    async def instruments(self) -> Mapping[Symbol, Instrument]: ...
    async def positions(self) -> Positions:
        """Complete over pages and settle coins, or raises."""

    async def equity(self) -> Equity: ...
    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        """A symbol the venue gives no usable price for is left out."""

    async def leverage(self, symbol: Symbol) -> Leverage:
        """Leverage and margin mode of one symbol, flat or not."""

    async def open_orders(self) -> tuple[OpenOrder, ...]: ...
    async def history(self, since: float) -> History: ...
    async def set_leverage(self, symbol: Symbol, leverage: Decimal, margin_mode: MarginMode) -> None:
        """An answer of "not modified" is success."""

    async def set_margin_mode(self, symbol: Symbol | None, margin_mode: MarginMode, leverage: Decimal | None) -> None:
        """Account-wide with `symbol` None; `leverage` only for venues that set both at once."""

    async def set_position_mode(self, mode: PositionMode) -> None: ...
    async def permit(self, cost: Cost) -> Permit:
        """Waits for room in the rate budget (reductions first), then issues nonce and end of validity."""

    async def place(self, order: PlaceOrder, client_id: ClientId, permit: Permit) -> Ack:
        """Signs and writes at once, exactly once."""

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None: ...
    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        """What became of an order, by our id; None: the venue knows no such order (anywhere it could be)."""

    def events(self) -> AsyncIterator[VenueEvent]:
        """The private stream; ends at once where `capabilities.private_stream` is false."""

    async def close(self) -> None: ...


class AccountLock(Protocol):
    """The one-engine-per-account lock, already held. `held` is re-checked at the gate of every send."""

    def held(self) -> bool: ...
    def release(self) -> None: ...
