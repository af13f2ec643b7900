"""Every venue: instruments and prices, complete, in the adapter's own units, and asked for once for everybody."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.errors import OurFault, Rejected, Unavailable
from tests.contract.adapter_bench import BTC, ETH, PRICE, Bench
from tests.contract.suite.benches import BOTH, benches, every
from tests.contract.suite.venue import VenueBench

D = Decimal
FACTS = (
    "venue_symbol", "base", "settle", "kind", "contract_size", "lot", "tick", "min_contracts", "max_contracts",
    "max_market_contracts", "max_leverage", "tradable", "can_short",
)  # fmt: skip


@BOTH
@every()
def test_instruments_are_the_venues_own_facts(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        read = await bench.adapter.instruments()
        listed = {one.symbol: one.instrument for one in bench.world.venues[bench.venue].exchange.listings()}
        assert set(read) == set(listed)
        assert len(read) >= 25
        for symbol, instrument in read.items():
            for fact in set(FACTS) - it.unstated:
                assert getattr(instrument, fact) == getattr(listed[symbol], fact), (symbol, fact)
            assert abs(instrument.min_notional - listed[symbol].min_notional) < D("0.01")
        btc = read[BTC]
        assert btc.quantity(btc.contracts_for(D(600), PRICE)) == D("0.012")

    it.run(where, scenario)


@BOTH
@every()
def test_every_symbol_of_the_venue_can_be_held_and_read(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        held = {}
        for number, (symbol, one) in enumerate((await bench.adapter.instruments()).items()):
            held[symbol] = one.lot * (7 if number % 2 else -7)
            bench.foreign(symbol, f"{one.quantity(held[symbol]):f}")
        read = await bench.adapter.positions()
        assert {symbol: position.contracts for symbol, position in read.by_symbol.items()} == held

    it.run(where, scenario)


@every()
def test_instruments_are_kept_for_an_hour(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.adapter.instruments()
        sent = len(bench.recorder.sent)
        bench.admin.instrument({"venue": bench.venue, "symbol": BTC, "max_leverage": "11"})
        await asyncio.sleep(3599)
        await bench.adapter.instruments()
        assert len(bench.recorder.sent) == sent
        await asyncio.sleep(2)
        assert (await bench.adapter.instruments())[BTC].max_leverage == 11

    it.run("memory", scenario)


@every()
def test_a_contract_that_is_not_traded_is_listed_as_such(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.admin.instrument({"venue": bench.venue, "symbol": BTC, "tradable": False})
        read = await bench.adapter.instruments()
        assert BTC not in read or not read[BTC].tradable
        assert read[ETH].tradable

    it.run("memory", scenario)


@BOTH
@pytest.mark.parametrize("it", [it for it in benches() if "max_contracts" not in it.unstated], ids=str)
def test_the_largest_order_goes_and_a_larger_one_did_not_happen(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        most = bench.contracts("0.05")
        facts = {"max_contracts": f"{most:f}", "max_market_contracts": f"{most:f}"}
        bench.admin.instrument({"venue": bench.venue, "symbol": BTC, **facts})
        listed = (await bench.adapter.instruments())[BTC]
        assert (listed.max_contracts, listed.max_market_contracts) == (most, most)
        await bench.trade(bench.order("0.05"))
        assert bench.position() == most
        with pytest.raises((Rejected, OurFault)):
            await bench.trade(bench.order("0.051"))
        assert (bench.position(), (await bench.adapter.positions()).of(BTC).contracts) == (most, most)

    it.run(where, scenario)


@BOTH
@every()
def test_an_order_below_the_minimum_did_not_happen(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        listed = (await bench.adapter.instruments())[BTC]
        small = max(listed.min_contracts, listed.lot)
        while listed.notional(small, PRICE) < listed.min_notional:
            small += listed.lot
        below = small - listed.lot or listed.lot / 2  # the smallest whole lots too few, else half a lot
        with pytest.raises((Rejected, OurFault)):
            await bench.trade(bench.order(f"{listed.quantity(below):f}", whole=False))
        assert bench.position() == 0
        await bench.trade(bench.order(f"{listed.quantity(small):f}"))
        assert bench.position() == small

    it.run(where, scenario)


@BOTH
@every()
def test_prices_are_asked_for_as_few_times_as_possible(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        many = it.place.symbols
        await bench.adapter.instruments()
        for symbols, requests in zip((many[:1], many[:2], many, ()), (*it.price_requests, 0), strict=True):
            bench.recorder.forget()
            found = await bench.adapter.prices(symbols)
            assert set(found) == set(symbols)
            assert len(bench.recorder.sent) == requests
        bench.recorder.forget()
        one_by_one = await asyncio.gather(*(bench.adapter.prices([symbol]) for symbol in many))
        assert [set(found) for found in one_by_one] == [{symbol} for symbol in many]
        assert len(bench.recorder.sent) == it.price_requests[2]
        bench.admin.price({"symbol": BTC, "price": "50000", "last": "50100"})
        for symbols in (many[:1], many):
            price = (await bench.adapter.prices(symbols))[BTC]
            assert price.mark == PRICE
            assert price.last in (None, D(50_100))
            assert (price.bid or 0) <= (price.ask or price.mark * 2)
            assert abs(price.at - bench.clock.time()) < 5

    it.run(where, scenario)


@BOTH
@every()
def test_a_symbol_the_venue_does_not_list_costs_the_others_nothing(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(2):
            assert set(await bench.adapter.prices([it.nowhere])) == set()
            assert set(await bench.adapter.prices([BTC, it.nowhere])) == {BTC}
            assert set(await bench.adapter.prices([*it.place.symbols, it.nowhere])) == set(it.place.symbols)
            await bench.adapter.instruments()

    it.run(where, scenario)


@BOTH
@every()
def test_accounts_share_public_data(it: VenueBench, where: str) -> None:
    async def scenario(bench: Bench) -> None:
        second = bench.another("second")
        await asyncio.gather(*(each.instruments() for each in (bench.adapter, second) for _ in range(3)))
        alone = len(bench.recorder.sent)
        assert len(set(bench.recorder.paths())) == alone <= 2
        sol = it.place.symbols[2]
        await asyncio.gather(bench.adapter.prices([BTC]), second.prices([ETH, BTC]), second.prices([sol]))
        assert len(bench.recorder.sent) <= alone + 3

    it.run(where, scenario)


@every()
def test_a_warm_cycle_asks_four_things_at_most(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        sut = bench.adapter
        await sut.preflight()
        await sut.instruments()
        await asyncio.gather(sut.positions(), sut.equity(), sut.prices(it.place.symbols))
        bench.recorder.forget()
        for _ in range(6):
            await asyncio.gather(sut.positions(), sut.equity(), sut.prices(it.place.symbols))
            await asyncio.sleep(5)
        assert len(bench.recorder.sent) <= 6 * 4 + 1  # and the time, where answers do not say it

    it.run("memory", scenario)


@every()
def test_an_account_without_money_has_no_equity_to_size_with(it: VenueBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="0")
        try:
            nothing = (await bench.adapter.equity()).value
        except Unavailable:
            nothing = D(0)
        assert nothing == 0
        bench.setup(equity="1234.5")
        assert (await bench.adapter.equity()).value == D("1234.5")
        bench.foreign(BTC, "0.1")
        bench.admin.price({"symbol": BTC, "price": "51000"})
        equity = await bench.adapter.equity()
        assert equity.currency == it.place.kind.rules.settle
        assert D("1330") < equity.value < D("1335")  # the unrealized profit of 100, less the fee

    it.run("memory", scenario)
