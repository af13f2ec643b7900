"""The BloFin adapter against the simulated venue, over real HTTP and in memory: what it reads, what it sends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from account_processors.codecs.blofin import order_of_body
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
from core.errors import OurFault, Rejected, Unavailable
from tests.contract.blofin_bench import BTC, ETH, Bench, order, run

D = Decimal
SOL = Symbol("SOLUSDT")
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
RESTING = PlaceOrder(
    BTC, Side.BUY, D("10"), OrderKind.LIMIT, D("49500"), TimeInForce.GTC, False, None, MarginMode.CROSS
)


@BOTH
def test_a_healthy_account_passes_preflight(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.adapter.clock_offset_s is None
        preflight = await bench.adapter.preflight()
        assert preflight.problems == ()
        assert preflight.position_mode is PositionMode.ONE_WAY
        assert preflight.margin_mode is MarginMode.CROSS
        assert abs(preflight.clock_offset_s) < 0.1
        assert bench.adapter.clock_offset_s is not None

    run(where, scenario)


@BOTH
def test_an_order_from_permit_to_verified_position(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        ack = await bench.place(order("12.3"), mine)
        assert ack.order_id
        assert ack.outcome is None
        outcome = await bench.adapter.find(BTC, mine)
        assert outcome is not None
        assert (outcome.status, outcome.filled) == (OrderStatus.DONE, D("12.3"))
        read = await bench.adapter.positions()
        position = read.of(BTC)
        assert position.contracts == bench.position() == D("12.3")
        assert (position.margin_mode, position.leverage, position.seq) == (MarginMode.CROSS, D(3), None)
        assert read.sent_at <= read.received_at
        assert read.of(ETH).contracts == 0
        fills = (await bench.adapter.history(bench.clock.time() - 60)).fills
        assert [(fill.symbol, fill.contracts, fill.client_id, fill.kind) for fill in fills] == [
            (BTC, D("12.3"), mine, "trade")
        ]
        assert fills[0].fee > 0
        assert outcome.average_price == fills[0].price

    run(where, scenario)


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
        assert btc.contracts_for(D(600), D(50_000)) == 12
        assert btc.quantity(D("12.3")) == D("0.0123")
        assert (ltc.contract_size, ltc.lot) == (D(1), D("0.01"))
        assert (btc.settle, btc.tradable, btc.min_notional) == ("USDT", True, D(0))
        assert len(listed) >= 25
        await bench.place(order("0.1"))
        assert bench.world.venues["blofin"].exchange.fills("main")[0].quantity == D("0.0001")

    run("memory", scenario)


GTC = PlaceOrder(ETH, Side.BUY, D("1.5"), OrderKind.LIMIT, D("3000.50"), TimeInForce.GTC, False, D(3), MarginMode.CROSS)
ORDERS = [order("12.3"), order("20", Side.SELL), order("4", Side.SELL, reduce=True), GTC]


@BOTH
def test_what_is_on_the_wire_is_the_intent(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.admin.price({"symbol": ETH, "price": "3000"})
        await bench.place(order("50"))
        bench.recorder.sent.clear()
        for intent in ORDERS:
            client_id = bench.next_id()
            await bench.place(intent, client_id)
            (request,) = bench.recorder.sent
            decoded, on_the_wire = order_of_body(request.body)
            assert decoded.digest() == intent.digest()
            assert (on_the_wire, decoded.margin_mode) == (client_id, intent.margin_mode)
            bench.recorder.sent.clear()

    run(where, scenario)


@BOTH
def test_long_flip_and_exit(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        held = []
        for one in (order("12"), order("12", Side.SELL, reduce=True), order("7.5", Side.SELL)):
            await bench.place(one)
            held.append((await bench.adapter.positions()).of(BTC).contracts)
        assert held == [D(12), D(0), D("-7.5")]
        with pytest.raises(Rejected) as caught:  # reduce-only never opens
            await bench.place(order("1", Side.SELL, reduce=True))
        assert caught.value.code == "102022"

    run(where, scenario)


@BOTH
def test_a_reduction_above_what_is_held_closes_and_never_flips(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("5"))
        await bench.place(order("9", Side.SELL, reduce=True))
        assert (await bench.adapter.positions()).of(BTC).contracts == bench.position() == 0
        body = json.loads(next(one.body for one in reversed(bench.recorder.sent) if one.url.endswith("/trade/order")))
        assert body["reduceOnly"] == "true"  # a JSON boolean would not be heeded

    run(where, scenario)


@BOTH
def test_settings_are_set_and_what_is_so_already_is_success(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(2):
            await bench.adapter.set_leverage(ETH, D(5), MarginMode.CROSS)
            await bench.adapter.set_margin_mode(None, MarginMode.ISOLATED, None)
            await bench.adapter.set_position_mode(PositionMode.ONE_WAY)
        read = await bench.adapter.leverage(ETH)
        assert (read.symbol, read.leverage, read.margin_mode) == (ETH, D(5), MarginMode.ISOLATED)
        assert (await bench.adapter.leverage(BTC)).leverage == 3
        assert (await bench.adapter.preflight()).margin_mode is MarginMode.ISOLATED
        modes = [json.loads(one.body) for one in bench.recorder.sent if one.url.endswith("/set-margin-mode")]
        assert modes == [{"marginMode": "isolated"}] * 2  # the whole account's: no instId

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


@BOTH
def test_prices_are_asked_for_as_few_times_as_possible(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        many = [BTC, ETH, SOL, Symbol("XRPUSDT")]
        for symbols, requests in ((many[:1], 2), (many[:2], 2), (many, 2), ([], 0)):
            bench.recorder.sent.clear()
            found = await bench.adapter.prices(symbols)
            assert set(found) == set(symbols)
            assert len(bench.recorder.sent) == requests
            assert all("instId" in one.url for one in bench.recorder.sent) == (len(symbols) < 2)
        bench.recorder.sent.clear()
        one_by_one = await asyncio.gather(*(bench.adapter.prices([symbol]) for symbol in many))
        assert [set(found) for found in one_by_one] == [{symbol} for symbol in many]
        assert len(bench.recorder.sent) == 2
        price = (await bench.adapter.prices([BTC]))[BTC]
        assert (price.mark, price.last) == (D(50_000), D(50_000))
        assert price.bid is not None
        assert price.ask is not None
        assert price.bid < price.mark < price.ask
        assert abs(price.at - bench.clock.time()) < 5

    run(where, scenario)


@BOTH
def test_a_symbol_the_venue_does_not_list_has_no_price_and_costs_the_others_nothing(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        unknown = Symbol("NOSUCHUSDT")
        for _ in range(2):
            assert set(await bench.adapter.prices([unknown])) == set()
            assert set(await bench.adapter.prices([BTC, unknown])) == {BTC}
            await bench.adapter.instruments()
        for call in (bench.adapter.leverage(unknown), bench.adapter.find(unknown, bench.next_id())):
            with pytest.raises(Unavailable, match="lists no"):
                await call
        with pytest.raises(Unavailable, match="nothing was sent"):
            await bench.place(replace(order("1"), symbol=unknown))

    run(where, scenario)


@BOTH
def test_accounts_share_public_data(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        await asyncio.gather(*(each.instruments() for each in (bench.adapter, second) for _ in range(3)))
        await asyncio.gather(bench.adapter.prices([BTC]), second.prices([ETH, BTC]), second.prices([SOL]))
        assert bench.recorder.paths() == [
            "GET /api/v1/market/instruments", "GET /api/v1/market/mark-price", "GET /api/v1/market/tickers",
        ]  # fmt: skip

    run(where, scenario)
