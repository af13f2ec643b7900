"""Hyperliquid's websocket: frames to domain values, and the frames we send.

Wire facts are from https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket. There is no login.
Fills begin with a snapshot of old ones; the state of the account is always whole, so that a coin it does not name is
flat; an order's update names our id, a fill may not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from account_processors.codecs import hyperliquid as codec
from account_processors.codecs import hyperliquid_orders as orders
from account_processors.codecs.hyperliquid_orders import Moved
from account_processors.codecs.orders import OrderRow
from account_processors.codecs.wire import Malformed, Row, epoch_s, loads, rows, table, text
from core.domain import ClientId, Fill

PATH = "/ws"
FILLS, ORDERS, STATE = "userFills", "orderUpdates", "clearinghouseState"
CHANNELS = (FILLS, ORDERS, STATE)
SUBSCRIBED, ERROR, PONG = "subscriptionResponse", "error", "pong"
GREETING = "Websocket connection established."
"""Bare text that the official SDK expects first."""
PING = json.dumps({"method": "ping"})


def subscription(channel: str, user: str) -> str:
    return json.dumps({"method": "subscribe", "subscription": {"type": channel, "user": user}})


@dataclass(frozen=True, slots=True)
class Message:
    """One frame. `data` is whatever its channel carries."""

    channel: str
    data: object

    def row(self) -> Row:
        return table(self.data, f"the data of {self.channel}")


def frame(data: bytes) -> Message:
    """Raises `Malformed` for what has no channel and is no greeting."""
    if data == GREETING.encode():
        return Message("greeting", None)
    body = loads(data)
    return Message(text(body, "channel"), body.get("data"))


def confirmed(message: Message) -> str:
    """The channel a `subscriptionResponse` is about; '' for one that is not to a subscription of ours."""
    row = message.row()
    about = table(row.get("subscription"), "subscription")
    return text(about, "type") if row.get("method") == "subscribe" else ""


def refusal(message: Message) -> str:
    """What an `error` says, in the venue's words."""
    words = " ".join(str(message.data).split())[:200]
    return "".join(letter if letter.isprintable() else "?" for letter in words)


def about(message: Message, user: str) -> Row:
    """The data of a message about a user. Raises `Malformed` where that is somebody else."""
    row = message.row()
    if text(row, "user").lower() != user:
        raise Malformed(f"{message.channel} of somebody else")
    return row


def fills(row: Row, user: str) -> tuple[list[Moved], int]:
    """Fills of a `userFills`, and how many of its rows are about what is not traded here."""
    listed = rows(row, "fills")
    found = orders.fills(listed, user)
    return found, len(listed) - len(found)


def is_snapshot(row: Row) -> bool:
    return row.get("isSnapshot") is True


def updates(message: Message) -> tuple[list[tuple[OrderRow, float]], int]:
    """Orders of an `orderUpdates` with the venue's instant of each, and how many rows are not about what is traded."""
    listed = rows({codec.DATA: message.data}, codec.DATA)
    told = [(orders.update(row), epoch_s(row, "statusTimestamp")) for row in listed]
    found = [(row, at_s) for row, at_s in told if row is not None]
    return found, len(listed) - len(found)


def state(row: Row) -> codec.State:
    """The account of a `clearinghouseState`."""
    if row.get("dex") not in (None, ""):
        raise Malformed("the state is of another exchange")
    return codec.state(table(row.get("clearinghouseState"), "clearinghouseState"))


def owned(moved: Moved, owners: Mapping[str, ClientId | None], local: Callable[[float], float]) -> Fill:
    """The fill in our time, with its owner."""
    (execution,) = orders.owned([moved], owners)
    return replace(execution.fill, time=local(execution.fill.time))
