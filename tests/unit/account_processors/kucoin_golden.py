"""KuCoin payloads of our own making in the documented shape, and real ones where this machine has them."""

from __future__ import annotations

import re

from account_processors.codecs.wire import Answer, Row, loads, table
from tests.unit.account_processors.golden import exchange, golden_of, recordings_of, tolerated

GOLDEN = golden_of("kucoin")
RECORDED = recordings_of("kucoin") / "Endpoints" / "Futures"
COMMENT = re.compile(r"//[^\n\"]*$", re.MULTILINE)


def payload(name: str) -> Row:
    return loads((GOLDEN / f"{name}.json").read_bytes())


def answer(name: str, status: int = 200) -> Answer:
    """A golden payload as the answer to a request."""
    return Answer(status, payload(name), 1.0, 1.1, "kucoin /test")


def data(name: str) -> Row:
    """The `data` of a golden payload."""
    return table(payload(name)["data"], "data")


def recorded(name: str) -> tuple[str, Row]:
    """Path and payload of a recorded exchange; skips where the recordings are not on this machine."""
    place, body = exchange(RECORDED / f"{name}.txt")
    return place, tolerated(COMMENT.sub("", body))
