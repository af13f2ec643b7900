"""What changes between the plan and the signature: the order does not go, whichever of its two waits it was in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.domain import AccountMode, Halt
from core.limits import MAX_PRICE_AGE_S
from tests.scenario.rig import BTC, JOURNALS, Rig

CAUSES = ["HALT_INCREASES", "FLATTEN", "another signal", "close_only", "disabled", "the lock is lost"]
WAITS = ["for room in the limit", "for the disk"]


def cause(rig: Rig, name: str) -> None:
    """What happens while the order waits."""
    if name in list(Halt):
        rig.settings.halted = Halt(name)
    elif name == "another signal":
        rig.signal(BTC, "-0.5")
        rig.executor._load_weight_config()
    elif name == "the lock is lost":
        rig.lock.ours = False
    else:
        wanted = AccountMode(name)
        rig.change(lambda s: replace(s, accounts={a: replace(one, mode=wanted) for a, one in s.accounts.items()}))
        rig.executor._load_weight_config()


def while_it_waits(rig: Rig, wait: str, happens: Callable[[], None]) -> list[str]:
    """`happens` is called once, in the middle of the next order's wait; what it returns is filled then."""
    done: list[str] = []
    (account,) = rig.executor.accounts
    processor: Any = account.processor
    permit, fsync = processor.permit, rig.disk.fsync

    async def slow_permit(cost: Any) -> Any:
        await asyncio.sleep(0.01)
        if not done and wait == WAITS[0]:
            done.append(wait)
            happens()
        return await permit(cost)

    def slow_fsync(path: Any) -> None:
        fsync(path)
        if not done and wait == WAITS[1] and path.parent == JOURNALS and b'"PREPARED"' in rig.disk.read(path):
            done.append(wait)
            happens()

    processor.permit = slow_permit
    rig.disk.fsync = slow_fsync  # type: ignore[method-assign]  # the real fsync, and then something happens
    return done


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("name", CAUSES)
def test_what_happens_while_an_increase_waits_shuts_the_gate(name: str, wait: str) -> None:
    rig = Rig(streams=False)

    async def scene() -> None:
        await rig.settle()
        rig.signal(BTC, "0.5")
        happened = while_it_waits(rig, wait, lambda: cause(rig, name))
        await rig.cycle()
        assert happened, "the order was expected to come as far as that"
        bought = [order for order in rig.ledger()["orders"] if order["side"] == "buy"]
        assert bought == []
        assert rig.position(BTC) <= 0

    rig.run(scene())


def test_an_order_leaves_only_once_its_intent_outlives_a_power_loss() -> None:
    rig = Rig(streams=False)
    (account,) = rig.executor.accounts
    processor: Any = account.processor
    place = processor.place
    written: list[bool] = []

    async def watched(order: Any, client_id: str, permit: Any) -> Any:
        written.append(client_id.encode() in rig.disk.durable(JOURNALS / f"{account.id}.jsonl"))
        return await place(order, client_id, permit)

    async def scene() -> None:
        processor.place = watched
        for depth in ("0.25", "0.5", "-0.5", "0"):
            rig.signal(BTC, depth)
            await rig.settle()

    rig.run(scene())
    assert written == [True] * 5, "two increases, the two halves of a flip, a close"


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("name", ["HALT_INCREASES", "close_only"])
def test_a_reduction_goes_all_the_same(name: str, wait: str) -> None:
    rig = Rig(streams=False)

    async def scene() -> None:
        rig.signal(BTC, "0.5")
        await rig.settle()
        rig.signal(BTC, "0")
        happened = while_it_waits(rig, wait, lambda: cause(rig, name))
        await rig.cycle()
        assert happened
        assert rig.position(BTC) == 0

    rig.run(scene())


def test_a_price_that_grew_old_while_the_order_waited_for_room_is_read_anew() -> None:
    rig = Rig(streams=False)

    async def scene() -> None:
        await rig.settle()
        (account,) = rig.executor.accounts
        processor: Any = account.processor
        permit = processor.permit

        async def late_permit(cost: Any) -> Any:
            processor.permit = permit
            await asyncio.sleep(MAX_PRICE_AGE_S + 1)
            rig.sim.admin.price({"symbol": BTC, "price": f"{moved:.0f}"})
            return await permit(cost)

        ledger: Any = rig.sim.admin.ledger()
        moved = Decimal(ledger["prices"][BTC]) * Decimal("1.05")
        processor.permit = late_permit
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0
        assert [order for order in rig.ledger()["orders"] if Decimal(order["price"]) < moved] == []

    rig.run(scene())
