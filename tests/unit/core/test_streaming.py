"""What a private stream may stand for: complete fills, and positions that are as expected; never more than a read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from core.clock import VirtualClock, VirtualLoop, run_virtual
from core.domain import ClientId, Fill, Position, Positions, VenueEvent, VenueEventKind
from core.execution.account import Account
from core.execution.streaming import AccountStream
from core.records import IntentState, Record, intent_record
from tests.unit.core.builders import BTC, d
from tests.unit.core.execution_parts import CAPABILITIES, account_of
from tests.unit.core.test_memory import VERIFIED_FLAT, intent, size_record

K = VenueEventKind
SENT: tuple[Record, ...] = (VERIFIED_FLAT, size_record(), intent_record(intent()))
FLAT: tuple[Record, ...] = (VERIFIED_FLAT, size_record())


class Told:
    """A venue whose stream says what the test puts in."""

    capabilities = CAPABILITIES
    clock_offset_s = 0.0

    def __init__(self) -> None:
        self.queue: asyncio.Queue[VenueEvent] = asyncio.Queue()

    async def events(self) -> AsyncIterator[VenueEvent]:
        while True:
            yield await self.queue.get()


class Scene:
    """An account whose stream is up and anchored by a read that showed it flat."""

    def __init__(self, *records: Record) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.venue = Told()
        self.account: Account = account_of(self.venue, self.clock, *records)
        self.stream = AccountStream(self.account, lambda: None)

    def run(self, story: Callable[[Scene], list[VenueEvent]], then: Callable[[Scene], None]) -> None:
        async def scene() -> None:
            following = asyncio.ensure_future(self.stream.run())
            await self._tell(VenueEvent(K.STREAM_UP, self.clock.time()))
            self.stream.anchor(Positions({}, self.clock.time(), self.clock.time()))
            await asyncio.sleep(3)
            self.stream.anchor(Positions({}, self.clock.time(), self.clock.time()))
            for event in story(self):
                await self._tell(event)
            then(self)
            following.cancel()

        run_virtual(scene(), self.loop)

    async def _tell(self, event: VenueEvent) -> None:
        self.venue.queue.put_nowait(event)
        await asyncio.sleep(0.01)

    def fill(self, signed: str, exec_id: str, client_id: str = "id-1") -> VenueEvent:
        ours = ClientId(client_id)
        fill = Fill(BTC, d(signed), d(100), None, self.clock.time(), exec_id, ours)
        return VenueEvent(K.FILL, self.clock.time(), BTC, fill=fill, client_id=ours)

    def position(self, contracts: str, seq: int | None = None) -> VenueEvent:
        return VenueEvent(K.POSITION, self.clock.time(), BTC, position=Position(BTC, d(contracts), seq=seq))

    @property
    def open(self) -> list[IntentState]:
        return [one.state for one in self.account.memory.of(BTC).intents]


def test_a_complete_fill_settles_its_order() -> None:
    def then(scene: Scene) -> None:
        assert scene.open == []
        assert scene.account.memory.of(BTC).baseline == 5
        primed = scene.stream.primed(BTC)
        assert primed is not None
        assert primed.of(BTC).contracts == 5

    Scene(*SENT).run(lambda s: [s.fill("2", "a"), s.fill("3", "b")], then)


def test_a_part_of_a_fill_settles_nothing() -> None:
    Scene(*SENT).run(lambda s: [s.fill("2", "a")], _still_open)


def test_a_repeated_execution_settles_nothing() -> None:
    Scene(*SENT).run(lambda s: [s.fill("2.5", "a"), s.fill("2.5", "a")], _still_open)


def test_a_strangers_fill_settles_nothing() -> None:
    Scene(*SENT).run(lambda s: [s.fill("5", "a", "a stranger's")], _still_open)


def _still_open(scene: Scene) -> None:
    assert len(scene.open) == 1
    assert scene.account.memory.of(BTC).baseline == 0
    assert scene.stream.primed(BTC) is None


def test_what_is_expected_stands_for_a_read() -> None:
    def then(scene: Scene) -> None:
        primed = scene.stream.primed(BTC)
        assert primed is not None
        assert primed.of(BTC).contracts == 0

    Scene(*FLAT).run(lambda s: [], then)


def test_an_unexpected_position_of_the_stream_is_read() -> None:
    def then(scene: Scene) -> None:
        assert scene.stream.primed(BTC) is None
        assert scene.stream.doubtful()

    Scene(*FLAT).run(lambda s: [s.position("5")], then)


@pytest.mark.parametrize("again", [False, True])
def test_a_stream_that_ended_vouches_for_nothing(again: bool) -> None:
    def story(scene: Scene) -> list[VenueEvent]:
        down = VenueEvent(K.STREAM_DOWN, scene.clock.time(), because="it was closed")
        return [down, *([VenueEvent(K.STREAM_UP, scene.clock.time())] if again else [])]

    def then(scene: Scene) -> None:
        assert scene.stream.up is again
        assert scene.stream.primed(BTC) is None, "a read comes first"
        assert not scene.stream.vouched_for()

    Scene(*FLAT).run(story, then)


def test_parts_of_a_fill_before_the_stream_ended_do_not_count_after_it() -> None:
    def story(scene: Scene) -> list[VenueEvent]:
        at = scene.clock.time()
        return [scene.fill("2", "a"), VenueEvent(K.STREAM_DOWN, at), VenueEvent(K.STREAM_UP, at), scene.fill("3", "b")]

    Scene(*SENT).run(story, _still_open)


def test_a_late_position_does_not_replace_a_newer_one() -> None:
    def then(scene: Scene) -> None:
        assert scene.stream.primed(BTC) is None

    Scene(*FLAT).run(lambda s: [s.position("5", 8), s.position("0", 7)], then)
