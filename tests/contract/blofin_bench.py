"""The BloFin adapter against the simulated venue; see `adapter_bench`. Its contracts of BTC are 0.001 BTC each."""

from __future__ import annotations

from collections.abc import Callable

from account_processors.blofin_processor import BloFinProcessor
from simulator.exchange import Exchange
from simulator.facades import Facade, VenueKind
from simulator.facades.blofin import RULES, BloFinFacade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, Bench, Place, Scenario, T, order

__all__ = ["BTC", "ETH", "Bench", "order", "run"]


def run(
    where: str,
    scenario: Scenario[T],
    *,
    rtt_s: float = 0.0,
    accounts: int = 2,
    build: Callable[[Exchange], Facade] = BloFinFacade,
) -> T:
    """`build` puts another facade on the exchange, for what the venue may do where nobody documents it."""
    place = Place(BloFinProcessor, VenueKind("blofin", RULES, build))
    return adapter_bench.run(place, where, scenario, rtt_s=rtt_s, accounts=accounts)
