"""What KuCoin's public topics carry: the best of the book and the last price when they change, the mark every second.

Source: https://www.kucoin.com/docs-new/websocket-api/futures-trading/public and recorded messages. A book that is still
begins with a message all the same: on the venue it is never still for long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from simulator.facades.kucoin.context import Call
from simulator.facades.kucoin.public import ticker_row
from simulator.facades.kucoin.stream_wire import message
from simulator.facades.parts import Json, prices_seen
from simulator.model import Listing

MARK_EVERY_S = 1.0
FUNDING_EVERY_S = 60.0
BOOK_FIELDS = ("symbol", "sequence", "bestBidSize", "bestBidPrice", "bestAskPrice", "bestAskSize", "ts")


class Topic(Protocol):
    """One public subscription of one connection."""

    def due(self) -> tuple[str, ...]:
        """The messages to send now."""


class Book:
    """`tickerV2` and `ticker`: told when what they show changed."""

    def __init__(self, name: str, call: Call, listing: Listing, fields: tuple[str, ...] | None) -> None:
        self._name = name
        self._call = call
        self._symbol = listing.symbol
        self._fields = fields
        self._seen: object = None
        self._shown: Json = {}

    def due(self) -> tuple[str, ...]:
        seen = prices_seen(self._call.exchange, self._symbol)
        if seen == self._seen:
            return ()
        self._seen, before = seen, self._shown
        self._shown = self._values()
        if self._without_stamps(before) == self._without_stamps(self._shown):
            return ()
        subject = self._name.partition(":")[0].rpartition("/")[2]
        return (message(self._name, subject, self._shown, sn=self._call.exchange.state.seq),)

    def _values(self) -> Json:
        row = ticker_row(self._call, self._call.exchange.listing(self._symbol))
        return row if self._fields is None else {name: row[name] for name in self._fields}

    @staticmethod
    def _without_stamps(row: Json) -> Json:
        return {name: value for name, value in row.items() if name not in ("ts", "sequence", "tradeId")}


class Instrument:
    """`instrument`: the mark and index price every second, the funding rate every minute."""

    def __init__(self, name: str, call: Call, listing: Listing) -> None:
        self._name = name
        self._call = call
        self._symbol = listing.symbol
        self._mark_s = self._funding_s = call.exchange.clock.monotonic()

    def due(self) -> tuple[str, ...]:
        now_s, found = self._call.exchange.clock.monotonic(), []
        if now_s >= self._mark_s:
            self._mark_s = now_s - (now_s - self._mark_s) % MARK_EVERY_S + MARK_EVERY_S
            quote = self._call.exchange.quote(self._symbol)
            prices = {"markPrice": quote.mark, "indexPrice": quote.index, "granularity": 1000}
            whole_ms = self._call.now_ms() // 1000 * 1000
            found.append(message(self._name, "mark.index.price", {**prices, "timestamp": whole_ms}))
        if now_s >= self._funding_s:
            self._funding_s = now_s - (now_s - self._funding_s) % FUNDING_EVERY_S + FUNDING_EVERY_S
            rate = self._call.exchange.quote(self._symbol).funding_rate
            data = {"granularity": 60_000, "fundingRate": rate, "timestamp": self._call.now_ms()}
            found.append(message(self._name, "funding.rate", data))
        return tuple(found)


Make = Callable[[str, Call, Listing], Topic]
TOPICS: Mapping[str, Make] = {
    "/contractMarket/tickerV2": lambda name, call, listing: Book(name, call, listing, BOOK_FIELDS),
    "/contractMarket/ticker": lambda name, call, listing: Book(name, call, listing, None),
    "/contract/instrument": Instrument,
}
"""What stands before the symbol."""
