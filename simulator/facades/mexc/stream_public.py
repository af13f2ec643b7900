"""MEXC's public channels: tickers, trades and single figures of a contract.

Source: https://www.mexc.com/api-docs/futures/websocket-api. A ticker comes once a second while the contract is traded,
which the real one always is; all tickers come every two seconds. Channels not served (books, klines, contracts, event
contracts) are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from core.domain import Side
from simulator.facades.mexc import public
from simulator.facades.mexc.context import Call, Venue
from simulator.facades.mexc.wire import Params
from simulator.facades.parts import Json
from simulator.model import ExchangeEvent, Fill, FillKind, Refused

MOST_TRADES = 1_000
BUY, SELL = 1, 2
POSITION_UNCHANGED, NOT_SELF = 3, 2


@dataclass(frozen=True, slots=True)
class Topic:
    """A channel and, where it is about one contract, the venue's name of it ('' else)."""

    name: str
    symbol: str = ""


@dataclass(slots=True)
class Feed:
    """One subscription. `read` makes what is said, once every `every_s`; None: nothing new."""

    read: Callable[[], object]
    every_s: float
    next_s: float = field(default=0.0)

    def due(self, now_s: float) -> object:
        if now_s < self.next_s:
            return None
        self.next_s = now_s + self.every_s
        return self.read()


class Changed:
    """What is said when it is not what was said before."""

    def __init__(self, read: Callable[[], object]) -> None:
        self._read = read
        self._said: object = None

    def __call__(self) -> object:
        said = self._read()
        if said == self._said:
            return None
        self._said = said
        return said


class Trades:
    """What was traded since. The only trades are those of the simulated accounts."""

    def __init__(self, call: Call, symbol: str) -> None:
        self._call = call
        self._symbol = symbol
        self._waiting: list[Json] = []

    def hear(self, fill: Fill) -> None:
        if fill.symbol != self._symbol or fill.kind is not FillKind.TRADE:
            return
        taker = (Side.SELL if fill.side is Side.BUY else Side.BUY) if fill.maker else fill.side
        row = {
            "p": fill.price,
            "v": fill.contracts,
            "T": BUY if taker is Side.BUY else SELL,
            "O": POSITION_UNCHANGED,
            "M": NOT_SELF,
            "t": self._call.stamp_ms(fill.at),
            "i": fill.seq,
        }
        self._waiting = [*self._waiting[1 - MOST_TRADES :], row]

    def __call__(self) -> object:
        rows, self._waiting = self._waiting, []
        return rows or None


class Market:
    """The public subscriptions of one connection."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._feeds: dict[Topic, Feed] = {}
        self._trades: dict[Topic, Trades] = {}
        self._stop = venue.exchange.subscribe(self._hear)

    def __bool__(self) -> bool:
        return bool(self._feeds)

    def opens(self, topic: Topic) -> bool:
        """False where there is no such channel or contract."""
        feed = self._all(topic) if not topic.symbol else self._of_one(topic)
        if feed is not None:
            self._feeds.setdefault(topic, feed)
        return feed is not None

    def leaves(self, topic: Topic) -> None:
        self._feeds.pop(topic, None)
        self._trades.pop(topic, None)

    def _all(self, topic: Topic) -> Feed | None:
        call = Call(self._venue, "", Params({}))
        return Feed(lambda: public.tickers(call), 2.0) if topic.name == "tickers" else None

    def _of_one(self, topic: Topic) -> Feed | None:
        exchange = self._venue.exchange
        try:
            listing = exchange.listing_at(topic.symbol)
        except Refused:
            return None
        call, symbol = Call(self._venue, "", Params({"symbol": topic.symbol})), listing.symbol

        def figure(name: str, read: Callable[[], Decimal]) -> Feed:
            return Feed(Changed(lambda: {"symbol": topic.symbol, name: read()}), 1.0)

        if topic.name == "ticker":
            return Feed(lambda: public.ticker(call, exchange.listing(symbol)), 1.0)
        if topic.name == "fair.price":
            return figure("price", lambda: exchange.quote(symbol).mark)
        if topic.name == "index.price":
            return figure("price", lambda: exchange.quote(symbol).index)
        if topic.name == "funding.rate":
            return figure("rate", lambda: exchange.listing(symbol).funding_rate)
        if topic.name == "deal":
            trades = self._trades.setdefault(topic, Trades(call, symbol))
            return Feed(trades, 0.0)
        return None

    def _hear(self, event: ExchangeEvent) -> None:
        if event.fill is not None:
            for trades in self._trades.values():
                trades.hear(event.fill)

    def due(self) -> list[tuple[Topic, object]]:
        now_s = self._venue.exchange.clock.monotonic()
        found = [(topic, feed.due(now_s)) for topic, feed in self._feeds.items()]
        return [(topic, said) for topic, said in found if said is not None]

    def close(self) -> None:
        self._stop()
