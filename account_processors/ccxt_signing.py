"""ccxt's implicit endpoints and signing, and nothing else of it: each call gives the signed request back, unsent.

Only `sign` and what it uses of one exchange object run. Its `fetch` is replaced, so it opens no connection, keeps no
rate limit, repeats nothing and parses nothing; the moment it signs with is handed to it. Of the headers it makes only
those named by the adapter are kept: some exchange classes add a mark of ccxt's own to every request.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import ccxt

from core.domain import plain
from core.ports import Request

Parameters = Mapping[str, Any] | list[Any]
"""Of one request; a list where the body is one."""


class Signing:
    """`signing.request("privateGetAccountPositions", {...}, stamp_ms)` is a `Request`."""

    def __init__(
        self, sdk: type[ccxt.Exchange], urls: Mapping[str, Any], keys: Mapping[str, str], headers: Collection[str]
    ) -> None:
        """`urls`: the exchange class's `urls["api"]` for the account's address; `keys`: credentials; `headers`: those
        that may be sent, in lower case."""
        # A session that is given is not made: ccxt would open a requests.Session otherwise.
        sdk_object = sdk({**keys, "enableRateLimit": False, "session": object()})
        sdk_object.session = None
        sdk_object.urls["api"] = dict(urls)
        self._headers = frozenset(headers)
        self._stamp_ms = 0
        # On the object, not in a subclass: what is replaced is looked up there by every exchange class alike.
        for name, mine in (("fetch", self._unsent), ("milliseconds", self._moment), ("json", rendered)):
            setattr(sdk_object, name, mine)
        self._sdk = sdk_object
        self._deadline_s = 0.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._sdk).__name__})"  # what this object knows must not be shown

    def request(self, endpoint: str, parameters: Parameters, stamp_ms: int, deadline_s: float) -> Request:
        """The signed request. `stamp_ms`: its timestamp or nonce. Nothing here waits."""
        self._stamp_ms, self._deadline_s = stamp_ms, deadline_s
        given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        request: Request = getattr(self._sdk, endpoint)(given)
        return request

    def _moment(self) -> int:
        return self._stamp_ms

    def _unsent(self, url: str, method: str = "GET", headers: Any = None, body: str | None = None) -> Request:
        kept = {name: value for name, value in dict(headers or {}).items() if name.lower() in self._headers}
        return Request(method, url, kept, (body or "").encode(), self._deadline_s)


def rendered(value: object) -> str:
    """JSON without spaces; a `Decimal` is a number to its last digit, as no float could write it."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{rendered(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(rendered(item) for item in value) + "]"
    return json.dumps(value, allow_nan=False)
