"""What of the Bybit adapter no other venue has, over real HTTP and in memory; the rest is in the suite."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.domain import LeverageScope, MarginMode, MarginModeScope, PositionMode
from core.errors import Denied, Rejected
from tests.contract.bybit_bench import BTC, ETH, Bench, order, run
from tests.contract.suite.benches import BOTH

D = Decimal


@BOTH
def test_leverage_has_fractions_and_refused_settings_say_why(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.set_leverage(ETH, D("3.5"), MarginMode.CROSS)
        assert (await bench.adapter.leverage(ETH)).leverage == D("3.5")
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


def test_in_hedge_mode_leverage_means_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(position_mode="hedge")
        with pytest.raises(Denied, match="One-Way"):
            await bench.adapter.leverage(ETH)

    run("memory", scenario)


def test_a_lagging_position_is_recognized_by_its_sequence_number() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(order("0.012"))
        bench.fault("stale_positions_ms", "positions", 30_000, count=1)
        mine = bench.next_id()
        await bench.place(order("0.005"), mine)
        found = await bench.adapter.find(BTC, mine)
        assert found is not None
        assert found.seq is not None
        stale = (await bench.adapter.positions()).of(BTC)
        assert stale.seq is None or stale.seq < found.seq
        fresh = (await bench.adapter.positions()).of(BTC)
        assert (fresh.seq, fresh.contracts) == (found.seq, D("0.017"))

    run("memory", scenario)


@BOTH
def test_every_signed_request_names_its_window(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.preflight()
        await bench.place(order("0.012"))
        signed = [one for one in bench.recorder.sent if "X-BAPI-SIGN" in one.headers]
        assert {one.headers["X-BAPI-RECV-WINDOW"] for one in signed} == {"5000"}

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

    run("memory", scenario)
