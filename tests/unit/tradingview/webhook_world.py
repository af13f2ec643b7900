"""The webhook's application over a home of its own, asked without a server."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from config.home import Home
from core.state import RealFileOps
from signal_endpoints.live_files import LiveFiles
from signal_endpoints.raw_log import RawLog
from signal_endpoints.refusals import Refusals
from signal_endpoints.standing import Standing
from signal_endpoints.tradingview_endpoint import tick
from signal_endpoints.webhook_app import Webhook, create_app
from signal_endpoints.webhook_tokens import Tokens
from signal_processors.tradingview_raw import read_range
from tests.unit.tradingview.records import T0

TOKEN, SECOND = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
SOL = {"symbol": "SOLUSDT", "direction": "long", "size": "10/100"}


@dataclass
class Clock:
    at: float = T0

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class FailingOps(RealFileOps):
    """The disk, whose raw log can be made to fail."""

    error: int = 0

    def append(self, path: Path, data: bytes) -> None:
        if self.error and "raw_signals" in str(path):
            RealFileOps.append(self, path, data[: len(data) // 2])
            raise OSError(self.error, "no luck", str(path))
        RealFileOps.append(self, path, data)


@dataclass
class World:
    root: Path
    ops: FailingOps = field(default_factory=FailingOps)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.home = Home(self.root)
        self.home.prepare()
        self.put("credentials.json", {"bybit": {"x": 1}, "tradingview": {"webhook_tokens": [TOKEN, SECOND]}})
        self.put("asset_mapping_config.json", {"tradingview": {"SOLUSDT": "SOLUSDT", "ETHUSD": "ETHUSDT"}})
        numbers = itertools.count(1)
        tokens = Tokens(self.home, self.ops, self.clock, {}, lambda: "made-" + "0" * 27)
        self.webhook = Webhook(
            clock=self.clock,
            live=LiveFiles(self.home, self.ops, self.clock, {}),
            tokens=tokens,
            raw_log=RawLog(
                self.home.raw_signals("tradingview"),
                self.root / "state" / "cache.json",
                self.ops,
                self.clock,
                lambda: f"id-{next(numbers)}",
                read_range,
            ),
            standing=Standing(self.home.statuses, self.ops, self.clock),
            refusals=Refusals(self.home.rejected_signals("tradingview"), self.ops, tokens.without),
        )
        tick(self.webhook)
        self.client = Client(create_app(self.webhook))

    def put(self, name: str, value: object) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
        path.chmod(0o600)

    def post(self, body: object, path: str = f"/webhook/{TOKEN}", **more: Any) -> TestResponse:
        self.clock.at += 1
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, data=data, **more)

    def send(self, **changes: object) -> dict[str, Any]:
        response = self.post({**SOL, **changes})
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.get_json()
        return found

    def raw(self) -> list[dict[str, Any]]:
        return self.lines("raw_signals")

    def lines(self, folder: str) -> list[dict[str, Any]]:
        files = sorted((self.root / folder / "tradingview").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]

    def everything_written(self) -> str:
        files = [path for path in self.root.rglob("*") if path.is_file() and path.name != "credentials.json"]
        return "\n".join(path.read_text(errors="replace") for path in files)
