"""Bybit payloads of our own making in the documented shape, and real ones where this machine has them."""

from __future__ import annotations

from account_processors.codecs.wire import Answer, Row, loads, table
from tests.unit.account_processors.golden import exchange, golden_of, recording, recordings_of, tolerated

GOLDEN = golden_of("bybit")
RECORDED = recordings_of("bybit") / "Endpoints" / "V5Api"


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
    place, body = exchange(RECORDED / f"{name}.txt")
    return place, table(tolerated(body)["result"], "result")


def frame(name: str) -> bytes:
    """A golden frame of a stream."""
    return (GOLDEN / f"stream_{name}.json").read_bytes()


def pushed(name: str) -> bytes:
    """The frame a recorded subscription ends with; skips where the recordings are not on this machine."""
    path = RECORDED.parent.parent / "Subscriptions" / "V5" / f"{name}.txt"
    return recording(path).split("\n=", 1)[1].strip().encode()
