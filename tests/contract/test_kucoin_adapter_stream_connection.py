"""How KuCoin's streams are opened and kept, over a venue that says what the test tells it to."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import pytest

from account_processors import load
from account_processors.kucoin_processor import BASE_URL, KucoinProcessor
from account_processors.shared import VenueShared
from core.clock import VirtualClock
from core.domain import AccountId
from core.ports import Request, Response
from tests.contract.suite.follower import UP
from tests.unit.account_processors.lines import Chance, Line, Venue
from tests.unit.account_processors.virtual import virtual

ORDERS = "/contractMarket/tradeOrders"


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
