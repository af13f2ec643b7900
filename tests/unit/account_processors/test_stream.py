"""The stream that is kept open, on virtual time: when it is up, what ends it, and how it comes back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from account_processors.stream import Session, StreamClient
from core.clock import VirtualClock
from core.errors import Denied, Lost, NotSent, TransportError, Unavailable, VenueError
from core.ports import StreamRequest
from tests.unit.account_processors.lines import Chance, Line, Talk, Venue, friendly
from tests.unit.account_processors.virtual import virtual


class Told:
    """A listener that writes down what it hears, with the instant."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.told: list[tuple[float, str]] = []
        self.refuses = False

    def up(self) -> None:
        self._note("up")

    def item(self, item: str) -> None:
        if self.refuses:
            raise Lost("enough")
        self._note(item)

    def down(self, because: str) -> None:
        self._note(f"down: {because}")

    def _note(self, what: str) -> None:
        self.told.append((self.clock.monotonic(), what))

    def words(self) -> list[str]:
        return [what for _, what in self.told]


class Bench:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.venue = Venue(clock, friendly)
        self.told = Told(clock)
        self.sessions: list[Talk] = []
        self.entering: VenueError | None = None
        self.client: StreamClient[str] = StreamClient(self.venue, clock, Chance(), self.enter)

    async def enter(self) -> tuple[StreamRequest, Session[str]]:
        if self.entering is not None:
            raise self.entering
        self.sessions.append(Talk())
        return StreamRequest("ws://venue.test/private"), self.sessions[-1]

    @contextmanager
    def running(self) -> Iterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.client.run(self.told))
        try:
            yield task
        finally:
            task.cancel()


def bench(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        await scenario(Bench(clock))

    virtual(main)


# --- up ---------------------------------------------------------------------------------------------------------------


def test_it_is_up_only_when_logged_in_and_subscribed_and_keeps_what_came_early() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.heard = lambda line, text: None
        with at.running():
            await asyncio.sleep(0.1)
            assert at.venue.line.texts() == ["login"]
            at.venue.line.say("in")
            await asyncio.sleep(0.1)
            assert at.venue.line.texts() == ["login", "subscribe"]
            at.venue.line.say("early", "earlier still")
            await asyncio.sleep(0.1)
            assert at.told.words() == []
            assert at.client.connections == 0
            at.venue.line.say("ok", "then")
            await asyncio.sleep(0.1)
            assert at.told.words() == ["up", "early", "earlier still", "then"]

    bench(scenario)


def test_pongs_alone_keep_it_up() -> None:
    async def scenario(at: Bench) -> None:
        with at.running():
            await asyncio.sleep(3600)
            assert at.told.words() == ["up"]
            assert len(at.venue.lines) == 1
            pings = [at_s for at_s, text in at.venue.line.sent if text == "ping"]
            assert len(pings) == pytest.approx(720, abs=2)

    bench(scenario)


def test_what_the_session_wants_to_say_goes_out_at_once_when_nudged_and_soon_if_not() -> None:
    async def scenario(at: Bench) -> None:
        with at.running():
            await asyncio.sleep(10.25)
            at.sessions[-1].wishes = ["more", "and more"]
            at.client.nudge()
            await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            assert at.venue.line.texts()[-2:] == ["more", "and more"]
            at.sessions[-1].wishes = ["less"]
            await asyncio.sleep(1.01)
            assert "less" in at.venue.line.texts()

    bench(scenario)


def test_a_gap_voids_what_was_told_and_costs_no_connection() -> None:
    async def scenario(at: Bench) -> None:
        with at.running():
            await asyncio.sleep(0.1)
            at.venue.line.say("one", "gap", "two")
            await asyncio.sleep(0.1)
            assert at.told.words() == ["up", "one", "down: a number was left out", "up", "after the gap", "two"]
            assert len(at.venue.lines) == 1

    bench(scenario)


# --- down -------------------------------------------------------------------------------------------------------------


def silent(line: Line, text: str) -> None:
    if text != "ping":
        friendly(line, text)


ENDS: list[tuple[str, Callable[[Line], None], str]] = [
    ("the venue hangs up", lambda line: line.end(), "the venue ended the stream"),
    ("a frame cannot be read", lambda line: line.say("?", "lost"), "it says [?]"),
    ("the venue refuses later", lambda line: line.say("full"), "no room"),
]


@pytest.mark.parametrize(("what", "end", "why"), ENDS, ids=[what for what, _, _ in ENDS])
def test_whatever_ends_it_it_is_down_closed_and_comes_back(what: str, end: Callable[[Line], None], why: str) -> None:
    async def scenario(at: Bench) -> None:
        with at.running():
            await asyncio.sleep(0.1)
            first = at.venue.line
            end(first)
            await asyncio.sleep(0.1)
            assert at.told.words()[0] == "up"
            assert len(at.told.words()) == 2
            with pytest.raises(AssertionError, match=why):
                raise AssertionError(at.told.words()[1])
            assert first.closed
            await asyncio.sleep(2)
            assert at.told.words()[2:] == ["up"]
            assert len(at.venue.lines) == at.client.connections + 1 == 2

    bench(scenario)


def test_silence_ends_it_although_pings_go_out() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.heard = silent
        with at.running():
            await asyncio.sleep(20)
            (_, up), (down_s, down), *_ = at.told.told
            assert up == "up"
            assert down == "down: the venue has been silent for 12 s"
            assert down_s == pytest.approx(12, abs=0.1)
            assert [text for _, text in at.venue.lines[0].sent[2:]] == ["ping", "ping"]

    bench(scenario)


def test_a_venue_that_never_confirms_is_given_up() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.heard = lambda line, text: line.say("in" if text == "login" else "pong")
        with at.running():
            await asyncio.sleep(5.5)
            ((at_s, word),) = at.told.told
            assert "did not complete login and subscription within 5 s" in word
            assert at_s == pytest.approx(5, abs=0.1)
            assert at.client.connections == 0

    bench(scenario)


def test_data_without_a_confirmed_subscription_is_not_hoarded() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.heard = lambda line, text: line.say(*["data"] * 1001)
        with at.running():
            await asyncio.sleep(0.5)
            assert at.told.words() == ["down: the venue sends data but does not confirm the subscription"]

    bench(scenario)


def test_a_venue_that_takes_nothing_or_does_not_let_go_holds_nobody_up() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.send_takes_s = at.venue.close_takes_s = 1000.0
        with at.running():
            await asyncio.sleep(5.5)
            assert at.told.words() == []  # closing is still tried
            await asyncio.sleep(1)
            assert at.told.words() == ["down: the venue took nothing for 5 s"]
            await asyncio.sleep(20)
            assert len(at.venue.lines) > 2

    bench(scenario)


def test_a_listener_that_has_enough_ends_it() -> None:
    async def scenario(at: Bench) -> None:
        with at.running():
            await asyncio.sleep(0.1)
            at.told.refuses = True
            at.venue.line.say("one")
            await asyncio.sleep(0.1)
            assert at.told.words() == ["up", "down: enough"]
            assert at.venue.line.closed

    bench(scenario)


def test_cancelling_closes_the_connection() -> None:
    async def scenario(at: Bench) -> None:
        with at.running() as task:
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert at.venue.line.closed
            assert len(asyncio.all_tasks()) == 1

    bench(scenario)


# --- back -------------------------------------------------------------------------------------------------------------


def doubling(tries: int) -> list[float]:
    return [min(2.0**n, 30.0) for n in range(tries)]


FAILURES: list[tuple[str, Callable[[Bench], None]]] = [
    ("unreachable", lambda at: setattr(at.venue, "refuse", NotSent("connection refused"))),
    ("handshake refused", lambda at: setattr(at.venue, "refuse", Lost("HTTP 404"))),
    ("nothing known of the venue", lambda at: setattr(at, "entering", Unavailable("no time"))),
    ("closes at once", lambda at: setattr(at.venue, "greet", lambda line: line.end())),
    ("closes once it is up", lambda at: setattr(at.venue, "heard", closing)),
]


def closing(line: Line, text: str) -> None:
    friendly(line, text)
    if text == "subscribe":
        line.end()


@pytest.mark.parametrize(("what", "spoil"), FAILURES, ids=[what for what, _ in FAILURES])
def test_pauses_grow_from_one_second_to_thirty(what: str, spoil: Callable[[Bench], None]) -> None:
    async def scenario(at: Bench) -> None:
        spoil(at)
        tried_s: list[float] = []
        enter = at.enter

        async def counted() -> tuple[StreamRequest, Session[str]]:
            tried_s.append(at.clock.monotonic())
            return await enter()

        at.client = StreamClient(at.venue, at.clock, Chance(), counted)
        with at.running():
            await asyncio.sleep(600)
        pauses = [after - before for before, after in itertools.pairwise(tried_s)]
        assert pauses == pytest.approx(doubling(len(pauses)), abs=0.1)
        assert 20 < len(pauses) < 26

    bench(scenario)


def test_a_connection_that_lasted_makes_failures_forgotten_and_a_short_one_does_not() -> None:
    async def scenario(at: Bench) -> None:
        with at.running():
            for lasts_s in (1.0, 59.0, 61.0, 1.0):
                await asyncio.sleep(lasts_s)
                at.venue.line.end()
                await at.venue.another()
        gaps = [pause - lasted for pause, lasted in zip(at.venue.pauses_s(), (1.0, 59.0, 61.0, 1.0), strict=True)]
        assert gaps == pytest.approx([1, 2, 1, 2], abs=0.5)

    bench(scenario)


def test_a_refused_login_is_raised_and_repeating_it_waits_a_minute() -> None:
    async def scenario(at: Bench) -> None:
        at.venue.heard = lambda line, text: line.say("no")
        for attempt in range(3):
            with pytest.raises(Denied, match="not known"):
                await at.client.run(at.told)
            assert len(at.venue.lines) == attempt + 1
            assert at.venue.line.closed
        assert at.venue.pauses_s() == pytest.approx([60, 60], abs=0.1)
        assert at.told.words() == ["down: "] * 3

    bench(scenario)


def test_every_transport_error_is_an_end_and_no_surprise() -> None:
    async def scenario(at: Bench) -> None:
        with at.running() as task:
            for error in (Lost("reset"), NotSent("closed"), TransportError("too large")):
                line = await at.venue.another()
                await asyncio.sleep(0.5)
                line.end(error)
                await asyncio.sleep(0.1)
                assert at.told.words()[-1] == f"down: {error}"
            assert not task.done()

    bench(scenario)


def test_a_transport_that_gives_up_is_an_end_like_any_other() -> None:
    async def scenario(at: Bench) -> None:
        with at.running() as task:
            line = await at.venue.another()
            await asyncio.sleep(0.5)
            line.end(asyncio.CancelledError())
            await asyncio.sleep(0.1)
            assert at.told.words()[-1] == "down: the connection was given up"
            assert not task.done()

    bench(scenario)
