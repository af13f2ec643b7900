"""BloFin's `/ws/public`: market data without a login.

Source: https://docs.blofin.com. Channels served: tickers, trades, books, books5, funding-rate and candles of the mark
price (`mark-price-candle1m` …); others are refused. Tickers and candles come once a second at most, funding rates every
thirty, books ten times a second. The venue has no channel of mark prices; their candles are what comes closest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

from core.domain import Side, plain
from core.matching import Level
from simulator.facades.blofin import public
from simulator.facades.blofin.context import Call, Venue
from simulator.facades.blofin.queries import SIDE_NAMES, TRADE_BASE
from simulator.facades.blofin.stream_wire import LOGIN_FAILED, Asked, Channel, error, news
from simulator.facades.blofin.wire import Params
from simulator.facades.parts import Json, on
from simulator.model import ExchangeEvent, Fill, FillKind, Listing, Refused

PUSH_S = 0.1
QUIET_S = 1.0
MOST_TRADES = 1_000
"""Waiting to be fetched. A client that lets more wait loses the connection."""
CANDLES = "mark-price-candle"
DEPTHS: Mapping[str, int] = {"books": 200, "books5": 5}
Levels = Mapping[Decimal, Decimal]
"""Price -> contracts."""


class Topic(Protocol):
    """One subscription of one connection."""

    def hear(self, fill: Fill) -> None: ...

    def due(self) -> str | None:
        """The message to send now, if there is one."""


class Quiet:
    """When what moves with the prices was looked at last, and may be looked at again."""

    def __init__(self, call: Call, listing: Listing, every_s: float) -> None:
        self._call = call
        self._symbol = listing.symbol
        self._every_s = every_s
        self._next_s = 0.0
        self._seen: object = None

    def over(self) -> bool:
        """Whether a price can have changed since this was last so, `every_s` ago or longer."""
        exchange = self._call.exchange
        now_s, seen = exchange.clock.monotonic(), self._price()
        if now_s < self._next_s or seen == self._seen:
            return False
        self._seen, self._next_s = seen, now_s + self._every_s
        return True

    def _price(self) -> object:
        exchange = self._call.exchange
        return exchange.market.stamp(exchange.clock.time()), exchange.listing(self._symbol)


class Shown:
    """Rows of a REST answer, sent as they change."""

    def __init__(self, channel: Channel, quiet: Quiet, read: Callable[[], object]) -> None:
        self._channel = channel
        self._quiet = quiet
        self._read = read

    def hear(self, fill: Fill) -> None:
        """Bookings change nothing here."""

    def due(self) -> str | None:
        return news(self._channel, self._read()) if self._quiet.over() else None


class Trades:
    """What was traded since the last message. The only trades are those of the simulated accounts."""

    def __init__(self, channel: Channel, call: Call, listing: Listing) -> None:
        self._channel = channel
        self._call = call
        self._listing = listing
        self._waiting: list[Json] = []

    def hear(self, fill: Fill) -> None:
        if fill.symbol == self._listing.symbol and fill.kind is FillKind.TRADE:
            self._waiting = [*self._waiting[1 - MOST_TRADES :], self._row(fill)]

    def _row(self, fill: Fill) -> Json:
        taker = (Side.SELL if fill.side is Side.BUY else Side.BUY) if fill.maker else fill.side
        return {
            "instId": self._channel.inst_id,
            "tradeId": str(TRADE_BASE + fill.seq),
            "price": on(fill.price, self._listing.instrument.tick),
            "size": plain(fill.contracts),
            "side": SIDE_NAMES[taker],
            "ts": self._call.stamp(fill.at),
        }

    def due(self) -> str | None:
        rows, self._waiting = self._waiting, []
        return news(self._channel, rows) if rows else None


class Book:
    """All levels first, then (`whole`: again all of them) those that changed; each message names the one before it."""

    def __init__(self, channel: Channel, call: Call, listing: Listing, quiet: Quiet) -> None:
        self._channel = channel
        self._call = call
        self._symbol = listing.symbol
        self._quiet = quiet
        self._whole = channel.name != "books"
        self._before: tuple[Levels, Levels] | None = None
        self._sequence = call.exchange.state.seq

    def hear(self, fill: Fill) -> None:
        """Bookings leave the book as it is: it is made around the price."""

    def due(self) -> str | None:
        if not self._quiet.over():
            return None
        before = self._before
        bids, asks = self._call.exchange.book(self._symbol, DEPTHS[self._channel.name])
        self._before = now = (_levels(bids), _levels(asks))
        if now == before:
            return None
        last, self._sequence = self._sequence, self._sequence + 1
        if before is None or self._whole:
            return self._told("snapshot", now, 0)
        return self._told("update", (_changes(before[0], now[0]), _changes(before[1], now[1])), last)

    def _told(self, action: str, sides: tuple[Levels, Levels], last: int) -> str:
        data: dict[str, object] = {"asks": "ASKS", "bids": "BIDS", "ts": self._call.now()}
        if not self._whole:
            data |= {"prevSeqId": str(last), "seqId": str(self._sequence)}
        told = news(self._channel, data, action=action)
        return told.replace('"BIDS"', _written(sides[0])).replace('"ASKS"', _written(sides[1]))


def _levels(levels: tuple[Level, ...]) -> Levels:
    return {level.price: level.contracts for level in levels}


def _written(side: Levels) -> str:
    """Levels as the venue's streams send them: JSON numbers, where its answers have text."""
    return f"[{','.join(f'[{plain(price)},{plain(size)}]' for price, size in side.items())}]"


def _changes(before: Levels, now: Levels) -> Levels:
    """0 for a level that is gone."""
    changed = {price: size for price, size in now.items() if before.get(price) != size}
    return changed | {price: Decimal(0) for price in before if price not in now}


# --- the connection ---------------------------------------------------------------------------------------------------


class PublicDesk:
    """See `stream_session.Desk`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._topics: dict[Channel, Topic] = {}
        self._stop = venue.exchange.subscribe(self._hear)

    @property
    def account(self) -> str | None:
        return None

    @property
    def wake_in_s(self) -> float:
        return PUSH_S if self._topics else QUIET_S

    @property
    def flooded(self) -> bool:
        return False

    def login(self, asked: Asked) -> str:
        """There is nobody to be here."""
        return error(LOGIN_FAILED, "Login failed.")

    def opens(self, channel: Channel) -> bool:
        try:
            listing = self._venue.exchange.listing_at(channel.inst_id)
        except Refused:
            return False
        topic = self._made(channel, listing)
        if topic is not None:
            self._topics[channel] = topic
        return topic is not None

    def _made(self, channel: Channel, listing: Listing) -> Topic | None:
        call = Call(self._venue, "", Params({"instId": channel.inst_id}))
        bar = channel.name.removeprefix(CANDLES)
        if channel.name == "tickers":
            return Shown(channel, Quiet(call, listing, 1.0), lambda: public.tickers(call))
        if channel.name == "funding-rate":
            return Shown(channel, Quiet(call, listing, 30.0), lambda: public.funding_rates(call))
        if channel.name == "trades":
            return Trades(channel, call, listing)
        if channel.name in DEPTHS:
            return Book(channel, call, listing, Quiet(call, listing, PUSH_S))
        if bar != channel.name and bar in public.BARS_MIN:
            running = Call(self._venue, "", Params({"instId": channel.inst_id, "bar": bar, "limit": "1"}))
            return Shown(channel, Quiet(call, listing, 1.0), lambda: public.mark_candles(running))
        return None

    def leaves(self, channel: Channel) -> None:
        del self._topics[channel]

    def _hear(self, event: ExchangeEvent) -> None:
        if event.fill is not None:
            for topic in self._topics.values():
                topic.hear(event.fill)

    def due(self) -> tuple[str, ...]:
        self._venue.exchange.advance()
        return tuple(told for topic in self._topics.values() if (told := topic.due()) is not None)

    def close(self) -> None:
        self._stop()
