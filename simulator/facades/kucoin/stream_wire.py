"""KuCoin's streams on the wire: what a client's frame says, and the frames that answer it.

Sources: https://www.kucoin.com/docs-new/websocket-api/base-info/introduction, /docs-new/error-code/websocket for codes
and words, and what clients report ({"type":"error","code":401,"data":"token is expired"} on an open connection). Not
documented and therefore assumed: that a private topic asked for without `privateChannel` is refused like one without a
login, and that an unknown symbol is a topic that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.facades.parts import Json, rendered
from simulator.strict import StrictError, loads

BAD_TOPIC, TOKEN, LOGIN, NO_TOPIC, NO_NAME, BAD_TYPE, TOO_MUCH = 400, 401, 403, 404, 406, 415, 509
INVALID_TOKEN, EXPIRED_TOKEN = "token is invalid", "token is expired"
LOGIN_NEEDED = "login is required"
NAME_NEEDED = "topic is required"
UNKNOWN_TYPE = "command type is invalid"
PING_TIMEOUT = "ping timeout"
TOO_MANY_MESSAGES = "exceed max permits per second"
ID_CHARS = 128
TRUE = (True, "true")


class Unreadable(Exception):
    """A frame is not a JSON object."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's frame. `id` as it came (None where it has none that could be given back)."""

    type: str
    id: str | int | None
    topic: str
    private: bool
    response: bool

    @staticmethod
    def of(text: str) -> Asked:
        """Raises `Unreadable`."""
        try:
            fields = loads(text.encode(errors="replace"))
        except StrictError as error:
            raise Unreadable(str(error)) from error
        kind, given, topic = fields.get("type"), fields.get("id"), fields.get("topic")
        named = given if isinstance(given, str | int) and not isinstance(given, bool) else None
        return Asked(
            kind if isinstance(kind, str) else "",
            named[:ID_CHARS] if isinstance(named, str) else named,
            topic if isinstance(topic, str) else "",
            fields.get("privateChannel") in TRUE,
            fields.get("response") in TRUE,
        )

    def names(self) -> tuple[str, ...]:
        """The topics of a list of symbols, one by one: `a:X,Y` is `a:X` and `a:Y`."""
        head, colon, symbols = self.topic.partition(":")
        return tuple(dict.fromkeys(f"{head}:{symbol}" for symbol in symbols.split(","))) if colon else (head,)


def _frame(kind: str, given: str | int | None, **more: object) -> str:
    ids: Json = {} if given is None else {"id": str(given)}
    return rendered({**ids, "type": kind, **more})


def welcome(connect_id: str) -> str:
    return _frame("welcome", connect_id)


def pong(asked: Asked) -> str:
    return _frame("pong", asked.id)


def ack(asked: Asked) -> str:
    return _frame("ack", asked.id)


def error(given: str | int | None, code: int, words: str) -> str:
    return _frame("error", given, code=code, data=words)


def message(topic: str, subject: str, data: Json, *, user: str = "", sn: int | None = None) -> str:
    """`user`: whose news it is, on private topics."""
    private = {"userId": user, "channelType": "private"} if user else {}
    numbered = {} if sn is None else {"sn": sn}
    return rendered({"topic": topic, "type": "message", "subject": subject, **private, **numbered, "data": data})
