"""The simulated Bybit at its door: authentication, time window, rights, limits, bans, counts, unknown paths."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ports import Request
from simulator.facades import Match
from simulator.facades.bybit.facade import ROUTES
from tests.contract.bybit_door import Answer, Door

INFO = "/v5/account/info"


def test_a_signature_is_what_the_documentation_says() -> None:
    door = Door()
    keys = door.facade.credentials("main")
    timestamp, query = str(round(door.clock.time() * 1000)), "accountType=UNIFIED&coin=USDT"
    signed = hmac.new(
        keys["api_secret"].encode(), f"{timestamp}{keys['api_key']}5000{query}".encode(), hashlib.sha256
    ).hexdigest()
    headers = {
        "x-bapi-api-key": keys["api_key"],
        "x-bapi-timestamp": timestamp,
        "x-bapi-recv-window": "5000",
        "x-bapi-sign": signed,
        "x-bapi-sign-type": "2",
    }
    request = Request("GET", f"http://h/v5/account/wallet-balance?{query}", headers)
    assert Answer.of(door.facade.handle(request)).code == 0


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"x-bapi-api-key": ""}, 401, None),
        ({"x-bapi-timestamp": ""}, 401, None),
        ({"x-bapi-sign": ""}, 401, None),
        ({"x-bapi-api-key": "nobody"}, 200, 10003),
        ({"x-bapi-sign": "0" * 64}, 200, 10004),
        ({"x-bapi-sign": "ä" * 64}, 200, 10004),
        ({"x-bapi-recv-window": "5001"}, 200, 10004),
        ({"x-bapi-timestamp": "soon"}, 200, 10002),
        ({"x-bapi-timestamp": "-1"}, 200, 10002),
        ({"x-bapi-timestamp": "9" * 40}, 200, 10002),
        ({"x-bapi-recv-window": "wide"}, 200, 10002),
    ],
)
def test_wrong_headers(changed: dict[str, str], status: int, code: int | None) -> None:
    door = Door()
    request = Request("GET", f"http://h{INFO}", door.headers("", **changed))
    answer = Answer.of(door.facade.handle(request))
    assert (answer.status, answer.code) == (status, code)


def test_the_signature_is_lower_case_hex() -> None:
    door = Door()
    headers = door.headers("")
    upper = Request("GET", f"http://h{INFO}", {**headers, "x-bapi-sign": headers["x-bapi-sign"].upper()})
    assert Answer.of(door.facade.handle(upper)).code == 10004


def test_what_is_signed_is_what_is_sent() -> None:
    door = Door()
    body = {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "7", "sellLeverage": "7"}
    signed, sent = json.dumps(body), json.dumps(body, separators=(",", ":"))
    url = "http://h/v5/position/set-leverage"
    assert Answer.of(door.facade.handle(Request("POST", url, door.headers(signed), sent.encode()))).code == 10004
    assert Answer.of(door.facade.handle(Request("POST", url, door.headers(sent), sent.encode()))).code == 0
    query = "category=linear&symbol=BTCUSDT"
    request = Request("GET", f"http://h/v5/position/list?{query}&limit=1", door.headers(query))
    assert Answer.of(door.facade.handle(request)).code == 10004


@pytest.mark.parametrize(
    ("skew_ms", "window", "code"),
    [
        (0, "5000", 0),
        (-5000, "5000", 0),
        (-5001, "5000", 10002),
        (999, "5000", 0),
        (1000, "5000", 10002),
        (-20_000, "20000", 0),
        (-5001, "", 10002),
        (-5000, "", 0),
        (-1, "0", 10002),
    ],
)
def test_time_window(skew_ms: int, window: str, code: int) -> None:
    assert Door(skew_ms=skew_ms, window=window).get(INFO).code == code


def test_the_window_is_in_the_venues_own_clock() -> None:
    door = Door()
    door.admin.clock({"venue": "bybit", "offset_ms": 2000})
    assert door.get("/v5/market/time").result["timeSecond"] == str(int(door.clock.time() + 2))
    assert door.get(INFO).code == 0
    door.skew_ms = 2999
    assert door.get(INFO).code == 0
    door.skew_ms = 3000
    late = door.get(INFO)
    assert late.code == 10002
    assert f"server_timestamp[{round(door.clock.time() * 1000) + 2000}]" in late.message
    door.admin.clock({"venue": "bybit", "offset_ms": -2000})
    door.skew_ms = 0
    assert door.get(INFO).code == 10002


def test_a_key_bound_to_other_addresses() -> None:
    bound = {"main": frozenset({"203.0.113.7"}), "second": frozenset({"127.0.0.1"})}
    door = Door(addresses=bound)
    assert door.get(INFO).code == 10010
    door.account = "second"
    assert door.get(INFO).code == 0
    assert door.get("/v5/user/query-api").result["ips"] == ["127.0.0.1"]


def test_a_key_without_the_trade_right_reads_only() -> None:
    door = Door()
    door.setup(can_trade=False)
    assert door.get(INFO).code == 0
    key = door.get("/v5/user/query-api").result
    assert (key["readOnly"], key["permissions"]["ContractTrade"]) == (1, [])
    refused = [door.post(endpoint.split()[1], {}).code for endpoint in ROUTES if endpoint.startswith("POST")]
    assert refused == [10005] * len(refused)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v5/no/such", b"", 404),
        ("POST", INFO, b"{}", 404),
        ("GET", "/", b"", 404),
        ("get", INFO, b"", 400),
        ("DELETE", INFO, b"", 400),
        ("GET", "/v5/market/time", b"{}", 403),
    ],
)
def test_what_no_endpoint_answers(method: str, path: str, body: bytes, status: int) -> None:
    door = Door()
    assert door.facade.handle(Request(method, f"http://h{path}", {}, body)).status == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": NaN}', b'{"category": "linear", "category": "spot"}'])
def test_bodies_that_are_no_object(body: bytes) -> None:
    door = Door()
    request = Request("POST", "http://h/v5/order/create", door.headers(body.decode()), body)
    assert Answer.of(door.facade.handle(request)).code == 10001


def set_leverage(door: Door, number: int) -> Answer:
    body = {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": str(number + 1), "sellLeverage": str(number + 1)}
    return door.post("/v5/position/set-leverage", body)


def set_mode(door: Door, number: int) -> Answer:
    return door.post("/v5/account/set-margin-mode", {"setMarginMode": "ISOLATED_MARGIN"})


def reads(path: str, **params: object) -> Callable[[Door, int], Answer]:
    return lambda door, number: door.get(path, **params)


def posts(path: str, body: dict[str, object]) -> Callable[[Door, int], Answer]:
    return lambda door, number: door.post(path, body)


@pytest.mark.parametrize(
    ("call", "per_s"),
    [
        (lambda door, number: door.order(qty="0.001"), 10),
        (posts("/v5/order/cancel", {"category": "linear", "symbol": "BTCUSDT", "orderId": "x"}), 10),
        (posts("/v5/order/cancel-all", {"category": "linear", "symbol": "BTCUSDT"}), 10),
        (posts("/v5/position/switch-mode", {"category": "linear", "coin": "USDT", "mode": 0}), 10),
        (set_leverage, 10),
        (set_mode, 5),
        (reads("/v5/order/realtime", category="linear", symbol="BTCUSDT"), 50),
        (reads("/v5/order/history", category="linear"), 50),
        (reads("/v5/execution/list", category="linear"), 50),
        (reads("/v5/position/list", category="linear", settleCoin="USDT"), 50),
        (reads("/v5/account/wallet-balance", accountType="UNIFIED"), 50),
        (reads(INFO), 50),
        (reads("/v5/account/transaction-log"), 25),
        (reads("/v5/user/query-api"), 10),
        (reads("/v5/account/fee-rate", category="linear"), 5),
    ],
)
def test_limits_per_account_and_endpoint(call: Callable[[Door, int], Answer], per_s: int) -> None:
    door = Door()
    for number in range(per_s):
        answer = call(door, number)
        assert answer.code != 10006
        assert answer.headers["x-bapi-limit"] == str(per_s)
        assert answer.headers["x-bapi-limit-status"] == str(per_s - number - 1)
        assert answer.headers["x-bapi-limit-reset-timestamp"] == str(round(door.clock.time() * 1000))
        door.wait(0.01)
    over = call(door, per_s)
    assert (over.status, over.code, over.headers["x-bapi-limit-status"]) == (200, 10006, "0")
    assert door.facade.counts().over_limit == 1
    reset_ms = int(over.headers["x-bapi-limit-reset-timestamp"])
    assert 0 < reset_ms - round(door.clock.time() * 1000) <= 1000
    door.account = "second"
    assert call(door, per_s).code != 10006
    door.account = "main"
    door.clock.now = reset_ms / 1000 + 0.001
    assert call(door, per_s).code != 10006


def test_a_refused_request_counts_against_the_limit_too() -> None:
    door = Door()
    for _ in range(10):
        door.order(qty="0.001")
    for _ in range(20):
        door.wait(0.1)
        codes = [door.order(qty="0.001").code for _ in range(10)]
        assert 10006 in codes
    door.wait(1.0)
    assert door.order(qty="0.001").code == 0


def test_too_many_requests_ban_the_address() -> None:
    door = Door()
    for _ in range(600):
        assert door.get("/v5/market/time").status == 200
        door.wait(0.001)
    assert door.get("/v5/market/time").status == 403
    door.wait(60)
    assert door.get(INFO).status == 403
    door.wait(530)
    assert door.get(INFO).status == 403
    door.wait(11)
    assert door.get(INFO).status == 200
    assert door.facade.counts().over_limit == 3


def test_six_hundred_in_five_seconds_are_allowed() -> None:
    door = Door()
    for _ in range(1800):
        assert door.get("/v5/market/time").status == 200
        door.wait(5 / 600 + 1e-9)


def test_counts() -> None:
    door = Door()
    door.get("/v5/market/time")
    door.order()
    door.order()
    door.get("/v5/nothing")
    door.get("/v5/nothing/else")
    counts = door.facade.counts()
    assert (counts.total, counts.over_limit) == (5, 0)
    assert counts.by_endpoint == {"GET /v5/market/time": 1, "POST /v5/order/create": 2, "unknown": 2}


@pytest.mark.parametrize(
    ("endpoint", "match"),
    [
        ("POST /v5/order/create", Match.ORDER_CREATE),
        ("GET /v5/order/realtime", Match.ORDER_QUERY),
        ("GET /v5/order/history", Match.ORDER_QUERY),
        ("GET /v5/execution/list", Match.ORDER_QUERY),
        ("GET /v5/position/list", Match.POSITIONS),
        ("GET /v5/account/wallet-balance", Match.EQUITY),
        ("GET /v5/market/tickers", Match.PRICES),
        ("GET /v5/market/orderbook", Match.PRICES),
        ("GET /v5/market/instruments-info", Match.INSTRUMENTS),
        ("POST /v5/position/set-leverage", Match.LEVERAGE),
        ("POST /v5/account/set-margin-mode", Match.MARGIN_MODE),
        ("POST /v5/order/cancel", Match.OTHER),
        ("GET /v5/market/time", Match.OTHER),
        ("GET /v5/nothing", Match.OTHER),
    ],
)
def test_what_a_request_is_about(endpoint: str, match: Match) -> None:
    door = Door()
    method, path = endpoint.split()
    call = door.facade.classify(Request(method, f"http://h{path}?symbol=BTCUSDT", door.headers("")))
    public = "/market/" in path or "nothing" in path
    assert (call.match, call.endpoint, call.account) == (match, endpoint, None if public else "main")
    assert door.facade.counts().total == 0


@pytest.mark.parametrize(
    ("code", "status", "ret_code", "message"),
    [
        ("10016", 200, 10016, "Server error."),
        ("110007", 200, 110007, "ab not enough for new order"),
        ("-2015", 200, -2015, "error -2015"),
        ("403", 403, None, ""),
        ("nonsense", 200, 10001, "Request parameter error"),
    ],
)
def test_refusals_on_demand(code: str, status: int, ret_code: int | None, message: str) -> None:
    door = Door()
    request = Request("POST", "http://h/v5/order/create", door.headers("{}"), b"{}")
    answer = Answer.of(door.facade.reject(request, code))
    assert (answer.status, answer.code, answer.message) == (status, ret_code, message)
    assert door.facade.counts().by_endpoint == {"POST /v5/order/create": 1}
    assert door.exchange.orders("main") == ()


@given(
    method=st.sampled_from(["GET", "POST", "PUT", ""]),
    path=st.one_of(st.sampled_from([endpoint.split()[1] for endpoint in ROUTES]), st.text(max_size=20)),
    query=st.text(max_size=60),
    body=st.binary(max_size=80),
    sign=st.booleans(),
)
def test_nothing_a_client_sends_breaks_the_venue(method: str, path: str, query: str, body: bytes, sign: bool) -> None:
    door = Door()
    raw = query if method == "GET" else body.decode("latin-1")
    headers = door.headers(raw) if sign else {"x-bapi-api-key": raw, "x-bapi-sign": raw, "x-bapi-timestamp": raw}
    request = Request(method, f"http://127.0.0.1{path}?{query}", headers, b"" if method == "GET" else body)
    door.facade.classify(request)
    assert door.facade.handle(request).status in (200, 400, 401, 403, 404)
