"""What became of an order of ours: by the next position read where that is proof, else by asking for it by its id.

An order is DEAD only after it was looked up twice, at least two seconds apart, both times after its end of validity
plus a margin, and was nowhere. Nothing is ever sent again for it; a fresh read and a new plan follow.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import Position, Positions, Symbol, plain
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError
from core.events import OrderResolved
from core.execution.account import Account, SymbolView
from core.execution.pacing import Pace
from core.records import Intent, IntentState

AFTER_VALIDITY_S = 5.0
LOOKUPS_APART_S = 2.0
LOOKUP_EVERY_S = 1.0
CANCEL_OPEN_AFTER_S = 2.0


async def resolve(account: Account, symbol: Symbol, position: Position, positions: Positions) -> None:
    """Resolves what can be resolved of the symbol's open intents now. Raises `Denied` only."""
    memory = account.memory.of(symbol)
    intents = memory.intents
    if len(intents) == 1 and _proven_by(account, intents[0], position, positions):
        _resolved(account, intents[0], intents[0].order.contracts, position.seq, "the position is as expected")
        return
    view = account.view(symbol)
    if account.clock.time() < view.lookup_due:
        return
    view.lookup_due = account.clock.time() + LOOKUP_EVERY_S
    for intent in intents:
        await _look_up(account, intent, view)


def _proven_by(account: Account, intent: Intent, position: Position, positions: Positions) -> bool:
    """Whether a read sent after the ack shows exactly what a complete fill would make, and cannot be an older one.

    It cannot where the venue numbers its positions and this one is beyond what was seen before the order, or where the
    symbol did not hold that very amount lately, so that no stale read could show it.
    """
    symbol = intent.order.symbol
    memory, view = account.memory.of(symbol), account.view(symbol)
    if intent.state is not IntentState.ACKED or memory.baseline is None or positions.sent_at < intent.prepared_at:
        return False
    expected = memory.baseline + intent.order.signed
    if position.contracts != expected:
        return False
    if position.seq is not None and view.seq_at_send is not None:
        return position.seq > view.seq_at_send
    return not account.held_lately(symbol, expected)


async def _look_up(account: Account, intent: Intent, view: SymbolView) -> None:
    symbol = intent.order.symbol
    if not account.processor.capabilities.find_by_client_id:
        return
    asked_at = account.clock.time()
    try:
        outcome = await account.processor.find(symbol, intent.client_id)
    except (Unavailable, Rejected, OurFault) as error:
        account.trouble(symbol, f"order {intent.client_id} could not be looked up ({error}); asking again")
        return
    if not account.is_open(intent):
        return
    if outcome is None:
        _absent(account, intent, view, asked_at)
        return
    view.absent_at.pop(intent.number, None)
    if outcome.final:
        _resolved(account, intent, outcome.filled, outcome.seq, f"the venue says {outcome.status.value}")
    elif asked_at - intent.prepared_at > CANCEL_OPEN_AFTER_S:
        await _cancel(account, intent)


def _absent(account: Account, intent: Intent, view: SymbolView, asked_at: float) -> None:
    """Counts one absence; the second valid one makes the order DEAD."""
    if asked_at < intent.valid_until + AFTER_VALIDITY_S:
        return
    first = view.absent_at.setdefault(intent.number, asked_at)
    if asked_at - first < LOOKUPS_APART_S:
        return
    del view.absent_at[intent.number]
    because = "the venue never had it and can no longer take it"
    account.record("DEAD", symbol=intent.order.symbol, n=intent.number, because=because)
    _tell(account, intent, "dead", Decimal(0), because)


async def _cancel(account: Account, intent: Intent) -> None:
    """An order that should have ended by itself still rests in the book: cancel it, then look again."""
    try:
        await account.processor.cancel(intent.order.symbol, intent.client_id)
    except Denied:
        raise
    except VenueError as error:
        account.trouble(intent.order.symbol, f"order {intent.client_id} rests and could not be cancelled ({error})")


def _resolved(account: Account, intent: Intent, filled: Decimal, seq: int | None, because: str) -> None:
    account.record("RESOLVED", symbol=intent.order.symbol, n=intent.number, filled=plain(filled), seq=seq)
    _tell(account, intent, "filled" if filled else "unfilled", filled, because)
    order = intent.order
    if order.reduce_only:
        view = account.view(order.symbol)
        view.closing_tries = 0 if filled else view.closing_tries + 1
        account.pacing.succeeded(order.symbol, Pace.REDUCTION_REJECTED)
    elif filled < order.contracts:
        detail = f"{plain(filled)} of {plain(order.contracts)} contracts"
        now = account.clock.time()
        account.pacing.failed(order.symbol, Pace.SHORT_FILL, "", intent.generation, now, detail)
    else:
        account.pacing.succeeded(order.symbol, Pace.SHORT_FILL, Pace.INCREASE_REJECTED)


def _tell(account: Account, intent: Intent, outcome: str, filled: Decimal, because: str) -> None:
    account.tell(
        OrderResolved,
        symbol=intent.order.symbol,
        client_id=intent.client_id,
        outcome=outcome,
        filled=filled,
        because=because,
    )
