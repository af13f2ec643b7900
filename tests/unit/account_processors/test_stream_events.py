"""What comes out of a private stream, on virtual time: order, bounds, refusals, and nothing but venue errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from account_processors.stream import Heard, Session, StreamClient, private_events
from core.clock import VirtualClock
from core.domain import Symbol, VenueEvent, VenueEventKind
from core.errors import Denied, Lost, NotSent, Unavailable
from core.ports import StreamRequest
from tests.unit.account_processors.lines import Chance, Talk, Venue, friendly
from tests.unit.account_processors.virtual import virtual

UP, DOWN, ORDER = VenueEventKind.STREAM_UP, VenueEventKind.STREAM_DOWN, VenueEventKind.ORDER


def event(word: str) -> VenueEvent:
    return VenueEvent(ORDER, 0.0, Symbol(word))


class Worded:
    """`Talk` in events."""

    def __init__(self) -> None:
        self._talk = Talk()

    def begin(self) -> Heard[VenueEvent]:
        return self._made(self._talk.begin())

    def hear(self, text: str) -> Heard[VenueEvent]:
        return self._made(self._talk.hear(text))

    def tick(self) -> Heard[VenueEvent]:
        return self._made(self._talk.tick())

    def ping(self) -> str:
        return self._talk.ping()

    def _made(self, heard: Heard[str]) -> Heard[VenueEvent]:
        return Heard(tuple(map(event, heard.items)), heard.send, heard.up, heard.gap)


class Private:
    """A private stream and the list of what came out of it."""

    def __init__(self, clock: VirtualClock, most: int = 1000) -> None:
        self.clock = clock
        self.venue = Venue(clock, friendly)
        self.client: StreamClient[VenueEvent] = StreamClient(self.venue, clock, Chance(), self.enter)
        self.iterator = private_events(self.client, clock, most)
        self.got: list[VenueEvent] = []

    async def enter(self) -> tuple[StreamRequest, Session[VenueEvent]]:
        return StreamRequest("ws://venue.test/private"), Worded()

    async def follow(self) -> None:
        async for one in self.iterator:
            self.got.append(one)

    def words(self) -> list[str]:
        return [one.because or one.symbol or one.kind.value for one in self.got]


def private(scenario: Callable[[Private], Awaitable[None]], most: int = 1000) -> None:
    async def main(clock: VirtualClock) -> None:
        await scenario(Private(clock, most))

    virtual(main)


def test_events_come_in_order_between_up_and_down() -> None:
    async def scenario(at: Private) -> None:
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(0.1)
        at.venue.line.say("A", "B", "gap", "C")
        await asyncio.sleep(0.1)
        at.venue.line.end()
        await asyncio.sleep(2)
        following.cancel()
        assert at.words() == [
            "stream_up", "A", "B", "a number was left out", "stream_up", "after the gap", "C",
            "the venue ended the stream", "stream_up",
        ]  # fmt: skip
        assert [one.kind for one in at.got if one.because] == [DOWN, DOWN]
        assert all(one.at >= 1_700_000_000 for one in at.got if one.kind in (UP, DOWN))

    private(scenario)


def test_attempts_that_fail_alike_are_told_of_once() -> None:
    async def scenario(at: Private) -> None:
        at.venue.refuse = NotSent("connection refused")
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(300)
        at.venue.refuse = Lost("HTTP 503")
        await asyncio.sleep(100)
        at.venue.refuse = None
        await asyncio.sleep(100)
        following.cancel()
        assert at.words() == ["connection refused", "HTTP 503", "stream_up"]

    private(scenario)


def test_who_is_too_slow_loses_the_connection_and_nothing_grows() -> None:
    async def scenario(at: Private) -> None:
        first = await anext(at.iterator)
        assert first.kind is UP
        at.venue.line.say(*(f"E{n}" for n in range(50)))
        await asyncio.sleep(0.5)
        assert at.venue.lines[0].closed
        assert at.venue.lines[0]._coming
        waiting = [await anext(at.iterator)]
        assert waiting[0].kind is DOWN
        assert "nobody takes them" in waiting[0].because
        await asyncio.sleep(2)
        assert (await anext(at.iterator)).kind is UP  # and it goes on
        at.venue.line.say("F")
        assert (await anext(at.iterator)).symbol == "F"

    private(scenario, most=8)


def test_events_of_one_burst_do_not_end_it() -> None:
    async def scenario(at: Private) -> None:
        assert (await anext(at.iterator)).kind is UP
        at.venue.line.say(*(f"E{n}" for n in range(8)))
        await asyncio.sleep(0.5)
        assert [(await anext(at.iterator)).symbol for _ in range(8)] == [f"E{n}" for n in range(8)]
        assert not at.venue.line.closed

    private(scenario, most=8)


def test_a_refused_login_comes_after_the_events_and_again_only_after_a_pause() -> None:
    async def scenario(at: Private) -> None:
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(0.1)
        at.venue.line.say("A", "no")
        with pytest.raises(Denied, match="not known"):
            await following
        assert at.words() == ["stream_up", "A", "stream_down"]
        for _ in range(3):
            at.iterator = private_events(at.client, at.clock)
            at.venue.heard = lambda line, text: line.say("no")
            with pytest.raises(Denied):
                await at.follow()
        assert at.venue.pauses_s() == pytest.approx([60, 60, 60], abs=0.2)

    private(scenario)


def test_a_fault_of_ours_is_no_surprise_to_who_follows_and_no_hot_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(at: Private) -> None:
        at.venue.heard = lambda line, text: line.say("bug")
        for _ in range(3):
            at.iterator = private_events(at.client, at.clock)
            with pytest.raises(Unavailable, match="fault of this program"):
                await at.follow()
        assert at.venue.pauses_s() == pytest.approx([1, 2], abs=0.1)

    private(scenario)
    assert "KeyError" in caplog.text


def test_leaving_the_loop_closes_the_stream() -> None:
    async def scenario(at: Private) -> None:
        following = asyncio.create_task(at.follow())
        await asyncio.sleep(0.1)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert at.venue.line.closed
        assert len(asyncio.all_tasks()) == 1

    private(scenario)
