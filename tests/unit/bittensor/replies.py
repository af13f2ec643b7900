"""Replies of the feed for tests: small ones by hand, and the program's own answer to any of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from config.bittensor import BittensorKeys
from signal_processors.bittensor_feed import read_reply
from signal_processors.bittensor_opinion import Opinion, opinions
from signal_processors.bittensor_ranking import Ranking, rank
from signal_processors.bittensor_traders import Trader, View

NOW_MS = 1_760_000_000_000
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
ASSETS = ("BTCUSD", "ETHUSD")


def order(leverage: float, at_ms: int, price: float = 60_000.0, kind: str | None = None) -> dict[str, Any]:
    return {
        "order_type": kind or ("LONG" if leverage >= 0 else "SHORT"),
        "leverage": leverage,
        "price": price,
        "processed_ms": at_ms,
        "order_uuid": f"o-{leverage}-{at_ms}-{price}",
    }


def position(
    result: float = 1.01,
    age_h: float = 24.0,
    lasts_h: float | None = 1.0,
    asset: str = "BTCUSD",
    leverages: Sequence[float] = (0.1,),
    prices: Sequence[float] = (60_000.0,),
    now_ms: int = NOW_MS,
) -> dict[str, Any]:
    """Opened `age_h` hours ago; `lasts_h` None: still open."""
    open_ms = now_ms - round(age_h * HOUR_MS)
    orders = [
        order(leverage, open_ms + 1000 * number, prices[number % len(prices)])
        for number, leverage in enumerate(leverages)
    ]
    closed = lasts_h is not None
    close_ms = open_ms + round((lasts_h or 0) * HOUR_MS) if closed else None
    if close_ms is not None:
        orders.append(order(0.0, close_ms, prices[-1], "FLAT"))
    return {
        "trade_pair": [asset, f"{asset[:3]}/{asset[3:]}", 0.003, 0.01, 0.5],
        "orders": orders,
        "is_closed_position": closed,
        "open_ms": open_ms,
        "close_ms": close_ms,
        "net_leverage": 0.0 if closed else sum(leverages),
        "current_return": result,
        "return_at_close": result if closed else None,
        "position_type": "FLAT" if closed else "LONG",
        "position_uuid": f"p-{asset}-{open_ms}-{result}-{closed}-{sum(leverages)}",
    }


def miner(*positions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"all_time_returns": 1.05, "thirty_day_returns": 1.02, "positions": list(positions), **fields}


def good_miner(net: float = 0.1, asset: str = "BTCUSD", trades: int = 12, **fields: Any) -> dict[str, Any]:
    """One that is kept: closed winners, one small loser, and an open position of `net` leverage."""
    past = [position(1.01 if n else 0.999, age_h=10.0 + 7 * n, asset=asset) for n in range(trades - 1)]
    return miner(*past, position(1.001, 2.0, None, asset, (net,)), **fields)


def encoded(reply: object) -> bytes:
    return json.dumps(reply).encode()


def read(
    reply: object, as_of_ms: int | None = None, assets: Sequence[str] = ASSETS, limit: str = "0.5"
) -> dict[str, Trader]:
    data = reply if isinstance(reply, bytes) else encoded(reply)
    view = View(frozenset(assets), Decimal(limit), as_of_ms, None if as_of_ms else NOW_MS + 10_000)
    return read_reply(iter([data]), view)


def ranked(reply: object, keys: BittensorKeys | None = None, as_of_ms: int = NOW_MS) -> Ranking:
    return rank(read(reply).values(), keys or BittensorKeys(), as_of_ms)


def judged(
    reply: object, as_of_ms: int = NOW_MS, assets: Sequence[str] = ASSETS, keys: BittensorKeys | None = None
) -> dict[str, Opinion]:
    """The program's answer: reading, ranking, blending."""
    keys = keys or BittensorKeys()
    traders = read(reply, as_of_ms, assets, str(keys.leverage_limit_crypto))
    return opinions(rank(traders.values(), keys, as_of_ms).ranked, assets, keys)


REPLY = {"5A": good_miner(0.1), "5B": good_miner(0.2, "ETHUSD"), "5C": good_miner(-0.1)}
"""Three that are kept."""


def moved(reply: dict[str, Any], leverage: float = 0.05, hotkey: str = "5A") -> dict[str, Any]:
    """The reply after one more order."""
    found = copy.deepcopy(reply)
    last = found[hotkey]["positions"][-1]
    last["orders"].append(order(leverage, last["orders"][-1]["processed_ms"] + 1000))
    return found
