"""The tokens KuCoin's websockets are opened with: given over REST, good for a day.

Source: https://www.kucoin.com/docs-new/websocket-api/base-info/get-private-token-futures and recorded answers.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from simulator.exchange import Exchange

LIFE_S = 86_400.0
PING_INTERVAL_S, PING_TIMEOUT_S = 18.0, 10.0
KEPT = 2_000
"""Older tokens are forgotten, and then as invalid as any other text."""


@dataclass(frozen=True, slots=True)
class Token:
    """Who may listen with it (None: public data alone), and until which monotonic instant."""

    account: str | None
    until_s: float


@dataclass(slots=True)
class Tokens:
    """Every token of one venue."""

    exchange: Exchange
    life_s: float = LIFE_S
    _known: OrderedDict[str, Token] = field(default_factory=OrderedDict)
    _issued: int = 0

    def issue(self, account: str | None) -> str:
        self._issued += 1
        digest = hashlib.blake2b(f"{self.exchange.state.seed}/kucoin/token/{self._issued}".encode()).digest()
        text = f"2neAiu{base64.urlsafe_b64encode(digest[:48]).decode()}.{base64.b64encode(digest[48:]).decode()}"
        self._known[text] = Token(account, self.exchange.clock.monotonic() + self.life_s)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return text

    def of(self, text: str) -> Token | None:
        """None for a text that never was a token, or long ago."""
        return self._known.get(text)

    def expire(self) -> None:
        """All tokens given so far are out of date, and what was opened with them ends: for tests, as the venue's own
        restarts do it."""
        now_s = self.exchange.clock.monotonic()
        self._known = OrderedDict((text, Token(it.account, min(it.until_s, now_s))) for text, it in self._known.items())
