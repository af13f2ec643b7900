"""Every venue: what preflight says of an account, accounts that cannot be used, and what stands on the wire."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from account_processors import load
from account_processors.shared import VenueShared
from core.domain import LeverageScope, MarginMode, MarginModeScope, PositionMode, Scope
from core.errors import ConfigError, Denied, OurFault, Rejected, Unavailable
from tests.contract.adapter_bench import BTC, DEADLINE_S, ETH, Bench, patiently
from tests.contract.suite.benches import BOTH, benches, every
from tests.contract.suite.venue import VenueBench


@BOTH
@every()
def test_a_healthy_account_passes_preflight_and_nothing_is_placed(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        before = bench.adapter.clock_offset_s
        preflight = await bench.adapter.preflight()
        assert before is None
        assert preflight.problems == ()
        assert preflight.position_mode is PositionMode.ONE_WAY
        whole = bench.adapter.capabilities.margin_mode_scope is MarginModeScope.ACCOUNT
        assert preflight.margin_mode is (bench.margin_mode if whole else None)
        assert abs(preflight.clock_offset_s) < 0.1
        assert bench.adapter.clock_offset_s is not None
        assert bench.orders() == 0

    it.run(where, scenario)


@BOTH
@pytest.mark.parametrize(("it", "field"), [(it, field) for it in benches() for field in it.codes.wrong], ids=str)
def test_a_wrong_credential_is_denied_and_not_quoted(it: VenueBench, field: str, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("main", {field: it.wrong_values.get(field, "canary-wrong")})
        reads = (other.positions, other.equity) if it.reads_are_signed else ()
        for call in (other.preflight, *reads):
            with pytest.raises(Denied) as caught:
                await call()
            assert caught.value.code == it.codes.wrong[field]
            assert "canary" not in f"{caught.value!r} {other!r} {vars(other)!r}"

    it.run(where, scenario)


@pytest.mark.parametrize(("it", "field"), [(it, field) for it in benches() for field in it.codes.wrong], ids=str)
def test_a_missing_credential_is_named_with_its_account(it: VenueBench, field: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ConfigError, match=f"{it.place.venue}-main: {field}"):
            bench.another("main", {field: ""})

    it.run("memory", scenario)


@BOTH
@every()
def test_a_key_that_may_not_trade_is_a_problem_and_its_orders_are_denied(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(can_trade=False)
        (problem,) = (await bench.adapter.preflight()).problems
        assert problem.scope is Scope.ALL
        assert problem.because
        with pytest.raises(Denied) as caught:
            await bench.place(bench.order("0.012"))
        assert caught.value.code == it.codes.no_trade_right
        assert bench.position() == 0

    it.run(where, scenario)


@BOTH
@pytest.mark.parametrize("holds", ["0", "0.4"])
@pytest.mark.parametrize("it", [it for it in benches() if it.hedge_mode], ids=str)
def test_hedge_mode_is_seen_flat_or_not(it: VenueBench, where: str, holds: str) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(position_mode="hedge")
        bench.foreign(BTC, holds)
        preflight = await bench.adapter.preflight()
        assert preflight.position_mode is PositionMode.HEDGE
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.ALL, "hedge_mode")]
        assert "one-way" in preflight.problems[0].because.lower()
        with pytest.raises((Denied, Rejected, OurFault)):
            await bench.place(bench.order("0.012"))
        assert bench.orders() == 0
        if float(holds):
            with pytest.raises(Denied, match=r"(?i)one-way"):
                await bench.adapter.positions()

    it.run(where, scenario)


@every()
def test_a_margin_mode_of_the_users_own_is_seen(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        other = MarginMode.ISOLATED if bench.margin_mode is MarginMode.CROSS else MarginMode.CROSS
        bench.setup(margin_mode=other.value)
        preflight = await bench.adapter.preflight()
        assert preflight.problems == ()  # the engine sets it where nothing is open
        if can.margin_mode_scope is MarginModeScope.ACCOUNT:
            assert preflight.margin_mode is other
        if can.margin_mode_scope is not MarginModeScope.ORDER:
            assert (await bench.adapter.leverage(ETH)).margin_mode is other

    it.run("memory", scenario)


@every()
def test_capabilities_do_not_contradict_each_other(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        can = bench.adapter.capabilities
        assert can.validity_s > 0
        assert can.reads_per_s > 0
        assert can.find_by_client_id <= (can.client_id_hex_digits > 0)
        assert len(can.client_id_prefix) + can.client_id_hex_digits <= 64
        assert can.cross_leverage is not LeverageScope.PER_ORDER
        if not can.private_stream:
            assert [event async for event in bench.adapter.events()] == []

    it.run("memory", scenario)


@BOTH
@every()
def test_every_request_is_unique_and_carries_nothing_but_what_the_venue_needs(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        sut = bench.adapter
        calls = [sut.equity, sut.positions, sut.open_orders, sut.preflight]
        await sut.preflight()
        await asyncio.gather(*(patiently(call) for call in calls * 3))
        await asyncio.gather(*(bench.trade(bench.order("0.001")) for _ in range(3)))
        await patiently(lambda: sut.cancel(BTC, bench.next_id()))
        stamps = [stamp for one in bench.recorder.sent if (stamp := it.stamp(one)) is not None]
        assert len(set(stamps)) == len(stamps) > (8 if it.reads_are_signed else 3)
        for request in bench.recorder.sent:
            names = {name.lower() for name in request.headers}
            assert names <= (it.headers if it.stamp(request) is not None else {"content-type"})
            assert request.deadline_s == pytest.approx(DEADLINE_S)
            assert request.method in ("POST", "PUT") or request.body == b""

    it.run(where, scenario)


@every()
def test_closing_an_adapter_leaves_what_it_shares_in_use(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        other = bench.another("second", shared=VenueShared(bench.clock))
        await bench.adapter.close()
        assert (await other.equity()).currency == it.place.kind.rules.settle

    it.run("memory", scenario)


def test_an_unknown_venue_is_named() -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load("nowhere")


# --- clocks -----------------------------------------------------------------------------------------------------------


@every()
@pytest.mark.parametrize("offset_ms", [-3_600_000, -2_000, -700, 700, 2_000, 3_600_000])
def test_a_clock_that_is_wrong_is_reported_and_signed_around(it: VenueBench, offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        bench.admin.clock({"venue": bench.venue, "offset_ms": offset_ms})
        preflight = await bench.adapter.preflight()
        assert preflight.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)
        assert [(one.scope, one.code) for one in preflight.problems] == [(Scope.INCREASES, "clock")]
        await bench.place(bench.order("0.012"))
        permit = await bench.permit(reduction=True)
        assert permit.nonce / 1000 == pytest.approx(bench.clock.time() + offset_ms / 1000, abs=0.1)
        assert permit.valid_until == pytest.approx(bench.clock.time() + bench.adapter.capabilities.validity_s, abs=0.1)
        (fill,) = (await bench.adapter.history(bench.clock.time() - 1)).fills
        assert fill.time == pytest.approx(bench.clock.time(), abs=0.2)

    it.run("memory", scenario, rtt_s=0.02)


@every()
@pytest.mark.parametrize("ahead", [-1, 1])
def test_a_venue_clock_that_is_set_is_followed_and_no_stamp_recurs(it: VenueBench, ahead: int) -> None:
    async def scenario(bench: Bench) -> None:
        async def busy() -> None:
            for _ in range(3):
                await asyncio.gather(*(patiently(bench.adapter.equity) for _ in range(5)))
                await asyncio.sleep(2)

        offset_ms = ahead * int((bench.adapter.capabilities.validity_s + 20) * 1000)
        await bench.adapter.preflight()
        await busy()
        bench.admin.clock({"venue": bench.venue, "offset_ms": offset_ms})
        with contextlib.suppress(Unavailable):  # it may refuse once, for our time
            await bench.adapter.equity()
        await bench.adapter.prices([BTC, ETH])  # whose answer, where nothing else does, says what time it is
        await busy()
        await bench.place(bench.order("0.012"))
        assert bench.position() == bench.contracts("0.012")
        assert bench.adapter.clock_offset_s == pytest.approx(offset_ms / 1000, abs=0.06)
        stamps = [stamp for one in bench.recorder.sent if (stamp := it.stamp(one)) is not None]
        assert len(set(stamps)) == len(stamps)

    it.run("memory", scenario, rtt_s=0.02)
