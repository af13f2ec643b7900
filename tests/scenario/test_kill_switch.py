"""The kill switch: `HALT` stops increases or closes everything, on every venue, whenever it comes, across restarts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from account_processors import REGISTRY
from core.domain import AccountId, Halt
from core.events import OrderSent
from tests.scenario.fleet import Fleet
from tests.scenario.front_door import FrontDoor, needs_pm2, wait_until
from tests.scenario.rig import BTC, ETH, Rig

EVERYWHERE = dict.fromkeys(REGISTRY, 1)
SETTLED_S = 20.0
ROUND_TRIP_S = 0.02
STEP_S = 0.004
LAST_STEP = 60
"""Beyond the last await of the cycle that opens two positions."""


def increases(rig: Rig) -> list[OrderSent]:
    return [event for event in rig.sent() if not event.order.reduce_only]


@pytest.mark.parametrize("word", [Halt.HALT_INCREASES, Halt.FLATTEN])
@pytest.mark.parametrize("venue", list(REGISTRY))
def test_at_whatever_instant_it_comes_no_increase_is_signed_after_it(venue: str, word: Halt) -> None:
    """The switch is thrown every 4 ms of a cycle that sets leverage and opens two positions, each in a world anew."""
    before = 0
    for step in range(0, LAST_STEP, 3 if venue != "bybit" else 1):
        rig = Rig(venue=venue, rtt_s=ROUND_TRIP_S)
        halted_at: list[float] = []

        async def throw(rig: Rig = rig, at: float = step * STEP_S, seen: list[float] = halted_at) -> None:
            await asyncio.sleep(at)
            rig.settings.halted = word
            seen.append(rig.clock.time())

        async def story(rig: Rig = rig) -> None:
            rig.signal(BTC, "0.5")
            rig.signal(ETH, "-0.5")
            switch = asyncio.ensure_future(throw())
            for _ in range(3):
                await rig.cycle()
            await switch
            await rig.settle()
            if word.flattens:
                assert rig.position(BTC) == rig.position(ETH) == 0

        rig.run(story())
        late = [event for event in increases(rig) if event.at > halted_at[0]]
        assert not late, f"thrown after {step * STEP_S * 1000:.0f} ms"
        before += len(increases(rig))
    assert before, "some came too late to stop anything"


@pytest.mark.parametrize("word", [Halt.HALT_INCREASES, Halt.FLATTEN, Halt.FLATTEN_ALL])
def test_five_venues_side_by_side_halt_restart_and_resume(word: Halt) -> None:
    fleet = Fleet(EVERYWHERE)
    everybody = [str(account) for account in fleet.places]

    def flat() -> bool:
        return not any(fleet.held(account) or fleet.held(account, ETH) for account in everybody)

    async def story() -> None:
        async with fleet.running():
            fleet.say({BTC: "0.5", ETH: "-0.5"})
            await fleet.until(lambda: all(fleet.there(a) and fleet.there(a, ETH, -1) for a in everybody), SETTLED_S)
            held = {account: fleet.held(account) for account in everybody}
            fleet.settings.halted = word
            halted_at = fleet.clock.time()
            fleet.say({BTC: "0.9"})
            if word.flattens:
                await fleet.until(flat, 5, "everything closed")
            await asyncio.sleep(10)
            assert {account: fleet.held(account) for account in everybody} == (
                dict.fromkeys(everybody, Decimal(0)) if word.flattens else held
            )
        fleet.disk.crash()
        fleet.boot()
        async with fleet.running():
            fleet.say({BTC: "0.8"})
            await asyncio.sleep(20)
            assert not [event for event in increases(fleet) if event.at > halted_at], "a restart lifts nothing"
            fleet.settings.halted = Halt.NONE
            fleet.executor.wake()
            if word.flattens:
                await asyncio.sleep(20)
                assert flat()
            else:
                await fleet.until(lambda: all(fleet.held(a) > held[a] for a in everybody), SETTLED_S)
            resumed_at = fleet.clock.time()
            fleet.say({BTC: "0.25"})
            await fleet.until(lambda: all(fleet.there(a) for a in everybody), SETTLED_S)
            assert fleet.clock.time() - resumed_at < SETTLED_S
        assert fleet.over_limit() == 0

    fleet.run(story())


def test_an_account_halted_by_its_own_trip_and_the_homes_halt_are_lifted_apart() -> None:
    fleet = Fleet({"bybit": 1, "kucoin": 1})
    account = "bybit-main"

    async def story() -> None:
        async with fleet.running():
            await fleet.until(lambda: len(fleet.published.statuses) == 2, SETTLED_S)
            fleet.sim.admin.account({"venue": "bybit", "account": "main", "equity": "8000"})
            await fleet.until(lambda: "stopped itself" in fleet.published.statuses[AccountId(account)]["because"], 60)
            fleet.settings.halted = Halt.HALT_INCREASES
            fleet.say({BTC: "0.5"})
            await asyncio.sleep(10)
            fleet.settings.halted = Halt.NONE
            fleet.say({BTC: "0.4"})
            await fleet.until(lambda: fleet.there("kucoin-main"), SETTLED_S)
            assert not fleet.held(account)
            fleet.settings.asked = {"resume": {account: {"*": 1}}}
            fleet.executor.wake()
            await fleet.until(lambda: fleet.there(account), SETTLED_S)

    fleet.run(story())


# --- real processes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[FrontDoor]:
    door = FrontDoor(tmp_path)
    yield door
    door.run("--demo", "down")


def quantities(door: FrontDoor) -> dict[str, dict[str, str]]:
    """venue/account -> what it holds."""
    venues = door.sim("ledger")["venues"]
    return {
        f"{venue}/{name}": {s: q for s, q in books["positions"].items() if Decimal(q)}
        for venue, found in venues.items()
        for name, books in found["accounts"].items()
    }


def opening_orders(door: FrontDoor) -> int:
    venues = door.sim("ledger")["venues"].values()
    accounts = [books for found in venues for books in found["accounts"].values()]
    return sum(1 for books in accounts for order in books["orders"] if not order["reduce_only"])


@needs_pm2
@pytest.mark.timeout(240)
def test_the_demo_is_halted_flattened_restarted_and_resumed(demo: FrontDoor) -> None:
    demo.good("demo", "--port-base", "22400")
    assert len(quantities(demo)) >= len(REGISTRY)
    assert all(quantities(demo).values()), "every account of every venue holds something"
    held = quantities(demo)

    assert "HALT_INCREASES" in demo.good("--demo", "halt")
    sent = opening_orders(demo)
    demo.good("alert", "--demo", "BTCUSDT", "long", "90/100")
    time.sleep(6)  # a cycle and more: the engine looks every second, and every 5 s without a reason
    assert (opening_orders(demo), quantities(demo)) == (sent, held)

    assert "FLATTEN" in demo.good("--demo", "halt", "--flatten")
    wait_until(lambda: not any(quantities(demo).values()), "everything is closed on five venues")
    demo.good("--demo", "restart", "trade-engine")
    demo.good("alert", "--demo", "BTCUSDT", "long", "80/100")
    wait_until(lambda: demo.said()["state"] == "HELD" or demo.said()["because"], "the new process says what it does")
    time.sleep(6)
    assert not any(quantities(demo).values()), "a restart lifts nothing"
    status = json.loads(demo.good("--demo", "status", "--json"))["homes"][0]
    assert status["halt"] == "FLATTEN"

    assert "resumed" in demo.good("--demo", "resume")
    time.sleep(6)
    assert not any(quantities(demo).values()), "to resume re-opens nothing"
    assert opening_orders(demo) == sent
    demo.good("alert", "--demo", "BTCUSDT", "long", "20/100")
    wait_until(lambda: all(quantities(demo).values()), "the next signal trades everywhere")
