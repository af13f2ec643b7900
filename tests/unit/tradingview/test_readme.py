"""What the README tells users to paste is understood, and what it says of answers is true."""

from __future__ import annotations

import json
import re

import pytest

from config.home import CHECKOUT
from signal_processors.tradingview_alerts import Alert, Direction, read_alert, read_body

PAGE = (CHECKOUT / "signal_endpoints" / "README.md").read_text()
MESSAGES = [line for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
ALERTS = [line for line in MESSAGES if '"symbol":' in line]
FILLED = {
    "ticker": "SOLUSDT.P",
    "strategy.market_position": "long",
    "strategy.prev_market_position": "flat",
    "timenow": "2026-11-20T09:12:44Z",
    "close": "152.3",
}


def filled(message: str, **values: str) -> bytes:
    """The message as TradingView sends it."""
    known = FILLED | {name.replace("__", "."): value for name, value in values.items()}
    return re.sub(r"\{\{(.*?)\}\}", lambda found: known[found[1]], message).encode()


def test_there_is_something_to_paste() -> None:
    assert len(ALERTS) == 3


@pytest.mark.parametrize("message", ALERTS)
def test_what_is_pasted_is_understood(message: str) -> None:
    fields = read_body(filled(message))
    assert isinstance(fields, dict)
    alert = read_alert(fields)
    assert isinstance(alert, Alert)
    assert alert.symbol == "SOLUSDT"
    assert alert.notes == ()


def test_the_strategys_message_closes_too() -> None:
    fields = read_body(filled(ALERTS[0], strategy__market_position="flat", strategy__prev_market_position="long"))
    assert isinstance(fields, dict)
    alert = read_alert(fields)
    assert isinstance(alert, Alert)
    assert alert.direction is Direction.FLAT
    assert alert.depth == 0


def test_answers_are_json() -> None:
    answers = re.findall(r"^\| (\d{3}) \| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    assert [status for status, _ in answers] == ["200", "400", "403", "404", "413", "503"]
    assert list(json.loads(answers[0][1])) == ["status", "event", "duplicate", "in_force", "because"]
