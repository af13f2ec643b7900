"""What older installations leave in a home: set aside or read as it is, and never changed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.asset_mapping import main as asset_mapping
from config.credentials import main as credentials
from config.credentials_file import CredentialsFile
from config.old_files import put_old_away, set_aside
from config.signal_weights import main as signal_weights
from core.state.projections import DepthCache
from tests.unit.config.house import House
from tests.unit.config.person import Scripted, run

OLD_DEPTHS: Mapping[str, Any] = {"bybit": {"BTCUSDT": 0.0375, "ETHUSDT": -0.02}, "kucoin": {"BTCUSDT": 0.0375}}


@pytest.mark.parametrize("content", [OLD_DEPTHS, {}, [], {"bybit-main": {"BTCUSDT": {"depth": 0.1}}}])
def test_an_older_depth_cache_is_set_aside_and_no_target(house: House, content: object) -> None:
    path = house.put("account_asset_depths.json", content)
    before = path.read_bytes()
    assert set_aside(house.home, house.files) == path.with_name("account_asset_depths.json.old")
    assert not path.exists()
    assert path.with_name("account_asset_depths.json.old").read_bytes() == before
    cache = DepthCache(path, house.files, house.clock)
    assert cache.read_problem is None
    assert set_aside(house.home, house.files) is None


def test_one_set_aside_before_is_not_overwritten(house: House) -> None:
    names = []
    for number in range(3):
        house.put("account_asset_depths.json", {"n": number})
        target = set_aside(house.home, house.files)
        assert target is not None
        names.append((target.name, json.loads(target.read_text())["n"]))
    base = "account_asset_depths.json.old"
    assert names == [(base, 0), (f"{base}.2", 1), (f"{base}.3", 2)]


@pytest.mark.parametrize("content", [{"schema": 1, "at": "2026-11-20T00:00:00.000Z", "accounts": {}}, "{torn"])
def test_our_own_and_damaged_ones_are_the_engines_business(house: House, content: object) -> None:
    path = house.put("account_asset_depths.json", content)
    assert set_aside(house.home, house.files) is None
    assert path.exists()


def test_it_is_told(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.put("account_asset_depths.json", OLD_DEPTHS)
    with caplog.at_level(logging.WARNING):
        put_old_away(house.home, house.files)
    assert "is kept as account_asset_depths.json.old and has no effect" in caplog.text
    house.put("account_asset_depths.json", OLD_DEPTHS)
    house.files.broken.add(house.home.depths)
    with caplog.at_level(logging.WARNING):
        put_old_away(house.home, house.files)
    assert "could not be looked at" in caplog.text


# --- a whole older home -----------------------------------------------------------------------------------------------

OLD_HOME: Mapping[str, Any] = {
    "credentials.json": {
        "bittensor_sn8": {"api_key": "sn8", "endpoint": "http://127.0.0.1:1/miner-positions"},
        "bybit": {"api_key": "a", "api_secret": "b"},
        "blofin": {"api_key": "", "api_secret": "", "api_passphrase": ""},
        "kucoin": {"api_key": "c", "api_secret": "d", "api_passphrase": "e"},
        "mexc": {"api_key": "", "api_secret": ""},
        "ccxt": {
            "ccxt_list": [
                {
                    "exchange_name": "kucoinfutures",
                    "account_name": "Grid Bot",
                    "api_key": "f",
                    "api_secret": "g",
                    "api_passphrase": "h",
                    "enabled": True,
                }
            ]
        },
    },
    "asset_mapping_config.json": {
        "tradingview": {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT"},
        "bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"},
    },
    "signal_weight_config.json": [
        {
            "symbol": symbol,
            "leverage": 3,
            "sources": [{"source": "tradingview", "weight": 0.1}, {"source": "bittensor", "weight": 0.15}],
        }
        for symbol in ("BTCUSDT", "ETHUSDT")
    ],
}


@pytest.fixture
def old_home(house: House) -> House:
    for name, value in OLD_HOME.items():
        house.put(name, json.dumps(value, indent=4)).chmod(0o644)
    return house


def contents(house: House) -> dict[str, bytes]:
    return {name: Path(house.home.root / name).read_bytes() for name in OLD_HOME}


def test_an_older_home_drops_in_unchanged(old_home: House) -> None:
    before = contents(old_home)
    settings = old_home.settings(accounts=CredentialsFile(old_home.home, {}).load().known)
    assert settings.problems() == ()
    found = settings.settings()
    assert found is not None
    assert [str(account) for account in found.accounts] == ["bybit-main", "kucoin-main", "kucoin-grid-bot"]
    assert [str(symbol) for symbol in found.weights] == ["BTCUSDT", "ETHUSDT"]
    assert contents(old_home) == before
    assert old_home.home.credentials.stat().st_mode & 0o777 == 0o600


def test_the_scripts_keep_an_older_home_as_it_is(old_home: House) -> None:
    before = contents(old_home)
    for script, answers in ((credentials, [""] * 11), (asset_mapping, ["k", "", "k", ""]), (signal_weights, [""] * 6)):
        assert run(script, old_home, "--validate") == 0
        assert run(script, old_home, "--show") == 0
        person = Scripted(*answers)
        assert run(script, old_home, person=person) == 0
        assert person.left == 0
    assert contents(old_home) == before
