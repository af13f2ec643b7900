"""A whole engine in virtual time: the real executor, adapters, journal and codecs against simulated venues in memory.

Only the outermost parts are stand-ins: settings and signals are given as values, and the disk is the simulated one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from chaos.parts import SeededEntropy, accounts_of, seats_of
from core.clock import VirtualClock, VirtualLoop, run_virtual
from core.domain import (
    AccountId,
    AccountSettings,
    Document,
    Halt,
    Policy,
    Reading,
    Settings,
    Signal,
    SourceName,
    SourceReading,
    SourceSettings,
    Symbol,
    SymbolWeights,
)
from core.events import Event, OrderSent
from core.execution.account import COMPACT_BYTES
from core.execution.opening import Opener
from core.journal import inline
from core.signal_manager import SignalManager
from core.trade_executor import AccountResult, TradeExecutor
from simulator.disk import SimulatedFileOps
from simulator.ledger import account_ledger, positions
from simulator.memory import MemoryWorld, build_memory_world

T = TypeVar("T")
TV = SourceName("tradingview")
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
JOURNALS = Path("/home/state/journal")


class HeldLock:
    """A lock nobody contends for; `lose` makes the gate shut."""

    def __init__(self) -> None:
        self.ours = True

    def held(self) -> bool:
        return self.ours

    def release(self) -> None:
        self.ours = False


class GivenSettings:
    """`ports.SettingsSource` over a value the test sets."""

    def __init__(self, settings: Settings | None) -> None:
        self.value = settings
        self.halted = Halt.NONE
        self.asked: dict[str, dict[str, dict[str, int]]] = {}
        self.reads = 0

    def settings(self) -> Settings | None:
        self.reads += 1
        return self.value

    def problems(self) -> tuple[str, ...]:
        return ()

    def halt(self) -> Halt:
        return self.halted

    def desired(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        return {verb: {a: dict(n) for a, n in accounts.items()} for verb, accounts in self.asked.items()}


class GivenSignals:
    """`ports.SignalSource` over readings the test sets."""

    def __init__(self) -> None:
        self.value: dict[SourceName, SourceReading] = {}

    def readings(self, sources: Collection[SourceName]) -> Mapping[SourceName, SourceReading]:
        return {s: self.value.get(s, SourceReading(s, Reading.NOT_HEARD)) for s in sources}


@dataclass
class Published:
    """Collects what would be written to state/status and the depth cache."""

    statuses: dict[AccountId, Mapping[str, Any]] = field(default_factory=dict)
    cache: dict[AccountId, tuple[str, Mapping[str, Mapping[str, Any]]]] = field(default_factory=dict)

    def status(self, account: AccountId, content: Mapping[str, Any]) -> None:
        self.statuses[account] = content

    def depths(self, account: AccountId, epoch: str, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self.cache[account] = (epoch, entries)


def settings_for(
    accounts: Collection[AccountId],
    symbols: Collection[Symbol] = (BTC, ETH),
    weight: str = "0.5",
    leverage: str = "3",
    policy: Policy | None = None,
    venue: str = "bybit",
) -> Settings:
    """One source (tradingview, identity mapping) with `weight` on every symbol."""
    policy = policy or Policy()
    return Settings(
        weights={s: SymbolWeights(s, Decimal(leverage), {TV: Decimal(weight)}) for s in symbols},
        mappings={TV: {s: s for s in symbols}},
        sources={TV: SourceSettings(entry_max_age_s=600.0)},
        accounts={a: AccountSettings(a, venue, a.removeprefix(f"{venue}-"), policy=policy) for a in accounts},
        policy=policy,
    )


class _WatchedManager(SignalManager):
    """The real manager, with its confirmations noted for the test."""

    def __init__(
        self, settings: GivenSettings, signals: GivenSignals, seen: list[tuple[AccountId, Mapping[Symbol, int]]]
    ) -> None:
        super().__init__(settings, signals)
        self._seen = seen

    def confirm_execution(self, account: AccountId, confirmed: Mapping[Symbol, int]) -> None:
        self._seen.append((account, dict(confirmed)))
        super().confirm_execution(account, confirmed)


class Rig:
    """The engine and its world. `boot` starts a fresh engine on the same disk, as a restart would."""

    def __init__(
        self,
        seed: int = 7,
        rtt_s: float = 0.02,
        accounts: int = 1,
        policy: Policy | None = None,
        compact_bytes: int = COMPACT_BYTES,
        streams: bool = True,
        venue: str = "bybit",
    ) -> None:
        self.venue = venue
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.sim: MemoryWorld = build_memory_world(
            self.clock, seed=seed, venues=[venue], accounts={venue: accounts}, rtt_s=rtt_s
        )
        self.disk = SimulatedFileOps(seed)
        self.events: list[Event] = []
        self.published = Published()
        self.signals = GivenSignals()
        names = list(self.sim.credentials[venue])
        self.ids = {name: AccountId(f"{venue}-{name}") for name in names}
        self.settings = GivenSettings(settings_for(list(self.ids.values()), policy=policy, venue=venue))
        self._seed = seed
        self._boots = 0
        self._compact_bytes = compact_bytes
        self._streams = streams
        self.lock = HeldLock()
        self.boot()

    # --- the engine ---------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        """A new process: nothing survives but the disk."""
        self._boots += 1
        entropy = SeededEntropy(self._seed * 1000 + self._boots)
        world = (self.sim.transport, self.clock, entropy, self.events.append)
        accounts = accounts_of(seats_of(self.sim.credentials), *world, self._compact_bytes, self._streams)
        self.lock = HeldLock()
        self.confirmed: list[tuple[AccountId, Mapping[Symbol, int]]] = []
        self.manager = _WatchedManager(self.settings, self.signals, self.confirmed)
        opener = Opener(JOURNALS, self.disk, entropy, inline, self._take_lock, self.published.cache.get)
        self.executor = TradeExecutor(accounts, self.manager, opener, self.published, self.clock)

    def _take_lock(self, account: AccountId) -> HeldLock:
        self.lock = HeldLock()
        return self.lock

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a scenario on virtual time."""
        return run_virtual(work, self.loop)

    async def cycle(self) -> list[AccountResult]:
        return await self.executor.execute()

    async def settle(self, within_s: float = 60.0) -> float:
        """Cycles as the loop would until every account is settled; returns the seconds it took. Fails beyond."""
        began = self.clock.monotonic()
        while True:
            results = await self.cycle()
            took = self.clock.monotonic() - began
            if all(result.settled for result in results):
                return took
            assert took < within_s, f"not settled after {took:.1f} s: {self.states()}"
            due = min(result.next_due for result in results)
            await asyncio.sleep(max(due - self.clock.time(), 0.001))

    def states(self) -> dict[str, tuple[str, str]]:
        return {
            symbol: (entry["state"], entry["because"])
            for status in self.published.statuses.values()
            for symbol, entry in status["symbols"].items()
        }

    # --- what is asked ------------------------------------------------------------------------------------------------

    def signal(
        self, symbol: Symbol, depth: str, source: SourceName = TV, age_s: float = 0.0, leverage: str | None = None
    ) -> None:
        """`source` now says `depth` on `symbol`."""
        before = self.signals.value.get(source)
        held = dict(before.document.signals) if before and before.document else {}
        stamp = self.clock.time() - age_s
        held[symbol] = Signal(Decimal(depth), stamp, None if leverage is None else Decimal(leverage))
        revision = (before.document.revision if before and before.document else 0) + 1
        document = Document(source, revision, stamp, MappingProxyType(held))
        self.signals.value[source] = SourceReading(source, Reading.KNOWN, document)

    def change(self, edit: Callable[[Settings], Settings]) -> None:
        assert self.settings.value is not None
        self.settings.value = edit(self.settings.value)

    def policy(self, **changes: Any) -> None:
        def edit(settings: Settings) -> Settings:
            accounts = {a: replace(s, policy=replace(s.policy, **changes)) for a, s in settings.accounts.items()}
            return replace(settings, accounts=accounts, policy=replace(settings.policy, **changes))

        self.change(edit)

    # --- what is true -------------------------------------------------------------------------------------------------

    def ledger(self, account: str = "main") -> Mapping[str, Any]:
        """The account's part of the ledger, without reckoning the rest of it."""
        return account_ledger(self.sim.world.venues[self.venue].exchange, account)

    def venue_ledger(self) -> Mapping[str, Any]:
        whole: Any = self.sim.admin.ledger()
        found: Mapping[str, Any] = whole["venues"][self.venue]
        return found

    def position(self, symbol: Symbol, account: str = "main") -> Decimal:
        exchange = self.sim.world.venues[self.venue].exchange
        return Decimal(positions(exchange, exchange.state.accounts[account]).get(symbol, "0"))

    def highest(self, symbol: Symbol, account: str = "main") -> Decimal:
        """The largest |position| the ledger ever showed for the symbol."""
        fills = [f for f in self.ledger(account)["fills"] if f["symbol"] == symbol]
        return max((abs(Decimal(f["position_after"])) for f in fills), default=Decimal(0))

    def target(self, symbol: Symbol, account: str = "main") -> Decimal:
        """The stored size in base units, as the status shows it; NaN, equal to nothing, where there is none."""
        shown = self.published.statuses[self.ids[account]]["symbols"].get(symbol, {}).get("target")
        return Decimal("NaN") if shown is None else Decimal(shown)

    def sent(self) -> list[OrderSent]:
        return [event for event in self.events if isinstance(event, OrderSent)]


async def opened(rig: Rig, depth: str = "0.5") -> Decimal:
    """A converged BTC position; returns it in base units."""
    rig.signal(BTC, depth)
    await rig.settle()
    position = rig.position(BTC)
    assert position == rig.target(BTC) != 0
    return position


async def keep_cycling(rig: Rig, seconds: float) -> float | None:
    """Cycles for `seconds`; returns when the ledger reached BTC's target for good (None: never)."""
    began, reached = rig.clock.monotonic(), None
    while rig.clock.monotonic() < began + seconds:
        results = await rig.cycle()
        there = rig.position(BTC) == rig.target(BTC)
        reached = (reached if reached is not None else rig.clock.monotonic() - began) if there else None
        due = min(result.next_due for result in results)
        await asyncio.sleep(min(max(due - rig.clock.time(), 0.001), 1.0))
    return reached


def manual(rig: Rig, quantity: str, kind: str = "manual") -> None:
    rig.sim.admin.position({"venue": rig.venue, "account": "main", "symbol": BTC, "quantity": quantity, "kind": kind})
