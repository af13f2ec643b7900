"""The simulated MEXC's door: requests signed by hand, straight to the facade, on a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from core.ports import Request, Response
from simulator.admin import Admin
from simulator.exchange import Exchange
from simulator.facades import Facade, VenueKind
from simulator.facades.mexc import RULES, MexcFacade
from simulator.facades.mexc.auth import sealed
from simulator.world import build_world
from tests.contract.bybit_door import HandClock

BTC = "BTC_USDT"
PRIVATE, MARKET = "/api/v1/private", "/api/v1/contract"


class Door:
    """One world, its account `main` in one-way mode, and a clock whose time passes only in `wait`."""

    def __init__(self, build: Callable[[Exchange], Facade] = MexcFacade, *, hedge: bool = False) -> None:
        self.clock = HandClock()
        kind = VenueKind("mexc", RULES, build)
        self.world = build_world(self.clock, kinds=[kind], accounts={"mexc": 1})
        self.admin = Admin(self.world)
        self.facade = self.world.venues["mexc"].facade
        self.keys = self.facade.credentials("main")
        self.admin.price({"symbol": "BTCUSDT", "price": "50000"})
        assert self.post("position/change_position_mode", positionMode=1 if hedge else 2)["success"]

    def stamp(self) -> str:
        return str(round(self.clock.time() * 1000))

    def send(
        self, method: str, target: str, signed: str, body: str = "", changed: Mapping[str, str] | None = None
    ) -> Response:
        """A request signed over `signed`; `changed` headers replace the right ones, empty ones are left out."""
        stamp = (changed or {}).get("request-time") or self.stamp()
        headers = {
            "apikey": self.keys["api_key"],
            "request-time": stamp,
            "signature": sealed(self.keys["api_secret"], f"{self.keys['api_key']}{stamp}{signed}".encode()),
        } | dict(changed or {})
        kept = {name: value for name, value in headers.items() if value}
        return self.facade.handle(Request(method, f"http://mexc.sim{target}", kept, body.encode()))

    def get(self, path: str, /, **params: object) -> Any:
        query = urlencode(sorted(params.items()))
        target = f"{path if path.startswith('/') else f'{PRIVATE}/{path}'}{'?' if query else ''}{query}"
        return json.loads(self.send("GET", target, query).body)

    def post(self, path: str, /, *listed: object, **params: object) -> Any:
        body = json.dumps(list(listed) or params)
        return json.loads(self.send("POST", f"{PRIVATE}/{path}", body, body).body)

    def order(self, **more: object) -> Any:
        """A market buy of ten contracts in isolated margin at leverage 3, unless said otherwise."""
        asked = {"symbol": BTC, "side": 1, "type": 5, "vol": 10, "openType": 1, "leverage": 3, "price": 0, **more}
        return self.post("order/create", **{name: value for name, value in asked.items() if value is not None})

    def positions(self) -> list[Any]:
        rows: list[Any] = self.get("position/open_positions")["data"]
        return rows

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
