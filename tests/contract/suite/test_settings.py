"""Every venue: leverage, margin mode and position mode, set where the venue keeps them, and read back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.domain import Capabilities, LeverageScope, MarginMode, MarginModeScope, PositionMode
from core.errors import Ambiguous, OurFault, Rejected, Unavailable
from tests.contract.adapter_bench import BTC, ETH, Bench
from tests.contract.suite.benches import BOTH, benches, every
from tests.contract.suite.venue import VenueBench

D = Decimal
CROSS, ISOLATED = MarginMode.CROSS, MarginMode.ISOLATED
LEVERAGE = D(7)
TOO_MUCH = D(5_000)


def modes(can: Capabilities) -> list[MarginMode]:
    """Those in which a symbol has a leverage of its own."""
    return [mode for mode in MarginMode if can.leverage_in(mode) is not LeverageScope.PER_ORDER]


EACH = [(it, mode) for it in benches() for mode in modes(it.capabilities)]


async def enter(bench: Bench, mode: MarginMode) -> None:
    """Puts BTC and ETH into `mode`, by the venue's own way."""
    scope = bench.adapter.capabilities.margin_mode_scope
    if scope is MarginModeScope.ACCOUNT:
        await bench.adapter.set_margin_mode(None, mode, D(3))
    elif scope is MarginModeScope.SYMBOL:
        for symbol in (BTC, ETH):
            await bench.adapter.set_margin_mode(symbol, mode, D(3))


@BOTH
@pytest.mark.parametrize(("it", "mode"), EACH, ids=str)
def test_leverage_is_set_for_one_symbol_and_what_is_so_already_is_success(
    it: VenueBench, mode: MarginMode, where: str
) -> None:
    async def scenario(bench: Bench) -> None:
        await enter(bench, mode)
        before = await bench.adapter.leverage(BTC)
        for _ in range(2):
            await bench.adapter.set_leverage(ETH, LEVERAGE, mode)
        read = await bench.adapter.leverage(ETH)
        assert (read.symbol, read.leverage) == (ETH, LEVERAGE)
        assert read.margin_mode in (None, mode)
        assert await bench.adapter.leverage(BTC) == before
        with pytest.raises((Rejected, OurFault)):
            await bench.adapter.set_leverage(ETH, TOO_MUCH, mode)
        assert (await bench.adapter.leverage(ETH)).leverage == LEVERAGE

    it.run(where, scenario)


@BOTH
@pytest.mark.parametrize(("it", "mode"), EACH, ids=str)
def test_leverage_changes_under_an_open_position_only_where_the_venue_lets_it(
    it: VenueBench, mode: MarginMode, where: str
) -> None:
    async def scenario(bench: Bench) -> None:
        await enter(bench, mode)
        await bench.adapter.set_leverage(BTC, D(4), mode)
        await bench.place(bench.order("0.012", mode=mode))
        wanted = LEVERAGE
        if bench.adapter.capabilities.changes_in_place(mode):
            await bench.adapter.set_leverage(BTC, LEVERAGE, mode)
        else:
            wanted = D(4)
            with pytest.raises(Rejected):
                await bench.adapter.set_leverage(BTC, LEVERAGE, mode)
        assert (await bench.adapter.leverage(BTC)).leverage == wanted
        position = (await bench.adapter.positions()).of(BTC)
        assert position.leverage in (None, wanted)
        assert position.margin_mode in (None, mode)
        assert position.contracts == bench.contracts("0.012")

    it.run(where, scenario)


@BOTH
@every(lambda can: can.leverage is LeverageScope.PER_ORDER)
def test_leverage_that_comes_with_orders_is_that_of_the_position(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Rejected, match="comes with the order"):
            await bench.adapter.set_leverage(BTC, LEVERAGE, ISOLATED)
        await bench.place(bench.order("0.012", mode=ISOLATED, leverage=LEVERAGE))
        position = (await bench.adapter.positions()).of(BTC)
        assert (position.leverage, position.margin_mode) == (LEVERAGE, ISOLATED)

    it.run(where, scenario)


@BOTH
@every(lambda can: can.margin_mode_scope is not MarginModeScope.ORDER)
def test_the_margin_mode_is_set_at_its_scope(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        whole = bench.adapter.capabilities.margin_mode_scope is MarginModeScope.ACCOUNT
        begins = bench.margin_mode
        other = ISOLATED if begins is CROSS else CROSS
        if not whole:
            with pytest.raises(OurFault, match="nothing was sent"):
                await bench.adapter.set_margin_mode(None, other, D(3))
        for _ in range(2):
            await bench.adapter.set_margin_mode(None if whole else ETH, other, D(3))
        assert (await bench.adapter.leverage(ETH)).margin_mode is other
        assert (await bench.adapter.leverage(BTC)).margin_mode is (other if whole else begins)
        assert (await bench.adapter.preflight()).margin_mode is (other if whole else None)
        await bench.adapter.set_margin_mode(None if whole else ETH, begins, D(3))
        await bench.place(bench.order("0.012"))
        with pytest.raises(Rejected):  # something is open
            await bench.adapter.set_margin_mode(None if whole else BTC, other, D(3))
        assert (await bench.adapter.leverage(BTC)).margin_mode is begins

    it.run(where, scenario)


@BOTH
@pytest.mark.parametrize("it", [it for it in benches() if it.hedge_mode], ids=str)
def test_the_position_mode_is_set_when_flat(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(position_mode="hedge")
        for _ in range(2):
            await bench.adapter.set_position_mode(PositionMode.ONE_WAY)
        assert (await bench.adapter.preflight()).position_mode is PositionMode.ONE_WAY
        await bench.place(bench.order("0.012"))
        with pytest.raises(Rejected):
            await bench.adapter.set_position_mode(PositionMode.HEDGE)
        assert (await bench.adapter.preflight()).position_mode is PositionMode.ONE_WAY

    it.run(where, scenario)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "garbage", "empty", "hang", "reset", "status"])
@pytest.mark.parametrize(("it", "mode"), EACH, ids=str)
def test_a_setting_whose_answer_is_lost_is_unavailable_and_can_be_read_back(
    it: VenueBench, mode: MarginMode, kind: str
) -> None:
    async def scenario(bench: Bench) -> None:
        await enter(bench, mode)
        before = (await bench.adapter.leverage(ETH)).leverage
        bench.fault(kind, "leverage")
        with pytest.raises(Unavailable):
            await bench.adapter.set_leverage(ETH, LEVERAGE, mode)
        bench.admin.clear_faults()
        took_hold = bench.world.venues[bench.venue].exchange.leverage("main", ETH) == LEVERAGE
        assert (await bench.adapter.leverage(ETH)).leverage == (LEVERAGE if took_hold else before)

    it.run("memory", scenario)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "garbage", "empty", "hang", "reset", "status"])
@every()
def test_a_mode_whose_answer_is_lost_is_unavailable_and_a_cancel_ambiguous(it: VenueBench, kind: str) -> None:
    async def scenario(bench: Bench) -> None:
        scope = bench.adapter.capabilities.margin_mode_scope
        other = ISOLATED if bench.margin_mode is CROSS else CROSS
        await bench.adapter.preflight()
        await bench.adapter.instruments()
        if scope is not MarginModeScope.ORDER:
            bench.fault(kind, "margin_mode")
            with pytest.raises(Unavailable):
                await bench.adapter.set_margin_mode(None if scope is MarginModeScope.ACCOUNT else ETH, other, D(3))
            bench.admin.clear_faults()
            mode = bench.world.venues[bench.venue].exchange.margin_mode("main", ETH)
            assert (await bench.adapter.leverage(ETH)).margin_mode is mode  # nothing kept from before
        if it.hedge_mode:
            bench.fault(kind, "any")
            with pytest.raises(Unavailable):
                await bench.adapter.set_position_mode(PositionMode.HEDGE)
        bench.admin.clear_faults()
        mine = bench.next_id()
        if it.hedge_mode:
            await bench.adapter.set_position_mode(PositionMode.ONE_WAY)
        mode = bench.world.venues[bench.venue].exchange.margin_mode("main", BTC)
        await bench.place(bench.resting("0.01", mode=mode), mine)
        bench.fault(kind, "any")
        with pytest.raises(Ambiguous) as caught:
            await bench.adapter.cancel(BTC, mine)
        assert caught.value.client_id == mine

    it.run("memory", scenario)
