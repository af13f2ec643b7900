"""Where payloads of our own making are, and real ones where this machine has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from account_processors.codecs.wire import Row, loads

ROOT = Path(__file__).resolve().parents[3]


def golden_of(venue: str) -> Path:
    """The folder of the venue's golden payloads."""
    return ROOT / "tests" / "contract" / "golden" / venue


def recordings_of(venue: str) -> Path:
    """The folder of what was recorded at the venue."""
    return ROOT.parent / "shared" / "recorded" / "venues" / venue


def recording(path: Path) -> str:
    """A recorded text; skips where the recordings are not on this machine."""
    if not path.is_file():
        pytest.skip(f"no recording {path}: they are not part of the project")
    return path.read_text(encoding="utf-8-sig")


def exchange(path: Path) -> tuple[str, str]:
    """Path and answer of a recorded exchange."""
    _, place, _, body = recording(path).split("\n", 3)
    return place, body


def tolerated(body: str) -> Row:
    """A recorded answer, which may hold what strict reading refuses."""
    return loads(json.dumps(json.loads(body)).encode())
