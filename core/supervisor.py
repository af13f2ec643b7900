"""The one place that catches everything: a bug in one account's cycle, or in the answer to one request, must not stop
the others, nor the process.

Nothing else catches broadly, so every expected failure has a type and every unexpected one ends up here, with its
traceback in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger("trade-engine")


async def isolated(work: Awaitable[T], failed: Callable[[Exception], T]) -> T:
    """The result of `work`, or what `failed` makes of its unexpected failure. Cancellation passes through."""
    try:
        return await work
    except Exception as error:
        log.exception("a cycle failed unexpectedly")
        return failed(error)


def guarded(work: Callable[[], T], failed: Callable[[Exception], T], name: str) -> T:
    """The result of `work`, or what `failed` makes of its unexpected failure, logged under `name`."""
    try:
        return work()
    except Exception as error:
        logging.getLogger(name).exception("a request failed unexpectedly")
        return failed(error)
