"""Runs a scenario on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from core.clock import VirtualClock, VirtualLoop, run_virtual

T = TypeVar("T")


def virtual(scenario: Callable[[VirtualClock], Coroutine[Any, Any, T]]) -> T:
    """The scenario's result; it gets the clock of a fresh loop in which waiting costs nothing."""
    loop = VirtualLoop()
    return run_virtual(scenario(VirtualClock(loop)), loop)
