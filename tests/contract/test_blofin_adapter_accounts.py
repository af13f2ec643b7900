"""The BloFin adapter against the simulated venue: accounts that cannot be used, and what stands on the wire."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from account_processors.shared import VenueShared
from core.domain import LeverageScope, MarginMode, MarginModeScope, PositionMode, Scope
from core.errors import ConfigError, Denied, Unavailable
from tests.contract.blofin_bench import BTC, ETH, Bench, order, run

D = Decimal
BOTH = pytest.mark.parametrize("where", ["memory", "http"])

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
