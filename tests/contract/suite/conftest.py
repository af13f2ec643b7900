"""Leaves out what a bench's page says is not promised."""

from __future__ import annotations

import pytest

from tests.contract.ccxt_bench import WAIVED
from tests.contract.suite.venue import VenueBench


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        it = item.callspec.params.get("it")
        if isinstance(it, VenueBench) and item.originalname in WAIVED.get(it.name, ()):
            item.add_marker(pytest.mark.skip(reason="not promised: docs/venues/ccxt.md"))
