"""The programs started on what an older installation left: everything is taken in or set aside, nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.state import parse_document

ROOT = Path(__file__).resolve().parents[2]
ALERT = '2026-11-18 10:00:00.123456 {"symbol":"BTCUSDT","direction":"long","action":"buy","size":"50/100"}\n'
NOT_OURS = "192.0.2.1"
"""An address for documentation (RFC 5737): no machine has it, so listening there ends the endpoint's start."""


def started(home: Path, *words: str) -> str:
    """Runs a program to its end; what it logged."""
    command = [sys.executable, *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False).stderr


@pytest.fixture
def old_log(tmp_path: Path) -> Path:
    folder = tmp_path / "raw_signals" / "tradingview"
    folder.mkdir(parents=True)
    path = folder / "signals.log"
    path.write_text(ALERT)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("signal_processors/tradingview_processor.py", "--once"),
        ("signal_endpoints/tradingview_endpoint.py", "--host", NOT_OURS),
    ],
)
def test_older_alerts_are_taken_in_by_whichever_program_starts_first(
    tmp_path: Path, old_log: Path, words: tuple[str, ...]
) -> None:
    assert "1 alerts of this older log were copied into 2026-11-18.jsonl" in started(tmp_path, *words)
    assert old_log.read_text() == ALERT
    assert "older log" not in started(tmp_path, *words)
    started(tmp_path, "signal_processors/tradingview_processor.py", "--once")
    document = parse_document((tmp_path / "signals" / "tradingview.json").read_bytes(), "document")
    assert list(document.signals) == ["BTCUSDT"]


def test_an_older_depth_cache_moves_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "account_asset_depths.json"
    files = {
        cache.name: {"bybit": {"BTCUSDT": 0.9}},
        "credentials.json": {},
        "asset_mapping_config.json": {"tradingview": {"BTCUSDT": "BTCUSDT"}},
        "signal_weight_config.json": [],
    }
    for name, value in files.items():
        (tmp_path / name).write_text(json.dumps(value))
    before = cache.read_bytes()
    (tmp_path / "credentials.json").chmod(0o644)
    said = started(tmp_path, "execute_trades.py", "--once")
    assert "kept as account_asset_depths.json.old and has no effect" in said
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "account_asset_depths.json.old").read_bytes() == before
    assert not cache.exists()
