"""The BloFin adapter against the simulated venue, over real HTTP and in memory: what it reads, what it sends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from account_processors.codecs.blofin import order_of_body
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
from core.errors import Ambiguous, ConfigError, Denied, OurFault, Rejected, Unavailable
from simulator.facades.blofin import BloFinFacade
from tests.contract.blofin_bench import BTC, ETH, Bench, order, run

D = Decimal
SOL = Symbol("SOLUSDT")
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
CREATE = "POST /api/v1/trade/order"


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
        early = asyncio.create_task(bench.adapter.leverage(BTC))
        await asyncio.sleep(0.01)
        await bench.adapter.set_leverage(BTC, D(7), MarginMode.CROSS)
        assert (await bench.adapter.leverage(BTC)).leverage == 7
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


# --- orders nobody answered for ---------------------------------------------------------------------------------------

DETAIL, PENDING, HISTORY, FILLS = (
    f"GET /api/v1/trade/{name}" for name in ("order-detail", "orders-pending", "orders-history", "fills-history")
)


@BOTH
@pytest.mark.parametrize(
    ("absent_code", "asked"),
    [(None, [DETAIL, HISTORY]), ("152002", [DETAIL, PENDING, HISTORY]), ("102068", [DETAIL, PENDING, HISTORY])],
)
def test_an_order_nobody_knows_is_absent_only_after_every_list(
    where: str, absent_code: str | None, asked: list[str]
) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        bench.recorder.sent.clear()
        assert await bench.adapter.find(BTC, bench.next_id()) is None
        assert bench.recorder.paths() == asked

    run(where, scenario, build=lambda exchange: BloFinFacade(exchange, absent_code=absent_code))


def test_lookups_share_their_lists_and_go_easy_while_absence_means_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        ids = [bench.next_id() for _ in range(10)]
        await bench.adapter.instruments()
        bench.fault("drop_before", "order_create", count=0)
        for client_id in ids:
            with pytest.raises(Ambiguous):
                await bench.place(order("1"), client_id)
        bench.admin.clear_faults()
        await asyncio.sleep(10)
        bench.recorder.sent.clear()
        for _ in range(8):
            assert await asyncio.gather(*(bench.adapter.find(BTC, client_id) for client_id in ids)) == [None] * 10
            await asyncio.sleep(1)
        assert bench.recorder.paths() == [PENDING, HISTORY] * 2
        await asyncio.sleep(60)
        bench.recorder.sent.clear()
        for _ in range(2):  # the second comes too soon for an absence of its own
            assert await asyncio.gather(*(bench.adapter.find(BTC, client_id) for client_id in ids)) == [None] * 10
        assert bench.recorder.paths() == [DETAIL] * 10 + [PENDING, HISTORY]

    run("memory", scenario)


def test_a_list_from_before_an_order_says_nothing_of_it() -> None:
    async def scenario(bench: Bench) -> None:
        first, second = bench.next_id(), bench.next_id()
        await bench.place(order("5"), first)
        assert await bench.adapter.find(BTC, first) is not None
        await asyncio.sleep(0.5)
        await bench.place(order("7"), second)
        found = await bench.adapter.find(BTC, second)
        assert found is not None
        assert found.filled == 7

    run("memory", scenario)


RESTING = PlaceOrder(
    BTC, Side.BUY, D("10"), OrderKind.LIMIT, D("49500"), TimeInForce.GTC, False, None, MarginMode.CROSS
)


@BOTH
def test_resting_orders_are_listed_found_open_and_cancelled(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(RESTING, mine)
        (listed,) = await bench.adapter.open_orders()
        assert (listed.symbol, listed.side, listed.contracts, listed.client_id) == (BTC, Side.BUY, D(10), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.final, found.filled) == (OrderStatus.OPEN, False, D(0))
        for _ in range(2):  # the second finds nothing left to cancel
            await bench.adapter.cancel(BTC, mine)
        assert await bench.adapter.open_orders() == ()

    run(where, scenario)


def test_an_order_that_was_cancelled_is_final_with_nothing_filled() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(RESTING, mine)
        await bench.adapter.cancel(BTC, mine)
        for wait_s in (0.0, 70.0):  # while it might still land, and when it cannot any more
            await asyncio.sleep(wait_s)
            found = await bench.adapter.find(BTC, mine)
            assert found is not None
            assert (found.status, found.filled) == (OrderStatus.DONE, D(0))

    run("memory", scenario)


@BOTH
def test_what_others_did_to_the_account_is_told_apart(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        since = bench.clock.time() - 1
        bench.foreign(BTC, "0.5")
        bench.foreign(BTC, "0.3", "adl")
        bench.foreign(BTC, "0", "liquidation")
        fills = (await bench.adapter.history(since)).fills
        assert [(fill.kind, fill.contracts, fill.client_id) for fill in fills] == [
            ("trade", D(500), None),
            ("adl", D(-200), None),
            ("liquidation", D(-300), None),
        ]
        assert len({fill.exec_id for fill in fills}) == 3

    run(where, scenario)


def test_after_a_restart_orders_and_executions_are_still_ours() -> None:
    async def scenario(bench: Bench) -> None:
        first, second = bench.next_id(), bench.next_id()
        await bench.place(order("5"), first)
        bench.foreign(BTC, "0.006")
        await bench.place(RESTING, second)
        await asyncio.sleep(2)
        restarted = bench.another("main")
        fills = (await restarted.history(bench.clock.time() - 60)).fills
        assert [(fill.contracts, fill.client_id) for fill in fills] == [(D(5), first), (D(1), None)]
        await restarted.cancel(BTC, second)
        assert await restarted.open_orders() == ()

    run("memory", scenario)


# --- accounts that cannot be used -------------------------------------------------------------------------------------


@BOTH
def test_a_wrong_key_secret_or_passphrase_is_denied(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        wrong = (("api_key", "152401"), ("api_secret", "152409"), ("api_passphrase", "152408"))
        for field, code in wrong:
            other = bench.another("main", {field: "canary-wrong"})
            for call in (other.preflight, other.positions, other.equity):
                with pytest.raises(Denied) as caught:
                    await call()
                assert caught.value.code == code
                assert "canary" not in f"{caught.value!r} {other!r} {vars(other)!r}"

    run(where, scenario)


@BOTH
def test_a_key_that_may_not_trade_is_a_problem_and_its_orders_are_denied(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(can_trade=False)
        (problem,) = (await bench.adapter.preflight()).problems
        assert (problem.scope, problem.code) == (Scope.ALL, "read_only")
        assert "Trade" in problem.because
        with pytest.raises(Denied) as caught:
            await bench.place(order("12"))
        assert caught.value.code == "152404"
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
        assert "One-way" in preflight.problems[0].because
        with pytest.raises(Denied, match="One-way"):
            await bench.adapter.leverage(ETH)
        with pytest.raises(Denied, match="One-way"):
            await bench.place(order("1"))
        if D(holds):
            with pytest.raises(Denied, match="One-way"):
                await bench.adapter.positions()

    run(where, scenario)


def test_an_account_without_the_coin_has_no_equity_to_size_with() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="0")
        with pytest.raises(Unavailable, match="transfer some"):
            await bench.adapter.equity()
        bench.setup(equity="1234.5")
        assert (await bench.adapter.equity()).value == D("1234.5")

    run("memory", scenario)


@pytest.mark.parametrize("missing", ["api_key", "api_secret", "api_passphrase"])
def test_missing_credentials_name_account_and_field(missing: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ConfigError, match=f"blofin-main: {missing}"):
            bench.another("main", {missing: ""})

    run("memory", scenario)


# --- the wire ---------------------------------------------------------------------------------------------------------

HEADERS = {"access-key", "access-sign", "access-timestamp", "access-nonce", "access-passphrase", "content-type"}
MARKS = {"brokerId", "broker", "referralCode", "source", "tag"}


@BOTH
def test_every_request_has_a_nonce_of_its_own_and_carries_no_mark_of_anybody(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        calls = [bench.adapter.equity, bench.adapter.positions, bench.adapter.open_orders]
        await bench.adapter.preflight()
        await asyncio.gather(*(call() for call in calls * 3))
        await asyncio.gather(*(bench.place(order("1")) for _ in range(10)))
        await bench.adapter.set_leverage(ETH, D(5), MarginMode.CROSS)
        signed = [one for one in bench.recorder.sent if "ACCESS-SIGN" in one.headers]
        nonces = [int(one.headers["ACCESS-NONCE"]) for one in signed]
        assert len(set(nonces)) == len(nonces) > 20
        assert [one.headers["ACCESS-TIMESTAMP"] for one in signed] == [str(nonce) for nonce in nonces]
        assert all("/api/v1/market/" in one.url for one in bench.recorder.sent if one not in signed)
        for request in bench.recorder.sent:
            assert {name.lower() for name in request.headers} <= HEADERS
            assert request.deadline_s == pytest.approx(0.5)
            assert not any(mark in request.url for mark in MARKS)
            if request.method == "POST":
                assert not MARKS & set(json.loads(request.body))
            else:
                assert request.body == b""

    run(where, scenario)


def test_capabilities_are_what_the_venue_can_do() -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        assert can.venue == "blofin"
        assert can.leverage is LeverageScope.PER_SYMBOL
        assert can.margin_mode_scope is MarginModeScope.ACCOUNT
        assert (can.leverage_in_place, can.reduce_only, can.market_orders, can.position_seq) == (
            True,
            True,
            True,
            False,
        )
        assert (can.client_id_prefix, can.client_id_hex_digits) == ("", 32)
        assert can.validity_s == pytest.approx(60.0)
        assert can.reads_per_s == pytest.approx(2.8)
        assert not can.private_stream
        assert [event async for event in bench.adapter.events()] == []

    run("memory", scenario)


def test_closing_an_adapter_leaves_what_it_shares_in_use() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("second", shared=VenueShared(bench.clock))
        await bench.adapter.close()
        assert (await other.equity()).currency == "USDT"

    run("memory", scenario)
