"""One seed from beginning to end: a faulty part, then everything is mended and must come right."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from chaos.asked import Key, Said, Voice
from chaos.checker import Breach, Checker
from chaos.house import Engine, House
from chaos.menu import Counts, request_fault, stream_fault
from chaos.samples import Samples
from chaos.scene import BITTENSOR, Scene
from core.domain import Signal, SourceName, Symbol

FAULTY_S = 400.0
"""The faulty part ends after so long at the latest, however few cycles there were."""
MENDED_S = 200.0
ASKED_S = 90.0
LOOK_EVERY_S = 1.0
BEAT_S = 5.0
IDLE_CYCLES = 100
IDLE_EVERY_S = 2.0
DEPTHS = ("1", "-1", "0.5", "-0.5", "0.25", "-0.25", "0.8", "0.01", "0", "0", "0.5", "-0.75")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    breaches: tuple[Breach, ...]
    converged: bool
    cycles: int
    orders: int
    slowest_convergence_cycles: int
    faults: dict[str, dict[str, int]]
    lines: tuple[str, ...] = field(repr=False, default=())


class Story:
    """Lives through one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.house = House(scene)
        self.chance = random.Random(f"story/{scene.seed}")  # noqa: S311 - a seed replays
        self.counts = Counts()
        self.samples = Samples(self.house)
        self.checker = Checker(self.house, self.samples)
        self.engine: Engine | None = None
        self.doubtful: set[Key] = set()
        """Where something happened after which less than everything asked for may rightly be held."""

    # --- what people and programs do ----------------------------------------------------------------------------------

    def tell(self, what: str) -> None:
        self.house.timeline.tell("*", what)

    def note(self) -> None:
        self.house.asked.note(self.house.clock.time())

    def say(self, source: SourceName, symbol: Symbol, depth: str, leverage: str | None = None) -> None:
        """A source gives its opinion on a symbol, beside what it says of the others."""
        said = Said(Decimal(depth), None if leverage is None else Decimal(leverage))
        self.house.asked.say(source, symbol, said)
        self._signals.setdefault(source, {})[symbol] = Signal(said.depth, self.house.local.time(), said.leverage)
        self.publish(source)
        self.tell(f"{source} says {symbol} {depth}" + (f" at {leverage}x" if leverage else ""))

    _signals: dict[SourceName, dict[Symbol, Signal]]

    def publish(self, source: SourceName) -> None:
        """The source's document, whole and readable; with a heartbeat where one is looked for."""
        house = self.house
        house.files.publish(source, house.files.document(source, self._signals.get(source, {})))
        if source == BITTENSOR:
            house.files.beat(source)
        house.asked.voices[source] = Voice.CLEAR
        self.note()

    def some_signal(self) -> None:
        source, symbol = self.chance.choice(self.scene.sources), self.chance.choice(self.scene.symbols)
        leverage = self.chance.choice((None, None, None, "2", "10"))
        leverage = None if self.scene.leverage_change == "when_flat" else leverage
        self.say(source, symbol, self.chance.choice(DEPTHS), leverage)

    def arrange(self) -> None:
        """The home before the first start."""
        house, scene = self.house, self.scene
        self._signals = {}
        house.files.mappings(scene)
        house.files.weights(scene.weights, scene.leverages)
        house.files.engine(scene, {})
        house.asked.weights = {symbol: dict(shares) for symbol, shares in scene.weights.items()}
        house.asked.leverages = dict(scene.leverages)
        for source in scene.sources:
            self.publish(source)

    # --- the parts ----------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        self.arrange()
        helpers = [asyncio.ensure_future(work()) for work in (self.samples.run, self._beat)]
        self.boot()
        try:
            await self._faulty()
            await self._mended()
        finally:
            for helper in helpers:
                helper.cancel()
            if self.engine is not None:
                self.engine.power.off()
                await self.engine.end()

    def boot(self) -> None:
        self.engine = self.house.begin()
        self.engine.start()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if BITTENSOR in self.scene.sources and self.house.asked.voices[BITTENSOR] is Voice.CLEAR:
                self.house.files.beat(BITTENSOR)

    async def _faulty(self) -> None:
        house, chance = self.house, self.chance
        began_s = house.clock.monotonic()
        while max(house.cycles.values()) < self.scene.cycles and house.clock.monotonic() < began_s + FAULTY_S:
            if chance.random() < 0.45:
                self.some_signal()
            else:
                await self.something()
            await asyncio.sleep(chance.choice((0.0, 0.01, 0.3, 1.0, 3.0, 8.0, 20.0)))
            self.counts.collect(house)

    async def something(self) -> None:
        kind: Callable[[House, random.Random], str] = self.chance.choice((request_fault, request_fault, stream_fault))
        self.tell(kind(self.house, self.chance))

    async def _mended(self) -> None:
        """Faults stop. First everything must come to what was asked; then to what is asked anew; then rest."""
        house = self.house
        self.counts.collect(house)
        house.sim.admin.clear_faults()
        self.tell("every fault is mended")
        self.note()
        await self._until(lambda: self.checker.reached(self.doubtful), MENDED_S, "without a new signal")
        for source in self.scene.sources:
            for symbol in self.scene.symbols:
                self.say(source, symbol, self.chance.choice(DEPTHS))
        self.checker.asked_at = house.clock.time()
        await self._until(lambda: self.checker.reached(set()), ASKED_S, "after fresh signals")
        if self.scene.seed % 20 == 0:
            await self._idle()
        self.checker.finish()

    async def _until(self, reached: Callable[[], list[str]], within_s: float, when: str) -> None:
        """Waits until the ledger shows what was asked, and a little longer; breaches what does not come."""
        house = self.house
        began, before = house.clock.monotonic(), dict(house.cycles)
        missing = reached()
        while missing and house.clock.monotonic() < began + within_s:
            await asyncio.sleep(LOOK_EVERY_S)
            missing = reached()
        took = max(house.cycles[account] - before[account] for account in before)
        self.checker.slowest = max(self.checker.slowest, took)
        for text in missing:
            self.checker.breach("not converged", f"{within_s:g} s {when}: {text}")
        await asyncio.sleep(10.0)
        for text in [] if missing else reached():
            self.checker.breach("not converged", f"it did not stay, {when}: {text}")

    async def _idle(self) -> None:
        """With nothing new asked and nothing wrong, nothing is sent: however often the same is said again."""
        house = self.house
        sent, cycles = len(house.sent), min(house.cycles.values())
        for _ in range(2 * IDLE_CYCLES):
            self.publish(self.scene.sources[0])
            await asyncio.sleep(IDLE_EVERY_S)
            if min(house.cycles.values()) >= cycles + IDLE_CYCLES:
                break
        if len(house.sent) != sent:
            self.checker.breach("not idle", f"{len(house.sent) - sent} orders while nothing was asked")

    def outcome(self) -> Outcome:
        house = self.house
        return Outcome(
            seed=self.scene.seed,
            breaches=tuple(self.checker.breaches),
            converged=not any(breach.rule == "not converged" for breach in self.checker.breaches),
            cycles=sum(house.cycles.values()),
            orders=len(house.sent),
            slowest_convergence_cycles=self.checker.slowest,
            faults=self.counts.rows(),
            lines=tuple(house.timeline.lines),
        )
