"""What a position read establishes: first sight, verification, drift, adoption. Each is journaled where it is found."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from core.baseline import Judgement, Sighting, Verdict, foreign_contracts, foreign_fills, judge
from core.domain import ZERO, ExistingPositions, Halt, Position, Positions, Symbol, Wanted, plain
from core.errors import Unavailable
from core.events import DriftSeen, PositionVerified
from core.execution import commands
from core.execution.account import Account
from core.execution.context import RECOVERING, settings_of
from core.memory import SymbolMemory
from core.signal_manager import Version

HISTORY_EVERY_S = 2.0


class Explainer:
    """Judges the reads of one symbol."""

    def __init__(self, account: Account, symbol: Symbol, newest: Callable[[], Version]) -> None:
        self._account = account
        self._symbol = symbol
        self._newest = newest

    @property
    def _memory(self) -> SymbolMemory:
        return self._account.memory.of(self._symbol)

    async def explain(self, position: Position, positions: Positions, wanted: Wanted | None, halt: Halt) -> Judgement:
        """Judges the read and journals what it establishes: first sight, verification, drift, adoption."""
        account, memory = self._account, self._memory
        view = account.view(self._symbol)
        if view.rebase is not None and not memory.intents:
            self._drift(position, positions, view.rebase, unexplained=False)
            view.rebase = None
            memory = self._memory
        verdict = self._judge(position)
        if verdict.verdict is Verdict.LAGGING and not memory.intents and memory.baseline is not None:
            await self._look_for_foreign_fills(memory)
            verdict = self._judge(position)
        if verdict.verdict is Verdict.DRIFT:
            self._drift(position, positions, verdict.because)
            return Judgement(Verdict.IN_SYNC, verdict.because)
        first = verdict.verdict in (Verdict.FIRST_FLAT, Verdict.FOREIGN)
        if first and account.recover_after is not None:
            # Neither flat nor foreign: this read may be older than our last fill, and what is found may well be ours.
            return Judgement(verdict.verdict, RECOVERING)
        adopted = self._adopt_reason(verdict.verdict, halt, wanted)
        if adopted is not None and not memory.intents:
            commands.adopt(account, position, wanted, adopted)
            if halt is Halt.FLATTEN_ALL:
                commands.apply_flatten(account, halt)
            return Judgement(Verdict.IN_SYNC, adopted)
        if verdict.verdict is Verdict.FIRST_FLAT and wanted is not None and wanted.depth is not None:
            self._verified(ZERO, positions)
            return Judgement(Verdict.IN_SYNC, verdict.because)
        if verdict.verdict is Verdict.IN_SYNC:
            self.verify(position, positions)
        return verdict

    def _judge(self, position: Position) -> Judgement:
        view = self._account.view(self._symbol)
        now = self._account.clock.time()
        sighting = view.sighting or Sighting(position.contracts, now, now)
        return judge(self._memory, position, sighting, view.foreign, now)

    def _adopt_reason(self, verdict: Verdict, halt: Halt, wanted: Wanted | None) -> str | None:
        if self._symbol in self._account.adopting and not self._nothing_to_adopt(verdict, wanted):
            return "by `./run adopt`"
        if verdict is not Verdict.FOREIGN:
            return None
        if halt is Halt.FLATTEN_ALL:
            return "to be closed by FLATTEN_ALL"
        mine = settings_of(self._account, self._newest())
        if wanted is not None and mine is not None and mine.policy.existing_positions is ExistingPositions.ADOPT:
            return "existing_positions is adopt"
        return None

    def _nothing_to_adopt(self, verdict: Verdict, wanted: Wanted | None) -> bool:
        """A symbol nobody configured and the account does not hold: adopting it would only leave its name behind."""
        if verdict is not Verdict.FIRST_FLAT or wanted is not None:
            return False
        self._account.adopting.discard(self._symbol)
        self._account.trouble(self._symbol, "not adopted: it is not configured, and the account holds nothing of it")
        return True

    async def _look_for_foreign_fills(self, memory: SymbolMemory) -> None:
        """Asks the venue's history whether somebody else traded the symbol since it was last verified."""
        account, view = self._account, self._account.view(self._symbol)
        now = account.clock.time()
        if memory.verified_at is None or now < view.history_due:
            return
        view.history_due = now + HISTORY_EVERY_S
        since = memory.verified_at + (account.processor.clock_offset_s or 0.0)
        try:
            history = await account.processor.history(since)
        except Unavailable as error:
            account.trouble(self._symbol, f"the history could not be read ({error}); the difference waits")
            return
        view.foreign = foreign_contracts(memory, history.fills)
        view.foreign_ids = tuple(fill.exec_id for fill in foreign_fills(memory, history.fills))

    def _drift(self, position: Position, positions: Positions, because: str, *, unexplained: bool = True) -> None:
        """`unexplained` False: the user vouched for the read, which is no reason to stop."""
        account, expected = self._account, self._memory.baseline
        account.record(
            "DRIFT",
            symbol=self._symbol,
            contracts=plain(position.contracts),
            expected=plain(expected if expected is not None else ZERO),
            because=because,
            executions=list(account.view(self._symbol).foreign_ids),
            unexplained=unexplained,
            at=positions.sent_at,
        )
        self._settle_view(position)
        found = position.contracts
        account.tell(DriftSeen, symbol=self._symbol, expected=expected or ZERO, found=found, because=because)

    def verify(self, position: Position, positions: Positions) -> None:
        memory = self._memory
        reached = position.contracts == memory.stored and memory.verified_generation < memory.generation
        if memory.unverified or reached:
            self._verified(position.contracts, positions)
            self._settle_view(position)

    def _verified(self, contracts: Decimal, positions: Positions) -> None:
        account, memory = self._account, self._memory
        reached = memory.sized is not None and contracts == memory.stored
        generation = memory.generation if reached else memory.verified_generation
        account.record(
            "VERIFIED",
            symbol=self._symbol,
            contracts=plain(contracts),
            generation=generation,
            at=positions.sent_at,
        )
        account.hold_value(self._symbol, contracts)
        account.tell(PositionVerified, symbol=self._symbol, generation=generation, contracts=contracts)

    def _settle_view(self, position: Position) -> None:
        view = self._account.view(self._symbol)
        view.foreign, view.foreign_ids = None, ()
        view.history_due = 0.0
        self._account.hold_value(self._symbol, position.contracts)
