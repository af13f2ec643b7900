"""Emitting never waits and never fails, whatever an observer does."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from core.clock import VirtualLoop, run_virtual
from core.domain import AccountId
from core.events import AccountChanged, Emit, Event
from core.journal import inline
from observers import FanOut, Observer

ACCOUNT = AccountId("bybit-main")
DEADLINE_S = 20.0


def event(n: int) -> Event:
    return AccountChanged(at=float(n), account=ACCOUNT, state="ok", because="")


class Seen:
    """Remembers what it saw; fails on the instants in `fails_on`."""

    def __init__(self, name: str = "seen", fails_on: tuple[int, ...] = ()) -> None:
        self.name = name
        self.instants: list[float] = []
        self._fails_on = fails_on

    def see(self, event: Event) -> None:
        self.instants.append(event.at)
        if event.at in self._fails_on:
            raise RuntimeError(f"cannot bear {event.at}")


class Stuck:
    """An observer whose disk or terminal hangs until `let_go`."""

    name = "stuck"

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.instants: list[float] = []

    def see(self, event: Event) -> None:
        self.let_go.wait(DEADLINE_S)
        self.instants.append(event.at)


class Steady:
    """Tells its loop of everything it saw."""

    name = "steady"

    def __init__(self) -> None:
        self.instants: list[float] = []
        self.saw_another = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def see(self, event: Event) -> None:
        self.instants.append(event.at)
        self._loop.call_soon_threadsafe(self.saw_another.set)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_every_observer_sees_every_event_in_order() -> None:
    one, other = Seen(), Seen()
    fan = FanOut([one, other], inline)
    emit: Emit = fan
    observer: Observer = one
    assert observer.name == "seen"
    emit(event(0))  # before anybody is at work
    async with fan.running():
        emit(event(1))
        await settle()
        assert one.instants == [0, 1]
        emit(event(2))
        await settle()
        emit(event(3))
    assert one.instants == other.instants == [0, 1, 2, 3]


async def test_an_observer_that_fails_loses_that_event_only(caplog: pytest.LogCaptureFixture) -> None:
    clumsy, steady = Seen("clumsy", fails_on=(0, 2)), Seen("steady")
    fan = FanOut([clumsy, steady], inline)
    async with fan.running():
        for n in range(5):
            fan(event(n))
    assert steady.instants == [0, 1, 2, 3, 4]
    assert clumsy.instants == [0, 1, 2, 3, 4]  # each once: a failure is not repeated
    assert fan.failures == {"clumsy": 2, "steady": 0}
    assert "clumsy failed on an event (RuntimeError('cannot bear 2.0')) and goes on" in caplog.text


async def test_an_observer_that_hangs_holds_nobody_up_and_loses_only_its_own(caplog: pytest.LogCaptureFixture) -> None:
    stuck, steady = Stuck(), Steady()
    fan = FanOut([stuck, steady], asyncio.to_thread, capacity=10)
    with caplog.at_level(logging.WARNING):
        async with fan.running():
            for n in range(30):
                fan(event(n))
                async with asyncio.timeout(DEADLINE_S):
                    await steady.saw_another.wait()
                steady.saw_another.clear()
            stuck.let_go.set()
    assert steady.instants == list(range(30))
    assert stuck.instants == sorted(stuck.instants)
    assert 10 <= len(stuck.instants) <= 12
    dropped = 30 - len(stuck.instants)
    assert [record.getMessage() for record in caplog.records] == [
        f"stuck was too slow for {dropped} events, which it did not get"
    ]


async def test_the_end_waits_for_a_hanging_observer_only_so_long() -> None:
    stuck = Stuck()
    fan = FanOut([stuck], asyncio.to_thread)
    async with fan.running(drain_s=0.05):
        fan(event(1))
    assert stuck.instants == []
    stuck.let_go.set()


async def test_the_end_waits_for_what_was_emitted_last() -> None:
    seen = Seen()
    fan = FanOut([seen], asyncio.to_thread)
    async with fan.running():
        for n in range(1000):
            fan(event(n))
    assert seen.instants == list(range(1000))


async def test_nobody_observes() -> None:
    fan = FanOut([], inline)
    async with fan.running():
        fan(event(1))


def test_runs_without_threads_in_virtual_time() -> None:
    seen = Seen()

    async def main() -> None:
        fan = FanOut([seen], inline)
        async with fan.running():
            fan(event(1))
            await asyncio.sleep(3600)
            assert seen.instants == [1]
            fan(event(2))

    run_virtual(main(), VirtualLoop())
    assert seen.instants == [1, 2]
