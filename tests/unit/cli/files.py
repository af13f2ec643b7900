"""The files a user or a program would have written into a home."""

from __future__ import annotations

import json
from typing import Any

from config.home import Home

TOKEN = "0123456789abcdef0123456789abcdef"


def write_credentials(home: Home, *names: str) -> None:
    accounts = [{"venue": "bybit", "name": name, "api_key": f"key-{name}", "api_secret": "s"} for name in names]
    home.credentials.write_text(json.dumps({"tradingview": {"webhook_tokens": [TOKEN]}, "accounts": accounts}))


def write_configuration(home: Home, **engine: Any) -> None:
    home.asset_mapping.write_text(json.dumps({"tradingview": {"BTCUSDT": "BTCUSDT"}}))
    weights = [{"symbol": "BTCUSDT", "leverage": 3, "sources": [{"source": "tradingview", "weight": 0.1}]}]
    home.signal_weights.write_text(json.dumps(weights))
    home.engine_config.write_text(json.dumps(engine))


def write_status(home: Home, account: str, **status: Any) -> None:
    home.statuses.mkdir(exist_ok=True)
    (home.statuses / f"{account}.json").write_text(json.dumps({"schema": 1, "account": account, **status}))
