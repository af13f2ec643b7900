"""One seed's world: venues in memory, a disk that forgets, a home of files, and the engines that run on them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from chaos.asked import Asked
from chaos.files import HomeFiles
from chaos.parts import SeededEntropy, accounts_of, seats_of
from chaos.power import LocalClock, Locks, Power, PoweredDisk, PoweredTransport
from chaos.scene import Scene
from chaos.timeline import Timeline
from config.assemble import KnownAccount
from config.home import Home
from config.reload import FileSettings
from config.signal_files import SignalFiles
from core.clock import VirtualClock, VirtualLoop
from core.domain import ZERO, AccountId, Symbol
from core.events import AccountChanged, CycleDone, Event
from core.execution.opening import Opener
from core.journal import inline
from core.ports import Request
from core.signal_manager import SignalManager
from core.state import FactLog, Projections, troubles
from core.trade_executor import TradeExecutor
from observers import FanOut
from observers.facts import FactsObserver
from simulator.disk import SimulatedFileOps
from simulator.exchange import Exchange
from simulator.facades import Match
from simulator.memory import MemoryWorld, build_memory_world
from simulator.model import ExchangeEvent

ROOT = Path("/home")
NAMES_NO_LARGEST = ("hyperliquid",)
"""Venues whose interface does not tell the largest order."""
EQUITY = Decimal(10_000)
"""Of every account at the beginning, in its settle currency."""
OUR_ID = re.compile(rb"(?<![0-9a-zA-Z])(?:0x)?[0-9a-f]{32}(?![0-9a-zA-Z])")
FAULT = "a fault of this program"


@dataclass(frozen=True, slots=True)
class Sent:
    """An order as it left a process, true epoch seconds. `durable`: its intent was safely on disk by then."""

    client_id: str
    account: AccountId
    at: float
    durable: bool
    locked: bool
    halted: bool


class House:
    """The world of a scene. `begin` starts an engine; everything else is arranged through `admin`, `files`, `disk`."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.local = LocalClock(self.clock)
        self.sim: MemoryWorld = build_memory_world(
            self.clock, seed=scene.seed, venues=list(scene.accounts), accounts=dict(scene.accounts), rtt_s=scene.rtt_s
        )
        self.seats = seats_of(self.sim.credentials)
        self.known = [KnownAccount(seat.account, seat.venue, seat.name) for seat in self.seats]
        self.disk = SimulatedFileOps(scene.seed)
        self.home = Home(ROOT)
        self.files = HomeFiles(self.disk, self.home, self.local)
        self.locks = Locks()
        self.timeline = Timeline(self.clock)
        self.asked = Asked([seat.account for seat in self.seats], scene.sources)
        self.sent: list[Sent] = []
        self.faults_of_ours: list[tuple[float, str]] = []
        self.boots = 0
        self.booted: list[float] = []
        self.over: list[tuple[float, str, int]] = []
        """When a venue counted requests over its limits, which, and how many more."""
        self._over: dict[str, int] = {}
        self.cycles: dict[AccountId, int] = dict.fromkeys((seat.account for seat in self.seats), 0)
        self.settled: dict[AccountId, bool] = {}
        for venue in scene.accounts:
            self.exchange(venue).subscribe(self._listener(venue))
            if scene.isolated:
                for name in self.exchange(venue).accounts():
                    self.sim.admin.account({"venue": venue, "account": name, "margin_mode": "isolated"})
            if scene.chunked and venue not in NAMES_NO_LARGEST:
                self._chunk(venue)
        if scene.pinned:
            for symbol in scene.symbols:
                self.pin(symbol)

    def _listener(self, venue: str) -> Callable[[ExchangeEvent], None]:
        return lambda event: self.timeline.venue(venue, event)

    def _chunk(self, venue: str) -> None:
        """Makes the venue's largest order a third of what a symbol can be asked for."""
        for symbol in self.scene.symbols:
            instrument = self.exchange(venue).listing(symbol).instrument
            share = sum(self.scene.weights[symbol].values(), ZERO) * self.scene.leverages[symbol]
            most = max(instrument.contracts_for(EQUITY * share / 3, self.mark(symbol)), instrument.min_contracts)
            body = {"venue": venue, "symbol": symbol, "max_contracts": str(most), "max_market_contracts": str(most)}
            self.sim.admin.instrument(body)

    def exchange(self, venue: str) -> Exchange:
        return self.sim.world.venues[venue].exchange

    def pin(self, symbol: Symbol) -> None:
        price = self.mark(symbol)
        self.sim.admin.price({"symbol": symbol, "price": str(price)})

    def mark(self, symbol: Symbol) -> Decimal:
        return self.sim.world.market.level(symbol, self.clock.time()).mark

    def journal(self, account: AccountId) -> Path:
        return self.home.journals / f"{account}.jsonl"

    # --- engines ------------------------------------------------------------------------------------------------------

    def begin(self, name: str = "trade-engine") -> Engine:
        self.boots += 1
        self.booted.append(self.clock.time())
        self.timeline.tell(name, f"starts (boot {self.boots})")
        return Engine(self, name, self.scene.seed * 1000 + self.boots)

    def hear(self, event: Event) -> None:
        """What an engine tells. Counts cycles; keeps faults of our own program, which are breaches."""
        if isinstance(event, CycleDone):
            self.cycles[event.account] += 1
            self.settled[event.account] = event.settled
        elif isinstance(event, AccountChanged) and FAULT in event.because:
            self.faults_of_ours.append((self.clock.time(), f"{event.account}: {event.because}"))
        self.timeline.engine(event)

    def watch(self, request: Request, power: Power) -> None:
        """Every request in the instant it leaves: orders are noted, with what was durable of them by then."""
        venue = (urlsplit(request.url).hostname or "").partition(".")[0]
        lower = Request(request.method, request.url, {k.lower(): v for k, v in request.headers.items()}, request.body)
        call = self.sim.world.venues[venue].facade.classify(lower)
        if call.match is not Match.ORDER_CREATE or call.account is None:
            return
        account = AccountId(f"{venue}-{call.account}")
        ids = [found.decode() for found in OUR_ID.findall(request.body + b" " + request.url.encode())]
        written = self.disk.durable(self.journal(account))
        known = [one for one in ids if one.encode() in written]
        one = (known or ids or ["?"])[0]
        halted = self.files.read(self.home.halt) is not None
        holds = self.locks.held_by(account, power)
        self.sent.append(Sent(one, account, self.clock.time(), bool(known), holds, halted))

    def answered(self, request: Request) -> None:
        """Tells of requests that the venue counted over its limits, where they happen."""
        venue = (urlsplit(request.url).hostname or "").partition(".")[0]
        over = self.sim.world.venues[venue].facade.counts().over_limit
        more = over - self._over.get(venue, 0)
        if more > 0:
            self._over[venue] = over
            self.over.append((self.clock.time(), venue, more))
            path = urlsplit(request.url).path
            self.timeline.tell(f"[{venue}]", f"over its limits: {over} requests, {request.method} {path} the last")


class Engine:
    """One process: everything the composition root joins, on a disk and a network that end with it."""

    def __init__(self, house: House, name: str, seed: int) -> None:
        self.name = name
        self.task: asyncio.Task[None] | None = None
        self.power = Power(self._out)
        self._house = house
        scene, clock, home = house.scene, house.local, house.home
        entropy, ops = SeededEntropy(seed), PoweredDisk(house.disk, self.power)
        self._transport = PoweredTransport(
            house.sim.transport, self.power, clock, lambda request: house.watch(request, self.power), house.answered
        )
        self._watchers = FanOut([FactsObserver(FactLog(home.facts, ops))], inline)

        def emit(event: Event) -> None:
            house.hear(event)
            self._watchers(event)

        projections = Projections(
            home.depths, home.statuses, ops, clock, troubles(emit, clock), FactLog(home.facts, ops).traded
        )
        settings = FileSettings(home, clock, accounts=house.known, files=ops, keeps=True)
        signals = SignalFiles(home, clock, staleness_s=settings.staleness_s, files=ops, remembers=True)
        accounts = accounts_of(house.seats, self._transport, clock, entropy, emit, scene.compact_bytes, scene.streams)
        opener = Opener(
            home.journals, ops, entropy, inline, lambda a: house.locks.take(a, self.power, name), projections.projected
        )
        self.executor = TradeExecutor(accounts, SignalManager(settings, signals), opener, projections, clock)
        self._stop = asyncio.Event()

    def start(self) -> None:
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        async with self._watchers.running(drain_s=0.0):
            await self.executor.run(self._stop)

    def _out(self) -> None:
        if self.task is not None:
            asyncio.get_running_loop().call_soon(self.task.cancel)

    async def end(self) -> None:
        """Waits until nothing of the process is left."""
        if self.task is not None:
            await asyncio.gather(self.task, return_exceptions=True)
        await self._transport.close()
        self._house.timeline.tell(self.name, "is dead")

    async def stop(self) -> None:
        """Ends in good order, as Ctrl-C does."""
        self._stop.set()
        if self.task is not None:
            await asyncio.gather(self.task, return_exceptions=True)
        self.executor.close()
        self.power.off()
        await self.end()
