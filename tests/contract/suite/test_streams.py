"""Every venue with a private stream: it says what the reads say, and only sooner; what breaks it is told and mended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import OrderStatus, Side
from core.errors import Denied, Rejected
from tests.contract.adapter_bench import BTC, Bench
from tests.contract.suite.benches import BOTH, benches, every
from tests.contract.suite.follower import DOWN, FILL, ORDER, POSITION, UP, Followed, followed, streaming
from tests.contract.suite.venue import VenueBench

D = Decimal
SIZE = "0.012"
STREAM = "stream"
STREAMED = every(lambda can: can.private_stream)


def held(sut: Followed) -> Decimal | None:
    """Contracts of BTC as last told."""
    told = [one.position for one in sut.of(POSITION) if one.symbol == BTC]
    return told[-1].contracts if told and told[-1] is not None else None


async def until_told(sut: Followed, fills: int = 0) -> None:
    await sut.until(lambda: len(sut.of(FILL)) >= fills and held(sut) == sut.bench.position())


async def heard_again(sut: Followed, ups: int = 2) -> None:
    """The stream is up again, and what happens from now on is told."""
    await sut.until_up(ups)
    await asyncio.sleep(0.2)  # what a snapshot brings
    sut.got.clear()
    await sut.bench.trade(sut.bench.order("0.001"))
    await until_told(sut, 1)
    assert sut.bench.over_limit() == 0


@BOTH
@STREAMED
def test_an_order_is_told_as_the_reads_tell_it(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.adapter.preflight()
            await sut.until_up()
            mine, since = bench.next_id(), bench.clock.time() - 1
            await bench.place(bench.order(SIZE), mine)
            await until_told(sut, 1)
            (fill,) = [one.fill for one in sut.of(FILL)]
            (read,) = (await sut.adapter.history(since)).fills
            assert fill is not None
            assert fill.fee in (None, read.fee)
            told, listed = (replace(one, time=0.0, fee=None, exec_id="") for one in (fill, read))
            assert told == listed  # executions a stream may name in its own way
            assert fill.time == pytest.approx(read.time, abs=0.01)
            assert fill.client_id == mine
            outcome = await bench.found(mine)
            assert outcome is not None
            for end in (one.outcome for one in sut.got if one.outcome is not None and one.outcome.final):
                assert (end.status, end.filled) == (outcome.status, outcome.filled)
            assert all(abs(one.at - bench.clock.time()) < 5 for one in sut.got)

    it.run(where, scenario, streams=True)


@BOTH
@STREAMED
def test_long_flip_and_exit(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            steps = [(SIZE, Side.BUY), (SIZE, Side.SELL), ("0.007", Side.SELL), ("0.007", Side.BUY)]
            for number, (size, side) in enumerate(steps, 1):
                await bench.trade(bench.order(size, side))
                await until_told(sut, number)
            fills = [one.fill.contracts for one in sut.of(FILL) if one.fill is not None]
            assert fills == [bench.contracts(size) * side.sign for size, side in steps]
            assert held(sut) == 0
            assert sut.of(DOWN) == []

    it.run(where, scenario, streams=True)


@BOTH
@STREAMED
def test_an_order_that_fills_nothing_is_told_of_at_its_end_alone(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            mine = bench.next_id()
            try:
                await bench.trade(bench.order(SIZE, off="-0.01"), mine)
            except Rejected:
                return  # this venue says so at once
            await sut.until(lambda: bool(sut.of(ORDER)))
            (told,) = sut.of(ORDER)
            assert told.outcome is not None
            assert (told.client_id, told.outcome.status, told.outcome.filled) == (mine, OrderStatus.DONE, D(0))
            assert sut.of(FILL) == []

    it.run(where, scenario, streams=True)


@BOTH
@STREAMED
def test_what_others_did_is_told(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            for size, kind in (("0.5", "manual"), ("0.3", "adl"), ("0", "liquidation")):
                bench.foreign(BTC, size, kind)
                await until_told(sut)
            assert all(one.client_id is None for one in sut.of(FILL))

    it.run(where, scenario, streams=True)


@BOTH
@STREAMED
def test_every_account_hears_of_itself_alone(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench, "second") as other, followed(bench) as sut:
            await asyncio.gather(sut.until_up(), other.until_up())
            await asyncio.sleep(0.2)
            other.got.clear()
            await bench.place(bench.order(SIZE))
            await sut.until(lambda: bool(sut.of(FILL)))
            assert other.got == []

    it.run(where, scenario, streams=True)


@BOTH
@pytest.mark.parametrize(
    ("it", "field"),
    [(it, field) for it in benches() if it.capabilities.private_stream for field in it.codes.wrong],
    ids=str,
)
def test_a_wrong_credential_is_denied_and_not_quoted(it: VenueBench, field: str, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench, changed={field: it.wrong_values.get(field, "canary-wrong")}) as sut:
            await sut.until(lambda: sut.ended is not None)
            assert isinstance(sut.ended, Denied)
            assert "canary" not in f"{sut.ended!r} {sut.got!r}"
            assert UP not in sut.kinds()

    it.run(where, scenario, streams=True)


@BOTH
@pytest.mark.parametrize("it", [it for it in benches() if it.hedge_mode and it.capabilities.private_stream], ids=str)
def test_a_position_in_hedge_mode_is_denied(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.setup(position_mode="hedge")
            bench.foreign(BTC, "0.4")
            await sut.until(lambda: sut.ended is not None)
            assert isinstance(sut.ended, Denied)
            assert "one-way" in str(sut.ended).lower()

    it.run(where, scenario, streams=True)


# --- the connection ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "kind", "value"),
    [
        ("http", "drop_before", None),
        ("memory", "drop_before", None),
        ("memory", "drop_after", None),
        ("memory", "reset", None),
        ("memory", "garbage", None),
        ("memory", "garbage", "[]"),
        ("memory", "garbage", "<html>bad gateway</html>"),
        ("memory", "empty", None),
    ],
)
@STREAMED
def test_whatever_ends_the_stream_is_told_and_mended(it: VenueBench, where: str, kind: str, value: object) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault(kind, STREAM, value)
            bench.foreign(BTC, "0.5")
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert sut.why()[0]
            await heard_again(sut)

    it.run(where, scenario, streams=True)


@pytest.mark.parametrize(
    ("kind", "value"), [("drop_before", None), ("reset", None), ("status", 503), ("status", 403), ("hang", 600_000)]
)
@STREAMED
def test_a_handshake_that_fails_is_told_and_tried_again(it: VenueBench, kind: str, value: object) -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault(kind, STREAM, value, count=2)
        async with followed(bench) as sut:
            await sut.until(lambda: bool(sut.of(UP)), within_s=60)
            assert sut.kinds()[0] is DOWN

    it.run("memory", scenario, streams=True)


@pytest.mark.parametrize(("kind", "value"), [("drop_before", None), ("status", 503), ("garbage", "{")])
@STREAMED
def test_a_venue_that_never_keeps_a_stream_is_asked_twice_a_minute(it: VenueBench, kind: str, value: object) -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault(kind, STREAM, value, count=0)
        async with followed(bench):
            for n in range(1200):
                bench.foreign(BTC, str(D(n % 7 + 1) / 10))
                await asyncio.sleep(1)
        assert 30 < len(bench.recorder.connected) < 50
        assert bench.over_limit() == 0

    it.run("memory", scenario, streams=True)


@STREAMED
def test_silence_is_noticed(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await asyncio.sleep(33.3)
            bench.fault("hang", STREAM, 600_000)
            began = bench.clock.time()
            await bench.place(bench.order(SIZE))
            await sut.until(lambda: bool(sut.of(DOWN)), within_s=60)
            assert sut.of(FILL) == []
            assert sut.of(DOWN)[0].at - began < 25
            await heard_again(sut)

    it.run("memory", scenario, streams=True)


# --- gaps and duplicates ----------------------------------------------------------------------------------------------


@STREAMED
def test_a_message_that_is_lost_voids_the_stream_unless_others_say_the_same(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.foreign(BTC, "0.1")
            await until_told(sut)
            sut.got.clear()
            bench.fault("ws_gap", STREAM, 1)
            await bench.place(bench.order(SIZE))
            await asyncio.sleep(60)
            whole = bool(sut.of(FILL)) and held(sut) == bench.position()
            assert whole or sut.of(DOWN)
            if sut.of(DOWN):
                await heard_again(sut, ups=1)

    it.run("memory", scenario, streams=True)


@BOTH
@STREAMED
def test_what_comes_twice_is_told_once(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault("ws_duplicate", STREAM, count=0)
            await bench.place(bench.order(SIZE))
            bench.foreign(BTC, "0.5")
            await until_told(sut)
            await asyncio.sleep(0.2)
            fills = [one.fill.exec_id for one in sut.of(FILL) if one.fill is not None]
            assert len(fills) == len(set(fills)) > 0
            assert sut.of(DOWN) == []

    it.run(where, scenario, streams=True)


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_ms", [-60_000, 60_000])
@STREAMED
def test_logins_and_fills_are_in_the_venues_time(it: VenueBench, offset_ms: int) -> None:
    async def scenario(bench: Bench) -> None:
        bench.admin.clock({"venue": bench.venue, "offset_ms": offset_ms})
        async with followed(bench) as sut:
            await sut.until_up()
            await bench.place(bench.order(SIZE))
            await sut.until(lambda: bool(sut.of(FILL)))
            (fill,) = (one.fill for one in sut.of(FILL))
            assert fill is not None
            assert abs(fill.time - bench.clock.time()) < 5

    it.run("memory", scenario, streams=True)


@STREAMED
def test_messages_that_come_late_end_the_connection(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.fault("delay_ms", STREAM, 7_000)
            await bench.trade(bench.order(SIZE))
            await sut.until(lambda: bool(sut.of(DOWN)))
            assert "7 s late" in sut.why()[0]
            assert sut.of(FILL) == []
            await heard_again(sut)

    it.run("memory", scenario, streams=True)


@STREAMED
def test_a_quiet_stream_stays_up_for_hours(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await asyncio.sleep(3 * 3600)
            assert (len(sut.of(UP)), len(sut.of(DOWN))) == (1, 0)
            assert len(bench.recorder.connected) == 1

    it.run("memory", scenario, streams=True)


@STREAMED
def test_leaving_leaves_nothing_behind(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        before = asyncio.all_tasks()
        async with followed(bench) as sut:
            await sut.until_up()
            await sut.adapter.prices([BTC])
            await asyncio.sleep(1)
        assert asyncio.all_tasks() == before

    it.run("memory", scenario, streams=True)


@STREAMED
def test_who_takes_no_events_loses_the_stream_and_gets_it_back(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        sut = streaming(bench)
        events = sut.adapter.events()
        while (await anext(events)).kind is not UP:
            pass
        for n in range(1100):
            bench.foreign(BTC, str(D(n + 1) / 1000))
            await asyncio.sleep(0.01)
        await asyncio.sleep(5)
        while (event := await anext(events)).kind is not DOWN:
            pass
        assert event.because
        while (await anext(events)).kind is not UP:
            pass
        await sut.shared.close()
        await events.aclose()  # type: ignore[attr-defined]  # the adapters' iterators are generators

    it.run("memory", scenario, streams=True)
