"""How long to wait before trying again what failed: doubling delays, per symbol, kind and venue code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.domain import Hold, Scope, Symbol, SymbolState


class Pace(StrEnum):
    """What is paced; the value names it in messages."""

    INCREASE_REJECTED = "the venue rejected the increase"
    REDUCTION_REJECTED = "the venue rejected the reduction"
    SHORT_FILL = "the increase was filled short"
    SETTING_REFUSED = "the venue refused the leverage or margin mode"
    SETTING_FAILED = "the leverage or margin mode could not be set"
    READ_FAILED = "a read failed"


_DELAYS_S: Mapping[Pace, tuple[float, float]] = {
    Pace.INCREASE_REJECTED: (5.0, 300.0),
    Pace.REDUCTION_REJECTED: (1.0, 10.0),
    Pace.SHORT_FILL: (1.0, 30.0),
    Pace.SETTING_REFUSED: (5.0, 300.0),
    Pace.SETTING_FAILED: (5.0, 300.0),
    Pace.READ_FAILED: (1.0, 30.0),
}
"""First delay and the most it grows to, seconds."""

_SCOPES: Mapping[Pace, tuple[Scope, SymbolState]] = {
    Pace.INCREASE_REJECTED: (Scope.INCREASES, SymbolState.BLOCKED),
    Pace.REDUCTION_REJECTED: (Scope.REDUCTIONS, SymbolState.OUT_OF_SYNC),
    Pace.SHORT_FILL: (Scope.INCREASES, SymbolState.OUT_OF_SYNC),
    Pace.SETTING_REFUSED: (Scope.LEVERAGE, SymbolState.BLOCKED),
    Pace.SETTING_FAILED: (Scope.LEVERAGE, SymbolState.BLOCKED),
}


def delay_s(pace: Pace, count: int) -> float:
    """The wait after the `count`-th failure in a row (1 is the first)."""
    first, most = _DELAYS_S[pace]
    return min(first * 2.0 ** min(count - 1, 16), most)


@dataclass(frozen=True, slots=True)
class _Pause:
    count: int
    until: float
    generation: int
    because: str


class Pacing:
    """The pauses of one account. A new generation of a symbol forgets its pauses; so does a success."""

    def __init__(self) -> None:
        self._pauses: dict[tuple[Symbol | None, Pace, str], _Pause] = {}

    def failed(
        self,
        symbol: Symbol | None,
        pace: Pace,
        code: str,
        generation: int,
        now: float,
        detail: str,
        jitter: float = 1.0,
    ) -> int:
        """Notes one more failure; returns how many in a row. `jitter` multiplies the delay."""
        before = self._pauses.get((symbol, pace, code))
        count = before.count + 1 if before and before.generation == generation else 1
        until = now + delay_s(pace, count) * jitter
        because = f"{pace.value}{f' ({code})' if code else ''}: {detail}"
        self._pauses[symbol, pace, code] = _Pause(count, until, generation, because)
        return count

    def succeeded(self, symbol: Symbol | None, *paces: Pace) -> None:
        for key in [k for k in self._pauses if k[0] == symbol and k[1] in paces]:
            del self._pauses[key]

    def until(self, symbol: Symbol | None, pace: Pace) -> float:
        """When the longest pause of that kind ends (epoch seconds); 0 when there is none."""
        return max((p.until for (s, k, _), p in self._pauses.items() if s == symbol and k is pace), default=0.0)

    def stands(self, symbol: Symbol, pace: Pace, generation: int, now: float) -> bool:
        """Whether a pause of that kind stands against a symbol's present generation."""
        return any(
            (owner, kind, pause.generation) == (symbol, pace, generation) and pause.until > now
            for (owner, kind, _), pause in self._pauses.items()
        )

    def holds(self, symbol: Symbol, generation: int, now: float) -> tuple[Hold, ...]:
        """The pauses that stand against a symbol's present generation, as holds."""
        found: list[Hold] = []
        for (owner, pace, _), pause in self._pauses.items():
            if owner == symbol and pace in _SCOPES and pause.generation == generation and pause.until > now:
                scope, state = _SCOPES[pace]
                found.append(Hold(scope, state, f"{pause.because}; next try in {pause.until - now:.0f} s", pause.until))
        return tuple(found)
