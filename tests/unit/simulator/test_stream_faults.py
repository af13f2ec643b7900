"""What faults do to open streams and to handshakes, in memory and over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from core.clock import SystemClock
from core.errors import ConfigError, Lost
from simulator.admin import Admin
from simulator.faults import AT_HANDSHAKE, IN_STREAM, MESSAGE_KINDS, ON_STREAMS, Kind
from simulator.web import Server
from simulator.world import build_world
from tests.unit.simulator.stream_play import FILLS, Play, Streaming, buy, kind, play

ENDED = "lost: the venue ended the stream (close)"
ONE, TWO, THREE = "fill 1", "fill 2", "fill 3"


def test_every_kind_that_acts_on_streams_is_tested() -> None:
    assert {name for name, *_ in ON_MESSAGES} == {kind.value for kind in IN_STREAM}
    assert {name for name, *_ in ON_HANDSHAKES} == {kind.value for kind in AT_HANDSHAKE}
    assert set(Kind) - ON_STREAMS == {
        Kind.STALE_POSITIONS_MS, Kind.PARTIAL_FILL, Kind.REJECT_CODE, Kind.ACCEPT_DUPLICATE_IDS,
        Kind.DUPLICATE,
    }  # fmt: skip


# --- open streams -----------------------------------------------------------------------------------------------------

ON_MESSAGES: list[tuple[str, dict[str, Any], list[str], int]] = [
    # kind, the rest of the fault, what arrives of three messages, hits
    ("ws_gap", {}, [TWO, THREE], 1),
    ("ws_gap", {"count": 2}, [THREE], 2),
    ("ws_gap", {"count": 0}, [], 3),
    ("ws_gap", {"value": 2}, [THREE], 1),
    ("ws_gap", {"value": 9}, [], 1),
    ("ws_gap", {"match": "any"}, [TWO, THREE], 1),
    ("ws_gap", {"account": "main"}, [TWO, THREE], 1),
    ("ws_gap", {"account": "second"}, [ONE, TWO, THREE], 0),
    ("ws_duplicate", {}, [ONE, ONE, TWO, THREE], 1),
    ("ws_duplicate", {"count": 2}, [ONE, ONE, TWO, TWO, THREE], 2),
    ("ws_duplicate", {"value": 2}, [ONE, ONE, TWO, TWO, THREE], 1),
    ("ws_duplicate", {"match": "any", "count": 0}, [ONE, ONE, TWO, TWO, THREE, THREE], 3),
    ("drop_before", {}, [ENDED], 1),
    ("drop_before", {"account": "second"}, [ONE, TWO, THREE], 0),
    ("drop_after", {}, [ONE, ENDED], 1),
    ("reset", {}, ["lost: the venue ended the stream (reset)"], 1),
    ("hang", {}, [], 1),
    ("delay_ms", {"value": 100}, [ONE, TWO, THREE], 1),
    ("garbage", {}, ["fil", TWO, THREE], 1),
    ("garbage", {"value": "<html>"}, ["<html>", TWO, THREE], 1),
    ("empty", {"count": 2}, ["", "", THREE], 2),
]


@pytest.mark.parametrize(("name", "more", "told", "hits"), ON_MESSAGES)
def test_messages(name: str, more: dict[str, Any], told: list[str], hits: int) -> None:
    async def run(it: Play) -> None:
        it.fault(name, **more)
        for number in "123":
            it.buy(number)
        assert await it.told() == told
        assert it.hits() == [hits]

    play(run)


@pytest.mark.parametrize("name", sorted(IN_STREAM - MESSAGE_KINDS))
def test_any_means_requests_not_what_goes_through_a_stream(name: str) -> None:
    async def run(it: Play) -> None:
        it.fault(name, "any", **({"value": 100} if name == "delay_ms" else {}))
        it.buy("1")
        assert await it.told() == [ONE]
        assert it.hits() == [0]

    play(run)


@pytest.mark.parametrize("name", sorted(MESSAGE_KINDS))
def test_answers_are_spared(name: str) -> None:
    async def run(it: Play) -> None:
        it.fault(name, count=0)
        await it.stream.send("hello")
        assert await it.told() == ["echo hello"]

    play(run)


def test_several_faults_on_one_message() -> None:
    async def run(it: Play) -> None:
        it.fault("ws_duplicate")
        it.fault("delay_ms", value=200)
        it.fault("ws_gap")
        it.fault("garbage")
        it.buy("1")
        assert await it.told() == []
        assert it.hits() == [0, 0, 1, 0], "nothing is spent on a message that is swallowed"
        it.fault("empty")
        it.buy("2")
        assert await it.told() == ["fil", "fil"]
        assert it.hits() == [1, 1, 1, 1, 0], "of those that end a message only the oldest does"
        it.buy("3")
        assert await it.told() == [""]

    play(run)


def test_probability_asks_every_message() -> None:
    async def run(it: Play) -> list[str]:
        it.fault("ws_gap", probability="0.5")
        for number in range(60):
            it.buy(str(number))
        arrived = await it.told()
        assert it.hits() == [60 - len(arrived)]
        return arrived

    first = play(run)
    assert 15 < len(first) < 45
    assert play(run) == first, "the same seed swallows the same messages"


def test_probability_makes_a_drop_wait_for_a_message() -> None:
    async def run(it: Play) -> None:
        it.fault("drop_before", probability=1)
        assert await it.told() == []
        it.buy("1")
        assert await it.told() == [ENDED]

    play(run)


@pytest.mark.parametrize("name", ["drop_before", "reset"])
def test_a_drop_needs_no_message_and_takes_what_is_under_way(name: str) -> None:
    async def run(it: Play) -> None:
        reading = asyncio.ensure_future(it.told(10.0))
        await asyncio.sleep(1.0)
        it.buy("1")
        await asyncio.sleep(0.01)
        dropped = it.now()
        it.fault(name)
        (ended,) = await reading
        assert ended.startswith("lost")
        assert it.now() == pytest.approx(dropped, abs=0.001), "not one poll later"
        assert it.log[-1] == "closed"
        await it.connect()
        it.buy("2")
        assert await it.told() == [TWO]

    play(run, rtt_s=0.1)


def test_a_standing_drop_meets_the_handshake_too() -> None:
    async def run(it: Play) -> None:
        it.fault("drop_before", count=0)
        assert await it.told() == [ENDED]
        for _ in range(3):
            with pytest.raises(Lost):
                await it.connect()
        it.world.admin.clear_faults()
        await it.connect()
        it.buy("1")
        assert await it.told() == [ONE]

    play(run)


def test_a_hanging_stream_says_nothing_at_all_and_comes_back() -> None:
    async def run(it: Play) -> None:
        it.fault("hang", value=5_000)
        await asyncio.sleep(1.0)
        await it.stream.send("hello")
        it.buy("1")
        assert await it.told(4.5) == []
        it.buy("2")
        assert await it.told() == [TWO], "what was due meanwhile is lost"
        await it.stream.send("hello")
        assert await it.told() == ["echo hello"]
        assert it.hits() == [1]

    play(run)


def test_a_standing_hang_strikes_again_when_its_silence_ends() -> None:
    async def run(it: Play) -> None:
        it.fault("hang", value=1_000, count=0)
        for hits in (1, 2, 3):
            for number in range(4):
                it.buy(f"{hits}-{number}")
                assert await it.told(0.2) == []
            assert it.hits() == [hits]
            await asyncio.sleep(0.25)

    play(run)


def test_a_hanging_stream_can_still_be_dropped() -> None:
    async def run(it: Play) -> None:
        it.fault("hang")
        assert await it.told() == []
        it.fault("drop_before")
        assert await it.told() == [ENDED]

    play(run)


def test_a_late_message_holds_up_those_behind_it() -> None:
    async def run(it: Play) -> None:
        it.fault("delay_ms", value=500)
        start = it.now()
        it.buy("1")
        it.buy("2")
        assert await it.stream.receive() == ONE
        assert it.now() - start == pytest.approx(0.5)
        assert await it.stream.receive() == TWO
        assert it.now() - start == pytest.approx(0.5)
        it.buy("3")
        assert await it.stream.receive() == THREE
        assert it.now() - start == pytest.approx(0.5)

    play(run)


def test_spoilt_in_a_row_is_the_streams_own() -> None:
    """A row that began on one stream does not go on on the next."""

    async def run(it: Play) -> None:
        it.fault("ws_gap", value=100)
        it.buy("1")
        assert await it.told() == []
        await it.stream.close()
        await it.connect()
        it.buy("2")
        assert await it.told() == [TWO]

    play(run)


# --- handshakes -------------------------------------------------------------------------------------------------------

ON_HANDSHAKES: list[tuple[str, dict[str, Any], float, str]] = [
    # kind, the rest of the fault, seconds it takes, why it fails ('': it does not)
    ("drop_before", {}, 0.1, "closed without an answer"),
    ("reset", {}, 0.1, "reset by peer"),
    ("status", {}, 0.1, "HTTP 502"),
    ("status", {"value": 403}, 0.1, "HTTP 403"),
    ("hang", {}, 3.0, "no websocket within 3 s"),
    ("delay_ms", {"value": 500}, 0.6, ""),
    ("delay_ms", {"value": 5_000}, 3.0, "no websocket within 3 s"),
]


@pytest.mark.parametrize("match", ["stream", "any"])
@pytest.mark.parametrize(("name", "more", "takes_s", "why"), ON_HANDSHAKES)
def test_handshakes(match: str, name: str, more: dict[str, Any], takes_s: float, why: str) -> None:
    async def run(it: Play) -> None:
        await it.stream.close()
        it.fault(name, match, **more)
        start = it.now()
        if why:
            with pytest.raises(Lost, match=why):
                await it.connect(3.0)
        else:
            await it.connect(3.0)
        assert it.now() - start == pytest.approx(takes_s, abs=0.001)
        assert it.hits() == [1]
        await it.connect(3.0)

    play(run, rtt_s=0.1)


@pytest.mark.parametrize("name", ["drop_after", "garbage", "empty", "ws_gap", "ws_duplicate"])
def test_what_acts_on_messages_lets_a_handshake_pass(name: str) -> None:
    async def run(it: Play) -> None:
        it.fault(name)
        await it.connect()
        assert it.hits() == [0]

    play(run)


def test_faults_on_requests_do_not_meet_streams() -> None:
    async def run(it: Play) -> None:
        it.fault("reset", "order_create")
        it.fault("partial_fill", "any", value=0)
        await it.connect()
        it.buy("1")
        assert await it.told() == [ONE]
        assert it.hits() == [0, 0]

    play(run)


def test_what_a_stream_cannot_suffer_is_refused() -> None:
    async def run(it: Play) -> None:
        for name in set(Kind) - ON_STREAMS:
            with pytest.raises(ConfigError, match="does nothing to a stream"):
                it.fault(name, value=1)

    play(run)


# --- over HTTP --------------------------------------------------------------------------------------------------------

GONE = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


class Site:
    """The same made-up stream behind a real address."""

    def __init__(self) -> None:
        self.made: list[Streaming] = []
        self.world = build_world(SystemClock(), kinds=[kind(self.made)])
        self.admin = Admin(self.world)
        self.server = Server(self.world, {"admin": 0, "bybit": 0})

    async def __aenter__(self) -> Site:
        await self.server.start()
        self.client = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.server.stop()

    def fault(self, kind: str, **more: object) -> None:
        self.admin.fault({"venue": "bybit", "match": "stream", "kind": kind, **more})

    def buy(self, client_id: str) -> None:
        buy(self.world.venues["bybit"].exchange, client_id)

    async def connect(self) -> aiohttp.ClientWebSocketResponse:
        return await self.client.ws_connect(self.server.url("bybit") + FILLS)


async def test_over_http_messages_are_swallowed_doubled_and_late() -> None:
    async with Site() as site, asyncio.timeout(20):
        stream = await site.connect()
        site.fault("ws_gap")
        site.fault("ws_duplicate")
        site.fault("delay_ms", value=50)
        site.buy("1")
        site.buy("2")
        site.buy("3")
        assert [await stream.receive_str() for _ in range(3)] == [TWO, TWO, THREE]
        await stream.send_str("hello")
        assert await stream.receive_str() == "echo hello"


@pytest.mark.parametrize("name", ["drop_before", "reset"])
async def test_over_http_an_open_stream_breaks(name: str) -> None:
    async with Site() as site, asyncio.timeout(20):
        stream = await site.connect()
        site.fault(name)
        message = await stream.receive()
        assert message.type in GONE
        assert stream.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        stream = await site.connect()
        site.buy("1")
        assert await stream.receive_str() == ONE


async def test_over_http_a_stream_ends_after_its_message() -> None:
    async with Site() as site, asyncio.timeout(20):
        stream = await site.connect()
        site.fault("drop_after")
        site.buy("1")
        assert await stream.receive_str() == ONE
        assert (await stream.receive()).type in GONE


async def test_over_http_a_handshake_fails() -> None:
    async with Site() as site, asyncio.timeout(20):
        site.fault("status", value=403)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await site.connect()
        assert caught.value.status == 403
        for name in ("drop_before", "reset"):
            site.fault(name, count=2)  # this client tries every handshake twice
            with pytest.raises(aiohttp.ClientError):
                await site.connect()
        site.fault("hang")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await site.connect()
        assert (await site.connect()).closed is False


async def test_over_http_a_stopping_server_ends_its_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.web.SHUTDOWN_S", 60.0)
    site = Site()
    async with site:
        stream = await site.connect()
        async with asyncio.timeout(10):
            await site.server.stop()
            assert (await stream.receive()).type in (*GONE, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING)
        assert site.made[0].log[-1] == "closed"
