"""A websocket of the simulated KuCoin, straight to the facade: what a client says, and what comes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from core.ports import Response, StreamRequest
from simulator.facades import Greeting, Session
from tests.contract.kucoin_door import Door

HOST = "ws://kucoin.sim"


def token(door: Door, *, private: bool = True) -> str:
    """A token, asked for over REST."""
    (answer, status) = asked(door, private=private)
    assert status == 200, answer
    return str(answer["data"]["token"])


def asked(door: Door, *, private: bool) -> tuple[Any, int]:
    response = door.ask("POST", f"/api/v1/bullet-{'private' if private else 'public'}")
    return json.loads(response.body), response.status


def handshake(door: Door, path: str = "/", **query: str) -> Session | Response:
    asked = urlencode(query)
    return door.facade.session(StreamRequest(f"{HOST}{path}?{asked}" if asked else f"{HOST}{path}"))


class Wire:
    """One open connection."""

    def __init__(self, door: Door, *, private: bool = True, with_token: str | None = None) -> None:
        opened = handshake(door, token=with_token or token(door, private=private), connectId="here")
        assert not isinstance(opened, Response), opened.status
        self.session = opened
        assert isinstance(self.session, Greeting)
        self.greeting = [json.loads(frame) for frame in self.session.greet()]
        self._said = 0

    def say(self, type: str, **fields: object) -> Any:  # noqa: A002 - the wire's own word
        """Says one frame; the one answer, None where there is none."""
        self._said += 1
        answers = self.raw(json.dumps({"id": str(self._said), "type": type, **fields}))
        assert len(answers) <= 1
        return answers[0] if answers else None

    def subscribe(self, topic: str, *, private: bool | str = True, **more: object) -> Any:
        return self.say("subscribe", topic=topic, privateChannel=private, response=True, **more)

    def raw(self, text: str) -> list[Any]:
        return [json.loads(frame) for frame in self.session.receive(text)]

    def news(self) -> list[Any]:
        return [json.loads(frame) for frame in self.session.push()]
