"""Bybit's private stream over a scripted venue, on virtual time: login, topics, what is told and what is kept out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from account_processors import load
from account_processors.bybit_processor import BybitProcessor
from account_processors.bybit_stream import BASE_URL, CONNECTIONS, STREAMS
from account_processors.shared import VenueShared
from account_processors.stream_parts import connection_room, stream_url
from account_processors.wiring import Wiring
from core.clock import VirtualClock
from core.domain import AccountId, MarginMode, Symbol, VenueEvent, VenueEventKind
from core.errors import Denied, NotSent, Unavailable
from core.ports import Request, Response
from tests.unit.account_processors.bybit_golden import GOLDEN
from tests.unit.account_processors.lines import Chance, Line, Venue
from tests.unit.account_processors.virtual import virtual

KEY, SECRET = "canary-key", "canary-secret"
AHEAD_S = 30.0
POSITION = json.loads((GOLDEN / "stream_position.json").read_text())["data"][0]
BTC = Symbol("BTCUSDT")


class Bybit(Venue):
    """Streams by `heard`, requests by path. Its clock is `AHEAD_S` ahead of ours."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock, friendly)
        self.requests: list[str] = []
        self.unreachable = ""
        self.info = "account_isolated"

    async def send(self, request: Request) -> Response:
        url = urlsplit(request.url)
        self.requests.append(f"{url.path}?{url.query}")
        if url.path == self.unreachable:
            raise NotSent("connection refused")
        names = {"/v5/market/instruments-info": "instruments", "/v5/account/info": self.info}
        body = json.loads((GOLDEN / f"{names.get(url.path, 'empty')}.json").read_text())
        if url.path == "/v5/market/instruments-info":
            body["result"]["nextPageCursor"] = ""
        return Response(200, {}, json.dumps(body | {"time": self.now_ms()}).encode())

    def now_ms(self) -> int:
        return round((self.clock.time() + AHEAD_S) * 1000)

    def message(self, topic: str, *rows: Mapping[str, object], late_s: float = 0.0) -> str:
        made_ms = self.now_ms() - round(late_s * 1000)
        return json.dumps({"id": "1", "topic": topic, "creationTime": made_ms, "data": rows})


def answer(asked: Mapping[str, Any], **more: object) -> str:
    return json.dumps({"success": True, "ret_msg": "", "op": asked["op"], "req_id": asked.get("req_id", "")} | more)


def friendly(line: Line, text: str) -> None:
    asked = json.loads(text)
    line.say('{"op":"pong"}' if asked["op"] == "ping" else answer(asked))


def refusing(op: str, why: str) -> Callable[[Line, str], None]:
    def heard(line: Line, text: str) -> None:
        asked = json.loads(text)
        line.say(answer(asked, success=False, ret_msg=why) if asked["op"] == op else answer(asked))

    return heard


class Bench:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.venue = Bybit(clock)
        self.shared = VenueShared(clock)
        made = load("bybit")(
            AccountId("bybit-main"), {"api_key": KEY, "api_secret": SECRET}, self.venue, clock, Chance(),
            "http://venue.test", "ws://venue.test/", self.shared,
        )  # fmt: skip
        assert isinstance(made, BybitProcessor)
        self.adapter = made
        self.got: list[VenueEvent] = []

    async def follow(self) -> None:
        async for event in self.adapter.events():
            self.got.append(event)

    def words(self) -> list[str]:
        return [one.because or one.symbol or one.kind.value for one in self.got]

    @property
    def counts(self) -> tuple[int, int, int]:
        assert self.adapter.private_stream is not None
        counts = self.adapter.private_stream.counts
        return counts.foreign, counts.repeats, counts.gaps


def bench(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        await scenario(Bench(clock))

    virtual(main)


def followed(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main(at: Bench) -> None:
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(0.5)
        assert at.words() == ["stream_up"]
        await scenario(at)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await at.shared.close()
        assert all(line.closed for line in at.venue.lines)

    bench(main)


# --- login and topics -------------------------------------------------------------------------------------------------


def test_the_login_is_in_venue_time_and_the_topics_follow_it() -> None:
    async def scenario(at: Bench) -> None:
        assert at.venue.asked[0].url == "ws://venue.test/v5/private"
        login, topics = map(json.loads, at.venue.line.texts())
        key, expires_ms, _ = login["args"]
        assert key == KEY
        assert expires_ms == pytest.approx(at.venue.now_ms() - 500 + 10_000, abs=5)
        assert topics == {"req_id": "position", "op": "subscribe", "args": ["position", "order", "execution", "wallet"]}
        assert [path.partition("?")[0] for path in at.venue.requests] == [
            "/v5/market/instruments-info",
            "/v5/market/time",
        ]

    followed(scenario)


def test_a_refused_login_is_denied_and_quotes_no_secret() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.heard = refusing("auth", f"error sign! {KEY} {SECRET} is wrong")
        for _ in range(3):
            with pytest.raises(Denied, match=r"error sign!.*check that") as caught:
                await at.follow()
            assert "canary" not in str(caught.value)
        assert at.venue.pauses_s() == pytest.approx([60, 60], abs=0.5)
        assert "canary" not in f"{at.got!r}"
        assert at.got == []

    bench(scenario)


def test_refused_topics_are_tried_again_without_haste() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.heard = refusing("subscribe", "error:handler not found,topic:position")
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(600)
        following.cancel()
        (word,) = at.words()
        assert "refused the topics" in word
        assert "handler not found" in word
        assert 20 < len(at.venue.lines) < 26

    bench(scenario)


@pytest.mark.parametrize("path", ["/v5/market/time", "/v5/market/instruments-info"])
def test_without_the_venues_time_and_symbols_nobody_connects(path: str) -> None:
    async def scenario(at: Bench) -> None:
        at.venue.unreachable = path
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(3)
        following.cancel()
        assert at.venue.lines == []
        assert ["connection refused" in word for word in at.words()] == [True]

    bench(scenario)


# --- messages ---------------------------------------------------------------------------------------------------------


def test_what_is_not_traded_here_is_kept_out_and_counted() -> None:
    async def scenario(at: Bench) -> None:
        rows = [POSITION | {"symbol": symbol} for symbol in ("NEWUSDT", "BTC-27MAR26", "BTCUSDT")]
        at.venue.line.say(at.venue.message("position", *rows, POSITION | {"category": "inverse"}))
        at.venue.line.say(at.venue.message("greeks", {}))
        await asyncio.sleep(0.1)
        assert at.words() == ["stream_up", "BTCUSDT"]
        assert at.counts == (4, 0, 0)

    followed(scenario)


def test_a_symbol_listed_later_is_known_without_a_new_connection() -> None:
    async def scenario(at: Bench) -> None:
        row = at.venue.message("position", POSITION | {"symbol": "SOLUSDT"})
        at.venue.line.say(row)
        await asyncio.sleep(0.1)
        known = dict(await at.adapter.instruments())
        at.shared.forget("instruments")

        async def newer() -> Mapping[Symbol, object]:
            return known | {Symbol("SOLUSDT"): known[BTC]}

        await at.shared.once("instruments", 1.0, newer)
        at.venue.line.say(row)
        await asyncio.sleep(0.1)
        assert at.words() == ["stream_up", "SOLUSDT"]

    followed(scenario)


def test_repeats_are_left_out_and_counted() -> None:
    async def scenario(at: Bench) -> None:
        row = at.venue.message("position", POSITION)
        at.venue.line.say(row, row, at.venue.message("position", POSITION | {"seq": 7}))
        await asyncio.sleep(0.1)
        assert at.words() == ["stream_up", "BTCUSDT"]
        assert at.counts == (0, 2, 0)

    followed(scenario)


def test_what_is_missing_voids_what_was_told() -> None:
    async def scenario(at: Bench) -> None:
        for seq, size in ((5, "1"), (6, "2")):
            at.venue.line.say(at.venue.message("position", POSITION | {"seq": seq, "size": size}))
        await asyncio.sleep(4)
        *_, down, up = at.words()
        assert down == "it left out the execution that moved BTCUSDT; what it told before does not count"
        assert up == "stream_up"
        assert len(at.venue.lines) == 1
        assert at.counts == (0, 0, 1)

    followed(scenario)


def test_a_stream_that_lags_is_given_up() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.line.say(at.venue.message("position", POSITION, late_s=4.5))
        await asyncio.sleep(0.1)
        assert at.words() == ["stream_up", "BTCUSDT"]
        at.venue.line.say(at.venue.message("position", POSITION | {"seq": 9}, late_s=6))
        await asyncio.sleep(0.1)
        assert at.words()[2:] == ["the messages of the private stream come 6 s late"]

    followed(scenario)


SPOILT = [
    "",
    "{",
    "[]",
    '{"topic":"position"}',
    '{"topic":"position","creationTime":1e99,"data":[]}',
    '{"a":1}',
    "\ud800",
]


@pytest.mark.parametrize("text", SPOILT)
def test_what_cannot_be_read_ends_the_connection(text: str) -> None:
    async def scenario(at: Bench) -> None:
        at.venue.line.say(text)
        await asyncio.sleep(0.2)
        assert [one.kind for one in at.got] == [VenueEventKind.STREAM_UP, VenueEventKind.STREAM_DOWN]
        await asyncio.sleep(2)
        assert at.got[-1].kind is VenueEventKind.STREAM_UP

    followed(scenario)


def test_a_position_in_hedge_mode_is_denied() -> None:
    async def scenario(at: Bench) -> None:
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(0.5)
        at.venue.line.say(at.venue.message("position", POSITION | {"positionIdx": 1}))
        with pytest.raises(Denied, match="One-Way"):
            await following

    bench(scenario)


def test_positions_carry_the_margin_mode_once_it_is_known() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.line.say(at.venue.message("position", POSITION))
        await asyncio.sleep(0.1)
        await at.adapter.positions()
        at.venue.line.say(at.venue.message("position", POSITION | {"leverage": "8"}))
        await asyncio.sleep(0.1)
        modes = [one.position.margin_mode for one in at.got if one.position is not None]
        assert modes == [None, MarginMode.ISOLATED]

    followed(scenario)


def test_a_margin_mode_that_cannot_be_read_is_unknown_and_ends_nothing() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.info = "empty"
        await at.adapter.positions()
        at.venue.line.say(at.venue.message("position", POSITION))
        await asyncio.sleep(0.1)
        assert at.words() == ["stream_up", "BTCUSDT"]
        assert at.got[-1].position is not None
        assert at.got[-1].position.margin_mode is None

    followed(scenario)


def test_a_position_of_another_settle_coin_makes_that_coin_part_of_a_complete_read() -> None:
    async def scenario(at: Bench) -> None:
        async def coins_read() -> int:
            at.venue.requests.clear()
            await at.adapter.positions()
            return sum("/v5/position/list" in request for request in at.venue.requests)

        private = at.venue.line
        await at.adapter.prices([BTC])  # which opens the public stream
        assert await coins_read() == 1
        private.say(at.venue.message("position", POSITION | {"symbol": "BTCPERP", "size": "0"}))
        await asyncio.sleep(0.1)
        assert await coins_read() == 1
        private.say(at.venue.message("position", POSITION | {"symbol": "BTCPERP"}))
        await asyncio.sleep(0.1)
        assert await coins_read() == 2

    followed(scenario)


# --- where to ---------------------------------------------------------------------------------------------------------

PLACES = [
    (None, None, "wss://stream.bybit.com"),
    ("https://api.bybit.com/", None, "wss://stream.bybit.com"),
    ("https://api-testnet.bybit.com", None, "wss://stream-testnet.bybit.com"),
    ("https://api-demo.bybit.com", None, None),
    ("http://127.0.0.1:9101", None, None),
    ("http://127.0.0.1:9101", "ws://127.0.0.1:9101/", "ws://127.0.0.1:9101"),
    (None, "ws://127.0.0.1:9101", "ws://127.0.0.1:9101"),
]


@pytest.mark.parametrize(("base_url", "ws_url", "expected"), PLACES)
def test_the_streams_are_those_of_the_address(base_url: str | None, ws_url: str | None, expected: str | None) -> None:
    assert stream_url(base_url, ws_url, BASE_URL, STREAMS) == expected


def test_the_capability_says_whether_there_is_a_stream() -> None:
    async def main(clock: VirtualClock) -> None:
        for base_url, streams in ((None, True), ("http://venue.test", False)):
            shared, keys = VenueShared(clock), {"api_key": KEY, "api_secret": SECRET}
            venue = Bybit(clock)
            sut = load("bybit")(AccountId("bybit-x"), keys, venue, clock, Chance(), base_url, None, shared)
            assert sut.capabilities.private_stream is streams
            if not streams:
                assert [event async for event in sut.events()] == []

    virtual(main)


def test_connections_of_one_address_stay_below_the_venues_limit() -> None:
    async def scenario(at: Bench) -> None:
        wiring = Wiring("bybit-main", "", at.venue, at.clock, at.shared, 5.0)
        for _ in range(CONNECTIONS[0]):
            await connection_room(wiring, *CONNECTIONS)
        with pytest.raises(Unavailable, match="websocket connections"):
            await connection_room(wiring, *CONNECTIONS)
        following = asyncio.create_task(at.follow())
        await at.adapter.prices([BTC])
        await asyncio.sleep(CONNECTIONS[1] - 10)
        assert at.venue.lines == []
        assert all("websocket connections" in word for word in at.words())
        await asyncio.sleep(60)
        assert {request.url.rpartition("/")[2] for request in at.venue.asked} == {"private", "linear"}
        following.cancel()
        await at.shared.close()

    bench(scenario)
