"""For every test: no home, PM2 or secret of the machine's user reaches it, and no request it causes carries a mark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.request_marks import Seen, watched


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long stories first: begun last, one of them would keep a single process busy while the others are done."""
    items.sort(key=lambda item: "scenario" not in item.path.parts)


@pytest.fixture(autouse=True)
def _nobody_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [name for name in os.environ if name.startswith(("TRADE_ENGINE_", "PM2_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PM2_HOME", str(Path(tmp_path_factory.getbasetemp()) / "no-pm2"))


@pytest.fixture(scope="session")
def _watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with watched(tmp_path_factory.mktemp("marks") / "report.txt") as seen:
        yield seen


@pytest.fixture(autouse=True)
def _no_marks(_watched: Seen) -> Iterator[None]:
    """Fails a test that made an adapter send a broker's, builder's, partner's, referrer's or library's mark."""
    yield
    if marks := _watched.taken():
        pytest.fail("a mark was sent: " + "; ".join(marks), pytrace=False)
