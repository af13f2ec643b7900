"""The MEXC adapter against the simulated venue; see `adapter_bench` and `suite.venue`. A contract is 0.0001 BTC."""

from __future__ import annotations

from collections.abc import Callable

from account_processors.codecs.mexc import order_of_body
from account_processors.codecs.mexc_errors import PROVEN
from account_processors.mexc_processor import MexcProcessor
from simulator.exchange import Exchange
from simulator.facades import Facade, VenueKind
from simulator.facades.mexc import RULES, VENUE, MexcFacade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, PRICE, Bench, Place, Scenario, T
from tests.contract.suite.venue import Ban, Burst, Codes, VenueBench

__all__ = ["BENCH", "BTC", "CREATE", "ETH", "PRICE", "Bench", "run"]

CREATE = "POST /api/v1/private/order/create"
BENCH = VenueBench(
    place=Place(MexcProcessor, VENUE),
    create=CREATE,
    intent=lambda request: order_of_body(request.body),
    codes=Codes(
        success="0",
        proven=PROVEN,
        unproven=("500", "501", "603", "2042", "2056", "6008", "6022", "9999", "999999"),
        no_trade_right="704",
        nothing_to_reduce="2009",
        wrong={"api_key": "401", "api_secret": "602"},
        duplicate_id="2042",
    ),
    burst=Burst(orders=20, windows=4, window_s=2.02, at_once=4),
    headers=frozenset(["content-type", "apikey", "request-time", "signature"]),
    stamp=lambda request: request.headers.get("Request-Time"),
    proves_nothing=(
        '{"success": true, "success": false, "code": 2005}',
        '{"success": false, "code": NaN}',
        '{"success": true, "code": 0}',
        '{"success": true, "code": 0, "data": null}',
        '{"success": true, "code": 0, "data": {"orderId": ""}}',
        '{"success": true, "code": 0, "data": {"ts": 1}}',
        '{"success": true, "code": 0, "data": 0}',
        '{"success": true, "code": 2005}',
        '{"success": false, "code": 0}',
        '{"success": false, "code": "2005"}',
        '{"code": 2005, "message": "Balance insufficient"}',
        '{"success": false, "code": 2042, "message": "Duplicate order ID"}',
    ),
    bad_reads=(
        ("status", 403),
        ("status", 429),
        ("garbage", '{"success": true, "code": 0, "data": "none"}'),
        ("garbage", '{"success": true, "code": 0, "data": {"resultList": 1}}'),
        ("garbage", '{"success": false, "code": 0, "data": []}'),
        ("garbage", '{"success": true, "code": 500, "data": []}'),
        ("reject_code", "500"),
        ("reject_code", "501"),
        ("reject_code", "510"),
        ("reject_code", "513"),
        ("reject_code", "604"),
    ),
    price_requests=(1, 2, 1),
    absent_after=(
        "GET /api/v1/private/order/list/history_orders",
        "GET /api/v1/private/order/external/BTC_USDT/00000000000000000000000000000001",
        "GET /api/v1/private/order/list/open_orders",
    ),
    rests_s=60.0,
    ban=Ban("403", 60.0),
    open_orders=45,
)
"""One-way mode takes 50 open orders of a contract."""


def run(
    where: str,
    scenario: Scenario[T],
    *,
    rtt_s: float = 0.0,
    accounts: int = 2,
    build: Callable[[Exchange], Facade] = MexcFacade,
) -> T:
    """`build` puts another facade on the exchange, for what the venue may do where nobody documents it."""
    place = Place(MexcProcessor, VenueKind("mexc", RULES, build))
    return adapter_bench.run(place, where, scenario, rtt_s=rtt_s, accounts=accounts)
