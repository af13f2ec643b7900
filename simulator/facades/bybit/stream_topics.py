"""Bybit's public topics: what each shows first, and what it says when something changed.

Sources: https://bybit-exchange.github.io/docs/v5/websocket/public and recorded messages. Prices move four times a
second at most, so every topic keeps within the venue's push frequency by itself. The only trades are those of the
simulated accounts, and nobody trades against them but the book.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Protocol

from core.domain import Side
from simulator.facades.bybit.context import LINEAR, Call
from simulator.facades.bybit.public import orderbook, ticker
from simulator.facades.bybit.queries import SIDE_NAMES
from simulator.facades.bybit.stream_wire import frame
from simulator.facades.bybit.wire import Params, on
from simulator.facades.parts import prices_seen
from simulator.model import ExchangeEvent, Fill, FillKind, Listing

DEPTHS = ("1", "50", "200", "1000")
REPEAT_S = 3.0
"""The best level is sent again after this long without a change."""
MAX_TRADES = 1_000
"""In one message, and waiting for one. A client that lets more wait loses the connection."""
TICKER_FIELDS = (
    "symbol", "price24hPcnt", "lastPrice", "prevPrice24h", "highPrice24h", "lowPrice24h", "prevPrice1h", "markPrice",
    "indexPrice", "openInterest", "openInterestValue", "turnover24h", "volume24h", "fundingIntervalHour", "fundingCap",
    "nextFundingTime", "fundingRate", "bid1Price", "bid1Size", "ask1Price", "ask1Size", "preOpenPrice", "preQty",
    "curPreListingPhase",
)  # fmt: skip
"""What the stream shows of a ticker of the REST answer."""
UP, SAME_UP, DOWN, SAME_DOWN = "PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick"


class Topic(Protocol):
    """One subscription of one connection."""

    def hear(self, event: ExchangeEvent) -> bool:
        """False: more is waiting than may."""

    def due(self) -> str | None:
        """The message to send now, if there is one."""


def direction(before: Decimal, now: Decimal, last: str) -> str:
    """How a trade's price moved, by the venue's words; `last` is the word for the move before."""
    if now != before:
        return UP if now > before else DOWN
    return SAME_UP if last in (UP, SAME_UP) else SAME_DOWN


class Ticker:
    """`tickers.SYMBOL`: everything first, then what changed."""

    def __init__(self, name: str, call: Call, listing: Listing) -> None:
        self._name = name
        self._call = call
        self._symbol = listing.symbol
        self._shown: dict[str, object] = {}
        self._seen: object = None
        hour_ago = call.venue.earlier_price(listing, 3_600.0)
        self._last = call.exchange.quote(listing.symbol).last
        self._move = direction(hour_ago, self._last, UP)

    def hear(self, event: ExchangeEvent) -> bool:
        """Bookings do not move prices."""
        return True

    def due(self) -> str | None:
        exchange = self._call.exchange
        listing, seen = exchange.listing(self._symbol), prices_seen(self._call.exchange, self._symbol)
        if seen == self._seen:
            return None
        self._seen, last = seen, exchange.quote(self._symbol).last
        if last != self._last:
            self._last, self._move = last, direction(self._last, last, self._move)
        whole = ticker(self._call, listing)
        now = {name: whole[name] for name in TICKER_FIELDS} | {"tickDirection": self._move}
        changed = {name: value for name, value in now.items() if self._shown.get(name) != value}
        if not changed:
            return None
        kind = "delta" if self._shown else "snapshot"
        self._shown, data = now, {"symbol": now["symbol"], **changed}
        stamps = {"cs": exchange.state.seq, "ts": self._call.now_ms()}
        return frame({"topic": self._name, "type": kind, "data": data, **stamps})


class Book:
    """`orderbook.DEPTH.SYMBOL`: the levels first, then what changed of them, `u` growing by one. Depth 1 is sent whole
    each time, and again with the same `u` when nothing changed for three seconds."""

    def __init__(self, depth: str, name: str, call: Call, listing: Listing) -> None:
        asked = {"category": LINEAR, "symbol": listing.instrument.venue_symbol, "limit": depth}
        self._name = name
        self._call = Call(call.venue, "", Params(asked, from_query=True))
        self._symbol = listing.symbol
        self._seen: object = None
        self._whole = depth == "1"
        self._sides: tuple[dict[str, str], dict[str, str]] | None = None
        self._update = call.exchange.state.seq + 1
        self._sent_s = 0.0

    def hear(self, event: ExchangeEvent) -> bool:
        """Bookings leave the book as it is: it is made around the price."""
        return True

    def due(self) -> str | None:
        now_s, seen = self._call.exchange.clock.monotonic(), prices_seen(self._call.exchange, self._symbol)
        again = self._whole and now_s - self._sent_s >= REPEAT_S
        if seen == self._seen and not again:
            return None
        self._seen, book = seen, orderbook(self._call)
        before, sides = self._sides, (_levels(book["b"]), _levels(book["a"]))
        if sides == before:
            return self._sent(now_s, book, "snapshot", sides) if again else None
        self._sides, self._update = sides, self._update + 1
        if before is None or self._whole:
            return self._sent(now_s, book, "snapshot", sides)
        bids, asks = (_changes(*pair) for pair in zip(before, sides, strict=True))
        return self._sent(now_s, book, "delta", (dict(reversed(bids)), dict(asks)))

    def _sent(
        self, now_s: float, book: Mapping[str, object], kind: str, sides: tuple[Mapping[str, str], Mapping[str, str]]
    ) -> str:
        self._sent_s = now_s
        bids, asks = ([[price, size] for price, size in side.items()] for side in sides)
        data = {"s": book["s"], "b": bids, "a": asks, "u": self._update, "seq": book["seq"]}
        return frame({"topic": self._name, "type": kind, "ts": book["ts"], "data": data, "cts": book["cts"]})


def _levels(rows: object) -> dict[str, str]:
    assert isinstance(rows, list)
    return dict(rows)


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str]]:
    """Prices, rising, with their new sizes; 0 for a level that is gone."""
    changed = {price: size for price, size in now.items() if before.get(price) != size}
    changed |= {price: "0" for price in before if price not in now}
    return sorted(changed.items(), key=lambda level: Decimal(level[0]))


class Trades:
    """`publicTrade.SYMBOL`: what was traded since the last message."""

    def __init__(self, name: str, call: Call, listing: Listing) -> None:
        self._name = name
        self._call = call
        self._symbol = listing.symbol
        self._waiting: list[Mapping[str, object]] = []
        self._last = call.exchange.quote(listing.symbol).last
        self._move = UP

    def hear(self, event: ExchangeEvent) -> bool:
        fill = event.fill
        if fill is None or fill.symbol != self._symbol or fill.kind is not FillKind.TRADE:
            return True
        if len(self._waiting) == MAX_TRADES:
            return False
        self._move, self._last = direction(self._last, fill.price, self._move), fill.price
        self._waiting.append(self._row(fill))
        return True

    def _row(self, fill: Fill) -> Mapping[str, object]:
        it = self._call.exchange.listing(self._symbol).instrument
        taker = (Side.SELL if fill.side is Side.BUY else Side.BUY) if fill.maker else fill.side
        return {
            "T": self._call.stamp_ms(fill.at),
            "s": it.venue_symbol,
            "S": SIDE_NAMES[taker],
            "v": on(fill.contracts, it.lot),
            "p": on(fill.price, it.tick),
            "L": self._move,
            "i": fill.exec_id,
            "BT": False,
            "RPI": False,
            "seq": fill.seq,
        }

    def due(self) -> str | None:
        if not self._waiting:
            return None
        rows, self._waiting = self._waiting, []
        return frame({"topic": self._name, "type": "snapshot", "ts": self._call.now_ms(), "data": rows})


Make = Callable[[str, Call, Listing], Topic]
TOPICS: Mapping[str, Make] = {
    "tickers": Ticker,
    "publicTrade": Trades,
    **{f"orderbook.{depth}": partial(Book, depth) for depth in DEPTHS},
}
"""What stands before the symbol."""
