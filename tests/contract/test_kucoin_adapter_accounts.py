"""KuCoin accounts that cannot be used, and what every request of the adapter looks like on the wire."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from account_processors.shared import VenueShared
from core.domain import LeverageScope, MarginMode, MarginModeScope, PositionMode, Scope
from core.errors import ConfigError, Denied
from simulator.facades.kucoin import KucoinFacade
from tests.contract.kucoin_bench import BTC, ETH, Bench, order, run

D = Decimal
BOTH = pytest.mark.parametrize("where", ["memory", "http"])
ISOLATED, CROSS = MarginMode.ISOLATED, MarginMode.CROSS


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
