"""Bybit's streams on the wire: what a client's frame says, and the frames that answer it.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect. The words of refusals are reported by clients: an expired
login is "Params Error", a topic that does not exist "error:handler not found,topic:…", one asked for twice
"error:already subscribed,topic:…", anything else "error:invalid op"; a request with one bad topic subscribes to none.
Not reported anywhere and therefore assumed: the words for a wrong key or signature and for a second login (those of the
REST answers and of order entry), for a private topic before the login, and for too many topics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.facades.bybit.codes import MESSAGES, PARAMETER_ERROR
from simulator.facades.bybit.wire import Json
from simulator.strict import StrictError, loads

PARAMS_ERROR = "Params Error"
NOT_AUTHORIZED = "Request not authorized"
REPEATED_LOGIN = "Repeat auth"
INVALID_OP = "error:invalid op"
UNREADABLE = "Failed to decode incoming data:"
REQUEST_ID_CHARS = 128


class Unreadable(Exception):
    """A frame is not a JSON object."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's frame. `id` is '' where the client gave none; `args` as they came."""

    op: str
    id: str
    args: tuple[object, ...]

    @staticmethod
    def of(text: str, id_name: str = "req_id") -> Asked:
        """Numbers serve as ids too. Raises `Unreadable`."""
        try:
            fields = loads(text.encode(errors="replace"))
        except StrictError as error:
            raise Unreadable(str(error)) from error
        op, given, args = fields.get("op"), fields.get(id_name), fields.get("args")
        named = isinstance(given, str | int) and not isinstance(given, bool)
        return Asked(
            op if isinstance(op, str) else "",
            str(given)[:REQUEST_ID_CHARS] if named else "",
            tuple(args) if isinstance(args, list) else (),
        )

    def topics(self) -> tuple[str, ...] | None:
        """The arguments as names of topics; None if there are none or some are something else."""
        names = tuple(arg for arg in self.args if isinstance(arg, str))
        return names if names and len(names) == len(self.args) else None


def frame(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def answer(asked: Asked, connection: str, refusal: str | None, *, word: str = "", public: bool = False) -> str:
    """Success, or a refusal in words. Public streams answer with an id even if the client gave none."""
    ids: Json = {"req_id": asked.id} if asked.id or public else {}
    return frame(
        {
            **ids,
            "success": refusal is None,
            "ret_msg": word if refusal is None else refusal,
            "op": asked.op,
            "conn_id": connection,
        }
    )


def no_topic(name: str) -> str:
    return f"error:handler not found,topic:{name[:REQUEST_ID_CHARS]}"


def login_words(code: int) -> str:
    """How the private stream words what the REST answers give a code."""
    return PARAMS_ERROR if code == PARAMETER_ERROR else MESSAGES[code]


def connection_id(seed: int, number: int, *, private: bool) -> str:
    """The n-th connection's: a UUID on public streams, a short word and a number on private ones."""
    digest = hashlib.blake2b(f"{seed}/bybit/stream/{number}".encode(), digest_size=16).hexdigest()
    if private:
        return f"{digest[:20]}-{number:x}"
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:]}"
