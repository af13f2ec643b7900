"""What one cycle of one account stands on: the newest version, its settings, and the holds they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.domain import (
    AccountMode,
    AccountSettings,
    Halt,
    Hold,
    Scope,
    Settings,
    Symbol,
    SymbolState,
    TakenMode,
    Wanted,
)
from core.execution.account import Account
from core.execution.reads import CycleFacts
from core.execution.streaming import AccountStream
from core.execution.tripping import trip_holds
from core.limits import clock_hold, expiry_hold, held
from core.memory import SymbolMemory
from core.signal_manager import Version
from core.sizing import needs_size
from core.targets import Before, Moment, want
from core.trips import Watch

REMOVED = (
    "{symbol} is no longer in signal_weight_config.json (or in this account's symbol list); the position is held as it "
    "is. Add it again, or close it with `./run close {symbol}`"
)


RECOVERING = "the journal was lost; waiting until nothing sent before can still land, then comparing with the venue"


@dataclass(frozen=True, slots=True)
class CycleContext:
    """One cycle of one account. `newest` returns the newest version; `halt` asks the kill switch this instant."""

    account: Account
    newest: Callable[[], Version]
    halt: Callable[[], Halt]
    facts: CycleFacts
    admission: Mapping[Symbol, Hold]
    stream: AccountStream | None = None


def settings_of(account: Account, version: Version) -> AccountSettings | None:
    """The account's settings in a version; None when it is not (or no longer) configured."""
    return version.settings.accounts.get(account.id) if version.settings else None


def downward_only(settings: AccountSettings, halt: Halt, watch: Watch) -> str | None:
    """Why a signal that appears now is taken downward only, or None."""
    if settings.mode is AccountMode.CLOSE_ONLY:
        return "the account is close_only: signals that appear now only reduce"
    if halt.flattens:
        return "FLATTEN stands: signals that appear now only reduce"
    if watch.flattens:
        return "the account closed everything by kill_loss_pct: signals that appear now only reduce"
    return None


def wanted_by(account: Account, version: Version, symbol: Symbol, halt: Halt) -> Wanted | None:
    """What the account wants of the symbol under `version`; None: the symbol is not configured for it."""
    mine = settings_of(account, version)
    if version.settings is None or mine is None:
        return None
    downward = downward_only(mine, halt, account.memory.watch)
    before, moment = before_of(account.memory.of(symbol)), Moment(account.clock.time(), downward)
    return want(symbol, version.settings, mine, version.readings, before, moment)


def before_of(memory: SymbolMemory) -> Before:
    """What a symbol's memory says of the signals taken so far."""
    return Before(memory.taken, memory.sized, memory.resync, memory.sized_resync)


def mode_holds(settings: AccountSettings | None) -> list[Hold]:
    """What the account's mode stands against; None: it is not configured."""
    if settings is None:
        return [Hold(Scope.ALL, SymbolState.HELD, "the account is not configured any more; nothing is sent")]
    if settings.mode is AccountMode.DISABLED:
        return [Hold(Scope.ALL, SymbolState.HELD, "the account is disabled; nothing is sent")]
    if settings.mode is AccountMode.CLOSE_ONLY:
        return [held("the account is close_only; nothing increases")]
    return []


def halt_holds(halt: Halt) -> list[Hold]:
    """What the kill switch stands against."""
    words = f"{halt.value} stands (file HALT); nothing increases. `./run resume` lifts it"
    return [] if halt is Halt.NONE else [held(words)]


def account_holds(account: Account, settings: AccountSettings | None, halt: Halt) -> list[Hold]:
    """Everything that stands against orders of the whole account."""
    found: list[Hold] = []
    if account.blocked is not None:
        found.append(account.blocked)
    found += mode_holds(settings)
    if account.recover_after is not None:
        found.append(Hold(Scope.ALL, SymbolState.BLOCKED, RECOVERING, account.recover_after))
    found += halt_holds(halt)
    found += trip_holds(account.id, account.memory.watch, account.closeout)
    if account.margin_hold is not None:
        found.append(account.margin_hold)
    clock = clock_hold(account.processor.clock_offset_s)
    if clock is not None:
        found.append(clock)
    return found


def symbol_holds(
    account: Account, memory: SymbolMemory, wanted: Wanted | None, admission: Mapping[Symbol, Hold]
) -> list[Hold]:
    """Everything that stands against orders of one symbol, but for what needs a price."""
    now = account.clock.time()
    paced = account.pacing.holds(memory.symbol, memory.generation, now)
    return [*remembered_holds(memory, wanted, admission, now), *paced]


def remembered_holds(
    memory: SymbolMemory, wanted: Wanted | None, admission: Mapping[Symbol, Hold], now: float
) -> list[Hold]:
    """Those of one symbol that follow from what is remembered and wanted alone."""
    found: list[Hold] = []
    symbol = memory.symbol
    if wanted is None:
        closed = bool(memory.taken) and all(t.mode is TakenMode.CLOSED for t in memory.taken.values())
        scope = Scope.INCREASES if closed else Scope.ALL
        found.append(Hold(scope, SymbolState.HELD, REMOVED.format(symbol=symbol)))
    else:
        found.extend(wanted.holds)
    if memory.sized is not None:
        if memory.sized.provisional:
            found.append(held(memory.sized.because))
        expired = expiry_hold(memory.sized, memory.verified_generation, now)
        if expired is not None:
            found.append(expired)
    if symbol in admission:
        found.append(admission[symbol])
    return found


def market_due(account: Account, symbol: Symbol, wanted: Wanted | None) -> bool:
    """Whether the symbol's market will be needed: something is to be sized, under way, or not where it should be."""
    memory = account.memory.of(symbol)
    if symbol in account.adopting:
        return False
    if wanted is not None and needs_size(wanted, memory.sized):
        return True
    return memory.sized is not None and (memory.stored != memory.baseline or bool(memory.intents))


def symbols_of(account: Account, settings: Settings | None) -> set[Symbol]:
    """Symbols a cycle works on: the account's configured ones, and every one it remembers a size or an intent of."""
    mine = settings.accounts.get(account.id) if settings else None
    configured = set(settings.weights) if settings and mine else set()
    if mine is not None and mine.symbols is not None:
        configured &= mine.symbols
    remembered = {s for s, m in account.memory.symbols.items() if m.sized is not None or m.intents}
    return configured | remembered | account.adopting
