"""Every read an adapter has, for tests of what happens when reads fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from core.ports import AccountProcessor
from tests.contract.adapter_bench import BTC, Bench

Read = Callable[[], Awaitable[object]]


def private_reads(bench: Bench, sut: AccountProcessor) -> list[Read]:
    can = sut.capabilities
    found: list[Read] = [
        sut.positions,
        sut.equity,
        sut.open_orders,
        lambda: sut.leverage(BTC),
        lambda: sut.history(bench.clock.time() - 60),
    ]
    return [*found, lambda: sut.find(BTC, bench.next_id())] if can.find_by_client_id else found


def public_reads(bench: Bench, sut: AccountProcessor) -> list[Read]:
    symbols = bench.place_of.symbols
    return [sut.preflight, lambda: sut.prices(symbols[:1]), lambda: sut.prices(symbols)]


def reads(bench: Bench, sut: AccountProcessor) -> list[Read]:
    return [sut.instruments, *public_reads(bench, sut), *private_reads(bench, sut)]
