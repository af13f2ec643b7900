"""The KuCoin adapter against the simulated venue, over real HTTP and in memory: what it reads, what it sends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from account_processors.codecs.kucoin import order_of_body
from core.domain import (
    MarginMode,
    OrderKind,
    OrderStatus,
    PlaceOrder,
    PositionMode,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import OurFault, Rejected
from tests.contract.kucoin_bench import BTC, ETH, Bench, order, run

D = Decimal
SOL = Symbol("SOLUSDT")
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS


@BOTH
def test_a_healthy_account_passes_preflight_and_nothing_is_placed(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        offset_before = bench.adapter.clock_offset_s
        preflight = await bench.adapter.preflight()
        assert offset_before is None
        assert preflight.problems == ()
        assert preflight.position_mode is PositionMode.ONE_WAY
        assert preflight.margin_mode is None  # it belongs to each symbol
        assert abs(preflight.clock_offset_s) < 0.1
        assert bench.adapter.clock_offset_s is not None
        assert bench.orders() == 0

    run(where, scenario)


@BOTH
def test_an_order_from_permit_to_verified_position(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        ack = await bench.place(order("12"), mine)
        assert ack.order_id
        assert ack.outcome is None
        outcome = await bench.adapter.find(BTC, mine)
        assert outcome is not None
        assert (outcome.status, outcome.filled) == (OrderStatus.DONE, D(12))
        read = await bench.adapter.positions()
        position = read.of(BTC)
        assert position.contracts == bench.position() == D(12)
        assert (position.margin_mode, position.leverage, position.seq) == (ISOLATED, D(3), None)
        assert read.sent_at <= read.received_at
        assert read.of(ETH).contracts == 0
        fills = (await bench.adapter.history(bench.clock.time() - 60)).fills
        assert [(fill.symbol, fill.contracts, fill.client_id, fill.kind) for fill in fills] == [
            (BTC, D(12), mine, "trade")
        ]
        assert outcome.fee == fills[0].fee > 0
        assert outcome.average_price == fills[0].price

    run(where, scenario)


def test_contracts_are_whole_lots_of_a_multiplier() -> None:
    async def scenario(bench: Bench) -> None:
        listed = await bench.adapter.instruments()
        btc, xrp, usdc = listed[BTC], listed[Symbol("XRPUSDT")], listed[Symbol("BTCUSDC")]
        assert (btc.venue_symbol, btc.base, btc.contract_size, btc.lot, btc.min_contracts, btc.min_notional) == (
            "XBTUSDTM", "BTC", D("0.001"), D(1), D(1), D(0),
        )  # fmt: skip
        assert btc.contracts_for(D(600), D(50_000)) == 12  # the worked figure: 0.012 BTC
        assert (xrp.contract_size, usdc.venue_symbol, usdc.settle) == (D(10), "XBTUSDCM", "USDC")
        assert all(one.tradable and one.lot == 1 for one in listed.values())
        bench.foreign(BTC, "-0.4")
        assert (await bench.adapter.positions()).of(BTC).contracts == -400

    run("memory", scenario)


ORDERS = [
    order("12"),
    order("20", Side.SELL),
    order("4", Side.SELL, reduce=True),
    PlaceOrder(ETH, Side.BUY, D(150), OrderKind.LIMIT, D("3034.50"), TimeInForce.GTC, False, D(7), ISOLATED),
]


@BOTH
def test_what_is_on_the_wire_is_the_intent(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("50"))
        for intent in ORDERS:
            client_id = bench.next_id()
            bench.recorder.sent.clear()
            await bench.place(intent, client_id)
            (request,) = bench.recorder.sent
            decoded, on_the_wire = order_of_body(request.body)
            assert decoded.digest() == intent.digest()
            assert (decoded.leverage, decoded.margin_mode) == (intent.leverage, intent.margin_mode)
            assert on_the_wire == client_id

    run(where, scenario)


@BOTH
def test_long_flip_and_exit(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        held = []
        for one in (order("12"), order("12", Side.SELL, reduce=True), order("7", Side.SELL)):
            await bench.place(one)
            held.append((await bench.adapter.positions()).of(BTC).contracts)
        assert held == [12, 0, -7]
        with pytest.raises(Rejected) as caught:  # reduce-only never opens
            await bench.place(order("1", Side.SELL, reduce=True))
        assert caught.value.code == "300009"

    run(where, scenario)


@BOTH
def test_a_reduction_above_what_is_held_closes_and_never_flips(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("5"))
        await bench.place(order("9", Side.SELL, reduce=True))
        assert (await bench.adapter.positions()).of(BTC).contracts == bench.position() == 0

    run(where, scenario)


# --- leverage and margin mode -----------------------------------------------------------------------------------------


def test_the_leverage_of_an_isolated_position_is_that_of_its_orders() -> None:
    """The venue's own figure moves with profit; the one opened with does not, and a blend is seen as such."""

    async def scenario(bench: Bench) -> None:
        await bench.place(order("100"))
        bench.admin.price({"symbol": BTC, "price": "51000"})
        assert (await bench.adapter.positions()).of(BTC).leverage == 3
        shown = json.loads(bench.recorder.got[-1].body)["data"][0]
        assert shown["leverage"] == shown["realLeverage"] != 3
        await bench.place(order("50", Side.SELL, reduce=True))
        assert (await bench.adapter.positions()).of(BTC).leverage == 3
        bench.admin.price({"symbol": BTC, "price": "50000"})
        await bench.place(replace(order("50"), leverage=D(10)))
        blend = (await bench.adapter.positions()).of(BTC).leverage
        assert blend is not None
        assert 3 < blend < 10
        await bench.place(order("100", Side.SELL, reduce=True))
        await bench.place(replace(order("50", Side.SELL), leverage=D(10)))
        assert (await bench.adapter.positions()).of(BTC).leverage == 10

    run("memory", scenario)


@BOTH
def test_a_flat_symbol_has_a_margin_mode_and_a_leverage_in_cross_only(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        read = await bench.adapter.leverage(ETH)
        assert (read.symbol, read.leverage, read.margin_mode) == (ETH, None, ISOLATED)
        for _ in range(2):  # what is so already is success
            await bench.adapter.set_margin_mode(ETH, CROSS, D(4))
            await bench.adapter.set_leverage(ETH, D(4), CROSS)
            await bench.adapter.set_position_mode(PositionMode.ONE_WAY)
        read = await bench.adapter.leverage(ETH)
        assert (read.leverage, read.margin_mode) == (D(4), CROSS)
        assert (await bench.adapter.leverage(BTC)).margin_mode is ISOLATED
        with pytest.raises(Rejected, match="comes with the order"):
            await bench.adapter.set_leverage(BTC, D(4), ISOLATED)
        with pytest.raises(OurFault, match="nothing was sent"):
            await bench.adapter.set_margin_mode(None, CROSS, None)

    run(where, scenario)


@BOTH
def test_in_cross_margin_the_symbols_leverage_counts_and_changes_in_place(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.set_margin_mode(BTC, CROSS, None)
        await bench.adapter.set_leverage(BTC, D(4), CROSS)
        crossed = replace(order("12"), margin_mode=CROSS, leverage=D(9))
        await bench.place(crossed)
        assert "leverage" not in json.loads(bench.recorder.sent[-1].body)
        position = (await bench.adapter.positions()).of(BTC)
        assert (position.leverage, position.margin_mode) == (D(4), CROSS)
        await bench.adapter.set_leverage(BTC, D(8), CROSS)
        assert (await bench.adapter.positions()).of(BTC).leverage == 8
        with pytest.raises(Rejected) as caught:  # the order says isolated, the symbol is in cross margin
            await bench.place(order("1"))
        assert caught.value.code == "330005"
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_margin_mode(BTC, ISOLATED, None)
        assert caught.value.code == "50002"
        with pytest.raises(Rejected):
            await bench.adapter.set_position_mode(PositionMode.HEDGE)
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(BTC, D(5000), CROSS)
        assert caught.value.code == "300016"
        assert bench.position() == 12

    run(where, scenario)


# --- public data ------------------------------------------------------------------------------------------------------


@BOTH
def test_prices_are_asked_for_as_few_times_as_possible(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        many = [BTC, ETH, SOL, Symbol("XRPUSDT")]
        for symbols, requests in ((many[:1], 1), (many[:2], 2), (many, 1), ([], 0)):
            bench.recorder.sent.clear()
            found = await bench.adapter.prices(symbols)
            assert set(found) == set(symbols)
            assert len(bench.recorder.sent) == requests
        bench.recorder.sent.clear()
        one_by_one = await asyncio.gather(*(bench.adapter.prices([symbol]) for symbol in many))
        assert [set(found) for found in one_by_one] == [{symbol} for symbol in many]
        assert len(bench.recorder.sent) == 1
        bench.admin.price({"symbol": BTC, "price": "50000", "last": "50100"})
        for symbols in (many[:1], many):
            price = (await bench.adapter.prices(symbols))[BTC]
            assert (price.mark, price.last) == (D(50_000), D(50_100))
            assert abs(price.at - bench.clock.time()) < 5

    run(where, scenario)


@BOTH
def test_a_symbol_the_venue_does_not_list_has_no_price_and_costs_the_others_nothing(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        unknown = Symbol("NOSUCHUSDT")
        assert set(await bench.adapter.prices([unknown])) == set()
        assert set(await bench.adapter.prices([BTC, unknown])) == {BTC}
        assert set(await bench.adapter.prices([BTC, ETH, SOL, unknown])) == {BTC, ETH, SOL}

    run(where, scenario)


@BOTH
def test_accounts_share_public_data_and_the_venues_time(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        await asyncio.gather(*(each.instruments() for each in (bench.adapter, second) for _ in range(3)))
        await asyncio.gather(bench.adapter.prices([BTC]), second.prices([ETH, BTC]), second.prices([SOL]))
        assert bench.recorder.paths()[:1] == ["GET /api/v1/contracts/active"]
        assert len(bench.recorder.sent) == 4  # BTC, ETH and SOL in one batch of three
        bench.recorder.sent.clear()
        await asyncio.gather(bench.adapter.equity(), second.equity())
        assert sorted(bench.recorder.paths()) == ["GET /api/v1/account-overview"] * 2 + ["GET /api/v1/timestamp"]

    run(where, scenario)
