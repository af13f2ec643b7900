"""The ticker stream of one address: prices of the symbols that are asked for, as long as they are fresh.

A price is as old as the message that last stated its mark, by the venue's own clock: whatever lay in a buffer, was left
out or is repeated cannot make it younger. What is not fresh is left to whoever asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from account_processors.codecs.ticker import Ticker
from account_processors.codecs.wire import Row
from account_processors.stream import Session, StreamClient
from account_processors.venue_clock import VenueClock
from account_processors.wiring import Wiring
from core.domain import Price, Symbol
from core.errors import VenueError
from core.ports import Clock, Entropy, StreamRequest

ASKED_FOR_S = 300.0
"""A symbol nobody asked for in so long is not followed any more."""
ODD_SHARE = Decimal("0.02")
"""Mark and last, or mark and book, further apart than this are asked for again."""

Found = Mapping[str, tuple[Row, float]]
"""Symbol -> ticker and the instant it is of, epoch seconds."""


def odd(price: Price) -> bool:
    """Whether a streamed price contradicts itself: a crossed book, or a mark far from where it is traded."""
    crossed = price.bid is not None and price.ask is not None and price.bid > price.ask
    elsewhere = (price.last, price.bid if price.last is None else None, price.ask if price.last is None else None)
    return crossed or any(one is not None and abs(one - price.mark) > ODD_SHARE * price.mark for one in elsewhere)


@dataclass(frozen=True, slots=True)
class Way:
    """How a venue's tickers come. `most`: symbols followed at once. `fresh_s`: how old a mark may be. `mark`: the field
    that states it."""

    most: int
    fresh_s: float
    mark: str = "markPrice"


@dataclass(frozen=True, slots=True)
class _Part:
    row: Row
    made_s: float


@dataclass(frozen=True, slots=True)
class _Quote:
    """What the stream says of one symbol. `mark_made_s` is an instant of the venue, `mark_came_s` ours, monotonic: of
    the message that last stated the mark; None before there was one."""

    parts: Mapping[str, _Part]
    mark_made_s: float | None = None
    mark_came_s: float = 0.0

    def row(self) -> Row:
        return {name: value for part in self.parts.values() for name, value in part.row.items()}


Enter = Callable[["Tickers"], Awaitable[tuple[StreamRequest, Session[Ticker]]]]
"""Prepares a connection whose session follows what is `wanted`."""


class Tickers:
    """Follows the symbols that are asked for; begins with the first question."""

    def __init__(self, wiring: Wiring, entropy: Entropy, way: Way, enter: Enter) -> None:
        self._way = way
        self._clock: Clock = wiring.clock
        self._client: StreamClient[Ticker] = StreamClient(wiring.transport, wiring.clock, entropy, lambda: enter(self))
        self._asked: dict[Symbol, float] = {}
        self._quotes: dict[str, _Quote] = {}
        self._following: asyncio.Task[None] | None = None
        self._closed = False

    def fresh(self, symbols: Collection[Symbol], venue_clock: VenueClock) -> Found:
        """The tickers of those symbols whose mark is fresh; follows them all from now on.

        `venue_clock` is the asker's; before it knows the venue's time, nothing is fresh.
        """
        self._ask(symbols)
        if venue_clock.offset_s is None:
            return {}
        now_s, now = self._clock.monotonic(), self._clock.time()
        found: dict[str, tuple[Row, float]] = {}
        for symbol in symbols:
            quote = self._quotes.get(symbol)
            if quote is not None and quote.mark_made_s is not None:
                age_s = max(now_s - quote.mark_came_s, venue_clock.now() - quote.mark_made_s)
                if age_s <= self._way.fresh_s:
                    found[symbol] = (quote.row(), now - age_s)
        return found

    async def close(self) -> None:
        self._closed = True
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def _ask(self, symbols: Collection[Symbol]) -> None:
        now_s = self._clock.monotonic()
        new = [symbol for symbol in symbols if symbol not in self._asked]
        room = max(self._way.most - len(self._asked), 0)
        self._asked.update((symbol, now_s) for symbol in symbols if symbol in self._asked)
        self._asked.update((symbol, now_s) for symbol in new[:room])
        if new[:room]:
            self._client.nudge()
        if not self._closed and (self._following is None or self._following.done()):
            self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            try:
                await self._client.run(self)
            except VenueError:
                continue  # it waits by itself before it connects again

    # --- for the session ----------------------------------------------------------------------------------------------

    def wanted(self) -> frozenset[Symbol]:
        """The symbols to follow. Those nobody asks for any more are forgotten."""
        oldest_s = self._clock.monotonic() - ASKED_FOR_S
        for symbol in [symbol for symbol, asked_s in self._asked.items() if asked_s < oldest_s]:
            del self._asked[symbol]
            self._quotes.pop(symbol, None)
        return frozenset(self._asked)

    # --- as a listener ------------------------------------------------------------------------------------------------

    def up(self) -> None:
        self._quotes.clear()

    def down(self, because: str) -> None:
        """What a dead stream said is not fresh for long; what it will say begins anew."""
        self._quotes.clear()

    def item(self, item: Ticker) -> None:
        quote = self._quotes.get(item.symbol) or _Quote({})
        known = quote.parts.get(item.part)
        if item.symbol not in self._asked or (known is None and not item.whole):
            return
        if known is not None and item.made_s < known.made_s:
            return  # overtaken
        row = item.row if item.whole or known is None else {**known.row, **item.row}
        quote = replace(quote, parts={**quote.parts, item.part: _Part(row, item.made_s)})
        if self._way.mark in item.row:
            quote = replace(quote, mark_made_s=item.made_s, mark_came_s=self._clock.monotonic())
        self._quotes[item.symbol] = quote
