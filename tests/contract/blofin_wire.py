"""A client of the simulated BloFin's streams, for the facade's own tests: frames to a session, time by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from core.ports import Response, StreamRequest
from simulator.facades import Session
from simulator.facades.blofin import VENUE, BloFinFacade
from simulator.facades.blofin.context import Ways
from tests.contract.test_blofin_facade_door import Door

HOST = "ws://blofin.sim"
PRIVATE, PUBLIC = "/ws/private", "/ws/public"


def behaving(ways: Ways, **settings: Any) -> Door:
    """A venue that does what is not documented in the `ways` given."""
    return Door(replace(VENUE, build=partial(BloFinFacade, ways=ways, **settings)))


@dataclass
class Wire:
    """One connection to the venue behind a door."""

    door: Door
    path: str = PRIVATE
    session: Session = field(init=False)
    logins: int = 0

    def __post_init__(self) -> None:
        self.door.clock.now += 1.0  # the venue takes one connection a second
        opened = self.door.facade.session(StreamRequest(HOST + self.path))
        assert not isinstance(opened, Response), opened.status
        self.session = opened

    def raw(self, text: str) -> list[Any]:
        return [json.loads(answer) for answer in self.session.receive(text)]

    def say(self, op: str, *args: object) -> Any:
        """The one answer to an operation."""
        (answer,) = self.raw(json.dumps({"op": op, "args": list(args)}))
        return answer

    def login(self, account: str = "main", changed: Mapping[str, object] | None = None, secret: str = "") -> Any:
        keys, now_ms = self.door.facade.credentials(account), round(self.door.exchange.time() * 1000)
        self.logins += 1
        fields: dict[str, object] = {
            "apiKey": keys["api_key"],
            "passphrase": keys["api_passphrase"],
            "timestamp": str(now_ms),
            "nonce": f"n-{id(self)}-{self.logins}",
            **(changed or {}),
        }
        text = f"/users/self/verifyGET{fields['timestamp']}{fields['nonce']}".encode()
        digest = hmac.new((secret or keys["api_secret"]).encode(), text, hashlib.sha256).hexdigest()
        return self.say("login", {"sign": base64.b64encode(digest.encode()).decode(), **fields})

    def subscribe(self, name: str, inst_id: str = "") -> Any:
        return self.say("subscribe", {"channel": name, "instId": inst_id} if inst_id else {"channel": name})

    def news(self) -> list[Any]:
        """Every message due now."""
        return [json.loads(frame) for frame in self.session.push()]

    def told(self) -> list[tuple[str, Any]]:
        """What is due now, as (channel, data)."""
        return [(message["arg"]["channel"], message["data"]) for message in self.news()]


def private(door: Door, *names: str, account: str = "main") -> Wire:
    """Logged in and subscribed; snapshots are taken out."""
    wire = Wire(door)
    assert wire.login(account) == {"event": "login", "code": "0", "msg": ""}
    for name in names:
        assert wire.subscribe(name) == {"event": "subscribe", "arg": {"channel": name}}
    wire.news()
    return wire


def public(door: Door, name: str, inst_id: str = "BTC-USDT") -> Wire:
    wire = Wire(door, PUBLIC)
    assert wire.subscribe(name, inst_id) == {"event": "subscribe", "arg": {"channel": name, "instId": inst_id}}
    return wire
