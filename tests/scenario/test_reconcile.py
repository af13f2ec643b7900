"""Signals to positions against the simulated Bybit: adds, flips, exits, repeats, drift, first sight, commands."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import (
    DriftPolicy,
    ExistingPositions,
    Halt,
    Reading,
    SourceReading,
    Symbol,
)
from core.events import StepDone
from tests.scenario.rig import BTC, ETH, TV, Rig, manual, opened, settings_for


def test_long_add_flip_exit_reach_the_ledger_within_a_second() -> None:
    rig = Rig()

    async def story() -> None:
        for depth in ("0.25", "0.5", "-0.5", "0"):
            rig.signal(BTC, depth)
            assert await rig.settle() < 1.0
            assert rig.position(BTC) == rig.target(BTC)
            assert rig.states()[BTC][0] == "CONVERGED"
        assert rig.position(BTC) == 0

    rig.run(story())


def test_a_repeat_changes_nothing() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        orders, generation = len(rig.sent()), rig.executor.accounts[0].memory.of(BTC).generation
        reading = rig.signals.value[TV]
        assert reading.document is not None
        again = replace(reading.document, revision=reading.document.revision + 1)
        rig.signals.value[TV] = replace(reading, document=again)
        for _ in range(5):
            await rig.settle()
        assert len(rig.sent()) == orders
        assert rig.executor.accounts[0].memory.of(BTC).generation == generation

    rig.run(story())


def test_settings_are_loaded_once_per_cycle_and_confirmed_once_per_account() -> None:
    rig = Rig(accounts=3)

    async def story() -> None:
        rig.signal(BTC, "0.5")
        rig.signal(ETH, "0.2")
        await rig.cycle()
        reads = rig.settings.reads
        rig.confirmed.clear()
        await rig.cycle()
        assert rig.settings.reads == reads + 1
        assert sorted(account for account, _ in rig.confirmed) == sorted(rig.ids.values())
        assert all(set(symbols) == {BTC, ETH} for _, symbols in rig.confirmed)

    rig.run(story())


def test_nothing_is_confirmed_before_it_was_seen_on_the_venue() -> None:
    rig = Rig(streams=False)

    async def story() -> None:
        await rig.settle()
        rig.sim.admin.fault({"venue": "bybit", "match": "order_create", "kind": "drop_before", "count": 1})
        rig.signal(BTC, "0.5")
        (account,) = rig.executor.accounts
        while rig.position(BTC) == 0:
            await rig.cycle()
            memory = account.memory.of(BTC)
            reached = rig.position(BTC) == rig.target(BTC)
            assert reached or (memory.confirmed_generation, memory.verified_generation) == (0, 0)
            assert reached or BTC not in rig.confirmed[-1][1]
            await asyncio.sleep(1)
        await rig.settle()
        assert rig.confirmed[-1][1][BTC] == account.memory.of(BTC).confirmed_generation == 1

    rig.run(story())


def test_one_bad_symbol_neither_holds_back_nor_repeats_the_others() -> None:
    rig = Rig()

    async def story() -> None:
        nowhere = Symbol("NOSUCHUSDT")
        rig.settings.value = settings_for(list(rig.ids.values()), symbols=(BTC, ETH, nowhere), weight="0.3")
        rig.signal(BTC, "0.5")
        rig.signal(nowhere, "0.5")
        for _ in range(3):
            await rig.cycle()
        assert rig.position(BTC) == rig.target(BTC) != 0
        assert "NOSUCHUSDT" in rig.states()[nowhere][1]
        assert len(rig.sent()) == 1

    rig.run(story())


# --- first sight, drift -----------------------------------------------------------------------------------------------


def test_a_position_before_the_first_start_is_foreign_until_adopted() -> None:
    rig = Rig()

    async def story() -> None:
        manual(rig, "0.4")
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.states()[BTC][0] == "FOREIGN"
        assert not rig.sent()
        rig.settings.asked = {"adopt": {rig.ids["main"]: {BTC: 1}}}
        await rig.settle()
        assert rig.states()[BTC][0] == "CONVERGED"
        assert not rig.sent(), "the present signals count as taken"
        rig.signal(BTC, "0.25")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) == Decimal("0.057")

    rig.run(story())


def test_a_foreign_position_that_is_closed_becomes_ours_to_open() -> None:
    rig = Rig()

    async def story() -> None:
        manual(rig, "0.4")
        rig.signal(BTC, "0.5")
        await rig.settle()
        manual(rig, "0")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) == Decimal("0.115")

    rig.run(story())


def test_a_position_nobody_configured_is_listed_and_never_touched() -> None:
    rig = Rig()

    async def story() -> None:
        sol = Symbol("SOLUSDT")
        place = {"venue": "bybit", "account": "main", "symbol": sol, "quantity": "3", "kind": "manual"}
        await rig.settle()
        rig.sim.admin.position(place)
        await opened(rig)
        assert rig.states()[sol][0] == "FOREIGN"
        rig.settings.halted = Halt.FLATTEN
        await rig.settle()
        assert rig.position(sol) == 3

    rig.run(story())


def test_existing_positions_adopt() -> None:
    rig = Rig()

    async def story() -> None:
        rig.policy(existing_positions=ExistingPositions.ADOPT)
        manual(rig, "0.4")
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.states()[BTC][0] == "CONVERGED"
        assert rig.position(BTC) == Decimal("0.4")

    rig.run(story())


@pytest.mark.parametrize(
    ("policy", "traded_to", "ends_at"),
    [
        (DriftPolicy.REDUCE_ONLY, "0.2", "0.115"),
        (DriftPolicy.REDUCE_ONLY, "0.05", "0.05"),
        (DriftPolicy.REDUCE_ONLY, "-0.05", "0"),
        (DriftPolicy.REDUCE_ONLY, "0", "0"),
        (DriftPolicy.WARN, "0.2", "0.2"),
        (DriftPolicy.WARN, "-0.05", "-0.05"),
        (DriftPolicy.CORRECT, "0.2", "0.115"),
        (DriftPolicy.CORRECT, "0.05", "0.115"),
        (DriftPolicy.CORRECT, "-0.05", "0.115"),
    ],
)
@pytest.mark.parametrize("kind", ["manual", "liquidation", "adl"])
def test_drift_is_seen_within_two_cycles_and_follows_the_policy(
    policy: DriftPolicy, traded_to: str, ends_at: str, kind: str
) -> None:
    rig = Rig()

    async def story() -> None:
        rig.policy(drift=policy)
        await opened(rig)
        await asyncio.sleep(5)
        manual(rig, traded_to, kind)
        await rig.cycle()
        await rig.cycle()
        assert rig.states()[BTC][0] in ("DRIFTED", "CONVERGED" if policy is DriftPolicy.CORRECT else "DRIFTED")
        await rig.settle()
        assert rig.position(BTC) == Decimal(ends_at)

    rig.run(story())


def test_the_next_generation_ends_a_drift() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        manual(rig, "0.05")
        await rig.settle()
        assert rig.states()[BTC][0] == "DRIFTED"
        rig.signal(BTC, "0.4")
        await rig.settle()
        assert rig.states()[BTC][0] == "CONVERGED"
        assert rig.position(BTC) == rig.target(BTC)

    rig.run(story())


# --- prices and settings that changed under us ------------------------------------------------------------------------


@pytest.mark.parametrize("through_flat", [False, True])
def test_a_price_far_from_the_last_sizing_sizes_nothing_however_often_it_is_asked(through_flat: bool) -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig, "0.4")
        if through_flat:
            rig.signal(BTC, "0")
            await rig.settle()
        before = rig.position(BTC)
        rig.sim.admin.price({"symbol": BTC, "price": "51500"})
        await asyncio.sleep(3)
        rig.signal(BTC, "0.5")
        for _ in range(10):
            await rig.cycle()
            await asyncio.sleep(1)
        assert rig.position(BTC) == before
        assert "20 %" in rig.states()[BTC][1]

    rig.run(story())


def test_an_exit_goes_while_instruments_cannot_be_read() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        rig.boot()
        fault = {"venue": "bybit", "match": "instruments", "kind": "status", "value": 502, "count": 0}
        rig.sim.admin.fault(fault)
        rig.signal(BTC, "0")
        for _ in range(3):
            await rig.cycle()
            await asyncio.sleep(1)
        assert rig.position(BTC) == 0

    rig.run(story())


def test_two_manual_trades_in_a_row_are_each_seen_at_once() -> None:
    rig = Rig(streams=False)

    async def story() -> None:
        await opened(rig)
        for quantity in ("0.3", "0.2", "0.4"):
            await asyncio.sleep(2)
            manual(rig, quantity)
            await rig.cycle()
            await rig.cycle()
            assert rig.states()[BTC][0] == "DRIFTED"
            assert rig.position(BTC) == rig.target(BTC)

    rig.run(story())


def test_leverage_changed_while_flat_is_read_back_before_the_next_increase() -> None:
    rig = Rig(streams=False)

    async def story() -> None:
        await opened(rig)
        rig.signal(BTC, "0")
        await rig.settle()
        rig.sim.admin.account({"venue": "bybit", "account": "main", "leverage": {BTC: "20"}})
        await asyncio.sleep(6)
        rig.signal(BTC, "0.5")
        await rig.settle()
        sets = [e for e in rig.events if isinstance(e, StepDone)]
        assert [str(s.step.leverage) for s in sets] == ["3", "3"]
        assert rig.ledger()["leverage"][BTC] == "3"

    rig.run(story())


# --- sources ----------------------------------------------------------------------------------------------------------


def test_a_source_that_becomes_unknown_and_returns_makes_no_order() -> None:
    rig = Rig()

    async def story() -> None:
        position = await opened(rig)
        before = rig.signals.value[TV]
        rig.signals.value[TV] = SourceReading(TV, Reading.UNKNOWN, None, "tradingview.json is torn")
        await rig.settle()
        assert rig.states()[BTC][0] == "HELD"
        assert "torn" in rig.states()[BTC][1]
        rig.signals.value[TV] = before
        await rig.settle()
        assert rig.states()[BTC][0] == "CONVERGED"
        assert rig.position(BTC) == position
        assert len(rig.sent()) == 1

    rig.run(story())


def test_an_old_entry_is_not_taken_until_a_resync() -> None:
    rig = Rig()

    async def story() -> None:
        rig.signal(BTC, "0.5", age_s=3600)
        await rig.settle()
        assert rig.position(BTC) == 0
        assert rig.states()[BTC][0] == "HELD"
        assert "too old" in rig.states()[BTC][1]
        rig.settings.asked = {"resync": {rig.ids["main"]: {"*": 1}}}
        await rig.settle()
        assert rig.position(BTC) == Decimal("0.115")

    rig.run(story())


def test_an_old_exit_still_closes() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        rig.signal(BTC, "0", age_s=3600)
        await rig.settle()
        assert rig.position(BTC) == 0

    rig.run(story())
