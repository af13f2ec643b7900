"""MEXC's authentication, checked in the order: headers, key, address, time, signature.

Source: https://www.mexc.com/api-docs/futures/integration-guide. The signature is the lower-case hex digest of
HMAC-SHA256 over key, `Request-Time` and the parameters: of a GET or DELETE its query as sent, sorted by name; of a POST
the body as sent. `Recv-Window` counts seconds. A timestamp that is ahead is refused sooner than one that is behind, as
clients report; that a request which was seen before is refused is documented nowhere, so it is taken again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from core.ports import Request
from simulator.exchange import Exchange
from simulator.facades.mexc.codes import BAD_SIGNATURE, BAD_TIME, NO_KEY, WRONG_IP
from simulator.facades.mexc.wire import Refusal
from simulator.facades.parts import Target, ms

KEY, TIME, SIGNATURE, WINDOW = "apikey", "request-time", "signature", "recv-window"
WINDOW_S, LONGEST_WINDOW_S = 10, 60
AHEAD_MS = 2_000
OWN_ADDRESS = "127.0.0.1"
"""Where every client of a simulated venue comes from."""


def authenticate(exchange: Exchange, request: Request, target: Target, addresses: Mapping[str, frozenset[str]]) -> str:
    """The account that signed. Raises `Refusal`."""
    headers = request.headers
    account = exchange.account_of(headers.get(KEY, ""))
    if account is None:
        raise Refusal(NO_KEY)
    if OWN_ADDRESS not in addresses.get(account, {OWN_ADDRESS}):
        raise Refusal(WRONG_IP)
    stamp = headers.get(TIME, "")
    _in_time(exchange, stamp, headers.get(WINDOW, ""))
    signed = request.body if request.method == "POST" else in_order(target.query)
    keys = exchange.keys(account)
    if not _same(sealed(keys.api_secret, f"{keys.api_key}{stamp}".encode() + signed), headers.get(SIGNATURE, "")):
        raise Refusal(BAD_SIGNATURE)
    return account


def authenticate_stream(
    exchange: Exchange, param: Mapping[str, object], addresses: Mapping[str, frozenset[str]]
) -> str:
    """The account that logs in to a stream: the signature is over key and time alone. Raises `Refusal`."""
    key, stamp, signature = (str(param.get(name, "")) for name in ("apiKey", "reqTime", "signature"))
    account = exchange.account_of(key)
    if account is None:
        raise Refusal(NO_KEY)
    if OWN_ADDRESS not in addresses.get(account, {OWN_ADDRESS}):
        raise Refusal(WRONG_IP)
    _in_time(exchange, stamp, "")
    if not _same(sealed(exchange.keys(account).api_secret, f"{key}{stamp}".encode(errors="replace")), signature):
        raise Refusal(BAD_SIGNATURE)
    return account


def in_order(query: str) -> bytes:
    """A query as it is signed: its parts as sent, by name."""
    parts = [part for part in query.split("&") if part]
    return "&".join(sorted(parts, key=lambda part: part.partition("=")[0])).encode(errors="replace")


def _in_time(exchange: Exchange, stamp: str, window: str) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) == 13):
        raise Refusal(BAD_TIME)
    if window and not (window.isascii() and window.isdigit() and 0 < int(window[:4]) <= LONGEST_WINDOW_S):
        raise Refusal(BAD_TIME)
    behind_ms = ms(exchange.time()) - int(stamp)
    if not -AHEAD_MS <= behind_ms < (int(window) if window else WINDOW_S) * 1000:
        raise Refusal(BAD_TIME)


def sealed(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode(errors="surrogatepass"))
