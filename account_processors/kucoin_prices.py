"""KuCoin Futures' prices: from the public stream while it is fresh, else by request. Shared by all accounts there.

The stream tells the mark once a second and the best of the book when that changes, a contract's own row mark and last
price. What the stream says is odd where book and mark are apart, and then asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from account_processors.codecs import kucoin as codec
from account_processors.codecs import kucoin_stream as frames
from account_processors.codecs.ticker import Ticker
from account_processors.codecs.wire import Row
from account_processors.kucoin_client import KucoinClient, read
from account_processors.kucoin_stream import Places, refused
from account_processors.reading import together, usable
from account_processors.shared import VenueShared
from account_processors.stream import Heard
from account_processors.tickers import Tickers, Way, odd
from core.domain import Instrument, Price, Symbol
from core.errors import Unavailable
from core.ports import StreamRequest

FEW_SYMBOLS = 3
"""Up to so many contracts are asked for one by one; the whole list has hundreds of kilobytes."""
UNKNOWN_SYMBOL = frozenset({"100003", "200003", "400100"})
"""A contract's only parameter that can be wrong is its symbol."""
FRESH_S = 3.0
"""A mark is of a whole second and comes once a second."""
MOST_SYMBOLS = 140
"""Followed at once: two topics each, and the venue bears 300 on one connection."""
AT_ONCE = 50
"""Symbols in one frame; the venue takes 100."""


class KucoinPrices:
    """Prices as one account asks for them."""

    def __init__(self, client: KucoinClient, shared: VenueShared, tickers: Tickers | None) -> None:
        self._client = client
        self._shared = shared
        self._tickers = tickers

    async def of(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        """A symbol without a usable price is left out; raises `Unavailable` or `Denied`."""
        if not symbols:
            return {}
        if self._tickers is not None:
            streamed = codec.prices(self._tickers.fresh(symbols, self._client.venue_clock), symbols)
            if len(streamed) == len(set(symbols)) and all(map(_confirmed, streamed.values())):
                return streamed
        found = await self._shared.batch("contracts", symbols, self._contracts, everything_above=FEW_SYMBOLS)
        return codec.prices(found, symbols)

    async def _contracts(self, symbols: frozenset[str]) -> dict[str, tuple[Row, float]]:
        """One request per symbol for a few of them, else every contract in one."""
        if len(symbols) <= FEW_SYMBOLS:
            found = await together(*(self._contract(Symbol(symbol)) for symbol in symbols))
            return {symbol: row for rows_of in found for symbol, row in rows_of.items()}
        answer, payload = await read(self._client.get_contracts_list())
        with usable(answer.place):
            return {symbol: (row, answer.received_at) for symbol, row in codec.contracts(payload).items()}

    async def _contract(self, symbol: Symbol) -> dict[str, tuple[Row, float]]:
        try:
            answer, payload = await read(self._client.get_contract_detail(codec.venue_symbol(symbol)))
        except Unavailable as error:
            if error.code in UNKNOWN_SYMBOL:
                return {}  # the venue has no such symbol, which is an answer; the others keep their prices
            raise
        if payload.get("data") is None:
            return {}
        with usable(answer.place):
            return {symbol: (codec.contract(payload, symbol), answer.received_at)}


def _confirmed(price: Price) -> bool:
    """Whether something beside the mark says what a contract is worth, and agrees with it."""
    return (price.bid is not None or price.ask is not None) and not odd(price)


# --- the stream -------------------------------------------------------------------------------------------------------

Listed = Callable[[], Mapping[Symbol, Instrument] | None]
"""The instruments last read; None before the first read."""


def tickers(places: Places, listed: Listed) -> Tickers:
    """The price stream of one address. Only what the venue lists is asked for: it refuses a list for one bad entry."""

    async def enter(followed: Tickers) -> tuple[StreamRequest, _TickerSession]:
        request, door, _ = await places.enter(private=False)
        return request, _TickerSession(followed, listed, door)

    return Tickers(places.wiring, places.entropy, Way(MOST_SYMBOLS, FRESH_S), enter)


class _TickerSession:
    """One connection with a public token. See `stream.Session`."""

    def __init__(self, tickers: Tickers, listed: Listed, door: frames.Door) -> None:
        self._tickers = tickers
        self._listed = listed
        self._door = door
        self._welcome = False
        self._chosen: frozenset[Symbol] = frozenset()

    def begin(self) -> Heard[Ticker]:
        return Heard(ping_within_s=self._door.ping_within_s)

    def tick(self) -> Heard[Ticker]:
        return Heard(send=tuple(self._choices())) if self._welcome else Heard()

    def ping(self) -> str:
        return frames.PING

    def hear(self, text: str) -> Heard[Ticker]:
        """A refused topic stays without a price here, which is then asked for."""
        heard = frames.frame(text.encode(errors="replace"))
        if isinstance(heard, frames.Message):
            ticker = frames.ticker(heard)
            return Heard() if ticker is None else Heard((ticker,))
        if heard.kind == frames.WELCOME:
            self._welcome = True
            return Heard(send=tuple(self._choices()), up=True)
        if heard.kind == frames.ERROR and not heard.to.startswith((frames.BOOK, frames.INSTRUMENT)):
            raise refused(heard, "the price stream")
        return Heard()

    def _choices(self) -> Iterator[str]:
        known = self._listed() or {}
        wanted, chosen = frozenset(one for one in self._tickers.wanted() if one in known), self._chosen
        self._chosen = wanted
        for kind, symbols in ((frames.UNSUBSCRIBE, chosen - wanted), (frames.SUBSCRIBE, wanted - chosen)):
            names = sorted(symbols)
            for start in range(0, len(names), AT_ONCE):
                for head in (frames.INSTRUMENT, frames.BOOK):
                    yield frames.choice(kind, frames.of_symbols(head, names[start : start + AT_ONCE]), private=False)
