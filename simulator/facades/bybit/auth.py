"""Bybit's authentication, checked in the order: headers, key, address, time, signature.

Source: https://bybit-exchange.github.io/docs/v5/guide#authentication. The signature is the lower-case hex HMAC-SHA256
of timestamp + key + recv window + (query as sent | body as sent).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from simulator.exchange import Exchange
from simulator.facades.bybit.codes import BAD_KEY, BAD_SIGNATURE, BAD_TIME, MESSAGES, WRONG_IP
from simulator.facades.bybit.wire import Refusal, ms

KEY, TIMESTAMP, SIGNATURE, WINDOW = "x-bapi-api-key", "x-bapi-timestamp", "x-bapi-sign", "x-bapi-recv-window"
DEFAULT_WINDOW_MS = 5_000
AHEAD_MS = 1_000
OWN_ADDRESS = "127.0.0.1"
"""Where every client of a simulated venue comes from."""


def complete(headers: Mapping[str, str]) -> bool:
    """Whether the headers hold what a signed request needs; without them the venue answers HTTP 401."""
    return bool(headers.get(KEY) and headers.get(TIMESTAMP) and headers.get(SIGNATURE))


def authenticate(
    exchange: Exchange, headers: Mapping[str, str], signed: bytes, addresses: Mapping[str, frozenset[str]]
) -> str:
    """The account that signed. `signed` is the raw query or body, `addresses` the accounts bound to some.

    Raises `Refusal` with 10003, 10010, 10002 or 10004.
    """
    account = exchange.account_of(headers[KEY])
    if account is None:
        raise Refusal(BAD_KEY, MESSAGES[BAD_KEY])
    if OWN_ADDRESS not in addresses.get(account, {OWN_ADDRESS}):
        raise Refusal(WRONG_IP, MESSAGES[WRONG_IP])
    timestamp, window = headers[TIMESTAMP], headers.get(WINDOW, "")
    if not in_time(timestamp, window, ms(exchange.time())):
        raise Refusal(
            BAD_TIME,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{timestamp}],server_timestamp[{ms(exchange.time())}],recv_window[{window}]",
        )
    text = f"{timestamp}{headers[KEY]}{window}".encode() + signed
    expected = hmac.new(exchange.keys(account).api_secret.encode(), text, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), headers[SIGNATURE].encode(errors="surrogateescape")):
        raise Refusal(BAD_SIGNATURE, MESSAGES[BAD_SIGNATURE])
    return account


def in_time(timestamp: str, window: str, now_ms: int) -> bool:
    """`now - window <= timestamp < now + 1000`, all in the venue's milliseconds. Anything but digits is not in time."""
    texts = (timestamp, window or str(DEFAULT_WINDOW_MS))
    if not all(text.isascii() and text.isdigit() and len(text) <= 16 for text in texts):
        return False
    sent_ms, window_ms = (int(text) for text in texts)
    return now_ms - window_ms <= sent_ms < now_ms + AHEAD_MS
