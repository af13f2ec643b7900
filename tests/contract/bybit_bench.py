"""The Bybit adapter against the simulated venue; see `adapter_bench`."""

from __future__ import annotations

from account_processors import load
from simulator.facades import load as load_facade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, Bench, Place, Scenario, T, order

__all__ = ["BTC", "ETH", "Bench", "order", "run"]

BYBIT = Place(load("bybit"), load_facade("bybit"))


def run(where: str, scenario: Scenario[T], *, rtt_s: float = 0.0, accounts: int = 2) -> T:
    return adapter_bench.run(BYBIT, where, scenario, rtt_s=rtt_s, accounts=accounts)
