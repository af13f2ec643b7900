"""Two trade-engine processes: on one home, where a lock parts them, and on two homes with one account's keys."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from config.home import Home
from tests.scenario.engine_house import Engine, EngineHouse, engine_house, needs_proc, wait_for

pytestmark = [pytest.mark.timeout(120), needs_proc]

RTT_MS = 300.0
"""Long enough to stop an engine while an order is on its way."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[EngineHouse]:
    with engine_house(tmp_path) as one:
        yield one


@pytest.fixture
def slow_house(tmp_path: Path) -> Iterator[EngineHouse]:
    with engine_house(tmp_path, RTT_MS) as one:
        yield one


def second_on(house: EngineHouse) -> Engine:
    """A second engine on the same home, once it found the account taken."""
    second = Engine(house.home, house.folder, "second-engine")
    second.program.start()
    second.says(f"already traded by trade-engine (process {house.engine.program.pid}, since ")
    return second


def ids_are_unique(house: EngineHouse) -> bool:
    ids = [order["client_id"] for order in house.orders()]
    return len(ids) == len(set(ids))


def another_beat(home: Home) -> None:
    """Waits while an engine on this home lives on for a while."""
    path = home.heartbeats / "trade-engine.json"
    before = path.stat().st_mtime_ns
    wait_for(lambda: path.stat().st_mtime_ns != before, "another heartbeat")


# --- one home ---------------------------------------------------------------------------------------------------------


def test_the_second_names_the_holder_does_nothing_and_takes_over_when_the_first_dies(house: EngineHouse) -> None:
    first = house.engine
    house.say("0.5")
    first.program.start()
    house.reaches("0.5")
    second = second_on(house)
    try:
        house.say("0.25")
        house.reaches("0.25")
        first.has_sent(2)
        assert second.sent() == 0
        held = house.held()
        first.program.kill()
        second.says("preflight passed")
        house.say("0.75")
        house.reaches("0.75")
        second.has_sent(1)
        assert len(house.orders()) == 3
        assert house.highest() == house.held() > held
        assert ids_are_unique(house)
        assert house.status()["state"] == "OK"
    finally:
        second.program.stop()


def test_a_stopped_engine_keeps_its_account_and_goes_on_when_it_is_continued(house: EngineHouse) -> None:
    first = house.engine
    house.say("0.5")
    first.program.start()
    house.reaches("0.5")
    first.freeze()
    second = second_on(house)
    try:
        house.say("0.25")
        another_beat(house.home)  # the second one's: it has tried the lock again meanwhile
        assert (len(house.orders()), second.sent()) == (1, 0), "the lock is the stopped engine's"
        first.thaw()
        house.reaches("0.25")
        house.say("0.75")
        house.reaches("0.75")
        first.has_sent(3)
        assert second.sent() == 0
        assert len(house.orders()) == 3
        assert ids_are_unique(house)
    finally:
        second.program.stop()


def test_an_engine_stopped_with_an_order_on_its_way_sends_no_second_one(slow_house: EngineHouse) -> None:
    house, first = slow_house, slow_house.engine
    house.say("0")
    first.program.start()
    wait_for(lambda: house.shown().get("state") == "CONVERGED", "the engine knows the account")
    house.say("0.5")
    first.says(": sends buy ")
    first.freeze()
    second = second_on(house)
    try:
        wait_for(house.orders, "the venue has the order, nobody the answer")
        first.thaw()
        house.reaches("0.5")
        wait_for(lambda: house.shown().get("state") == "CONVERGED", "the order is accounted for")
        assert (len(house.orders()), second.sent()) == (1, 0)
    finally:
        second.program.stop()


def test_an_engine_whose_lock_file_was_taken_from_it_stops(house: EngineHouse) -> None:
    """Somebody deletes the lock file, a second engine takes the account: the first one's gate is shut."""
    first = house.engine
    house.say("0.5")
    first.program.start()
    house.reaches("0.5")
    (house.home.locks / "bybit-main.lock").unlink()
    second = Engine(house.home, house.folder, "second-engine")
    second.program.start()
    try:
        house.say("0.75")
        house.reaches("0.75")
        first.says(f"already traded by trade-engine (process {second.program.pid}, since ")
        second.has_sent(1)
        assert first.sent() == 1
        assert ids_are_unique(house)
    finally:
        second.program.stop()


# --- two homes with one account's keys: nothing can part them, the drift policy bounds them ---------------------------


def test_a_second_home_leaves_a_position_that_is_there_alone(house: EngineHouse) -> None:
    house.say("0.5")
    house.engine.program.start()
    house.reaches("0.5")
    home = house.second_home()
    second = Engine(home, house.folder, "second-engine")
    house.say("0.5", home)
    second.program.start()
    try:
        wait_for(lambda: house.shown(home).get("state") == "FOREIGN", "the second calls the position foreign")
        house.say("0.75", house.home, home)
        house.reaches("0.75")
        wait_for(lambda: house.shown(home)["actual"] == f"{house.held():f}", "the second has seen it, too")
        assert (house.shown(home)["state"], second.sent()) == ("FOREIGN", 0)
        assert house.highest() == house.held()
    finally:
        second.program.stop()


def test_two_homes_that_both_open_are_reduced_and_stand_still(slow_house: EngineHouse) -> None:
    """Both are flat and hear the same entry: each opens, each sees the other's fill, each reduces to its own size."""
    house, home = slow_house, slow_house.second_home()
    engines = [house.engine, Engine(home, house.folder, "second-engine")]
    homes = (house.home, home)
    house.say("0", *homes)
    try:
        for engine in engines:
            engine.program.start()
        wait_for(lambda: all(house.shown(one).get("state") == "CONVERGED" for one in homes), "both are flat")
        house.say("0.5", *homes)
        told = "moved by somebody else, expected "
        wait_for(lambda: any(told in engine.said() for engine in engines), "one of them says that there are two")
        size = Decimal(house.shown()["target"])
        wait_for(lambda: house.held() <= size, "what is too much is reduced")
        for one in homes:
            another_beat(one)
        orders, held = len(house.orders()), house.held()
        assert orders <= 4, "each opened once, and reduced once at most"
        assert house.highest() <= 2 * size, "one size for each engine and no more"
        assert 0 <= held <= size
        for one in homes:
            another_beat(one)
        assert (len(house.orders()), house.held()) == (orders, held), "nothing grows back"
    finally:
        engines[1].program.stop()
