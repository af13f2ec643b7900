"""Files that vanish under a running or stopped engine: projections are no memory, the loss of a journal is noticed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.engine_house import ACCOUNT, EngineHouse, engine_house, needs_proc, wait_for

pytestmark = [pytest.mark.timeout(180), needs_proc]

QUIET_S = 7.0
"""Longer than a cycle without a reason."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[EngineHouse]:
    with engine_house(tmp_path) as one:
        yield one


def settled(house: EngineHouse, depth: str = "0.5") -> None:
    house.say(depth)
    house.engine.program.start()
    house.reaches(depth)
    wait_for(lambda: house.shown().get("state") == "CONVERGED", "the position is verified")


def lose_cache(house: EngineHouse) -> None:
    house.home.depths.unlink()


def lose_statuses(house: EngineHouse) -> None:
    shutil.rmtree(house.home.statuses)


def lose_both(house: EngineHouse) -> None:
    lose_cache(house)
    lose_statuses(house)


LOSSES: dict[str, Callable[[EngineHouse], None]] = {
    "account_asset_depths.json": lose_cache,
    "state/status": lose_statuses,
    "both": lose_both,
}


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_deleting_a_projection_changes_no_order(
    house: EngineHouse, lose: Callable[[EngineHouse], None], running: bool
) -> None:
    settled(house)
    held, orders = house.held(), len(house.orders())
    if not running:
        house.engine.program.stop()
    lose(house)
    if not running:
        house.engine.program.start()
    status = house.home.statuses / f"{ACCOUNT}.json"
    wait_for(lambda: status.exists() and house.home.depths.exists(), "the projections are back", 45)
    time.sleep(QUIET_S)
    assert (house.held(), len(house.orders())) == (held, orders)
    house.say("0.25")
    house.reaches("0.25")
    assert len(house.orders()) == orders + 1, "the next order is the one it would have been"


def refused(house: EngineHouse) -> dict[str, Any]:
    wait_for(lambda: "./run adopt" in str(house.shown().get("because")), "the position is as at first sight", 60)
    return house.shown()


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_deleting_a_journal_is_noticed_and_waits_the_fence(house: EngineHouse, running: bool) -> None:
    settled(house)
    held, orders = house.held(), len(house.orders())
    if not running:
        house.engine.program.stop()
    house.journal.unlink()
    lost_at = time.monotonic()
    if not running:
        house.engine.program.start()
    house.say("1")
    house.engine.says("is gone; nothing is sent for")
    time.sleep(3)
    assert (house.held(), len(house.orders())) == (held, orders), "nothing is sent within the fence"
    house.reaches("1", 45)
    assert time.monotonic() - lost_at >= 5, "an order sent before could still have landed"
    assert len(house.orders()) == orders + 1, "the position was taken up as it was"
    assert house.highest() <= abs(house.held())


def test_a_journal_lost_with_the_cache_is_first_sight(house: EngineHouse) -> None:
    """Nothing tells whose the position is: it is left alone until somebody says so."""
    settled(house)
    held, orders = house.held(), len(house.orders())
    house.engine.program.stop()
    house.journal.unlink()
    house.home.depths.unlink()
    house.engine.program.start()
    house.say("1")
    assert refused(house)["state"] == "FOREIGN"
    assert (house.held(), len(house.orders())) == (held, orders)


def test_a_journal_lost_while_the_position_changed_is_first_sight(house: EngineHouse) -> None:
    settled(house)
    orders = len(house.orders())
    house.engine.program.stop()
    house.journal.unlink()
    manual = str(house.held() // 200 * 100)  # in whole lots
    place = {"venue": "bybit", "account": "main", "symbol": house.symbol, "kind": "manual"}
    house.world.admin("position", {**place, "quantity": manual})
    house.engine.program.start()
    house.say("1")
    assert refused(house)["state"] == "FOREIGN"
    assert len(house.orders()) == orders
