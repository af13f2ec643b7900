"""What of the KuCoin adapter no other venue has, over real HTTP and in memory; the rest is in the suite."""

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
    Scope,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError
from simulator.facades.kucoin import KucoinFacade
from tests.contract.kucoin_bench import BTC, CREATE, ETH, RESTING, Bench, order, run
from tests.contract.suite.benches import BOTH

D = Decimal
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS


def test_contracts_are_whole_lots_of_a_multiplier() -> None:
    async def scenario(bench: Bench) -> None:
        listed = await bench.adapter.instruments()
        btc, xrp, usdc = listed[BTC], listed[Symbol("XRPUSDT")], listed[Symbol("BTCUSDC")]
        assert (btc.venue_symbol, btc.base, btc.contract_size, btc.lot, btc.min_contracts, btc.min_notional) == (
            "XBTUSDTM", "BTC", D("0.001"), D(1), D(1), D(0),
        )  # fmt: skip
        assert (xrp.contract_size, usdc.venue_symbol, usdc.settle) == (D(10), "XBTUSDCM", "USDC")
        assert all(one.tradable and one.lot == 1 for one in listed.values())
        bench.foreign(BTC, "-0.4")
        assert (await bench.adapter.positions()).of(BTC).contracts == -400

    run("memory", scenario)


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
def test_a_flat_symbol_in_isolated_margin_has_no_leverage(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        read = await bench.adapter.leverage(ETH)
        assert (read.symbol, read.leverage, read.margin_mode) == (ETH, None, ISOLATED)

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


def test_accounts_share_batches_and_the_venues_time() -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        await bench.adapter.instruments()
        bench.recorder.forget()
        sol = Symbol("SOLUSDT")
        await asyncio.gather(bench.adapter.prices([BTC]), second.prices([ETH, BTC]), second.prices([sol]))
        assert len(bench.recorder.sent) == 3  # BTC, ETH and SOL in one batch of three
        bench.recorder.forget()
        await asyncio.gather(bench.adapter.equity(), second.equity())
        assert sorted(bench.recorder.paths()) == ["GET /api/v1/account-overview"] * 2 + ["GET /api/v1/timestamp"]

    run("memory", scenario)


# --- accounts ---------------------------------------------------------------------------------------------------------


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


def test_capabilities_are_what_the_venue_can_do() -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        assert can.venue == "kucoin"
        assert can.leverage_in(ISOLATED) is LeverageScope.PER_ORDER
        assert can.leverage_in(CROSS) is LeverageScope.PER_SYMBOL
        assert (can.changes_in_place(ISOLATED), can.changes_in_place(CROSS)) == (False, True)
        assert can.margin_mode_scope is MarginModeScope.SYMBOL
        assert can.find_by_client_id
        assert not can.position_seq
        assert (can.client_id_prefix, can.client_id_hex_digits) == ("", 32)
        assert can.validity_s == pytest.approx(10.0)

    run("memory", scenario)


# --- failures ---------------------------------------------------------------------------------------------------------


def test_an_order_the_indexes_do_not_show_yet_is_found_when_they_do() -> None:
    """The venue was seen to answer "no such order" a quarter of a second after it matched one."""

    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(order("12"), mine)
        assert await bench.adapter.find(BTC, mine) is None
        assert (await bench.adapter.positions()).of(BTC).contracts == 0
        await asyncio.sleep(0.5)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(12))
        assert (await bench.adapter.positions()).of(BTC).contracts == 12

    run("memory", scenario, build=lambda exchange: KucoinFacade(exchange, read_lag_s=0.3))


@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_part_that_cannot_be_read_fails_the_lookup(failing: int, restarted: bool) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        bench.fault("accept_duplicate_ids", "order_create", count=0)
        for _ in range(2):
            await bench.place(order("1"), mine)
        adapter = bench.another("main") if restarted else bench.adapter
        await adapter.preflight()
        bench.recorder.lose = len(bench.recorder.sent) + failing
        if failing > 2 and not restarted:  # of acknowledged orders the two lists are all that is asked for
            assert await adapter.find(BTC, mine) is not None
            return
        with pytest.raises(Unavailable):
            await adapter.find(BTC, mine)

    run("memory", scenario)


@pytest.mark.parametrize(("code", "kind"), [("400007", Denied), ("300003", Rejected), ("4711", Rejected)])
def test_a_setting_that_is_refused_says_so(code: str, kind: type[VenueError]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault("reject_code", "margin_mode", code)
        with pytest.raises(kind) as caught:
            await bench.adapter.set_margin_mode(ETH, CROSS, None)
        assert caught.value.code == code

    run("memory", scenario)


CLOSE = PlaceOrder(BTC, Side.SELL, D(1), OrderKind.MARKET, None, TimeInForce.GTC, True, None, ISOLATED)


@pytest.mark.parametrize("impossible", [replace(RESTING, contracts=D("1.5")), CLOSE])
def test_parts_of_a_lot_and_market_orders_that_rest_are_our_fault_and_not_sent(impossible: PlaceOrder) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(OurFault, match="nothing was sent"):
            await bench.place(impossible)
        assert CREATE not in bench.recorder.paths()

    run("memory", scenario)
