"""What one connection of a private stream repeats, and what it leaves out.

Venues do not number their messages, but they say most things twice: an execution moves a position, and an order says
how much of it was executed. One without the other, for longer than the topics of a stream may be apart, means that
something is missing. That is a suspicion, not a proof; whoever hears of it reads again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from core.domain import ZERO, ClientId, Fill, OrderOutcome, Position, Symbol, VenueEvent, VenueEventKind

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

GRACE_S = 2.0
"""How far apart the messages about one execution may come."""
KEPT = 4096
"""Executions and orders remembered."""


@dataclass(slots=True)
class _Order:
    """`executed` by its executions, `told` by itself; both unsigned, since the connection began."""

    executed: Decimal = ZERO
    outcome: OrderOutcome | None = None


@dataclass(slots=True)
class Continuity:
    """Watches the events of one connection. Instants are monotonic seconds."""

    repeats: int = 0
    _executions: OrderedDict[tuple[Symbol, str], None] = field(default_factory=OrderedDict)
    _orders: OrderedDict[ClientId, _Order] = field(default_factory=OrderedDict)
    _positions: dict[Symbol, Position] = field(default_factory=dict)
    _fill_seqs: dict[Symbol, int] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)
    """What is missing, in words -> when it is given up."""

    def takes(self, event: VenueEvent, now_s: float) -> bool:
        """Whether the event says anything new. A repeated or outdated one is to be left out."""
        new = True
        if event.kind is VenueEventKind.FILL and event.fill is not None:
            new = self._fill(event.fill, now_s)
        elif event.kind is VenueEventKind.POSITION and event.position is not None:
            new = self._position(event.position, now_s)
        elif event.kind is VenueEventKind.ORDER and event.client_id is not None and event.outcome is not None:
            new = self._order(event.client_id, event.outcome, now_s)
        self.repeats += not new
        return new

    def missing(self, now_s: float) -> str:
        """What should have come by now and did not; '' where nothing is missing. Told once."""
        late = [what for what, due_s in self._due.items() if due_s <= now_s]
        if not late:
            return ""
        self._due.clear()
        self._positions.clear()
        self._orders.clear()
        self._fill_seqs.clear()
        return "; ".join(late)

    def _fill(self, fill: Fill, now_s: float) -> bool:
        key = (fill.symbol, fill.exec_id)
        if key in self._executions:
            return False
        _remember(self._executions, key, None)
        if fill.client_id is not None:
            order = self._orders.get(fill.client_id) or _Order()
            order.executed += abs(fill.contracts)
            _remember(self._orders, fill.client_id, order)
            self._compare(fill.client_id, order, now_s)
        if fill.seq is not None:
            self._fill_seqs[fill.symbol] = max(fill.seq, self._fill_seqs.get(fill.symbol, fill.seq))
            self._due.pop(_no_fill(fill.symbol), None)
            known = self._positions.get(fill.symbol)
            if known is None or known.seq is None or known.seq < fill.seq:
                self._due.setdefault(_no_position(fill.symbol), now_s + GRACE_S)
        return True

    def _position(self, position: Position, now_s: float) -> bool:
        symbol, seq = position.symbol, position.seq
        known = self._positions.get(symbol)
        if seq is None:
            return True
        if known is not None and known.seq is not None and (seq < known.seq or position == known):
            return False
        self._positions[symbol] = position
        filled_until = self._fill_seqs.get(symbol)
        if filled_until is not None and seq >= filled_until:
            self._due.pop(_no_position(symbol), None)
        moved = known is not None and known.contracts != position.contracts
        if moved and (filled_until is None or filled_until < seq):
            self._due.setdefault(_no_fill(symbol), now_s + GRACE_S)
        return True

    def _order(self, client_id: ClientId, outcome: OrderOutcome, now_s: float) -> bool:
        order = self._orders.get(client_id) or _Order()
        if outcome == order.outcome:
            return False
        order.outcome = outcome
        _remember(self._orders, client_id, order)
        self._compare(client_id, order, now_s)
        return True

    def _compare(self, client_id: ClientId, order: _Order, now_s: float) -> None:
        what = f"executions of order {client_id}"
        if order.outcome is not None and order.executed < order.outcome.filled:
            self._due.setdefault(what, now_s + GRACE_S)
        else:
            self._due.pop(what, None)


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _no_position(symbol: Symbol) -> str:
    return f"the position after an execution of {symbol}"


def _no_fill(symbol: Symbol) -> str:
    return f"the execution that moved {symbol}"
