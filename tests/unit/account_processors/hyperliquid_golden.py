"""Hyperliquid payloads of our own making in the documented shape, and real ones where this machine has them."""

from __future__ import annotations

import re
from typing import Any

from account_processors.codecs.hyperliquid import DATA
from account_processors.codecs.wire import Answer, Row, document
from tests.unit.account_processors.golden import exchange, golden_of, recording, recordings_of

GOLDEN = golden_of("hyperliquid")
RECORDED = recordings_of("hyperliquid")


def value(name: str) -> Any:
    return document((GOLDEN / f"{name}.json").read_bytes())


def payload(name: str) -> Row:
    """As the client hands it on."""
    return {DATA: value(name)}


def answer(name: str, status: int = 200) -> Answer:
    """A golden payload as the answer to a request."""
    return Answer(status, payload(name), 1.0, 1.1, "hyperliquid test")


def said(text: str, status: int = 200) -> Answer:
    """An answer of this text."""
    return Answer(status, {DATA: document(text.encode())}, 1.0, 1.1, "hyperliquid test")


def recorded(name: str) -> Row:
    """The payload of a recorded exchange; skips where the recordings are not on this machine."""
    _, body = exchange(RECORDED / "Endpoints" / f"{name}.txt")
    return {DATA: document(body.encode())}


def cassette(name: str) -> Row:
    """The payload of a call the official SDK recorded."""
    text = recording(RECORDED / "cassettes" / f"{name}.yaml")
    found = re.search(r"^ +string: '(.*?)'$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return {DATA: document(re.sub(r"\n +", " ", found[1]).replace("''", "'").encode())}
