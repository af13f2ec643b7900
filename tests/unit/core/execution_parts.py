"""Stand-ins for what the shell around the pure core is handed: a clock, chance, and a venue that answers as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from core.domain import Capabilities, ClientId, LeverageScope, MarginModeScope, OrderOutcome, Symbol
from core.execution.account import Account
from core.ports import AccountProcessor, Clock
from core.records import Record
from tests.unit.core.builders import ACCOUNT, NOW

CAPABILITIES = Capabilities(
    venue="bybit",
    leverage=LeverageScope.PER_SYMBOL,
    margin_mode_scope=MarginModeScope.ACCOUNT,
    leverage_in_place=True,
    client_id_prefix="",
    client_id_hex_digits=32,
    validity_s=5.0,
    reads_per_s=10.0,
    position_seq=True,
)


class StillClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = NOW

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s


class NoEntropy:
    def bytes(self, n: int) -> bytes:
        return bytes(n)

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


class LookUps:
    """A venue that is only asked what became of orders: `answer` says it, or raises; `cancelled`: its cancels."""

    capabilities = CAPABILITIES
    clock_offset_s = 0.0

    def __init__(self, answer: Callable[[], OrderOutcome | None]) -> None:
        self.answer = answer
        self.asked = 0
        self.cancelled: list[ClientId] = []

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        self.asked += 1
        return self.answer()

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None:
        self.cancelled.append(client_id)


def account_of(venue: object, clock: Clock, *records: Record) -> Account:
    """An account that remembers these records and writes none; its events go nowhere."""
    account = Account(ACCOUNT, cast("AccountProcessor", venue), clock, NoEntropy(), _nobody)
    for record in records:
        account.memory = account.memory.apply(record)
    return account


def _nobody(event: Any) -> None:
    """Takes what is told."""
