"""What the files ask for, as whoever writes them knows it: the oracle's own side of the story.

Nothing here looks at the engine. After every change a `Moment` is kept: between which exposures each account and symbol
could stand if a correct engine took everything it could read, sized as documented:

    D = sum of depth x weight over sources, times the account's scale
    L = the configured leverage, or the |depth x weight|-weighted mean of the leverages signals carry if that is lower

A source that can be read contributes what it says now, or less (old entries, closed by the user); one that cannot may
stand at anything it ever said. An exposure is D x L, signed, in multiples of equity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from itertools import product

from core.domain import ZERO, AccountId, SourceName, Symbol

ONE = Decimal(1)
Key = tuple[AccountId, Symbol]


class Voice(StrEnum):
    """How well a source can be read now."""

    CLEAR = "clear"
    DOUBTFUL = "doubtful"
    """Perhaps, perhaps not: a clock was moved, or an edit is under way."""
    SILENT = "silent"
    """Surely not."""


@dataclass(frozen=True, slots=True)
class Said:
    depth: Decimal
    leverage: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Exposures D x L that may be held: `low` <= 0 <= `high`; `full`: everything said, taken in full."""

    low: Decimal
    high: Decimal
    full: Decimal


@dataclass(frozen=True, slots=True)
class Moment:
    """In force from `at` (true epoch seconds) until the next. `deaf`: symbols of which no weighted source can surely be
    read."""

    at: float
    spans: Mapping[Key, Span]
    deaf: frozenset[Symbol]
    halted: bool
    closing: frozenset[AccountId]
    """Accounts that may not increase (close_only, disabled)."""


class Asked:
    """The present state of all files that ask for something, and every moment so far."""

    def __init__(self, accounts: Iterable[AccountId], sources: Iterable[SourceName]) -> None:
        self.accounts = tuple(accounts)
        self.weights: dict[Symbol, dict[SourceName, Decimal]] = {}
        self.leverages: dict[Symbol, Decimal] = {}
        self.scales: dict[AccountId, Decimal] = dict.fromkeys(self.accounts, ONE)
        self.said: dict[SourceName, dict[Symbol, list[Said]]] = {source: {} for source in sources}
        self.voices: dict[SourceName, Voice] = dict.fromkeys(self.said, Voice.CLEAR)
        self.halted = False
        self.closing: set[AccountId] = set()
        self.moments: list[Moment] = []

    def say(self, source: SourceName, symbol: Symbol, said: Said) -> None:
        self.said[source].setdefault(symbol, []).append(said)

    def latest(self, source: SourceName) -> Mapping[Symbol, Said]:
        return {symbol: history[-1] for symbol, history in self.said[source].items()}

    def note(self, at: float) -> None:
        """Keeps the present state as the moment that begins `at`."""
        spans = {(account, symbol): self.span(account, symbol) for account in self.accounts for symbol in self.weights}
        deaf = frozenset(symbol for symbol in self.weights if self._deaf(symbol))
        self.moments.append(Moment(at, spans, deaf, self.halted, frozenset(self.closing)))

    def during(self, begin: float, end: float) -> list[Moment]:
        """Every moment in force at some instant of [begin, end]."""
        found = []
        for number, moment in enumerate(self.moments):
            until = self.moments[number + 1].at if number + 1 < len(self.moments) else float("inf")
            if moment.at <= end and until >= begin:
                found.append(moment)
        return found

    def span(self, account: AccountId, symbol: Symbol) -> Span:
        shares = self.weights[symbol]
        choices = [self._possible(source, symbol, weight) for source, weight in shares.items()]
        exposures = [self._exposure(account, symbol, combination) for combination in product(*choices)]
        spoken = [
            self._contribution(self.said[s][symbol][-1], w) for s, w in shares.items() if self.said[s].get(symbol)
        ]
        full = self._exposure(account, symbol, spoken)
        return Span(min([ZERO, *exposures]), max([ZERO, *exposures]), full)

    def _possible(self, source: SourceName, symbol: Symbol, weight: Decimal) -> list[tuple[Decimal, Decimal | None]]:
        history = self.said[source].get(symbol, [])
        if self.voices[source] is Voice.CLEAR:
            history = history[-1:]
        return list(dict.fromkeys([(ZERO, None), *(self._contribution(said, weight) for said in history)]))

    @staticmethod
    def _contribution(said: Said, weight: Decimal) -> tuple[Decimal, Decimal | None]:
        return said.depth * weight, said.leverage

    def _exposure(self, account: AccountId, symbol: Symbol, taken: Iterable[tuple[Decimal, Decimal | None]]) -> Decimal:
        taken = list(taken)
        carried = [(abs(share), leverage) for share, leverage in taken if share and leverage is not None]
        leverage = self.leverages[symbol]
        total = sum((share for share, _ in carried), ZERO)
        if total:
            leverage = min(leverage, sum((share * its for share, its in carried), ZERO) / total)
        leverage = max(leverage.to_integral_value(ROUND_FLOOR), ONE)
        return sum((share for share, _ in taken), ZERO) * self.scales[account] * leverage

    def _deaf(self, symbol: Symbol) -> bool:
        heard = [s for s, weight in self.weights[symbol].items() if weight and self.said[s].get(symbol)]
        return all(self.voices[source] is Voice.SILENT for source in heard)
