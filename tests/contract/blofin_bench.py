"""The BloFin adapter against the simulated venue; see `adapter_bench` and `suite.venue`.

Its contracts of BTC are 0.001 BTC each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from account_processors.blofin_processor import BloFinProcessor
from account_processors.codecs.blofin import order_of_body
from account_processors.codecs.blofin_errors import PROVEN
from simulator.exchange import Exchange
from simulator.facades import Facade, VenueKind
from simulator.facades.blofin import RULES, BloFinFacade
from simulator.facades.blofin.context import Ways
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, Bench, Place, Scenario, T, order
from tests.contract.suite.venue import Ban, Burst, Codes, VenueBench

__all__ = ["BENCH", "BTC", "ETH", "Bench", "order", "run"]

INNER = '{"code":"0","msg":"","data":[{"orderId":"1","clientOrderId":"%s","msg":"","code":"0"}]}'
UNPROVEN = (
    "1", "2", "500", "429", "103013", "102002", "150003", "152407", "102068", "1000", "999999",
)  # fmt: skip
HEADERS = frozenset(
    ["content-type", "access-key", "access-sign", "access-timestamp", "access-nonce", "access-passphrase"]
)
BENCH = VenueBench(
    place=Place(BloFinProcessor, VenueKind("blofin", RULES, partial(BloFinFacade, ways=Ways(closed_shown=True)))),
    create="POST /api/v1/trade/order",
    intent=lambda request: order_of_body(request.body),
    codes=Codes(
        success="0",
        proven=PROVEN,
        unproven=UNPROVEN,
        no_trade_right="152404",
        nothing_to_reduce="102022",
        wrong={"api_key": "152401", "api_secret": "152409", "api_passphrase": "152408"},
        duplicate_id="102002",
    ),
    burst=Burst(orders=70, windows=2, window_s=10.02),
    headers=HEADERS,
    stamp=lambda request: request.headers.get("ACCESS-NONCE"),
    proves_nothing=(
        '{"code": "0", "code": "152405"}',
        '{"code": NaN}',
        INNER % "somebody_else",
        INNER % "",
        '{"code":"0","msg":"success"}',
        '{"code":"0","data":[]}',
        '{"code":"0","data":[{"orderId":"","clientOrderId":""}]}',
        '{"code":"1","msg":"All operations failed"}',
        '{"code":"2","data":[{"orderId":null,"code":"103003"}]}',
        '{"code":"1","data":[{"orderId":"7","code":"103003"}]}',
        '{"code":"1","data":[{"orderId":null,"code":"103003"},{"orderId":"7","code":"0"}]}',
    ),
    bad_reads=(
        ("status", 403),
        ("garbage", '{"code": "0", "msg": "success", "data": "none"}'),
        ("garbage", '{"code": "0", "msg": "success", "data": [[]]}'),
        ("reject_code", "500"),
        ("reject_code", "103013"),
        ("reject_code", "429"),
        ("reject_code", "152405"),
        ("reject_code", "152407"),
    ),
    price_requests=(2, 2, 2),
    absent_after=tuple(f"GET /api/v1/trade/{name}" for name in ("order-detail", "orders-pending", "orders-history")),
    rests_s=10.0,
    ban=Ban("403", 300.0),
)


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
