"""The local SN8 feed: traders that unfold over time, generated and recorded, and never tell of what is to come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.feed.faults import ALTERED, BYTES, KINDS, body_of
from simulator.feed.lives import (
    DAY_MS,
    HOUR_MS,
    ORDERS_PER_POSITION,
    PAIRS,
    BadRecording,
    generated,
    recorded,
    reply_at,
)
from simulator.feed.server import Fault, Feed, push

BEGAN_MS = 1_760_000_000_000


def positions(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [position for record in reply.values() for position in record["positions"]]


def orders(reply: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {order["order_uuid"]: order for position in positions(reply) for order in position["orders"]}


def test_the_same_seed_tells_the_same_and_another_another() -> None:
    later = BEGAN_MS + HOUR_MS
    first, again, other = (reply_at(generated(seed, 5, BEGAN_MS), later) for seed in (1, 1, 2))
    assert first == again
    assert set(first).isdisjoint(other)


def test_what_was_told_stays_told_and_nothing_comes_early() -> None:
    lives = generated(4, 6, BEGAN_MS)
    told: dict[str, dict[str, Any]] = {}
    for minutes in range(0, 60 * 12, 7):
        now_ms = BEGAN_MS + minutes * 60_000
        reply = reply_at(lives, now_ms)
        found = orders(reply)
        assert told.items() <= found.items()
        assert all(order["processed_ms"] <= now_ms for order in found.values())
        told = found
    assert all(len(position["orders"]) <= ORDERS_PER_POSITION + 1 for position in positions(reply))
    assert any(position["is_closed_position"] for position in positions(reply) if position["open_ms"] >= BEGAN_MS)


def test_every_position_is_consistent_with_itself() -> None:
    reply = reply_at(generated(4, 8, BEGAN_MS), BEGAN_MS + 2 * DAY_MS)
    for position in positions(reply):
        steps = position["orders"]
        assert position["open_ms"] == steps[0]["processed_ms"]
        assert [s["processed_ms"] for s in steps] == sorted(s["processed_ms"] for s in steps)
        assert position["is_closed_position"] == (steps[-1]["order_type"] == "FLAT")
        assert (position["close_ms"] is None) == (position["return_at_close"] is None)
        assert position["trade_pair"][0] in {pair.name for pair in PAIRS}
    names = [position["position_uuid"] for position in positions(reply)]
    assert len(set(names)) == len(names)


def test_an_order_by_hand_goes_into_every_open_position() -> None:
    reply = reply_at(generated(8, 3, BEGAN_MS), BEGAN_MS)
    order = {"asset": "BTCUSD", "order_uuid": "pushed-0", "processed_ms": BEGAN_MS + 1, "leverage": 0.1}
    before = len(orders(reply))
    for number, record in enumerate(reply.values()):
        push(record, order, number)
    assert len(orders(reply)) == before + 3


RECORDING = [
    {
        "miner_hotkey": hotkey,
        "position_uuid": f"p{number}",
        "trade_pair": ["BTCUSD", "BTC/USD", 0.003, 0.001, 20],
        "orders": [
            {"order_type": "LONG",
             "leverage": 0.1, "price": 1.0, "processed_ms": 1000 * at_s, "order_uuid": f"{number}-{at_s}"}
            for at_s in steps
        ],
        "open_ms": 1000 * steps[0],
        "close_ms": 1000 * steps[-1] if closed else None,
        "is_closed_position": closed,
        "current_return": 1.01,
        "return_at_close": 1.02 if closed else None,
    }
    for number, (hotkey, steps, closed) in enumerate(
        [("5A", (100, 200), True), ("5A", (900, 960, 1000), True), ("5B", (950,), False)]
    )
]  # fmt: skip


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_the_end_of_a_recording_is_replayed_from_now_on(speed: float) -> None:
    data = json.dumps([json.dumps(one) for one in RECORDING]).encode()
    lives = recorded(data, BEGAN_MS, tail_s=100.0, speed=speed)
    assert [life.hotkey for life in lives] == ["5A", "5B"]

    def after(seconds: float) -> dict[str, Any]:
        return reply_at(lives, BEGAN_MS + round(seconds * 1000 / speed))

    assert [len(record["positions"]) for record in after(0).values()] == [2, 0]
    assert [len(record["positions"]) for record in after(50).values()] == [2, 1]
    held = after(60)["5A"]["positions"][1]
    assert (held["is_closed_position"], held["return_at_close"], len(held["orders"])) == (False, None, 2)
    over = after(100)["5A"]["positions"][1]
    assert (over["is_closed_position"], over["return_at_close"], len(over["orders"])) == (True, 1.02, 3)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'[{"orders": []}]', b"[]"])
def test_what_is_no_recording_is_said(data: bytes) -> None:
    with pytest.raises(BadRecording, match="JSON list of positions"):
        recorded(data, BEGAN_MS)


@pytest.mark.parametrize("kind", [*ALTERED, *BYTES])
def test_every_fault_changes_the_reply_and_none_changes_the_next(kind: str) -> None:
    reply = reply_at(generated(8, 4, BEGAN_MS), BEGAN_MS)
    good = body_of(reply, None, 0)
    assert body_of(reply, kind, 0.5) != good
    assert body_of(reply, None, 0) == good
    assert kind in KINDS


def test_a_fault_with_a_count_ends_by_itself() -> None:
    feed = Feed(generated(8, 1, BEGAN_MS), "key", fault=Fault("half", count=2))
    assert [feed.take_fault() is not None for _ in range(3)] == [True, True, False]
