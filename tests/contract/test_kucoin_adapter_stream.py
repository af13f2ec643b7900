"""What of KuCoin's streams no other venue has: tokens, ids that stand for several orders, two topics to a price."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from account_processors import load
from account_processors.kucoin_processor import BASE_URL, KucoinProcessor
from account_processors.kucoin_stream import CONNECTIONS, PrivateStream
from account_processors.shared import VenueShared
from core.clock import VirtualClock
from core.domain import AccountId, MarginMode, OrderStatus, Price, Side, Symbol
from core.errors import Denied
from core.ports import Request, Response
from simulator.facades.kucoin import KucoinFacade
from simulator.facades.kucoin.stream_tokens import Tokens
from tests.contract.kucoin_bench import BENCH, BTC, ETH, Bench, order
from tests.contract.suite.benches import BOTH
from tests.contract.suite.follower import DOWN, EQUITY, FILL, ORDER, POSITION, UP, Followed, followed
from tests.unit.account_processors.lines import Chance, Line, Venue
from tests.unit.account_processors.virtual import virtual

D = Decimal
STREAM, TOKEN = "stream", "POST /api/v1/bullet-private"
ORDERS = "/contractMarket/tradeOrders"


def run(where: str, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    BENCH.run(where, scenario, streams=True)


def private_stream(sut: Followed) -> PrivateStream:
    assert isinstance(sut.adapter, KucoinProcessor)
    assert sut.adapter.private_stream is not None
    return sut.adapter.private_stream


def counts(sut: Followed) -> tuple[int, int, int]:
    """Messages that were foreign, repeated, and gaps."""
    found = private_stream(sut).counts
    return found.foreign, found.repeats, found.gaps


def facade(bench: Bench) -> KucoinFacade:
    found = bench.world.venues["kucoin"].facade
    assert isinstance(found, KucoinFacade)
    return found


def asked_for(bench: Bench, endpoint: str) -> int:
    return facade(bench).counts().by_endpoint.get(endpoint, 0)


def queries(bench: Bench) -> list[dict[str, list[str]]]:
    """Of every connection, in order."""
    return [parse_qs(urlsplit(one.url).query) for one in bench.recorder.connected]


# --- an order, told ---------------------------------------------------------------------------------------------------


@BOTH
def test_an_order_is_told_by_its_fill_its_end_the_position_and_the_money(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            mine = bench.next_id()
            await bench.place(order("12"), mine)
            await sut.until(lambda: bool(sut.of(EQUITY)))
            assert sut.kinds()[1:] == [FILL, ORDER, POSITION, EQUITY]
            (ended,), (position,), (equity,) = map(sut.of, (ORDER, POSITION, EQUITY))
            assert ended.outcome is not None
            assert (ended.client_id, ended.outcome.status, ended.outcome.filled) == (mine, OrderStatus.DONE, D(12))
            assert position.position == (await sut.adapter.positions()).of(BTC)
            assert equity.equity is not None
            assert equity.equity.value == (await sut.adapter.equity()).value
            assert counts(sut) == (0, 0, 0)

    run(where, scenario)


def test_leverage_of_a_pushed_position_is_that_of_the_order() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await bench.place(replace(order("12"), leverage=D(7)))
            await sut.until(lambda: bool(sut.of(POSITION)))
            pushed = sut.of(POSITION)[0].position
            assert pushed is not None
            assert (pushed.leverage, pushed.margin_mode) == (D(7), MarginMode.ISOLATED)

    run("memory", scenario)


def test_a_position_in_hedge_mode_is_denied() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.setup(position_mode="hedge")
            bench.foreign(BTC, "0.4")
            await sut.until(lambda: sut.ended is not None)
            assert isinstance(sut.ended, Denied)
            assert "One-Way" in str(sut.ended)

    run("memory", scenario)


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_every_connection_has_a_token_and_an_id_of_its_own() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            for ups in (2, 3):
                bench.fault("reset", STREAM)
                bench.foreign(BTC, f"0.{ups}")
                await sut.until_up(ups)
            assert asked_for(bench, TOKEN) == 3
            for name in ("token", "connectId"):
                assert len({query[name][0] for query in queries(bench)}) == 3

    run("memory", scenario)


def test_a_stream_outlives_its_tokens() -> None:
    async def scenario(bench: Bench) -> None:
        venue = facade(bench)._venue
        venue.tokens = Tokens(venue.exchange, life_s=600.0)
        async with followed(bench) as sut:
            await sut.until_up()
            await asyncio.sleep(2000)
            assert len(sut.of(UP)) == 3 + 1
            sut.got.clear()
            await bench.place(order("12"))
            await sut.until(lambda: bool(sut.of(FILL)))

    run("memory", scenario)


def test_a_token_that_ran_out_on_the_way_is_said_and_replaced() -> None:
    async def scenario(bench: Bench) -> None:
        venue = facade(bench)._venue
        venue.tokens = Late(venue.exchange)
        async with followed(bench) as sut:
            await sut.until_up()
            assert sut.kinds() == [DOWN, UP]
            assert "token is expired" in sut.why()[0]
            assert all(query["token"][0] not in repr(sut.got) for query in queries(bench))

    run("memory", scenario)


class Late(Tokens):
    """The first token is out of date before it is used."""

    def issue(self, account: str | None) -> str:
        text = super().issue(account)
        if self._issued == 1:
            self.expire()
        return text


def test_a_venue_that_gives_no_token_is_told_and_asked_again() -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault("status", "any", 503, count=4)
        async with followed(bench) as sut:
            await sut.until_up()
            assert "503" in sut.why()[0]
            assert bench.over_limit() == 0

    run("memory", scenario)


def test_connections_of_one_address_stay_below_the_venues_limit() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench, "main") as sut, followed(bench, "second") as other:
            for _ in range(40):
                bench.fault("reset", STREAM, count=2)
                bench.foreign(BTC, "0.1")
                bench.foreign(BTC, "0.2")
                await asyncio.sleep(2)
            await asyncio.gather(sut.until_up(2), other.until_up(2))
        assert CONNECTIONS[0] < 30
        assert bench.over_limit() == 0

    run("memory", scenario)


# --- what a message may be worth --------------------------------------------------------------------------------------


def test_an_id_that_stands_for_two_orders_settles_nothing() -> None:
    """The venue was seen to take several orders with one id: their fills must not add up to one that is complete."""

    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            mine = bench.next_id()
            bench.fault("accept_duplicate_ids", "order_create", count=0)
            await bench.place(order("12"), mine)
            await bench.place(order("5"), mine)
            await bench.place(order("3"))
            await sut.until(lambda: len(sut.of(FILL)) == 3)
            assert [one.client_id for one in sut.of(FILL)] == [mine, None, f"{bench.ids:032x}"]
            assert [one.fill.client_id for one in sut.of(FILL) if one.fill] == [one.client_id for one in sut.of(FILL)]
            assert "two orders with the id" in sut.why()[0]
            assert len(sut.of(UP)) == 2
            assert counts(sut)[2] == 1

    run("memory", scenario)


def test_late_messages_are_as_good_as_none() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault("delay_ms", STREAM, 6_000)
            await bench.place(order("12"))
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert "s late" in sut.why()[0]
            assert sut.of(FILL) == []
            await sut.until_up(2)

    run("memory", scenario)


def test_a_venue_whose_clock_is_set_is_heard_again() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.admin.clock({"venue": "kucoin", "offset_ms": -60_000})
            bench.foreign(BTC, "0.5")
            await sut.until_up(2)  # what seemed a minute late ended it; the new connection knows better
            assert "s late" in sut.why()[0]
            bench.foreign(BTC, "0.6")
            await sut.until(lambda: bool(sut.of(POSITION)))

    run("memory", scenario)


def test_what_is_not_traded_here_is_counted() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            assert isinstance(sut.adapter, KucoinProcessor)
            known = await sut.adapter.instruments()
            sut.shared._kept["instruments"] = replace(
                sut.shared._kept["instruments"], value={name: it for name, it in known.items() if name != ETH}
            )
            bench.foreign(ETH, "2")
            await sut.until(lambda: bool(sut.of(EQUITY)))
            assert (sut.of(POSITION), sut.of(FILL)) == ([], [])
            assert counts(sut)[0] == 3

    run("memory", scenario)


# --- prices -----------------------------------------------------------------------------------------------------------


async def price(sut: Followed, symbol: Symbol = BTC) -> tuple[Price, int]:
    """A price, and the requests it took."""
    before = len(sut.bench.recorder.sent)
    found = (await sut.adapter.prices([symbol]))[symbol]
    return found, len(sut.bench.recorder.sent) - before


@BOTH
def test_prices_come_from_the_stream_once_it_is_there(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            first, requests = await price(sut)
            assert (first.mark, first.last, requests > 0) == (D(50000), D(50000), True)
            await asyncio.sleep(2.5)
            streamed, requests = await price(sut)
            assert (streamed.mark, streamed.last, requests) == (D(50000), None, 0)
            assert streamed.bid is not None
            assert streamed.ask is not None
            assert streamed.bid <= 50000 <= streamed.ask
            assert -0.1 <= bench.clock.time() - streamed.at <= 2.5
            bench.admin.price({"symbol": BTC, "price": "50500"})
            await asyncio.sleep(1.5)
            moved, requests = await price(sut)
            assert (moved.mark, requests) == (D(50500), 0)

    run(where, scenario)


def test_a_price_without_a_stream_or_an_odd_one_is_asked_for() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await price(sut)
            await asyncio.sleep(2.5)
            bench.admin.price({"symbol": BTC, "price": "50000", "last": "52000"})
            await asyncio.sleep(1.5)
            found, requests = await price(sut)
            assert (found.mark, found.last, requests > 0) == (D(50000), D(52000), True)
            bench.admin.price({"symbol": BTC, "price": "50000"})
            await asyncio.sleep(1.5)
            assert (await price(sut))[1] == 0
            bench.fault("hang", STREAM, 600_000, count=2)
            await asyncio.sleep(3.1)
            assert (await price(sut))[1] > 0

    run("memory", scenario)


def test_prices_of_many_symbols_take_few_frames_and_no_request() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            symbols = list(await sut.adapter.instruments())
            for _ in range(3):
                await sut.adapter.prices(symbols)
                await asyncio.sleep(1.5)
            before = len(bench.recorder.sent)
            assert set(await sut.adapter.prices([*symbols])) == set(symbols)
            assert len(bench.recorder.sent) == before
            assert bench.over_limit() == 0
            await sut.adapter.prices([Symbol("NOSUCHUSDT")])
            await asyncio.sleep(1.5)
            assert len(bench.recorder.connected) == 2

    run("memory", scenario)


# --- a scripted venue -------------------------------------------------------------------------------------------------


class Scripted(Venue):
    """Answers requests as the venue does; `endpoint` is where its token leads."""

    def __init__(self, clock: VirtualClock, endpoint: str, ping_ms: int = 18000) -> None:
        super().__init__(clock, self.answered, greet=lambda line: line.say('{"id": "x", "type": "welcome"}'))
        self.endpoint = endpoint
        self.ping_ms = ping_ms

    def answered(self, line: Line, text: str) -> None:
        asked = json.loads(text)
        kind = "pong" if asked["type"] == "ping" else "ack"
        line.say(json.dumps({"id": asked["id"], "type": kind}))

    async def send(self, request: Request) -> Response:
        server = {"endpoint": self.endpoint, "encrypt": True, "pingInterval": self.ping_ms, "pingTimeout": 10000}
        data: object = {"token": "a-token", "instanceServers": [server]}
        if request.url.endswith("timestamp"):
            data = round(self.clock.time() * 1000)
        elif request.url.endswith("active"):
            data = []
        return Response(200, {}, json.dumps({"code": "200000", "data": data}).encode(), self.clock.time())


def adapter(venue: Scripted, base_url: str | None, ws_url: str | None) -> KucoinProcessor:
    keys = {"api_key": "a-key-of-mine", "api_secret": "a-secret", "api_passphrase": "a-phrase"}
    shared = VenueShared(venue.clock)
    made = load("kucoin")(AccountId("kucoin-x"), keys, venue, venue.clock, Chance(), base_url, ws_url, shared)
    assert isinstance(made, KucoinProcessor)
    return made


async def heard(venue: Scripted, sut: KucoinProcessor, seconds: float) -> list[str]:
    """Kinds of events, or why there is none."""
    found: list[str] = []

    async def follow() -> None:
        async for event in sut.events():
            found.append(event.because or event.kind.value)  # noqa: PERF401 - it never ends

    task = asyncio.create_task(follow())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


PLACES: list[tuple[str | None, str | None, str, str | None]] = [
    # base_url, ws_url, the endpoint of the token, where it connects (None: nowhere)
    (None, None, "wss://push.example/endpoint", "wss://push.example/endpoint/"),
    (BASE_URL + "/", None, "wss://push.example/", "wss://push.example/"),
    (None, "wss://mine.example", "wss://push.example/", "wss://mine.example/"),
    (None, None, "ws://push.example/", None),
    ("http://venue.test", "ws://venue.test", "wss://push.example/", "ws://venue.test/"),
]


@pytest.mark.parametrize(("base_url", "ws_url", "endpoint", "where"), PLACES)
def test_streams_are_where_the_account_or_the_venue_says_and_encrypted(
    base_url: str | None, ws_url: str | None, endpoint: str, where: str | None
) -> None:
    async def main(clock: VirtualClock) -> None:
        venue = Scripted(clock, endpoint)
        sut = adapter(venue, base_url, ws_url)
        assert sut.capabilities.private_stream
        found = await heard(venue, sut, 0.5)
        if where is None:
            assert "not encrypted" in found[0]
            assert venue.asked == []
        else:
            assert found == ["stream_up"]
            assert [one.url.partition("?")[0] for one in venue.asked] == [where]
            assert "token=a-token" in venue.asked[0].url

    virtual(main)


def test_at_another_address_there_are_no_streams_unless_they_are_named() -> None:
    async def main(clock: VirtualClock) -> None:
        sut = adapter(Scripted(clock, "wss://push.example/"), "http://venue.test", None)
        assert not sut.capabilities.private_stream
        assert [event async for event in sut.events()] == []

    virtual(main)


@pytest.mark.parametrize(("ping_ms", "apart_s"), [(18_000, 5.0), (3_000, 3.0)])
def test_pings_come_as_often_as_the_token_says(ping_ms: int, apart_s: float) -> None:
    async def main(clock: VirtualClock) -> None:
        venue = Scripted(clock, "wss://push.example/", ping_ms)
        await heard(venue, adapter(venue, None, None), 100)
        pings = [at for at, text in venue.lines[0].sent if json.loads(text)["type"] == "ping"]
        assert {round(after - before, 3) for before, after in pairwise(pings)} == {apart_s}

    virtual(main)


def test_nothing_is_said_before_the_welcome_and_up_is_when_all_is_acknowledged() -> None:
    async def main(clock: VirtualClock) -> None:
        venue = Scripted(clock, "wss://push.example/")
        venue.greet = lambda line: None
        said: list[str] = []
        venue.heard = lambda line, text: said.append(json.loads(text)["id"])
        sut = adapter(venue, None, None)
        events = sut.events()
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(1)
        assert said == []
        venue.line.say('{"type": "welcome"}')
        await asyncio.sleep(0.1)
        assert len(said) == 3
        for topic in said[:2]:
            venue.line.say(json.dumps({"id": topic, "type": "ack"}))
        await asyncio.sleep(0.1)
        assert not first.done()
        venue.line.say(json.dumps({"id": said[2], "type": "ack"}))
        assert (await first).kind is UP
        await events.aclose()  # type: ignore[attr-defined]  # the adapter's iterator is a generator

    virtual(main)


@pytest.mark.parametrize(
    ("code", "words", "what"), [(404, "topic is not found", "404: topic is not found"), (509, "too much", "509")]
)
def test_a_refused_topic_ends_the_connection_with_the_venues_words(code: int, words: str, what: str) -> None:
    async def main(clock: VirtualClock) -> None:
        venue = Scripted(clock, "wss://push.example/")
        venue.heard = lambda line, text: line.say(
            json.dumps({"id": ORDERS, "type": "error", "code": code, "data": f"{words} a-key-of-mine a-token"})
        )
        found = await heard(venue, adapter(venue, None, None), 0.5)
        assert what in found[0]
        assert "a-key-of-mine" not in found[0]
        assert "a-token" not in found[0]

    virtual(main)


def test_sell_and_buy_are_told_apart_in_a_flip() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            for size, side in (("12", Side.BUY), ("12", Side.SELL), ("7", Side.SELL)):
                await bench.place(order(size, side))
            await sut.until(lambda: len(sut.of(POSITION)) == 3)
            assert [one.position.contracts for one in sut.of(POSITION) if one.position] == [D(12), D(0), D(-7)]

    run("memory", scenario)
