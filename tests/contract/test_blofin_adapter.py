"""What of the BloFin adapter no other venue has, over real HTTP and in memory; the rest is in the suite."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import (
    LeverageScope,
    MarginMode,
    MarginModeScope,
    OrderKind,
    OrderStatus,
    PlaceOrder,
    PositionMode,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable
from simulator.facades.blofin import BloFinFacade
from tests.contract.blofin_bench import BTC, ETH, Bench, order, run
from tests.contract.suite.benches import BOTH

D = Decimal
RESTING = PlaceOrder(
    BTC, Side.BUY, D("10"), OrderKind.LIMIT, D("49500"), TimeInForce.GTC, False, None, MarginMode.CROSS
)


def test_contracts_are_fractions_of_a_thousandth() -> None:
    async def scenario(bench: Bench) -> None:
        listed = await bench.adapter.instruments()
        btc, ltc = listed[BTC], listed[Symbol("LTCUSDT")]
        assert (btc.venue_symbol, btc.contract_size, btc.lot, btc.min_contracts) == (
            "BTC-USDT",
            D("0.001"),
            D("0.1"),
            D("0.1"),
        )
        assert btc.quantity(D("12.3")) == D("0.0123")
        assert (ltc.contract_size, ltc.lot) == (D(1), D("0.01"))
        assert (btc.settle, btc.tradable, btc.min_notional) == ("USDT", True, D(0))
        await bench.place(order("0.1"))
        assert bench.world.venues["blofin"].exchange.fills("main")[0].quantity == D("0.0001")

    run("memory", scenario)


@BOTH
def test_what_a_reduction_and_a_margin_mode_look_like_on_the_wire(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("5"))
        await bench.place(order("9", Side.SELL, reduce=True))
        await bench.adapter.set_margin_mode(None, MarginMode.ISOLATED, None)
        reduction, mode = (json.loads(one.body) for one in bench.recorder.sent[-2:])
        assert reduction["reduceOnly"] == "true"  # a JSON boolean would not be heeded
        assert mode == {"marginMode": "isolated"}  # the whole account's: no instId

    run(where, scenario)


@BOTH
def test_settings_the_venue_refuses_are_rejected_with_its_reason(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("12"))
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_margin_mode(None, MarginMode.ISOLATED, None)
        assert caught.value.code == "110019"
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_position_mode(PositionMode.HEDGE)
        assert caught.value.code == "110019"
        await bench.adapter.set_leverage(BTC, D(9), MarginMode.CROSS)  # with a position open it may change
        assert (await bench.adapter.leverage(BTC)).leverage == 9
        assert (await bench.adapter.positions()).of(BTC).leverage == 9
        await bench.place(RESTING)
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(BTC, D(5), MarginMode.CROSS)
        assert caught.value.code == "110006"
        with pytest.raises(OurFault):
            await bench.adapter.set_leverage(ETH, D(5000), MarginMode.CROSS)

    run(where, scenario)


def test_leverages_of_many_symbols_are_one_request_and_never_older_than_asked() -> None:
    async def scenario(bench: Bench) -> None:
        symbols = sorted(await bench.adapter.instruments())[:25]
        await bench.adapter.preflight()
        bench.recorder.sent.clear()
        found = await asyncio.gather(*(bench.adapter.leverage(symbol) for symbol in symbols))
        assert [one.symbol for one in found] == symbols
        assert len(bench.recorder.sent) == 2  # twenty and five
        bench.fault("delay_ms", "any", 300, landed=True)  # read at once, answered late
        early = asyncio.create_task(bench.adapter.leverage(BTC))
        await asyncio.sleep(0.05)
        await bench.adapter.set_leverage(BTC, D(7), MarginMode.CROSS)
        assert (await bench.adapter.leverage(BTC)).leverage == 7
        assert not early.done()
        assert (await early).leverage == 3

    run("memory", scenario, rtt_s=0.08)


def test_a_symbol_the_venue_does_not_list_is_not_asked_for() -> None:
    async def scenario(bench: Bench) -> None:
        unknown = Symbol("NOSUCHUSDT")
        for call in (bench.adapter.leverage(unknown), bench.adapter.find(unknown, bench.next_id())):
            with pytest.raises(Unavailable, match="lists no"):
                await call
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.place(replace(order("1"), symbol=unknown))

    run("memory", scenario)


def test_in_hedge_mode_leverage_means_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(position_mode="hedge")
        with pytest.raises(Denied, match="One-way"):
            await bench.adapter.leverage(ETH)
        with pytest.raises(Denied, match="One-way"):
            await bench.place(order("1"))

    run("memory", scenario)


def test_an_account_without_the_coin_is_told_what_to_do() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="0")
        with pytest.raises(Unavailable, match="transfer some"):
            await bench.adapter.equity()

    run("memory", scenario)


def test_capabilities_are_what_the_venue_can_do() -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        assert (can.venue, can.client_id_prefix, can.client_id_hex_digits) == ("blofin", "", 32)
        assert can.leverage is LeverageScope.PER_SYMBOL
        assert can.margin_mode_scope is MarginModeScope.ACCOUNT
        assert can.leverage_in_place
        assert can.reduce_only
        assert can.market_orders
        assert not can.position_seq
        assert can.validity_s == pytest.approx(60.0)
        assert can.reads_per_s == pytest.approx(2.8)

    run("memory", scenario)


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_request_that_something_repeats_is_taken_once() -> None:
    """The nonce is what makes it so; what the second answer says must not pass for a refusal of the order."""

    async def scenario(bench: Bench) -> None:
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        await bench.place(order("12"), bench.next_id())
        answer = await bench.recorder.send(bench.recorder.sent[-1])
        assert b"152407" in answer.body
        assert bench.orders() == 1

    run("memory", scenario)


def test_an_order_that_reads_do_not_show_yet_is_not_concluded_from() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        since = bench.clock.time() - 1
        await bench.place(order("12"), mine)
        assert (await bench.adapter.positions()).of(BTC).contracts == 0
        assert await bench.adapter.find(BTC, mine) is None  # absent twice, after the fence, is what counts
        await asyncio.sleep(4)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(12))
        assert [fill.client_id for fill in (await bench.adapter.history(since)).fills] == [mine]

    run("memory", scenario, build=lambda exchange: BloFinFacade(exchange, read_lag_s=3.0))


@pytest.mark.parametrize(("later_s", "failing"), [(0, 1), (0, 2), (0, 3), (70, 1), (70, 2), (70, 3)])
def test_an_order_is_not_final_by_a_lookup_that_failed(later_s: float, failing: int) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("partial_fill", "order_create", "0.5")
        await bench.place(order("12"), mine)
        await asyncio.sleep(later_s)
        bench.recorder.sent.clear()
        bench.recorder.lose = failing
        with pytest.raises(Unavailable):
            await bench.adapter.find(BTC, mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(6))
        assert found.fee is not None

    run("memory", scenario)


def test_an_order_that_is_late_may_land_until_its_fence() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        mine = bench.next_id()
        bench.fault("delay_ms", "order_create", 59_000)
        with pytest.raises(Ambiguous):
            await bench.place(order("12"), mine)
        await asyncio.sleep(30)
        assert await bench.adapter.find(BTC, mine) is None
        await asyncio.sleep(60)
        assert bench.orders() == 1
        assert await bench.adapter.find(BTC, mine) is not None

    run("memory", scenario)
