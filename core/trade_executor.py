"""TradeExecutor: accounts in parallel, symbols in parallel within each, one immutable version of everything per cycle.

Each account has its own loop and its own semaphore; nobody waits for another account. The settings are read once per
cycle, in `execute` (or by the supervisor of `run`), and handed down; `confirm_execution` is called once per account and
cycle, in `process_account`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.domain import AccountId, AccountMode, Policy, Symbol, SymbolState
from core.errors import Denied
from core.events import CycleDone, SymbolSettled
from core.execution import commands, preflight, tripping
from core.execution.account import Account, SymbolOutcome
from core.execution.admission import admission
from core.execution.context import (
    CycleContext,
    account_holds,
    market_due,
    settings_of,
    symbols_of,
    wanted_by,
)
from core.execution.equity import refresh_equity
from core.execution.opening import Opener, recover
from core.execution.pacing import Pace, delay_s
from core.execution.projecting import Projector, Publisher
from core.execution.reads import CycleFacts
from core.execution.resolving import LOOKUP_EVERY_S
from core.execution.streaming import AccountStream
from core.execution.symbol import SETTLED, SymbolCycle
from core.ports import Clock
from core.signal_manager import SignalManager, Version
from core.supervisor import isolated
from core.trips import Watch

MAX_CONCURRENT_SYMBOL_REQUESTS = 10
"""Symbols of one account worked on at once."""
STREAMED_INTERVAL_S = 30.0
READ_BUDGET_SHARE = 0.3
READS_PER_CYCLE = 3.0
AFTER_FAULT_S = 5.0
READ_TRIES = 3
"""Cycles in a row, a second apart, in which the positions may be unreadable before the account is BLOCKED."""
LAST_ORDERS_S = 6.0
"""How long a stop waits for orders that are on their way: longer than a request's deadline."""


@dataclass(frozen=True, slots=True)
class AccountResult:
    """How a cycle of one account ended; `next_due` is when the next one should begin at the latest."""

    account: AccountId
    outcomes: Mapping[Symbol, SymbolOutcome]
    settled: bool
    next_due: float


class TradeExecutor:
    """Reconciles every account it was given. `execute` runs one full cycle; `run` keeps going until stopped."""

    def __init__(
        self,
        accounts: Sequence[Account],
        signal_manager: SignalManager,
        opener: Opener,
        publisher: Publisher,
        clock: Clock,
        dry_run: bool = False,
    ) -> None:
        self.accounts = list(accounts)
        self.signal_manager = signal_manager
        self.weight_config: Version = signal_manager.version
        self._symbol_details_cache = {account.id: account.details for account in accounts}
        self._opener = opener
        self._projector = Projector(publisher, dry_run)
        self._clock = clock
        self._dry_run = dry_run
        self._wakes = {account.id: asyncio.Event() for account in accounts}
        self._wake = asyncio.Event()
        self._streams: dict[AccountId, AccountStream] = {}

    # --- cycles -------------------------------------------------------------------------------------------------------

    async def execute(self) -> list[AccountResult]:
        """One full cycle over all accounts, on one version of settings and targets."""
        self._load_weight_config()
        return list(await asyncio.gather(*(self.process_account(account) for account in self.accounts)))

    def _load_weight_config(self) -> Version:
        """Reads settings and signals, once per cycle."""
        self.weight_config = self.signal_manager.load()
        return self.weight_config

    async def process_account(self, account: Account) -> AccountResult:
        """One cycle of one account. Its failures are its own: they become its state and never reach another."""
        return await isolated(self._cycle(account), lambda error: self._failed(account, error))

    def _failed(self, account: Account, error: Exception) -> AccountResult:
        because = f"a fault of this program: {error!r}. Nothing is sent for the account; trying again. Please report it"
        account.block(because, AFTER_FAULT_S)
        return AccountResult(account.id, {}, False, self._clock.time() + AFTER_FAULT_S)

    async def _cycle(self, account: Account) -> AccountResult:
        started_s = self._clock.monotonic()
        account.cycle += 1
        orders_before = account.orders_sent
        watched = account.memory.watch
        version = self.weight_config
        outcomes: dict[Symbol, SymbolOutcome] = {}
        if await self._ready(account, version):
            outcomes = await self._reconcile(account, version)
        elif account.journal is not None:
            outcomes = self._standing_still(account)
        account.outcomes = outcomes
        await self._watch(account, version, watched)
        confirmed = {s: o.generation for s, o in outcomes.items() if o.confirms and not account.dry}
        for symbol, generation in confirmed.items():
            if account.memory.of(symbol).confirmed_generation < generation:
                account.record("CONFIRMED", symbol=symbol, generation=generation)
        self.signal_manager.confirm_execution(account.id, confirmed)
        await account.durable()  # what was taken without an order (downward only, say) outlives a power loss too
        await account.compact()
        result = self._result(account, version, outcomes)
        self._projector.publish(account, version, outcomes)
        duration_s = self._clock.monotonic() - started_s
        orders = account.orders_sent - orders_before
        account.tell(CycleDone, cycle=account.cycle, duration_s=duration_s, orders=orders, settled=result.settled)
        return result

    async def _ready(self, account: Account, version: Version) -> bool:
        """Opens, checks and recovers the account; False when nothing can be read or decided for it now."""
        mine = settings_of(account, version)
        if version.settings is None:
            return False
        mode = mine.mode if mine else AccountMode.DISABLED
        account.look_at_journal()
        self._opener.ensure_open(account, self._dry_run or mode is AccountMode.DRY_RUN)
        if account.journal is None:
            return False
        account.write_backlog()
        if mode is AccountMode.DISABLED and not account.memory.intents:
            return False
        await preflight.check(account, mine.policy if mine else Policy())
        if account.blocked is not None:
            return False
        await recover(account)
        if not account.dry:
            commands.apply_commands(account, version.desired, symbols_of(account, version.settings))
            if mine is not None and mode is not AccountMode.DISABLED:
                tripping.look(account, mine.policy)
                commands.apply_flatten(account, version.halt)
        return True

    async def _watch(self, account: Account, version: Version, before: Watch) -> None:
        """Looks at the trips with what this cycle read; a trip is durable before anything else happens."""
        mine = settings_of(account, version)
        if mine is not None and mine.mode is not AccountMode.DISABLED:
            tripping.look(account, mine.policy)
        after = account.memory.watch
        if (after.day, after.trips) != (before.day, before.trips):
            await account.durable()

    async def _reconcile(self, account: Account, version: Version) -> dict[Symbol, SymbolOutcome]:
        """All symbols of one account, under its semaphore, those first for which something is due."""
        symbols = sorted(symbols_of(account, version.settings))
        if version.halt == "FLATTEN_ALL" and account.latest is not None:
            symbols = sorted({*symbols, *(s for s, p in account.latest.by_symbol.items() if p.contracts)})
        wants = {symbol: wanted_by(account, version, symbol, version.halt) for symbol in symbols}
        mine = settings_of(account, version)
        due = [symbol for symbol in symbols if market_due(account, symbol, wants[symbol])]
        stream = self._streams.get(account.id)
        facts = CycleFacts(account.processor, symbols, due, stream.equity() if stream else None)
        if due and account.equity is None and mine is not None and mine.policy.max_gross_exposure is not None:
            await refresh_equity(account, facts, mine.policy)  # what new sizes will be worth
        context = CycleContext(
            account=account,
            newest=lambda: self.weight_config,
            halt=self.signal_manager.halt,
            facts=facts,
            admission=admission(account, version, wants),
            stream=stream,
        )
        semaphore = asyncio.Semaphore(MAX_CONCURRENT_SYMBOL_REQUESTS)

        async def bounded(symbol: Symbol) -> SymbolOutcome:
            async with semaphore:
                return await self.process_symbol(context, symbol)

        account.read_failed = None
        ordered = sorted(symbols, key=lambda symbol: (symbol not in due, symbol))
        policy = mine.policy if mine else Policy()
        equity = refresh_equity(account, facts, policy)
        done = await asyncio.gather(*(bounded(symbol) for symbol in ordered), equity)
        self._count_failed_reads(account)
        return {outcome.symbol: outcome for outcome in done if outcome is not None} | _unconfigured(account, symbols)

    def _count_failed_reads(self, account: Account) -> None:
        """A venue that does not answer again and again blocks the account, with growing pauses, until it does."""
        if account.read_failed is None:
            account.failed_reads = 0
            return
        account.failed_reads += 1
        if account.failed_reads > READ_TRIES:
            jitter = account.entropy.uniform(0.8, 1.2)
            pause_s = delay_s(Pace.READ_FAILED, account.failed_reads - READ_TRIES) * jitter
            account.block(f"{account.read_failed}; asking again in {pause_s:.0f} s", pause_s)

    async def process_symbol(self, context: CycleContext, symbol: Symbol) -> SymbolOutcome:
        """One symbol's work in a cycle. What the venue denies stops the account, and only it."""
        account = context.account
        try:
            outcome = await SymbolCycle(context, symbol).run()
        except Denied as error:
            account.block(str(error), preflight.REPEAT_S)
            outcome = SymbolOutcome(symbol, SymbolState.BLOCKED, str(error), generation=0)
        view = account.view(symbol)
        if (view.state, view.because) != (outcome.state, outcome.because):
            view.state, view.because = outcome.state, outcome.because
            account.tell(SymbolSettled, symbol=symbol, state=outcome.state, because=outcome.because)
        return outcome

    def _standing_still(self, account: Account) -> dict[Symbol, SymbolOutcome]:
        """The symbols of an account that can do nothing now: what is stored, and why nothing happens."""
        hold = account.blocked
        mine = settings_of(account, self.weight_config)
        holds = [hold] if hold else account_holds(account, mine, self.weight_config.halt)
        state, because = (holds[0].state, holds[0].because) if holds else (SymbolState.HELD, "nothing to do")
        outcomes = {}
        for symbol in symbols_of(account, self.weight_config.settings):
            sized = account.memory.of(symbol).sized
            outcomes[symbol] = SymbolOutcome(
                symbol,
                state,
                because,
                target=sized.contracts if sized else None,
                depth=sized.depth if sized else None,
                leverage=sized.leverage if sized else None,
                generation=sized.generation if sized else 0,
            )
        return outcomes

    def _result(self, account: Account, version: Version, outcomes: Mapping[Symbol, SymbolOutcome]) -> AccountResult:
        now = self._clock.time()
        mine = settings_of(account, version)
        policy = mine.policy if mine else Policy()
        interval_s = policy.reconcile_interval_s
        stream = self._streams.get(account.id)
        if stream is not None and stream.up and not stream.doubtful():
            interval_s = max(interval_s, STREAMED_INTERVAL_S)
        budget_s = READS_PER_CYCLE / (account.processor.capabilities.reads_per_s * READ_BUDGET_SHARE)
        dues = [o.next_due for o in outcomes.values() if o.next_due is not None]
        if account.memory.intents:
            dues.append(now + LOOKUP_EVERY_S)
        if account.recover_after is not None:
            dues.append(account.recover_after)
        if account.kill_seen_at is not None and not account.memory.watch.flattens:
            dues.append(now + tripping.KILL_READS_APART_S)
        flattens = account.memory.watch.flattens and commands.closes(account)
        if flattens:
            dues.append(now)
        if account.blocked is not None:
            until = account.blocked.until
            dues.append(until if until is not None else account.preflight_due)
        due = min([now + interval_s, *dues])
        settled = account.blocked is None and account.recover_after is None and not account.memory.intents
        settled = settled and not flattens and all(_rests(outcome) for outcome in outcomes.values())
        return AccountResult(account.id, outcomes, settled, max(due, now + budget_s))

    # --- running ------------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something changed: read everything again and let every account look."""
        self._wake.set()

    async def run(
        self, stop: asyncio.Event, beside: Sequence[Coroutine[Any, Any, None]] = (), poll_s: float = 1.0
    ) -> None:
        """Runs until `stop` is set: a loop per account, and a supervisor that reads new versions for all of them.

        `beside` runs as long as they do: whatever wakes the executor or tells that it lives.
        """
        self._load_weight_config()
        async with self.streaming(), asyncio.TaskGroup() as group:
            loops = [group.create_task(self._loop(account)) for account in self.accounts]
            loops += [group.create_task(work) for work in beside]
            group.create_task(self._supervise(stop, poll_s, loops))

    @contextlib.asynccontextmanager
    async def streaming(self) -> AsyncIterator[None]:
        """Follows the private stream of every account whose venue has one, for as long as the context lasts."""
        tasks: list[asyncio.Task[None]] = []
        for account in self.accounts:
            if account.processor.capabilities.private_stream:
                stream = self._streams[account.id] = AccountStream(account, self._wakes[account.id].set)
                tasks.extend(asyncio.ensure_future(_kept_up(work)) for work in (stream.run, stream.keep_equity))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._streams.clear()

    async def _supervise(self, stop: asyncio.Event, poll_s: float, loops: list[asyncio.Task[None]]) -> None:
        while not stop.is_set():
            stopped = asyncio.ensure_future(stop.wait())
            woken = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait({stopped, woken}, timeout=poll_s, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                woken.cancel()
            self._wake.clear()
            before = self.weight_config.number
            if self._load_weight_config().number != before:
                for event in self._wakes.values():
                    event.set()
        await self._finish_orders()
        for task in loops:
            task.cancel()

    async def _finish_orders(self) -> None:
        """Lets nothing new out and waits for the answers to what is out, so that a stop leaves little to look up."""
        for account in self.accounts:
            account.stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_ORDERS_S):
                await asyncio.gather(*(account.in_flight.idle() for account in self.accounts))

    async def _loop(self, account: Account) -> None:
        wake = self._wakes[account.id]
        while True:
            wake.clear()
            result = await self.process_account(account)
            try:
                async with asyncio.timeout(max(result.next_due - self._clock.time(), 0.0)):
                    await wake.wait()
            except TimeoutError:
                continue

    def versions(self) -> Mapping[str, str]:
        """File name -> content hash of what the newest version stands on."""
        return self.weight_config.settings.versions if self.weight_config.settings else {}

    def close(self) -> None:
        """Gives every lock up."""
        for account in self.accounts:
            self._opener.close(account)


_STANDING = frozenset(
    {SymbolState.DRIFTED, SymbolState.FOREIGN, SymbolState.NO_SIGNAL, SymbolState.HELD, SymbolState.BLOCKED}
)


def _rests(outcome: SymbolOutcome) -> bool:
    """Whether nothing more will happen by itself: at its target, or held by something that no time ends."""
    return outcome.state in SETTLED or (outcome.state in _STANDING and outcome.next_due is None)


def _unconfigured(account: Account, symbols: Collection[Symbol]) -> dict[Symbol, SymbolOutcome]:
    """Positions the last read showed on symbols nobody asked for: listed, never touched."""
    found = account.latest.by_symbol.values() if account.latest else ()
    because = "a position on a symbol that is not configured for this account; it is not touched"
    return {
        p.symbol: SymbolOutcome(p.symbol, SymbolState.FOREIGN, because, actual=p.contracts, leverage=p.leverage)
        for p in found
        if p.contracts and p.symbol not in symbols
    }


async def _kept_up(work: Callable[[], Awaitable[None]]) -> None:
    """Begins `work` again whenever a fault of ours ended it."""
    while True:
        await isolated(work(), lambda error: None)
        await asyncio.sleep(AFTER_FAULT_S)
