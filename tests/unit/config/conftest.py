from __future__ import annotations

from pathlib import Path

import pytest

from config.home import Home
from tests.unit.config.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty home."""
    home = Home(tmp_path / "home")
    home.prepare()
    return House(home)
