"""BloFin payloads of our own making in the documented shape, and real ones where this machine has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from account_processors.codecs.wire import Answer, Row, loads

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "contract" / "golden" / "blofin"
RECORDED = ROOT.parent / "shared" / "recorded" / "venues" / "blofin" / "Endpoints" / "Futures"


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
    path = RECORDED / f"{name}.txt"
    if not path.is_file():
        pytest.skip(f"no recorded payloads at {RECORDED}: they are not part of the project")
    body = path.read_text(encoding="utf-8-sig").split("\n", 3)[3]
    return loads(json.dumps(json.loads(body)).encode())
