"""The simulated BloFin at its door: headers, signature, nonce, time, rights, limits, and what it makes of bodies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from core.ports import Request, StreamRequest
from simulator.admin import Admin
from simulator.exchange import Exchange
from simulator.facades import Match, VenueKind
from simulator.facades.blofin import RULES, VENUE, BloFinFacade
from simulator.facades.blofin.facade import ROUTES
from simulator.world import build_world
from tests.contract.bybit_door import HandClock

BTC = "BTC-USDT"
ORDER = {
    "instId": BTC, "marginMode": "cross", "positionSide": "net", "side": "buy", "orderType": "market", "size": "12",
}  # fmt: skip


@dataclass
class Door:
    """The account `main` at the venue's door. Every request has a nonce of its own unless one is given."""

    kind: VenueKind = VENUE
    clock: HandClock = field(default_factory=HandClock)
    sent: int = 0

    def __post_init__(self) -> None:
        self.world = build_world(self.clock, kinds=[self.kind], accounts={"blofin": 2})
        self.exchange: Exchange = self.world.venues["blofin"].exchange
        self.facade = self.world.venues["blofin"].facade
        self.admin = Admin(self.world)
        self.admin.price({"symbol": "BTCUSDT", "price": "50000"})

    def headers(self, path: str, method: str, body: bytes, changed: Mapping[str, str | None]) -> dict[str, str]:
        self.sent += 1
        keys = self.facade.credentials("main")
        given: dict[str, str | None] = {
            "access-key": keys["api_key"],
            "access-timestamp": str(round(self.clock.time() * 1000)),
            "access-nonce": f"nonce-{self.sent}",
            "access-passphrase": keys["api_passphrase"],
            **changed,
        }
        text = f"{path}{method}{given['access-timestamp']}{given['access-nonce']}".encode() + body
        digest = hmac.new(keys["api_secret"].encode(), text, hashlib.sha256).hexdigest()
        signed = {"access-sign": base64.b64encode(digest.encode()).decode(), **given}
        return {name: value for name, value in signed.items() if value is not None}

    def ask(self, method: str, path: str, body: bytes = b"", **changed: str | None) -> Any:
        """The answer's JSON object, with the HTTP status as `status`."""
        names = {f"access-{name}": value for name, value in changed.items()}
        request = Request(method, f"http://blofin.sim{path}", self.headers(path, method, body, names), body)
        response = self.facade.handle(request)
        return {"status": response.status, **json.loads(response.body)}

    def get(self, path: str, **params: str) -> Any:
        return self.ask("GET", f"/api/v1/{path}?{urlencode(params)}" if params else f"/api/v1/{path}")

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        return self.ask("POST", f"/api/v1/{path}", json.dumps(body).encode())

    def order(self, **changed: object) -> Any:
        return self.post("trade/order", {**ORDER, **changed})

    def position(self) -> Decimal:
        return self.exchange.state.accounts["main"].net(self.exchange.listing("BTCUSDT").symbol)


POSITIONS = "/api/v1/account/positions"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "0"),
        ({"key": None}, "152001"),
        ({"sign": None}, "152001"),
        ({"nonce": None}, "152001"),
        ({"key": "nobody"}, "152401"),
        ({"passphrase": "wrong"}, "152408"),
        ({"sign": "d3Jvbmc="}, "152409"),
        ({"sign": "é"}, "152409"),
        ({"timestamp": "soon"}, "152410"),
        ({"timestamp": "1790000010"}, "152410"),
    ],
)
def test_headers(changed: dict[str, str | None], code: str) -> None:
    answer = Door().ask("GET", POSITIONS, b"", **changed)
    assert (answer["status"], answer["code"]) == (200, code)


def test_the_signature_is_the_base64_of_the_hex_digest() -> None:
    door = Door()
    headers = door.headers(POSITIONS, "GET", b"", {})
    raw = base64.b64encode(bytes.fromhex(base64.b64decode(headers["access-sign"]).decode())).decode()
    assert door.ask("GET", POSITIONS, b"", sign=raw)["code"] == "152409"


@pytest.mark.parametrize(
    ("path", "body"), [(f"{POSITIONS}?instId=ETH-USDT", b""), (POSITIONS, b"{}"), ("/api/v1/account/balance", b"")]
)
def test_everything_that_is_sent_is_signed(path: str, body: bytes) -> None:
    door = Door()
    headers = door.headers(POSITIONS, "GET", b"", {})
    answer = door.facade.handle(Request("GET", f"http://blofin.sim{path}", headers, body))
    assert json.loads(answer.body)["code"] == "152409"


@pytest.mark.parametrize(("skew_ms", "code"), [(0, "0"), (-60_000, "0"), (-60_001, "152405"), (60_001, "152405")])
def test_a_timestamp_may_be_a_minute_off(skew_ms: int, code: str) -> None:
    door = Door()
    stamp = str(round(door.clock.time() * 1000) + skew_ms)
    assert door.ask("GET", POSITIONS, b"", timestamp=stamp)["code"] == code


def test_a_nonce_serves_once_a_minute_and_a_refused_request_uses_none() -> None:
    door = Door()
    assert door.ask("GET", POSITIONS, b"", nonce="n", sign="wrong")["code"] == "152409"
    assert door.ask("GET", POSITIONS, b"", nonce="n")["code"] == "0"
    assert door.ask("GET", POSITIONS, b"", nonce="n")["code"] == "152407"
    door.clock.now += 60.0
    assert door.ask("GET", POSITIONS, b"", nonce="n")["code"] == "0"


def test_a_key_bound_to_another_address_is_refused() -> None:
    elsewhere = {"main": frozenset({"192.0.2.7"})}
    door = Door(VenueKind("blofin", RULES, lambda exchange: BloFinFacade(exchange, addresses=elsewhere)))
    assert door.get("account/positions")["code"] == "152406"


def test_paths_methods_and_bodies_nobody_serves() -> None:
    door = Door()
    assert door.get("account/nothing")["code"] == "404"
    assert door.ask("POST", POSITIONS)["code"] == "405"
    for body in (b"[]", b"{", b'{"a":NaN}', b'{"a":1,"a":2}'):
        assert door.ask("POST", "/api/v1/trade/order", body)["code"] == "152004"
    assert door.facade.session(StreamRequest("ws://blofin.sim/ws/copytrading/private")).status == 404  # type: ignore[union-attr]  # refused


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"brokerId": "ec6dd3a7dd982d0b"}, "152011"),
        ({"brokerId": None}, "0"),
        ({"instId": "NO-USDT"}, "152014"),
        ({"instId": ""}, "152001"),
        ({"size": "0"}, "152002"),
        ({"size": "0.05"}, "152002"),
        ({"size": "-1"}, "152002"),
        ({"size": True}, "152002"),
        ({"size": ""}, "152001"),
        ({"orderType": "post_only"}, "152002"),
        ({"orderType": "limit"}, "152001"),
        ({"orderType": "ioc", "price": "50000.3"}, "152002"),
        ({"side": "long"}, "152002"),
        ({"positionSide": "long"}, "102089"),
        ({"marginMode": "isolated"}, "152002"),
        ({"tpTriggerPrice": "51000"}, "152002"),
        ({"clientOrderId": "a-b"}, "152009"),
        ({"size": "2000000"}, "102015"),
        ({"orderType": "ioc", "price": "50500", "size": "200000000"}, "102014"),
        ({"orderType": "ioc", "price": "51500"}, "102064"),
        ({"orderType": "ioc", "price": "48500", "side": "sell"}, "102065"),
        ({"reduceOnly": "true"}, "102022"),
        ({"size": "900000"}, "103003"),
    ],
)
def test_orders_are_refused_with_the_venues_codes(changed: dict[str, object], code: str) -> None:
    door = Door()
    answer = door.order(**changed)
    inner = (answer.get("data") or [{}])[0].get("code", "0")
    assert (answer["status"], inner if answer["code"] == "1" else answer["code"]) == (200, code)
    assert (door.position() != 0) == (code == "0")


def test_a_flag_that_is_no_text_is_not_heeded() -> None:
    """The worst an undocumented type can mean: the order opens."""
    door = Door()
    assert door.order(reduceOnly=True, side="sell")["code"] == "0"
    assert door.position() == -12


def test_a_read_only_key_reads_and_sends_nothing() -> None:
    door = Door()
    door.admin.account({"venue": "blofin", "account": "main", "can_trade": False})
    assert door.get("account/positions")["code"] == "0"
    assert door.get("user/query-apikey")["data"]["readOnly"] == 1
    assert door.order()["code"] == "152404"


def test_thirty_trading_requests_in_ten_seconds_and_no_more() -> None:
    door = Door()
    codes = [door.get("account/positions")["status"] for _ in range(31)]
    assert codes == [200] * 30 + [429]
    assert door.get("user/query-apikey")["status"] == 200  # not a trading endpoint
    door.clock.now += 10.0
    assert door.get("account/positions")["status"] == 200
    assert door.facade.counts().over_limit == 1


@pytest.mark.parametrize(
    ("burst", "every_s", "suspended_s"), [(501, 0.0, 300.0), (1501, 0.18, 3600.0)], ids=["minute", "five minutes"]
)
def test_an_address_that_asks_too_much_is_suspended(burst: int, every_s: float, suspended_s: float) -> None:
    door = Door()
    statuses = []
    for _ in range(burst):
        statuses.append(door.get("market/books", instId=BTC)["status"])
        door.clock.now += every_s
    assert statuses == [200] * (burst - 1) + [429]
    began = door.clock.now - every_s
    door.clock.now = began + suspended_s - 1
    assert door.get("market/books", instId=BTC)["status"] == 429
    door.clock.now = began + suspended_s
    assert door.get("market/books", instId=BTC)["status"] == 200


def test_requests_are_classified_and_counted() -> None:
    door = Door()
    for endpoint, route in ROUTES.items():
        method, path = endpoint.split(" ")
        request = Request(
            method, f"http://blofin.sim{path}?a=b", {"access-key": door.facade.credentials("main")["api_key"]}
        )
        call = door.facade.classify(request)
        assert (call.match, call.endpoint) == (route.match, endpoint)
        assert call.account == (None if "/market/" in path else "main")
    assert door.facade.classify(Request("GET", "http://[", {})).match is Match.OTHER
    door.get("market/tickers")
    door.get("nothing/here")
    counts = door.facade.counts()
    assert (counts.total, counts.by_endpoint) == (2, {"GET /api/v1/market/tickers": 1, "unknown": 1})


# --- shapes -----------------------------------------------------------------------------------------------------------


def test_lists_are_paged_by_their_ids() -> None:
    door = Door()
    for number in range(7):
        door.order(clientOrderId=f"id{number}", size="1")
    ids = [row["orderId"] for row in door.get("trade/orders-history")["data"]]
    assert len(ids) == 7
    assert ids == sorted(ids, reverse=True)
    page = door.get("trade/orders-history", limit="3")["data"]
    following = door.get("trade/orders-history", limit="3", after=page[-1]["orderId"])["data"]
    newer = door.get("trade/orders-history", before=following[0]["orderId"])["data"]
    assert [row["orderId"] for row in page + following] == ids[:6]
    assert [row["orderId"] for row in newer] == ids[:3]
    assert door.get("trade/orders-history", after=ids[-1])["data"] == []
    assert door.get("trade/orders-history", after=ids[0], before=ids[1])["code"] == "152002"
    assert door.get("trade/fills-history", orderId=ids[2])["data"][0]["orderId"] == ids[2]
    assert door.get("trade/orders-history", limit="101")["code"] == "152002"
