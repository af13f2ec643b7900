"""One symbol, one cycle: read, explain, size if due, plan, take one step, read again.

Nothing sleeps here. What has to wait ends the cycle with a due time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from core.baseline import Judgement, Verdict
from core.domain import (
    ZERO,
    AccountMode,
    Actual,
    Halt,
    Leverage,
    PlaceOrder,
    Plan,
    Policy,
    Position,
    Positions,
    SetLeverage,
    SetMarginMode,
    Step,
    SymbolState,
    Target,
    Wanted,
    toward_zero,
)
from core.domain import Symbol as SymbolName
from core.errors import Denied, Rejected, Unavailable, VenueError
from core.events import GenerationSized, StepDone
from core.execution.account import SymbolOutcome
from core.execution.context import (
    CycleContext,
    account_holds,
    market_due,
    settings_of,
    symbol_holds,
    wanted_by,
)
from core.execution.explaining import Explainer
from core.execution.market import MarketView, leverage_of, limit_holds, look
from core.execution.pacing import Pace
from core.execution.preflight import REPEAT_S
from core.execution.resolving import resolve
from core.execution.sending import Permission, Sent, send
from core.execution.tripping import stands_against
from core.limits import MAX_PRICE_AGE_S
from core.memory import SymbolMemory
from core.planner import plan
from core.records import sized_record
from core.signal_manager import Version
from core.sizing import Waiting, needs_size, size

MAX_ROUNDS = 40
"""Steps one symbol may take in one cycle (chunks included) before it lets the next cycle go on."""
SOON_S = 1.0
MAX_PRETENDED = 4
SETTLED = frozenset({SymbolState.CONVERGED, SymbolState.BELOW_MINIMUM, SymbolState.DUST})


@dataclass(slots=True)
class _Round:
    """What one round of the loop stands on."""

    version: Version
    halt: Halt
    wanted: Wanted | None
    positions: Positions
    position: Position
    verdict: Judgement


class SymbolCycle:
    """The work on one symbol in one cycle of one account."""

    def __init__(self, context: CycleContext, symbol: SymbolName) -> None:
        self._context = context
        self._account = context.account
        self._symbol = symbol
        self._market: MarketView | None = None
        self._leverage: Leverage | None = None
        self._sent = False
        """An order of this cycle went out: its effect is to be seen."""
        self._explainer = Explainer(context.account, symbol, context.newest)

    @property
    def _memory(self) -> SymbolMemory:
        return self._account.memory.of(self._symbol)

    async def run(self) -> SymbolOutcome:
        """Works until nothing is due or something has to be waited for. Raises `Denied`."""
        outcome = self._outcome(SymbolState.OUT_OF_SYNC, "still working", None, SOON_S / 10)
        for _ in range(MAX_ROUNDS):
            try:
                now = await self._look()
            except Unavailable as error:
                because = f"the position could not be read: {error}"
                self._account.read_failed = because
                return self._outcome(SymbolState.UNRESOLVED, because, None, error.retry_after_s or SOON_S)
            planned = await self._decide(now)
            if self._account.dry:
                planned = await self._pretend(planned, now)
            outcome = self._outcome_of(planned, now)
            if not planned.steps or self._account.dry:
                return outcome
            if not await self._take(planned.steps[0], now):
                return replace(outcome, next_due=self._account.clock.time() + SOON_S / 2)
        return outcome

    async def _pretend(self, planned: Plan, now: _Round) -> Plan:
        """A dry run's plan: settings count as made, so that the order behind them shows too."""
        texts: list[str] = []
        while planned.steps and not isinstance(planned.steps[0], PlaceOrder) and len(texts) < MAX_PRETENDED:
            step = planned.steps[0]
            texts.append(planned.because)
            self._leverage = Leverage(self._symbol, step.leverage, step.margin_mode)
            self._account.details[self._symbol] = (self._leverage, self._account.clock.time())
            planned = await self._decide(now)
        return replace(planned, because="; then ".join([*texts, planned.because]))

    # --- read and explain ---------------------------------------------------------------------------------------------

    async def _look(self) -> _Round:
        """A fresh read, with the market beside it where it will be needed, and what the read means."""
        context, account = self._context, self._account
        version, halt = context.newest(), context.halt()
        wanted = wanted_by(account, version, self._symbol, halt)
        market: asyncio.Task[None] | None = None
        unseen = self._market is None and market_due(account, self._symbol, wanted)
        if unseen:
            market = asyncio.get_running_loop().create_task(self._look_at_market())
        try:
            positions = await self._positions(unseen or self._sent)
        finally:
            if market is not None:
                await market
        position = account.saw(self._symbol, positions)
        if self._memory.intents:
            before = self._memory.intents
            await resolve(account, self._symbol, position, positions)
            if self._memory.intents != before and position.contracts != self._memory.baseline:
                position = account.saw(self._symbol, positions := await self._read())
        verdict = await self._explainer.explain(position, positions, wanted, halt)
        return _Round(version, halt, wanted, positions, position, verdict)

    async def _positions(self, due: bool) -> Positions:
        """The stream's positions where they may stand for a read and something is due; else a read.

        With nothing due a read costs nobody time, and is what keeps the stream honest; one every moment is enough.
        """
        stream = self._context.stream
        if stream is not None and (due or stream.vouched_for()):
            if self._memory.intents:
                await stream.settled(self._symbol)
            primed = stream.primed(self._symbol)
            if primed is not None:
                return primed
        return await self._read()

    async def _read(self) -> Positions:
        positions = await self._account.positions.fresh()
        if self._context.stream is not None:
            self._context.stream.anchor(positions)
        return positions

    async def _look_at_market(self) -> None:
        """Market and leverage at once; a Denied read is raised by the positions read as well."""
        try:
            self._market, self._leverage = await asyncio.gather(
                look(self._account, self._context.facts, self._memory), leverage_of(self._account, self._symbol)
            )
        except Denied as error:
            self._account.block(str(error), REPEAT_S)

    # --- size and plan ------------------------------------------------------------------------------------------------

    async def _decide(self, now: _Round) -> Plan:
        """Sizes a new generation if there is one, then plans."""
        mine = settings_of(self._account, now.version)
        policy = mine.policy if mine else Policy()
        waiting = await self._size(now, policy)
        memory = self._memory
        if self._market is None and memory.sized is not None and now.position.contracts != memory.stored:
            await self._look_at_market()
        target = self._target(now, policy, waiting)
        actual = self._actual(now)
        if self._market is None:
            return self._without_market(target, actual, policy)
        return plan(target, actual, self._market.market(self._account, self._symbol), policy)

    async def _size(self, now: _Round, policy: Policy) -> str | None:
        """Journals the next generation when one is due and can be; returns what it waits for."""
        account, memory, wanted = self._account, self._memory, now.wanted
        if wanted is None or memory.baseline is None or not needs_size(wanted, memory.sized):
            return None
        mine = settings_of(account, now.version)
        if mine is None or account.recover_after is not None or mine.mode is AccountMode.DISABLED:
            return None
        # A cycle may have waited long since it looked, for the venue or because the process was suspended.
        if self._market is None or account.clock.time() - self._market.seen_at > MAX_PRICE_AGE_S:
            self._market = None
            await self._look_at_market()
        if self._market is None:
            return "the market could not be read"
        result = size(wanted, memory.sized, self._market.facts(), policy, account.clock.time())
        if isinstance(result, Waiting):
            return result.because
        account.record(**sized_record(self._symbol, result, memory.resync))
        account.tell(
            GenerationSized,
            symbol=self._symbol,
            generation=result.generation,
            depth=result.depth,
            contracts=result.contracts,
            leverage=result.leverage,
            equity=result.equity,
            price=result.price,
            because=result.because,
        )
        if now.verdict.verdict is Verdict.IN_SYNC:
            self._explainer.verify(now.position, now.positions)
        return result.because if result.provisional else None

    def _target(self, now: _Round, policy: Policy, waiting: str | None) -> Target:
        account, memory, wanted = self._account, self._memory, now.wanted
        mine = settings_of(account, now.version)
        holds = account_holds(account, mine, now.halt) + symbol_holds(account, memory, wanted, self._context.admission)
        if self._market is not None and mine is not None and now.version.settings is not None:
            position = now.position.contracts
            holds += limit_holds(account, memory, self._market, now.version.settings, mine, position)
        sized = memory.sized
        silent = wanted.because if wanted is not None and wanted.depth is None and sized is None else None
        return Target(
            symbol=self._symbol,
            contracts=sized.contracts if sized else None,
            leverage=sized.leverage if sized else ZERO,
            margin_mode=policy.margin_mode,
            holds=tuple(holds),
            drifted=memory.drift,
            below_minimum=bool(sized and sized.below_minimum),
            no_signal=silent,
            full_close_only=self._market.changed if self._market else None,
            held=waiting or (wanted.held if wanted else None),
            because=sized.because if sized else (wanted.because if wanted else ""),
        )

    def _actual(self, now: _Round) -> Actual:
        memory, position = self._memory, now.position
        increases = [i.order for i in memory.intents if not i.order.reduce_only]
        reductions = [i.order for i in memory.intents if i.order.reduce_only]
        unresolved = None
        if memory.intents:
            ids = ", ".join(f"{i.client_id} ({i.state.value})" for i in memory.intents)
            unresolved = f"waiting to learn what became of order {ids}"
        lagging = now.verdict.because if now.verdict.verdict is Verdict.LAGGING else None
        leverage = self._account.leverage_known(self._symbol) or self._leverage
        margin_mode = position.margin_mode or (leverage.margin_mode if leverage else None)
        if self._account.dry and self._account.margin_hold is None:
            margin_mode = None  # a real run sets an account-wide mode before its first order
        return Actual(
            position=position.contracts,
            baseline=memory.baseline,
            leverage=position.leverage or (leverage.leverage if leverage else None),
            margin_mode=margin_mode,
            lagging=lagging,
            unresolved_increase=sum((o.contracts for o in increases), ZERO),
            unresolved_reduction=sum((o.contracts for o in reductions), ZERO),
            unresolved=unresolved,
            because=now.verdict.because,
            leverage_fixed=self._leverage_fixed(),
            closing_tries=self._account.view(self._symbol).closing_tries,
        )

    def _leverage_fixed(self) -> bool:
        """Whether the venue lately refused to change leverage or margin mode for this generation."""
        account, memory = self._account, self._memory
        return account.pacing.stands(self._symbol, Pace.SETTING_REFUSED, memory.generation, account.clock.time())

    def _without_market(self, target: Target, actual: Actual, policy: Policy) -> Plan:
        """Nothing needs a price: the position is where it should be, or is not ours to move."""
        account = self._account
        bare = MarketView(
            account.clock.time(), account.listed.get(self._symbol), None, None, "the market was not asked", None
        )
        return plan(target, actual, bare.market(account, self._symbol), policy)

    # --- act ----------------------------------------------------------------------------------------------------------

    async def _take(self, step: Step, now: _Round) -> bool:
        """Takes one step; False when the symbol should wait for the next cycle."""
        if not isinstance(step, PlaceOrder):
            return await self._set(step)
        memory = self._memory
        account = self._account
        if memory.baseline is None:
            return False
        account.hold_value(self._symbol, memory.baseline)
        view = account.view(self._symbol)
        view.lookup_due, view.seq_at_send = 0.0, view.seq
        fenced = now.position.contracts
        if now.verdict.verdict is Verdict.LAGGING:
            fenced = toward_zero(fenced, memory.baseline)
        permission = Permission(fenced, memory.stored, memory.generation)
        sent = await send(account, step, permission, lambda: self._gate(step, now))
        self._sent = self._sent or sent is not Sent.NOT_SENT
        return sent is not Sent.NOT_SENT or self._context.newest().number != now.version.number

    def _gate(self, order: PlaceOrder, now: _Round) -> str | None:
        """The last look before signing, synchronous: lock, kill switch, newest version, price age."""
        account = self._account
        if account.stopping:
            return "the process is stopping"
        if account.lock is not None and not account.lock.held():
            account.reopen = "the account lock was lost; another engine may act"
            return account.reopen
        version, halt = self._context.newest(), self._context.halt()
        mine = settings_of(account, version)
        if mine is None or mine.mode in (AccountMode.DISABLED, AccountMode.DRY_RUN):
            return "the account may not trade any more"
        if version.number != now.version.number:
            wanted = wanted_by(account, version, self._symbol, halt)
            before = now.wanted.inputs_hash if now.wanted else None
            if (wanted.inputs_hash if wanted else None) != before or (wanted and wanted.depth is None):
                return "a newer version asks for something else"
        if order.reduce_only:
            return None
        if halt is not Halt.NONE:
            return f"{halt.value} stands"
        holds = account_holds(account, mine, halt)
        if holds:
            return holds[0].because
        against = stands_against(account, order, mine.policy)
        if against is not None:
            return against
        price = self._market.price if self._market else None
        if price is None or account.clock.time() - price.at > MAX_PRICE_AGE_S:
            self._market = None
            return "the price is too old"
        return None

    async def _set(self, step: SetMarginMode | SetLeverage) -> bool:
        """Sets leverage or margin mode and forgets what was read of it, so that it is read back."""
        account = self._account
        account.details.pop(self._symbol, None)
        try:
            if isinstance(step, SetMarginMode):
                await account.processor.set_margin_mode(self._symbol, step.margin_mode, step.leverage)
            else:
                await account.processor.set_leverage(self._symbol, step.leverage, step.margin_mode)
            found = await account.processor.leverage(self._symbol)
        except Denied:
            raise
        except VenueError as error:
            self._leverage = None
            generation, now = self._memory.generation, account.clock.time()
            pace = Pace.SETTING_REFUSED if isinstance(error, Rejected) else Pace.SETTING_FAILED
            account.pacing.failed(self._symbol, pace, error.code, generation, now, str(error))
            return True
        account.details[self._symbol] = (found, account.clock.time())
        self._leverage = found
        account.tell(StepDone, symbol=self._symbol, step=step)
        return True

    # --- outcome ------------------------------------------------------------------------------------------------------

    def _outcome_of(self, planned: Plan, now: _Round) -> SymbolOutcome:
        due = planned.next_due
        unsettled = planned.state in (SymbolState.UNRESOLVED, SymbolState.OUT_OF_SYNC)
        if unsettled or (self._memory.sized is not None and self._memory.sized.provisional):
            soon = self._account.clock.time() + SOON_S
            due = min(due, soon) if due is not None and planned.state is not SymbolState.OUT_OF_SYNC else due or soon
        outcome = self._outcome(planned.state, planned.because, now, None)
        return replace(outcome, next_due=due)

    def _outcome(self, state: SymbolState, because: str, now: _Round | None, due_in_s: float | None) -> SymbolOutcome:
        memory, sized = self._memory, self._memory.sized
        return SymbolOutcome(
            symbol=self._symbol,
            state=state,
            because=because,
            target=sized.contracts if sized else None,
            actual=now.position.contracts if now else None,
            depth=sized.depth if sized else None,
            leverage=sized.leverage if sized else None,
            generation=memory.generation,
            confirms=state in SETTLED,
            next_due=None if due_in_s is None else self._account.clock.time() + due_in_s,
        )
