"""The Bybit adapter against the simulated venue, over real HTTP and in memory: what it reads, what it sends."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from account_processors import load
from account_processors.codecs.bybit import order_of_body
from account_processors.shared import VenueShared
from core.domain import (
    LeverageScope,
    MarginMode,
    MarginModeScope,
    OrderKind,
    OrderStatus,
    PlaceOrder,
    PositionMode,
    Scope,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import ConfigError, Denied, Rejected
from tests.contract.bybit_bench import BTC, ETH, Bench, order, run

D = Decimal
SOL = Symbol("SOLUSDT")
BOTH = pytest.mark.parametrize("where", ["memory", "http"])


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
        ack = await bench.place(order("0.012"), mine)
        assert ack.order_id
        assert ack.outcome is None
        outcome = await bench.adapter.find(BTC, mine)
        assert outcome is not None
        assert (outcome.status, outcome.filled) == (OrderStatus.DONE, D("0.012"))
        read = await bench.adapter.positions()
        position = read.of(BTC)
        assert position.contracts == bench.position() == D("0.012")
        assert position.margin_mode is MarginMode.CROSS
        assert position.leverage == 10
        assert position.seq == outcome.seq is not None
        assert read.sent_at <= read.received_at
        assert read.of(ETH).contracts == 0
        fills = (await bench.adapter.history(bench.clock.time() - 60)).fills
        assert [(fill.symbol, fill.contracts, fill.client_id, fill.kind) for fill in fills] == [
            (BTC, D("0.012"), mine, "trade")
        ]
        assert outcome.fee == fills[0].fee > 0
        assert outcome.average_price == fills[0].price

    run(where, scenario)


ORDERS = [
    order("0.012"),
    order("0.02", Side.SELL),
    order("0.004", Side.SELL, reduce=True),
    PlaceOrder(ETH, Side.BUY, D("1.50"), OrderKind.LIMIT, D("1234.50"), TimeInForce.GTC, False, D(3), MarginMode.CROSS),
]


@BOTH
def test_what_is_on_the_wire_is_the_intent(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("0.05"))
        bench.recorder.sent.clear()
        for intent in ORDERS:
            client_id = bench.next_id()
            await bench.place(intent, client_id)
            (request,) = bench.recorder.sent
            decoded, on_the_wire = order_of_body(request.body)
            assert decoded.digest() == intent.digest()
            assert on_the_wire == client_id
            bench.recorder.sent.clear()

    run(where, scenario)


@BOTH
def test_long_flip_and_exit(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        held = []
        for one in (order("0.012"), order("0.012", Side.SELL, reduce=True), order("0.007", Side.SELL)):
            await bench.place(one)
            held.append((await bench.adapter.positions()).of(BTC).contracts)
        assert held == [D("0.012"), D(0), D("-0.007")]
        with pytest.raises(Rejected) as caught:  # reduce-only never opens
            await bench.place(order("0.001", Side.SELL, reduce=True))
        assert caught.value.code == "110017"

    run(where, scenario)


@BOTH
def test_settings_are_set_and_not_modified_is_success(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(2):
            await bench.adapter.set_leverage(ETH, D("3.5"), MarginMode.CROSS)
            await bench.adapter.set_margin_mode(None, MarginMode.ISOLATED, D(3))
            await bench.adapter.set_position_mode(PositionMode.ONE_WAY)
        read = await bench.adapter.leverage(ETH)
        assert (read.symbol, read.leverage, read.margin_mode) == (ETH, D("3.5"), MarginMode.ISOLATED)
        assert (await bench.adapter.leverage(BTC)).leverage == 10
        assert (await bench.adapter.preflight()).margin_mode is MarginMode.ISOLATED

    run(where, scenario)


@BOTH
def test_settings_the_venue_refuses_are_rejected_with_its_reason(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("0.012"))
        with pytest.raises(Rejected, match="open positions or orders"):
            await bench.adapter.set_margin_mode(None, MarginMode.ISOLATED, D(3))
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_position_mode(PositionMode.HEDGE)
        assert caught.value.code == "110024"
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(BTC, D(5000), MarginMode.CROSS)
        assert caught.value.code == "110013"

    run(where, scenario)


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
        assert set(await bench.adapter.prices([unknown])) == set()
        assert set(await bench.adapter.prices([BTC, unknown])) == {BTC}
        assert set(await bench.adapter.prices([BTC, ETH, unknown])) == {BTC, ETH}

    run(where, scenario)


@BOTH
def test_accounts_share_public_data(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        found = await asyncio.gather(*(each.instruments() for each in (bench.adapter, second) for _ in range(3)))
        await asyncio.gather(bench.adapter.prices([BTC]), second.prices([ETH, BTC]), second.prices([SOL]))
        assert bench.recorder.paths() == ["GET /v5/market/instruments-info", "GET /v5/market/tickers"]
        btc = found[0][BTC]
        assert btc.lot == D("0.001")
        assert btc.contract_size == 1
        assert btc.tradable
        assert btc.settle == "USDT"

    run(where, scenario)


@BOTH
def test_an_order_nobody_knows_is_absent_only_after_three_answers(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.adapter.find(BTC, bench.next_id()) is None
        assert bench.recorder.paths() == ["GET /v5/order/realtime", "GET /v5/order/history", "GET /v5/execution/list"]

    run(where, scenario)


RESTING = PlaceOrder(
    BTC, Side.BUY, D("0.01"), OrderKind.LIMIT, D("49000"), TimeInForce.GTC, False, None, MarginMode.CROSS
)


@BOTH
def test_resting_orders_are_listed_found_open_and_cancelled(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(RESTING, mine)
        (listed,) = await bench.adapter.open_orders()
        assert (listed.symbol, listed.side, listed.contracts, listed.client_id) == (BTC, Side.BUY, D("0.01"), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.final, found.filled) == (OrderStatus.OPEN, False, D(0))
        for _ in range(2):  # the second finds nothing left to cancel
            await bench.adapter.cancel(BTC, mine)
        assert await bench.adapter.open_orders() == ()
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(0))

    run(where, scenario)


@BOTH
def test_what_others_did_to_the_account_is_told_apart(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        since = bench.clock.time() - 1
        bench.foreign(BTC, "0.5")
        bench.foreign(BTC, "0.3", "adl")
        bench.foreign(BTC, "0", "liquidation")
        fills = (await bench.adapter.history(since)).fills
        assert [(fill.kind, fill.contracts, fill.client_id) for fill in fills] == [
            ("trade", D("0.5"), None),
            ("adl", D("-0.2"), None),
            ("liquidation", D("-0.3"), None),
        ]
        assert len({fill.exec_id for fill in fills}) == 3

    run(where, scenario)


# --- accounts that cannot be used -------------------------------------------------------------------------------------


@BOTH
def test_a_wrong_key_or_secret_is_denied(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        for changed, code in (({"api_key": "canary-wrong-key"}, "10003"), ({"api_secret": "canary-wrong"}, "10004")):
            other = bench.another("main", changed)
            for call in (other.preflight, other.positions, other.equity):
                with pytest.raises(Denied) as caught:
                    await call()
                assert caught.value.code == code
                assert "canary" not in f"{caught.value!r} {other!r}"

    run(where, scenario)


@BOTH
def test_a_key_that_may_not_trade_is_a_problem_and_its_orders_are_denied(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(can_trade=False)
        (problem,) = (await bench.adapter.preflight()).problems
        assert (problem.scope, problem.code) == (Scope.ALL, "read_only")
        with pytest.raises(Denied) as caught:
            await bench.place(order("0.012"))
        assert caught.value.code == "10005"
        assert bench.position() == 0

    run(where, scenario)


@BOTH
@pytest.mark.parametrize("holds", ["0", "0.4"])
def test_hedge_mode_is_seen_flat_or_not(where: str, holds: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(position_mode="hedge")
        bench.foreign(BTC, holds)
        preflight = await bench.adapter.preflight()
        assert preflight.position_mode is PositionMode.HEDGE
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.ALL, "hedge_mode")]
        assert "One-Way" in preflight.problems[0].because
        with pytest.raises(Denied, match="One-Way"):
            await bench.adapter.leverage(ETH)
        if D(holds):
            with pytest.raises(Denied, match="One-Way"):
                await bench.adapter.positions()

    run(where, scenario)


@pytest.mark.parametrize("missing", ["api_key", "api_secret"])
def test_missing_credentials_name_account_and_field(missing: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ConfigError, match=f"bybit-main: {missing}"):
            bench.another("main", {missing: ""})

    run("memory", scenario)


def test_an_unknown_venue_is_named() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load("nowhere")


# --- the wire ---------------------------------------------------------------------------------------------------------


@BOTH
def test_every_request_is_signed_in_order_and_carries_no_mark_of_anybody(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        calls = [bench.adapter.equity, bench.adapter.positions, bench.adapter.open_orders, bench.adapter.preflight]
        await asyncio.gather(*(call() for call in calls * 3))
        await bench.place(order("0.012"))
        await bench.adapter.set_leverage(ETH, D(5), MarginMode.CROSS)
        signed = [one for one in bench.recorder.sent if "X-BAPI-SIGN" in one.headers]
        stamps = [int(one.headers["X-BAPI-TIMESTAMP"]) for one in signed]
        assert len(set(stamps)) == len(stamps) > 20
        assert {one.headers["X-BAPI-RECV-WINDOW"] for one in signed} == {"5000"}
        assert all("/v5/market/" in one.url for one in bench.recorder.sent if one not in signed)
        for request in bench.recorder.sent:
            names = {name.lower() for name in request.headers}
            assert names <= {
                "content-type", "x-bapi-api-key", "x-bapi-timestamp", "x-bapi-recv-window", "x-bapi-sign",
                "x-bapi-sign-type",
            }  # fmt: skip
            assert request.deadline_s == pytest.approx(0.5)
            if request.method == "POST":
                assert not {"brokerId", "referer", "source", "closeOnTrigger"} & set(json.loads(request.body))
            else:
                assert request.body == b""

    run(where, scenario)


def test_capabilities_are_what_the_venue_can_do() -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        assert can.venue == "bybit"
        assert can.leverage is LeverageScope.PER_SYMBOL
        assert can.margin_mode_scope is MarginModeScope.ACCOUNT
        assert (can.leverage_in_place, can.reduce_only, can.market_orders, can.position_seq) == (True,) * 4
        assert (can.client_id_prefix, can.client_id_hex_digits) == ("", 32)
        assert can.validity_s == pytest.approx(5.0)
        assert can.reads_per_s == pytest.approx(50.0)
        assert not can.private_stream
        assert [event async for event in bench.adapter.events()] == []

    run("memory", scenario)


def test_closing_an_adapter_leaves_what_it_shares_in_use() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("second", shared=VenueShared(bench.clock))
        await bench.adapter.close()
        assert (await other.equity()).currency == "USDT"

    run("memory", scenario)
