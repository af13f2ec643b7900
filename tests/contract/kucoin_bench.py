"""The KuCoin adapter against the simulated venue; see `adapter_bench`. A lot of BTC is 0.001 BTC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from account_processors.kucoin_processor import KucoinProcessor
from core.domain import MarginMode, OrderKind, PlaceOrder, Side, Symbol, TimeInForce
from simulator.exchange import Exchange
from simulator.facades import Facade, VenueKind
from simulator.facades.kucoin import RULES, KucoinFacade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, PRICE, Bench, Place, Scenario, T

__all__ = ["BTC", "CREATE", "ETH", "PRICE", "RESTING", "Bench", "order", "run"]

CREATE = "POST /api/v1/orders"
RESTING = PlaceOrder(
    BTC, Side.BUY, Decimal(10), OrderKind.LIMIT, Decimal(49_500), TimeInForce.GTC, False, Decimal(3),
    MarginMode.ISOLATED,
)  # fmt: skip


def order(lots: str, side: Side = Side.BUY, *, reduce: bool = False, symbol: Symbol = BTC) -> PlaceOrder:
    """An isolated IOC limit one percent through `PRICE` at leverage 3, or a reduce-only market order."""
    built = adapter_bench.order(lots, side, reduce=reduce, symbol=symbol)
    return replace(built, margin_mode=MarginMode.ISOLATED, leverage=None if reduce else Decimal(3))


def run(
    where: str,
    scenario: Scenario[T],
    *,
    rtt_s: float = 0.0,
    accounts: int = 2,
    build: Callable[[Exchange], Facade] = KucoinFacade,
) -> T:
    """`build` puts another facade on the exchange, for what the venue may do where nobody documents it."""
    place = Place(KucoinProcessor, VenueKind("kucoin", RULES, build))
    return adapter_bench.run(place, where, scenario, rtt_s=rtt_s, accounts=accounts)
