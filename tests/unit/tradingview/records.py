"""Short ways to make records for the tests of order, log and document."""

from __future__ import annotations

import itertools
import json
from typing import Any

from core.state import format_instant
from signal_processors.tradingview_alerts import Alert, read_alert, read_body
from signal_processors.tradingview_order import Dedup, Opinions, Record, Verdict, fold

T0 = 1_790_000_000.0
_numbers = itertools.count(1)


def alert(direction: str = "long", **given: Any) -> Alert:
    """An alert on SOLUSDT; `time` as seconds after T0."""
    fields: dict[str, object] = {"symbol": "SOLUSDT", "direction": direction}
    if direction != "flat":
        fields["size"] = "10/100"
    if "time" in given:
        given["time"] = format_instant(T0 + given["time"])
    body = read_body(json.dumps(fields | given).encode())
    assert isinstance(body, dict), body
    found = read_alert(body)
    assert isinstance(found, Alert), found
    return found


def record(received: float, direction: str = "long", dedup: Dedup | None = None, **given: Any) -> Record:
    """A record received `received` seconds after T0."""
    number = next(_numbers)
    place = f"2026-09-21.jsonl:{number}"
    return Record(place, T0 + received, f"event-{number}", alert(direction, **given), dedup or Dedup())


def folded(*records: Record) -> tuple[Opinions, list[Verdict]]:
    opinions, verdicts = Opinions(), []
    for one in records:
        opinions, verdict = fold(opinions, one)
        verdicts.append(verdict)
    return opinions, verdicts


def in_force(opinions: Opinions, symbol: str = "SOLUSDT") -> Record:
    return opinions.symbols[symbol].in_force.record
