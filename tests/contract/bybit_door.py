"""A signing client of the simulated Bybit, for the facade's own tests: requests straight to `handle`, time by hand."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from core.ports import Request, Response
from simulator.admin import Admin
from simulator.exchange import Exchange
from simulator.facades.bybit import BybitFacade
from simulator.world import World, build_world

START = 1_790_000_010.5
"""Ten seconds past a minute, far from any funding instant."""


class HandClock:
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - START


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer taken apart. `code` and `result` are None where there is no envelope."""

    status: int
    headers: Mapping[str, str]
    code: int | None = None
    message: str = ""
    result: Any = None
    body: Any = None

    @staticmethod
    def of(response: Response) -> Answer:
        if not response.headers["content-type"].startswith("application/json"):
            return Answer(response.status, response.headers, body=response.body)
        body = json.loads(response.body)
        return Answer(response.status, response.headers, body["retCode"], body["retMsg"], body["result"], body)

    @property
    def rows(self) -> list[Any]:
        assert self.code == 0, self.message
        rows = self.result["list"]
        assert isinstance(rows, list)
        return rows


@dataclass
class Door:
    """One account at the venue's door. `skew_ms` is how wrong its clock goes."""

    clock: HandClock = field(default_factory=HandClock)
    account: str = "main"
    skew_ms: int = 0
    window: str = "5000"
    equity: Decimal = Decimal(10_000)
    read_lag_s: float = 0.0
    addresses: Mapping[str, frozenset[str]] | None = None
    seed: int = 7

    def __post_init__(self) -> None:
        equities = {"main": self.equity, "second": self.equity}
        self.world: World = build_world(self.clock, seed=self.seed, venues=["bybit"], accounts={"bybit": equities})
        self.exchange: Exchange = self.world.venues["bybit"].exchange
        self.facade = BybitFacade(self.exchange, read_lag_s=self.read_lag_s, addresses=self.addresses)
        self.admin = Admin(self.world)

    def headers(self, raw: str, **changed: str) -> dict[str, str]:
        keys = self.facade.credentials(self.account)
        timestamp = str(round(self.clock.time() * 1000) + self.skew_ms)
        text = timestamp + keys["api_key"] + self.window + raw
        signature = hmac.new(keys["api_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        headers = {
            "x-bapi-api-key": keys["api_key"],
            "x-bapi-timestamp": timestamp,
            "x-bapi-recv-window": self.window,
            "x-bapi-sign": signature,
        }
        return {name: value for name, value in (headers | changed).items() if value}

    def get(self, path: str, **params: object) -> Answer:
        return self.get_raw(path, urlencode(params))

    def get_raw(self, path: str, raw: str) -> Answer:
        """With the query exactly as it stands."""
        url = f"http://127.0.0.1:9101{path}" + (f"?{raw}" if raw else "")
        return Answer.of(self.facade.handle(Request("GET", url, self.headers(raw))))

    def post(self, path: str, body: Mapping[str, object]) -> Answer:
        raw = json.dumps(body)
        request = Request("POST", f"http://127.0.0.1:9101{path}", self.headers(raw), raw.encode())
        return Answer.of(self.facade.handle(request))

    def order(self, **changed: object) -> Answer:
        """Buys 0.012 BTC at market, unless told otherwise; None leaves a field out."""
        body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.012"}
        merged: dict[str, object] = {**body, **changed}
        return self.post("/v5/order/create", {name: value for name, value in merged.items() if value is not None})

    def position(self, symbol: str = "BTCUSDT") -> Any:
        (row,) = self.get("/v5/position/list", category="linear", symbol=symbol).rows
        return row

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def pin(self, symbol: str, price: str, last: str | None = None) -> None:
        self.admin.price({"symbol": symbol, "price": price, **({} if last is None else {"last": last})})

    def foreign(self, symbol: str, quantity: str, kind: str = "manual") -> None:
        self.admin.position(
            {"venue": "bybit", "account": self.account, "symbol": symbol, "quantity": quantity, "kind": kind}
        )

    def setup(self, **settings: object) -> None:
        self.admin.account({"venue": "bybit", "account": self.account, **settings})


PRICES = {"BTCUSDT": "50000", "ETHUSDT": "3000", "XRPUSDT": "2", "BTCPERP": "50000"}


def pinned(btc: str = "50000", **settings: Any) -> Door:
    """A door to a venue whose best-known prices stand still."""
    door = Door(**settings)
    for symbol, price in PRICES.items():
        door.pin(symbol, btc if symbol == "BTCUSDT" else price)
    return door
