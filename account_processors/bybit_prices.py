"""Bybit's prices: from the public ticker stream while it is fresh, else by request. Shared by all accounts there.

A price of the stream is as old as the message that last stated its mark, by the venue's own clock: whatever lay in a
buffer, was left out or is repeated cannot make it younger. Prices that look odd are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from account_processors.bybit_client import BybitClient, read
from account_processors.bybit_stream import connection_room
from account_processors.codecs import bybit as codec
from account_processors.codecs import bybit_stream as frames
from account_processors.codecs.wire import Row
from account_processors.reading import together, usable
from account_processors.shared import VenueShared
from account_processors.stream import Heard, StreamClient
from account_processors.venue_clock import VenueClock
from account_processors.wiring import Wiring
from core.domain import Price, Symbol
from core.errors import Unavailable, VenueError
from core.ports import Clock, Entropy, StreamRequest

FEW_SYMBOLS = 2
UNKNOWN_SYMBOL = "10001"
"""A ticker's only parameter that can be wrong is its symbol."""
FRESH_S = 2.0
ASKED_FOR_S = 300.0
"""A symbol nobody asked for in so long is not followed any more."""
MOST_SYMBOLS = 250
"""Followed at once. The venue bears 21 000 characters of topics on one connection."""
ODD_SHARE = Decimal("0.02")
"""Mark and last further apart than this are asked for again."""

Found = Mapping[str, tuple[Row, float]]
"""Symbol -> ticker and the instant it is of, epoch seconds."""


class BybitPrices:
    """Prices as one account asks for them."""

    def __init__(self, client: BybitClient, shared: VenueShared, tickers: Tickers | None) -> None:
        self._client = client
        self._shared = shared
        self._tickers = tickers

    async def of(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        """A symbol without a usable price is left out; raises `Unavailable` or `Denied`."""
        if not symbols:
            return {}
        if self._tickers is not None:
            streamed = codec.prices(self._tickers.fresh(symbols, self._client.venue_clock), symbols)
            if len(streamed) == len(set(symbols)) and not any(map(_odd, streamed.values())):
                return streamed
        found = await self._shared.batch("tickers", symbols, self._read, everything_above=FEW_SYMBOLS)
        return codec.prices(found, symbols)

    async def _read(self, symbols: frozenset[str]) -> Found:
        """One request per symbol for one or two of them, else the whole market in one."""
        wanted: list[str | None] = [*symbols] if len(symbols) <= FEW_SYMBOLS else [None]
        found = await together(*(self._ticker(symbol) for symbol in wanted))
        return {symbol: row for rows in found for symbol, row in rows.items()}

    async def _ticker(self, symbol: str | None) -> Found:
        try:
            answer, result = await read(self._client.get_tickers(category=codec.CATEGORY, symbol=symbol))
        except Unavailable as error:
            if symbol is not None and error.code == UNKNOWN_SYMBOL:
                return {}  # the venue has no such symbol, which is an answer; the others keep their prices
            raise
        with usable("/v5/market/tickers"):
            return {name: (row, answer.received_at) for name, row in codec.tickers(result).items()}


def _odd(price: Price) -> bool:
    crossed = price.bid is not None and price.ask is not None and price.bid > price.ask
    return crossed or (price.last is not None and abs(price.last - price.mark) > ODD_SHARE * price.mark)


# --- the stream -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Quote:
    """What the stream says of one symbol. `made_s` and `mark_made_s` are instants of the venue, `mark_came_s` ours,
    monotonic; the mark's are those of the message that last stated it."""

    row: Row
    made_s: float
    mark_made_s: float
    mark_came_s: float


class Tickers:
    """The ticker stream of one address. Follows the symbols that are asked for; begins with the first question."""

    def __init__(self, url: str, wiring: Wiring, entropy: Entropy) -> None:
        self._url = url
        self._wiring = wiring
        self._clock: Clock = wiring.clock
        self._client: StreamClient[frames.Ticker] = StreamClient(wiring.transport, wiring.clock, entropy, self._enter)
        self._asked: dict[Symbol, float] = {}
        self._quotes: dict[str, _Quote] = {}
        self._following: asyncio.Task[None] | None = None
        self._closed = False

    def fresh(self, symbols: Collection[Symbol], venue_clock: VenueClock) -> Found:
        """The tickers of those symbols whose mark is at most `FRESH_S` old; follows them all from now on.

        `venue_clock` is the asker's; before it knows the venue's time, nothing is fresh.
        """
        self._ask(symbols)
        if venue_clock.offset_s is None:
            return {}
        now_s, now = self._clock.monotonic(), self._clock.time()
        found: dict[str, tuple[Row, float]] = {}
        for symbol in symbols:
            if (quote := self._quotes.get(symbol)) is not None:
                age_s = max(now_s - quote.mark_came_s, venue_clock.now() - quote.mark_made_s)
                if age_s <= FRESH_S:
                    found[symbol] = (quote.row, now - age_s)
        return found

    async def close(self) -> None:
        self._closed = True
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def _ask(self, symbols: Collection[Symbol]) -> None:
        now_s = self._clock.monotonic()
        new = [symbol for symbol in symbols if symbol not in self._asked]
        room = max(MOST_SYMBOLS - len(self._asked), 0)
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

    async def _enter(self) -> tuple[StreamRequest, _TickerSession]:
        await connection_room(self._wiring)
        request = StreamRequest(f"{self._url}{frames.PUBLIC_PATH}", deadline_s=self._wiring.deadline_s)
        return request, _TickerSession(self)

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
        """What a dead stream said is not fresh for long; what it will say begins with snapshots."""
        self._quotes.clear()

    def item(self, item: frames.Ticker) -> None:
        known = self._quotes.get(item.symbol)
        if item.symbol not in self._asked or (known is None and not item.whole):
            return
        if known is not None and item.made_s < known.made_s:
            return  # overtaken
        row = item.row if item.whole or known is None else {**known.row, **item.row}
        if known is None or "markPrice" in item.row:
            self._quotes[item.symbol] = _Quote(row, item.made_s, item.made_s, self._clock.monotonic())
        else:
            self._quotes[item.symbol] = _Quote(row, item.made_s, known.mark_made_s, known.mark_came_s)


class _TickerSession:
    """One connection to `/v5/public/linear`. See `stream.Session`."""

    def __init__(self, tickers: Tickers) -> None:
        self._tickers = tickers
        self._chosen: frozenset[Symbol] = frozenset()

    def begin(self) -> Heard[frames.Ticker]:
        return Heard(send=self._choices(), up=True)

    def tick(self) -> Heard[frames.Ticker]:
        return Heard(send=self._choices())

    def ping(self) -> str:
        return frames.PING

    def hear(self, text: str) -> Heard[frames.Ticker]:
        """A refused topic stays without a ticker, and its price is asked for."""
        heard = frames.frame(text.encode(errors="replace"))
        ticker = None if isinstance(heard, frames.Said) else frames.ticker(heard)
        return Heard() if ticker is None else Heard((ticker,))

    def _choices(self) -> tuple[str, ...]:
        """One frame per symbol: the venue refuses a whole list for one bad entry."""
        wanted, chosen = self._tickers.wanted(), self._chosen
        self._chosen = wanted
        return (
            *(frames.choice(frames.UNSUBSCRIBE, [frames.ticker_topic(symbol)]) for symbol in sorted(chosen - wanted)),
            *(frames.choice(frames.SUBSCRIBE, [frames.ticker_topic(symbol)]) for symbol in sorted(wanted - chosen)),
        )
