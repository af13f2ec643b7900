"""Accounts that stop themselves, on every venue's own terms: durable, explained, lifted by `./run resume ACCOUNT`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core import planner
from core.domain import DriftPolicy, PlaceOrder, Plan, Policy, SymbolState, Trips
from core.events import Trouble
from core.execution import symbol as symbol_module
from tests.scenario.home_on_disk import journaled
from tests.scenario.rig import BTC, ETH, Rig, manual, opened

TO_MIDNIGHT_S = 7000.0
"""The rig's time begins 6400 s before midnight, UTC."""
REMEDY = "`./run resume bybit-main` lifts it"


def equity(rig: Rig, value: str) -> None:
    rig.sim.admin.account({"venue": rig.venue, "account": "main", "equity": value})


def trips(**more: Any) -> Policy:
    return Policy(trips=Trips(**more))


def resume(rig: Rig) -> None:
    numbers = rig.settings.asked.setdefault("resume", {}).setdefault(str(rig.ids["main"]), {"*": 0})
    numbers["*"] += 1


def restart(rig: Rig) -> None:
    """The power fails: only what was synced is left."""
    rig.disk.crash()
    rig.boot()


async def cycles(rig: Rig, seconds: float = 31.0) -> None:
    """Cycles for long enough that the equity was read again."""
    end = rig.clock.time() + seconds
    while rig.clock.time() < end:
        await rig.cycle()
        await asyncio.sleep(5)
    await rig.settle()


def account_state(rig: Rig) -> tuple[str, str]:
    status = rig.published.statuses[rig.ids["main"]]
    return status["state"], status["because"]


def tripped(rig: Rig) -> list[str]:
    return [record["rule"] for record in journaled(rig, "TRIPPED")]


@pytest.mark.parametrize("venue", ["bybit", "blofin", "kucoin", "mexc", "hyperliquid"])
def test_a_loss_of_the_day_stops_increases_until_resumed(venue: str) -> None:
    rig = Rig(venue=venue)

    async def story() -> None:
        held = await opened(rig)
        equity(rig, "8900")
        await cycles(rig)
        assert tripped(rig) == ["daily_loss_pct"]
        rig.signal(ETH, "0.5")
        rig.signal(BTC, "0.6")
        await rig.settle()
        assert rig.position(ETH) == 0
        assert rig.position(BTC) == held
        state, because = account_state(rig)
        assert state == "HELD"
        assert "lost 1" in because
        assert f"`./run resume {venue}-main` lifts it" in because
        assert rig.states()[ETH][0] == "HELD"
        rig.signal(BTC, "0.25")
        await rig.settle()
        assert 0 < abs(rig.position(BTC)) < abs(held), "a reduction passes every trip"
        restart(rig)
        rig.signal(ETH, "0.6")
        await rig.settle()
        assert rig.position(ETH) == 0, "a restart lifts nothing"
        resume(rig)
        await rig.settle()
        assert rig.position(ETH) == rig.target(ETH) != 0
        assert account_state(rig) == ("OK", "")
        assert tripped(rig) == ["daily_loss_pct"], "the loss counts from the resumption on"

    rig.run(story())


def test_a_new_day_lifts_nothing() -> None:
    rig = Rig(streams=False)

    async def story() -> None:
        await rig.cycle()
        equity(rig, "8900")
        await cycles(rig)
        await asyncio.sleep(TO_MIDNIGHT_S)
        rig.signal(BTC, "0.5")
        await cycles(rig)
        assert [record["equity"] for record in journaled(rig, "DAY")] == ["10000", "8900"]
        assert rig.position(BTC) == 0

    rig.run(story())


def test_a_restart_does_not_begin_the_day_anew() -> None:
    rig = Rig()

    async def story() -> None:
        await rig.cycle()
        equity(rig, "9400")
        restart(rig)
        await cycles(rig)
        assert not tripped(rig)
        equity(rig, "9000")
        restart(rig)
        rig.signal(BTC, "0.5")
        await cycles(rig)
        assert tripped(rig) == ["daily_loss_pct"]
        assert rig.position(BTC) == 0
        assert [record["equity"] for record in journaled(rig, "DAY")] == ["10000"]

    rig.run(story())


def test_a_new_utc_day_begins_with_its_first_read() -> None:
    rig = Rig()

    async def story() -> None:
        await rig.cycle()
        equity(rig, "9400")
        await cycles(rig)
        await asyncio.sleep(TO_MIDNIGHT_S)
        await cycles(rig)
        equity(rig, "8600")
        await cycles(rig)
        assert not tripped(rig), "14 % of the first day's equity, 8.5 % of this one's"
        assert [record["equity"] for record in journaled(rig, "DAY")] == ["10000", "9400"]

    rig.run(story())


@pytest.mark.parametrize("venue", ["bybit", "kucoin", "hyperliquid"])
def test_the_kill_closes_everything_and_resume_reopens_nothing(venue: str) -> None:
    rig = Rig(venue=venue, policy=trips(kill_loss_pct=Decimal(20)))

    async def story() -> None:
        await opened(rig)
        rig.signal(ETH, "-0.5")
        await rig.settle()
        equity(rig, "7900")
        await cycles(rig, 8)
        assert rig.position(BTC) == rig.position(ETH) == 0
        assert sorted(tripped(rig)) == ["daily_loss_pct", "kill_loss_pct"]
        sizes = len(journaled(rig, "SIZED"))
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.position(BTC) == 0
        assert all(Decimal(record["contracts"]) == 0 for record in journaled(rig, "SIZED")[sizes:])
        restart(rig)
        await rig.settle()
        resume(rig)
        await rig.settle()
        assert rig.position(BTC) == rig.position(ETH) == 0, "what appeared while it stood stays downward only"
        rig.signal(BTC, "0.4")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0
        assert rig.position(ETH) == 0

    rig.run(story())


def test_one_strange_read_closes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(policy=trips(kill_loss_pct=Decimal(20), daily_loss_pct=None), streams=False)

    async def story() -> None:
        held = await opened(rig)
        account = rig.executor.accounts[0]
        real, strange = account.processor.equity, iter([True])

        async def once() -> Any:
            found = await real()
            return replace(found, value=Decimal(1)) if next(strange, False) else found

        monkeypatch.setattr(account.processor, "equity", once)
        await cycles(rig, 60)
        assert rig.position(BTC) == held
        assert not tripped(rig)

    rig.run(story())


def test_a_close_out_that_does_not_end_is_reported_and_goes_on() -> None:
    rig = Rig(policy=trips(kill_loss_pct=Decimal(20), closeout_timeout_s=30.0))

    async def story() -> None:
        await opened(rig)
        fault = {"venue": "bybit", "match": "order_create", "kind": "drop_before", "count": 0}
        rig.sim.admin.fault(fault)
        equity(rig, "7900")
        for _ in range(16):
            await rig.cycle()
            await asyncio.sleep(3)
        assert "closing everything has not ended within 30 s" in account_state(rig)[1]
        told = [event for event in rig.events if isinstance(event, Trouble) and "has not ended" in event.because]
        assert len(told) == 1
        rig.sim.admin.clear_faults()
        await rig.settle(within_s=120)
        assert rig.position(BTC) == 0
        assert "has not ended" not in account_state(rig)[1]

    rig.run(story())


def test_the_notional_of_an_hour_is_bounded_also_across_a_restart() -> None:
    rig = Rig(policy=trips(max_notional_per_hour_x=Decimal(4)))

    async def story() -> None:
        for number in range(14):
            rig.signal(BTC, "0.5" if number % 2 == 0 else "0")
            await rig.settle()
            if number == 3:
                restart(rig)
        bought = [fill for fill in rig.ledger()["fills"] if Decimal(fill["quantity"]) > 0]
        moved = sum(Decimal(fill["quantity"]) * Decimal(fill["price"]) for fill in bought)
        assert 20_000 < moved <= 40_000
        assert tripped(rig) == ["max_notional_per_hour_x"]
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert "within an hour" in rig.states()[BTC][1]
        resume(rig)
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0

    rig.run(story())


def test_three_unexplained_changes_of_one_symbol_stop_the_account() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        for number, quantity in enumerate(("0.05", "0.04", "0.03"), start=1):
            manual(rig, quantity)
            await rig.settle()
            assert (tripped(rig) == ["max_unexplained_changes"]) is (number == 3)
        rig.signal(BTC, "0.5")
        rig.signal(ETH, "0.5")
        await rig.settle()
        assert rig.position(BTC) == Decimal("0.03")
        assert rig.position(ETH) == 0
        assert REMEDY in account_state(rig)[1]

    rig.run(story())


def test_what_the_user_vouched_for_is_not_unexplained() -> None:
    rig = Rig(policy=trips(max_unexplained_changes=1))

    async def story() -> None:
        await opened(rig)
        rig.executor.accounts[0].view(BTC).rebase = "the user accepted the contract's new size"
        await rig.settle()
        assert journaled(rig, "DRIFT")
        assert not tripped(rig)

    rig.run(story())


def test_a_breach_of_an_invariant_stops_the_account_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()

    def greedy(*given: Any) -> Plan:
        """A planner with a bug: every increase is twice what is stored."""
        found = planner.plan(*given)
        steps = tuple(replace(s, contracts=s.contracts * 2) if isinstance(s, PlaceOrder) else s for s in found.steps)
        return replace(found, steps=steps)

    async def story() -> None:
        monkeypatch.setattr(symbol_module, "plan", greedy)
        rig.signal(BTC, "0.5")
        await rig.cycle()
        assert not rig.sent()
        monkeypatch.undo()
        restart(rig)
        await rig.settle()
        assert rig.position(BTC) == 0
        assert "I1" in account_state(rig)[1]
        assert REMEDY in account_state(rig)[1]
        resume(rig)
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0

    rig.run(story())


def test_a_trip_of_one_account_is_not_anothers() -> None:
    rig = Rig(accounts=2)

    async def story() -> None:
        await rig.cycle()
        equity(rig, "8900")
        await cycles(rig)
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.position(BTC, "main") == 0
        assert rig.position(BTC, "second") != 0
        assert rig.published.statuses[rig.ids["second"]]["state"] == "OK"

    rig.run(story())


def test_nothing_increases_while_the_equity_cannot_be_read() -> None:
    rig = Rig(policy=Policy(max_order_notional=Decimal(10**6), max_gross_exposure=Decimal(10**6)), streams=False)

    async def story() -> None:
        held = await opened(rig)
        rig.sim.admin.fault({"venue": "bybit", "match": "equity", "kind": "status", "value": 500, "count": 0})
        await asyncio.sleep(61)
        manual(rig, "0.05")
        rig.policy(drift=DriftPolicy.CORRECT)
        for _ in range(6):
            await rig.cycle()
            await asyncio.sleep(5)
        assert rig.position(BTC) == Decimal("0.05")
        assert rig.states()[BTC][0] in {SymbolState.HELD, SymbolState.DRIFTED}
        rig.sim.admin.clear_faults()
        await rig.settle(within_s=120)
        assert rig.position(BTC) == held

    rig.run(story())
