"""The questions about weights, and what an answer does to the entries of `signal_weight_config.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from config.prompting import Person, ask_until
from config.values import number
from core.domain import plain

MAX_LEVERAGE = Decimal(20)

Entry = dict[str, Any]
"""One symbol of the file as it stands there, unknown fields included."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A symbol to ask about, and the sources that map to it, in their order."""

    symbol: str
    sources: tuple[str, ...]


# --- pure -------------------------------------------------------------------------------------------------------------


def pairs_of(mappings: Mapping[str, Mapping[str, str]], entries: Sequence[Entry]) -> list[Pair]:
    """The mapped symbols: those with weights first, in the file's order, then the others as they were mapped."""
    sources: dict[str, list[str]] = {}
    for source, mapping in mappings.items():
        for target in mapping.values():
            sources.setdefault(target, []).append(source)
    weighted = [entry["symbol"] for entry in entries if entry["symbol"] in sources]
    return [Pair(symbol, tuple(dict.fromkeys(sources[symbol]))) for symbol in dict.fromkeys([*weighted, *sources])]


def weight_in(entry: Entry, source: str) -> Decimal | None:
    """A source's weight; None where it has none."""
    return next((number(share["weight"]) for share in entry["sources"] if share["source"] == source), None)


def with_weight(entry: Entry, source: str, weight: Decimal) -> Entry:
    """The entry with another weight of a source, in its place or at the end; what is equal stays as it is written."""
    if weight_in(entry, source) == weight:
        return entry
    value = json_number(weight)
    if weight_in(entry, source) is None:
        return {**entry, "sources": [*entry["sources"], {"source": source, "weight": value}]}
    shares = [{**share, "weight": value} if share["source"] == source else share for share in entry["sources"]]
    return {**entry, "sources": shares}


def replaced(entries: Sequence[Entry], entry: Entry) -> list[Entry]:
    """The entries with this one in its symbol's place, or at the end."""
    if any(one["symbol"] == entry["symbol"] for one in entries):
        return [entry if one["symbol"] == entry["symbol"] else one for one in entries]
    return [*entries, entry]


def json_number(value: Decimal) -> Decimal | int:
    """A number as the file writes it: no exponent, no zeros at its end."""
    return int(value) if value == value.to_integral_value() else Decimal(plain(value))


def shown(value: Decimal) -> str:
    """A weight with at least two places: 1.00, 0.10, 0.125."""
    exact = Decimal(plain(value))
    return f"{exact:.2f}" if int(exact.as_tuple().exponent) > -2 else str(exact)


# --- the questions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Talk:
    """One session with a person. `highest`: the leverage that may be configured at most."""

    person: Person
    highest: Decimal

    def entries(self, pairs: Sequence[Pair], present: Sequence[Entry]) -> list[Entry]:
        """The whole session; returns what is to be written."""
        found = list(present)
        for pair in pairs:
            current = next((entry for entry in found if entry["symbol"] == pair.symbol), None)
            self.person.say(f"\nConfiguring {pair.symbol}")
            leverage = self._leverage(pair.symbol, None if current is None else number(current["leverage"]))
            if leverage is None:
                self.person.say(f"  {pair.symbol} is left out: nothing trades it until it has weights.")
                continue
            entry = current or {"symbol": pair.symbol, "leverage": json_number(leverage), "sources": []}
            if number(entry["leverage"]) != leverage:
                entry = {**entry, "leverage": json_number(leverage)}
            found = replaced(found, self._weights(pair, entry))
        self.person.say()
        return found

    def _leverage(self, symbol: str, current: Decimal | None) -> Decimal | None:
        """None: a symbol without weights is to stay so."""
        usable = current is not None and 1 <= current <= self.highest
        if current is not None and not usable:
            self.person.say(f"  The present leverage, {plain(current)}, is not allowed any more.")
        default = f" (press Enter for current value: {plain(current)})" if current is not None and usable else ""

        def read(answer: str) -> Decimal | None:
            if not answer and (usable or current is None):
                return current
            return leverage_of(answer, self.highest)

        return ask_until(self.person, f"Enter leverage for {symbol}{default}: ", read)

    def _weights(self, pair: Pair, entry: Entry) -> Entry:
        others = [share for share in entry["sources"] if share["source"] not in pair.sources]
        for share in others:
            kept = shown(number(share["weight"]))
            self.person.say(f"  {share['source']} keeps its weight of {kept}; it has no mapping to {pair.symbol}.")
        remaining = 1 - sum((number(share["weight"]) for share in others), Decimal(0))
        for source in pair.sources:
            current = weight_in(entry, source)
            weight = self._weight(pair.symbol, source, remaining, current)
            remaining -= weight
            if current is not None or weight:
                entry = with_weight(entry, source, weight)
        return entry

    def _weight(self, symbol: str, source: str, remaining: Decimal, current: Decimal | None) -> Decimal:
        fits = current is not None and current <= remaining
        if current is not None and not fits:
            self.person.say(f"  The present weight, {shown(current)}, is more than what remains.")
        default = f", press Enter for current value: {shown(current)}" if current is not None and fits else ""

        def read(answer: str) -> Decimal:
            if not answer and fits and current is not None:
                return current
            if not answer and current is None:
                return Decimal(0)
            return weight_of(answer, remaining)

        prompt = f"Assign weight for {symbol} from {source} (remaining weight: {shown(remaining)}{default}): "
        return ask_until(self.person, prompt, read)


def leverage_of(answer: str, highest: Decimal = MAX_LEVERAGE) -> Decimal:
    """A typed leverage. Raises ValueError."""
    try:
        found = number(answer)
    except ValueError:
        raise ValueError(f"leverage must be a number from 1 to {plain(highest)}, such as 3") from None
    if not 1 <= found <= highest:
        raise ValueError(
            f"leverage must be from 1 to {plain(highest)} (max_leverage in engine_config), is {_brief(answer)}"
        )
    return found


def weight_of(answer: str, remaining: Decimal) -> Decimal:
    """A typed weight of at most `remaining`. Raises ValueError."""
    try:
        found = number(answer)
    except ValueError:
        hint = "with a point, not a comma" if "," in answer else "such as 0.15; 0 gives the source no say"
        raise ValueError(f"weight must be a number from 0 to {shown(remaining)}, {hint}") from None
    if found < 0 or found > remaining:
        words = f"weight must be from 0 to {shown(remaining)}, because those of one symbol sum to at most 1"
        raise ValueError(f"{words}; is {_brief(answer)}")
    return found


def _brief(answer: str) -> str:
    return answer if len(answer) <= 20 else answer[:17] + "..."
