"""Which order and which facts belong to an alert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import alert
from bench.alert import Facts, Sample, received_at, report, verified
from bench.programs import BenchFailed
from core.state import format_instant

NOW = 1_795_000_000.0


def fact(name: str, symbol: str = "BTCUSDT", at: float = NOW, **more: object) -> bytes:
    return json.dumps({"at": format_instant(at), "fact": name, "symbol": symbol, **more}).encode() + b"\n"


def order(symbol: str, at: float) -> dict[str, Any]:
    return {"symbol": symbol, "received_at": at}


SAMPLE = Sample("BTCUSDT", NOW, NOW + 0.002, NOW + 0.030, {"generation": NOW + 0.010, "verified": NOW + 0.029})


def test_facts_are_given_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    facts = Facts(path)
    assert list(facts.new()) == []
    one, two = fact("generation"), fact("verified")
    path.write_bytes(one + two[:10])
    assert [found["fact"] for found in facts.new()] == ["generation"]
    assert list(facts.new()) == []
    path.write_bytes(one + two)
    assert [found["fact"] for found in facts.new()] == ["verified"]


def test_verified_is_that_of_the_new_size(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(
        fact("verified", at=NOW - 1)
        + fact("generation", "ETHUSDT")
        + fact("generation")
        + fact("verified", "ETHUSDT")
        + fact("order_sent", at=NOW + 0.5)
        + fact("verified", at=NOW + 1)
    )
    seen_at, found = verified(Facts(path), "BTCUSDT")
    assert found == {"generation": NOW, "order_sent": NOW + 0.5, "verified": NOW + 1}
    assert seen_at > 0


def test_patience_ends_with_the_engines_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert, "PATIENCE_S", 0.05)
    path = tmp_path / "facts.jsonl"
    path.write_bytes(fact("generation") + fact("trouble", because="the venue is away"))
    with pytest.raises(BenchFailed, match="the venue is away"):
        verified(Facts(path), "BTCUSDT")


def test_the_order_is_the_first_after_the_alert() -> None:
    orders = [order("BTCUSDT", NOW - 1), order("ETHUSDT", NOW + 0.001), order("BTCUSDT", NOW + 0.02)]
    assert received_at(SAMPLE, [*orders, order("BTCUSDT", NOW + 0.025)]) == NOW + 0.02


@pytest.mark.parametrize("orders", [[], [order("BTCUSDT", NOW - 1)], [order("BTCUSDT", NOW + 9)]])
def test_an_alert_without_an_order_is_no_measurement(orders: list[dict[str, Any]]) -> None:
    with pytest.raises(BenchFailed, match="no order"):
        received_at(SAMPLE, orders)


def test_report() -> None:
    assert report([SAMPLE], [order("BTCUSDT", NOW + 0.02)]) == {
        "n": 1,
        "order_ms": {"p50": 20.0, "p99": 20.0},
        "verified_ms": {"p50": 30.0, "p99": 30.0},
        "answer_ms": {"p50": 2.0, "p99": 2.0},
        "stages_ms": {"generation": {"p50": 10.0, "p99": 10.0}, "verified": {"p50": 29.0, "p99": 29.0}},
    }
