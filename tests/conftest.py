"""For every test: no home, PM2 or secret of the machine's user reaches it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _nobody_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [name for name in os.environ if name.startswith(("TRADE_ENGINE_", "PM2_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PM2_HOME", str(Path(tmp_path_factory.getbasetemp()) / "no-pm2"))
