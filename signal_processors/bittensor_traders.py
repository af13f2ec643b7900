"""Traders of Bittensor SN8, purely: from one trader's record of the feed to the positions that count at an instant.

Wire facts, from the network's own interface: returns are multiplicative (1.0: nothing won). Orders are signed leverage
increments (a SHORT order reduces a long position); a FLAT order ends it. `trade_pair` is a list: asset, its name with a
slash, fees, least and greatest leverage. Instants are epoch milliseconds; `close_ms` is null while a position is open.
The numbers are doubles in their sender, so a double holds them exactly; they become decimals by the shortest text that
stands for them, which is the text that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from core.domain import ZERO

ORDER_TYPES = ("LONG", "SHORT", "FLAT")
FLAT = "FLAT"
MAX_RETURN = 1_000
MAX_LEVERAGE = 1_000
ABSURD_X = 20
"""An increment beyond so many times what its pair allows is no trade. Old limits were wider than today's."""
MAX_ORDERS = 100_000

_at_ms = itemgetter("processed_ms")


class BadReply(Exception):
    """The feed's reply is not an opinion; the text says why, without what it held."""


class Position(NamedTuple):
    """One position as it stood at the as-of instant. `won` is its return less 1, `net` its signed leverage.

    `closed_ms` None: open. `entry_size` and `entry_value` are the sums of |leverage| and |leverage| x price over the
    orders that took |net| up; both 0 without any.
    """

    asset: str
    uuid: str
    open_ms: int
    closed_ms: int | None
    newest_ms: int
    won: Decimal
    net: Decimal = ZERO
    entry_size: Decimal = ZERO
    entry_value: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Trader:
    """A trader's positions on mapped assets. The two returns are None where the feed gives none."""

    hotkey: str
    all_time: Decimal | None
    thirty_day: Decimal | None
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class View:
    """How records are read: which assets count, until when (None: everything delivered), and the leverage that is 1.

    `latest_ms`: an instant beyond it lies in the future, and a reply that has one is refused.
    """

    assets: frozenset[str]
    leverage_limit: Decimal
    as_of_ms: int | None = None
    latest_ms: int | None = None


def trader_of(
    hotkey: str, record: Mapping[str, Any], view: View, past: tuple[Position, ...] = (), skipped: int = 0
) -> Trader:
    """The trader in a record of the feed. Raises BadReply naming trader, position and field.

    `past`: what counts of the `skipped` positions before those in the record.
    """
    positions = record.get("positions")
    if type(positions) is not list:
        raise BadReply(f"{hotkey}: positions {_found(record, 'positions')}; a list was expected")
    found = []
    for number, raw in enumerate(positions):
        try:
            position = _position(raw, view)
        except BadReply as error:
            raise BadReply(f"{hotkey}: positions[{skipped + number}]: {error}") from None
        if position is not None:
            found.append(position)
    return Trader(
        hotkey,
        None if record.get("all_time_returns") is None else _return(record, "all_time_returns", hotkey),
        None if record.get("thirty_day_returns") is None else _return(record, "thirty_day_returns", hotkey),
        (*past, *found),
    )


def key_count(value: object) -> int:
    """How many keys the objects in `value` hold, inner ones included."""
    if type(value) is dict:
        return len(value) + sum(map(key_count, value.values()))
    return sum(map(key_count, value)) if type(value) is list else 0


def keys_of_record(record: Mapping[str, Any]) -> int:
    """`key_count` of a trader's record of the usual shape: quick, and too low where there are more objects in it."""
    listed = record.get("positions")
    positions = [raw for raw in listed if type(raw) is dict] if type(listed) is list else []
    orders = chain.from_iterable(raw["orders"] for raw in positions if type(raw.get("orders")) is list)
    return len(record) + sum(map(len, positions)) + sum(len(order) for order in orders if type(order) is dict)


# --- one position -----------------------------------------------------------------------------------------------------


def _position(raw: Any, view: View) -> Position | None:
    """The position at the as-of instant; None if it is on an asset that does not count, or did not exist then."""
    if type(raw) is not dict:
        raise BadReply("is not an object")
    asset = _asset(raw)
    if asset not in view.assets:
        return None
    open_ms, orders = _instant(raw, "open_ms"), raw.get("orders")
    uuid = raw.get("position_uuid")
    if type(uuid) is not str or not 0 < len(uuid) <= 128:
        raise BadReply(f"position_uuid {_found(raw, 'position_uuid')}; a text was expected")
    if type(orders) is not list or len(orders) > MAX_ORDERS:
        raise BadReply(f"orders {_found(raw, 'orders')}; a list was expected")
    newest_ms = max(_newest_ms(orders), open_ms if not orders else 0)
    closed_ms = _closed_ms(raw, open_ms, newest_ms)
    newest_ms = max(newest_ms, closed_ms or 0)
    if view.latest_ms is not None and max(newest_ms, open_ms) > view.latest_ms:
        raise BadReply("was traded in the future, by the clock of this machine")
    as_of_ms = view.as_of_ms
    if as_of_ms is not None:
        if open_ms > as_of_ms:
            return None
        if newest_ms > as_of_ms:
            orders = [order for order in orders if order["processed_ms"] <= as_of_ms]
            newest_ms = max(map(_at_ms, orders), default=open_ms)
            closed_ms = None if closed_ms is not None and closed_ms > as_of_ms else closed_ms
            newest_ms = max(newest_ms, closed_ms or 0)
    if closed_ms is not None:
        return Position(asset, uuid, open_ms, closed_ms, newest_ms, _return(raw, "return_at_close") - 1)
    won = _return(raw, "current_return") - 1
    return Position(asset, uuid, open_ms, None, newest_ms, won, *_standing(orders, _bound(raw, view)))


def _asset(raw: Mapping[str, Any]) -> str:
    pair = raw.get("trade_pair")
    if type(pair) is not list or not pair or type(pair[0]) is not str:
        raise BadReply(f"trade_pair {_found(raw, 'trade_pair')}; a list that begins with the asset was expected")
    asset: str = pair[0]
    return asset


def _newest_ms(orders: list[Any]) -> int:
    """The instant of the newest order, 0 without any."""
    if not orders:
        return 0
    try:
        newest_ms = max(map(_at_ms, orders))
    except (KeyError, TypeError):
        raise BadReply("has an order without a processed_ms, in milliseconds") from None
    if type(newest_ms) is not int or newest_ms < 0:
        raise BadReply("has an order whose processed_ms is no instant in milliseconds")
    return newest_ms


def _closed_ms(raw: Mapping[str, Any], open_ms: int, newest_ms: int) -> int | None:
    closed = raw.get("is_closed_position")
    if type(closed) is not bool:
        raise BadReply(f"is_closed_position {_found(raw, 'is_closed_position')}; true or false was expected")
    if not closed:
        return None
    closed_ms = newest_ms if raw.get("close_ms") is None else _instant(raw, "close_ms")
    if closed_ms < open_ms:
        raise BadReply("was closed before it was opened")
    return closed_ms


def _instant(raw: Mapping[str, Any], name: str) -> int:
    found = raw.get(name)
    if type(found) is not int or found < 0:
        raise BadReply(f"{name} {_found(raw, name)}; an instant in milliseconds was expected")
    return found


def _return(raw: Mapping[str, Any], name: str, hotkey: str = "") -> Decimal:
    found = raw.get(name)
    if (type(found) is not float and type(found) is not int) or not 0 <= found <= MAX_RETURN:
        what = f"{name} {_found(raw, name)}; a factor of 0 to {MAX_RETURN} was expected"
        raise BadReply(f"{hotkey}: {what}" if hotkey else what)
    return _exact(found)


def _exact(found: float) -> Decimal:
    """The decimal whose shortest text the number was sent as."""
    return Decimal(repr(found))


def _bound(raw: Mapping[str, Any], view: View) -> float:
    """The largest increment that is still believed for this position."""
    allowed: object = raw["trade_pair"][-1]
    pair = float(allowed) if isinstance(allowed, int | float) and 0 < allowed <= MAX_LEVERAGE else 0.0
    return min(MAX_LEVERAGE, ABSURD_X * max(pair, float(view.leverage_limit)))


def _standing(orders: list[Any], bound: float) -> tuple[Decimal, Decimal, Decimal]:
    """Net leverage and what its entries sum to: size, and size times price."""
    net = size = value = ZERO
    flat = False
    for order in sorted(orders, key=_at_ms):
        if order["processed_ms"] < 0:
            raise BadReply("has an order whose processed_ms is below 0")
        kind = order.get("order_type")
        if kind not in ORDER_TYPES:
            raise BadReply(f"has an order whose order_type {_found(order, 'order_type')}; LONG, SHORT or FLAT expected")
        if kind == FLAT:
            flat = True
            continue
        leverage, price = order.get("leverage"), order.get("price")
        if (type(leverage) is not float and type(leverage) is not int) or not -bound <= leverage <= bound:
            raise BadReply(f"has an order whose leverage {_found(order, 'leverage')}; at most {bound:g} is believed")
        if (type(price) is not float and type(price) is not int) or not 0 < price < 1e15:
            raise BadReply(f"has an order whose price {_found(order, 'price')}; a number above 0 was expected")
        step = _exact(leverage)
        if abs(net + step) > abs(net):
            size += abs(step)
            value += abs(step) * _exact(price)
        net += step
    return (ZERO, ZERO, ZERO) if flat else (net, size, value)


def _found(raw: Mapping[str, Any], name: str) -> str:
    """What a field holds, for a message: short, since somebody else wrote it."""
    if name not in raw:
        return "is missing"
    found = raw[name]
    if found is None or isinstance(found, bool | int | float):
        text = repr(found)
        return f"is {text if len(text) <= 24 else text[:24] + '…'}"
    return f"is {'a text' if isinstance(found, str) else 'a list' if isinstance(found, list) else 'an object'}"
