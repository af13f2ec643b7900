"""The Bybit adapter against the simulated venue, in memory on virtual time or over real HTTP, by the same scenario.

`run("memory" | "http", scenario)` builds a world, an adapter for its account `main`, and runs the scenario with both.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from aiohttp.test_utils import unused_port

from account_processors import load
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
from simulator.memory import MemoryTransport
from simulator.web import Server
from simulator.world import World, build_world

T = TypeVar("T")
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
START = 1_790_000_010.5
PRICE = Decimal(50_000)
DEADLINE_S = 0.5
"""Of every request; short, because hanging answers are waited for in real time over HTTP."""


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

    world: World
    clock: Clock
    recorder: Recorder
    base_url: str
    shared: VenueShared
    adapter: AccountProcessor
    ids: int = 0

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
        fields = {**self.world.credentials()["bybit"][name], **(credentials or {})}
        return adapter(name, fields, self.recorder, self.clock, self.base_url, shared or self.shared, deadline_s)

    def fault(self, kind: str, match: str, value: object = None, count: int = 1, landed: bool | None = None) -> None:
        body: dict[str, object] = {"venue": "bybit", "match": match, "kind": kind, "count": count}
        body |= {} if value is None else {"value": value}
        self.admin.fault(body | ({} if landed is None else {"landed": landed}))

    def setup(self, **settings: object) -> None:
        self.admin.account({"venue": "bybit", "account": "main", **settings})

    def foreign(self, symbol: Symbol, quantity: str, kind: str = "manual") -> None:
        self.admin.position({"venue": "bybit", "account": "main", "symbol": symbol, "quantity": quantity, "kind": kind})

    def position(self, symbol: Symbol = BTC) -> Decimal:
        """Signed contracts by the venue's books, whatever its reads say."""
        return self.world.venues["bybit"].exchange.state.accounts["main"].net(symbol)

    def orders(self) -> int:
        """How many orders the venue ever took from the account."""
        return len(self.world.venues["bybit"].exchange.orders("main"))

    def over_limit(self) -> int:
        return self.world.venues["bybit"].facade.counts().over_limit

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


def adapter(
    name: str,
    fields: dict[str, str],
    transport: Transport,
    clock: Clock,
    base_url: str,
    shared: VenueShared,
    deadline_s: float = DEADLINE_S,
) -> AccountProcessor:
    account = AccountId(f"bybit-{name}")
    return load("bybit")(account, fields, transport, clock, Chance(), base_url, None, shared, deadline_s=deadline_s)


Scenario = Callable[[Bench], Awaitable[T]]


def run(where: str, scenario: Scenario[T], *, rtt_s: float = 0.0, accounts: int = 2) -> T:
    return in_memory(scenario, rtt_s, accounts) if where == "memory" else asyncio.run(over_http(scenario, accounts))


def in_memory(scenario: Scenario[T], rtt_s: float, accounts: int) -> T:
    loop = VirtualLoop()
    clock = VirtualClock(loop, START)

    async def main() -> T:
        world = build_world(clock, venues=["bybit"], accounts={"bybit": accounts})
        return await scenario(made(world, clock, MemoryTransport(world, rtt_s), "http://bybit.sim"))

    return run_virtual(main(), loop)


async def over_http(scenario: Scenario[T], accounts: int) -> T:
    clock = SystemClock()
    world = build_world(clock, venues=["bybit"], accounts={"bybit": accounts})
    server = Server(world, {"bybit": unused_port()})
    await server.start()
    transport = HttpTransport(clock)
    try:
        return await scenario(made(world, clock, transport, server.url("bybit")))
    finally:
        await transport.close()
        await server.stop()


def made(world: World, clock: Clock, transport: Transport, base_url: str) -> Bench:
    recorder, shared = Recorder(transport), VenueShared(clock)
    fields = dict(world.credentials()["bybit"]["main"])
    main = adapter("main", fields, recorder, clock, base_url, shared)
    bench = Bench(world, clock, recorder, base_url, shared, main)
    bench.admin.price({"symbol": BTC, "price": str(PRICE)})
    return bench
