"""Bybit V5 websockets: frames to domain values, and the frames we send.

Wire facts are from https://bybit-exchange.github.io/docs/v5/ws/connect and docs/v5/websocket/private, /public/ticker.
A private message carries rows of one topic; they are those of the REST lists but for `entryPrice`. A ticker is a
snapshot first, then deltas whose absent fields have not changed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from account_processors.codecs import bybit, bybit_orders
from account_processors.codecs.ticker import Ticker
from account_processors.codecs.wire import Malformed, Row, epoch_s, loads, number, rows, table, text
from core.domain import Equity, MarginMode, Symbol, VenueEvent, VenueEventKind

PRIVATE_PATH = "/v5/private"
PUBLIC_PATH = "/v5/public/linear"
POSITION, ORDER, EXECUTION, WALLET = "position", "order", "execution", "wallet"
TOPICS = (POSITION, ORDER, EXECUTION, WALLET)
AUTH, SUBSCRIBE, UNSUBSCRIBE = "auth", "subscribe", "unsubscribe"
PING = json.dumps({"op": "ping"})
SNAPSHOT, DELTA = "snapshot", "delta"
_TICKERS = "tickers."


# --- what we send -----------------------------------------------------------------------------------------------------


def login(api_key: str, api_secret: str, expires_ms: int) -> str:
    """The login; refused from `expires_ms` (the venue's clock) on."""
    signature = hmac.new(api_secret.encode(), f"GET/realtime{expires_ms}".encode(), hashlib.sha256).hexdigest()
    return json.dumps({"req_id": AUTH, "op": AUTH, "args": [api_key, expires_ms, signature]})


def choice(op: str, topics: Sequence[str]) -> str:
    """Subscribes to or unsubscribes from `topics`. The answer carries the first one as its `req_id`."""
    return json.dumps({"req_id": topics[0], "op": op, "args": list(topics)})


def ticker_topic(symbol: Symbol) -> str:
    return f"{_TICKERS}{symbol}"


# --- what comes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to something we sent. `why` is the venue's reason, in its words, where it is not `ok`."""

    op: str
    ok: bool
    why: str
    to: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a topic; `body` is the whole frame."""

    topic: str
    body: Row


def frame(data: bytes) -> Said | Message:
    """Raises `Malformed` for what is neither an answer nor a message of a topic."""
    body = loads(data)
    topic, op = body.get("topic"), body.get("op")
    if isinstance(topic, str) and topic:
        return Message(topic, body)
    if not isinstance(op, str) or not op:
        raise Malformed("the frame has neither op nor topic")
    asked = body.get("req_id")
    words = " ".join(str(body.get("ret_msg", "")).split())[:200]
    why = "".join(letter if letter.isprintable() else "?" for letter in words)
    return Said(op, body.get("success", True) is True, why, asked if isinstance(asked, str) else "")


@dataclass(frozen=True, slots=True)
class View:
    """What reading a private message takes besides it. `at`: when it came, epoch seconds; `local` turns the venue's
    epoch seconds into ours; `mode` is the account's margin mode; `known` are the symbols the venue lists."""

    at: float
    local: Callable[[float], float]
    mode: MarginMode | None
    known: Collection[Symbol]
    settle: str


def created_s(message: Message) -> float:
    """When the venue made the message, its epoch seconds."""
    return epoch_s(message.body, "creationTime")


def events(message: Message, view: View) -> tuple[list[VenueEvent], int]:
    """The facts of a private message, and how many of its rows are about what is not traded here.

    Raises `Malformed` where a row is not as documented, `Denied` for a position in hedge mode.
    """
    listed = rows(message.body, "data")
    if message.topic == WALLET:
        return _equity(listed, view), 0
    make = _MAKERS.get(message.topic)
    if make is None:
        return [], len(listed)
    ours = [row for row in listed if text(row, "category") == bybit.CATEGORY and text(row, "symbol") in view.known]
    found = [event for row in ours if (event := make(row, view)) is not None]
    return found, len(listed) - len(ours)


def _position(row: Row, view: View) -> VenueEvent:
    position = bybit.pushed_position(row, view.mode)
    return VenueEvent(VenueEventKind.POSITION, view.at, position.symbol, position=position)


def _order(row: Row, view: View) -> VenueEvent:
    order = bybit_orders.order_row(row)
    outcome = bybit_orders.outcome([order], ())
    return VenueEvent(VenueEventKind.ORDER, view.at, order.symbol, client_id=order.client_id, outcome=outcome)


def _execution(row: Row, view: View) -> VenueEvent | None:
    """None for funding: it is no fill, and the wallet tells of it."""
    execution = bybit_orders.execution(row)
    if execution is None:
        return None
    fill = replace(execution.fill, time=view.local(execution.fill.time))
    return VenueEvent(VenueEventKind.FILL, view.at, fill.symbol, fill=fill, client_id=fill.client_id)


_MAKERS: Mapping[str, Callable[[Row, View], VenueEvent | None]] = {
    POSITION: _position,
    ORDER: _order,
    EXECUTION: _execution,
}


def _equity(accounts: Sequence[Row], view: View) -> list[VenueEvent]:
    """A wallet message holds the coins that changed; none if the settle coin is not among them."""
    coins = [row for account in accounts if account.get("accountType") == "UNIFIED" for row in rows(account, "coin")]
    values = [number(row, "equity") for row in coins if row.get("coin") == view.settle]
    return [VenueEvent(VenueEventKind.EQUITY, view.at, equity=Equity(value, view.settle, view.at)) for value in values]


# --- tickers ----------------------------------------------------------------------------------------------------------


def ticker(message: Message) -> Ticker | None:
    """None for another topic."""
    if not message.topic.startswith(_TICKERS):
        return None
    row, kind = table(message.body.get("data"), "data"), text(message.body, "type")
    symbol = text(row, "symbol")
    if symbol != message.topic.removeprefix(_TICKERS) or kind not in (SNAPSHOT, DELTA):
        raise Malformed(f"a {kind[:20]} of {symbol[:40]} under {message.topic[:60]}")
    return Ticker(symbol, kind == SNAPSHOT, row, epoch_s(message.body, "ts"))
