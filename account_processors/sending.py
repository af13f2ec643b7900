"""Small parts every adapter sends with: permits, what a broken connection means, and the clock as a problem."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable

from account_processors.budget import Lease
from account_processors.codecs.wire import Answer
from core.domain import ClientId, Problem, Scope, VenueEvent
from core.errors import Ambiguous, Lost, NotSent, TransportError, Unavailable

MAX_OFFSET_S = 0.5


class Leases:
    """Room that was given with a permit, by the permit's nonce (milliseconds of the venue), until it is used."""

    def __init__(self, kept_ms: int) -> None:
        """`kept_ms`: a permit that is older serves no order any more."""
        self._kept_ms = kept_ms
        self._by_nonce: dict[int, Lease] = {}

    def keep(self, nonce: int, lease: Lease) -> None:
        oldest = nonce - self._kept_ms
        self._by_nonce = {stamp: kept for stamp, kept in self._by_nonce.items() if stamp > oldest}
        self._by_nonce[nonce] = lease

    def take(self, nonce: int, now_ms: float) -> Lease:
        """The room of a permit, once. Raises `Unavailable` where it was used or ran out."""
        lease = self._by_nonce.pop(nonce, None)
        if lease is None or now_ms >= nonce + self._kept_ms:
            raise Unavailable("the permit ran out before the order was sent; nothing was sent, the engine plans again")
        return lease

    def clear(self) -> None:
        self._by_nonce.clear()


async def order_answer(call: Awaitable[Answer], client_id: ClientId) -> Answer:
    """The answer to an order or a cancel. `Unavailable`: nothing was sent; `Ambiguous`: it was, and no answer came."""
    try:
        return await call
    except NotSent as error:
        raise Unavailable(str(error)) from None
    except Lost as error:
        what = "nobody knows whether the venue took the request; the engine looks it up and does not send it again"
        raise Ambiguous(f"{error}: {what}", client_id) from None


async def setting_answer(call: Awaitable[Answer]) -> Answer:
    """The answer to a change of a setting; `Unavailable` where none came: settings are read back."""
    try:
        return await call
    except TransportError as error:
        raise Unavailable(f"{error}; whether the setting took hold is read back") from None


def clock_problems(offset_s: float) -> list[Problem]:
    """What is wrong with this machine's clock; `offset_s` is the venue's minus ours."""
    if abs(offset_s) <= MAX_OFFSET_S:
        return []
    where = "behind" if offset_s > 0 else "ahead of"
    because = (
        f"this machine's clock is {abs(offset_s):.1f} s {where} the venue's: nothing is opened. "
        "Let the machine synchronize its clock"
    )
    return [Problem(Scope.INCREASES, "clock", because)]


async def no_events() -> AsyncIterator[VenueEvent]:
    """The events of a venue without a private stream: ends at once."""
    none: tuple[VenueEvent, ...] = ()
    for event in none:
        yield event
