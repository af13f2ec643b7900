"""The simulated KuCoin's messages beside recorded ones, field by field.

A recorded field must be there with the same JSON type. What differs is named here, with the reason: the recordings are
of several years, and the present documentation is followed where they differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.kucoin_door import BTC, Door
from tests.contract.kucoin_wire import Wire

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "venues" / "kucoin" / "Subscriptions"
BEGINNING = re.compile(r"^=\s*", re.MULTILINE)

TOPICS: Mapping[str, tuple[str, str]] = {
    "Order": (f"/contractMarket/tradeOrders:{BTC}", "symbolOrderChange"),
    "Position": ("/contract/positionAll", "position.change"),
    "FundingSettlement": ("/contract/positionAll", "position.settlement"),
    "Wallet": ("/contractAccount/wallet", "walletBalance.change"),
    "MarkPrice": (f"/contract/instrument:{BTC}", "mark.index.price"),
    "FundingRate": (f"/contract/instrument:{BTC}", "funding.rate"),
    "Tickers": (f"/contractMarket/tickerV2:{BTC}", "tickerV2"),
}
"""Recorded exchange -> what is subscribed to, and the subject of the message."""

ELSEWHERE: Mapping[str, set[str]] = {
    "Order": {"oldSize"},  # of `update` messages, which an order that is never amended does not have
    "Position": set(),
    "FundingSettlement": set(),
    "Wallet": set(),
    "MarkPrice": set(),
    "FundingRate": set(),
    "Tickers": set(),
}
DOCUMENTED: Mapping[str, set[str]] = {
    "Order": {"marginMode", "tradeType"},
    "Position": {"leverage", "marginMode", "positionSide", "posFunding", "riskLimitLevel"},
    "FundingSettlement": {"symbol"},
    "Wallet": set(),
    "MarkPrice": set(),
    "FundingRate": set(),
    "Tickers": {"sequence"},
}
"""Fields of the present documentation beyond the recorded ones."""
RETYPED: Mapping[str, set[str]] = {"Tickers": {"bestBidPrice", "bestAskPrice"}}
"""Prices are texts by now."""


def recorded(name: str) -> tuple[Any, Any]:
    """What was sent, and the data of the message."""
    file = RECORDED / "Futures" / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded messages at {RECORDED}: nothing to compare with")
    frames, message = BEGINNING.split(file.read_text(encoding="utf-8-sig"), maxsplit=1)
    return json.loads(frames.splitlines()[0].lstrip(">")), json.loads(message)


def ours(name: str) -> tuple[Any, Any]:
    """The answer to the subscription and our message."""
    door = Door()
    wire = Wire(door)
    topic, subject = TOPICS[name]
    answer = wire.subscribe(topic)
    door.order(size=5)
    news = wire.news()
    for _ in range(0 if name != "FundingSettlement" else 8 * 240):
        door.wait(15)
        wire.say("ping")
        news += wire.news()
    return answer, next(one for one in news if one["subject"] == subject)


def kinds(data: Mapping[str, Any]) -> dict[str, str]:
    def kind(value: Any) -> str:
        numeric = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return "number" if numeric else type(value).__name__

    return {name: kind(value) for name, value in data.items()}


@pytest.mark.parametrize("name", TOPICS)
def test_messages_have_the_recorded_fields(name: str) -> None:
    said, theirs = recorded(name)
    answer, message = ours(name)
    assert said["topic"].partition(":")[0] == TOPICS[name][0].partition(":")[0]
    assert (answer["type"], set(answer)) == ("ack", {"id", "type"})
    want, have = kinds(theirs["data"]), kinds(message["data"])
    assert set(want) - set(have) == ELSEWHERE[name]
    assert set(have) - set(want) == DOCUMENTED[name]
    assert {field for field in want.keys() & have.keys() if want[field] != have[field]} == RETYPED.get(name, set())
    assert message["topic"] == TOPICS[name][0]
    assert message["type"] == theirs.get("type", "message")
    assert ("userId" in message) is said["privateChannel"]
