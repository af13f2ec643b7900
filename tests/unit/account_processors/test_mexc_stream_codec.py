"""MEXC's stream codec: frames we send, answers, messages to facts, over examples of our own and recorded ones."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from account_processors.codecs import mexc, mexc_stream
from account_processors.codecs.mexc_stream import Message, Said, View, events, frame, login, ticker
from account_processors.codecs.wire import Malformed
from core.domain import OrderStatus, PositionMode, Symbol
from tests.unit.account_processors.mexc_golden import RECORDED, payload

D = Decimal
BTC = Symbol("BTCUSDT")
KNOWN = mexc.instruments(payload("contracts"))
AT = 1_790_000_100.0
TS = 1_790_000_000_500
TRAILING_COMMA = re.compile(r",(\s*[}\]])")

ORDER = {
    "orderId": "739000000000000001", "symbol": "BTC_USDT", "side": 3, "vol": 10, "dealVol": 4, "dealAvgPrice": 50000,
    "state": 4, "errorCode": 18, "externalOid": "mine", "category": 1, "updateTime": TS, "reduceOnly": False,
}  # fmt: skip
DEAL = {
    "id": 9466000001, "symbol": "BTC_USDT", "side": 3, "vol": 4, "price": 50000.5, "fee": -0.1, "timestamp": TS - 100,
    "category": 1, "orderId": 739000000000000001, "externalOid": "mine", "isTaker": False,
}  # fmt: skip
POSITION = {
    "positionId": 7, "symbol": "BTC_USDT", "holdVol": 4, "positionType": 2, "openType": 1, "state": 1, "leverage": 3,
    "holdAvgPrice": 50000.5, "updateTime": TS - 50,
}  # fmt: skip


def said(channel: str, row: Mapping[str, object], **more: object) -> Message:
    heard = frame(json.dumps({"channel": channel, "data": row, "ts": TS, **more}).encode())
    assert isinstance(heard, Message)
    return heard


def view(held: dict[Symbol, int] | None = None) -> View:
    return View(AT, lambda venue_s: venue_s + 1, KNOWN, {} if held is None else held)


def facts(channel: str, row: Mapping[str, object], held: dict[Symbol, int] | None = None, **more: object) -> list[Any]:
    found, foreign = events(said(channel, row, **more), view(held))
    assert foreign == 0
    return found


def test_a_login_is_sealed_over_key_and_time_alone() -> None:
    asked = json.loads(login("key", "secret", 1_587_442_022_003))
    seal = hmac.new(b"secret", b"key1587442022003", hashlib.sha256).hexdigest()
    assert asked == {"method": "login", "param": {"apiKey": "key", "reqTime": "1587442022003", "signature": seal}}


@pytest.mark.parametrize(
    ("text", "ok", "why"),
    [
        ('{"channel":"rs.login","data":"success","ts":"1587442022003"}', True, "success"),
        ('{"channel":"rs.login","data":"signature validation failed"}', False, "signature validation failed"),
        ('{"channel":"rs.login"}', False, ""),
        ('{"channel":"rs.error","data":"no \\u0007 bell"}', False, "no ? bell"),
        ('{"channel":"pong","data":1587453241453}', True, ""),
        ('{"channel":"rs.sub.ticker","data":"success"}', True, "success"),
    ],
)
def test_answers(text: str, ok: bool, why: str) -> None:
    heard = frame(text.encode())
    assert isinstance(heard, Said)
    assert (heard.ok, heard.why) == (ok, why)


@pytest.mark.parametrize("text", ["", "[]", "{}", "hello", '{"channel": 1}', '{"channel": "a", "channel": "b"}'])
def test_what_is_no_frame_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        frame(text.encode())


def test_a_deal_names_its_owner_and_its_time_is_ours() -> None:
    (news,) = facts(mexc_stream.DEAL, DEAL)
    fill = news.event.fill
    assert (fill.symbol, fill.contracts, fill.price, fill.fee) == (BTC, -4, Decimal("50000.5"), Decimal("-0.1"))
    assert (fill.exec_id, fill.client_id, fill.kind) == ("9466000001", "mine", "trade")
    assert (fill.time, news.made_s, news.event.at) == (1_790_000_001.4, 1_790_000_000.4, AT)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"externalOid": "_m_0e9520c2", "category": 1}, "trade"),
        ({"externalOid": "", "category": 2}, "liquidation"),
        ({"externalOid": "_m_0e9520c2", "category": 4}, "adl"),
    ],
)
def test_a_deal_nobody_sent_is_nobodys(more: dict[str, object], kind: str) -> None:
    (news,) = facts(mexc_stream.DEAL, {**DEAL, **more})
    assert (news.event.client_id, news.event.fill.client_id, news.event.fill.kind) == (None, None, kind)


@pytest.mark.parametrize(
    ("more", "status", "filled"),
    [
        ({"state": 1}, None, 0),
        ({"state": 2}, None, 0),
        ({"state": 6}, None, 0),
        ({}, OrderStatus.DONE, 4),
        ({"state": 3, "dealVol": 10}, OrderStatus.DONE, 10),
        ({"state": 5}, OrderStatus.DONE, 4),
        ({"state": 5, "dealVol": 0}, OrderStatus.REJECTED, 0),
    ],
)
def test_an_order_is_told_of_when_nothing_more_can_happen_to_it(
    more: dict[str, object], status: OrderStatus | None, filled: int
) -> None:
    found = facts(mexc_stream.ORDER, {**ORDER, **more})
    ends = [(one.event.client_id, one.event.outcome.status, one.event.outcome.filled) for one in found]
    assert ends == ([] if status is None else [("mine", status, filled)])


def test_positions_are_signed_and_closed_ones_flat() -> None:
    held: dict[Symbol, int] = {}
    (news,) = facts(mexc_stream.POSITION, POSITION, held)
    assert (news.event.position.contracts, news.made_s, held) == (-4, 1_790_000_000.45, {BTC: 7})
    (news,) = facts(mexc_stream.POSITION, {**POSITION, "state": 3, "holdVol": 0}, held)
    assert news.event.position.contracts == 0


def test_the_end_of_a_position_counts_unless_another_one_began() -> None:
    ended, later = {**POSITION, "state": 3, "holdVol": 0}, {**POSITION, "positionId": 8, "positionType": 1}
    held: dict[Symbol, int] = {}
    assert facts(mexc_stream.POSITION, ended, held)[0].event.position.contracts == 0
    facts(mexc_stream.POSITION, POSITION, held)
    assert facts(mexc_stream.POSITION, later, held)[0].event.position.contracts == 4
    assert facts(mexc_stream.POSITION, ended, held) == []
    ended_too = {**later, "state": 3, "holdVol": 0}
    assert facts(mexc_stream.POSITION, ended_too, held)[0].event.position.contracts == 0


def test_a_message_without_times_of_its_own_is_of_when_it_was_sent() -> None:
    row = {name: value for name, value in POSITION.items() if name != "updateTime"}
    (news,) = facts(mexc_stream.POSITION, row)
    assert news.made_s == 1_790_000_000.5
    (news,) = facts(mexc_stream.POSITION, row, ts=None)
    assert news.made_s is None


@pytest.mark.parametrize("name", ["NONE_USDT", "BTCUSDT"])
def test_what_is_not_traded_here_is_counted(name: str) -> None:
    for channel, row in ((mexc_stream.DEAL, DEAL), (mexc_stream.ORDER, ORDER), (mexc_stream.POSITION, POSITION)):
        assert events(said(channel, {**row, "symbol": name}), view()) == ([], 1)


@pytest.mark.parametrize(
    ("channel", "row"),
    [
        (mexc_stream.DEAL, {**DEAL, "vol": 0}),
        (mexc_stream.DEAL, {**DEAL, "side": 5}),
        (mexc_stream.DEAL, {**DEAL, "price": "none"}),
        (mexc_stream.ORDER, {**ORDER, "dealVol": None}),
        (mexc_stream.ORDER, {**ORDER, "updateTime": None}),
        (mexc_stream.POSITION, {**POSITION, "positionType": 3}),
        (mexc_stream.POSITION, {**POSITION, "positionId": None}),
        (mexc_stream.POSITION, {"symbol": "BTC_USDT"}),
        (mexc_stream.POSITION, {}),
    ],
)
def test_a_row_that_is_not_as_documented_is_malformed(channel: str, row: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        events(said(channel, row), view())


def test_other_channels_say_nothing_here() -> None:
    for channel in ("push.personal.asset", "push.personal.risk.limit", "push.personal.position.closeall.fail"):
        assert events(said(channel, {"currency": "USDT"}), view()) == ([], 0)


@pytest.mark.parametrize(("number", "mode"), [(1, PositionMode.HEDGE), (2, PositionMode.ONE_WAY)])
def test_the_position_mode(number: int, mode: PositionMode) -> None:
    assert mexc_stream.mode(said(mexc_stream.MODE, {"positionMode": number})) is mode
    assert mexc_stream.mode(said(mexc_stream.ORDER, ORDER)) is None


def test_a_ticker_is_whole_and_of_its_own_time() -> None:
    row = {"symbol": "BTC_USDT", "fairPrice": 50000.1, "lastPrice": 50000, "bid1": 49999.9, "timestamp": TS - 400}
    told = ticker(said(mexc_stream.TICKER, row, symbol="BTC_USDT"))
    assert told is not None
    assert (told.symbol, told.whole, told.made_s) == (BTC, True, 1_790_000_000.1)
    price = mexc.prices({BTC: (told.row, AT)}, [BTC])[BTC]
    assert (price.mark, price.last, price.bid, price.ask) == (D("50000.1"), D(50000), D("49999.9"), None)
    assert ticker(said("push.deal", {"symbol": "BTC_USDT"})) is None


@pytest.mark.parametrize(
    ("name", "facts_told"), [("Order", 1), ("UserTrade", 1), ("Position", 1), ("Balance", 0), ("PositionMode", 0)]
)
def test_recorded_messages_are_read(name: str, facts_told: int) -> None:
    file = RECORDED / "Subscriptions" / "FuturesApi" / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded payloads at {RECORDED}: they are not part of the project")
    text = file.read_text(encoding="utf-8-sig")
    body = json.loads(TRAILING_COMMA.sub(r"\1", text[text.index("\n= ") + 3 :]))
    row = body["data"]
    if "symbol" in row:
        row["symbol"] = "BTC_USDT"
    assert len(facts(body["channel"], row)) == facts_told
