"""MEXC's websocket: frames to domain values, and the frames we send.

Wire facts are from https://www.mexc.com/api-docs/futures/websocket-api and recorded messages. One address serves public
and private channels; after a login everything of the account is told without being asked for, and nothing of what is
open already. A fill names our id. A position that was closed is told of as such; one that turns round ends under its id
and begins under another, in either order. The money is told without its equity, which is read instead.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from account_processors.codecs import mexc, mexc_orders
from account_processors.codecs.orders import outcome
from account_processors.codecs.ticker import Ticker
from account_processors.codecs.wire import Row, epoch_s, integer, loads, table, text
from core.domain import Instrument, PositionMode, Symbol, VenueEvent, VenueEventKind

PATH = "/edge"
LOGIN, ERROR, PONG = "rs.login", "rs.error", "pong"
ORDER, DEAL, POSITION = "push.personal.order", "push.personal.order.deal", "push.personal.position"
MODE, TICKER = "push.personal.position.mode", "push.ticker"
SUBSCRIBE, UNSUBSCRIBE = "sub.ticker", "unsub.ticker"
PING = json.dumps({"method": "ping"})
SUCCESS = "success"


# --- what we send -----------------------------------------------------------------------------------------------------


def login(api_key: str, api_secret: str, stamp_ms: int) -> str:
    """The login at the venue's millisecond `stamp_ms`; the signature is over key and time alone."""
    stamp = str(stamp_ms)
    signature = hmac.new(api_secret.encode(), f"{api_key}{stamp}".encode(), hashlib.sha256).hexdigest()
    return json.dumps({"method": "login", "param": {"apiKey": api_key, "reqTime": stamp, "signature": signature}})


def choice(method: str, name: str) -> str:
    """Begins or ends the ticker of the contract `name`, as plain text."""
    return json.dumps({"method": method, "param": {"symbol": name}, "gzip": False})


# --- what comes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to something we sent; `why` is what it says, in the venue's words."""

    channel: str
    why: str = ""

    @property
    def ok(self) -> bool:
        return self.channel != ERROR and (self.channel != LOGIN or self.why == SUCCESS)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a channel. `made_s`: when the venue sent it, epoch seconds; None where it does not say."""

    channel: str
    body: Row
    made_s: float | None = None

    def data(self) -> Row:
        return table(self.body["data"], "data") if "data" in self.body else {}


def frame(data: bytes) -> Said | Message:
    """Raises `Malformed` for what is neither an answer nor a message of a channel."""
    body = loads(data)
    channel = text(body, "channel")
    if channel.startswith("push."):
        return Message(channel, body, epoch_s(body, "ts") if body.get("ts") not in (None, "") else None)
    words = body.get("data")
    said = " ".join(words.split())[:200] if isinstance(words, str) else ""
    return Said(channel, "".join(letter if letter.isprintable() else "?" for letter in said))


def ticker(message: Message) -> Ticker | None:
    """What a message says about a price, if it is about one. It says everything there is to say."""
    if message.channel != TICKER:
        return None
    row = message.data()
    return Ticker(mexc.symbol_of(text(row, "symbol")), whole=True, row=row, made_s=epoch_s(row, "timestamp"))


@dataclass(frozen=True, slots=True)
class News:
    """A fact of a message, and the venue's instant of it, epoch seconds (None: the message does not say)."""

    event: VenueEvent
    made_s: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What reading a message takes besides it. `at`: when it came, epoch seconds; `local` turns the venue's epoch
    seconds into ours; `known` are the contracts the venue lists; `held` are the ids of the positions the connection
    told of as open."""

    at: float
    local: Callable[[float], float]
    known: Mapping[Symbol, Instrument]
    held: dict[Symbol, int] = field(default_factory=dict)


def events(message: Message, view: View) -> tuple[list[News], int]:
    """The facts of a message, and how many of its rows are about what is not traded here.

    Raises `Malformed` where a row is not as documented.
    """
    read = {ORDER: _order, DEAL: _deal, POSITION: _position}.get(message.channel)
    if read is None:
        return [], 0
    row = message.data()
    name = text(row, "symbol")
    instrument = view.known.get(mexc.symbol_of(name))
    if instrument is None or instrument.venue_symbol != name:
        return [], 1
    return read(row, message, view), 0


def mode(message: Message) -> PositionMode | None:
    """The account's position mode, if the message is about it."""
    return mexc.position_mode(message.body) if message.channel == MODE else None


def _order(row: Row, message: Message, view: View) -> list[News]:
    """An order to which nothing more can happen."""
    order = mexc_orders.order_row(row)
    if not order.final:
        return []
    ended = outcome([order], ())
    event = VenueEvent(VenueEventKind.ORDER, view.at, order.symbol, client_id=order.client_id, outcome=ended)
    return [News(event, epoch_s(row, "updateTime"))]


def _deal(row: Row, message: Message, view: View) -> list[News]:
    fill, mine = mexc_orders.execution(row).fill, mexc_orders.client_id(row)
    told = replace(fill, client_id=mine, time=view.local(fill.time))
    event = VenueEvent(VenueEventKind.FILL, view.at, fill.symbol, fill=told, client_id=mine)
    return [News(event, fill.time)]


def _position(row: Row, message: Message, view: View) -> list[News]:
    """The end of a position says nothing of the symbol where another one was told of since."""
    position, number = mexc.position_of(row), integer(row, "positionId")
    if position.contracts:
        view.held[position.symbol] = number
    elif view.held.get(position.symbol, number) != number:
        return []
    made_s = epoch_s(row, "updateTime") if row.get("updateTime") not in (None, "") else message.made_s
    return [News(VenueEvent(VenueEventKind.POSITION, view.at, position.symbol, position=position), made_s)]
