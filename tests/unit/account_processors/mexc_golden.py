"""MEXC payloads of our own making in the documented shape, and real ones where this machine has them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from account_processors.codecs.wire import Answer, Row, loads, table

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "contract" / "golden" / "mexc"
RECORDED = ROOT.parent / "shared" / "recorded" / "venues" / "mexc"
TRAILING_COMMA = re.compile(r",(\s*[}\]])")


def payload(name: str) -> Row:
    return loads((GOLDEN / f"{name}.json").read_bytes())


def answer(name: str, status: int = 200) -> Answer:
    """A golden payload as the answer to a request."""
    return Answer(status, payload(name), 1.0, 1.1, "mexc /test")


def data(name: str) -> Row:
    """The `data` of a golden payload."""
    return table(payload(name)["data"], "data")


def recorded(name: str) -> tuple[str, Row]:
    """Path and payload of a recorded exchange; skips where the recordings are not on this machine."""
    path = RECORDED / "Endpoints" / "FuturesApi" / f"{name}.txt"
    if not path.is_file():
        pytest.skip(f"no recorded payloads at {RECORDED}: they are not part of the project")
    _, place, _, body = path.read_text().split("\n", 3)
    return place, loads(json.dumps(json.loads(TRAILING_COMMA.sub(r"\1", body))).encode())
