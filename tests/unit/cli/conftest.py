"""A home of its own for each test, and no demo but the test's."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty live home; it is the one the environment names."""
    monkeypatch.setattr("cli.places.demo_homes", lambda: (Home(tmp_path / "demo"),))
    found = Home(tmp_path / "live")
    found.prepare()
    monkeypatch.setenv("TRADE_ENGINE_HOME", str(found.root))
    return found
