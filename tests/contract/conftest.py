"""Accounts of the simulator a module started as its `venue`: one for every test that wants one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.simulator_process import Simulator


@pytest.fixture(scope="module")
def unused(venue: Simulator) -> Iterator[str]:
    return iter(venue.accounts)


@pytest.fixture
def account(unused: Iterator[str]) -> str:
    """No other test of the module has it."""
    return next(unused)
