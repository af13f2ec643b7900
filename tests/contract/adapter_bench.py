"""An adapter against its simulated venue, in memory on virtual time or over real HTTP, by the same scenario.

`run(place, "memory" | "http", scenario)` builds a world, an adapter for its account `main`, and runs the scenario with
both. Sizes are base units: what they are in contracts, and which leverage and margin mode an order carries, the bench
takes from the instrument and from `capabilities`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
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
    Instrument,
    LeverageScope,
    MarginMode,
    OrderKind,
    OrderOutcome,
    Permit,
    PlaceOrder,
    Side,
    Symbol,
    TimeInForce,
    floor_to,
)
from core.errors import Lost, Unavailable
from core.ports import AccountProcessor, Clock, Request, Response, Stream, StreamRequest, Transport
from simulator.admin import Admin
from simulator.facades import VenueKind
from simulator.memory import MemoryTransport
from simulator.web import Server
from simulator.world import World, build_world

T = TypeVar("T")
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
SYMBOLS = (BTC, ETH, Symbol("SOLUSDT"), Symbol("XRPUSDT"))
START = 1_790_000_010.5
PRICE = Decimal(50_000)
TRIES = 1_000
DEADLINE_S = 0.5
"""Of every request; short, because hanging answers are waited for in real time over HTTP."""


@dataclass(frozen=True)
class Place:
    """A venue's two sides: what builds its adapter, and the simulated venue.

    `streams`: the adapter knows where they are. `symbols`: four the venue lists; orders are in the first two.
    """

    factory: ProcessorFactory
    kind: VenueKind
    streams: bool = False
    symbols: tuple[Symbol, Symbol, Symbol, Symbol] = SYMBOLS

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
    connected: list[StreamRequest] = field(default_factory=list)
    """Every websocket that was asked for."""
    lose: int = 0
    answers: Callable[[Response], Response] = lambda response: response
    """What becomes of every answer on its way back."""

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        if len(self.sent) == self.lose:
            raise Lost("connection reset")
        response = self.answers(await self.inner.send(request))
        self.got.append(response)
        return response

    async def connect(self, request: StreamRequest) -> Stream:
        self.connected.append(request)
        return await self.inner.connect(request)

    async def close(self) -> None:
        await self.inner.close()

    def forget(self) -> None:
        self.sent.clear()
        self.got.clear()

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
        urls = (self.base_url, streams_of(self.place_of, self.base_url))
        entropy, it = Chance(), shared or self.shared
        return self.place_of.factory(
            account, fields, self.recorder, self.clock, entropy, *urls, it, deadline_s=deadline_s
        )

    def apart(self, deadline_s: float = DEADLINE_S) -> AccountProcessor:
        """Another adapter for `main` that shares nothing: what one learnt of limits does not decide for the other."""
        return self.another("main", shared=VenueShared(self.clock), deadline_s=deadline_s)

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
        """As the venue takes it; '' where it takes none."""
        self.ids += 1
        can = self.adapter.capabilities
        return ClientId(f"{can.client_id_prefix}{self.ids:0{can.client_id_hex_digits}x}")

    async def place(self, order: PlaceOrder, client_id: ClientId | None = None) -> Ack:
        permit = await self.adapter.permit(Cost(reduction=order.reduce_only))
        return await self.adapter.place(order, client_id or self.next_id(), permit)

    # --- orders in base units -----------------------------------------------------------------------------------------

    def instrument(self, symbol: Symbol = BTC) -> Instrument:
        """As the venue lists it, without asking the adapter."""
        return self.world.venues[self.venue].exchange.listing(symbol).instrument

    def contracts(self, quantity: str, symbol: Symbol = BTC, *, whole: bool = True) -> Decimal:
        """Signed contracts of `quantity` base units, which must be whole lots unless the test wants others."""
        contracts = Decimal(quantity) / self.instrument(symbol).contract_size
        assert not whole or contracts == floor_to(contracts, self.instrument(symbol).lot), f"{quantity} is no whole lot"
        return contracts

    @property
    def margin_mode(self) -> MarginMode:
        """What an account of the venue begins with."""
        return self.place_of.kind.rules.default_margin_mode

    def order(
        self,
        quantity: str,
        side: Side = Side.BUY,
        *,
        reduce: bool = False,
        symbol: Symbol = BTC,
        off: str = "0.01",
        mode: MarginMode | None = None,
        leverage: Decimal | None = None,
        whole: bool = True,
    ) -> PlaceOrder:
        """An IOC limit `off` through the mark price, or a reduce-only market order where the venue has them.

        `leverage` goes along where the venue takes it with orders; None: what an account begins with.
        """
        can, it, rules = self.adapter.capabilities, self.instrument(symbol), self.place_of.kind.rules
        mode = mode or self.margin_mode
        mark = self.world.venues[self.venue].exchange.quote(symbol).mark
        market, per_order = reduce and can.market_orders, can.leverage_in(mode) is LeverageScope.PER_ORDER
        price = mark * (1 + Decimal(off) * side.sign)
        return PlaceOrder(
            symbol=symbol,
            side=side,
            contracts=self.contracts(quantity, symbol, whole=whole),
            kind=OrderKind.MARKET if market else OrderKind.LIMIT,
            price=None if market else floor_to(price, rules.tick_at(price, it.tick)),
            tif=TimeInForce.IOC,
            reduce_only=reduce,
            leverage=(leverage or rules.default_leverage) if per_order and not reduce else None,
            margin_mode=mode,
        )

    def resting(self, quantity: str, symbol: Symbol = BTC, mode: MarginMode | None = None) -> PlaceOrder:
        """A GTC limit one percent below the mark price, which rests."""
        return replace(self.order(quantity, symbol=symbol, off="-0.01", mode=mode), tif=TimeInForce.GTC)

    # --- a caller that waits where it has to --------------------------------------------------------------------------

    async def trade(
        self, order: PlaceOrder, client_id: ClientId | None = None, adapter: AccountProcessor | None = None
    ) -> Ack:
        """`place`, once the budget has room."""
        sut = adapter or self.adapter
        permit = await self.permit(reduction=order.reduce_only, adapter=sut)
        return await sut.place(order, client_id or self.next_id(), permit)

    async def permit(self, *, reduction: bool = False, adapter: AccountProcessor | None = None) -> Permit:
        return await patiently(lambda: (adapter or self.adapter).permit(Cost(reduction=reduction)))

    async def found(
        self, client_id: ClientId, symbol: Symbol = BTC, adapter: AccountProcessor | None = None
    ) -> OrderOutcome | None:
        return await patiently(lambda: (adapter or self.adapter).find(symbol, client_id))


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """The answer to a call that sends nothing while it has to wait, and says for how long."""
    for _ in range(TRIES):
        try:
            return await call()
        except Unavailable as full:
            if full.retry_after_s is None:
                raise
            await asyncio.sleep(full.retry_after_s)
    raise AssertionError(f"{TRIES} tries, and never its turn")


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


def streams_of(place: Place, base_url: str) -> str | None:
    return base_url.replace("http", "ws", 1) if place.streams else None


def made(place: Place, world: World, clock: Clock, transport: Transport, base_url: str) -> Bench:
    recorder, shared = Recorder(transport), VenueShared(clock)
    fields = dict(world.credentials()[place.venue]["main"])
    account = AccountId(f"{place.venue}-main")
    urls = (base_url, streams_of(place, base_url))
    main = place.factory(account, fields, recorder, clock, Chance(), *urls, shared, deadline_s=DEADLINE_S)
    bench = Bench(place, world, clock, recorder, base_url, shared, main)
    bench.admin.price({"symbol": BTC, "price": str(PRICE)})
    return bench
