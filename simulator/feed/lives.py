"""Traders whose positions unfold over time. Pure: everything follows from a seed, a beginning and an instant.

A life is one trader: the positions it will ever have told of, as the wire has them, and how it goes on. What the feed
says at an instant is what of all lives had happened by then. Numbers are those of a feed, JSON's: no money is computed
from them here.
"""

from __future__ import annotations

import json
import math
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ORDERS_PER_POSITION = 20
DIGITS = 5
HISTORY = 24
"""Closed positions a generated trader comes with; fewer for those that are to be left out."""

Wire = dict[str, Any]
"""A position, or an order, as the feed delivers it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An asset: its price at a time of no movement, how often somebody trades it, and whether these are cryptos.

    `first_s` is how long after the beginning the first new order comes; `every_s` how far those after it are apart.
    """

    name: str
    price: float
    first_s: float
    every_s: float
    lean: float

    @property
    def wire(self) -> list[object]:
        return [self.name, f"{self.name[:-3]}/{self.name[-3:]}", 0.003, 0.01, 0.5]

    def price_at(self, at_ms: int) -> float:
        """Two slow waves, a fraction of a percent high."""
        hours = at_ms / HOUR_MS
        wave = 0.003 * math.sin(hours / 7) + 0.001 * math.sin(hours * 1.7)
        return round(self.price * (1 + wave), 2)


PAIRS = (
    Pair("BTCUSD", 64_000.0, first_s=300.0, every_s=300.0, lean=0.022),
    Pair("ETHUSD", 3_200.0, first_s=90.0, every_s=60.0, lean=0.05),
)


@dataclass(frozen=True, slots=True)
class Life:
    """`past` is told from the beginning on; `going_on(at_ms)` are the positions since then, whole orders and all."""

    hotkey: str
    past: tuple[Wire, ...]
    all_time: float
    thirty_day: float
    going_on: Callable[[int], list[Wire]] = field(default=lambda at_ms: [])


def reply_at(lives: Sequence[Life], at_ms: int) -> dict[str, Wire]:
    """What the feed says at an instant, as the JSON object of its reply."""
    return {life.hotkey: record_at(life, at_ms) for life in lives}


def record_at(life: Life, at_ms: int) -> Wire:
    positions = [position for whole in (*life.past, *life.going_on(at_ms)) if (position := cut(whole, at_ms))]
    won = [position for position in positions if (position["return_at_close"] or position["current_return"]) > 1]
    return {
        "all_time_returns": life.all_time,
        "thirty_day_returns": life.thirty_day,
        "n_positions": len(positions),
        "percentage_profitable": round(len(won) / len(positions), 4) if positions else 0.0,
        "positions": positions,
    }


def cut(whole: Wire, at_ms: int) -> Wire | None:
    """A position as it stood at an instant; None: it was not opened yet."""
    if whole["open_ms"] > at_ms:
        return None
    if not whole["is_closed_position"] or whole["close_ms"] <= at_ms:
        return whole
    orders = [order for order in whole["orders"] if order["processed_ms"] <= at_ms]
    net = sum(order["leverage"] for order in orders)
    open_again = {"is_closed_position": False, "close_ms": None, "return_at_close": None}
    kind = "LONG" if net >= 0 else "SHORT"
    return {**whole, **open_again, "orders": orders, "net_leverage": round(net, DIGITS), "position_type": kind}


# --- generated --------------------------------------------------------------------------------------------------------


def generated(seed: int, count: int, began_ms: int, pairs: Sequence[Pair] = PAIRS) -> tuple[Life, ...]:
    """`count` traders; of eight the last two are such that nobody should follow them."""
    chances = [random.Random(f"{seed}/{number}") for number in range(count)]  # noqa: S311 - replayable, not secret
    return tuple(_generated(chance, number, count, began_ms, pairs) for number, chance in enumerate(chances))


def _generated(chance: random.Random, number: int, count: int, began_ms: int, pairs: Sequence[Pair]) -> Life:
    hotkey = "5" + "".join(chance.choices(ALPHABET, k=47))
    follow = number % 8 < 6
    past = tuple(_past(chance, pairs, began_ms, follow, number))
    whole = math.prod(position["return_at_close"] for position in past)
    # Each trader has leanings of its own, so that the ranking decides something.
    leans = {pair.name: pair.lean * (1 + 0.4 * math.sin(number * 2.1 + index)) for index, pair in enumerate(pairs)}
    names = chance.getrandbits(64)

    def going_on(at_ms: int) -> list[Wire]:
        return [
            position
            for pair in pairs
            for position in _moving(pair, leans[pair.name], number, count, began_ms, at_ms, names)
        ]

    return Life(hotkey, past, round(max(whole, 1.01) if follow else whole, 6), round(1 + whole / 100, 6), going_on)


def _past(chance: random.Random, pairs: Sequence[Pair], began_ms: int, follow: bool, number: int) -> Iterator[Wire]:
    history = HISTORY + 2 * number if follow else HISTORY
    for index in range(history):
        pair = pairs[index % len(pairs)]
        open_ms = (
            began_ms - 12 * DAY_MS + (12 * DAY_MS - 2 * HOUR_MS) * index // history + chance.randrange(HOUR_MS // 2)
        )
        side = chance.choice((1, -1))
        orders = [
            _order(chance.getrandbits(128), side * 0.02, pair.price_at(at_ms), at_ms)
            for at_ms in (open_ms, open_ms + HOUR_MS // 3)
        ]
        close_ms = open_ms + HOUR_MS
        orders.append(_order(chance.getrandbits(128), 0.0, pair.price_at(close_ms), close_ms, "FLAT"))
        lucky = chance.random() < (0.85 - 0.02 * number if follow else 0.4)
        won = chance.uniform(0.001, 0.006) if lucky else -chance.uniform(0.001, 0.004)
        yield _position(pair, orders, chance.getrandbits(128), round(1 + won, 6))


def _moving(pair: Pair, lean: float, number: int, count: int, began_ms: int, at_ms: int, names: int) -> Iterator[Wire]:
    """The positions a trader has had on an asset since the beginning; the last of them is open.

    Somebody places an order every `every_s`, one trader after the other; this one is the `number`-th of `count`.
    """
    elapsed_s = (at_ms - began_ms) / 1000 - pair.first_s
    ticks = range(number, int(elapsed_s // pair.every_s) + 1, count) if elapsed_s >= 0 else range(0)
    times = [began_ms - HOUR_MS, *(began_ms + round((pair.first_s + tick * pair.every_s) * 1000) for tick in ticks)]
    for begin in range(0, len(times), ORDERS_PER_POSITION):
        part = times[begin : begin + ORDERS_PER_POSITION]
        orders, net = [], 0.0
        for step, placed_ms in enumerate(part, start=begin):
            wanted = round(lean * (1 + 0.5 * math.sin(step * 1.3 + number)), DIGITS)
            name = _mixed(names, pair.name, step)
            orders.append(_order(name, round(wanted - net, DIGITS), pair.price_at(placed_ms), placed_ms))
            net = wanted
        ended = begin + ORDERS_PER_POSITION < len(times)
        if ended:
            close_ms = times[begin + ORDERS_PER_POSITION] - 1
            name = _mixed(names, pair.name, -begin - 1)
            orders.append(_order(name, 0.0, pair.price_at(close_ms), close_ms, "FLAT"))
        now_ms = orders[-1]["processed_ms"] if ended else at_ms
        won = sum(o["leverage"] * (pair.price_at(now_ms) / o["price"] - 1) for o in orders)
        yield _position(pair, orders, _mixed(names, pair.name, begin, "position"), round(1 + won, 9))


def _mixed(*parts: object) -> int:
    return random.Random("/".join(map(str, parts))).getrandbits(128)  # noqa: S311 - replayable, not secret


def _order(name: int, leverage: float, price: float, at_ms: int, kind: str | None = None) -> Wire:
    return {
        "order_type": kind or ("LONG" if leverage >= 0 else "SHORT"),
        "leverage": leverage,
        "price": price,
        "processed_ms": at_ms,
        "order_uuid": str(uuid.UUID(int=name)),
    }


def _position(pair: Pair, orders: list[Wire], name: int, result: float) -> Wire:
    """A position of these orders: closed if the last one is FLAT."""
    closed = orders[-1]["order_type"] == "FLAT"
    net = 0.0 if closed else round(sum(order["leverage"] for order in orders), DIGITS)
    return {
        "trade_pair": pair.wire,
        "orders": orders,
        "is_closed_position": closed,
        "open_ms": orders[0]["processed_ms"],
        "close_ms": orders[-1]["processed_ms"] if closed else None,
        "net_leverage": net,
        "current_return": result,
        "return_at_close": result if closed else None,
        "position_type": "FLAT" if closed else "LONG" if net >= 0 else "SHORT",
        "position_uuid": str(uuid.UUID(int=name)),
    }


# --- recorded ---------------------------------------------------------------------------------------------------------


class BadRecording(Exception):
    """The file is no recording of positions; the text says what was expected."""


def recorded(data: bytes, began_ms: int, *, tail_s: float = 2 * 86_400.0, speed: float = 1.0) -> tuple[Life, ...]:
    """The traders of a recording, a JSON list of positions (each as an object, or as the text of one).

    Its last `tail_s` seconds are replayed from the beginning on, `speed` times as fast; what was before is history.
    Raises BadRecording.
    """
    try:
        whole = [json.loads(one) if isinstance(one, str) else one for one in json.loads(data)]
        end_ms: int = max(order["processed_ms"] for position in whole for order in position["orders"])
        hotkeys = list(dict.fromkeys(position["miner_hotkey"] for position in whole))
    except (ValueError, TypeError, KeyError) as error:
        raise BadRecording(
            f"a JSON list of positions was expected, each with miner_hotkey and orders ({error})"
        ) from None

    def moved(at_ms: int) -> int:
        return began_ms + round((at_ms - end_ms + tail_s * 1000) / speed)

    def shifted(position: Wire) -> Wire:
        orders = [{**order, "processed_ms": moved(order["processed_ms"])} for order in position["orders"]]
        close_ms = None if position["close_ms"] is None else moved(position["close_ms"])
        return {**position, "orders": orders, "open_ms": moved(position["open_ms"]), "close_ms": close_ms}

    return tuple(
        Life(hotkey, tuple(shifted(one) for one in whole if one["miner_hotkey"] == hotkey), 1.05, 1.01)
        for hotkey in hotkeys
    )
