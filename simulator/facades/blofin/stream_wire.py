"""BloFin's streams on the wire: what a client's frame says, and the frames that answer it.

Source: https://docs.blofin.com, sections WebSocket and the channels. A refused login is 60009, a refused subscription
60012 with the request in its words. Not documented and therefore assumed: the answer to anything else, and to a private
channel before the login, is 60012 too; each channel of a request is answered by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.strict import StrictError, loads

PING, PONG = "ping", "pong"
LOGIN, SUBSCRIBE, UNSUBSCRIBE, ERROR = "login", "subscribe", "unsubscribe", "error"
LOGIN_FAILED, INVALID = "60009", "60012"
MOST_QUOTED = 400


@dataclass(frozen=True, slots=True)
class Channel:
    """What is subscribed to: a name and, where it is about one contract, its `instId` ('' else)."""

    name: str
    inst_id: str = ""

    @staticmethod
    def of(arg: object) -> Channel | None:
        """None for what is no channel."""
        if not isinstance(arg, dict):
            return None
        name, inst_id = arg.get("channel"), arg.get("instId", "")
        return Channel(name, inst_id) if isinstance(name, str) and name and isinstance(inst_id, str) else None

    @property
    def arg(self) -> Mapping[str, str]:
        return {"channel": self.name, "instId": self.inst_id} if self.inst_id else {"channel": self.name}


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's frame; `args` as they came, `text` for the words of a refusal."""

    op: str
    args: tuple[object, ...]
    text: str

    @staticmethod
    def of(text: str) -> Asked:
        """What is no JSON object asks for nothing."""
        try:
            fields = loads(text.encode(errors="replace"))
        except StrictError:
            return Asked("", (), text)
        op, args = fields.get("op"), fields.get("args")
        return Asked(op if isinstance(op, str) else "", tuple(args) if isinstance(args, list) else (), text)

    def refused(self) -> str:
        return error(INVALID, f"Invalid request: {self.text[:MOST_QUOTED]}")


def frame(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def error(code: str, words: str) -> str:
    return frame({"event": ERROR, "code": code, "msg": words})


def taken(op: str, channel: Channel) -> str:
    return frame({"event": op, "arg": channel.arg})


def news(channel: Channel, data: object, **more: object) -> str:
    """One message of a channel."""
    return frame({**more, "arg": channel.arg, "data": data})
