"""The KuCoin adapter against the simulated venue, over real HTTP and in memory: what it reads, what it sends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from account_processors.codecs.kucoin import order_of_body
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
from core.errors import ConfigError, Denied, OurFault, Rejected
from simulator.facades.kucoin import KucoinFacade
from tests.contract.kucoin_bench import BTC, ETH, RESTING, Bench, order, run

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


# --- orders nobody answered for ---------------------------------------------------------------------------------------

BY_ID, LISTED, FILLS = "GET /api/v1/orders/byClientOid", "GET /api/v1/orders", "GET /api/v1/fills"


@BOTH
def test_an_order_nobody_knows_is_absent_only_after_every_list(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        bench.recorder.sent.clear()
        assert await bench.adapter.find(BTC, bench.next_id()) is None
        assert bench.recorder.paths() == [BY_ID, LISTED, LISTED]

    run(where, scenario)


@BOTH
def test_an_id_that_stands_for_several_orders_counts_the_fills_of_every_one(where: str) -> None:
    """The venue gives one order for an id; the others are in its lists, and each one's fills are asked for."""

    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for lots in ("12", "5", "2"):
            await bench.place(order(lots), mine)
        await bench.place(order("30"))
        bench.recorder.sent.clear()
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(19))
        assert bench.recorder.paths() == [BY_ID, LISTED, LISTED, FILLS, FILLS, FILLS]
        await bench.place(RESTING, mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled, found.final) == (OrderStatus.OPEN, D(19), False)

    run(where, scenario)


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
        await bench.adapter.cancel(BTC, bench.next_id())
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
            ("trade", D(500), None),
            ("adl", D(-200), None),
            ("liquidation", D(-300), None),
        ]
        assert len({fill.exec_id for fill in fills}) == 3

    run(where, scenario)


@pytest.mark.parametrize("orders", [2, 9])
def test_after_a_restart_fills_are_still_ours(orders: int) -> None:
    """Fills name their order by the venue's id alone: a few are looked up, of many the lists are read."""

    async def scenario(bench: Bench) -> None:
        ids = [bench.next_id() for _ in range(orders)]
        for mine in ids:
            await bench.place(order("5"), mine)
            await asyncio.sleep(0.01)
        bench.foreign(BTC, "1")
        await asyncio.sleep(2)
        restarted = bench.another("main")
        fills = (await restarted.history(bench.clock.time() - 60)).fills
        assert [fill.client_id for fill in fills] == [*ids, None]
        looked_up = sum(path.startswith("GET /api/v1/orders/") for path in bench.recorder.paths())
        assert looked_up == (orders + 1 if orders < 3 else 0)
        bench.recorder.sent.clear()
        await restarted.history(bench.clock.time() - 60)
        assert bench.recorder.paths() == [FILLS]  # what is known is not asked again

    run("memory", scenario)


def test_a_young_fill_whose_order_is_not_indexed_yet_fails_the_read() -> None:
    """Without its order's id a fill of ours would look like somebody else's."""

    async def scenario(bench: Bench) -> None:
        await bench.place(order("5"))
        await asyncio.sleep(2)
        restarted = bench.another("main")
        bench.fault("reject_code", "order_query", "100001", count=0)
        with pytest.raises(Exception, match="100001"):
            await restarted.history(bench.clock.time() - 60)
        bench.admin.clear_faults()
        (fill,) = (await restarted.history(bench.clock.time() - 60)).fills
        assert fill.client_id == f"{1:032x}"

    run("memory", scenario)


# --- accounts that cannot be used -------------------------------------------------------------------------------------


@BOTH
def test_a_wrong_key_secret_or_passphrase_is_denied(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        # The passphrase is sealed with the secret, so a wrong secret shows there first.
        wrong = (("api_key", "400003"), ("api_secret", "400004"), ("api_passphrase", "400004"))
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
        assert (problem.scope, problem.code) == (Scope.ALL, "no_trade_right")
        assert "Futures" in problem.because
        with pytest.raises(Denied) as caught:
            await bench.place(order("12"))
        assert caught.value.code == "400007"
        assert bench.position() == 0

    run(where, scenario)


@BOTH
@pytest.mark.parametrize("state", ["no money", "no cross", "in cross"])
def test_a_key_that_may_trade_passes_whatever_else_stands_against_an_order(where: str, state: str) -> None:
    async def scenario(bench: Bench) -> None:
        if state == "no money":
            bench.setup(equity="0")
        if state == "in cross":
            await bench.adapter.set_margin_mode(BTC, CROSS, None)
        assert (await bench.adapter.preflight()).problems == ()

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
            await bench.place(order("1"))
        if D(holds):
            with pytest.raises(Denied, match="One-Way"):
                await bench.adapter.positions()

    run(where, scenario)


def test_an_account_that_never_chose_a_position_mode_is_told_what_to_do() -> None:
    async def scenario(bench: Bench) -> None:
        preflight = await bench.adapter.preflight()
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.ALL, "position_mode_unset")]
        assert "One-Way" in preflight.problems[0].because
        with pytest.raises(Denied, match="One-Way"):
            await bench.place(order("1"))
        await bench.adapter.set_position_mode(PositionMode.ONE_WAY)
        assert (await bench.adapter.preflight()).problems == ()

    run("memory", scenario, build=lambda exchange: KucoinFacade(exchange, unset=frozenset({"main"})))


def test_a_key_bound_to_another_address_is_denied() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Denied, match="address") as caught:
            await bench.adapter.preflight()
        assert caught.value.code == "400006"

    bound = {"main": frozenset({"203.0.113.9"})}
    run("memory", scenario, build=lambda exchange: KucoinFacade(exchange, addresses=bound))


@pytest.mark.parametrize("missing", ["api_key", "api_secret", "api_passphrase"])
def test_missing_credentials_name_account_and_field(missing: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ConfigError, match=f"kucoin-main: {missing}"):
            bench.another("main", {missing: ""})

    run("memory", scenario)


# --- the wire ---------------------------------------------------------------------------------------------------------

SIGNED = {"kc-api-key", "kc-api-sign", "kc-api-timestamp", "kc-api-passphrase", "kc-api-key-version", "content-type"}
MARKS = {"remark", "tags", "broker", "brokerId", "partner", "source", "referralCode"}


@BOTH
def test_every_request_is_signed_in_order_and_carries_no_mark_of_anybody(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        it = bench.adapter
        await asyncio.gather(*(call() for call in [it.equity, it.positions, it.open_orders, it.preflight] * 3))
        await bench.place(order("12"))
        await it.set_margin_mode(ETH, CROSS, None)
        await it.set_leverage(ETH, D(5), CROSS)
        await it.cancel(BTC, bench.next_id())
        signed = [one for one in bench.recorder.sent if "KC-API-SIGN" in one.headers]
        stamps = [int(one.headers["KC-API-TIMESTAMP"]) for one in signed]
        assert len(set(stamps)) == len(stamps) > 15
        public = ("/api/v1/timestamp", "/api/v1/contracts/")
        assert all(any(path in one.url for path in public) for one in bench.recorder.sent if one not in signed)
        for request in bench.recorder.sent:
            assert {name.lower() for name in request.headers} <= SIGNED
            assert request.deadline_s == pytest.approx(0.5)
            assert not any(mark in request.url for mark in MARKS)
            if request.method == "POST":
                assert not (MARKS | {"closeOrder"}) & set(json.loads(request.body))
            else:
                assert request.body == b""

    run(where, scenario)


def test_capabilities_are_what_the_venue_can_do() -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        assert can.venue == "kucoin"
        assert can.leverage_in(ISOLATED) is LeverageScope.PER_ORDER
        assert can.leverage_in(CROSS) is LeverageScope.PER_SYMBOL
        assert (can.changes_in_place(ISOLATED), can.changes_in_place(CROSS)) == (False, True)
        assert can.margin_mode_scope is MarginModeScope.SYMBOL
        assert (can.reduce_only, can.market_orders, can.position_seq, can.find_by_client_id) == (
            True,
            True,
            False,
            True,
        )
        assert (can.client_id_prefix, can.client_id_hex_digits) == ("", 32)
        assert can.validity_s == pytest.approx(10.0)
        assert not can.private_stream
        assert [event async for event in bench.adapter.events()] == []

    run("memory", scenario)


def test_closing_an_adapter_leaves_what_it_shares_in_use() -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("second", shared=VenueShared(bench.clock))
        await bench.adapter.close()
        assert (await other.equity()).currency == "USDT"

    run("memory", scenario)
