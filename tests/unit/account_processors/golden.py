"""Payloads of our own making in the venue's documented shape, and real ones where this machine has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from account_processors.codecs.wire import Answer, Row, loads, table

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "contract" / "golden" / "bybit"
RECORDED = ROOT.parent / "shared" / "recorded" / "venues" / "bybit" / "Endpoints" / "V5Api"


def answer(name: str, status: int = 200) -> Answer:
    """A golden payload as the answer to a request."""
    return Answer(status, loads((GOLDEN / f"{name}.json").read_bytes()), 1.0, 1.1, "bybit /test")


def result(name: str) -> Row:
    """The `result` of a golden payload."""
    payload = answer(name).payload
    assert payload is not None
    return table(payload["result"], "result")


def recorded(name: str) -> tuple[str, Row]:
    """Path and `result` of a recorded exchange; skips where the recordings are not on this machine."""
    path = RECORDED / f"{name}.txt"
    if not path.is_file():
        pytest.skip(f"no recorded payloads at {RECORDED}: they are not part of the project")
    _, place, _, body = path.read_text().split("\n", 3)
    return place, table(loads(json.dumps(json.loads(body)).encode())["result"], "result")


def frame(name: str) -> bytes:
    """A golden frame of a stream."""
    return (GOLDEN / f"stream_{name}.json").read_bytes()


def pushed(name: str) -> bytes:
    """The frame a recorded subscription ends with; skips where the recordings are not on this machine."""
    path = RECORDED.parent.parent / "Subscriptions" / "V5" / f"{name}.txt"
    if not path.is_file():
        pytest.skip(f"no recorded frames at {path.parent}: they are not part of the project")
    return path.read_text().split("\n=", 1)[1].strip().encode()
