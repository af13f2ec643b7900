"""BloFin payloads of our own making in the documented shape, and real ones where this machine has them."""

from __future__ import annotations

from account_processors.codecs.wire import Answer, Row, loads
from tests.unit.account_processors.golden import exchange, golden_of, recordings_of, tolerated

GOLDEN = golden_of("blofin")
RECORDED = recordings_of("blofin") / "Endpoints" / "Futures"


def payload(name: str) -> Row:
    return loads((GOLDEN / f"{name}.json").read_bytes())


def answer(name: str, status: int = 200) -> Answer:
    """A golden payload as the answer to a request."""
    return Answer(status, payload(name), 1.0, 1.1, "blofin /test")


def said(text: str, status: int = 200) -> Answer:
    """An answer of this text."""
    return Answer(status, loads(text.encode()), 1.0, 1.1, "blofin /test")


def recorded(name: str) -> Row:
    """The payload of a recorded exchange; skips where the recordings are not on this machine."""
    _, body = exchange(RECORDED / f"{name}.txt")
    return tolerated(body)
