"""MEXC's prices: from the public stream while it is fresh, else by request. Shared by all accounts there.

The stream tells of a contract once a second, and only while it is traded: a quiet one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from account_processors.codecs import mexc as codec
from account_processors.codecs import mexc_errors as errors
from account_processors.codecs import mexc_stream as frames
from account_processors.codecs.ticker import Ticker
from account_processors.codecs.wire import Row
from account_processors.mexc_client import MexcClient, read
from account_processors.mexc_stream import CONNECTIONS
from account_processors.reading import together, usable
from account_processors.shared import VenueShared
from account_processors.stream import Heard
from account_processors.stream_parts import connection_room
from account_processors.tickers import Tickers, Way, odd
from account_processors.wiring import Wiring
from core.domain import Instrument, Price, Symbol
from core.errors import Unavailable
from core.ports import Entropy, StreamRequest

FEW_SYMBOLS = 2
"""Up to so many contracts' tickers are asked for one by one; the whole list has hundreds of kilobytes."""
FRESH_S = 2.5
MOST_SYMBOLS = 30
"""Followed at once. How many one connection bears is not documented."""

Listed = Callable[[], Mapping[Symbol, Instrument] | None]
"""The instruments last read; None before the first read."""


class MexcPrices:
    """Prices as one account asks for them."""

    def __init__(self, client: MexcClient, shared: VenueShared, listed: Listed, tickers: Tickers | None) -> None:
        self._client = client
        self._shared = shared
        self._listed = listed
        self._tickers = tickers

    async def of(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        """A symbol without a usable price is left out; raises `Unavailable` or `Denied`."""
        if not symbols:
            return {}
        if self._tickers is not None:
            streamed = codec.prices(self._tickers.fresh(symbols, self._client.venue_clock), symbols)
            if len(streamed) == len(set(symbols)) and not any(map(odd, streamed.values())):
                return streamed
        found = await self._shared.batch("tickers", symbols, self._asked, everything_above=FEW_SYMBOLS)
        return codec.prices(found, symbols)

    async def _asked(self, symbols: frozenset[str]) -> dict[str, tuple[Row, float]]:
        """One request per symbol for one or two of them whose names are known, else the whole market in one."""
        known = self._listed() or {}
        if len(symbols) > FEW_SYMBOLS or not known:
            return await self._ticker(None)
        names = [known[Symbol(symbol)].venue_symbol for symbol in symbols if symbol in known]
        found = await together(*map(self._ticker, names))
        return {symbol: row for rows in found for symbol, row in rows.items()}

    async def _ticker(self, name: str | None) -> dict[str, tuple[Row, float]]:
        try:
            query = {} if name is None else {"symbol": name}
            answer, payload = await read(self._client.call("contractPublicGetTicker", query))
        except Unavailable as error:
            if name is not None and error.code == errors.UNKNOWN_CONTRACT:
                return {}  # not listed any more, which is an answer; the others keep their prices
            raise
        with usable(answer.place):
            return codec.quoted(payload, answer.received_at)


# --- the stream -------------------------------------------------------------------------------------------------------


def tickers(url: str, wiring: Wiring, entropy: Entropy, listed: Listed) -> Tickers:
    """The ticker stream of one address."""

    async def enter(followed: Tickers) -> tuple[StreamRequest, _TickerSession]:
        await connection_room(wiring, *CONNECTIONS)
        request = StreamRequest(f"{url}{frames.PATH}", deadline_s=wiring.deadline_s)
        return request, _TickerSession(followed, listed)

    return Tickers(wiring, entropy, Way(MOST_SYMBOLS, FRESH_S, mark="fairPrice"), enter)


class _TickerSession:
    """One connection, without a login. See `stream.Session`."""

    def __init__(self, tickers: Tickers, listed: Listed) -> None:
        self._tickers = tickers
        self._listed = listed
        self._chosen: frozenset[str] = frozenset()

    def begin(self) -> Heard[Ticker]:
        return Heard(send=self._choices(), up=True)

    def tick(self) -> Heard[Ticker]:
        return Heard(send=self._choices())

    def ping(self) -> str:
        return frames.PING

    def hear(self, text: str) -> Heard[Ticker]:
        """A refused contract stays without a ticker, and its price is asked for."""
        heard = frames.frame(text.encode(errors="replace"))
        ticker = None if isinstance(heard, frames.Said) else frames.ticker(heard)
        return Heard() if ticker is None else Heard((ticker,))

    def _choices(self) -> tuple[str, ...]:
        known = self._listed() or {}
        wanted = frozenset(known[symbol].venue_symbol for symbol in self._tickers.wanted() if symbol in known)
        chosen, self._chosen = self._chosen, wanted
        return (
            *(frames.choice(frames.UNSUBSCRIBE, name) for name in sorted(chosen - wanted)),
            *(frames.choice(frames.SUBSCRIBE, name) for name in sorted(wanted - chosen)),
        )
