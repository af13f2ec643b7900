"""Events as facts for history: every one is JSON, none is lost silently, nothing stops."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

import pytest

from core import events
from core.events import Event
from core.state import ensure_dir, loads
from core.state.facts import FactLog
from observers.facts import FACTS, FactsObserver, fact_of
from simulator.disk import Fault, SimulatedFileOps

from .examples import ACCOUNT, AT, BTC, BUY, EXAMPLES, ID

FOLDER = Path("/home/state/events")


@pytest.fixture
def ops() -> SimulatedFileOps:
    disk = SimulatedFileOps()
    ensure_dir(disk, FOLDER)
    return disk


def written(ops: SimulatedFileOps) -> list[dict[str, Any]]:
    found = [loads(line) for line in ops.read(FOLDER / "bybit-main.jsonl").splitlines()]
    return [fact for fact in found if isinstance(fact, dict)]


def test_every_event_but_cycles_is_history(ops: SimulatedFileOps) -> None:
    observer = FactsObserver(FactLog(FOLDER, ops))
    for event, _ in EXAMPLES:
        observer.see(event)
    facts = written(ops)
    assert {fact["fact"] for fact in facts} == set(FACTS.values())
    assert len(facts) == sum(not isinstance(event, events.CycleDone) for event, _ in EXAMPLES)
    assert all(list(fact)[:4] == ["schema", "at", "account", "fact"] for fact in facts)
    assert all((fact["at"], fact["account"]) == ("2026-11-20T09:12:44.123Z", "bybit-main") for fact in facts)


def test_no_kind_of_event_is_forgotten() -> None:
    assert {*FACTS, events.CycleDone} == {type(event) for event, _ in EXAMPLES}


def test_an_order_is_told_whole_and_as_text() -> None:
    assert fact_of(events.OrderSent(AT, ACCOUNT, BTC, ID, BUY)) == {
        "fact": "order_sent",
        "symbol": "BTCUSDT",
        "client_id": ID,
        "order": {
            "type": "PlaceOrder",
            "symbol": "BTCUSDT",
            "side": "buy",
            "contracts": "12",
            "kind": "limit",
            "price": "50500",
            "tif": "ioc",
            "reduce_only": False,
            "leverage": "10",
            "margin_mode": "isolated",
            "purpose": "target",
            "full_close": False,
        },
    }


@pytest.mark.parametrize("event", [event for event, _ in EXAMPLES], ids=lambda event: type(event).__name__)
def test_no_number_that_is_money_is_a_json_number(event: Event) -> None:
    def money(value: object) -> bool:
        if isinstance(value, dict):
            return any(money(inner) for inner in value.values())
        return isinstance(value, float)

    fact = fact_of(event)
    assert fact is None or not money(fact)


def test_a_full_disk_is_told_once_and_stops_nothing(ops: SimulatedFileOps, caplog: pytest.LogCaptureFixture) -> None:
    observer = FactsObserver(FactLog(FOLDER, ops))
    ops.fail(Fault(errno.ENOSPC, operation="append", times=3, partial=True))
    with caplog.at_level(logging.WARNING):
        for event, _ in EXAMPLES:
            observer.see(event)
    assert len(caplog.records) == 1
    assert "history lacks this fact" in caplog.text
    assert len(written(ops)) == len(EXAMPLES) - 1 - 3
