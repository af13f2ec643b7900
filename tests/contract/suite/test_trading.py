"""Every venue: an order from permit to verified position, what stands on the wire, and what orders may never do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import LeverageScope, MarginModeScope, OrderStatus, Side
from core.errors import Rejected
from tests.contract.adapter_bench import BTC, ETH, Bench
from tests.contract.suite.benches import BOTH, every
from tests.contract.suite.venue import VenueBench

D = Decimal
SIZE = "0.012"


@BOTH
@every()
def test_an_order_from_permit_to_verified_position(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        can, mine, wanted = bench.adapter.capabilities, bench.next_id(), bench.order(SIZE)
        ack = await bench.trade(wanted, mine)
        assert ack.order_id
        outcome = await bench.found(mine)
        assert outcome is not None
        assert (outcome.status, outcome.filled) == (OrderStatus.DONE, wanted.contracts)
        assert ack.outcome in (None, replace(outcome, fee=None), outcome)
        read = await bench.adapter.positions()
        position = read.of(BTC)
        assert position.contracts == bench.position() == wanted.contracts
        assert position.margin_mode in (None, bench.margin_mode)
        assert position.leverage in (None, it.place.kind.rules.default_leverage)
        assert (position.seq is not None) == can.position_seq
        assert position.seq == outcome.seq or not can.position_seq
        assert read.sent_at <= read.received_at
        assert read.of(ETH).contracts == 0
        (fill,) = (await bench.adapter.history(bench.clock.time() - 60)).fills
        assert (fill.symbol, fill.contracts, fill.client_id, fill.kind) == (BTC, wanted.contracts, mine, "trade")
        assert (fill.fee or 0) > 0
        assert outcome.fee in (None, fill.fee)
        assert outcome.average_price in (None, fill.price)

    it.run(where, scenario)


@BOTH
@every()
def test_what_is_on_the_wire_is_the_intent(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        bench.admin.price({"symbol": ETH, "price": "3000"})
        await bench.trade(bench.order("0.05"))
        await bench.adapter.instruments()
        intents = [
            bench.order(SIZE),
            bench.order("0.02", Side.SELL),
            bench.order("0.004", Side.SELL, reduce=True),
            bench.resting("1.5", ETH),
        ]
        for intent in intents:
            client_id = bench.next_id()
            bench.recorder.forget()
            await bench.trade(intent, client_id)
            (request,) = bench.recorder.sent
            assert bench.recorder.paths() == [it.create]
            decoded, on_the_wire = it.intent(request)
            assert decoded.digest() == intent.digest()
            assert on_the_wire == client_id
            if can.leverage is LeverageScope.PER_ORDER:
                assert decoded.leverage == intent.leverage
            if can.margin_mode_scope is not MarginModeScope.ACCOUNT:
                assert decoded.margin_mode is intent.margin_mode

    it.run(where, scenario)


@BOTH
@every()
def test_long_flip_and_exit(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        held = []
        for one in (
            bench.order(SIZE),
            bench.order(SIZE, Side.SELL, reduce=True),
            bench.order("0.007", Side.SELL),
            bench.order("0.003", Side.BUY, reduce=True),
        ):
            await bench.trade(one)
            held.append((await bench.adapter.positions()).of(BTC).contracts)
            assert held[-1] == bench.position()
        assert held == [bench.contracts(size) for size in (SIZE, "0", "-0.007", "-0.004")]

    it.run(where, scenario)


@BOTH
@every(lambda can: can.reduce_only)
def test_a_reduction_closes_and_never_opens_or_flips(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Rejected) as caught:
            await bench.trade(bench.order("0.001", Side.SELL, reduce=True))
        assert caught.value.code == it.codes.nothing_to_reduce
        for side in (Side.BUY, Side.SELL):
            back = Side.SELL if side is Side.BUY else Side.BUY
            await bench.trade(bench.order("0.005", side))
            await bench.trade(bench.order("0.009", back, reduce=True))
            assert (await bench.adapter.positions()).of(BTC).contracts == bench.position() == 0
            await bench.trade(bench.order("0.005", side))
            with pytest.raises(Rejected):  # it would add
                await bench.trade(bench.order("0.001", side, reduce=True))
            await bench.trade(bench.order("0.005", back, reduce=True))
            assert bench.position() == 0

    it.run(where, scenario)
