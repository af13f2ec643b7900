"""Bybit's authentication, checked in the order: headers, key, address, time, signature.

Source: https://bybit-exchange.github.io/docs/v5/guide#authentication. The signature is the lower-case hex HMAC-SHA256
of timestamp + key + recv window + (query as sent | body as sent); that of a stream's login
(https://bybit-exchange.github.io/docs/v5/ws/connect#authentication) is over `GET/realtime` + the instant it expires.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from simulator.exchange import Exchange
from simulator.facades.bybit.codes import BAD_KEY, BAD_SIGNATURE, BAD_TIME, MESSAGES, PARAMETER_ERROR, WRONG_IP
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
    account = _owner(exchange, headers[KEY], addresses)
    timestamp, window = headers[TIMESTAMP], headers.get(WINDOW, "")
    if not in_time(timestamp, window, ms(exchange.time())):
        raise Refusal(
            BAD_TIME,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{timestamp}],server_timestamp[{ms(exchange.time())}],recv_window[{window}]",
        )
    text = f"{timestamp}{headers[KEY]}{window}".encode() + signed
    _signed(exchange, account, text, headers[SIGNATURE])
    return account


def authenticate_stream(exchange: Exchange, args: Sequence[object], addresses: Mapping[str, frozenset[str]]) -> str:
    """The account a stream's login is of.

    `args`: key, the venue's millisecond in which it expires (number or text), signature. Raises `Refusal` with 10001
    (not three of those, or expired), 10003, 10010 or 10004.
    """
    key, expires, signature = args if len(args) == 3 else ("", "", "")
    instant = str(expires) if isinstance(expires, str | int) and not isinstance(expires, bool) else ""
    if not (isinstance(key, str) and isinstance(signature, str) and instant.isascii() and instant.isdigit()):
        raise Refusal(PARAMETER_ERROR, MESSAGES[PARAMETER_ERROR])
    account = _owner(exchange, key, addresses)
    if len(instant) > 16 or int(instant) <= ms(exchange.time()):
        raise Refusal(PARAMETER_ERROR, MESSAGES[PARAMETER_ERROR])
    _signed(exchange, account, f"GET/realtime{instant}".encode(), signature)
    return account


def _owner(exchange: Exchange, key: str, addresses: Mapping[str, frozenset[str]]) -> str:
    account = exchange.account_of(key)
    if account is None:
        raise Refusal(BAD_KEY, MESSAGES[BAD_KEY])
    if OWN_ADDRESS not in addresses.get(account, {OWN_ADDRESS}):
        raise Refusal(WRONG_IP, MESSAGES[WRONG_IP])
    return account


def _signed(exchange: Exchange, account: str, text: bytes, signature: str) -> None:
    expected = hmac.new(exchange.keys(account).api_secret.encode(), text, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode(errors="surrogatepass")):
        raise Refusal(BAD_SIGNATURE, MESSAGES[BAD_SIGNATURE])


def in_time(timestamp: str, window: str, now_ms: int) -> bool:
    """`now - window <= timestamp < now + 1000`, all in the venue's milliseconds. Anything but digits is not in time."""
    texts = (timestamp, window or str(DEFAULT_WINDOW_MS))
    if not all(text.isascii() and text.isdigit() and len(text) <= 16 for text in texts):
        return False
    sent_ms, window_ms = (int(text) for text in texts)
    return now_ms - window_ms <= sent_ms < now_ms + AHEAD_MS
