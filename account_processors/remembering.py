"""What adapters remember of orders and executions: the newest, so that a long life fills no memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

REMEMBERED = 20_000
"""More than one read of a venue's history can bring."""


def remember(memory: OrderedDict[K, V], key: K, value: V, most: int = REMEMBERED) -> None:
    """`memory` now holds `value`, and of what it learnt first no more than `most` keys leave room for."""
    memory[key] = value
    while len(memory) > most:
        memory.popitem(last=False)
