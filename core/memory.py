"""PURE: what an account remembers, as a fold of its journal's records. The only memory decisions use.

Each record is a JSON object with `kind` and `at` (epoch seconds); numbers that are money are plain strings. Unknown
kinds are refused, because a decision taken without a record that a newer version wrote could double an order.

    COMMAND         a verb of `state/desired.json` acted on: verb, symbol (or *), n
    SIZED           a generation and its stored size, before its first order
    PREPARED        an order about to be sent: intent number, client id, canonical order, digest, nonce, valid_until
    ABANDONED       the gate was shut or nothing left this machine; the order does not exist
    ACKED           accepted by the venue, fills not yet known
    UNKNOWN         sent, outcome unknown
    REJECTED        proven refused
    RESOLVED        fills known: filled (unsigned contracts), seq of the last execution where the venue has one
    DEAD            proven never to have landed
    VERIFIED        a venue read equal to what was expected; becomes the baseline
    CONFIRMED       the generation was reported as executed
    DRIFT           the position was moved by somebody else; the read becomes the baseline
    ADOPTED         the position found is ours from now on; baseline and stored size
    CLOSED_BY_USER  FLATTEN or `close`: everything taken on the symbol becomes 0
    ACCEPTED_INSTRUMENT  changed contract size or lot accepted by the user
    LOST            the journal before this one is gone: orders of it may still land, so nothing is sent
    RECOVERED       none can land any more, and what was as last projected was taken up
    DAY, TRIPPED, LIFTED  what stops the account by itself: `core.trips`
    SNAPSHOT        the whole memory of one symbol, written by compaction
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from core.domain import ZERO, ClientId, Sized, SourceName, Symbol, Taken, TakenMode
from core.errors import Corrupt
from core.records import (
    Intent,
    IntentState,
    Record,
    decimal_or_none,
    intent_from,
    intent_record,
    optional_text,
    sized_from,
    sized_record,
    taken_from,
    taken_record,
)
from core.trips import Watch

RECENT_IDS_KEPT = 64


@dataclass(frozen=True, slots=True)
class SymbolMemory:
    """One symbol of one account. Contracts signed; instants epoch seconds."""

    symbol: Symbol
    sized: Sized | None = None
    taken: Mapping[SourceName, Taken] = field(default_factory=lambda: MappingProxyType({}))
    baseline: Decimal | None = None
    verified_generation: int = 0
    """Newest generation whose stored contracts were once seen on the venue."""
    verified_at: float | None = None
    confirmed_generation: int = 0
    last_fill_at: float | None = None
    last_seq: int | None = None
    unverified: bool = False
    """An order of ours was resolved, and no read has shown its effect yet."""
    drift: str | None = None
    """Why the position is not ours alone, a flag of the present generation."""
    resync: int = 0
    sized_resync: int = 0
    """The re-sync number the present generation was sized with."""
    intents: tuple[Intent, ...] = ()
    accounted: tuple[ClientId, ...] = ()
    """Newest client ids whose fills are in the baseline."""
    mark: Decimal | None = None
    """Mark price of the last sizing that used one, and when (`mark_at`): what the next price is held against."""
    mark_at: float | None = None
    absorbed: tuple[str, ...] = ()
    """Newest execution ids of others that drift has taken into the baseline."""
    fingerprint: str = ""
    """Contract size and lot this symbol was last sized or accepted with."""

    @property
    def generation(self) -> int:
        return self.sized.generation if self.sized else 0

    @property
    def stored(self) -> Decimal:
        return self.sized.contracts if self.sized else ZERO

    @property
    def unresolved(self) -> Decimal:
        """Signed contracts of all unresolved intents."""
        return sum((intent.order.signed for intent in self.intents), ZERO)


@dataclass(frozen=True, slots=True)
class AccountMemory:
    """All symbols of one account, the next intent number, and the newest n of every acted-on command."""

    symbols: Mapping[Symbol, SymbolMemory] = field(default_factory=lambda: MappingProxyType({}))
    next_intent: int = 1
    commands: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """`verb/symbol-or-*` -> n."""
    recovering: bool = False
    """An earlier journal was lost, and the wait for its last orders has not ended."""
    watch: Watch = field(default_factory=Watch)
    """What the account's trips stand on."""

    def of(self, symbol: Symbol) -> SymbolMemory:
        return self.symbols.get(symbol) or SymbolMemory(symbol)

    @property
    def intents(self) -> tuple[Intent, ...]:
        return tuple(intent for memory in self.symbols.values() for intent in memory.intents)

    def apply(self, record: Record) -> AccountMemory:
        """The memory after `record`. Raises `Corrupt` for a record this version does not understand."""
        try:
            return _apply(self, record)
        except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            raise Corrupt(f"journal record {record.get('kind')!r} cannot be used: {error!r}") from error


def fold(records: Iterable[Record]) -> AccountMemory:
    """The memory that a journal's records amount to."""
    memory = AccountMemory()
    for record in records:
        memory = memory.apply(record)
    return memory


def _apply(account: AccountMemory, record: Record) -> AccountMemory:
    kind = record["kind"]
    watch = account.watch.apply(record)
    if watch is not account.watch:
        account = replace(account, watch=watch)
    if kind in ("DAY", "TRIPPED", "LIFTED"):
        return account
    if kind == "COUNTERS":
        return replace(account, next_intent=int(record["next_intent"]), commands=dict(record["commands"]))
    if kind == "COMMAND":
        account = replace(account, commands={**account.commands, f"{record['verb']}/{record['symbol']}": record["n"]})
        if record["verb"] != "resync":
            return account
        chosen = account.symbols if record["symbol"] == "*" else [Symbol(record["symbol"])]
        for symbol in list(chosen):
            account = _store(account, replace(account.of(symbol), resync=account.of(symbol).resync + 1))
        return account
    if kind in ("LOST", "RECOVERED"):
        return replace(account, recovering=kind == "LOST")
    symbol = Symbol(record["symbol"])
    if kind == "PREPARED":
        account = replace(account, next_intent=max(account.next_intent, int(record["n"]) + 1))
    return _store(account, _FOLDS[kind](account.of(symbol), record))


def _store(account: AccountMemory, memory: SymbolMemory) -> AccountMemory:
    return replace(account, symbols={**account.symbols, memory.symbol: memory})


# --- one fold per kind ------------------------------------------------------------------------------------------------


def _sized(memory: SymbolMemory, record: Record) -> SymbolMemory:
    sized = sized_from(record)
    return replace(
        memory,
        sized=sized,
        taken=sized.taken,
        drift=None,
        sized_resync=int(record["resync"]),
        mark=memory.mark if sized.price is None else sized.price,
        mark_at=memory.mark_at if sized.price is None else sized.at,
        fingerprint=sized.fingerprint or memory.fingerprint,
    )


def _prepared(memory: SymbolMemory, record: Record) -> SymbolMemory:
    return replace(memory, intents=(*memory.intents, intent_from(record)))


def _without(memory: SymbolMemory, record: Record) -> SymbolMemory:
    return replace(memory, intents=tuple(i for i in memory.intents if i.number != record["n"]))


def _acked(memory: SymbolMemory, record: Record) -> SymbolMemory:
    return _restate(memory, record, IntentState.ACKED, str(record.get("order_id", "")))


def _unknown(memory: SymbolMemory, record: Record) -> SymbolMemory:
    return _restate(memory, record, IntentState.UNKNOWN, "")


def _restate(memory: SymbolMemory, record: Record, state: IntentState, order_id: str) -> SymbolMemory:
    intents = tuple(
        replace(i, state=state, order_id=order_id or i.order_id) if i.number == record["n"] else i
        for i in memory.intents
    )
    return replace(memory, intents=intents)


def _resolved(memory: SymbolMemory, record: Record) -> SymbolMemory:
    found = [i for i in memory.intents if i.number == record["n"]]
    if not found or memory.baseline is None:
        raise ValueError(f"intent {record['n']} is not open")
    filled = Decimal(record["filled"])
    seq = record.get("seq")
    return replace(
        _without(memory, record),
        baseline=memory.baseline + filled * found[0].order.side.sign,
        last_fill_at=float(record["at"]) if filled else memory.last_fill_at,
        unverified=True,
        last_seq=max(seq, memory.last_seq or seq) if seq is not None else memory.last_seq,
        accounted=(*memory.accounted, found[0].client_id)[-RECENT_IDS_KEPT:],
    )


def _verified(memory: SymbolMemory, record: Record) -> SymbolMemory:
    return replace(
        memory,
        baseline=Decimal(record["contracts"]),
        verified_at=float(record["at"]),
        unverified=False,
        verified_generation=max(memory.verified_generation, int(record["generation"])),
    )


def _confirmed(memory: SymbolMemory, record: Record) -> SymbolMemory:
    return replace(memory, confirmed_generation=int(record["generation"]))


def _drift(memory: SymbolMemory, record: Record) -> SymbolMemory:
    return replace(
        memory,
        baseline=Decimal(record["contracts"]),
        verified_at=float(record["at"]),
        unverified=False,
        absorbed=(*memory.absorbed, *record.get("executions", ()))[-RECENT_IDS_KEPT:],
        drift=str(record["because"]) if memory.sized else None,
    )


def _adopted(memory: SymbolMemory, record: Record) -> SymbolMemory:
    """`stored` differs from `contracts` only where a lost journal is restored: the size aimed at, not the one held."""
    contracts = Decimal(record["contracts"])
    adopted = _sized(memory, {**record, "contracts": record.get("stored", record["contracts"])})
    return replace(
        adopted,
        baseline=contracts,
        verified_at=float(record["at"]),
        unverified=False,
        verified_generation=adopted.generation if contracts == adopted.stored else memory.verified_generation,
    )


def _closed(memory: SymbolMemory, record: Record) -> SymbolMemory:
    taken = {s: replace(t, contribution=ZERO, mode=TakenMode.CLOSED) for s, t in memory.taken.items()}
    sized = memory.sized
    if sized:
        sized = replace(
            sized,
            generation=sized.generation + 1,
            contracts=ZERO,
            depth=ZERO,
            taken=taken,
            provisional=False,
            below_minimum=False,
            entry_expires_at=None,
            at=float(record["at"]),
            because=str(record["because"]),
        )
    return replace(memory, sized=sized, taken=taken, drift=None, sized_resync=memory.resync)


def _accepted_instrument(memory: SymbolMemory, record: Record) -> SymbolMemory:
    """Stored contracts were counted in the old size: the generation is sized again, with what was taken."""
    sized = replace(memory.sized, provisional=True) if memory.sized else None
    return replace(memory, fingerprint=str(record["fingerprint"]), sized=sized)


def _snapshot(memory: SymbolMemory, record: Record) -> SymbolMemory:
    seq = record["last_seq"]
    return SymbolMemory(
        symbol=memory.symbol,
        sized=None if record["sized"] is None else sized_from(record["sized"]),
        taken=taken_from(record["taken"]),
        baseline=None if record["baseline"] is None else Decimal(record["baseline"]),
        verified_generation=int(record["verified_generation"]),
        verified_at=record["verified_at"],
        confirmed_generation=int(record["confirmed_generation"]),
        last_fill_at=record["last_fill_at"],
        last_seq=None if seq is None else int(seq),
        unverified=bool(record["unverified"]),
        drift=record["drift"],
        resync=int(record["resync"]),
        sized_resync=int(record["sized_resync"]),
        intents=tuple(intent_from(i) for i in record["intents"]),
        accounted=tuple(record["accounted"]),
        mark=decimal_or_none(record["mark"]),
        mark_at=record["mark_at"],
        absorbed=tuple(record["absorbed"]),
        fingerprint=str(record["fingerprint"]),
    )


_FOLDS: Mapping[str, Callable[[SymbolMemory, Record], SymbolMemory]] = {
    "SIZED": _sized,
    "PREPARED": _prepared,
    "ABANDONED": _without,
    "REJECTED": _without,
    "DEAD": _without,
    "ACKED": _acked,
    "UNKNOWN": _unknown,
    "RESOLVED": _resolved,
    "VERIFIED": _verified,
    "CONFIRMED": _confirmed,
    "DRIFT": _drift,
    "ADOPTED": _adopted,
    "CLOSED_BY_USER": _closed,
    "ACCEPTED_INSTRUMENT": _accepted_instrument,
    "SNAPSHOT": _snapshot,
}


def snapshot_records(account: AccountMemory, at: float) -> list[dict[str, Any]]:
    """Records that fold to exactly `account`: what compaction leaves behind."""
    counters = {
        "kind": "COUNTERS",
        "at": at,
        "next_intent": account.next_intent,
        "commands": dict(account.commands),
        "watch": account.watch.record(),
    }
    recovering = [{"kind": "LOST", "at": at}] if account.recovering else []
    return [counters, *recovering] + [_snapshot_record(memory, at) for memory in account.symbols.values()]


def _snapshot_record(memory: SymbolMemory, at: float) -> dict[str, Any]:
    sized = memory.sized
    return {
        "kind": "SNAPSHOT",
        "at": at,
        "symbol": memory.symbol,
        "sized": None if sized is None else sized_record(memory.symbol, sized, memory.sized_resync),
        "taken": taken_record(memory.taken),
        "baseline": optional_text(memory.baseline),
        "verified_generation": memory.verified_generation,
        "verified_at": memory.verified_at,
        "confirmed_generation": memory.confirmed_generation,
        "last_fill_at": memory.last_fill_at,
        "last_seq": memory.last_seq,
        "unverified": memory.unverified,
        "drift": memory.drift,
        "resync": memory.resync,
        "sized_resync": memory.sized_resync,
        "intents": [intent_record(i) for i in memory.intents],
        "accounted": list(memory.accounted),
        "mark": optional_text(memory.mark),
        "mark_at": memory.mark_at,
        "absorbed": list(memory.absorbed),
        "fingerprint": memory.fingerprint,
    }
