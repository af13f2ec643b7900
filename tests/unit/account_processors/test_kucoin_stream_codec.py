"""KuCoin's websockets: golden messages to domain values, what is refused, and recorded messages where there are any."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from account_processors.codecs import kucoin_stream as codec
from account_processors.codecs.ticker import Ticker
from account_processors.codecs.wire import Malformed, loads
from core.domain import ClientId, Equity, Fill, MarginMode, OrderOutcome, OrderStatus, Position, Symbol, VenueEventKind
from core.errors import Denied
from tests.unit.account_processors.kucoin_golden import GOLDEN, RECORDED, payload

D = Decimal
BTC = Symbol("BTCUSDT")
MINE = ClientId("0123456789abcdef0123456789abcdef")
ORDER_ID = "288134459012345856"
AT, AHEAD_S = 1_790_000_000.0, 30.0
VIEW = codec.View(at=AT, local=lambda at: at - AHEAD_S, known={BTC})


def raw(name: str) -> bytes:
    return (GOLDEN / f"stream_{name}.json").read_bytes()


def message(name: str) -> codec.Message:
    found = codec.frame(raw(name))
    assert isinstance(found, codec.Message)
    return found


def changed(name: str, **fields: Any) -> codec.Message:
    """A golden message with other fields; None: without the field."""
    body = json.loads(raw(name))
    body["data"] = {field: value for field, value in {**body["data"], **fields}.items() if value is not None}
    found = codec.frame(json.dumps(body).encode())
    assert isinstance(found, codec.Message)
    return found


def told(name: str, **fields: Any) -> codec.Told:
    return codec.told(changed(name, **fields), VIEW)


# --- the way in -------------------------------------------------------------------------------------------------------


def test_a_token_and_where_it_leads() -> None:
    door = codec.door(payload("stream_token"))
    assert door == codec.Door("wss://ws-api-futures.kucoin.com/", "2neAiuOfOurOwnMaking.Vh3kQ==", 18.0)
    for endpoint in (door.endpoint, door.endpoint.rstrip("/")):
        assert codec.url(endpoint, "a+b==", "id") == "wss://ws-api-futures.kucoin.com/?token=a%2Bb%3D%3D&connectId=id"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("token"),
        lambda data: data.update(instanceServers=[]),
        lambda data: data.update(instanceServers=None),
        lambda data: data["instanceServers"][0].update(pingInterval=0),
        lambda data: data["instanceServers"][0].pop("endpoint"),
    ],
)
def test_a_token_that_is_not_as_documented(spoil: Callable[[Any], object]) -> None:
    answer = json.loads((GOLDEN / "stream_token.json").read_bytes())
    spoil(answer["data"])
    with pytest.raises(Malformed):
        codec.door(loads(json.dumps(answer).encode()))


def test_what_we_send() -> None:
    topics = codec.of_symbols(codec.INSTRUMENT, [BTC, Symbol("ETHUSDT")])
    assert topics == "/contract/instrument:XBTUSDTM,ETHUSDTM"
    assert json.loads(codec.choice(codec.SUBSCRIBE, codec.ORDERS, private=True)) == {
        "id": "/contractMarket/tradeOrders",
        "type": "subscribe",
        "topic": "/contractMarket/tradeOrders",
        "privateChannel": True,
        "response": True,
    }
    assert json.loads(codec.PING)["type"] == "ping"


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("welcome", codec.Said("welcome", "a1b2c3d4")),
        ("ack", codec.Said("ack", "/contract/positionAll")),
        ("pong", codec.Said("pong", "ping")),
        ("token_expired", codec.Said("error", "a1b2c3d4", 401, "token is expired")),
        ("no_topic", codec.Said("error", "/contract/nothing", 404, "topic /contract/nothing is not found")),
    ],
)
def test_the_venues_word(name: str, said: codec.Said) -> None:
    assert codec.frame(raw(name)) == said


def test_what_an_error_says_is_shown_tamely() -> None:
    said = codec.frame(json.dumps({"type": "error", "code": 500, "data": "a\n \x1b[31mb" + 300 * "c"}).encode())
    assert isinstance(said, codec.Said)
    assert (said.why[:8], len(said.why), said.to) == ("a ?[31mb", 200, "")


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"type": 1}', '{"type": "message"}', '{"type": "error"}', '{"topic": "x", "subject": "y", "data": 1}'],
)
def test_what_is_no_frame(text: str) -> None:
    with pytest.raises(Malformed):
        codec.frame(text.encode())


def test_a_message_may_have_no_type() -> None:
    body = {name: value for name, value in json.loads(raw("wallet")).items() if name != "type"}
    assert codec.frame(json.dumps(body).encode()) == message("wallet")


# --- orders -----------------------------------------------------------------------------------------------------------


def test_a_match_is_a_fill_whose_fee_is_not_told() -> None:
    found = told("match")
    assert found.event is not None
    assert (found.event.kind, found.event.at, found.event.client_id) == (VenueEventKind.FILL, AT, MINE)
    assert found.event.fill is not None
    assert found.event.fill.time == pytest.approx(1_790_000_010.3 - AHEAD_S)
    assert replace(found.event.fill, time=0.0) == Fill(
        symbol=BTC,
        contracts=D(-5),
        price=D("49998.7"),
        fee=None,
        time=0.0,
        exec_id=f"1828204599001-{ORDER_ID}",
        client_id=MINE,
    )
    assert found.made_s == pytest.approx(1_790_000_010.3)
    assert (found.order_id, found.foreign) == (ORDER_ID, False)
    bought = told("match", side="buy").event
    assert bought is not None
    assert bought.fill is not None
    assert bought.fill.contracts == 5


def test_a_liquidation_is_nobodys_order() -> None:
    event = told("liquidation").event
    assert event is not None
    assert event.fill is not None
    assert (event.fill.kind, event.fill.client_id, event.client_id) == ("liquidation", None, None)


@pytest.mark.parametrize(
    ("name", "status", "filled"),
    [
        ("filled", OrderStatus.DONE, "12"),
        ("canceled", OrderStatus.DONE, "5"),
        ("open", OrderStatus.OPEN, "0"),
    ],
)
def test_every_other_message_of_an_order_is_its_state(name: str, status: OrderStatus, filled: str) -> None:
    found = told(name)
    assert found.event is not None
    assert (found.event.kind, found.event.client_id) == (VenueEventKind.ORDER, MINE)
    assert found.event.outcome == OrderOutcome(status, D(filled))


def test_an_order_of_nobody_we_know() -> None:
    for given in (None, "", 7):
        event = told("filled", clientOid=given).event
        assert event is not None
        assert event.client_id is None


# --- positions --------------------------------------------------------------------------------------------------------


def test_a_position_is_signed_and_has_the_venues_instant() -> None:
    found = told("position")
    assert found.made_s == pytest.approx(1_790_000_010.321)
    assert found.event is not None
    position = Position(BTC, D(-12), D("3.00"), MarginMode.ISOLATED, None, D(50000))
    assert (found.event.kind, found.event.position) == (VenueEventKind.POSITION, position)


@pytest.mark.parametrize(
    ("name", "size", "leverage", "mode"),
    [("position_cross", D(-12), D(4), MarginMode.CROSS), ("position_flat", D(0), None, MarginMode.ISOLATED)],
)
def test_leverage_is_what_it_is_in_the_reads(
    name: str, size: Decimal, leverage: Decimal | None, mode: MarginMode
) -> None:
    event = told(name).event
    assert event is not None
    assert event.position is not None
    assert (event.position.contracts, event.position.leverage, event.position.margin_mode) == (size, leverage, mode)


def test_hedge_mode_is_denied() -> None:
    with pytest.raises(Denied, match="One-Way"):
        told("position_hedge")


@pytest.mark.parametrize("name", ["position_mark", "settlement", "wallet_part", "wallet_other_coin", "mark"])
def test_what_says_nothing_that_counts(name: str) -> None:
    assert codec.told(message(name), VIEW) == codec.NOTHING


def test_a_mark_price_that_changed_is_no_statement_of_the_size() -> None:
    assert told("position", changeReason="markPriceChange") == codec.NOTHING


def test_what_is_not_traded_here_is_counted_and_left_out() -> None:
    for name in ("position", "match", "filled"):
        found = told(name, symbol="XBTUSDM")
        assert (found.event, found.foreign) == (None, True)


# --- money ------------------------------------------------------------------------------------------------------------


def test_equity_is_of_the_whole_wallet_message() -> None:
    event = told("wallet").event
    assert event is not None
    assert event.equity == Equity(D("10123.456789"), "USDT", AT)


SPOILT: list[tuple[str, str, Any]] = [
    ("match", "matchSize", ""),
    ("match", "matchSize", "0"),
    ("match", "matchPrice", None),
    ("match", "tradeId", None),
    ("match", "orderId", None),
    ("match", "side", "long"),
    ("match", "ts", -1),
    ("match", "ts", 10**21),
    ("match", "symbol", "x y"),
    ("filled", "filledSize", "many"),
    ("filled", "status", None),
    ("filled", "type", None),
    ("position", "currentQty", None),
    ("position", "currentQty", 0.5),
    ("position", "currentTimestamp", None),
    ("wallet", "equity", "much"),
]


@pytest.mark.parametrize(("name", "field", "value"), SPOILT)
def test_what_is_not_as_documented_is_no_zero(name: str, field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        told(name, **{field: value})


# --- prices -----------------------------------------------------------------------------------------------------------


def test_mark_and_book_are_two_parts_of_a_price() -> None:
    assert codec.ticker(message("mark")) == Ticker(BTC, True, {"markPrice": D("50010.5")}, 1_790_000_010.0, "mark")
    book = codec.ticker(message("book"))
    assert book is not None
    assert (book.symbol, book.part) == (BTC, "book")
    assert book.made_s == pytest.approx(1_790_000_010.461)
    assert (book.row["bestBidPrice"], book.row["bestAskPrice"]) == ("50010.4", "50010.5")
    assert codec.ticker(message("funding_rate")) is None
    assert codec.ticker(message("wallet")) is None


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("mark", "markPrice", None), ("mark", "timestamp", "soon"), ("book", "symbol", "ETHUSDTM")],
)
def test_a_price_that_is_not_as_documented(name: str, field: str, value: Any) -> None:
    with pytest.raises(Malformed):
        codec.ticker(changed(name, **{field: value}))


# --- recorded ---------------------------------------------------------------------------------------------------------

FOLDER = RECORDED.parents[1] / "Subscriptions" / "Futures"
FOREIGN = ("Order", "Position")
SILENT = ("Balance", "OrderMargin", "Withdrawable", "Wallet", "FundingSettlement", "PositionMarkPrice", "RiskAdjust")


@pytest.mark.parametrize("name", [*FOREIGN, *SILENT, "MarkPrice", "Tickers", "FundingRate"])
def test_recorded_messages_pass(name: str) -> None:
    """They are of an inverse contract, of other coins, or about what says nothing here."""
    file = FOLDER / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded messages at {FOLDER}: they are not part of the project")
    frames, text = re.split(r"^=\s*", file.read_text(encoding="utf-8-sig"), maxsplit=1, flags=re.MULTILINE)
    answer = codec.frame(frames.splitlines()[1].lstrip("<").encode())
    assert isinstance(answer, codec.Said)
    assert answer.kind == codec.ACK
    found = codec.frame(text.encode())
    assert isinstance(found, codec.Message)
    if name == "Order":  # recorded without the size and the price of the match
        found = codec.Message(found.topic, found.subject, {**found.data, "matchSize": "5", "matchPrice": "3600"})
    if name in FOREIGN:
        assert codec.told(found, VIEW).foreign
        symbol = Symbol(str(found.data["symbol"]))
        assert codec.told(found, codec.View(AT, float, {symbol})).event is not None
    elif name in SILENT:
        assert codec.told(found, VIEW) == codec.NOTHING
    else:
        assert (codec.ticker(found) is None) is (name == "FundingRate")
