"""The Bybit adapter against the simulated venue; see `adapter_bench` and `suite.venue`."""

from __future__ import annotations

from account_processors import load
from account_processors.codecs.bybit import order_of_body
from account_processors.codecs.bybit_errors import PROVEN
from simulator.facades import load as load_facade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, Bench, Place, Scenario, T, order
from tests.contract.suite.venue import Ban, Burst, Codes, VenueBench

__all__ = ["BENCH", "BTC", "ETH", "Bench", "order", "run"]

BYBIT = Place(load("bybit"), load_facade("bybit"))
UNPROVEN = (
    "-1", "10000", "10014", "10016", "10019", "40004", "110005", "110072", "110079", "170124", "999999",
)  # fmt: skip
HEADERS = frozenset(
    ["content-type", "x-bapi-api-key", "x-bapi-timestamp", "x-bapi-recv-window", "x-bapi-sign", "x-bapi-sign-type"]
)
BENCH = VenueBench(
    place=BYBIT,
    create="POST /v5/order/create",
    intent=lambda request: order_of_body(request.body),
    codes=Codes(
        success="0",
        proven={str(code): verdict for code, verdict in PROVEN.items()},
        unproven=UNPROVEN,
        no_trade_right="10005",
        nothing_to_reduce="110017",
        wrong={"api_key": "10003", "api_secret": "10004"},
        duplicate_id="110072",
    ),
    burst=Burst(orders=40, windows=3, window_s=1.02),
    headers=HEADERS,
    stamp=lambda request: request.headers.get("X-BAPI-TIMESTAMP"),
    proves_nothing=(
        '{"retCode": 0, "retCode": 10001}',
        '{"retCode": NaN}',
        '{"retCode": 0, "result": {"orderId": "x", "orderLinkId": "somebody else"}}',
        '{"retCode": 0, "result": {"orderId": "", "orderLinkId": ""}}',
        '{"retCode": "0", "result": {}}',
    ),
    bad_reads=(
        ("garbage", '{"retCode": 0, "retMsg": "OK", "result": {"list": "none"}, "time": 1}'),
        ("status", 429),
        ("reject_code", "10016"),
        ("reject_code", "10006"),
        ("reject_code", "10002"),
    ),
    price_requests=(1, 2, 1),
    absent_after=("GET /v5/order/realtime", "GET /v5/order/history", "GET /v5/execution/list"),
    rests_s=1.0,
    ban=Ban("403", 600.0),
)


def run(where: str, scenario: Scenario[T], *, rtt_s: float = 0.0, accounts: int = 2) -> T:
    return adapter_bench.run(BYBIT, where, scenario, rtt_s=rtt_s, accounts=accounts)
