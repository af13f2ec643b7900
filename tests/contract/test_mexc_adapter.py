"""What of the MEXC adapter no other venue has, over real HTTP and in memory; the rest is in the suite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.domain import (
    LeverageScope,
    MarginMode,
    MarginModeScope,
    OrderStatus,
    PositionMode,
    Scope,
    Side,
)
from core.errors import Denied, Rejected, Unavailable, VenueError
from core.ports import Response
from simulator.exchange import Exchange
from simulator.facades import Facade
from simulator.facades.mexc import MexcFacade
from tests.contract.mexc_bench import BTC, CREATE, ETH, Bench, run
from tests.contract.suite.benches import BOTH

D = Decimal
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS


def sent(bench: Bench, path: str = CREATE) -> list[Any]:
    """The bodies of every request to `path`, in order."""
    paths = bench.recorder.paths()
    return [json.loads(one.body) for one, at in zip(bench.recorder.sent, paths, strict=True) if at == path]


# --- contracts --------------------------------------------------------------------------------------------------------


def test_contracts_are_steps_of_a_size_the_venue_states() -> None:
    async def scenario(bench: Bench) -> None:
        listed = await bench.adapter.instruments()
        btc = listed[BTC]
        assert (btc.venue_symbol, btc.base, btc.contract_size, btc.lot, btc.min_contracts, btc.min_notional) == (
            "BTC_USDT", "BTC", D("0.0001"), D(1), D(1), D(0),
        )  # fmt: skip
        assert all(one.tradable for one in listed.values())
        bench.foreign(BTC, "-0.4")
        assert (await bench.adapter.positions()).of(BTC).contracts == -4000

    run("memory", scenario)


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Response], Response]:
    """Every contract of the list, changed on its way."""

    def answers(response: Response) -> Response:
        if b'"contractSize"' not in response.body:
            return response
        body = json.loads(response.body)
        for row in body["data"]:
            change(row)
        return replace(response, body=json.dumps(body).encode())

    return answers


@pytest.mark.parametrize("how", [lambda row: row.pop("apiAllowed"), lambda row: row.update(apiAllowed=False)])
def test_contracts_that_are_not_allowed_over_the_api_are_reduced_not_opened(how: Callable[[Any], object]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.recorder.answers = changed(how)
        preflight = await bench.adapter.preflight()
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.INCREASES, "api_closed")]
        assert "support" in preflight.problems[0].because
        assert not any(one.tradable for one in (await bench.adapter.instruments()).values())

    run("memory", scenario)


def test_one_contract_that_is_not_allowed_is_no_problem_of_the_account() -> None:
    async def scenario(bench: Bench) -> None:
        bench.recorder.answers = changed(lambda row: row.update(apiAllowed=row["symbol"] != "ETH_USDT"))
        assert (await bench.adapter.preflight()).problems == ()
        listed = await bench.adapter.instruments()
        assert (listed[BTC].tradable, listed[ETH].tradable) == (True, False)

    run("memory", scenario)


# --- orders on the wire -----------------------------------------------------------------------------------------------


@BOTH
def test_a_side_opens_whatever_the_order_does_and_only_the_flag_reduces(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        first = bench.next_id()
        await bench.trade(bench.order("0.001", leverage=D(4)), first)
        await bench.trade(bench.order("0.002", Side.SELL, reduce=True))
        assert bench.position() == 0
        opening, closing = sent(bench)
        assert (opening["side"], opening["reduceOnly"], opening["positionMode"]) == (1, False, 2)
        assert (opening["openType"], opening["leverage"], opening["externalOid"]) == (1, 4, first)
        assert (opening["type"], opening["vol"], opening["symbol"]) == (3, 10, "BTC_USDT")
        assert (closing["side"], closing["reduceOnly"], closing["positionMode"], closing["type"]) == (3, True, 2, 5)
        assert "leverage" not in closing

    run(where, scenario)


@BOTH
def test_no_request_carries_a_mark_or_a_window(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.trade(bench.order("0.001"))
        for request in bench.recorder.sent:
            assert {name.lower() for name in request.headers} <= {"apikey", "request-time", "signature", "content-type"}

    run(where, scenario)


# --- leverage and margin mode -----------------------------------------------------------------------------------------


@BOTH
def test_an_isolated_positions_leverage_changes_by_its_id(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Rejected, match="nothing was sent") as caught:
            await bench.adapter.set_leverage(BTC, D(7), ISOLATED)
        assert caught.value.code == "flat"
        await bench.trade(bench.order("0.001", leverage=D(3)))
        await bench.adapter.set_leverage(BTC, D(7), ISOLATED)
        position = (await bench.adapter.positions()).of(BTC)
        assert (position.leverage, position.margin_mode) == (D(7), ISOLATED)
        (body,) = sent(bench, "POST /api/v1/private/position/change_leverage")
        assert set(body) == {"positionId", "leverage"}
        with pytest.raises(Rejected) as caught:
            await bench.trade(bench.order("0.001", leverage=D(3)))
        assert caught.value.code == "2021"
        with pytest.raises(Rejected) as caught:
            await bench.trade(bench.order("0.001", mode=CROSS, leverage=D(7)))
        assert caught.value.code == "2027"
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(BTC, D(5000), ISOLATED)
        assert caught.value.code == "2006"

    run(where, scenario)


def test_a_cross_positions_leverage_stays_as_it_was_opened() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.trade(bench.order("0.001", mode=CROSS, leverage=D(3)))
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(BTC, D(7), CROSS)
        assert caught.value.code == "2026"
        position = (await bench.adapter.positions()).of(BTC)
        assert (position.leverage, position.margin_mode) == (D(3), CROSS)

    run("memory", scenario)


def test_resting_orders_hold_the_leverage() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.trade(bench.order("0.001", leverage=D(3)))
        await bench.trade(replace(bench.resting("0.001"), leverage=D(3)))
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_leverage(BTC, D(7), ISOLATED)
        assert caught.value.code == "2019"

    run("memory", scenario)


def test_a_margin_mode_is_never_set_by_itself() -> None:
    async def scenario(bench: Bench) -> None:
        for symbol in (BTC, None):
            with pytest.raises(Rejected, match="nothing was sent") as caught:
                await bench.adapter.set_margin_mode(symbol, CROSS, D(3))
            assert caught.value.code == "with_order"
        assert bench.recorder.sent == []

    run("memory", scenario)


@BOTH
def test_the_position_mode_stays_while_anything_is_open(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.trade(bench.order("0.001"))
        with pytest.raises(Rejected) as caught:
            await bench.adapter.set_position_mode(PositionMode.HEDGE)
        assert caught.value.code == "7001"
        assert bench.position() == 10

    run(where, scenario)


def test_an_account_seen_in_hedge_mode_has_no_positions_to_net() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.set_position_mode(PositionMode.HEDGE)
        assert [one.code for one in (await bench.adapter.preflight()).problems] == ["hedge_mode"]
        with pytest.raises(Denied, match="One-way"):
            await bench.adapter.positions()
        with pytest.raises(Denied) as caught:
            await bench.trade(bench.order("0.001"))
        assert caught.value.code == "7002"
        await bench.adapter.set_position_mode(PositionMode.ONE_WAY)
        assert (await bench.adapter.preflight()).problems == ()
        assert (await bench.adapter.positions()).by_symbol == {}

    run("memory", scenario)


# --- accounts ---------------------------------------------------------------------------------------------------------


def cancels(code: str, *, inside: bool) -> Callable[[Response], Response]:
    """Every cancel is answered with `code`: for the request, or for the order in it."""

    def answers(response: Response) -> Response:
        if b'"errorCode"' not in response.body:
            return response
        row = {"orderId": 0, "errorCode": int(code), "errorMsg": ""}
        told = {"success": True, "code": 0, "data": [row]} if inside else {"success": False, "code": int(code)}
        return replace(response, body=json.dumps(told).encode())

    return answers


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("code", ["511", "604", "801", "6001"])
def test_an_account_whose_api_is_closed_is_told_what_to_do(code: str, inside: bool) -> None:
    async def scenario(bench: Bench) -> None:
        usual, bench.recorder.answers = bench.recorder.answers, cancels(code, inside=inside)
        preflight = await bench.adapter.preflight()
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.ALL, "api_closed")]
        assert "support" in preflight.problems[0].because
        assert code in preflight.problems[0].because
        bench.recorder.answers = usual
        assert (await bench.adapter.preflight()).problems == ()
        assert bench.orders() == 0

    run("memory", scenario)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(("code", "kind"), [("500", Unavailable), ("9999", Unavailable), ("402", Denied)])
def test_a_probe_that_proves_nothing_passes_nothing(code: str, inside: bool, kind: type[VenueError]) -> None:
    async def scenario(bench: Bench) -> None:
        bench.recorder.answers = cancels(code, inside=inside)
        with pytest.raises(kind) as caught:
            await bench.adapter.preflight()
        assert caught.value.code == code

    run("memory", scenario)


def test_a_key_bound_to_another_address_is_denied() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Denied, match="address") as caught:
            await bench.adapter.preflight()
        assert caught.value.code == "406"

    bound = {"main": frozenset({"203.0.113.9"})}
    run("memory", scenario, build=lambda exchange: MexcFacade(exchange, addresses=bound))


def test_capabilities_are_what_the_venue_can_do() -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        assert can.venue == "mexc"
        assert can.leverage_in(ISOLATED) is can.leverage_in(CROSS) is LeverageScope.PER_ORDER
        assert can.margin_mode_scope is MarginModeScope.ORDER
        assert can.changes_in_place(ISOLATED)
        assert can.find_by_client_id
        assert not can.position_seq
        assert (can.client_id_prefix, can.client_id_hex_digits) == ("", 32)
        assert can.validity_s == pytest.approx(10.0)

    run("memory", scenario)


# --- what the venue may do where nobody documents it ------------------------------------------------------------------

OTHER_WAYS: list[Callable[[Exchange], Facade]] = [
    lambda exchange: MexcFacade(exchange, absent_code=None),
    lambda exchange: MexcFacade(exchange, framed=True),
    lambda exchange: MexcFacade(exchange, framed=True, absent_code=2009),
]


@pytest.mark.parametrize("build", OTHER_WAYS[:2])
def test_an_order_is_found_or_absent_however_lists_look(build: Callable[[Exchange], Facade]) -> None:
    async def scenario(bench: Bench) -> None:
        rests, done = bench.next_id(), bench.next_id()
        assert await bench.adapter.find(BTC, rests) is None
        await bench.trade(bench.resting("0.001"), rests)
        await bench.trade(bench.order("0.002"), done)
        restarted = bench.another("main")
        for adapter in (bench.adapter, restarted):
            for mine, status, filled in ((rests, OrderStatus.OPEN, D(0)), (done, OrderStatus.DONE, D(20))):
                found = await bench.found(mine, adapter=adapter)
                assert found is not None
                assert (found.status, found.filled) == (status, filled)
        assert {one.client_id for one in await bench.adapter.open_orders()} == {rests}

    run("memory", scenario, build=build)


def test_a_refused_lookup_is_not_an_absent_order() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.find(BTC, bench.next_id())
        assert caught.value.code == "2009"

    run("memory", scenario, build=OTHER_WAYS[2])


@pytest.mark.parametrize("framed", [False, True])
def test_history_is_complete_over_pages_of_either_kind(framed: bool) -> None:
    async def scenario(bench: Bench) -> None:
        began, mine = bench.clock.time(), []
        for number in range(110):
            mine.append(bench.next_id())
            await bench.trade(bench.order("0.0001", Side.BUY if number % 2 else Side.SELL), mine[-1])
        await asyncio.sleep(30)
        restarted = bench.another("main")
        history = await restarted.history(began - 1)
        assert [one.client_id for one in history.fills] == mine
        assert await bench.found(mine[0], adapter=restarted) is not None
        pages = [one.url for one in bench.recorder.sent if "history_orders" in one.url and "page_num=2" in one.url]
        assert pages

    run("memory", scenario, build=lambda exchange: MexcFacade(exchange, framed=framed))


def test_an_order_the_lists_do_not_show_yet_is_found_when_they_do() -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(bench.order("0.001"), mine)
        assert await bench.adapter.find(BTC, mine) is None
        assert (await bench.adapter.positions()).of(BTC).contracts == 0
        await asyncio.sleep(0.5)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.DONE, D(10))
        assert (await bench.adapter.positions()).of(BTC).contracts == 10

    run("memory", scenario, build=lambda exchange: MexcFacade(exchange, read_lag_s=0.3))


def test_an_id_of_the_venues_own_is_nobodys() -> None:
    async def scenario(bench: Bench) -> None:
        began = bench.clock.time()
        bench.foreign(BTC, "0.0007")
        (fill,) = (await bench.adapter.history(began - 1)).fills
        assert (fill.client_id, fill.contracts) == (None, D(7))

    run("memory", scenario)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_part_that_cannot_be_read_fails_the_lookup(failing: int) -> None:
    async def scenario(bench: Bench) -> None:
        mine = bench.next_id()
        await bench.place(bench.order("0.001"), mine)
        adapter = bench.another("main")
        await adapter.preflight()
        bench.recorder.lose = len(bench.recorder.sent) + failing
        with pytest.raises(Unavailable):
            await adapter.find(BTC, mine)

    run("memory", scenario)
