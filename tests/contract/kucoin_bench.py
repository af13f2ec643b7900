"""The KuCoin adapter against the simulated venue; see `adapter_bench` and `suite.venue`. A lot of BTC is 0.001 BTC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from account_processors.codecs.kucoin import order_of_body
from account_processors.codecs.kucoin_errors import PROVEN
from account_processors.kucoin_processor import KucoinProcessor
from core.domain import MarginMode, OrderKind, PlaceOrder, Side, Symbol, TimeInForce
from simulator.exchange import Exchange
from simulator.facades import Facade, VenueKind
from simulator.facades.kucoin import RULES, VENUE, KucoinFacade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, PRICE, Bench, Place, Scenario, T
from tests.contract.suite.venue import Ban, Burst, Codes, VenueBench

__all__ = ["BENCH", "BTC", "CREATE", "ETH", "PRICE", "RESTING", "Bench", "order", "run"]

CREATE = "POST /api/v1/orders"
RESTING = PlaceOrder(
    BTC, Side.BUY, Decimal(10), OrderKind.LIMIT, Decimal(49_500), TimeInForce.GTC, False, Decimal(3),
    MarginMode.ISOLATED,
)  # fmt: skip

HEADERS = frozenset(
    ["content-type", "kc-api-key", "kc-api-sign", "kc-api-timestamp", "kc-api-passphrase", "kc-api-key-version"]
)
BENCH = VenueBench(
    place=Place(KucoinProcessor, VENUE),
    create=CREATE,
    intent=lambda request: order_of_body(request.body),
    codes=Codes(
        success="200000",
        proven=PROVEN,
        unproven=("0", "100002", "100004", "300010", "300018", "500000", "600000", "999999"),
        no_trade_right="400007",
        nothing_to_reduce="300009",
        # The passphrase is sealed with the secret, so a wrong secret shows there first.
        wrong={"api_key": "400003", "api_secret": "400004", "api_passphrase": "400004"},
        duplicate_id="300018",
    ),
    burst=Burst(orders=1200, windows=1, window_s=31.0),
    headers=HEADERS,
    stamp=lambda request: request.headers.get("KC-API-TIMESTAMP"),
    proves_nothing=(
        '{"code": "200000", "code": "400100"}',
        '{"code": NaN}',
        '{"code": "200000", "data": {"orderId": "x", "clientOid": "somebody else"}}',
        '{"code": "200000", "data": {"orderId": ""}}',
        '{"code": "200000", "data": null}',
        '{"code": 200000, "data": {"orderId": "x"}}',
    ),
    bad_reads=(
        ("status", 429),
        ("garbage", '{"code": "200000", "data": {"items": "none"}}'),
        ("garbage", '{"code": "200000", "data": "text"}'),
        ("reject_code", "500000"),
        ("reject_code", "429000"),
        ("reject_code", "400002"),
    ),
    price_requests=(1, 2, 1),
    absent_after=("GET /api/v1/orders/byClientOid", "GET /api/v1/orders", "GET /api/v1/orders"),
    rests_s=30.0,
    ban=Ban("403", 30.0),
    open_orders=61,
)


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
