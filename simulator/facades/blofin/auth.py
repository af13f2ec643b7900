"""BloFin's authentication, checked in the order: headers, key, address, passphrase, time, signature, nonce.

Source: https://docs.blofin.com, REST Authentication. The signature is the base64 of the lower-case *hex digest* of
HMAC-SHA256 over path with query as sent, method, timestamp, nonce, body. A timestamp may be a minute off; a nonce
counts as used for a minute, which is what makes a repeated request harmless. A stream's login is signed alike, as if it
were a GET of `/users/self/verify`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from core.ports import Request
from simulator.exchange import Exchange
from simulator.facades.blofin.codes import (
    BAD_KEY,
    BAD_SIGNATURE,
    BAD_TIME,
    EMPTY_PARAMETER,
    NOT_MS,
    USED_NONCE,
    WRONG_IP,
    WRONG_PHRASE,
)
from simulator.facades.blofin.wire import Refusal
from simulator.facades.parts import Target, ms

KEY, SIGN, TIMESTAMP, NONCE, PASSPHRASE = (
    f"access-{name}" for name in ("key", "sign", "timestamp", "nonce", "passphrase")
)
VALID_MS = 60_000
OWN_ADDRESS = "127.0.0.1"
"""Where every client of a simulated venue comes from."""


LOGIN = "/users/self/verifyGET"
"""What stands for path and method in the signature of a stream's login."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a client says of itself."""

    key: str
    sign: str
    timestamp: str
    nonce: str
    passphrase: str


class Door:
    """Checks who asks. Keeps the nonces of the last minute."""

    def __init__(self, exchange: Exchange, addresses: Mapping[str, frozenset[str]]) -> None:
        self._exchange = exchange
        self._addresses = addresses
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()

    def account(self, request: Request, target: Target) -> str:
        """The account that signed. Raises `Refusal`."""
        headers = request.headers
        for name in (KEY, SIGN, TIMESTAMP, NONCE, PASSPHRASE):
            if not headers.get(name):
                raise Refusal(EMPTY_PARAMETER, f"Parameter {name.upper()} cannot be empty.")
        path = f"{target.path}?{target.query}" if target.query else target.path
        given = Given(*(headers[name] for name in (KEY, SIGN, TIMESTAMP, NONCE, PASSPHRASE)))
        return self._owner(given, f"{path}{request.method}", request.body)

    def stream_account(self, arg: object) -> str:
        """The account a stream's login is of; its nonce counts as one of a request. Raises `Refusal`."""
        names = ("apiKey", "sign", "timestamp", "nonce", "passphrase")
        fields = [arg.get(name) for name in names] if isinstance(arg, dict) else []
        texts = [field for field in fields if isinstance(field, str) and field]
        if len(texts) != len(names):
            raise Refusal(EMPTY_PARAMETER, "Parameter cannot be empty.")
        return self._owner(Given(*texts), LOGIN, b"")

    def _owner(self, given: Given, place: str, body: bytes) -> str:
        account = self._exchange.account_of(given.key)
        if account is None:
            raise Refusal(BAD_KEY)
        if OWN_ADDRESS not in self._addresses.get(account, {OWN_ADDRESS}):
            raise Refusal(WRONG_IP)
        keys = self._exchange.keys(account)
        if not same(keys.passphrase, given.passphrase):
            raise Refusal(WRONG_PHRASE)
        self._in_time(given.timestamp)
        text = f"{place}{given.timestamp}{given.nonce}".encode(errors="surrogatepass")
        if not same(signature(keys.api_secret, text + body), given.sign):
            raise Refusal(BAD_SIGNATURE)
        self._once(given.key, given.nonce)
        return account

    def _in_time(self, timestamp: str) -> None:
        """Within a minute either way, ends included, by the venue's clock."""
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) == 13):
            raise Refusal(NOT_MS)
        if abs(ms(self._exchange.time()) - int(timestamp)) > VALID_MS:
            raise Refusal(BAD_TIME)

    def _once(self, key: str, nonce: str) -> None:
        now_s = self._exchange.clock.monotonic()
        while self._nonces and next(iter(self._nonces.values())) <= now_s - VALID_MS / 1000:
            self._nonces.popitem(last=False)
        if (key, nonce) in self._nonces:
            raise Refusal(USED_NONCE)
        self._nonces[key, nonce] = now_s


def signature(secret: str, signed: bytes) -> str:
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))
