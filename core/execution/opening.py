"""An account's journal and lock: opened, noticed when lost, recovered from what was last projected.

A lost journal means that nobody knows what may still be under way: a new epoch begins, and nothing is sent, nor is any
read believed, until no earlier order can land any more and reads show what has landed. Then positions that are as last
projected are adopted with everything known of them. Anything else is at first sight again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.domain import ZERO, AccountId, Symbol, plain
from core.errors import Corrupt, Locked, StateError, Unavailable
from core.execution.account import RECENT_POSITIONS_S, Account, DryJournal
from core.execution.resolving import AFTER_VALIDITY_S
from core.journal import Journal, Offload, decode
from core.ports import AccountLock, Entropy, FileOps
from core.records import instrument_record, sized_from, sized_record, taken_record

RETRY_LOCK_S = 2.0
Projected = Mapping[str, Mapping[str, Any]]
"""symbol -> the entry of the depth cache."""


class Opener:
    """Opens accounts of one home. `lock` takes the account's OS lock or raises `Locked`; `projected` reads the depth
    cache as it was left: (journal epoch, entries) of an account, None where the account was never in it."""

    def __init__(
        self,
        journals: Path,
        ops: FileOps,
        entropy: Entropy,
        offload: Offload,
        lock: Callable[[AccountId], AccountLock],
        projected: Callable[[AccountId], tuple[str, Projected] | None],
    ) -> None:
        self._journals = journals
        self._ops = ops
        self._entropy = entropy
        self._offload = offload
        self._lock = lock
        self._projected = projected

    def path(self, account: AccountId) -> Path:
        return self._journals / f"{account}.jsonl"

    def ensure_open(self, account: Account, dry: bool) -> None:
        """Opens what is not open, or not open in this way. Failures become the account's block, with their reason."""
        if account.journal is not None and account.dry == dry and not account.reopen:
            return
        self.close(account)
        account.dry, account.reopen, account.locked_out = dry, None, False
        try:
            if dry:
                self._open_dry(account)
            else:
                self._open(account)
        except (StateError, OSError) as error:
            self.close(account)
            account.locked_out = isinstance(error, Locked)
            account.block(self._why(account, error), RETRY_LOCK_S)

    def _why(self, account: Account, error: StateError | OSError) -> str:
        """What stands against opening, what follows from it and what can be done."""
        if isinstance(error, Locked | Corrupt):
            return str(error)
        if isinstance(error, OSError):
            return (
                f"{self.path(account.id)} or the lock beside it cannot be used ({error.strerror or error}). Nothing is "
                "sent for the account; trying again every few seconds. Look at the disk's free space and permissions"
            )
        return f"{error}; trying again"

    def _open_dry(self, account: Account) -> None:
        path = self.path(account.id)
        records = decode(self._ops.read(path)).records if self._ops.identity(path) else ()
        epoch = str(records[0].get("epoch", "dry")) if records else "dry"
        account.open(DryJournal(epoch), list(records[1:]))

    def _open(self, account: Account) -> None:
        account.lock = self._lock(account.id)
        journal = Journal.open(self.path(account.id), account.id, self._ops, self._entropy, self._offload)
        account.open(journal, list(journal.records))
        left = self._projected(account.id)
        if not journal.records and left is not None and left[0] != journal.epoch:
            account.record("LOST")  # before anything else, so that a restart within the wait waits as well
        account.skip_commands = not journal.records or (account.memory.recovering and not account.memory.commands)
        if journal.torn:
            account.trouble(None, f"cut {journal.torn} bytes of an unfinished record off the journal; nothing is lost")
        if account.memory.recovering:
            wait_s = max(account.processor.capabilities.validity_s + AFTER_VALIDITY_S, RECENT_POSITIONS_S)
            account.recover_after = account.clock.time() + wait_s
            account.lost = left[1] if left is not None else {}
            account.trouble(
                None,
                f"the journal {self.path(account.id)} is gone; nothing is sent for {wait_s:.0f} s, then positions "
                "that are as last known are taken up again and all others are left alone",
            )

    def close(self, account: Account) -> None:
        """Gives lock and journal up; what was not durable was never acted on."""
        if account.lock is not None:
            account.lock.release()
        account.lock = None
        account.journal = None
        account.preflight_due = 0.0


async def recover(account: Account) -> None:
    """Ends the wait after a lost journal: adopts every position that is exactly as it was last projected."""
    if account.recover_after is None or account.clock.time() < account.recover_after:
        return
    try:
        positions = await account.positions.fresh()
    except Unavailable:
        return
    for name, entry in account.lost.items():
        symbol = Symbol(name)
        found = positions.of(symbol).contracts
        stored = entry.get("sized")
        if stored is None or Decimal(str(entry["contracts"])) != found:
            continue
        sized = sized_from(stored)
        restored = {**sized_record(symbol, sized, int(stored["resync"]), kind="ADOPTED")}
        restored["stored"] = restored["contracts"]
        restored["contracts"] = plain(found)
        account.record(**restored)
    account.record("RECOVERED")
    account.recover_after = None
    account.lost = {}


def projected_symbols(account: Account) -> dict[str, dict[str, Any]]:
    """The depth cache's entries of one account: what people read, and what recovery of a lost journal needs."""
    entries: dict[str, dict[str, Any]] = {}
    for symbol, memory in account.memory.symbols.items():
        if memory.sized is None:
            continue
        listed = account.listed.get(symbol)
        entries[symbol] = {
            "depth": plain(memory.sized.depth),
            "leverage": plain(memory.sized.leverage),
            "contracts": plain(memory.baseline if memory.baseline is not None else ZERO),
            "target": plain(memory.stored),
            "generation": memory.generation,
            "confirmed_generation": memory.confirmed_generation,
            "contributions": {s: plain(t.contribution) for s, t in memory.taken.items()},
            "sized": sized_record(symbol, memory.sized, memory.sized_resync)
            | {"taken": taken_record(memory.taken), "fingerprint": memory.fingerprint},
        } | ({"instrument": instrument_record(listed)} if listed else {})
    return entries
