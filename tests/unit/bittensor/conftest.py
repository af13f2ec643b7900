"""The house every test of the processor begins with."""

from __future__ import annotations

import logging

import pytest

from tests.unit.bittensor.house import House


@pytest.fixture
def house(caplog: pytest.LogCaptureFixture) -> House:
    caplog.set_level(logging.INFO)
    return House()
