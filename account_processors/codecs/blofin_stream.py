"""BloFin's private websocket: frames to domain values, and the frames we send.

Wire facts are from https://docs.blofin.com (WebSocket, WS Positions, Order and Account Channel). The rows are those of
the REST lists. The stream has no executions: an order tells how much of it was filled so far, and what was filled since
it last told so is one fill here. Positions have no sequence number, and whether one that was closed is told of is not
documented: a symbol that is in no message is not taken for flat.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from account_processors.codecs import blofin, blofin_orders
from account_processors.codecs.orders import OrderRow, outcome
from account_processors.codecs.wire import Malformed, Row, epoch_s, loads, number_or_none, rows, text
from core.domain import ZERO, Equity, Fill, Instrument, Symbol, VenueEvent, VenueEventKind

PRIVATE_PATH = "/ws/private"
POSITIONS, ORDERS, ACCOUNT = "positions", "orders", "account"
CHANNELS = (POSITIONS, ORDERS, ACCOUNT)
LOGIN, SUBSCRIBE, ERROR = "login", "subscribe", "error"
LOGIN_FAILED = "60009"
PING, PONG = "ping", "pong"
ORDERS_KEPT = 4096


# --- what we send -----------------------------------------------------------------------------------------------------


def login(api_key: str, api_secret: str, passphrase: str, stamp_ms: int) -> str:
    """The login at the venue's millisecond `stamp_ms`, which is the nonce too: it is taken once."""
    stamp = str(stamp_ms)
    signed = f"/users/self/verifyGET{stamp}{stamp}".encode()
    digest = hmac.new(api_secret.encode(), signed, hashlib.sha256).hexdigest()
    sign = base64.b64encode(digest.encode()).decode()
    fields = {"apiKey": api_key, "passphrase": passphrase, "timestamp": stamp, "sign": sign, "nonce": stamp}
    return json.dumps({"op": LOGIN, "args": [fields]})


def subscription(channels: Sequence[str]) -> str:
    return json.dumps({"op": SUBSCRIBE, "args": [{"channel": channel} for channel in channels]})


# --- what comes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to something we sent; a heart-beat's is `pong`. `why` is the venue's reason, in its words."""

    event: str
    channel: str = ""
    code: str = ""
    why: str = ""

    @property
    def ok(self) -> bool:
        return self.event != ERROR and self.code in ("", "0")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a channel; `body` is the whole frame."""

    channel: str
    body: Row


def frame(data: bytes) -> Said | Message:
    """Raises `Malformed` for what is neither an answer nor a message of a channel."""
    if data == PONG.encode():
        return Said(PONG)
    body = loads(data)
    event, arg = body.get("event"), body.get("arg")
    channel = arg.get("channel") if isinstance(arg, dict) else None
    named = channel if isinstance(channel, str) else ""
    if isinstance(event, str) and event:
        words = " ".join(str(body.get("msg", "")).split())[:200]
        why = "".join(letter if letter.isprintable() else "?" for letter in words)
        return Said(event, named, str(body.get("code", "")), why)
    if not named:
        raise Malformed("the frame has neither event nor channel")
    return Message(named, body)


@dataclass(frozen=True, slots=True)
class News:
    """A fact of a message, and the venue's instant of it, epoch seconds (None: the message does not say)."""

    event: VenueEvent
    made_s: float | None = None


@dataclass(slots=True)
class Progress:
    """How far orders had been filled when the connection last told of them, by the venue's id; the newest are kept."""

    _known: OrderedDict[str, tuple[Decimal, Decimal, Decimal]] = field(default_factory=OrderedDict)

    def since(self, row: OrderRow, fee: Decimal) -> tuple[Decimal, Decimal, Decimal] | None:
        """Contracts, value (contracts times price) and fee since the order was told of last; None: it tells less than
        it did, so it is an older message."""
        filled, value = row.filled, row.filled * (row.average_price or ZERO)
        before = self._known.get(row.order_id, (ZERO, ZERO, ZERO))
        if filled < before[0]:
            return None
        self._known[row.order_id] = (filled, value, fee)
        self._known.move_to_end(row.order_id)
        while len(self._known) > ORDERS_KEPT:
            self._known.popitem(last=False)
        return filled - before[0], value - before[1], fee - before[2]


@dataclass(frozen=True, slots=True)
class View:
    """What reading a message takes besides it. `at`: when it came, epoch seconds; `local` turns the venue's epoch
    seconds into ours; `known` are the contracts the venue lists; `progress` is the connection's."""

    at: float
    local: Callable[[float], float]
    known: Mapping[Symbol, Instrument]
    progress: Progress


def events(message: Message, view: View) -> tuple[list[News], int]:
    """The facts of a message, and how many of its rows are about what is not traded here.

    Raises `Malformed` where a row is not as documented, `Denied` for a position in hedge mode.
    """
    if message.channel == ACCOUNT:
        value = blofin.equity(message.body, blofin.SETTLE)
        equity = Equity(value, blofin.SETTLE, view.at)
        return [News(VenueEvent(VenueEventKind.EQUITY, view.at, equity=equity))], 0
    listed = rows(message.body, "data")
    if message.channel not in (POSITIONS, ORDERS):
        return [], len(listed)
    ours = [row for row in listed if _traded(row, view)]
    foreign = len(listed) - len(ours)
    if message.channel == POSITIONS:
        return _positions(ours, view), foreign
    return [one for row in ours for one in _order(row, view)], foreign


def _traded(row: Row, view: View) -> bool:
    inst_id = text(row, "instId")
    instrument = view.known.get(Symbol(inst_id.replace("-", "")))
    return instrument is not None and instrument.venue_symbol == inst_id


def _positions(listed: Sequence[Row], view: View) -> list[News]:
    """One fact per symbol. A flat row says so only where no other row of the message shows a position of the symbol."""
    found: dict[Symbol, News] = {}
    for row in listed:
        position = blofin.position(row)
        before = found.get(position.symbol)
        if before is not None and before.event.position is not None and before.event.position.contracts:
            if position.contracts:
                raise Malformed(blofin.TWO_POSITIONS.format(position.symbol))
            continue
        event = VenueEvent(VenueEventKind.POSITION, view.at, position.symbol, position=position)
        found[position.symbol] = News(event, epoch_s(row, "updateTime"))
    return list(found.values())


def _order(row: Row, view: View) -> list[News]:
    """What was filled since, then the order where nothing more can happen to it; none of an older message."""
    order, owner = blofin_orders.order_row(row)
    made_s = epoch_s(row, "updateTime")
    since = view.progress.since(order, number_or_none(row, "fee") or ZERO)
    if since is None:
        return []
    told: list[News] = []
    contracts, value, fee = since
    if contracts:
        fill = Fill(
            symbol=order.symbol,
            contracts=contracts * order.side.sign,
            price=value / contracts,
            fee=fee,
            time=view.local(made_s),
            exec_id=f"{order.order_id}:{order.filled.normalize():f}",
            client_id=order.client_id,
            kind=owner.kind,
        )
        event = VenueEvent(VenueEventKind.FILL, view.at, fill.symbol, fill=fill, client_id=fill.client_id)
        told.append(News(event, made_s))
    if order.final:
        ended = outcome([order], ())
        event = VenueEvent(VenueEventKind.ORDER, view.at, order.symbol, client_id=order.client_id, outcome=ended)
        told.append(News(event, made_s))
    return told
