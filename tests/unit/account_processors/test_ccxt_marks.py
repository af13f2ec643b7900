"""No mark of anybody on any order ccxt can build for us, exchange by exchange, without a network."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from account_processors.ccxt_catalogue import offers
from account_processors.ccxt_client import CcxtClient
from account_processors.ccxt_exchange import Unprepared
from account_processors.ccxt_rehearsal import Rehearsal, leaves
from account_processors.codecs import ccxt_marks as marks
from account_processors.codecs.ccxt_facts import REFUSED, facts_of
from account_processors.shared import VenueShared
from account_processors.wiring import Wiring
from core.clock import SystemClock
from core.domain import Instrument, Symbol
from core.errors import Lost, Unavailable, VenueError
from core.ports import Request, Response, Stream, StreamRequest

KEYS = {
    "apiKey": "k" * 32,
    "secret": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0czEyMzQ1Njc4OTA=",
    "password": "pass-phrase",
    "walletAddress": "0x" + "12" * 20,
    "privateKey": "0x" + "34" * 32,
}
D = Decimal
BTC = Instrument(
    Symbol("BTCUSDT"), "BTC/USDT:USDT", "BTC", "USDT", "USDT", D("0.001"), D(1), D("0.1"), D(1), D(1000), D(1000), D(0),
    D(50),
)  # fmt: skip
INFO = {"orderTypes": ["LIMIT", "MARKET"], "order_types": ["LIMIT", "MARKET"]}
MARKET = {
    "id": "1-BTCUSDT", "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "settle": "USDT", "baseId": "1",
    "quoteId": "USDT", "settleId": "USDT", "type": "swap", "subType": "linear", "swap": True, "spot": False,
    "future": False, "option": False, "margin": False, "contract": True, "linear": True, "inverse": False,
    "active": True, "contractSize": "0.001", "precision": {"amount": "1", "price": "0.1"}, "numericId": 1, "info": INFO,
    "limits": {"amount": {"min": "1", "max": "1000"}, "price": {}, "cost": {}, "leverage": {"max": "50"}},
}  # fmt: skip
POSSIBLE = [one.exchange for one in offers() if not one.impossible]
MARKED = sorted(name for name, why in REFUSED.items() if "mark for somebody" in why)


class Offline:
    """A transport without a network, which remembers what would have gone out."""

    def __init__(self) -> None:
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        raise Lost("offline")

    async def connect(self, request: StreamRequest) -> Stream:
        raise Lost("offline")

    async def close(self) -> None:
        """Nothing is open."""


def client(exchange: str, transport: Offline) -> CcxtClient:
    clock = SystemClock()
    wiring = Wiring("test", "", transport, clock, VenueShared(clock), 5.0)
    made = CcxtClient(wiring, exchange, KEYS, "http://exchange.test", facts_of(exchange))
    made.sdk.set_markets([made.sdk.safe_market_structure(MARKET)])
    return made


def rehearsed(exchange: str, transport: Offline) -> tuple[Request, ...]:
    """The orders as they would go out; none where ccxt wants to ask the exchange first, or cannot build them."""

    async def build() -> tuple[Request, ...]:
        sut = Rehearsal(client(exchange, transport))
        try:
            return await sut._tried(BTC)
        except (Unprepared, VenueError):
            return ()

    return asyncio.run(build())


@pytest.mark.parametrize("exchange", POSSIBLE)
def test_no_order_of_any_exchange_carries_a_mark_and_none_goes_out(exchange: str) -> None:
    transport = Offline()
    for request in rehearsed(exchange, transport):
        assert [name for name, value in leaves(request) if marks.is_key(name) or "ccxt" in value.lower()] == []
        assert [name for name, value in request.headers.items() if marks.is_header(name, value)] == []
    assert {request.method for request in transport.sent} <= {"GET"}
    for request in transport.sent:
        assert [name for name, value in request.headers.items() if marks.is_header(name, value)] == []


def test_most_exchanges_build_their_orders_offline() -> None:
    """Else the test above would look at nothing."""
    built = [exchange for exchange in POSSIBLE if rehearsed(exchange, Offline())]
    assert {"binance", "bingx", "kucoinfutures", "okx", "phemex"} <= set(built)
    assert len(built) >= 20


@pytest.mark.parametrize("exchange", MARKED)
def test_an_exchange_whose_orders_ccxt_marks_cannot_be_traded(exchange: str) -> None:
    async def build() -> None:
        transport = Offline()
        problems = await Rehearsal(client(exchange, transport)).problems(BTC)
        assert [problem.code for problem in problems] == ["ccxt_order"]
        assert "marks" in problems[0].because
        assert transport.sent == []

    asyncio.run(build())


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://x/v1/order?brokerId=abc", None),
        ("https://x/v1/order?a=1&source=web", None),
        ("https://x/v1/order", '{"action": {"orders": [], "builder": {"b": "0x1", "f": 10}}}'),
        ("https://x/v1/order", '{"orders": [{"tag": "1"}]}'),
        ("https://x/v1/order", '{"clOrdId": "p4sve-12"}'),
        ("https://x/v1/order", "clientOrderId=CCXT-1&x=2"),
        ("https://x/v1/order", '{"channelApiCode": "z"}'),
    ],
)
def test_a_mark_is_found_wherever_it_stands(url: str, body: str | None) -> None:
    assert marks.found(url, body, frozenset({"p4sve"})) is not None


def test_an_order_of_ours_has_none() -> None:
    body = json.dumps({"symbol": "BTCUSDT", "clOrdId": "00ff" * 8, "reduceOnly": True, "legs": [{"sz": "1"}]})
    assert marks.found("https://x/v5/order/create?category=linear", body, frozenset({"p4sve"})) is None


def test_options_lose_their_marks_and_switches_are_off() -> None:
    options: dict[str, Any] = {
        "brokerId": "x", "builderFee": True, "partner": {"spot": {"id": "ccxt"}}, "defaultType": "swap",
        "more": {"broker": "y", "keep": 1},
    }  # fmt: skip
    assert marks.cleaned(options) == {"builderFee": False, "defaultType": "swap", "more": {"keep": 1}}
    assert marks.values({"broker": {"swap": "p4sve", "n": "6956"}, "defaultType": "swaps"}) == {"p4sve"}


def test_parameters_lose_their_marks_at_any_depth() -> None:
    assert marks.without({"a": [{"tag": "t", "b": 1}], "brokerId": None}) == {"a": [{"b": 1}]}


def test_a_request_before_the_order_is_not_sent_with_it() -> None:
    """apex asks for the account before every order it knows none of; an order waits for no such thing."""

    async def ask() -> None:
        transport = Offline()
        with pytest.raises(Unavailable):
            await Rehearsal(client("apex", transport)).before_orders(BTC)
        assert [request.method for request in transport.sent] == ["GET"]

    asyncio.run(ask())
