"""What stands on the way from a changed signal to its order, in round trips and requests: nothing that need not."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import pytest

import core.trade_executor
from core.domain import Price, Symbol
from core.execution.reads import CycleFacts
from tests.scenario.rig import BTC, ETH, Rig, manual, settings_for

RTT_S = 0.05
MANY = [Symbol(name) for name in ("ADAUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")]


class Priced:
    """Notes for which symbols prices are asked, and asks."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[set[Symbol]] = []
        [account] = rig.executor.accounts
        self._ask = account.processor.prices
        monkeypatch.setattr(account.processor, "prices", self)

    async def __call__(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        self.asked.append(set(symbols))
        return await self._ask(symbols)


def opened(rig: Rig) -> None:
    for symbol in MANY:
        rig.signal(symbol, "0.1")


def rig_of_many() -> Rig:
    rig = Rig(rtt_s=RTT_S)
    rig.settings.value = settings_for(list(rig.ids.values()), MANY, weight="0.15")
    return rig


@pytest.mark.parametrize("changed", [(ETH,), (BTC, ETH, MANY[4]), ()])
def test_only_the_prices_that_are_due_are_asked_for(
    changed: tuple[Symbol, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_of_many()

    async def scene() -> None:
        opened(rig)
        await rig.settle()
        priced = Priced(rig, monkeypatch)
        for symbol in changed:
            rig.signal(symbol, "0.2")
        await rig.cycle()
        assert priced.asked == [set(changed)] * bool(changed)
        assert all(rig.position(symbol) == rig.target(symbol) != 0 for symbol in MANY)

    rig.run(scene())


def test_a_symbol_that_turns_out_to_need_its_price_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = rig_of_many()

    async def scene() -> None:
        opened(rig)
        await rig.settle()
        priced = Priced(rig, monkeypatch)
        manual(rig, "1")
        await rig.settle()
        assert rig.position(BTC) == rig.target(BTC)
        assert set.union(*priced.asked) >= {BTC}

    rig.run(scene())


def test_what_is_due_does_not_wait_for_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few symbols are worked on at once: the order leaves after one round trip of reads."""
    rig = rig_of_many()
    monkeypatch.setattr(core.trade_executor, "MAX_CONCURRENT_SYMBOL_REQUESTS", 1)

    async def scene() -> None:
        opened(rig)
        await rig.settle()
        began = rig.clock.time()
        rig.signal(MANY[-1], "0.2")
        await rig.cycle()
        [*_, order] = rig.ledger()["orders"]
        assert order["symbol"] == MANY[-1]
        assert order["received_at"] - began <= 1.5 * RTT_S + 0.001

    rig.run(scene())


def reads_of_positions(rig: Rig) -> int:
    found: int = rig.venue_ledger()["requests"]["by_endpoint"]["GET /v5/position/list"]
    return found


@pytest.mark.parametrize(("pause_s", "reads"), [(1.0, 0), (3.0, 1)])
def test_alerts_in_quick_succession_share_the_read_that_vouches_for_the_stream(pause_s: float, reads: int) -> None:
    rig = rig_of_many()

    async def scene() -> None:
        async with rig.executor.streaming():
            opened(rig)
            await rig.settle()
            await asyncio.sleep(10)
            await rig.cycle()
            await asyncio.sleep(pause_s)
            before = reads_of_positions(rig)
            rig.signal(ETH, "0.2")
            await rig.cycle()
            assert rig.position(ETH) == rig.target(ETH)
            assert reads_of_positions(rig) - before == reads

    rig.run(scene())


def test_after_an_idle_hour_the_first_order_still_leaves_without_a_question() -> None:
    rig = rig_of_many()

    async def scene() -> None:
        opened(rig)
        stop = asyncio.Event()
        engine = asyncio.ensure_future(rig.executor.run(stop))
        await asyncio.sleep(3600)
        began = rig.clock.time()
        rig.signal(ETH, "0.2")
        rig.executor.wake()
        await asyncio.sleep(1)
        [*_, order] = rig.ledger()["orders"]
        assert order["symbol"] == ETH
        assert order["received_at"] - began <= 0.5 * RTT_S + 0.001
        assert rig.position(ETH) == rig.target(ETH)
        stop.set()
        await engine

    rig.run(scene())


class Venue:
    """Just enough of an adapter for the facts of one cycle."""

    def __init__(self) -> None:
        self.asked: list[tuple[Symbol, ...]] = []

    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        self.asked.append(tuple(symbols))
        return {symbol: Price(symbol, Decimal(2), 1.0) for symbol in symbols}

    async def equity(self) -> None: ...
    async def instruments(self) -> None: ...


async def test_a_cycle_asks_for_prices_at_most_twice() -> None:
    venue: Any = Venue()
    facts = CycleFacts(venue, MANY, [BTC, ETH])
    for symbol in (BTC, ETH, BTC):
        assert await facts.price(symbol) is not None
    assert venue.asked == [(BTC, ETH)]
    for symbol in MANY:
        assert await facts.price(symbol) is not None
    assert venue.asked == [(BTC, ETH), tuple(MANY)]
