"""The simulated Bybit's messages beside recorded ones, field by field.

A recorded field must be there with the same JSON type. A further one must be in the documentation, and is named here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.bybit_door import pinned
from tests.contract.bybit_wire import PRIVATE, PUBLIC, Wire
from tests.contract.coverage import shapes

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "venues" / "bybit" / "Subscriptions" / "V5"

TOPICS: Mapping[str, tuple[str, str]] = {
    "Private/Order": (PRIVATE, "order"),
    "Private/Position": (PRIVATE, "position"),
    "Private/UserTrades": (PRIVATE, "execution"),
    "Private/MinimalUserTrades": (PRIVATE, "execution.fast"),
    "Private/Balance": (PRIVATE, "wallet"),
    "Linear/Ticker": (PUBLIC, "tickers.BTCUSDT"),
    "Linear/Trades": (PUBLIC, "publicTrade.BTCUSDT"),
    "Option/Book": (PUBLIC, "orderbook.50.BTCUSDT"),
}
"""Recorded exchange -> where and what is subscribed to. The recorded book is an option's; its message is the same."""

DOCUMENTED: Mapping[str, set[str]] = {
    "Private/Order": {
        "parentOrderLinkId", "isLeverage", "createType", "marketUnit", "slippageToleranceType", "slippageTolerance",
        "cumFeeDetail", "rpiTakerAccess", "rpiMatchedQty",
    },
    "Private/Position": {"breakEvenPrice", "positionIMByMp", "positionMMByMp", "openTime"},
    "Private/UserTrades": {"createType", "marketUnit", "execPnl", "extraFees", "feeCurrency"},
    "Private/MinimalUserTrades": {"isMaker"},
    "Private/Balance": {
        "accountIMRateByMp", "accountMMRateByMp", "totalInitialMarginByMp", "totalMaintenanceMarginByMp", "spotBorrow",
        "colRes",
    },
    "Linear/Ticker": {"fundingIntervalHour", "fundingCap", "preOpenPrice", "preQty", "curPreListingPhase"},
    "Linear/Trades": {"RPI", "seq"},
    "Option/Book": set(),
}  # fmt: skip
"""Fields beyond the recorded ones. Source: https://bybit-exchange.github.io/docs/v5/websocket"""


def fields(value: object) -> Iterator[tuple[str, str]]:
    return shapes.fields(value, frozenset({"cumFeeDetail"}))


def recorded(name: str) -> tuple[list[Any], list[Any], Any]:
    """What was sent, what answered, and the message; slots of the recording stand as texts."""
    file = RECORDED / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded messages at {RECORDED}: nothing to compare with")
    frames, _, message = file.read_text(encoding="utf-8-sig").partition("\n=")
    lines = [(line[0], json.loads(line[1:])) for line in frames.splitlines() if line.strip()]
    said, answered = ([frame for mark, frame in lines if mark == sign] for sign in "><")
    return said, answered, json.loads(message)


def ours(name: str) -> tuple[list[Any], Any]:
    """Our answers and our message for the same, once flat and once held."""
    path, topic = TOPICS[name]
    door = pinned()
    wire = Wire(door, path)
    answers = [wire.login()] if path == PRIVATE else []
    answers.append(wire.say("subscribe", topic, req_id="1"))
    door.order()
    (message,) = wire.news()
    return answers, message


@pytest.mark.parametrize("name", TOPICS)
def test_messages_have_the_recorded_fields(name: str) -> None:
    _, _, theirs = recorded(name)
    _, message = ours(name)
    have, want = set(fields(message)), set(fields(theirs))
    missing = {f"{place} ({what})" for place, what in want - have}
    extra = {place.rpartition(".")[2] for place, _ in have} - {place.rpartition(".")[2] for place, _ in want}
    assert (missing, extra - DOCUMENTED[name]) == (set(), set())
    assert DOCUMENTED[name] <= extra, "a documented field has since been recorded: drop it from the table"


@pytest.mark.parametrize("name", [name for name in TOPICS if not name.startswith("Option")])
def test_answers_have_the_recorded_fields(name: str) -> None:
    said, theirs, _ = recorded(name)
    answers, _ = ours(name)
    assert [frame["op"] for frame in said] == [answer["op"] for answer in answers]
    for answer, recorded_answer in zip(answers, theirs, strict=True):
        kinds = dict(fields(recorded_answer))
        assert set(fields(answer)) <= kinds.items()
        assert kinds.keys() - dict(fields(answer)).keys() <= {".req_id"}, "an id nobody asked under is left out"


def test_a_flat_position_looks_like_the_recorded_one() -> None:
    _, _, theirs = recorded("Private/Position")
    door = pinned()
    door.order()
    wire = Wire(door)
    wire.login()
    wire.say("subscribe", "position")
    door.order(side="Sell", reduceOnly=True)
    ((_, row),) = wire.told()
    (flat,) = theirs["data"]
    constant = [name for name, value in flat.items() if value in ("", "0", 0, False)]
    assert {"side", "size", "entryPrice", "positionValue", "liqPrice", "unrealisedPnl", "takeProfit"} <= set(constant)
    changed = {name: (row[name], flat[name]) for name in constant if row[name] != flat[name]}
    assert changed == {}
