"""KuCoin's client: requests, signatures against the SDK's own, weights, secrets, time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from kucoin_futures.base_request import base_request
from kucoin_futures.client import Trade

from account_processors.budget import Priority
from account_processors.kucoin_client import HEAVIEST, KucoinClient, weight_of
from account_processors.shared import VenueShared
from account_processors.wiring import Wiring
from core.clock import VirtualClock, VirtualLoop, run_virtual
from core.errors import Lost, Unavailable
from core.ports import Request, Response, Stream, StreamRequest

START = 1_790_000_010.0
KEY, SECRET, PHRASE = "canary-key", "canary-secret", "canary-phrase"
OK = b'{"code":"200000","data":{"orderId":"1","clientOid":"a"}}'


@dataclass
class Wire:
    """A transport that answers everything: the time with ours, the rest with `body`."""

    clock: VirtualClock
    body: bytes = OK
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    sent: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        if request.url.endswith("/timestamp"):
            if self.broken:
                raise Lost("reset")
            return Response(200, {}, json.dumps({"code": "200000", "data": int(self.clock.time() * 1000)}).encode())
        self.sent.append(request)
        return Response(self.status, self.headers, self.body, self.clock.time())

    async def connect(self, request: StreamRequest) -> Stream:
        raise AssertionError("no stream is opened")

    async def close(self) -> None:
        return


def run(scenario: Callable[[KucoinClient, Wire], Any]) -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop, START)

    async def main() -> None:
        wire = Wire(clock)
        wiring = Wiring("kucoin-main", "https://venue.example", wire, clock, VenueShared(clock), 5.0)
        await scenario(KucoinClient(wiring, KEY, SECRET, PHRASE), wire)

    run_virtual(main(), loop)


class Session:
    """Stands where the SDK keeps its `requests.Session`, and only looks."""

    def __init__(self) -> None:
        self.seen: tuple[str, str, dict[str, Any], str] | None = None

    def request(self, method: str, url: str, headers: dict[str, Any], data: str = "", timeout: int = 5) -> Any:
        self.seen = (method, url, headers, data)

        class Answered:
            status_code = 200

            def json(self) -> dict[str, Any]:
                return {"code": "200000", "data": {"x": 1}}

        return Answered()


CALLS: list[Callable[[Any], Any]] = [
    lambda sdk: sdk.get_all_position(),
    lambda sdk: sdk.get_order_list(currentPage=2, status="done", symbol="XBTUSDTM"),
    lambda sdk: sdk.get_fills_details(orderId="123"),
    lambda sdk: sdk.cancel_order_by_clientOid("abc-1", "XBTUSDTM"),
    lambda sdk: sdk.change_margin_mode("XBTUSDTM", "CROSS"),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_the_signature_is_the_sdks_own(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_request.time, "time", lambda: START)
    original, session = Trade(KEY, SECRET, PHRASE, url="https://venue.example"), Session()
    original.session = session
    CALLS[number](original)
    assert session.seen is not None
    method, url, headers, data = session.seen

    async def scenario(client: KucoinClient, wire: Wire) -> None:
        await CALLS[number](client)
        (ours,) = wire.sent
        assert ours.method == method
        theirs = urlsplit(url)
        assert urlsplit(ours.url)[:3] == theirs[:3]
        assert sorted(urlsplit(ours.url).query.split("&")) == sorted(theirs.query.split("&"))
        assert json.loads(ours.body or b"{}") == json.loads(data or "{}")
        assert ours.headers["KC-API-PASSPHRASE"] == headers["KC-API-PASSPHRASE"].decode()
        assert ours.headers["KC-API-TIMESTAMP"] == headers["KC-API-TIMESTAMP"]
        if not ours.body:  # of a body the SDK signs another spelling of the same JSON
            assert ours.headers["KC-API-SIGN"] == headers["KC-API-SIGN"].decode()

    run(scenario)


def test_an_order_is_one_request_and_absent_fields_stay_absent() -> None:
    async def scenario(client: KucoinClient, wire: Wire) -> None:
        await client.create_market_order("XBTUSDTM", "sell", None, "abc", size=3, reduceOnly=True)
        (sent,) = wire.sent
        body = {
            "symbol": "XBTUSDTM",
            "side": "sell",
            "type": "market",
            "clientOid": "abc",
            "size": 3,
            "reduceOnly": True,
        }
        assert json.loads(sent.body) == body
        assert (sent.method, sent.url, sent.deadline_s) == ("POST", "https://venue.example/api/v1/orders", 5.0)
        assert set(sent.headers) == {
            "Content-Type", "KC-API-KEY", "KC-API-SIGN", "KC-API-TIMESTAMP", "KC-API-PASSPHRASE", "KC-API-KEY-VERSION",
        }  # fmt: skip

    run(scenario)


def test_what_reserved_characters_say_is_what_was_signed() -> None:
    async def scenario(client: KucoinClient, wire: Wire) -> None:
        await client.get_order_by_client_oid("a b/c?d&e=ü")
        assert wire.sent[0].url.endswith("/api/v1/orders/byClientOid?clientOid=a+b%2Fc%3Fd%26e%3D%C3%BC")

    run(scenario)


def test_secrets_are_nowhere_to_be_seen() -> None:
    async def scenario(client: KucoinClient, wire: Wire) -> None:
        wire.body = json.dumps({"code": "400003", "msg": f"{KEY} {SECRET} {PHRASE}"}).encode()
        answer = await client.get_all_position()
        assert "canary" not in repr(answer)
        assert "canary" not in repr(client)
        assert all(SECRET not in str(value) and PHRASE not in str(value) for value in wire.sent[0].headers.values())

    run(scenario)


def test_weights() -> None:
    assert weight_of("POST", "/api/v1/orders") == 2
    assert weight_of("GET", "/api/v1/orders/301123456789012345") == 5
    assert weight_of("DELETE", "/api/v1/orders/client-order/abc") == 1
    assert weight_of("GET", "/api/v1/contracts/XBTUSDTM") == 3
    assert weight_of("GET", "/api/v1/something/else") == HEAVIEST


def test_the_time_is_asked_once_and_kept_but_not_for_ever() -> None:
    async def scenario(client: KucoinClient, wire: Wire) -> None:
        await client.get_all_position()
        assert client.venue_clock.offset_s == pytest.approx(0.0, abs=0.01)
        wire.broken = True
        await asyncio.sleep(100)
        await client.get_all_position()
        await asyncio.sleep(15)
        with pytest.raises(Unavailable, match="did not answer"):
            await client.get_all_position()
        wire.broken = False
        await client.get_all_position()

    run(scenario)


@pytest.mark.parametrize("bound", [False, True])
def test_a_refused_time_is_asked_for_again(bound: bool) -> None:
    """Also where the refusal came to an order, which is sent by a copy of the client."""

    async def scenario(client: KucoinClient, wire: Wire) -> None:
        await client.get_all_position()
        wire.body, wire.status = b'{"code":"400002","msg":"Invalid KC-API-TIMESTAMP"}', 400
        lease = await client.room(2, Priority.READ)
        sender = client.signed(int(START * 1000), lease) if bound else client
        await sender.get_all_position()
        wire.broken = True
        with pytest.raises(Unavailable):
            await client.get_all_position()

    run(scenario)


def test_a_limit_closes_the_pool_until_its_reset() -> None:
    async def scenario(client: KucoinClient, wire: Wire) -> None:
        await client.get_all_position()
        wire.body, wire.status = b'{"code":"429000","msg":"Too many requests"}', 429
        wire.headers = {"gw-ratelimit-reset": "12000", "gw-ratelimit-limit": "2000", "gw-ratelimit-remaining": "0"}
        answer = await client.get_all_position()
        assert answer.retry_after_s == 12.0
        with pytest.raises(Unavailable) as caught:
            await client.get_all_position()
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s >= 12.0
        await client.get_contracts_list()  # public requests have a pool of their own

    run(scenario)


def test_the_clock_of_a_copy_is_the_clients_own() -> None:
    async def scenario(client: KucoinClient, wire: Wire) -> None:
        await client.get_all_position()
        lease = await client.room(2, Priority.INCREASE)
        copied = client.signed(1_790_000_011_000, lease)
        await copied.create_market_order("XBTUSDTM", "buy", 3, "abc", size=1)
        assert wire.sent[-1].headers["KC-API-TIMESTAMP"] == "1790000011000"
        assert copied.venue_clock is client.venue_clock

    run(scenario)
