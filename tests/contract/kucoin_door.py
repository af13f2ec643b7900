"""The simulated KuCoin's door: requests signed by hand, straight to the facade, on a clock that stands still."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from core.ports import Request, Response
from simulator.admin import Admin
from simulator.facades.kucoin import VENUE
from simulator.world import build_world
from tests.contract.bybit_door import HandClock

BTC = "XBTUSDTM"


class Door:
    """One world, its account `main`, and a clock whose time passes only in `wait`."""

    def __init__(self, accounts: int = 1) -> None:
        self.clock = HandClock()
        self.world = build_world(self.clock, kinds=[VENUE], accounts={"kucoin": accounts})
        self.admin = Admin(self.world)
        self.facade = self.world.venues["kucoin"].facade
        self.keys = self.facade.credentials("main")
        self.admin.price({"symbol": "BTCUSDT", "price": "50000"})

    def ask(self, method: str, path: str, changed: Mapping[str, str] | None = None, /, **params: object) -> Response:
        """A signed request; `changed` headers replace the right ones, empty ones are left out."""
        in_query = method in ("GET", "DELETE")
        target = f"{path}?{urlencode(params)}" if in_query and params else path
        body = b"" if in_query else json.dumps(params).encode()
        stamp = str(round(self.clock.time() * 1000))
        headers = {
            "kc-api-key": self.keys["api_key"],
            "kc-api-timestamp": stamp,
            "kc-api-passphrase": self.seal(self.keys["api_passphrase"].encode()),
            "kc-api-key-version": "3",
            "kc-api-sign": self.seal(f"{stamp}{method}{target}".encode() + body),
        } | dict(changed or {})
        kept = {name: value for name, value in headers.items() if value}
        return self.facade.handle(Request(method, f"http://kucoin.sim{target}", kept, body))

    def seal(self, data: bytes) -> str:
        return base64.b64encode(hmac.new(self.keys["api_secret"].encode(), data, hashlib.sha256).digest()).decode()

    def body(self, method: str, path: str, /, **params: object) -> Any:
        return json.loads(self.ask(method, path, **params).body)

    def order(self, **more: object) -> Any:
        """A market buy of one lot at leverage 3, unless said otherwise."""
        asked = {"clientOid": "a", "side": "buy", "symbol": BTC, "type": "market", "size": 1, "leverage": 3, **more}
        return self.body("POST", "/api/v1/orders", **asked)

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
