"""Small parts every adapter reads with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

from account_processors.codecs.wire import Malformed
from core.domain import ClientId, Problem, Scope
from core.errors import Ambiguous, Denied, Lost, Unavailable

MAX_OFFSET_S = 0.5


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


def lost(error: Lost, client_id: ClientId) -> Ambiguous:
    """A send whose answer never came."""
    what = "nobody knows whether the venue took the request; the engine looks it up and does not send it again"
    return Ambiguous(f"{error}: {what}", client_id)


def clock_problem(offset_s: float) -> Problem | None:
    """What a preflight says of a machine whose clock is `offset_s` behind the venue's (negative: ahead)."""
    if abs(offset_s) <= MAX_OFFSET_S:
        return None
    where = "behind" if offset_s > 0 else "ahead of"
    because = (
        f"this machine's clock is {abs(offset_s):.1f} s {where} the venue's: nothing is opened. "
        "Let the machine synchronize its clock"
    )
    return Problem(Scope.INCREASES, "clock", because)
