"""Small parts every adapter reads with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

from account_processors.codecs.wire import Answer, Malformed, Row
from core.errors import Denied, TransportError, Unavailable

Page = tuple[Answer, Row]
"""A good answer and what is in it."""


async def answered(venue: str, call: Awaitable[Answer]) -> Answer:
    """Any answer of a read, good or bad; raises `Unavailable` where there is none."""
    try:
        return await call
    except TransportError as error:
        raise Unavailable(f"{venue} did not answer ({error}); what was asked stays unknown") from None


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """All results, or the error that says most: `Denied` before any other. No call outlives this one."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures:
        raise next((failure for failure in failures if isinstance(failure, Denied)), failures[0])
    return results


@contextmanager
def usable(place: str) -> Iterator[None]:
    """Inside, a payload that is not as documented fails the read."""
    try:
        yield
    except Malformed as error:
        raise Unavailable(f"{place}: the answer is unusable, so it counts as none ({error})") from None
