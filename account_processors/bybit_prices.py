"""Bybit's prices: from the public ticker stream while it is fresh, else by request. Shared by all accounts there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from account_processors.bybit_client import BybitClient, read
from account_processors.bybit_stream import CONNECTIONS
from account_processors.codecs import bybit as codec
from account_processors.codecs import bybit_stream as frames
from account_processors.codecs.ticker import Ticker
from account_processors.reading import together, usable
from account_processors.shared import VenueShared
from account_processors.stream import Heard
from account_processors.stream_parts import connection_room
from account_processors.tickers import Found, Tickers, Way, odd
from account_processors.wiring import Wiring
from core.domain import Price, Symbol
from core.errors import Unavailable
from core.ports import Entropy, StreamRequest

FEW_SYMBOLS = 2
UNKNOWN_SYMBOL = "10001"
"""A ticker's only parameter that can be wrong is its symbol."""
FRESH_S = 2.0
MOST_SYMBOLS = 250
"""Followed at once. The venue bears 21 000 characters of topics on one connection."""


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
            if len(streamed) == len(set(symbols)) and not any(map(odd, streamed.values())):
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


# --- the stream -------------------------------------------------------------------------------------------------------


def tickers(url: str, wiring: Wiring, entropy: Entropy) -> Tickers:
    """The ticker stream of one address."""

    async def enter(followed: Tickers) -> tuple[StreamRequest, _TickerSession]:
        await connection_room(wiring, *CONNECTIONS)
        request = StreamRequest(f"{url}{frames.PUBLIC_PATH}", deadline_s=wiring.deadline_s)
        return request, _TickerSession(followed)

    return Tickers(wiring, entropy, Way(MOST_SYMBOLS, FRESH_S), enter)


class _TickerSession:
    """One connection to `/v5/public/linear`. See `stream.Session`."""

    def __init__(self, tickers: Tickers) -> None:
        self._tickers = tickers
        self._chosen: frozenset[Symbol] = frozenset()

    def begin(self) -> Heard[Ticker]:
        return Heard(send=self._choices(), up=True)

    def tick(self) -> Heard[Ticker]:
        return Heard(send=self._choices())

    def ping(self) -> str:
        return frames.PING

    def hear(self, text: str) -> Heard[Ticker]:
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
