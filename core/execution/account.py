"""One account at run time: its processor, its journal and memory, and what it has seen of the venue lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from core.baseline import Sighting
from core.domain import (
    AccountId,
    Equity,
    Hold,
    Instrument,
    Leverage,
    Policy,
    Position,
    Positions,
    Preflight,
    Price,
    Scope,
    Symbol,
    SymbolState,
)
from core.errors import StateError
from core.events import AccountChanged, Emit, Event, Trouble
from core.execution.pacing import Pacing
from core.execution.reads import InFlight, PositionReads
from core.memory import AccountMemory, fold, snapshot_records
from core.ports import AccountLock, AccountProcessor, Clock, Entropy
from core.records import Intent

DETAILS_FRESH_S = 5.0
"""How old a leverage that was read may be when an increase is planned on it."""
STREAMED_DETAILS_FRESH_S = 3600.0
"""The same while a stream would tell of its change."""
RECENT_POSITIONS_S = 35.0
"""Longest a venue's position read may lag; values held within it cannot verify an order by being equal."""
COMPACT_BYTES = 4_000_000
"""A journal that has grown to this is rewritten as what it amounts to."""

PREDECESSOR_S = 1.1
"""How long the last order of the process before this one is taken to fill the venue's limit on orders: a second is the
shortest window venues count them in, and longer ones have room for a second's orders."""


class JournalFile(Protocol):
    """What an account needs of its journal; `core.journal.Journal` on disk, `DryJournal` for a dry run."""

    @property
    def epoch(self) -> str: ...
    @property
    def size(self) -> int: ...
    def check(self) -> None: ...
    def append(self, record: Mapping[str, Any]) -> None: ...
    async def sync(self) -> None: ...
    async def compact(self, records: Iterable[Mapping[str, Any]], next_numbers: Mapping[str, int]) -> None: ...


class DryJournal:
    """Remembers nothing: a dry run decides on what was journaled before it, and journals nothing."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.size = 0

    def check(self) -> None:
        return None

    def append(self, record: Mapping[str, Any]) -> None:
        return None

    async def sync(self) -> None:
        return None

    async def compact(self, records: Iterable[Mapping[str, Any]], next_numbers: Mapping[str, int]) -> None:
        return None


@dataclass(slots=True)
class SymbolView:
    """What was lately seen of one symbol; lost at a restart, which only makes the engine more careful."""

    sighting: Sighting | None = None
    held: deque[tuple[float, Decimal]] = field(default_factory=deque)
    """(instant, contracts) this symbol held or was expected to hold, newest last."""
    seq: int | None = None
    """Highest sequence number a read of the symbol has shown."""
    seq_at_send: int | None = None
    """`seq` when the last order was sent: a read beyond it has seen something happen since."""
    price: Price | None = None
    absent_at: dict[int, float] = field(default_factory=dict)
    """Intent number -> instant of its first absence that counts."""
    lookup_due: float = 0.0
    closing_tries: int = 0
    """Reductions in a row that filled nothing."""
    history_due: float = 0.0
    foreign: Decimal | None = None
    foreign_ids: tuple[str, ...] = ()
    """Contracts of fills that are not ours since the last verification, and their execution ids."""
    rebase: str | None = None
    """The next read becomes the baseline, and why (the user vouched for it)."""
    state: SymbolState | None = None
    because: str = ""


@dataclass(slots=True)
class SymbolOutcome:
    """How one symbol ended a cycle. `generation` is set when it converged and has not been confirmed yet."""

    symbol: Symbol
    state: SymbolState
    because: str
    target: Decimal | None = None
    actual: Decimal | None = None
    depth: Decimal | None = None
    leverage: Decimal | None = None
    generation: int = 0
    confirms: bool = False
    next_due: float | None = None


class Account:
    """The runtime of one account. All state changes go through `record`; sends need an empty backlog."""

    def __init__(
        self,
        account: AccountId,
        processor: AccountProcessor,
        clock: Clock,
        entropy: Entropy,
        emit: Emit,
        compact_bytes: int = COMPACT_BYTES,
    ) -> None:
        self.id = account
        self.processor = processor
        self.clock = clock
        self.entropy = entropy
        self.emit = emit
        self.memory = AccountMemory()
        self.journal: JournalFile | None = None
        self.lock: AccountLock | None = None
        self.dry = False
        self.blocked: Hold | None = None
        """Why nothing at all may be sent (denied, unreachable, locked, corrupt journal); None: nothing."""
        self.read_failed: str | None = None
        """Why the positions could not be read in this cycle; `failed_reads` counts such cycles in a row."""
        self.failed_reads = 0
        self.streamed = False  # a private stream is up
        self.stopping = False  # the process is about to end: nothing new is sent
        self.margin_hold: Hold | None = None
        self.limits: Policy | None = None  # of the newest cycle, for what looks at trips between cycles
        self.kill_seen_at: float | None = None  # of the first equity read in a row below `kill_loss_pct`
        self.closeout = ""
        """Why closing everything counts as failed; empty: it does not."""
        self.preflight: Preflight | None = None
        self.preflight_due = 0.0
        self.recover_after: float | None = None
        self.lost: Mapping[str, Mapping[str, Any]] = {}
        """What the depth cache said of each symbol when the journal was found lost."""
        self.locked_out = False
        """Another engine trades the account: what people read of it is that engine's to write."""
        self.reopen: str | None = None
        """Why journal and lock must be opened anew before anything else."""
        self.in_flight = InFlight()
        self.positions = PositionReads(processor, self.in_flight.quiet)
        self.latest: Positions | None = None
        self.equity: Equity | None = None
        self.listed: Mapping[Symbol, Instrument] = {}
        """The venue's instruments as last read."""
        self.details: dict[Symbol, tuple[Leverage, float]] = {}
        self.pacing = Pacing()
        self.views: dict[Symbol, SymbolView] = {}
        self.outcomes: dict[Symbol, SymbolOutcome] = {}
        self.adopting: set[Symbol] = set()
        self.skip_commands = False  # the journal is new: commands asked before it are noted, not acted on
        self.opened_at = 0.0
        self.calm_until = 0.0
        """Until then orders of the process before this one may use up the venue's limit: nothing is sent."""
        self.cycle = 0
        self.orders_sent = 0
        self._backlog: list[Mapping[str, Any]] = []
        self.unwritten = ""
        """Why the newest records are not on disk; empty: they are, as far as anybody has tried."""
        self._compact_bytes = compact_bytes

    # --- memory -------------------------------------------------------------------------------------------------------

    def open(self, journal: JournalFile, records: list[Mapping[str, Any]]) -> None:
        """Takes a journal into use. Raises `Corrupt` for records this version cannot use."""
        self.memory = fold(records)
        self.journal = journal
        self.opened_at = self.clock.time()
        self.calm_until = min(_last_sent(records, self.memory), self.opened_at) + PREDECESSOR_S
        self._backlog.clear()
        self.unwritten = ""

    def record(self, kind: str, **fields: Any) -> None:
        """Journals one fact and applies it. A disk that refuses leaves it in the backlog, which stops sends."""
        entry = {"kind": kind, **fields}
        entry.setdefault("at", self.clock.time())
        self.memory = self.memory.apply(entry)
        self._backlog.append(entry)
        self.write_backlog()

    def look_at_journal(self) -> None:
        """Notices a journal that is gone, replaced or broken; it is opened anew before anything else."""
        if self.journal is None:
            return
        try:
            self.journal.check()
        except (OSError, StateError) as error:
            self._refused(error)

    def write_backlog(self) -> bool:
        """Appends what is not on disk yet, in order; True when nothing is left."""
        while self._backlog and self.journal is not None:
            try:
                self.journal.append(self._backlog[0])
            except (OSError, StateError) as error:
                self._refused(error)
                return False
            self._backlog.pop(0)
            self.unwritten = ""
        return not self._backlog

    async def durable(self) -> bool:
        """Whether everything recorded so far is safely on disk."""
        if self.journal is None or not self.write_backlog():
            return False
        try:
            await self.journal.sync()
        except (OSError, StateError) as error:
            self._refused(error)
            return False
        return True

    def _refused(self, error: OSError | StateError) -> None:
        """A journal that is lost or broken is opened anew; a full disk is tried again with the next record."""
        self.unwritten = f"the journal cannot be written ({error}); nothing is sent until it can"
        if isinstance(error, OSError):
            self.unwritten += ", which is tried in every cycle. Look at the disk's free space and permissions"
        self.trouble(None, self.unwritten)
        if isinstance(error, StateError):
            self.reopen = str(error)

    async def compact(self) -> None:
        """Rewrites a grown journal as the memory it amounts to."""
        if self.journal is None or self.journal.size < self._compact_bytes or not self.write_backlog():
            return
        try:
            records = snapshot_records(self.memory, self.clock.time())
            await self.journal.compact(records, {"intent": self.memory.next_intent})
        except (OSError, StateError) as error:
            self.trouble(None, f"the journal could not be compacted ({error}); it goes on growing")

    def is_open(self, intent: Intent) -> bool:
        """Whether an intent is still unresolved: a push may have settled it while an answer was waited for."""
        return any(other.number == intent.number for other in self.memory.of(intent.order.symbol).intents)

    # --- what was seen ------------------------------------------------------------------------------------------------

    def view(self, symbol: Symbol) -> SymbolView:
        return self.views.setdefault(symbol, SymbolView())

    def saw(self, symbol: Symbol, positions: Positions) -> Position:
        """Notes one read of one symbol: sighting, leverage, sequence. Returns the position."""
        position = positions.of(symbol)
        view = self.view(symbol)
        if view.sighting is None:
            view.sighting = Sighting(position.contracts, positions.sent_at, positions.sent_at)
        else:
            view.sighting = view.sighting.again(position.contracts, positions.sent_at)
        if position.seq is not None:
            view.seq = max(position.seq, view.seq if view.seq is not None else position.seq)
        if position.leverage is not None:
            found = Leverage(symbol, position.leverage, position.margin_mode)
            self.details[symbol] = (found, positions.received_at)
        self.latest = positions
        return position

    def hold_value(self, symbol: Symbol, contracts: Decimal) -> None:
        """Notes a value the position held, for `held_lately`."""
        held, now = self.view(symbol).held, self.clock.time()
        while len(held) > 1 and held[1][0] < now - RECENT_POSITIONS_S:
            held.popleft()
        if not held or held[-1][1] != contracts:
            held.append((now, contracts))

    def held_lately(self, symbol: Symbol, contracts: Decimal) -> bool:
        """Whether a stale read could show `contracts` although the position has moved on since."""
        horizon = self.clock.time() - RECENT_POSITIONS_S
        last_fill_at = self.memory.of(symbol).last_fill_at
        if last_fill_at is not None and horizon <= last_fill_at < self.opened_at:
            return True  # traded just before this process began: what it held then is not known
        held = list(self.view(symbol).held)
        ended = [after[0] for after in held[1:]]
        return any(value == contracts and left >= horizon for (_, value), left in zip(held, ended, strict=False))

    def leverage_known(self, symbol: Symbol) -> Leverage | None:
        """Leverage last read of the venue, while it is fresh enough to act on."""
        found = self.details.get(symbol)
        fresh_s = STREAMED_DETAILS_FRESH_S if self.streamed else DETAILS_FRESH_S
        return found[0] if found and self.clock.time() - found[1] < fresh_s else None

    def block(self, because: str, again_in_s: float) -> None:
        """Nothing is sent for the account until its preflight, due again in `again_in_s`, passes."""
        now = self.clock.time()
        if self.blocked is None or self.blocked.because != because:
            self.tell(AccountChanged, state="blocked", because=because)
        self.blocked = Hold(Scope.ALL, SymbolState.BLOCKED, because, now + again_in_s)
        self.preflight_due = now + again_in_s

    # --- telling ------------------------------------------------------------------------------------------------------

    def tell(self, make: Callable[..., Event], **fields: Any) -> None:
        self.emit(make(at=self.clock.time(), account=self.id, **fields))

    def trouble(self, symbol: Symbol | None, because: str) -> None:
        self.tell(Trouble, symbol=symbol, because=because)


def _last_sent(records: list[Mapping[str, Any]], memory: AccountMemory) -> float:
    """When a journal last shows an order sent or filled, epoch seconds; 0 for never."""
    sent = [float(record["at"]) for record in records if record["kind"] == "PREPARED"]
    sent += [intent.prepared_at for intent in memory.intents]
    return max([*sent, *(symbol.last_fill_at or 0.0 for symbol in memory.symbols.values())], default=0.0)
