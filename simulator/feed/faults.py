"""What can be wrong with a reply of the feed. Each kind is made from the good reply of the same instant."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

HUGE_BYTES = 100 * 1024 * 1024
PIECE = b"x" * 65_536

Reply = dict[str, Any]


def _each_open(reply: Reply) -> list[dict[str, Any]]:
    return [one for record in reply.values() for one in record["positions"] if not one["is_closed_position"]]


def _lost(reply: Reply, value: float) -> Reply:
    """`value`: the share of traders that vanish."""
    stay = len(reply) - round(len(reply) * value)
    return dict(list(reply.items())[:stay])


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Reply, float], Reply]:
    def changed(reply: Reply, value: float) -> Reply:
        found = copy.deepcopy(reply)
        for position in _each_open(found):
            change(position)
        return found

    return changed


def _set_orders(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda position: [order.update({name: value}) for order in position["orders"]]


ALTERED: Mapping[str, Callable[[Reply, float], Reply]] = {
    "lost": _lost,
    "future": _changed(_set_orders("processed_ms", 4_102_444_800_000)),
    "negative": _changed(_set_orders("processed_ms", -1)),
    "missing": _changed(lambda position: position.pop("current_return")),
    "absurd": _changed(_set_orders("leverage", 1e6)),
    "no_traders": lambda reply, value: {},
}
"""Replies that are JSON and say something that cannot be."""

BYTES: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "garbage": lambda whole: b"<html><body>Bad gateway</body></html>",
    "nan": lambda whole: whole.replace(b'"all_time_returns": 1', b'"all_time_returns": NaN, "x": 1', 1),
    "twice": lambda whole: whole.replace(b'"positions": [', b'"positions": [], "positions": [', 1),
}
"""Replies that are not the JSON they should be."""

SENDING = ("status", "hang", "slow", "huge", "reset")
"""How a reply is sent: with another status (`value`), never, in drops, 100 MB of something else, cut off."""

KINDS = (*ALTERED, *BYTES, *SENDING)


def body_of(reply: Reply, kind: str | None, value: float) -> bytes:
    """The reply's bytes, with what is wrong with them."""
    alter, spoil = ALTERED.get(kind or ""), BYTES.get(kind or "")
    whole = json.dumps(reply if alter is None else alter(reply, value)).encode()
    return whole if spoil is None else spoil(whole)
