"""Prices: a seeded walk, a replayed recording, or a pin. A price is a function of (seed, symbol, time) alone.

The walk is computed, not stepped: anchors every `ANCHOR_S` seconds, midpoints displaced between them, all drawn from
hashes. Any instant can be asked for in any order, and two runs with one seed agree to the last digit. It moves about
1.5 % in four hours and never leaves the listed price by more than `MAX_DRIFT_PPM`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import isqrt
from pathlib import Path
from typing import Protocol

from core.domain import Symbol

MILLION = 1_000_000
LEVELS = 14
ANCHOR_S = 1 << LEVELS
SHARED_S = 64
"""Midpoints of spans at least this wide are remembered, some five hundred at most."""
ANCHOR_PPM = 30_000
"""Anchors lie within this many millionths of the listed price."""
STEP_PPM = 100
"""Standard deviation of one second's move, in millionths."""
# A midpoint of a span of 2^k seconds is displaced uniformly within sqrt(3)/2 x STEP_PPM x sqrt(2^k).
AMPLITUDES = tuple(isqrt(3 * STEP_PPM * STEP_PPM * (1 << k)) // 2 for k in range(LEVELS + 1))
MAX_DRIFT_PPM = ANCHOR_PPM + sum(AMPLITUDES)
LISTED_DIGITS = Decimal("0.000000000001")


class PriceSource(Protocol):
    """Where a symbol's price comes from when nobody pinned it."""

    def price(self, at: float) -> Decimal: ...


class Walk:
    """A seeded walk around `base`, one step a second."""

    def __init__(self, seed: int, symbol: str, base: Decimal) -> None:
        self._salt = f"{seed}/{symbol}/".encode()
        self._base = base
        self._anchors: tuple[int, int, int] = (-1, 0, 0)
        self._drawn: dict[str, int] = {}
        """Drawn midpoints of wide spans, which many instants share; those of the present anchors."""

    def price(self, at: float) -> Decimal:
        second = max(int(at), 0)
        return (self._base * (MILLION + self._drift_ppm(second)) / MILLION).quantize(LISTED_DIGITS)

    def _drift_ppm(self, second: int) -> int:
        """Descends from the anchors around `second` to the second itself, halving the span."""
        number, offset = divmod(second, ANCHOR_S)
        if self._anchors[0] != number:
            low, high = (self._draw(f"a{n}", ANCHOR_PPM) for n in (number, number + 1))
            self._anchors = (number, low, high)
            self._drawn.clear()
        _, low, high = self._anchors
        start, span = 0, ANCHOR_S
        while offset != start:
            half = span // 2
            middle = (low + high) // 2 + self._displaced(number, start + half, span)
            if offset >= start + half:
                start, low = start + half, middle
            else:
                high = middle
            span = half
        return low

    def _displaced(self, number: int, middle: int, span: int) -> int:
        """How far the midpoint of a span lies from the straight line."""
        name, amplitude = f"m{number}.{middle}", AMPLITUDES[span.bit_length() - 1]
        if span < SHARED_S:
            return self._draw(name, amplitude)
        if name not in self._drawn:
            self._drawn[name] = self._draw(name, amplitude)
        return self._drawn[name]

    def _draw(self, name: str, amplitude: int) -> int:
        """A whole number in [-amplitude, amplitude], the same for the same name."""
        digest = hashlib.blake2b(self._salt + name.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % (2 * amplitude + 1) - amplitude


class BadPrices(Exception):
    """A price file cannot be replayed; the text names file and line."""


class Replay:
    """Bars of a CSV (`timestamp,open,high,low,close[,…]`), played from `started_at` on at `speed`.

    Inside a bar the price goes open, nearer extreme, other extreme, close, in straight lines; after the last bar it
    stays at the last close.
    """

    def __init__(self, path: Path, started_at: float, speed: float = 1.0) -> None:
        """Reads and checks the whole file. Raises `BadPrices`, `OSError`."""
        self._started_at = started_at
        self._speed = speed
        self._starts: list[float] = []
        self._bars: list[tuple[str, str, str, str]] = []
        with path.open(encoding="utf-8") as lines:
            header = next(lines, "").strip().lower().split(",")
            if header[:5] != ["timestamp", "open", "high", "low", "close"]:
                raise BadPrices(f"{path}: line 1: expected timestamp,open,high,low,close")
            for number, line in enumerate(lines, start=2):
                if line.strip():
                    self._take(f"{path}: line {number}", line.strip().split(","))
        if not self._bars:
            raise BadPrices(f"{path}: holds no bar")

    def _take(self, where: str, fields: list[str]) -> None:
        if len(fields) < 5:
            raise BadPrices(f"{where}: expected at least 5 fields")
        try:
            start = datetime.fromisoformat(_micro(fields[0])).replace(tzinfo=UTC).timestamp()
            prices = [Decimal(text) for text in fields[1:5]]
        except (ValueError, InvalidOperation) as error:
            raise BadPrices(f"{where}: {error or 'not a number'}") from error
        if not all(price.is_finite() and price > 0 for price in prices):
            raise BadPrices(f"{where}: a price is not above 0")
        if self._starts and start <= self._starts[-1]:
            raise BadPrices(f"{where}: time does not go forward")
        self._starts.append(start)
        self._bars.append((fields[1], fields[2], fields[3], fields[4]))

    def price(self, at: float) -> Decimal:
        played = self._starts[0] + max(at - self._started_at, 0.0) * self._speed
        n = bisect_right(self._starts, played) - 1
        opened, high, low, close = (Decimal(text) for text in self._bars[n])
        if n + 1 >= len(self._bars):
            return close
        share = (played - self._starts[n]) / (self._starts[n + 1] - self._starts[n])
        corners = (opened, low, high, close) if close >= opened else (opened, high, low, close)
        leg, within_ppm = divmod(int(share * 3 * MILLION), MILLION)
        begin, end = corners[leg], corners[leg + 1]
        return begin + (end - begin) * within_ppm / MILLION


def _micro(text: str) -> str:
    """An ISO instant with its fraction cut to the six digits Python reads."""
    head, dot, fraction = text.partition(".")
    return f"{head}.{fraction[:6].ljust(6, '0')}" if dot else head


@dataclass(frozen=True, slots=True)
class Pin:
    """A price set by hand; `last` None: the same as `mark`."""

    mark: Decimal
    last: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """The price of a symbol before a venue puts it on its tick."""

    mark: Decimal
    last: Decimal


class Market:
    """What every venue's prices come from. `sources`: symbol -> its price when not pinned."""

    def __init__(self, sources: Mapping[Symbol, PriceSource]) -> None:
        self._sources = sources
        self._pins: dict[Symbol, Pin] = {}
        self._moves = 0
        self._cache: dict[Symbol, tuple[float, Level]] = {}

    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self._sources)

    def pins(self) -> Mapping[Symbol, Pin]:
        return dict(self._pins)

    def level(self, symbol: Symbol, at: float) -> Level:
        """Mark and last of `symbol` at an instant; a pin holds for every instant. Raises `KeyError`."""
        pin = self._pins.get(symbol)
        if pin is not None:
            return Level(pin.mark, pin.mark if pin.last is None else pin.last)
        tick = self._tick(at)
        cached = self._cache.get(symbol)
        if cached is None or cached[0] != tick:
            price = self._sources[symbol].price(tick)
            cached = self._cache[symbol] = (tick, Level(price, price))
        return cached[1]

    def pin(self, symbol: Symbol, pin: Pin) -> None:
        """Raises `KeyError` for a symbol without a price."""
        self._sources[symbol]
        self._pins[symbol] = pin
        self._moves += 1

    def unpin(self, symbol: Symbol | None = None) -> None:
        """Lets one symbol, or all of them, move again."""
        if symbol is None:
            self._pins.clear()
        else:
            self._pins.pop(symbol, None)
        self._moves += 1

    def stamp(self, at: float) -> tuple[float, int]:
        """Changes whenever any price may have changed."""
        return self._tick(at), self._moves

    @staticmethod
    def _tick(at: float) -> float:
        """Prices move four times a second at most, so that one request's reads agree."""
        return int(at * 4) / 4
