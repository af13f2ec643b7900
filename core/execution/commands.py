"""What the operator asked for: `state/desired.json` and the kill switch, turned into journal records once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.domain import ZERO, Halt, Position, Sized, Symbol, TakenMode, Wanted, plain
from core.execution import tripping
from core.execution.account import Account
from core.memory import SymbolMemory
from core.records import sized_record

Asked = Mapping[str, Mapping[str, Mapping[str, int]]]
CLOSED_BY_FLATTEN = "closed by FLATTEN"
CLOSED_BY_TRIP = "closed by kill_loss_pct"


def apply_commands(account: Account, desired: Asked, configured: set[Symbol]) -> None:
    """Acts once on every n above the journaled one. Adoption waits for a read and is only noted here."""
    for verb, act in _ACTIONS.items():
        for name, n in desired.get(verb, {}).get(account.id, {}).items():
            if n <= account.memory.commands.get(f"{verb}/{name}", 0):
                continue
            symbols = set(account.memory.symbols) | configured if name == "*" else {Symbol(name)}
            if not account.skip_commands:
                act(account, sorted(symbols))
            account.record("COMMAND", verb=verb, symbol=name, n=n)
    account.skip_commands = False


def _close(account: Account, symbols: list[Symbol]) -> None:
    for symbol in symbols:
        if account.memory.of(symbol).sized is not None:
            account.record("CLOSED_BY_USER", symbol=symbol, because="closed by `./run close`")


def _adopt(account: Account, symbols: list[Symbol]) -> None:
    account.adopting.update(symbols)


def _resolve(account: Account, symbols: list[Symbol]) -> None:
    """The user vouches for what the venue shows: open intents are over, the next read is the baseline."""
    for symbol in symbols:
        for intent in account.memory.of(symbol).intents:
            account.record("DEAD", symbol=symbol, n=intent.number, because="resolved by the user")
            account.view(symbol).rebase = "the user resolved an order whose outcome was unknown"


def _accept_instrument(account: Account, symbols: list[Symbol]) -> None:
    for symbol in symbols:
        if account.memory.of(symbol).fingerprint:
            account.record("ACCEPTED_INSTRUMENT", symbol=symbol, fingerprint="")
            account.view(symbol).rebase = "the user accepted the contract's new size"


def _resume(account: Account, symbols: list[Symbol]) -> None:
    """Lifts what the account stopped itself for."""
    tripping.lift(account)


def _resync(account: Account, symbols: list[Symbol]) -> None:
    """The COMMAND record itself raises the re-sync number of its symbols."""


_ACTIONS = {
    "resume": _resume,
    "close": _close,
    "resync": _resync,
    "adopt": _adopt,
    "resolve": _resolve,
    "accept_instrument": _accept_instrument,
}


def apply_flatten(account: Account, halt: Halt) -> None:
    """While FLATTEN or a trip that flattens stands: everything taken is 0 and every stored size flat, written before
    the first close."""
    if not halt.flattens and not account.memory.watch.flattens:
        return
    because = CLOSED_BY_FLATTEN if halt.flattens else CLOSED_BY_TRIP
    for symbol, memory in account.memory.symbols.items():
        if _closes(memory):
            account.record("CLOSED_BY_USER", symbol=symbol, because=because)


def closes(account: Account) -> bool:
    """Whether a flatten still has something to write down."""
    return any(_closes(memory) for memory in account.memory.symbols.values())


def _closes(memory: SymbolMemory) -> bool:
    open_still = any(taken.mode is not TakenMode.CLOSED for taken in memory.taken.values())
    return memory.sized is not None and (open_still or memory.stored != 0)


def adopt(account: Account, position: Position, wanted: Wanted | None, because: str) -> None:
    """Makes a position found ours: baseline and stored size; present signals count as taken."""
    memory = account.memory.of(position.symbol)
    known = [position.leverage, wanted.leverage if wanted else None, memory.sized.leverage if memory.sized else None]
    sized = Sized(
        generation=memory.generation + 1,
        inputs_hash=wanted.inputs_hash if wanted else "",
        contracts=position.contracts,
        leverage=next((lev for lev in known if lev is not None), Decimal(1)),
        depth=(wanted.depth or ZERO) if wanted else ZERO,
        taken=wanted.taken if wanted else {},
        at=account.clock.time(),
        because=because,
    )
    account.record(**sized_record(position.symbol, sized, memory.resync, kind="ADOPTED"))
    account.adopting.discard(position.symbol)
    account.trouble(position.symbol, f"adopted {plain(position.contracts)} contracts: {because}")
