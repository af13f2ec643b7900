"""Equities and mark prices of a seed as the venues' own books had them: what any size must lie between."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from chaos.house import House
from core.domain import AccountId, Symbol

EVERY_S = 2.0
AGE_S = 45.0
"""How old an equity or price may be that a correct engine still sizes by, and a little more."""


class Samples:
    """Looks every two seconds. Between two looks things move a little; `slack` is for that."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._equities: dict[AccountId, list[tuple[float, Decimal]]] = {seat.account: [] for seat in house.seats}
        self._marks: dict[Symbol, list[tuple[float, Decimal]]] = {symbol: [] for symbol in house.scene.symbols}

    @property
    def slack(self) -> Decimal:
        """How much a product of both may lie outside: fees and slippage between looks, and moving prices."""
        return Decimal("0.004") if self._house.scene.pinned else Decimal("0.008")

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        now = self._house.clock.time()
        for seat in self._house.seats:
            state = self._house.exchange(seat.venue).state
            self._equities[seat.account].append((now, state.balance(state.accounts[seat.name]).equity))
        for symbol, found in self._marks.items():
            found.append((now, self._house.mark(symbol)))

    def quantities(
        self, account: AccountId, symbol: Symbol, exposure: Decimal, asked: float = 0.0, until: float = float("inf")
    ) -> tuple[Decimal, Decimal]:
        """Least and most base units that `exposure` (unsigned) can have been sized to, had it been asked for at `asked`
        and sized by `until`, true epoch seconds."""
        equities = [value for at, value in self._equities[account] if asked - AGE_S <= at <= until]
        marks = [value for at, value in self._marks[symbol] if asked - AGE_S <= at <= until]
        least, most = exposure * min(equities) / max(marks), exposure * max(equities) / min(marks)
        return least * (1 - self.slack), most * (1 + self.slack)
