"""The private stream of one account: it wakes the loop, primes positions and can be the proof of a complete fill.

A stream never beats a read. Primed positions are used only while the stream is up, was anchored by a read since, and
says what is expected; whatever differs is read. Fills count once (by execution id) and only complete ones settle an
order; everything else only makes the loop look.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal

from core.domain import ZERO, ClientId, Equity, Position, Positions, Symbol, VenueEvent, VenueEventKind, plain
from core.errors import VenueError
from core.events import OrderResolved
from core.execution.account import Account
from core.execution.pacing import Pace
from core.execution.tripping import look
from core.records import Intent

ANCHOR_FRESH_S = 35.0
"""A primed position counts only if a read of all positions is at most this old."""
READ_EVERY_S = 2.0
"""With nothing due, a read this old still vouches for the stream: alerts in quick succession need not read each."""
READ_LAG_S = 2.0
"""How far the venue's reads may be behind its stream: a push within so long before a read was sent may be the newer."""
PUSH_WAIT_S = 0.05
"""How long a fill push is waited for after an ack before the position is read instead."""
PRICES_EVERY_S = 100.0
EXECUTIONS_KEPT = 4096
RESTART_AFTER_S = 1.0
EQUITY_EVERY_S = 5.0
"""How old the equity that sizes may be while the stream is up; it is read in the background that often."""


class AccountStream:
    """What the stream has told of one account since it came up. `wake` makes the account's loop look."""

    def __init__(self, account: Account, wake: Callable[[], None]) -> None:
        self._account = account
        self._wake = wake
        self._up = False
        self._anchored_at: float | None = None
        self._positions: dict[Symbol, Position] = {}
        self._pushed_at: dict[Symbol, float] = {}
        self._executions: OrderedDict[str, None] = OrderedDict()
        self._filled: dict[ClientId, Decimal] = {}
        self._told = asyncio.Condition()
        self._prices_due_s = 0.0

    @property
    def up(self) -> bool:
        return self._up

    async def run(self) -> None:
        """Follows the stream for ever; the adapter reconnects, and what ends all the same is begun again."""
        account = self._account
        while True:
            try:
                async for event in account.processor.events():
                    await self._take(event)
            except VenueError as error:
                account.trouble(None, f"the private stream ended ({error}); positions are read until it is back")
            self._down()
            await asyncio.sleep(account.entropy.uniform(0.8, 1.2) * RESTART_AFTER_S)

    async def keep_equity(self) -> None:
        """Reads equity, and now and then prices, in the background while the stream is up: sizing does not wait."""
        account = self._account
        while True:
            await asyncio.sleep(EQUITY_EVERY_S * 0.9)
            if self._up and account.blocked is None:
                try:
                    account.equity = await account.processor.equity()
                    if account.limits is not None and look(account, account.limits):
                        self._wake()
                except VenueError as error:
                    account.trouble(None, f"the equity could not be read ({error}); the next sizing reads it itself")
                await self._keep_prices()

    async def _keep_prices(self) -> None:
        """Asks for every price now and then: a venue that streams prices streams those that were lately asked for."""
        account, now_s = self._account, self._account.clock.monotonic()
        if now_s < self._prices_due_s or not account.outcomes:
            return
        self._prices_due_s = now_s + PRICES_EVERY_S
        with contextlib.suppress(VenueError):  # nobody waits for them; who needs one asks, and hears of the trouble
            await account.processor.prices(list(account.outcomes))

    # --- for the loop -------------------------------------------------------------------------------------------------

    def equity(self) -> Equity | None:
        """The equity sizing may use without asking, if it is fresh enough."""
        known = self._account.equity
        fresh = known is not None and self._account.clock.time() - known.at <= EQUITY_EVERY_S
        return known if self._up and fresh else None

    def anchor(self, positions: Positions) -> None:
        """A complete read: from here on the stream's changes are changes of this."""
        if not self._up:
            return
        for symbol in set(positions.by_symbol) | set(self._positions):
            read, pushed = positions.of(symbol), self._positions.get(symbol)
            if pushed is None or not self._outdoes(pushed, read, positions.sent_at):
                self._positions[symbol] = read
        self._anchored_at = positions.sent_at

    def _outdoes(self, pushed: Position, read: Position, sent_at: float) -> bool:
        """Whether a push stands against a read. By their numbers; without them nobody knows which of two from about the
        same time is the newer, so that what is not expected stands: it costs another read."""
        if pushed.seq is not None and read.seq is not None:
            return pushed.seq > read.seq
        baseline = self._account.memory.of(pushed.symbol).baseline
        late = self._pushed_at.get(pushed.symbol, float("-inf")) > sent_at - READ_LAG_S
        return late and baseline is not None and pushed.contracts != baseline

    def doubtful(self) -> bool:
        """Whether it shows a position that is not what is expected, with no order of ours that could explain it."""
        memories = ((self._account.memory.of(symbol), position) for symbol, position in self._positions.items())
        return any(
            memory.baseline is not None and not memory.intents and position.contracts != memory.baseline
            for memory, position in memories
        )

    def vouched_for(self) -> bool:
        """Whether a complete read was made so lately that the stream may be believed without another one."""
        return self._anchored_at is not None and self._account.clock.time() - self._anchored_at <= READ_EVERY_S

    def primed(self, symbol: Symbol) -> Positions | None:
        """Positions as the stream has them, where they may stand for a read of `symbol`: it says what is expected."""
        account = self._account
        memory, now = account.memory.of(symbol), account.clock.time()
        fresh = self._anchored_at is not None and now - self._anchored_at <= ANCHOR_FRESH_S
        if not self._up or not fresh or memory.intents or memory.baseline is None:
            return None
        position = self._positions.get(symbol) or Position(symbol, ZERO)
        if position.contracts != memory.baseline:
            return None
        return Positions({**self._positions, symbol: position}, now, now)

    async def settled(self, symbol: Symbol) -> bool:
        """Waits shortly for a push that settles the symbol's open orders; whether none is open any more."""
        if not self._up:
            return False
        try:
            async with asyncio.timeout(PUSH_WAIT_S), self._told:
                await self._told.wait_for(lambda: not self._account.memory.of(symbol).intents or not self._up)
        except TimeoutError:
            return False
        return not self._account.memory.of(symbol).intents

    # --- what arrives -------------------------------------------------------------------------------------------------

    async def _take(self, event: VenueEvent) -> None:
        if event.kind is VenueEventKind.STREAM_UP:
            self._down()
            self._up = self._account.streamed = True
        elif event.kind is VenueEventKind.STREAM_DOWN:
            self._down()
            if event.because:
                because = f"the private stream is down ({event.because}); positions are read until it is back"
                self._account.trouble(None, because)
        elif event.kind is VenueEventKind.POSITION and event.position is not None:
            self._take_position(event.position, event.at)
        elif event.kind is VenueEventKind.FILL and event.fill is not None:
            self._take_fill(event)
        elif event.kind is VenueEventKind.ORDER and event.symbol is not None:
            self._account.view(event.symbol).lookup_due = 0.0
        async with self._told:
            self._told.notify_all()
        if self._should_wake(event):
            self._wake()

    def _down(self) -> None:
        self._up = self._account.streamed = False
        self._anchored_at = None
        self._positions.clear()
        self._pushed_at.clear()
        self._filled.clear()

    def _should_wake(self, event: VenueEvent) -> bool:
        """Whether the loop has something to look at: the expected needs no cycle."""
        if event.kind in (VenueEventKind.STREAM_UP, VenueEventKind.STREAM_DOWN):
            return True
        if event.symbol is None:
            return False
        memory = self._account.memory.of(event.symbol)
        if event.kind is VenueEventKind.POSITION and event.position is not None:
            return not memory.intents and memory.baseline is not None and event.position.contracts != memory.baseline
        return event.kind is VenueEventKind.FILL and event.client_id not in memory.accounted

    def _take_position(self, position: Position, at: float) -> None:
        known = self._positions.get(position.symbol)
        if known is not None and known.seq is not None and position.seq is not None and position.seq < known.seq:
            return  # late or repeated
        self._positions[position.symbol] = position
        self._pushed_at[position.symbol] = at
        view = self._account.view(position.symbol)
        if position.seq is not None:
            view.seq = max(position.seq, view.seq if view.seq is not None else position.seq)

    def _take_fill(self, event: VenueEvent) -> None:
        """Counts one execution once; a complete one settles its order."""
        fill = event.fill
        assert fill is not None
        if fill.exec_id in self._executions:
            return
        self._executions[fill.exec_id] = None
        while len(self._executions) > EXECUTIONS_KEPT:
            self._executions.popitem(last=False)
        intents = {intent.client_id: intent for intent in self._account.memory.of(fill.symbol).intents}
        intent = intents.get(fill.client_id) if fill.client_id else None
        if intent is None:
            self._account.view(fill.symbol).history_due = 0.0
            return
        filled = self._filled.get(intent.client_id, ZERO) + abs(fill.contracts)
        self._filled[intent.client_id] = filled
        if filled == intent.order.contracts:
            self._settle(intent, filled, fill.seq)

    def _settle(self, intent: Intent, filled: Decimal, seq: int | None) -> None:
        account, order = self._account, intent.order
        self._filled.pop(intent.client_id, None)
        account.record("RESOLVED", symbol=order.symbol, n=intent.number, filled=plain(filled), seq=seq)
        account.pacing.succeeded(
            order.symbol, Pace.SHORT_FILL, Pace.REDUCTION_REJECTED if order.reduce_only else Pace.INCREASE_REJECTED
        )
        baseline = account.memory.of(order.symbol).baseline
        known = self._positions.get(order.symbol)
        if baseline is not None and self._anchored_at is not None:
            before = known or Position(order.symbol, ZERO)
            newest = max((n for n in (before.seq, seq) if n is not None), default=None)
            leverage = before.leverage or order.leverage
            mode = before.margin_mode or order.margin_mode
            self._positions[order.symbol] = Position(order.symbol, baseline, leverage, mode, newest, before.entry_price)
        account.tell(
            OrderResolved,
            symbol=order.symbol,
            client_id=intent.client_id,
            outcome="filled",
            filled=filled,
            because="the stream shows the complete fill",
        )
