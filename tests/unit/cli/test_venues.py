"""`./run venues`: native venues, exchanges through ccxt, and what each needs."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest

from account_processors import REGISTRY
from cli.venues import listing, venues


def test_every_native_venue_and_what_it_needs() -> None:
    native = {row["venue"]: row for row in listing()["native"]}
    assert set(native) == set(REGISTRY)
    assert native["kucoin"]["credentials"] == ["api_key", "api_secret", "api_passphrase"]
    assert all(row["lookup_by_client_id"] and row["unseen_orders_die_after_s"] > 0 for row in native.values())


def test_exchanges_through_ccxt_say_what_they_lack() -> None:
    through = listing()["ccxt"]
    rows = {row["venue"]: row for row in through["exchanges"]}
    assert through["count"] == len(rows) >= 30
    assert not set(rows) & set(REGISTRY)
    assert rows["okx"]["credentials"] == ["api_key", "api_secret", "api_passphrase"]
    assert rows["kucoinfutures"]["proven"]
    assert rows["kucoinfutures"]["limits"] == []
    assert any("./run resolve" in limit for limit in rows["okx"]["limits"])
    assert any("leverage cannot be read" in limit for limit in rows["apex"]["limits"])
    assert "mark" in through["impossible"]["woo"]


def test_lines_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert venues(argparse.Namespace(json=False)) == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 140
    assert "bybit" in told
    assert "okx" in told
    assert venues(argparse.Namespace(json=True)) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == 1


def test_no_other_verb_waits_for_ccxt() -> None:
    code = "import cli.main, sys; print('ccxt' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "False"
