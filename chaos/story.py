"""The state of one seed while it is lived through, and what can be done to it; what is done, the plot draws."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from chaos.asked import Key, Said, Voice
from chaos.checker import Breach, Checker
from chaos.house import Engine, House
from chaos.menu import BANS_S, Counts
from chaos.samples import Samples
from chaos.scene import BITTENSOR, STALENESS_S, Scene
from core.domain import AccountId, Signal, SourceName, Symbol

BEAT_S = 5.0
DEPTHS = ("1", "-1", "0.5", "-0.5", "0.25", "-0.25", "0.8", "0.01", "0", "0", "0.5", "-0.75")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed came to. `faults`: venue -> kind -> how often; `lines`: its story."""

    seed: int
    breaches: tuple[Breach, ...]
    converged: bool
    cycles: int
    orders: int
    slowest_convergence_cycles: int
    faults: dict[str, dict[str, int]]
    lines: tuple[str, ...] = field(repr=False, default=())


@dataclass(slots=True)
class Later:
    """Something that will be undone at `at_s` (monotonic), or when everything is mended."""

    at_s: float
    what: str
    undo: Callable[[], object]


class Story:
    """One scene, with its engine, its people and its oracle."""

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
        self.unlisted: set[Key] = set()
        """Where the venue did not trade the symbol for a while: an engine that reads the list then keeps it an hour."""
        self.accounts: dict[AccountId, dict[str, object]] = {}
        """What engine_config.json says of each account."""
        self.first_marks = {symbol: self.house.mark(symbol) for symbol in scene.symbols}
        self.deposited = False
        self._signals: dict[SourceName, dict[Symbol, Signal]] = {}
        self._muted: dict[SourceName, float] = {}
        self._later: list[Later] = []
        self._disturbed_s = 0.0

    # --- telling ------------------------------------------------------------------------------------------------------

    def tell(self, what: str) -> None:
        self.house.timeline.tell("*", what)

    def happened(self, kind: str, what: str, venue: str | None = None) -> None:
        """Counts something for a venue, or for all of the scene that it befell."""
        self.tell(what)
        for name in self.scene.accounts if venue is None else (venue,):
            self.counts.add(name, kind)

    def note(self) -> None:
        self.house.asked.note(self.house.clock.time())

    def later(self, in_s: float, what: str, undo: Callable[[], object]) -> None:
        self._later.append(Later(self.house.clock.monotonic() + in_s, what, undo))

    def undo(self, everything: bool = False) -> None:
        """Undoes what is due."""
        now_s = self.house.clock.monotonic()
        due = [one for one in self._later if everything or one.at_s <= now_s]
        self._later = [one for one in self._later if one not in due]
        for one in due:
            self.tell(one.what)
            one.undo()
        if due:
            self.disturbed()
            self.note()

    def bans_end_s(self) -> float:
        """When the last venue that shuts addresses out may be asked again (monotonic seconds)."""
        clock = self.house.clock
        ends = [at + BANS_S.get(venue, 0.0) - clock.time() + clock.monotonic() for at, venue, _ in self.house.over]
        return max([self.counts.banned_until_s, *ends])

    # --- doubt --------------------------------------------------------------------------------------------------------

    def places(self, account: AccountId | None = None, symbol: Symbol | None = None) -> list[Key]:
        """Every account and symbol of the scene, or those of one account or symbol."""
        accounts = [seat.account for seat in self.house.seats if account in (None, seat.account)]
        return [(one, each) for one in accounts for each in self.scene.symbols if symbol in (None, each)]

    def doubt(self, *keys: Key) -> None:
        self.doubtful.update(keys)

    def adopt(self, key: Key) -> None:
        """Asks the engine to take a position for its own: whatever size it then has is allowed."""
        self.doubt(key)
        self.checker.adopted.add(key)
        self.house.files.ask("adopt", key[0], key[1])

    def doubt_voices(self) -> None:
        """Nobody knows for the moment which documents the engine can read, or holds for too old or too new."""
        for source in self.scene.sources:
            self.house.asked.voices[source] = Voice.DOUBTFUL
        self.note()

    def speak_again(self) -> None:
        """Every source writes its document anew, with the signals it had."""
        for source in self.scene.sources:
            self.publish(source)

    # --- sources ------------------------------------------------------------------------------------------------------

    def doubt_blended(self, but: SourceName | None, symbol: Symbol | None = None) -> None:
        """Something changes while a source other than `but` cannot surely be read: the size made of it may be smaller,
        and stays when that source is back unchanged."""
        if any(voice is not Voice.CLEAR for source, voice in self.house.asked.voices.items() if source != but):
            self.doubt(*self.places(symbol=symbol))

    def say(self, source: SourceName, symbol: Symbol, depth: str, leverage: str | None = None) -> None:
        """A source gives its opinion on a symbol, beside what it says of the others."""
        self.doubt_blended(source, symbol)
        said = Said(Decimal(depth), None if leverage is None else Decimal(leverage))
        self.house.asked.say(source, symbol, said)
        self._signals.setdefault(source, {})[symbol] = Signal(said.depth, self.house.local.time(), said.leverage)
        self.publish(source)
        self.tell(f"{source} says {symbol} {depth}" + (f" at {leverage}x" if leverage else ""))

    def publish(self, source: SourceName) -> None:
        """The source's document, whole and readable; with a heartbeat where one is looked for."""
        house = self.house
        house.files.publish(source, house.files.document(source, self._signals.get(source, {})))
        self._muted.pop(source, None)
        if source == BITTENSOR:
            house.files.beat(source)
        house.asked.voices[source] = Voice.CLEAR if not self._doubted() else Voice.DOUBTFUL
        self.note()

    def _doubted(self) -> bool:
        disturbed = any(fault.operation == "read" for fault in self.house.disk.faults)
        return disturbed or self.house.local.wrong_by_s != 0

    def some_signal(self) -> None:
        source, symbol = self.chance.choice(self.scene.sources), self.chance.choice(self.scene.symbols)
        leverage = self.chance.choice((None, None, None, "2", "10"))
        leverage = None if self.scene.leverage_change == "when_flat" else leverage
        self.say(source, symbol, self.chance.choice(DEPTHS), leverage)

    def mute(self, source: SourceName) -> None:
        """Its heartbeat stops; its document stays, and counts until the heartbeat is too old."""
        self._muted.setdefault(source, self.house.clock.monotonic())
        self.house.asked.voices[source] = Voice.DOUBTFUL

    async def beat(self) -> None:
        """The processor of the source that has a heartbeat."""
        while BITTENSOR in self.scene.sources:
            await asyncio.sleep(BEAT_S)
            since_s = self._muted.get(BITTENSOR)
            if since_s is None:
                self.house.files.beat(BITTENSOR)
            elif self.house.clock.monotonic() > since_s + STALENESS_S + BEAT_S and not self._doubted():
                self.house.asked.voices[BITTENSOR] = Voice.SILENT
                self.note()

    # --- files --------------------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """The home before the first start."""
        asked = self.house.asked
        asked.weights = {symbol: dict(shares) for symbol, shares in self.scene.weights.items()}
        asked.leverages = dict(self.scene.leverages)
        self.write_all()
        self.speak_again()

    def config_settled(self, for_s: float) -> bool:
        """Whether an engine has been up, its disk well and its configuration the same for so long."""
        if self.engine is None or self.house.disk.faults:
            self.disturbed()
        return self.house.clock.monotonic() - self._disturbed_s > for_s

    def disturbed(self) -> None:
        self._disturbed_s = self.house.clock.monotonic()

    def write_weights(self) -> None:
        self.disturbed()
        self.doubt_blended(None)
        self.house.files.weights(self.house.asked.weights, self.house.asked.leverages)
        self.note()

    def write_engine(self) -> None:
        self.disturbed()
        self.doubt_blended(None)
        self.house.files.engine(self.scene, {str(account): keys for account, keys in self.accounts.items()})
        self.note()

    def write_all(self) -> None:
        self.house.files.mappings(self.scene)
        self.write_weights()
        self.write_engine()

    def put_back(self, symbol: Symbol, shares: dict[SourceName, Decimal]) -> None:
        self.house.asked.weights[symbol] = shares
        self.write_weights()

    def live_again(self, account: AccountId) -> None:
        self.accounts.get(account, {}).pop("mode", None)
        self.house.asked.closing.discard(account)
        self.write_engine()

    def lift_halt(self) -> None:
        self.house.files.halt(None)
        self.house.asked.halted = False

    def right_clock(self) -> None:
        self.house.local.wrong_by_s = 0.0
        self.speak_again()

    # --- the engine ---------------------------------------------------------------------------------------------------

    def boot(self) -> None:
        self.disturbed()
        self.engine = self.house.begin()
        self.engine.start()

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
