"""What people do to a running engine: edit weights and modes, halt, flatten, close, re-sync."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import AccountMode, Halt, Settings, SymbolWeights
from tests.scenario.rig import BTC, ETH, TV, Rig, manual, opened

# --- configuration ----------------------------------------------------------------------------------------------------


def reweigh(weight: str) -> Callable[[Settings], Settings]:
    def edit(settings: Settings) -> Settings:
        weights = {s: SymbolWeights(s, e.leverage, {TV: Decimal(weight)}) for s, e in settings.weights.items()}
        return replace(settings, weights=weights)

    return edit


def test_an_edited_weight_acts_without_a_restart() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        await asyncio.sleep(3600)
        rig.change(reweigh("0.25"))
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) == Decimal("0.057")
        rig.change(reweigh("0.5"))
        await rig.settle()
        assert rig.position(BTC) == Decimal("0.115"), "the user's own edit acts upward on an old signal"

    rig.run(story())


def test_a_removed_symbol_is_held_and_re_added_unchanged() -> None:
    rig = Rig()

    async def story() -> None:
        position = await opened(rig)
        before = rig.settings.value
        assert before is not None
        rig.settings.value = replace(before, weights={ETH: before.weights[ETH]})
        await rig.settle()
        assert rig.states()[BTC][0] == "HELD"
        rig.settings.value = before
        await rig.settle()
        assert rig.states()[BTC][0] == "CONVERGED"
        assert rig.position(BTC) == position
        assert len(rig.sent()) == 1

    rig.run(story())


def mode(rig: Rig, wanted: AccountMode) -> None:
    def edit(settings: Settings) -> Settings:
        return replace(settings, accounts={a: replace(s, mode=wanted) for a, s in settings.accounts.items()})

    rig.change(edit)


def test_close_only_acts_downward_only_and_closes_nothing_by_itself() -> None:
    rig = Rig()

    async def story() -> None:
        position = await opened(rig)
        mode(rig, AccountMode.CLOSE_ONLY)
        await rig.settle()
        assert rig.position(BTC) == position
        rig.signal(BTC, "0.9")
        await rig.settle()
        assert rig.position(BTC) == position
        rig.signal(BTC, "-0.5")
        await rig.settle()
        assert rig.position(BTC) == 0
        mode(rig, AccountMode.LIVE)
        await rig.settle()
        assert rig.position(BTC) == 0, "what appeared under close_only stays downward only"

    rig.run(story())


def test_a_dry_run_sends_and_journals_nothing() -> None:
    rig = Rig()

    async def story() -> None:
        mode(rig, AccountMode.DRY_RUN)
        rig.signal(BTC, "0.5")
        for _ in range(4):
            await rig.cycle()
        assert not rig.sent()
        assert rig.position(BTC) == 0
        assert "increasing" in rig.states()[BTC][1]
        mode(rig, AccountMode.LIVE)
        await rig.settle()
        assert rig.position(BTC) == Decimal("0.115")

    rig.run(story())


def test_a_disabled_account_sends_nothing_not_even_for_flatten() -> None:
    rig = Rig()

    async def story() -> None:
        position = await opened(rig)
        mode(rig, AccountMode.DISABLED)
        rig.settings.halted = Halt.FLATTEN
        await rig.cycle()
        await rig.cycle()
        assert rig.position(BTC) == position

    rig.run(story())


# --- halt and commands ------------------------------------------------------------------------------------------------


def test_halt_stops_increases_and_lets_reductions_go() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        rig.settings.halted = Halt.HALT_INCREASES
        rig.signal(ETH, "0.5")
        rig.signal(BTC, "0.25")
        await rig.settle()
        assert rig.position(ETH) == 0
        assert rig.position(BTC) == rig.target(BTC) == Decimal("0.057")
        assert "HALT_INCREASES" in rig.states()[ETH][1]
        rig.settings.halted = Halt.NONE
        await rig.settle()
        assert rig.position(ETH) == rig.target(ETH) != 0

    rig.run(story())


@pytest.mark.parametrize("restart", [False, True])
def test_flatten_closes_everything_and_resume_reopens_nothing(restart: bool) -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        rig.signal(ETH, "-0.5")
        await rig.settle()
        rig.settings.halted = Halt.FLATTEN
        await rig.settle()
        assert rig.position(BTC) == rig.position(ETH) == 0
        if restart:
            rig.disk.crash()
            rig.boot()
        await rig.settle()
        rig.settings.halted = Halt.NONE
        await rig.settle()
        assert rig.position(BTC) == rig.position(ETH) == 0
        rig.signal(BTC, "0.5")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0
        assert rig.position(ETH) == 0

    rig.run(story())


@pytest.mark.parametrize("restart", [False, True])
def test_a_signal_that_appeared_under_flatten_stays_out(restart: bool) -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        rig.settings.halted = Halt.FLATTEN
        await rig.settle()
        rig.signal(BTC, "0.4")
        rig.signal(ETH, "0.5")
        await rig.settle()
        if restart:
            rig.disk.crash()
            rig.boot()
        rig.settings.halted = Halt.NONE
        await rig.settle()
        assert rig.position(BTC) == rig.position(ETH) == 0
        rig.signal(ETH, "0.25")
        await rig.settle()
        assert rig.position(ETH) == rig.target(ETH) != 0

    rig.run(story())


def test_flatten_leaves_foreign_positions_alone_unless_all_are_meant() -> None:
    rig = Rig()

    async def story() -> None:
        manual(rig, "0.4")
        rig.signal(BTC, "0.5")
        rig.settings.halted = Halt.FLATTEN
        await rig.settle()
        assert rig.position(BTC) == Decimal("0.4")
        rig.settings.halted = Halt.FLATTEN_ALL
        await rig.settle()
        await rig.settle()
        assert rig.position(BTC) == 0

    rig.run(story())


def test_close_acts_once_and_resync_takes_the_signal_up_again() -> None:
    rig = Rig()

    async def story() -> None:
        await opened(rig)
        rig.settings.asked = {"close": {rig.ids["main"]: {BTC: 1}}}
        await rig.settle()
        assert rig.position(BTC) == 0
        assert rig.states()[BTC][0] == "HELD"
        await asyncio.sleep(3600)
        rig.settings.asked["resync"] = {rig.ids["main"]: {BTC: 1}}
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0
        rig.boot()
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC) != 0, "the command was journaled: it acts once"
        del rig.settings.asked["resync"]
        for depth in ("0.25", "0.5"):
            rig.signal(BTC, depth)
            await rig.settle()
            assert rig.position(BTC) == rig.target(BTC) != 0, "its number still stands there"

    rig.run(story())
