"""The MEXC client over a scripted transport: ccxt as the signer and nothing else of it, secrets, pages."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ccxt
import pytest

from account_processors.mexc_client import CREATE, MAX_PAGES, MexcClient, pages, read
from account_processors.shared import VenueShared
from account_processors.wiring import Wiring
from core.clock import VirtualClock
from core.domain import AccountId
from core.errors import Denied, Unavailable
from core.ports import Request, Response, Stream, StreamRequest
from tests.unit.account_processors.virtual import virtual

KEY, SECRET = "canary-key", "canary-secret"
HISTORY = "contractPrivateGetOrderListHistoryOrders"
BODY = {"symbol": "BTC_USDT", "vol": Decimal(10), "price": Decimal("50000.10"), "reduceOnly": False}


@dataclass
class Script:
    """A transport that answers by a function of the request's path and query; the venue's time it tells itself."""

    clock: VirtualClock
    reply: Callable[[str, dict[str, str]], object]
    sent: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        parts = urlsplit(request.url)
        if parts.path.endswith("/ping"):
            return answered({"success": True, "code": 0, "data": round(self.clock.time() * 1000)})
        self.sent.append(request)
        said = self.reply(parts.path.removeprefix("/api/v1/"), dict(parse_qsl(parts.query)))
        return said if isinstance(said, Response) else answered(said)

    async def connect(self, request: StreamRequest) -> Stream:
        raise AssertionError

    async def close(self) -> None:
        return None


def answered(body: object) -> Response:
    return Response(200, {}, json.dumps(body).encode())


def good(data: object) -> object:
    return {"success": True, "code": 0, "data": data}


def made(clock: VirtualClock, reply: Callable[[str, dict[str, str]], object]) -> tuple[MexcClient, Script]:
    script = Script(clock, reply)
    wiring = Wiring(AccountId("mexc-main"), "https://mexc.test", script, clock, VenueShared(clock), 5.0)
    return MexcClient(wiring, KEY, SECRET), script


def sealed(stamp: str, signed: str) -> str:
    return hmac.new(SECRET.encode(), f"{KEY}{stamp}{signed}".encode(), hashlib.sha256).hexdigest()


def test_a_request_is_signed_as_the_unmodified_exchange_class_signs_it() -> None:
    async def scenario(clock: VirtualClock) -> None:
        client, script = made(clock, lambda path, query: good([]))
        await client.call(HISTORY, {"states": "3,4", "page_num": 1, "symbol": "BTC_USDT"})
        await client.call(CREATE, BODY)
        theirs = ccxt.mexc({"apiKey": KEY, "secret": SECRET, "session": object()})
        theirs.session = None
        for request in script.sent:
            stamp = request.headers["Request-Time"]
            theirs.milliseconds = lambda stamp=stamp: int(stamp)
            params = json.loads(request.body) if request.body else dict(parse_qsl(urlsplit(request.url).query))
            path = urlsplit(request.url).path.removeprefix("/api/v1/private/")
            expected = theirs.sign(path, ["contract", "private"], request.method, params)
            assert sorted({**request.headers, "source": "CCXT"}) == sorted(expected["headers"])
            if not request.body:  # its body rounds, so its seal is of another text
                assert request.headers["Signature"] == expected["headers"]["Signature"]
                assert urlsplit(request.url).query == urlsplit(expected["url"]).query

    virtual(scenario)


def test_a_body_is_sealed_byte_for_byte_and_its_figures_are_exact() -> None:
    async def scenario(clock: VirtualClock) -> None:
        client, script = made(clock, lambda path, query: good({"orderId": "1"}))
        exact = {**BODY, "price": Decimal("0.00000000012345678901234567890")}
        await client.call(CREATE, exact, 1_790_000_000_123)
        (request,) = script.sent
        assert request.body == (
            b'{"symbol":"BTC_USDT","vol":10,"price":0.0000000001234567890123456789,"reduceOnly":false}'
        )
        assert request.headers["Request-Time"] == "1790000000123"
        assert request.headers["Signature"] == sealed("1790000000123", request.body.decode())

    virtual(scenario)


def test_public_requests_are_not_signed() -> None:
    async def scenario(clock: VirtualClock) -> None:
        client, script = made(clock, lambda path, query: good([]))
        await client.call("contractPublicGetTicker", {"symbol": "BTC_USDT"})
        (request,) = script.sent
        assert request.headers == {}
        assert request.url == "https://mexc.test/api/v1/contract/ticker?symbol=BTC_USDT"

    virtual(scenario)


def test_no_session_is_opened_and_nothing_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(clock: VirtualClock) -> None:
        client, script = made(clock, lambda path, query: {"success": False, "code": 510, "message": "slow"})
        answer = await client.call("contractPrivateGetAccountAssets")
        assert (len(script.sent), answer.payload) == (1, {"success": False, "code": 510, "message": "slow"})

    def opened(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("requests.Session.request", opened)
    virtual(scenario)


@pytest.mark.parametrize("status", [200, 401, 500])
def test_secrets_are_in_no_words(status: int) -> None:
    async def scenario(clock: VirtualClock) -> None:
        echo = json.dumps({"success": False, "code": 602, "message": f"bad {SECRET} of {KEY}"}).encode()
        client, _ = made(clock, lambda path, query: Response(status, {}, echo))
        with pytest.raises((Denied, Unavailable)) as caught:
            await read(client.call("contractPrivateGetAccountAssets"))
        shown = "".join(traceback.format_exception(caught.value))
        assert "canary" not in f"{shown} {client!r}"
        assert "canary" not in client.clean(f"{SECRET} {KEY}".encode()).decode()

    virtual(scenario)


def test_stamps_are_sent_in_the_order_they_were_given_and_never_twice() -> None:
    async def scenario(clock: VirtualClock) -> None:
        client, script = made(clock, lambda path, query: good([]))
        calls = (client.call("contractPrivateGetAccountAssets") for _ in range(10))
        await asyncio.gather(*calls)
        stamps = [int(request.headers["Request-Time"]) for request in script.sent]
        assert stamps == sorted(set(stamps))

    virtual(scenario)


# --- pages ------------------------------------------------------------------------------------------------------------


def rows(count: int, first: int = 0) -> list[dict[str, int]]:
    return [{"n": number} for number in range(first, first + count)]


def listing(total: int, size: int, framed: bool) -> Callable[[str, dict[str, str]], object]:
    def reply(path: str, query: dict[str, str]) -> object:
        number = int(query["page_num"])
        page = rows(total)[(number - 1) * size : number * size]
        frame = {"totalCount": total, "totalPage": -(-total // size), "resultList": page}
        return good(frame if framed else page)

    return reply


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("total", [0, 1, 19, 20, 99, 100, 101, 250])
def test_every_row_is_read(total: int, framed: bool) -> None:
    async def scenario(clock: VirtualClock) -> None:
        client, _ = made(clock, listing(total, 100, framed))
        assert await pages(client.call, HISTORY, {}, 100) == rows(total)

    virtual(scenario)


@pytest.mark.parametrize("size", [20, 50])
def test_pages_may_be_shorter_than_asked_for(size: int) -> None:
    """How many rows a page holds at most is documented for some lists only."""

    async def scenario(clock: VirtualClock) -> None:
        client, _ = made(clock, listing(110, size, False))
        assert await pages(client.call, HISTORY, {}, 100) == rows(110)

    virtual(scenario)


SHRINKING: list[tuple[str, Callable[[int], object]]] = [
    ("shrank", lambda number: {"totalCount": 300 - number, "totalPage": 3, "resultList": rows(100)}),
    ("empty", lambda number: {"totalCount": 300, "totalPage": 3, "resultList": rows(100) if number == 1 else []}),
    ("do not end", lambda number: {"totalCount": 10**6, "totalPage": 10**4, "resultList": rows(100)}),
    ("do not end", lambda number: rows(100, number)),
]


@pytest.mark.parametrize(("why", "data"), SHRINKING)
def test_a_list_that_is_not_all_there_counts_as_unread(why: str, data: Callable[[int], object]) -> None:
    async def scenario(clock: VirtualClock) -> None:
        client, script = made(clock, lambda path, query: good(data(int(query["page_num"]))))

        async def patient(endpoint: str, query: Any) -> Any:
            await asyncio.sleep(0.2)
            return await client.call(endpoint, query)

        with pytest.raises(Unavailable, match=why):
            await pages(patient, HISTORY, {}, 100)
        assert len(script.sent) <= MAX_PAGES

    virtual(scenario)
