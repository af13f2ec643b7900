"""Reads of one account, coalesced: equal questions of parallel symbols become one request.

A positions read answers only those who asked before it was *sent*, so that whoever asks after an ack gets a read that
was sent after the ack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

from core.domain import Equity, Instrument, Positions, Price, Symbol
from core.errors import Unavailable
from core.ports import AccountProcessor

T = TypeVar("T")
LINGER_S = 0.02
"""How long a verification read waits for the account's other orders in flight."""


def _forget(task: asyncio.Task[T]) -> None:
    """Marks a shared task's failure as seen: every asker gets it from its own await."""
    if not task.cancelled():
        task.exception()


class PositionReads:
    """One positions read in flight; the next one serves everybody who asked meanwhile."""

    def __init__(self, processor: AccountProcessor, quiet: Callable[[], Awaitable[None]]) -> None:
        self._processor = processor
        self._quiet = quiet
        self._waiting: asyncio.Task[Positions] | None = None
        self._running: asyncio.Task[Positions] | None = None

    async def fresh(self) -> Positions:
        """A complete read sent after this call. Raises `Unavailable` or `Denied`."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_task(self._read(self._running))
            self._waiting.add_done_callback(_forget)
        return await asyncio.shield(self._waiting)

    async def under_way(self) -> Positions:
        """The read that is under way, for what may be a moment old; a fresh one where there is none."""
        if self._running is not None and not self._running.done():
            return await asyncio.shield(self._running)
        return await self.fresh()

    async def _read(self, previous: asyncio.Task[Positions] | None) -> Positions:
        if previous is not None and not previous.done():
            await asyncio.wait([previous])
        await self._quiet()
        self._running, self._waiting = self._waiting, None
        return await self._processor.positions()


class InFlight:
    """How many orders of the account are being sent, so that one verification read can serve them all."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def idle(self) -> None:
        """Returns when nothing is in flight."""
        await self._idle.wait()

    async def quiet(self) -> None:
        """Returns when nothing is in flight, at the latest after `LINGER_S`."""
        if self._count:
            try:
                async with asyncio.timeout(LINGER_S):
                    await self._idle.wait()
            except TimeoutError:
                return


class Once(Generic[T]):
    """A value asked for by many and fetched once; everybody gets the result or the failure."""

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._task: asyncio.Task[T] | None = None

    async def get(self) -> T:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(_forget)
        return await asyncio.shield(self._task)

    async def _run(self) -> T:
        return await self._fetch()


class CycleFacts:
    """What one cycle of one account reads besides positions: one equity snapshot, prices in batches, instruments.

    Prices are asked for in one batch of the symbols that are `due`, and in another of all `symbols` should one of the
    others turn out to need its price. `equity` is a snapshot fresh enough to use as it is (None: it is read).
    """

    def __init__(
        self,
        processor: AccountProcessor,
        symbols: Collection[Symbol],
        due: Collection[Symbol],
        equity: Equity | None = None,
    ) -> None:
        self._due = frozenset(due)
        self._known_equity = equity
        self._equity = Once(processor.equity)
        self._due_prices = Once(lambda: processor.prices(due))
        self._all_prices = Once(lambda: processor.prices(symbols))
        self._instruments = Once(processor.instruments)
        self._processor = processor

    async def equity(self, newer_than: float = 0.0) -> Equity:
        """The account's equity: one value for the whole cycle, unless that is older than `newer_than`."""
        if self._known_equity is not None and self._known_equity.at >= newer_than:
            return self._known_equity
        self._known_equity = None
        asked = self._equity
        found = await asked.get()
        if found.at < newer_than:
            if self._equity is asked:  # and no other symbol has asked anew meanwhile
                self._equity = Once(self._processor.equity)
            found = await self._equity.get()
        return found

    async def price(self, symbol: Symbol, newer_than: float = 0.0) -> Price | None:
        """The cycle's price, or a new one when that is older than `newer_than`; None where the venue gives none."""
        prices: Mapping[Symbol, Price] = await (self._due_prices if symbol in self._due else self._all_prices).get()
        price = prices.get(symbol)
        if price is not None and price.at < newer_than:
            price = (await self._processor.prices([symbol])).get(symbol)
        return price

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return await self._instruments.get()

    async def instrument(self, symbol: Symbol) -> Instrument | None:
        return (await self.instruments()).get(symbol)


async def known(read: Callable[[], Awaitable[T]]) -> tuple[T | None, str]:
    """A read as (value, "") or (None, why it is Unknown). Denied and faults of ours still raise.

    It is begun here: what is cancelled before it came so far leaves nothing behind that nobody waited for.
    """
    try:
        return await read(), ""
    except Unavailable as error:
        return None, str(error)
