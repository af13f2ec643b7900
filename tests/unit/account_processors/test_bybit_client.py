"""The Bybit adapter over a scripted transport: pages, headers, secrets, and what of pybit is not used."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from account_processors import load
from account_processors.bybit_processor import BybitProcessor
from account_processors.reading import together
from account_processors.shared import VenueShared
from core.clock import VirtualClock
from core.domain import AccountId, ClientId, Cost, MarginMode, OrderKind, PlaceOrder, Side, Symbol, TimeInForce
from core.errors import Denied, Unavailable
from core.ports import Request, Response, Stream, StreamRequest
from tests.unit.account_processors.bybit_golden import GOLDEN
from tests.unit.account_processors.virtual import virtual

D = Decimal
BTC = Symbol("BTCUSDT")
KEY, SECRET = "canary-key", "canary-secret"
ORDER = PlaceOrder(BTC, Side.BUY, D("0.012"), OrderKind.MARKET, None, TimeInForce.IOC, False, None, MarginMode.CROSS)


class NoChance:
    """This adapter draws nothing."""

    def bytes(self, n: int) -> bytes:
        raise AssertionError

    def uniform(self, low: float, high: float) -> float:
        raise AssertionError


class Kept:
    """A secret as the settings hold it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value


Reply = str | tuple[int, Mapping[str, str], str]


@dataclass
class Script:
    """A transport that answers by a function of the request's path and query: a golden name, or a whole answer."""

    reply: Callable[[str, str], Reply]
    sent: list[Request] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        url = urlsplit(request.url)
        reply = self.reply(url.path, url.query)
        if isinstance(reply, str):
            reply = (200, {}, (GOLDEN / f"{reply}.json").read_text())
        status, headers, body = reply
        return Response(status, headers, body.encode())

    async def connect(self, request: StreamRequest) -> Stream:
        raise AssertionError

    async def close(self) -> None:
        return None


def made(clock: VirtualClock, script: Script) -> BybitProcessor:
    credentials = {"api_key": Kept(KEY), "api_secret": Kept(SECRET)}
    account, shared = AccountId("bybit-main"), VenueShared(clock)
    sut = load("bybit")(account, credentials, script, clock, NoChance(), "http://venue.test/", None, shared)
    assert isinstance(sut, BybitProcessor)
    return sut


def listing(rows: Sequence[object], cursor: str = "") -> Reply:
    result = {"list": rows, "nextPageCursor": cursor, "category": "linear"}
    return 200, {}, json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": 1_700_000_000_000})


def row(symbol: str) -> dict[str, object]:
    return {"symbol": symbol, "side": "Buy", "size": "1", "positionIdx": 0, "leverage": "10", "seq": 5, "avgPrice": "1"}


# --- pages ------------------------------------------------------------------------------------------------------------


def pages_of(last: Reply) -> Callable[[str, str], Reply]:
    def reply(path: str, query: str) -> Reply:
        if path != "/v5/position/list":
            return "account_cross"
        if "settleCoin=USDC" in query:
            return listing([])
        if "cursor=" not in query:
            return listing([row("AUSDT")], "A%2C1%2C0")
        return listing([row("BUSDT")], "B%2C1%2C0") if "cursor=A%2C1%2C0" in query else last

    return reply


@pytest.mark.parametrize("last", [listing([row("CUSDT")]), listing([], "C%2C1")])
def test_a_positions_read_follows_the_cursor_to_its_end(last: Reply) -> None:
    async def scenario(clock: VirtualClock) -> None:
        script = Script(pages_of(last))
        read = await made(clock, script).positions()
        assert {"AUSDT", "BUSDT"} <= set(read.by_symbol)
        queries = [urlsplit(one.url).query for one in script.sent if "settleCoin=USDT" in one.url]
        assert [query.partition("cursor=")[2].partition("&")[0] for query in queries] == ["", "A%2C1%2C0", "B%2C1%2C0"]

    virtual(scenario)


BAD_PAGES: list[Reply] = [
    (502, {}, "<html>"),
    (200, {}, ""),
    (200, {}, '{"retCode": 10016, "retMsg": "", "result": {}}'),
    (200, {}, '{"retCode": 0, "retMsg": "OK", "result": {}}'),
    listing([row("CUSDT") | {"size": "NaN"}]),
    listing([row("CUSDT") | {"size": "-1"}]),
    listing([row("CUSDT") | {"side": ""}]),
    listing([row("AUSDT")]),
    listing(["CUSDT"]),
    listing([row("CUSDT")], "x&symbol=Y"),
]


@pytest.mark.parametrize("last", BAD_PAGES)
def test_one_bad_page_fails_the_whole_read(last: Reply) -> None:
    async def scenario(clock: VirtualClock) -> None:
        with pytest.raises(Unavailable):
            await made(clock, Script(pages_of(last))).positions()

    virtual(scenario)


def test_pages_that_go_in_a_circle_are_left_at_once() -> None:
    async def scenario(clock: VirtualClock) -> None:
        script = Script(pages_of(listing([row("CUSDT")], "A%2C1%2C0")))
        with pytest.raises(Unavailable, match="do not end"):
            await made(clock, script).positions()
        assert sum("settleCoin=USDT" in one.url for one in script.sent) == 3

    virtual(scenario)


def test_a_settle_coin_that_comes_into_use_during_the_read_is_read_too() -> None:
    async def scenario(clock: VirtualClock) -> None:
        naming: list[asyncio.Task[Any]] = []

        def reply(path: str, query: str) -> Reply:
            if path == "/v5/market/instruments-info":
                return listing(json.loads((GOLDEN / "instruments.json").read_text())["result"]["list"])
            if path != "/v5/position/list":
                return "account_cross" if "account" in path else "tickers"
            if not naming and "settleCoin=USDT" in query:
                naming.append(asyncio.ensure_future(sut.prices([Symbol("BTCPERP")])))
            return listing([row("BTCPERP")] if "settleCoin=USDC" in query else [row("BTCUSDT")])

        script = Script(reply)
        sut = made(clock, script)
        await sut.instruments()
        await sut.prices([BTC])
        script.sent.clear()
        read = await sut.positions()
        assert set(read.by_symbol) == {"BTCUSDT", "BTCPERP"}
        asked = [urlsplit(one.url).query for one in script.sent if "position" in one.url]
        assert ["settleCoin=USDC" in query for query in asked] == [False, True]
        await naming[0]

    virtual(scenario)


def test_what_stops_the_account_is_told_before_what_passes() -> None:
    async def fails(error: Exception) -> None:
        raise error

    async def scenario(clock: VirtualClock) -> None:
        with pytest.raises(Denied):
            await together(fails(Unavailable("down")), fails(Denied("key")), fails(Unavailable("down")))
        with pytest.raises(Unavailable, match="first"):
            await together(fails(Unavailable("first")), fails(Unavailable("second")))
        assert await together() == []

    virtual(scenario)


def test_a_lookup_that_finds_somebody_elses_order_finds_nothing() -> None:
    async def scenario(clock: VirtualClock) -> None:
        script = Script(lambda path, query: "executions" if "execution" in path else "order_filled")
        assert await made(clock, script).find(BTC, ClientId("f" * 32)) is None

    virtual(scenario)


# --- limits and bans --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (403, {}, 600.0),
        (403, {"retry-after": "1800"}, 1800.0),
        (403, {"retry-after": "999999999"}, 3600.0),
        (403, {"retry-after": "soon"}, 600.0),
        (429, {"retry-after": "30"}, 30.0),
    ],
)
def test_a_ban_closes_the_address_for_as_long_as_it_says(status: int, headers: dict[str, str], wait_s: float) -> None:
    async def scenario(clock: VirtualClock) -> None:
        script = Script(lambda path, query: (status, headers, "access too frequent"))
        sut = made(clock, script)
        with pytest.raises(Unavailable):
            await sut.equity()
        with pytest.raises(Unavailable) as caught:
            await sut.permit(Cost(reduction=True))
        assert caught.value.retry_after_s == pytest.approx(wait_s)
        assert len(script.sent) == 1

    virtual(scenario)


@pytest.mark.parametrize(("reset_ms", "wait_s"), [(1_700_000_004_000, 4.0), (1, 0.1), (9_999_999_999_999, 3600.0)])
def test_a_used_up_rate_waits_for_its_reset(reset_ms: int, wait_s: float) -> None:
    async def scenario(clock: VirtualClock) -> None:
        headers = {"x-bapi-limit": "50", "x-bapi-limit-status": "0", "x-bapi-limit-reset-timestamp": str(reset_ms)}
        body = '{"retCode": 10006, "retMsg": "Too many visits!", "result": {}, "time": 1700000000000}'
        sut = made(clock, Script(lambda path, query: (200, headers, body)))
        for attempt in range(2):
            before = clock.monotonic()
            with pytest.raises(Unavailable) as caught:
                await sut.equity()
            if attempt and wait_s > 5.0:
                assert caught.value.retry_after_s == pytest.approx(wait_s, abs=0.1)
            elif attempt:
                assert clock.monotonic() - before == pytest.approx(max(wait_s, 1.01), abs=0.1)

    virtual(scenario)


# --- secrets and the SDK ----------------------------------------------------------------------------------------------


def test_no_secret_leaves_in_an_error_or_a_representation() -> None:
    async def scenario(clock: VirtualClock) -> None:
        sut = made(clock, Script(lambda path, query: "bad_signature"))
        with pytest.raises(Denied) as caught:
            await sut.equity()
        assert "origin_string[1790000010500***5000]" in str(caught.value)
        shown = f"{caught.value!r} {sut!r} {sut._client!r} {sut._client!s}"
        assert "canary" not in shown
        assert caught.value.__cause__ is None

    virtual(scenario)


def test_the_sdk_opens_nothing_and_logs_nowhere() -> None:
    async def scenario(clock: VirtualClock) -> Any:
        before = list(logging.getLogger("pybit._http_manager").handlers)
        sut = made(clock, Script(lambda path, query: "wallet"))
        await sut.equity()
        assert logging.getLogger("pybit._http_manager").handlers == before
        return sut._client

    client = virtual(scenario)
    assert not hasattr(client, "client")
    assert not hasattr(client, "logger")
    assert not getattr(client, "referral_id", None)


def test_an_order_is_signed_and_written_without_a_pause() -> None:
    async def scenario(clock: VirtualClock) -> None:
        script = Script(lambda path, query: "order_ack")
        sut = made(clock, script)
        permit = await sut.permit(Cost(reduction=False))
        sending = sut.place(ORDER, ClientId("0123456789abcdef0123456789abcdef"), permit)
        with pytest.raises(StopIteration) as done:  # it ends in its first step: nothing is awaited before the transport
            sending.send(None)
        assert done.value.value.order_id == "5a6b3c1e-0000-4000-8000-000000000001"
        (request,) = script.sent
        assert request.headers["X-BAPI-TIMESTAMP"] == str(permit.nonce)
        assert request.url == "http://venue.test/v5/order/create"

    virtual(scenario)
