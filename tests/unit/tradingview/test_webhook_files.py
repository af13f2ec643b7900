"""The files the webhook lives by: tokens, and the part of the configuration it needs."""

from __future__ import annotations

import errno
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from config.home import Home
from core.errors import ConfigError
from core.state import RealFileOps
from signal_endpoints.live_files import ENV, LiveFiles
from signal_endpoints.webhook_tokens import Tokens
from signal_processors.tradingview_order import Dedup
from tests.unit.tradingview.webhook_world import Clock

NEW = "f" * 32


class World:
    def __init__(self, root: Path, environ: dict[str, str] | None = None) -> None:
        self.root = root
        self.ops = RealFileOps()
        self.path = root / "credentials.json"
        self.tokens = Tokens(Home(root), self.ops, Clock(), environ or {}, lambda: NEW)

    def put(self, value: object, name: str = "credentials.json", mode: int = 0o600) -> None:
        path = self.root / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        path.chmod(mode)

    def valid(self, *tokens: str) -> bool:
        self.tokens.refresh()
        return all(self.tokens.matches(token) for token in tokens)


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_the_first_start_makes_a_token(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.valid(NEW)
    assert json.loads(world.path.read_text()) == {"tradingview": {"webhook_tokens": [NEW]}}
    assert world.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("listed", [{}, {"webhook_tokens": []}, {"webhook_tokens": None}])
def test_making_a_token_keeps_everything_else_and_its_order(tmp_path: Path, listed: dict[str, object]) -> None:
    world = World(tmp_path)
    before = {"bybit": {"api_key": "k", "note": 1.50}, "mine": [1], "tradingview": {"x": 1, **listed}, "z": None}
    world.put(before)
    assert world.valid(NEW)
    after = json.loads(world.path.read_text())
    assert list(after) == list(before)
    assert after == {**before, "tradingview": {"x": 1, "webhook_tokens": [NEW]}}


def test_a_token_is_made_once(tmp_path: Path) -> None:
    World(tmp_path).tokens.refresh()
    content = (tmp_path / "credentials.json").read_bytes()
    again = Tokens(Home(tmp_path), RealFileOps(), Clock(), {}, lambda: "another")
    again.refresh()
    assert again.matches(NEW)
    assert (tmp_path / "credentials.json").read_bytes() == content


def test_taking_all_tokens_away_while_it_runs_shuts_the_door(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.valid(NEW)
    world.put({"tradingview": {"webhook_tokens": []}})
    assert not world.valid(NEW)
    assert world.tokens.known


def test_a_token_may_stand_in_the_environment(tmp_path: Path) -> None:
    world = World(tmp_path, {"HOOK": "from-the-environment"})
    world.put({"tradingview": {"webhook_tokens": ["env:HOOK", "env:OTHER", "plain"]}})
    world.put("OTHER='from dotenv'\n", ".env")
    assert world.valid("from-the-environment", "from dotenv", "plain")
    assert not world.valid("env:HOOK")
    world.put("OTHER=changed\n", ".env")
    assert world.valid("changed")
    assert not world.valid("from dotenv")


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"tradingview":[]}', '{"tradingview":{"webhook_tokens":{}}}'])
def test_a_broken_edit_leaves_the_tokens_valid(tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path)
    assert world.valid(NEW)
    world.put(broken)
    assert world.valid(NEW)
    assert world.valid(NEW)
    assert len(caplog.messages) == 1
    world.put({"tradingview": {"webhook_tokens": ["next"]}})
    assert world.valid("next")


def test_a_file_that_vanished_leaves_the_tokens_valid(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.valid(NEW)
    world.path.unlink()
    assert world.valid(NEW)


def test_one_bad_token_does_not_cost_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path)
    world.put({"tradingview": {"webhook_tokens": ["", 5, "env:NOWHERE", "good"]}})
    assert world.valid("good")
    assert not any(world.tokens.matches(text) for text in ("", "5", "env:NOWHERE"))
    assert "webhook_tokens[2]" in caplog.text


def test_a_loose_file_is_tightened_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path)
    world.put({"tradingview": {"webhook_tokens": ["one"]}}, mode=0o644)
    assert world.valid("one")
    assert world.path.stat().st_mode & 0o777 == 0o600
    assert "tightened" in caplog.text


def test_tokens_unknown_at_the_start_are_known_once_the_file_is_mended(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put("{")
    world.tokens.refresh()
    assert not world.tokens.known
    world.put({})
    assert world.valid(NEW)
    assert world.tokens.known


def test_a_full_disk_at_the_first_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: RealFileOps, path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    world = World(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(RealFileOps, "write", full)
        world.tokens.refresh()
        assert not world.tokens.known
    assert world.valid(NEW)


# --- configuration ----------------------------------------------------------------------------------------------------


def rules_of(root: Path, environ: dict[str, str] | None = None) -> LiveFiles:
    return LiveFiles(Home(root), RealFileOps(), Clock(), environ or {})


def test_defaults(tmp_path: Path) -> None:
    rules = rules_of(tmp_path).rules
    assert (rules.host, rules.port, rules.trusted_proxies) == ("127.0.0.1", 8000, ())
    assert (rules.max_depth, rules.dedup, rules.entry_max_age_s) == (Decimal(1), Dedup(), 600)
    assert rules.unmapped == "asset_mapping_config.json: does not exist"


JSON_CONFIG = json.dumps(
    {
        "tradingview_endpoint": {"host": "0.0.0.0", "port": 8001, "trusted_proxies": ["10.0.0.0/8", "::1"]},
        "max_depth": 0.5,
        "dedup": {"ttl_s": "off", "keys": ["symbol"]},
        "sources": {"tradingview": {"entry_max_age_s": 60}},
    }
)
TOML_CONFIG = """
max_depth = 0.5
[tradingview_endpoint]
host = "0.0.0.0"
port = 8001
trusted_proxies = ["10.0.0.0/8", "::1"]
[dedup]
keys = ["symbol"]
[sources.tradingview]
entry_max_age_s = 60
"""


@pytest.mark.parametrize(("name", "text"), [("engine_config.json", JSON_CONFIG), ("engine_config.toml", TOML_CONFIG)])
def test_engine_config(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    rules = rules_of(tmp_path).rules
    assert (rules.host, rules.port) == ("0.0.0.0", 8001)
    assert [str(network) for network in rules.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert (rules.max_depth, rules.dedup, rules.entry_max_age_s) == (Decimal("0.5"), Dedup(None, ("symbol",)), 60)


def test_the_environment_overrides_the_address(tmp_path: Path) -> None:
    (tmp_path / "engine_config.json").write_text(JSON_CONFIG)
    environ = {ENV + "HOST": "127.0.0.2", ENV + "PORT": "18199", ENV + "TRUSTED_PROXIES": "127.0.0.1, 10.1.0.0/16"}
    rules = rules_of(tmp_path, environ).rules
    assert (rules.host, rules.port) == ("127.0.0.2", 18199)
    assert [str(network) for network in rules.trusted_proxies] == ["127.0.0.1/32", "10.1.0.0/16"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "many"), ("PORT", "70000"), ("PORT", "-1"), ("HOST", "a b"), ("TRUSTED_PROXIES", "x")],
)
def test_a_wrong_environment_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=ENV + name):
        rules_of(tmp_path, {ENV + name: value})


def test_a_broken_edit_keeps_the_last_good(tmp_path: Path) -> None:
    live = rules_of(tmp_path)
    (tmp_path / "engine_config.json").write_text('{"max_depth": 0.5}')
    live.refresh()
    (tmp_path / "engine_config.json").write_text('{"max_depth": 7}')
    live.refresh()
    assert live.rules.max_depth == Decimal("0.5")


def test_a_restart_with_a_broken_edit_uses_the_engines_copy(tmp_path: Path) -> None:
    copies = tmp_path / "state" / "last_good"
    copies.mkdir(parents=True)
    (copies / "engine_config.json").write_text('{"max_depth": 0.25}')
    (copies / "asset_mapping_config.json").write_text('{"tradingview": {"A1": "A1USDT"}}')
    for name in ("engine_config.json", "asset_mapping_config.json"):
        (tmp_path / name).write_text("{")
    rules = rules_of(tmp_path).rules
    assert (rules.max_depth, dict(rules.mapping), rules.unmapped) == (Decimal("0.25"), {"A1": "A1USDT"}, None)


def test_a_broken_weight_file_does_not_hold_back_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "signal_weight_config.json").write_text("{")
    (tmp_path / "asset_mapping_config.json").write_text('{"tradingview": {"A1": "A1USDT"}}')
    assert dict(rules_of(tmp_path).rules.mapping) == {"A1": "A1USDT"}
