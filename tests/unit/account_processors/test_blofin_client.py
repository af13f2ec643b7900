"""The BloFin client over a scripted transport: ccxt as the signer, pages, secrets, and what of ccxt is not used."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ccxt
import pytest

from account_processors.blofin_client import MAX_PAGES, BloFinClient, pages, read
from account_processors.blofin_processor import BloFinProcessor
from account_processors.shared import VenueShared
from account_processors.wiring import Wiring
from core.clock import VirtualClock
from core.domain import AccountId, ClientId, Cost, MarginMode, OrderKind, OrderStatus, PlaceOrder, Side, Symbol
from core.domain import TimeInForce as Tif
from core.errors import Denied, Unavailable
from core.ports import Request, Response, Stream, StreamRequest
from tests.unit.account_processors.blofin_golden import GOLDEN
from tests.unit.account_processors.virtual import virtual

KEY, SECRET, PHRASE = "canary-key", "canary-secret", "canary-phrase"
BTC = Symbol("BTCUSDT")
ORDER = PlaceOrder(
    BTC, Side.BUY, Decimal("12.3"), OrderKind.MARKET, None, Tif.IOC, False, None, MarginMode.CROSS
)  # fmt: skip
MINE = ClientId("0123456789abcdef0123456789abcdef")


def in_virtual_time(scenario: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """The scenario as a test."""

    def test() -> None:
        virtual(scenario)

    return test


class NoChance:
    """This adapter draws nothing."""

    def bytes(self, n: int) -> bytes:
        raise AssertionError

    def uniform(self, low: float, high: float) -> float:
        raise AssertionError


@dataclass
class Script:
    """A transport that answers by a function of the request's path and query: the text, or a golden payload's name."""

    reply: Callable[[str, dict[str, str]], str]
    sent: list[Request] = field(default_factory=list)
    status: int = 200

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        parts = urlsplit(request.url)
        text = self.reply(parts.path.removeprefix("/api/v1/"), dict(parse_qsl(parts.query)))
        body = (GOLDEN / f"{text}.json").read_bytes() if text.isidentifier() else text.encode()
        return Response(self.status, {}, body)

    async def connect(self, request: StreamRequest) -> Stream:
        raise AssertionError

    async def close(self) -> None:
        return None


def client_of(script: Script, clock: VirtualClock) -> BloFinClient:
    wiring = Wiring("blofin-main", "https://venue.test", script, clock, VenueShared(clock), 5.0)
    return BloFinClient(wiring, KEY, SECRET, PHRASE)


def processor_of(script: Script, clock: VirtualClock) -> BloFinProcessor:
    keys = {"api_key": KEY, "api_secret": SECRET, "api_passphrase": PHRASE}
    account = AccountId("blofin-main")
    return BloFinProcessor(account, keys, script, clock, NoChance(), "https://venue.test", None, VenueShared(clock))


@in_virtual_time
async def test_requests_are_signed_as_ccxt_and_the_documentation_do(clock: VirtualClock) -> None:
    script = Script(lambda path, query: "nothing_listed")
    client = client_of(script, clock)
    await client.call("privateGetTradeOrdersHistory", {"instId": "BTC-USDT", "limit": "100"})
    await client.call("privatePostTradeOrder", {"instId": "BTC-USDT", "size": "0.1"})
    original = ccxt.blofin({"apiKey": KEY, "secret": SECRET, "password": PHRASE})
    original.urls["api"] = {"rest": "https://venue.test"}
    for request, path, query in (
        (script.sent[0], "trade/orders-history", {"instId": "BTC-USDT", "limit": "100"}),
        (script.sent[1], "trade/order", {"instId": "BTC-USDT", "size": "0.1"}),
    ):
        stamp = request.headers["ACCESS-TIMESTAMP"]
        original.milliseconds = lambda stamp=stamp: int(stamp)
        expected = original.sign(path, ["private"], request.method, query)
        assert (request.url, dict(request.headers)) == (expected["url"], expected["headers"])
        assert request.body.decode() == (expected["body"] or "")
        where = request.url.removeprefix("https://venue.test")
        text = f"{where}{request.method}{stamp}{request.headers['ACCESS-NONCE']}".encode() + request.body
        digest = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest().encode()
        assert request.headers["ACCESS-SIGN"] == base64.b64encode(digest).decode()


@in_virtual_time
async def test_public_requests_are_not_signed_and_use_up_no_nonce(clock: VirtualClock) -> None:
    script = Script(lambda path, query: "mark_prices" if "market" in path else "nothing_listed")
    client = client_of(script, clock)
    for _ in range(3):
        await client.call("publicGetMarketMarkPrice")
    assert all(dict(request.headers) == {} for request in script.sent)
    assert client.venue_clock.offset_s == pytest.approx(1_790_000_010.5 - clock.time())
    await client.call("privateGetAccountPositions")
    assert script.sent[-1].headers["ACCESS-NONCE"] == "1790000010500"


@in_virtual_time
async def test_no_nonce_is_used_again_when_the_venues_clock_is_set_back(clock: VirtualClock) -> None:
    client = client_of(Script(lambda path, query: "nothing_listed"), clock)
    client.venue_clock.learn(clock.time() + 5.0, clock.monotonic(), clock.monotonic())
    before = [client.stamp_ms() for _ in range(3)]
    client.venue_clock.learn(clock.time(), clock.monotonic(), clock.monotonic())
    assert client.stamp_ms() < before[0]
    await asyncio.sleep(5.0)
    after = [client.stamp_ms() for _ in range(3)]
    assert after == [before[-1] + number for number in (1, 2, 3)]


def test_ccxt_opens_no_session_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario(clock: VirtualClock) -> None:
        client = client_of(Script(lambda path, query: "nothing_listed"), clock)
        signer = client._signing
        await client.call("privateGetAccountPositions")
        assert signer._sdk.session is None
        assert signer._sdk.enableRateLimit is False
        assert [record for record in caplog.records if record.name != "asyncio"] == []
        for shown in (repr(signer), repr(client), str(client)):
            assert "canary" not in shown

    virtual(scenario)


@in_virtual_time
async def test_no_secret_comes_back_in_an_answer(clock: VirtualClock) -> None:
    text = json.dumps({"code": "152401", "msg": f"{KEY} {SECRET} {PHRASE} is unknown"})
    client = client_of(Script(lambda path, query: text), clock)
    with pytest.raises(Denied) as caught:
        await read(client.call("privateGetAccountPositions"))
    assert "canary" not in str(caught.value)
    assert "***" in str(caught.value)


def listing(ids: Sequence[int]) -> str:
    return json.dumps({"code": "0", "data": [{"orderId": str(number)} for number in ids]})


@in_virtual_time
async def test_pages_are_followed_by_the_last_id_until_a_short_one(clock: VirtualClock) -> None:
    def reply(path: str, query: dict[str, str]) -> str:
        # A venue that serves at most 30 rows, whatever is asked for.
        newest = int(query.get("after", 101)) - 1
        return listing(range(newest, max(newest - 30, 0), -1))

    script = Script(reply)
    found = await pages(client_of(script, clock).call, "privateGetTradeOrdersHistory", {"instId": "X"}, "orderId")
    assert [len(page["data"]) for page in found] == [30, 30, 30, 10]
    assert all("limit=100" in request.url and "instId=X" in request.url for request in script.sent)


@in_virtual_time
async def test_pages_that_circle_or_never_end_are_unread(clock: VirtualClock) -> None:
    same = Script(lambda path, query: listing(range(50, 20, -1)))
    with pytest.raises(Unavailable, match="do not end"):
        await pages(client_of(same, clock).call, "privateGetTradeOrdersPending", {}, "orderId")
    assert len(same.sent) == 2


@in_virtual_time
async def test_a_page_that_fails_fails_the_list(clock: VirtualClock) -> None:
    script = Script(lambda path, query: '{"code":"500"}' if "after" in query else listing(range(50, 20, -1)))
    with pytest.raises(Unavailable):
        await pages(client_of(script, clock).call, "privateGetTradeOrdersHistory", {}, "orderId")
    nameless = Script(lambda path, query: json.dumps({"code": "0", "data": [{}] * 30}))
    with pytest.raises(Unavailable):
        await pages(client_of(nameless, clock).call, "privateGetTradeOrdersHistory", {}, "orderId")


def test_there_is_an_end_to_pages() -> None:
    assert MAX_PAGES == 100


# --- what only lists that disagree can show ---------------------------------------------------------------------------


@in_virtual_time
async def test_an_order_that_only_its_executions_show_is_not_final(clock: VirtualClock) -> None:
    """Acknowledged, in no list of orders, and yet executed: more may come, so the engine goes on asking."""
    replies = {"market/instruments": "instruments", "trade/order": "order_ack", "trade/order-detail": "order_absent"}

    def reply(path: str, query: dict[str, str]) -> str:
        if path == "trade/fills-history":
            row = json.loads((GOLDEN / "fills.json").read_text())["data"][1] | {"orderId": query["orderId"]}
            return json.dumps({"code": "0", "data": [row]})
        return replies.get(path, "nothing_listed")

    processor = processor_of(Script(reply), clock)
    permit = await processor.permit(Cost(reduction=False))
    assert (await processor.place(ORDER, MINE, permit)).order_id == "28150801"
    found = await processor.find(BTC, MINE)
    assert found is not None
    assert (found.status, found.filled) == (OrderStatus.OPEN, Decimal("1.2"))


@in_virtual_time
async def test_a_young_execution_without_an_order_is_not_taken_for_somebody_elses(clock: VirtualClock) -> None:
    stamp_ms = 0

    def reply(path: str, query: dict[str, str]) -> str:
        if path == "trade/fills-history":
            row = json.loads((GOLDEN / "fills.json").read_text())["data"][1] | {"ts": str(stamp_ms)}
            return json.dumps({"code": "0", "data": [row]})
        return {"market/instruments": "instruments", "trade/order-detail": "order_absent"}.get(path, "nothing_listed")

    processor = processor_of(Script(reply), clock)
    stamp_ms = int((clock.time() - 3) * 1000)
    with pytest.raises(Unavailable, match="not yet"):
        await processor.history(clock.time() - 60)
    stamp_ms = int((clock.time() - 30) * 1000)
    (fill,) = (await processor.history(clock.time() - 60)).fills
    assert fill.client_id is None
