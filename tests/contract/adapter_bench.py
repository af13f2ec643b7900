"""An adapter against its simulated venue, in memory on virtual time or over real HTTP, by the same scenario.

`run(place, "memory" | "http", scenario)` builds a world, an adapter for its account `main`, and runs the scenario with
both. Each venue's tests have a module that names its `Place`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from aiohttp.test_utils import unused_port

from account_processors import ProcessorFactory
from account_processors.shared import VenueShared
from account_processors.transport import HttpTransport
from core.clock import SystemClock, VirtualClock, VirtualLoop, run_virtual
from core.domain import (
    AccountId,
    Ack,
    ClientId,
    Cost,
    MarginMode,
    OrderKind,
    PlaceOrder,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Lost
from core.ports import AccountProcessor, Clock, Request, Response, Stream, StreamRequest, Transport
from simulator.admin import Admin
from simulator.facades import VenueKind
from simulator.memory import MemoryTransport
from simulator.web import Server
from simulator.world import World, build_world

T = TypeVar("T")
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
START = 1_790_000_010.5
PRICE = Decimal(50_000)
DEADLINE_S = 0.5
"""Of every request; short, because hanging answers are waited for in real time over HTTP."""


@dataclass(frozen=True)
class Place:
    """A venue's two sides: what builds its adapter, and the simulated venue."""

    factory: ProcessorFactory
    kind: VenueKind

    @property
    def venue(self) -> str:
        return self.kind.venue


class Chance:
    """`ports.Entropy` from a seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def bytes(self, n: int) -> bytes:
        return self._random.randbytes(n)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


@dataclass
class Recorder:
    """A transport that remembers what went through it. The `lose`-th request (0: none) is lost on its way."""

    inner: Transport
    sent: list[Request] = field(default_factory=list)
    got: list[Response] = field(default_factory=list)
    lose: int = 0

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        if len(self.sent) == self.lose:
            raise Lost("connection reset")
        response = await self.inner.send(request)
        self.got.append(response)
        return response

    async def connect(self, request: StreamRequest) -> Stream:
        return await self.inner.connect(request)

    async def close(self) -> None:
        await self.inner.close()

    def paths(self) -> list[str]:
        """Method and path of every request, in order."""
        return [f"{one.method} /{one.url.split('/', 3)[3].partition('?')[0]}" for one in self.sent]


@dataclass
class Bench:
    """A world and the adapter of its account `main`."""

    place_of: Place
    world: World
    clock: Clock
    recorder: Recorder
    base_url: str
    shared: VenueShared
    adapter: AccountProcessor
    ids: int = 0

    @property
    def venue(self) -> str:
        return self.place_of.venue

    @property
    def admin(self) -> Admin:
        return Admin(self.world)

    def another(
        self,
        name: str,
        credentials: Mapping[str, str] | None = None,
        shared: VenueShared | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> AccountProcessor:
        """An adapter for another account; `credentials` replace what the venue gave."""
        fields = {**self.world.credentials()[self.venue][name], **(credentials or {})}
        account = AccountId(f"{self.venue}-{name}")
        it = shared or self.shared
        return self.place_of.factory(
            account, fields, self.recorder, self.clock, Chance(), self.base_url, None, it, deadline_s=deadline_s
        )

    def fault(self, kind: str, match: str, value: object = None, count: int = 1, landed: bool | None = None) -> None:
        body: dict[str, object] = {"venue": self.venue, "match": match, "kind": kind, "count": count}
        body |= {} if value is None else {"value": value}
        self.admin.fault(body | ({} if landed is None else {"landed": landed}))

    def setup(self, **settings: object) -> None:
        self.admin.account({"venue": self.venue, "account": "main", **settings})

    def foreign(self, symbol: Symbol, quantity: str, kind: str = "manual") -> None:
        self.admin.position(
            {"venue": self.venue, "account": "main", "symbol": symbol, "quantity": quantity, "kind": kind}
        )

    def position(self, symbol: Symbol = BTC) -> Decimal:
        """Signed contracts by the venue's books, whatever its reads say."""
        return self.world.venues[self.venue].exchange.state.accounts["main"].net(symbol)

    def orders(self) -> int:
        """How many orders the venue ever took from the account."""
        return len(self.world.venues[self.venue].exchange.orders("main"))

    def over_limit(self) -> int:
        return self.world.venues[self.venue].facade.counts().over_limit

    def next_id(self) -> ClientId:
        self.ids += 1
        return ClientId(f"{self.ids:032x}")

    async def place(self, order: PlaceOrder, client_id: ClientId | None = None) -> Ack:
        permit = await self.adapter.permit(Cost(reduction=order.reduce_only))
        return await self.adapter.place(order, client_id or self.next_id(), permit)


def order(contracts: str, side: Side = Side.BUY, *, reduce: bool = False, symbol: Symbol = BTC) -> PlaceOrder:
    """An IOC limit one percent through `PRICE`, or a reduce-only market order."""
    price = PRICE * (Decimal(1) + Decimal("0.01") * side.sign)
    return PlaceOrder(
        symbol=symbol,
        side=side,
        contracts=Decimal(contracts),
        kind=OrderKind.MARKET if reduce else OrderKind.LIMIT,
        price=None if reduce else price,
        tif=TimeInForce.IOC,
        reduce_only=reduce,
        leverage=None,
        margin_mode=MarginMode.CROSS,
    )


Scenario = Callable[[Bench], Awaitable[T]]


def run(place: Place, where: str, scenario: Scenario[T], *, rtt_s: float = 0.0, accounts: int = 2) -> T:
    if where == "memory":
        return in_memory(place, scenario, rtt_s, accounts)
    return asyncio.run(over_http(place, scenario, accounts))


def in_memory(place: Place, scenario: Scenario[T], rtt_s: float, accounts: int) -> T:
    loop = VirtualLoop()
    clock = VirtualClock(loop, START)

    async def main() -> T:
        world = build_world(clock, kinds=[place.kind], accounts={place.venue: accounts})
        return await scenario(made(place, world, clock, MemoryTransport(world, rtt_s), f"http://{place.venue}.sim"))

    return run_virtual(main(), loop)


async def over_http(place: Place, scenario: Scenario[T], accounts: int) -> T:
    clock = SystemClock()
    world = build_world(clock, kinds=[place.kind], accounts={place.venue: accounts})
    server = Server(world, {place.venue: unused_port()})
    await server.start()
    transport = HttpTransport(clock)
    try:
        return await scenario(made(place, world, clock, transport, server.url(place.venue)))
    finally:
        await transport.close()
        await server.stop()


def made(place: Place, world: World, clock: Clock, transport: Transport, base_url: str) -> Bench:
    recorder, shared = Recorder(transport), VenueShared(clock)
    fields = dict(world.credentials()[place.venue]["main"])
    account = AccountId(f"{place.venue}-main")
    main = place.factory(account, fields, recorder, clock, Chance(), base_url, None, shared, deadline_s=DEADLINE_S)
    bench = Bench(place, world, clock, recorder, base_url, shared, main)
    bench.admin.price({"symbol": BTC, "price": str(PRICE)})
    return bench
