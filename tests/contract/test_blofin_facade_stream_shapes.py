"""What the simulated BloFin's streams say beside recorded messages, field by field.

A recorded field must be there with the same kind of value. A further one must be in the documentation, and is named.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.blofin_wire import Wire, public
from tests.contract.test_blofin_facade_door import Door

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "venues" / "blofin" / "Subscriptions"


def recorded(name: str) -> Any:
    """The message a recording ends with."""
    file = RECORDED / "Futures" / f"{name}.txt"
    if not file.is_file():
        pytest.skip(f"no recorded messages at {RECORDED}: nothing to compare with")
    text = file.read_text(encoding="utf-8-sig")
    return json.loads(text[text.rindex("= ") + 2 :])


def shape(value: Any) -> Any:
    """Names and kinds; an empty text, null and a text are one kind, as the venue mixes them."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) else "text"


def private_message(name: str) -> Any:
    door = Door()
    door.order(orderType="limit", price="49700") if name == "orders" else door.order()
    door.clock.now += 5
    wire = Wire(door)
    wire.login()
    wire.subscribe(name)
    if name == "orders":
        door.order(clientOrderId="x")
    elif name == "account":
        door.order()
    return wire.news()[0]


@pytest.mark.parametrize(
    ("file", "channel", "more"),
    [
        ("Orders", "orders", set()),
        ("Positions", "positions", set()),
        ("Balances", "account", {"isolatedEquity", "bonus"}),
    ],
)
def test_private_messages_have_the_recorded_fields(file: str, channel: str, more: set[str]) -> None:
    seen, known = private_message(channel), recorded(file)
    assert seen.keys() == known.keys()
    row, beside = (one["data"] if channel == "account" else one["data"][0] for one in (seen, known))
    row, beside = (one["details"][0] if channel == "account" else one for one in (row, beside))
    assert shape(row).keys() - more == shape(beside).keys() - more
    assert all(kind == shape(row)[name] for name, kind in shape(beside).items())


@pytest.mark.parametrize(
    ("file", "channel"), [("Ticker", "tickers"), ("Trades", "trades"), ("FundingRate", "funding-rate")]
)
def test_public_messages_have_the_recorded_fields(file: str, channel: str) -> None:
    door = Door()
    wire = public(door, channel)
    door.order()
    assert shape(wire.news()[0]) == shape(recorded(file))
