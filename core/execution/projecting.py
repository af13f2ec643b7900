"""What people and programs see of an account after each cycle: its status and its entries in the depth cache."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from core.domain import AccountId, Symbol, plain
from core.execution.account import Account, SymbolOutcome
from core.execution.context import account_holds, settings_of
from core.execution.opening import projected_symbols
from core.signal_manager import Version


class Publisher(Protocol):
    """Where an account's projections go. Never raises into the loop; troubles are the publisher's to tell."""

    def status(self, account: AccountId, content: Mapping[str, Any]) -> None: ...
    def depths(self, account: AccountId, epoch: str, entries: Mapping[str, Mapping[str, Any]]) -> None: ...


class Projector:
    """Publishes what changed. In a dry run of the whole engine nothing: the files are a live engine's."""

    def __init__(self, publisher: Publisher, dry_run: bool) -> None:
        self._publisher = publisher
        self._dry_run = dry_run
        self._published: dict[AccountId, Mapping[str, Any]] = {}

    def publish(self, account: Account, version: Version, outcomes: Mapping[Symbol, SymbolOutcome]) -> None:
        """Writes the account's status, and its depth-cache entries where they changed."""
        if self._dry_run or account.locked_out:
            return  # another engine's files: this one only looks, or is not allowed to act
        state, because = _account_state(account, version)
        content = {
            "account": account.id,
            "cycle": account.cycle,
            "state": state,
            "because": because,
            "equity": plain(account.equity.value) if account.equity else None,
            "symbols": {symbol: _status_of(account, outcome) for symbol, outcome in sorted(outcomes.items())},
        }
        self._publisher.status(account.id, content)
        if account.journal is not None and not account.dry and account.recover_after is None:
            entries = projected_symbols(account)
            if self._published.get(account.id) != entries:
                self._publisher.depths(account.id, account.journal.epoch, entries)
                self._published[account.id] = entries


def _account_state(account: Account, version: Version) -> tuple[str, str]:
    if version.settings is None:
        return "HELD", "; ".join(version.problems) or "no valid configuration yet"
    holds = account_holds(account, settings_of(account, version), version.halt)
    if holds:
        return holds[0].state.value, holds[0].because
    if account.unwritten:
        return "BLOCKED", account.unwritten
    if version.problems:
        return "OK", "; ".join(version.problems)
    return "OK", "dry run: nothing is sent" if account.dry else ""


def _status_of(account: Account, outcome: SymbolOutcome) -> dict[str, Any]:
    """One symbol as `state/status` shows it: target and actual in signed base units."""
    listed = account.listed.get(outcome.symbol)

    def base(contracts: Decimal | None) -> str | None:
        return None if contracts is None else plain(listed.quantity(contracts) if listed else contracts)

    return {
        "target": base(outcome.target),
        "actual": base(outcome.actual),
        "depth": None if outcome.depth is None else plain(outcome.depth),
        "leverage": None if outcome.leverage is None else plain(outcome.leverage),
        "generation": outcome.generation,
        "state": outcome.state.value,
        "because": outcome.because,
    }
