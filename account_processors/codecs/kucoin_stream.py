"""KuCoin Futures' websockets (classic): frames to domain values, and the frames we send.

Wire facts are from https://www.kucoin.com/docs-new/websocket-api, its error codes and recorded messages. Nothing is
numbered: a position has the venue's instant of it in milliseconds, a fill the id of its trade, and no message follows
another by a count. An order's message of type `match` is one fill, without its fee.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from account_processors.codecs import kucoin
from account_processors.codecs.kucoin_orders import NANOSECONDS
from account_processors.codecs.ticker import Ticker
from account_processors.codecs.wire import (
    Malformed,
    Row,
    epoch_s,
    integer,
    loads,
    number,
    positive,
    rows,
    table,
    text,
)
from core.domain import (
    ClientId,
    Equity,
    Fill,
    OrderOutcome,
    OrderStatus,
    Side,
    Symbol,
    VenueEvent,
    VenueEventKind,
)

POSITIONS, ORDERS, WALLET = "/contract/positionAll", "/contractMarket/tradeOrders", "/contractAccount/wallet"
TOPICS = (POSITIONS, ORDERS, WALLET)
BOOK, INSTRUMENT = "/contractMarket/tickerV2", "/contract/instrument"
MARK_SUBJECT = "mark.index.price"
WELCOME, ACK, PONG, ERROR, MESSAGE = "welcome", "ack", "pong", "error", "message"
SUBSCRIBE, UNSUBSCRIBE = "subscribe", "unsubscribe"
TOKEN_REFUSED = 401
PING = json.dumps({"id": "ping", "type": "ping"})
MAX_TS = 10**20


# --- the way in -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Door:
    """Where a token opens a connection, and how often the venue wants to be pinged there (seconds)."""

    endpoint: str
    token: str
    ping_within_s: float


def door(payload: Row) -> Door:
    """Of `/api/v1/bullet-private` and `-public`. The token is a secret until it ran out."""
    data = table(payload.get("data"), "data")
    servers = rows(data, "instanceServers")
    if not servers:
        raise Malformed("instanceServers is empty")
    return Door(text(servers[0], "endpoint"), text(data, "token"), float(positive(servers[0], "pingInterval")) / 1000)


def url(endpoint: str, token: str, connect_id: str) -> str:
    query = urlencode({"token": token, "connectId": connect_id})
    return f"{endpoint}{'' if endpoint.endswith('/') else '/'}?{query}"


# --- what we send -----------------------------------------------------------------------------------------------------


def choice(kind: str, topic: str, *, private: bool) -> str:
    """Subscribes to or unsubscribes from a topic, or a list of symbols of one; the answer carries `topic` as its id."""
    return json.dumps({"id": topic, "type": kind, "topic": topic, "privateChannel": private, "response": True})


def of_symbols(head: str, symbols: Sequence[Symbol]) -> str:
    return f"{head}:{','.join(kucoin.venue_symbol(symbol) for symbol in symbols)}"


# --- what comes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to something we sent, or the venue's word on the connection. `code`, `why`: an error's own."""

    kind: str
    to: str
    code: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a topic; `data` is what it says."""

    topic: str
    subject: str
    data: Row


def frame(raw: bytes) -> Said | Message:
    """Raises `Malformed` for what is neither the venue's word nor a message of a topic."""
    body = loads(raw)
    kind = text(body, "type") if "type" in body else MESSAGE  # some messages have none
    if kind == MESSAGE:
        return Message(text(body, "topic"), text(body, "subject"), table(body.get("data"), "data"))
    asked = body.get("id")
    to = str(asked) if isinstance(asked, str | int) else ""
    if kind != ERROR:
        return Said(kind, to)
    words = " ".join(str(body.get("data", "")).split())[:200]
    return Said(kind, to, integer(body, "code"), "".join(one if one.isprintable() else "?" for one in words))


@dataclass(frozen=True, slots=True)
class View:
    """What reading a private message takes besides it. `at`: when it came, epoch seconds; `local` turns the venue's
    epoch seconds into ours; `known` are the symbols the venue lists."""

    at: float
    local: Callable[[float], float]
    known: Collection[Symbol]


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says. `made_s`: the venue's instant of it, None where the message does not say; `order_id`: the
    venue's, of an order's message; `foreign`: it is about what is not traded here."""

    event: VenueEvent | None = None
    made_s: float | None = None
    order_id: str = ""
    foreign: bool = False


NOTHING = Told()


def told(message: Message, view: View) -> Told:
    """The fact of a private message, if there is one.

    Raises `Malformed` where it is not as documented, `Denied` for a position in hedge mode.
    """
    make = _MAKERS.get(message.topic.partition(":")[0])
    return NOTHING if make is None else make(message, view)


def _position(message: Message, view: View) -> Told:
    """Changes of the mark price and of the risk limit say nothing of the size, nor does funding."""
    row = message.data
    if message.subject != "position.change" or row.get("changeReason") == "markPriceChange":
        return NOTHING
    position = kucoin.position(row)
    if position.symbol not in view.known:
        return Told(foreign=True)
    event = VenueEvent(VenueEventKind.POSITION, view.at, position.symbol, position=position)
    return Told(event, epoch_s(row, "currentTimestamp"))


def _order(message: Message, view: View) -> Told:
    row = message.data
    kind, symbol = text(row, "type"), kucoin.canonical(text(row, "symbol"))
    made_s = _instant_s(row, "ts")
    if symbol not in view.known:
        return Told(made_s=made_s, foreign=True)
    client_id, order_id = _client_id(row), text(row, "orderId")
    if kind == "match":
        fill = _fill(row, symbol, view.local(made_s), client_id)
        return Told(VenueEvent(VenueEventKind.FILL, view.at, symbol, fill=fill, client_id=client_id), made_s, order_id)
    status = OrderStatus.DONE if text(row, "status") == "done" else OrderStatus.OPEN
    outcome = OrderOutcome(status, number(row, "filledSize"))
    event = VenueEvent(VenueEventKind.ORDER, view.at, symbol, client_id=client_id, outcome=outcome)
    return Told(event, made_s, order_id)


def _client_id(row: Row) -> ClientId | None:
    """A liquidation is nobody's order, whatever id it is given."""
    given = row.get("clientOid")
    ours = isinstance(given, str) and given and row.get("tradeType") != "liquid"
    return ClientId(given) if ours and isinstance(given, str) else None


def _fill(row: Row, symbol: Symbol, at: float, client_id: ClientId | None) -> Fill:
    side = kucoin.SIDES.get(text(row, "side"))
    if side is None:
        raise Malformed(f"side {row['side'][:20]!r}")
    size = positive(row, "matchSize")
    return Fill(
        symbol=symbol,
        contracts=size if side is Side.BUY else -size,
        price=positive(row, "matchPrice"),
        fee=None,
        time=at,
        exec_id=f"{text(row, 'tradeId')}-{text(row, 'orderId')}",
        client_id=client_id,
        kind="liquidation" if row.get("tradeType") == "liquid" else "trade",
    )


def _wallet(message: Message, view: View) -> Told:
    """Only the message of the whole wallet has the equity, profit included."""
    row = message.data
    if message.subject != "walletBalance.change" or row.get("currency") != kucoin.CURRENCY or "equity" not in row:
        return NOTHING
    equity = Equity(number(row, "equity"), kucoin.CURRENCY, view.at)
    return Told(VenueEvent(VenueEventKind.EQUITY, view.at, equity=equity))


_MAKERS: Mapping[str, Callable[[Message, View], Told]] = {POSITIONS: _position, ORDERS: _order, WALLET: _wallet}


def _instant_s(row: Row, key: str) -> float:
    """Nanoseconds as epoch seconds."""
    if not 0 <= (value := integer(row, key)) < MAX_TS:
        raise Malformed(f"{key} is no instant")
    return float(Decimal(value) / NANOSECONDS)


# --- prices -----------------------------------------------------------------------------------------------------------


def ticker(message: Message) -> Ticker | None:
    """What a public message says of one symbol's price: its book or its mark. None for any other."""
    head, _, name = message.topic.partition(":")
    row = message.data
    if head == BOOK:
        if text(row, "symbol") != name:
            raise Malformed(f"{row['symbol'][:40]} under {message.topic[:60]}")
        return Ticker(kucoin.canonical(name), True, row, _instant_s(row, "ts"), part="book")
    if head == INSTRUMENT and message.subject == MARK_SUBJECT:
        mark = {"markPrice": number(row, "markPrice")}
        return Ticker(kucoin.canonical(name), True, mark, epoch_s(row, "timestamp"), part="mark")
    return None
