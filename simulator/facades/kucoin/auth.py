"""KuCoin's authentication, checked in the order: headers, key, address, time, passphrase, signature.

Source: https://www.kucoin.com/docs-new/authentication. The signature is the base64 HMAC-SHA256 of timestamp + method +
path with query + body; the passphrase is base64 HMAC-SHA256 of the one chosen with the key (key versions 2 and 3). The
official SDKs differ in what they sign of a query with reserved characters: as sent, or decoded; either is taken.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import unquote, unquote_plus

from simulator.exchange import Exchange
from simulator.facades.kucoin.codes import (
    BAD_KEY,
    BAD_PHRASE,
    BAD_SIGNATURE,
    BAD_TIME,
    HEADER_MISSING,
    WRONG_IP,
)
from simulator.facades.kucoin.wire import Refusal
from simulator.facades.parts import Target, ms

KEY, TIMESTAMP, SIGNATURE, PASSPHRASE = "kc-api-key", "kc-api-timestamp", "kc-api-sign", "kc-api-passphrase"
VERSION = "kc-api-key-version"
VERSIONS = ("2", "3")
WINDOW_MS = 5_000
OWN_ADDRESS = "127.0.0.1"
"""Where every client of a simulated venue comes from."""


def authenticate(
    exchange: Exchange,
    headers: Mapping[str, str],
    target: Target,
    body: bytes,
    addresses: Mapping[str, frozenset[str]],
) -> str:
    """The account that signed; `addresses` are the accounts bound to some. Raises `Refusal`."""
    if not all(headers.get(name) for name in (KEY, TIMESTAMP, SIGNATURE, PASSPHRASE)):
        raise Refusal(HEADER_MISSING)
    account = exchange.account_of(headers[KEY])
    if account is None:
        raise Refusal(BAD_KEY)
    if OWN_ADDRESS not in addresses.get(account, {OWN_ADDRESS}):
        raise Refusal(WRONG_IP)
    if not in_time(headers[TIMESTAMP], ms(exchange.time())):
        raise Refusal(BAD_TIME)
    keys = exchange.keys(account)
    phrase = sealed(keys.api_secret, keys.passphrase.encode())
    if headers.get(VERSION) not in VERSIONS or not equal(phrase, headers[PASSPHRASE]):
        raise Refusal(BAD_PHRASE)
    raw = f"{target.path}?{target.query}" if target.query else target.path
    spellings = {raw, unquote(raw), unquote_plus(raw)}
    signed = (f"{headers[TIMESTAMP]}{target.method}{one}".encode(errors="surrogateescape") + body for one in spellings)
    if not any(equal(sealed(keys.api_secret, text), headers[SIGNATURE]) for text in signed):
        raise Refusal(BAD_SIGNATURE)
    return account


def sealed(secret: str, data: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), data, hashlib.sha256).digest()).decode()


def equal(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode(errors="surrogateescape"))


def in_time(timestamp: str, now_ms: int) -> bool:
    """Not further than five seconds from the venue's clock. Anything but digits is not in time."""
    digits = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 16
    return digits and abs(now_ms - int(timestamp)) <= WINDOW_MS
