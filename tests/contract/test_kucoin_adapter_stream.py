"""What of KuCoin's private stream no other venue has: tokens, and ids that stand for several orders."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from account_processors.kucoin_processor import KucoinProcessor
from account_processors.kucoin_stream import CONNECTIONS
from core.domain import MarginMode, OrderStatus, Side
from simulator.facades.kucoin.stream_tokens import Tokens
from tests.contract.kucoin_bench import BTC, ETH, Bench, order
from tests.contract.kucoin_streams import STREAM, TOKEN, asked_for, counts, facade, queries, run
from tests.contract.suite.benches import BOTH
from tests.contract.suite.follower import DOWN, EQUITY, FILL, ORDER, POSITION, UP, followed

D = Decimal


# --- an order, told ---------------------------------------------------------------------------------------------------


@BOTH
def test_an_order_is_told_by_its_fill_its_end_the_position_and_the_money(where: str) -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            mine = bench.next_id()
            await bench.place(order("12"), mine)
            await sut.until(lambda: bool(sut.of(EQUITY)))
            assert sut.kinds()[1:] == [FILL, ORDER, POSITION, EQUITY]
            (ended,), (position,), (equity,) = map(sut.of, (ORDER, POSITION, EQUITY))
            assert ended.outcome is not None
            assert (ended.client_id, ended.outcome.status, ended.outcome.filled) == (mine, OrderStatus.DONE, D(12))
            assert position.position == (await sut.adapter.positions()).of(BTC)
            assert equity.equity is not None
            assert equity.equity.value == (await sut.adapter.equity()).value
            assert counts(sut) == (0, 0, 0)

    run(where, scenario)


def test_leverage_of_a_pushed_position_is_that_of_the_order() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            await bench.place(replace(order("12"), leverage=D(7)))
            await sut.until(lambda: bool(sut.of(POSITION)))
            pushed = sut.of(POSITION)[0].position
            assert pushed is not None
            assert (pushed.leverage, pushed.margin_mode) == (D(7), MarginMode.ISOLATED)

    run("memory", scenario)


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_every_connection_has_a_token_and_an_id_of_its_own() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            for ups in (2, 3):
                bench.fault("reset", STREAM)
                bench.foreign(BTC, f"0.{ups}")
                await sut.until_up(ups)
            assert asked_for(bench, TOKEN) == 3
            for name in ("token", "connectId"):
                assert len({query[name][0] for query in queries(bench)}) == 3

    run("memory", scenario)


def test_a_stream_outlives_its_tokens() -> None:
    async def scenario(bench: Bench) -> None:
        venue = facade(bench)._venue
        venue.tokens = Tokens(venue.exchange, life_s=600.0)
        async with followed(bench) as sut:
            await sut.until_up()
            await asyncio.sleep(2000)
            assert len(sut.of(UP)) == 3 + 1
            sut.got.clear()
            await bench.place(order("12"))
            await sut.until(lambda: bool(sut.of(FILL)))

    run("memory", scenario)


def test_a_token_that_ran_out_on_the_way_is_said_and_replaced() -> None:
    async def scenario(bench: Bench) -> None:
        venue = facade(bench)._venue
        venue.tokens = Late(venue.exchange)
        async with followed(bench) as sut:
            await sut.until_up()
            assert sut.kinds() == [DOWN, UP]
            assert "token is expired" in sut.why()[0]
            assert all(query["token"][0] not in repr(sut.got) for query in queries(bench))

    run("memory", scenario)


class Late(Tokens):
    """The first token is out of date before it is used."""

    def issue(self, account: str | None) -> str:
        text = super().issue(account)
        if self._issued == 1:
            self.expire()
        return text


def test_a_venue_that_gives_no_token_is_told_and_asked_again() -> None:
    async def scenario(bench: Bench) -> None:
        bench.fault("status", "any", 503, count=4)
        async with followed(bench) as sut:
            await sut.until_up()
            assert "503" in sut.why()[0]
            assert bench.over_limit() == 0

    run("memory", scenario)


def test_connections_of_one_address_stay_below_the_venues_limit() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench, "main") as sut, followed(bench, "second") as other:
            for _ in range(40):
                bench.fault("reset", STREAM, count=2)
                bench.foreign(BTC, "0.1")
                bench.foreign(BTC, "0.2")
                await asyncio.sleep(2)
            await asyncio.gather(sut.until_up(2), other.until_up(2))
        assert CONNECTIONS[0] < 30
        assert bench.over_limit() == 0

    run("memory", scenario)


# --- what a message may be worth --------------------------------------------------------------------------------------


def test_an_id_that_stands_for_two_orders_settles_nothing() -> None:
    """The venue was seen to take several orders with one id: their fills must not add up to one that is complete."""

    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            mine = bench.next_id()
            bench.fault("accept_duplicate_ids", "order_create", count=0)
            await bench.place(order("12"), mine)
            await bench.place(order("5"), mine)
            await bench.place(order("3"))
            await sut.until(lambda: len(sut.of(FILL)) == 3)
            assert [one.client_id for one in sut.of(FILL)] == [mine, None, f"{bench.ids:032x}"]
            assert [one.fill.client_id for one in sut.of(FILL) if one.fill] == [one.client_id for one in sut.of(FILL)]
            assert "two orders with the id" in sut.why()[0]
            assert len(sut.of(UP)) == 2
            assert counts(sut)[2] == 1

    run("memory", scenario)


def test_a_venue_whose_clock_is_set_is_heard_again() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            bench.admin.clock({"venue": "kucoin", "offset_ms": -60_000})
            bench.foreign(BTC, "0.5")
            await sut.until_up(2)  # what seemed a minute late ended it; the new connection knows better
            assert "s late" in sut.why()[0]
            bench.foreign(BTC, "0.6")
            await sut.until(lambda: bool(sut.of(POSITION)))

    run("memory", scenario)


def test_what_is_not_traded_here_is_counted() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            assert isinstance(sut.adapter, KucoinProcessor)
            known = await sut.adapter.instruments()
            sut.shared._kept["instruments"] = replace(
                sut.shared._kept["instruments"], value={name: it for name, it in known.items() if name != ETH}
            )
            bench.foreign(ETH, "2")
            await sut.until(lambda: bool(sut.of(EQUITY)))
            assert (sut.of(POSITION), sut.of(FILL)) == ([], [])
            assert counts(sut)[0] == 3

    run("memory", scenario)


def test_sell_and_buy_are_told_apart_in_a_flip() -> None:
    async def scenario(bench: Bench) -> None:
        async with followed(bench) as sut:
            await sut.until_up()
            for size, side in (("12", Side.BUY), ("12", Side.SELL), ("7", Side.SELL)):
                await bench.place(order(size, side))
            await sut.until(lambda: len(sut.of(POSITION)) == 3)
            assert [one.position.contracts for one in sut.of(POSITION) if one.position] == [D(12), D(0), D(-7)]

    run("memory", scenario)
