"""A client of the simulated Bybit's streams, for the facade's own tests: frames straight to a session, time by hand."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from core.ports import Response, StreamRequest
from simulator.facades import Session
from tests.contract.bybit_door import Door

HOST = "ws://127.0.0.1:9101"
PRIVATE, PUBLIC, TRADE = "/v5/private", "/v5/public/linear", "/v5/trade"


@dataclass
class Wire:
    """One connection to the venue behind a door."""

    door: Door
    path: str = PRIVATE
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        opened = self.door.facade.session(StreamRequest(HOST + self.path))
        assert not isinstance(opened, Response), opened.status
        self.session = opened

    def raw(self, text: str) -> Any:
        (answer,) = self.session.receive(text)
        return json.loads(answer)

    def say(self, op: str, *args: object, **more: object) -> Any:
        """The answer to an operation."""
        return self.raw(json.dumps({"op": op, "args": list(args), **more}))

    def login(self, account: str = "main", in_ms: int = 1_000, **changed: object) -> Any:
        keys = self.door.facade.credentials(account)
        expires = changed.get("expires", round(self.door.exchange.time() * 1000) + in_ms)
        secret = str(changed.get("secret", keys["api_secret"]))
        signature = hmac.new(secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        return self.say("auth", changed.get("key", keys["api_key"]), expires, signature)

    def news(self) -> list[Any]:
        """Every message due now."""
        return [json.loads(frame) for frame in self.session.push()]

    def told(self) -> list[tuple[str, Any]]:
        """Every row due now, as (topic, row)."""
        return [(message["topic"], row) for message in self.news() for row in message["data"]]


def private(door: Door, *topics: str, account: str = "main") -> Wire:
    """Logged in and subscribed."""
    wire = Wire(door)
    assert wire.login(account)["success"] is True
    if topics:
        assert wire.say("subscribe", *topics)["success"] is True
    return wire


def public(door: Door, *topics: str) -> Wire:
    wire = Wire(door, PUBLIC)
    assert wire.say("subscribe", *topics)["success"] is True
    return wire
