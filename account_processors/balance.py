"""Whether the executions a stream told of and the positions it told of add up, where neither carries a number.

What the first position already includes is not known: executions told of shortly before or after it may be in it or
not. So several offsets are possible at first, and the first rest rules out those that do not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from core.domain import ZERO

MOST_UNSURE = 16
"""Executions around the first position whose place is left open."""


@dataclass(slots=True)
class Balance:
    """Of one symbol on one connection. Sizes are signed contracts, instants monotonic seconds.

    `shows_flat`: the venue tells of a position that was closed; where that is not certain, executions that add up to
    none need no position that says so. `apart_s`: how far apart the messages about one execution may come.
    """

    shows_flat: bool
    apart_s: float
    position: Decimal | None = None
    _base: Decimal = ZERO
    _moved: Decimal = ZERO
    _offsets: set[Decimal] = field(default_factory=lambda: {ZERO})
    _before: list[tuple[Decimal, float]] = field(default_factory=list)
    _first_s: float = 0.0
    _unsure: int = 0
    _latest_s: float = float("-inf")

    def executed(self, contracts: Decimal, now_s: float) -> None:
        self._rest(now_s)
        if self.position is None:
            self._before = [*self._before, (contracts, now_s)][-MOST_UNSURE:]
            return
        self._moved += contracts
        if now_s < self._first_s + self.apart_s and not self._before and self._unsure < MOST_UNSURE:
            self._unsure += 1
            self._offsets |= {-self._moved}  # told first, and moved by this and all before it

    def positioned(self, contracts: Decimal, now_s: float) -> None:
        self._rest(now_s)
        if self.position is None:
            self._base, self._first_s = contracts, now_s
            missing = ZERO
            self._before = [one for one in self._before if one[1] > now_s - self.apart_s]
            for size, _ in reversed(self._before):
                missing += size
                self._offsets.add(missing)
        self.position = contracts

    def even(self) -> bool:
        """Whether what was told adds up; executions without any position do not."""
        return bool(self._matching()) if self.position is not None else not self._before

    def _matching(self) -> set[Decimal]:
        due = {offset: self._base + self._moved + offset for offset in self._offsets}
        return {one for one, size in due.items() if size == self.position or (size == 0 and not self.shows_flat)}

    def _rest(self, now_s: float) -> None:
        """After a rest, what holds now is what was true."""
        if self.position is not None and now_s > self._latest_s + self.apart_s:
            self._offsets = self._matching() or self._offsets
        self._latest_s = now_s
