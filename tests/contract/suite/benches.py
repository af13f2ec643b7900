"""The venues the suite runs over: one line each. The order is that of the test ids."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache

import pytest

from core.domain import Capabilities
from tests.contract.suite.venue import VenueBench

MODULES = (
    "tests.contract.bybit_bench",
    "tests.contract.blofin_bench",
    "tests.contract.kucoin_bench",
    "tests.contract.mexc_bench",
    "tests.contract.hyperliquid_bench",
    "tests.contract.ccxt_bench",
)
"""Each has a `BENCH: VenueBench`, or `BENCHES`, a tuple of them."""

BOTH = pytest.mark.parametrize("where", ["memory", "http"])
"""In memory on virtual time, and over real sockets."""


@lru_cache
def benches() -> tuple[VenueBench, ...]:
    modules = [importlib.import_module(name) for name in MODULES]
    found = [one for module in modules for one in getattr(module, "BENCHES", None) or (module.BENCH,)]
    assert all(isinstance(one, VenueBench) for one in found)
    assert len({one.name for one in found}) == len(found)
    return tuple(found)


def anyone(_: Capabilities) -> bool:
    return True


def every(can: Callable[[Capabilities], bool] = anyone) -> pytest.MarkDecorator:
    """The test takes `it`, each venue whose capabilities say yes."""
    chosen = [one for one in benches() if can(one.capabilities)]
    return pytest.mark.parametrize("it", chosen, ids=str)
