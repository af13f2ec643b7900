"""What is peculiar to the Hyperliquid adapter: nonces, the fence, small and large reductions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from core.domain import Cost, LeverageScope, MarginMode, OrderStatus, Side
from core.errors import Ambiguous, OurFault, Rejected, Unavailable
from simulator.facades.hyperliquid import HyperliquidFacade
from simulator.facades.hyperliquid.context import Behaviour
from tests.contract.hyperliquid_bench import BTC, COINS, CREATE, ETH, Bench, bodies, intent, run

D = Decimal
SIZE = "0.012"


# --- fences -----------------------------------------------------------------------------------------------------------


def test_every_action_has_an_end_five_seconds_after_its_nonce() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(bench.order(SIZE), mine)
        await bench.adapter.set_leverage(ETH, D(3), MarginMode.CROSS)
        await bench.adapter.cancel(BTC, mine)
        signed = [body for body in bodies(bench) if "nonce" in body]
        assert [body["expiresAfter"] - body["nonce"] for body in signed] == [5_000] * 3

    run("memory", scenario)


def test_an_order_that_is_nowhere_after_its_end_has_its_nonce_used_up_once() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.adapter.instruments()
        bench.fault("drop_before", "order_create")
        with pytest.raises(Ambiguous):
            await bench.place(bench.order(SIZE), mine)
        nonce = bodies(bench)[-1]["nonce"]
        bench.recorder.forget()
        assert await bench.adapter.find(BTC, mine) is None
        assert [body.get("type") for body in bodies(bench)] == ["orderStatus"]  # it may still come
        await asyncio.sleep(5.1)
        for _ in range(2):
            assert await bench.adapter.find(BTC, mine) is None
        actions = [body for body in bodies(bench) if "action" in body]
        assert [(body["action"], body["nonce"]) for body in actions] == [({"type": "noop"}, nonce)]
        assert "expiresAfter" not in actions[0]

    run("memory", scenario)


def test_an_order_still_under_way_after_its_end_is_killed_by_its_nonce() -> None:
    """Even where the venue's clock has been set back, so that its end has not come there yet."""

    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.adapter.preflight()
        bench.fault("delay_ms", "order_create", 9_000, landed=False)
        with pytest.raises(Ambiguous):
            await bench.place(bench.order(SIZE), mine)
        await asyncio.sleep(5.1)
        assert await bench.adapter.find(BTC, mine) is None
        bench.admin.clock({"venue": "hyperliquid", "offset_ms": -8_000})
        await asyncio.sleep(10)
        assert (bench.orders(), bench.position()) == (0, D(0))

    run("memory", scenario)


def test_a_lookup_whose_noop_is_not_answered_says_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.adapter.instruments()
        bench.fault("drop_before", "order_create")
        with pytest.raises(Ambiguous):
            await bench.place(bench.order(SIZE), mine)
        await asyncio.sleep(5.1)
        sent = len(bench.recorder.sent)
        bench.recorder.lose = sent + 2  # the lookup, then the noop
        with pytest.raises(Unavailable):
            await bench.adapter.find(BTC, mine)
        bench.recorder.lose = 0
        assert await bench.adapter.find(BTC, mine) is None

    run("memory", scenario)


def test_a_nonce_never_comes_again_after_the_clock_was_set_back_and_the_end_is_near() -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.adapter.permit(Cost(reduction=False))
        bench.admin.clock({"venue": "hyperliquid", "offset_ms": -60_000})
        await bench.adapter.equity()
        second = await bench.adapter.permit(Cost(reduction=False))
        assert second.nonce == first.nonce + 1
        assert int(second.fields["expires_after_ms"]) <= (bench.clock.time() - 60 + 6) * 1000
        await bench.adapter.place(bench.order(SIZE), bench.next_id(), second)
        assert bench.position() == D(SIZE)

    run("memory", scenario)


def test_orders_are_told_apart_by_fills_that_name_them_or_not() -> None:
    for named in (False, True):

        async def scenario(bench: Bench) -> None:
            mine = bench.next_id()
            await bench.place(bench.order(SIZE), mine)
            bench.foreign(BTC, "0.02")
            await asyncio.sleep(15)
            fills = (await bench.apart().history(bench.clock.time() - 60)).fills
            assert [fill.client_id for fill in fills] == [mine, None]

        run("memory", scenario, build=partial(HyperliquidFacade, behaviour=Behaviour(fills_name_orders=named)))


def test_a_venue_that_is_slow_to_show_orders_and_fills_shows_them_in_the_end() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        ack = await bench.place(bench.order(SIZE), mine)
        assert ack.outcome is not None
        assert ack.outcome.filled == D(SIZE)
        assert await bench.adapter.find(BTC, mine) is None  # and not yet late, so that this means nothing
        await asyncio.sleep(3.1)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(SIZE))

    run("memory", scenario, build=partial(HyperliquidFacade, behaviour=Behaviour(read_lag_s=3.0)))


# --- orders -----------------------------------------------------------------------------------------------------------


def test_a_reduction_larger_than_the_position_may_be_refused_and_nothing_opens() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(bench.order(SIZE))
        with pytest.raises(Rejected) as caught:
            await bench.place(bench.order("0.02", Side.SELL, reduce=True))
        assert caught.value.code == "ReduceOnly"
        assert bench.position() == D(SIZE)
        await bench.place(bench.order(SIZE, Side.SELL, reduce=True))
        assert bench.position() == 0

    run("memory", scenario)


@pytest.mark.parametrize("taken", [False, True])
def test_a_reduction_below_the_minimum_is_rejected_with_what_to_do(taken: bool) -> None:
    async def scenario(bench: Bench) -> None:
        bench.foreign(BTC, "0.0001")
        close = bench.order("0.0001", Side.SELL, reduce=True)
        if taken:
            await bench.place(close)
            assert bench.position() == 0
            return
        with pytest.raises(Rejected, match="close it on the venue's site") as caught:
            await bench.place(close)
        assert caught.value.code == "MinTradeNtl"
        assert bench.position() == D("0.0001")

    run("memory", scenario, build=partial(HyperliquidFacade, behaviour=Behaviour(small_closes=taken)))


def test_a_price_that_has_too_many_digits_by_now_is_not_sent_and_the_contract_read_again() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        order = replace(bench.order(SIZE), price=D("50500.5"))
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.place(order)
        assert CREATE not in bench.recorder.paths()
        bench.recorder.forget()
        await bench.adapter.instruments()
        assert len(bench.recorder.sent) == 1

    run("memory", scenario)


def test_nothing_trades_at_this_price_is_a_rejection() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        with pytest.raises(Rejected) as caught:
            await bench.place(bench.order(SIZE, off="-0.01"), mine)
        assert caught.value.code == "IocCancel"
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled, found.code) == (OrderStatus.REJECTED, D(0), "iocCancelRejected")

    run("memory", scenario)


def test_leverage_and_margin_mode_are_one_setting() -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.adapter.capabilities.leverage is LeverageScope.WITH_MARGIN_MODE
        await bench.adapter.set_margin_mode(ETH, MarginMode.ISOLATED, None)
        found = await bench.adapter.leverage(ETH)
        assert (found.leverage, found.margin_mode) == (D(20), MarginMode.ISOLATED)  # it kept its leverage
        await bench.adapter.set_leverage(ETH, D(3), MarginMode.CROSS)
        found = await bench.adapter.leverage(ETH)
        assert (found.leverage, found.margin_mode) == (D(3), MarginMode.CROSS)
        await bench.adapter.set_margin_mode(ETH, MarginMode.ISOLATED, D(5))
        await bench.place(bench.order("0.1", symbol=ETH))
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(ETH, D(5), MarginMode.CROSS)
        assert caught.value.code == "LeverageType"
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(ETH, D(2), MarginMode.ISOLATED)
        assert caught.value.code == "IsolatedMargin"
        with pytest.raises(OurFault):
            await bench.adapter.set_leverage(ETH, D("2.5"), MarginMode.ISOLATED)

    run("memory", scenario)


def test_no_order_ever_names_a_builder_and_no_request_a_referrer() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.place(bench.order(SIZE))
        await bench.place(bench.order(SIZE, Side.SELL, reduce=True))
        await bench.adapter.history(bench.clock.time() - 60)
        for one in bench.recorder.sent:
            assert b"builder" not in one.body.lower()
            assert b"refer" not in one.body.lower()
            assert set(one.headers) == {"Content-Type"}
        orders = [one for one in bench.recorder.sent if b'"orders"' in one.body]
        assert [intent(one)[0].symbol for one in orders] == [BTC, BTC]
        assert COINS[0] == "BTC"

    run("memory", scenario)


def test_positions_and_equity_are_one_question_when_asked_together() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        bench.recorder.forget()
        await asyncio.gather(bench.adapter.positions(), bench.adapter.equity())
        assert [body["type"] for body in bodies(bench)] == ["clearinghouseState"]
        await bench.adapter.positions()  # a later one never counts for an earlier answer
        assert len(bench.recorder.sent) == 2

    run("memory", scenario)
