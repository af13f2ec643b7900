"""Bybit's prices from the ticker stream, over a scripted venue on virtual time: fresh ones count, all else is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from account_processors import load
from account_processors.bybit_prices import MOST_SYMBOLS
from account_processors.shared import VenueShared
from account_processors.tickers import ASKED_FOR_S, Tickers
from core.clock import VirtualClock
from core.domain import AccountId, Price, Symbol
from core.errors import NotSent
from core.ports import AccountProcessor, Request, Response
from tests.unit.account_processors.lines import Chance, Line, Venue
from tests.unit.account_processors.virtual import virtual

D = Decimal
BTC, ETH, SOL = Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT")
AHEAD_S = 30.0
ASKED, STREAMED = "40000", "50000"
Row = dict[str, str]


class Bybit(Venue):
    """Requests answer mark `ASKED` for every symbol; streams say what the test tells them to."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock, self.subscribed)
        self.requests: list[str] = []
        self.topics: list[tuple[str, str]] = []
        self.refused: set[str] = set()

    def subscribed(self, line: Line, text: str) -> None:
        asked = json.loads(text)
        if asked["op"] == "ping":
            line.say('{"success":true,"ret_msg":"pong","op":"ping"}')
            return
        (topic,) = asked["args"]
        self.topics.append((asked["op"], topic))
        ok = topic not in self.refused
        line.say(json.dumps({"success": ok, "ret_msg": "", "op": asked["op"], "req_id": asked["req_id"]}))

    async def send(self, request: Request) -> Response:
        url = urlsplit(request.url)
        symbols = parse_qs(url.query).get("symbol", [BTC, ETH, SOL])
        rows = [{"symbol": symbol, "markPrice": ASKED, "lastPrice": ASKED} for symbol in symbols]
        self.requests.append(url.path)
        body = {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": self.ms()}
        return Response(200, {}, json.dumps(body).encode(), self.clock.time())

    def ms(self, age_s: float = 0.0) -> int:
        return round((self.clock.time() + AHEAD_S - age_s) * 1000)

    def tell(self, symbol: str, row: Row, kind: str = "snapshot", age_s: float = 0.0) -> None:
        body: dict[str, object] = {"topic": f"tickers.{symbol}", "type": kind, "data": {"symbol": symbol, **row}}
        self.line.say(json.dumps(body | {"cs": 1, "ts": self.ms(age_s)}))


class Bench:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.venue = Bybit(clock)
        self.shared = VenueShared(clock)
        self.adapter = self.another("main")

    def another(self, name: str) -> AccountProcessor:
        keys = {"api_key": f"key-{name}", "api_secret": "secret"}
        place = ("http://venue.test", "ws://venue.test", self.shared)
        return load("bybit")(AccountId(f"bybit-{name}"), keys, self.venue, self.clock, Chance(), *place)

    async def price(self, symbol: Symbol = BTC) -> Price:
        return (await self.adapter.prices([symbol]))[symbol]

    async def asked(self, *symbols: Symbol) -> bool:
        """Whether the prices came by request; whichever way, they are those of one source."""
        before = len(self.venue.requests)
        found = await self.adapter.prices(symbols)
        assert set(found) == set(symbols)
        by_request = len(self.venue.requests) > before
        assert {str(price.mark) for price in found.values()} == {ASKED if by_request else STREAMED}
        return by_request


WHOLE: Row = {"markPrice": STREAMED, "lastPrice": "50001", "bid1Price": "50000", "ask1Price": "50001.5"}


def bench(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        at = Bench(clock)
        await at.price()
        await asyncio.sleep(0.1)
        assert at.venue.asked[0].url == "ws://venue.test/v5/public/linear"
        await scenario(at)
        await at.shared.close()
        assert all(line.closed for line in at.venue.lines)

    virtual(main)


# --- fresh ------------------------------------------------------------------------------------------------------------


def test_a_fresh_ticker_answers_without_a_request() -> None:
    async def scenario(at: Bench) -> None:
        assert await at.asked(BTC)
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(1.5)
        assert not await at.asked(BTC)
        price = await at.price()
        assert (price.mark, price.last, price.bid, price.ask) == (D(50000), D(50001), D(50000), D("50001.5"))
        assert price.at == pytest.approx(at.clock.time() - 1.5, abs=0.01)

    bench(scenario)


def test_a_delta_changes_what_it_names() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        at.venue.tell(BTC, {"markPrice": "50000.5", "bid1Price": ""}, "delta")
        await asyncio.sleep(0.1)
        price = await at.price()
        assert (price.mark, price.last, price.bid, price.ask) == (D("50000.5"), D(50001), None, D("50001.5"))

    bench(scenario)


def test_a_snapshot_begins_anew() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        at.venue.tell(BTC, {"markPrice": STREAMED})
        await asyncio.sleep(0.1)
        assert (await at.price()).last is None

    bench(scenario)


# --- stale ------------------------------------------------------------------------------------------------------------


async def deltas_without_mark(at: Bench) -> None:
    for _ in range(30):
        await asyncio.sleep(0.1)
        at.venue.tell(BTC, {"bid1Price": "50000.1"}, "delta")


STALE: list[tuple[str, Callable[[Bench], Awaitable[None]]]] = [
    ("nothing came for two seconds", lambda at: asyncio.sleep(2.1)),
    ("the mark was not stated for two seconds", deltas_without_mark),
]


@pytest.mark.parametrize(("what", "spoil"), STALE, ids=[what for what, _ in STALE])
def test_a_mark_of_more_than_two_seconds_is_asked_for(what: str, spoil: Callable[[Bench], Awaitable[None]]) -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.1)
        assert not await at.asked(BTC)
        await spoil(at)
        assert await at.asked(BTC)
        at.venue.tell(BTC, {"markPrice": STREAMED}, "delta")
        await asyncio.sleep(0.1)
        assert not await at.asked(BTC)

    bench(scenario)


UNUSABLE: list[tuple[str, str, float, Row]] = [
    ("old when it came", "snapshot", 2.5, WHOLE),
    ("a delta of nothing", "delta", 0.0, WHOLE),
    ("no mark", "snapshot", 0.0, {"lastPrice": STREAMED}),
    ("an empty mark", "snapshot", 0.0, WHOLE | {"markPrice": ""}),
    ("a mark that is no number", "snapshot", 0.0, WHOLE | {"markPrice": "NaN"}),
    ("a mark of nothing", "snapshot", 0.0, WHOLE | {"markPrice": "0"}),
    ("last far from the mark", "snapshot", 0.0, WHOLE | {"lastPrice": "48900"}),
    ("a crossed book", "snapshot", 0.0, WHOLE | {"bid1Price": "50002"}),
]


@pytest.mark.parametrize(("what", "kind", "age_s", "row"), UNUSABLE, ids=[what for what, *_ in UNUSABLE])
def test_what_cannot_be_trusted_is_asked_for(what: str, kind: str, age_s: float, row: Row) -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, row, kind, age_s=age_s)
        await asyncio.sleep(0.1)
        assert await at.asked(BTC)
        assert len(at.venue.lines) == 1

    bench(scenario)


def test_an_overtaken_message_changes_nothing() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        at.venue.tell(BTC, {"markPrice": "60000"}, "delta", age_s=1.0)
        at.venue.tell(BTC, {"markPrice": "60000"}, "snapshot", age_s=1.0)
        await asyncio.sleep(0.1)
        assert not await at.asked(BTC)

    bench(scenario)


def test_one_symbol_that_is_not_fresh_makes_all_of_them_asked_for() -> None:
    async def scenario(at: Bench) -> None:
        await at.asked(BTC, ETH)
        await asyncio.sleep(1.1)
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.1)
        assert await at.asked(BTC, ETH)
        at.venue.tell(ETH, WHOLE)
        await asyncio.sleep(0.1)
        assert not await at.asked(BTC, ETH)

    bench(scenario)


def test_before_the_venues_time_is_known_nothing_is_fresh() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.1)
        assert not await at.asked(BTC)
        newcomer = at.another("second")
        before = len(at.venue.requests)
        await newcomer.prices([BTC])
        assert len(at.venue.requests) == before + 1
        await newcomer.prices([BTC])
        assert len(at.venue.requests) == before + 1
        assert len(at.venue.lines) == 1  # shared

    bench(scenario)


# --- the connection ---------------------------------------------------------------------------------------------------


def test_a_dead_stream_says_nothing_and_comes_back_with_all_its_symbols() -> None:
    async def scenario(at: Bench) -> None:
        await at.asked(BTC, ETH)
        await asyncio.sleep(1.1)
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.1)
        assert not await at.asked(BTC)
        at.venue.topics.clear()
        at.venue.line.end()
        await asyncio.sleep(0.1)
        assert await at.asked(BTC)
        await asyncio.sleep(1.5)
        assert at.venue.topics == [("subscribe", "tickers.BTCUSDT"), ("subscribe", "tickers.ETHUSDT")]
        at.venue.tell(BTC, {"markPrice": "50100"}, "delta")  # of a snapshot that died with the connection
        await asyncio.sleep(0.1)
        assert await at.asked(BTC)
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.1)
        assert not await at.asked(BTC)

    bench(scenario)


def test_garbage_ends_the_connection_and_prices_are_asked_for() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        at.venue.line.say('{"topic":"tick')
        await asyncio.sleep(0.1)
        assert at.venue.lines[0].closed
        assert await at.asked(BTC)

    bench(scenario)


def test_a_venue_without_streams_costs_nothing_but_quiet_attempts() -> None:
    async def main(clock: VirtualClock) -> None:
        at = Bench(clock)
        at.venue.refuse = NotSent("connection refused")
        for _ in range(600):
            assert await at.asked(BTC)
            await asyncio.sleep(1)
        assert 20 < len(at.venue.tried_s) < 26
        await at.shared.close()

    virtual(main)


def test_closing_what_is_shared_ends_the_stream_for_good() -> None:
    async def scenario(at: Bench) -> None:
        await at.shared.close()
        assert at.venue.line.closed
        assert await at.asked(BTC)
        await asyncio.sleep(60)
        assert len(at.venue.lines) == 1

    bench(scenario)


# --- which symbols ----------------------------------------------------------------------------------------------------


def test_symbols_are_followed_while_they_are_asked_for() -> None:
    async def scenario(at: Bench) -> None:
        await at.asked(ETH)
        await asyncio.sleep(0)  # a nudge, not the next tick
        await asyncio.sleep(0.01)
        assert at.venue.topics == [("subscribe", "tickers.BTCUSDT"), ("subscribe", "tickers.ETHUSDT")]
        at.venue.tell(ETH, WHOLE)
        at.venue.topics.clear()
        for _ in range(int(ASKED_FOR_S) + 2):
            await at.adapter.prices([BTC])
            await asyncio.sleep(1)
        assert at.venue.topics == [("unsubscribe", "tickers.ETHUSDT")]
        at.venue.tell(ETH, {"markPrice": "50100"}, "delta")  # was under way
        await asyncio.sleep(0.1)
        assert await at.asked(ETH)
        await asyncio.sleep(1.1)
        assert at.venue.topics[1:] == [("subscribe", "tickers.ETHUSDT")]
        at.venue.tell(ETH, {"markPrice": "50100"}, "delta")  # of a snapshot that is forgotten
        await asyncio.sleep(0.1)
        assert await at.asked(ETH)
        at.venue.tell(ETH, WHOLE)
        await asyncio.sleep(0.1)
        assert not await at.asked(ETH)

    bench(scenario)


def test_a_refused_symbol_costs_the_others_nothing() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.refused.add("tickers.SOLUSDT")
        await at.asked(SOL)
        await asyncio.sleep(1.1)
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.1)
        assert await at.asked(SOL)
        assert not await at.asked(BTC)
        assert len(at.venue.lines) == 1

    bench(scenario)


def made_anew() -> Tickers:
    raise AssertionError


def test_what_nobody_asked_for_is_not_kept_and_what_is_followed_is_bounded() -> None:
    async def scenario(at: Bench) -> None:
        many = [Symbol(f"A{n}USDT") for n in range(2 * MOST_SYMBOLS)]
        await at.adapter.prices(many)
        for symbol in ("ZUSDT", many[-1]):
            at.venue.tell(symbol, WHOLE)
        await asyncio.sleep(0.5)
        tickers = at.shared.lasting("tickers at ws://venue.test", made_anew)
        assert len(tickers._asked) == MOST_SYMBOLS
        assert tickers._quotes == {}
        assert len(at.venue.topics) == MOST_SYMBOLS

    bench(scenario)


def test_the_price_ages_by_this_machines_clock_even_if_that_is_set() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.5)
        at.clock.step(3600)
        assert not await at.asked(BTC)
        assert (await at.price()).at == pytest.approx(at.clock.time() - 0.5, abs=0.01)

    bench(scenario)


def test_asked_for_twice_in_one_question_is_one_symbol() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.tell(BTC, WHOLE)
        await asyncio.sleep(0.1)
        found: Mapping[Symbol, Price] = await at.adapter.prices([BTC, BTC])
        assert found[BTC].mark == D(STREAMED)

    bench(scenario)
