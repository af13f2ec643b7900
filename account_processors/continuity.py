"""What one connection of a private stream repeats, and what it leaves out.

Venues do not number their messages, but they say most things twice: an execution moves a position, and an order says
how much of it was executed. One without the other, for longer than the topics of a stream may be apart, means that
something is missing. That is a suspicion, not a proof; whoever hears of it reads again.

Where executions and positions carry a sequence number, the one is held against the other by it. Where they do not, they
have to add up once it is quiet (see `balance`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from decimal import Decimal

from account_processors.balance import Balance
from account_processors.remembering import remember
from core.domain import ZERO, ClientId, Fill, OrderOutcome, Position, Symbol, VenueEvent, VenueEventKind

GRACE_S = 2.0
"""How far apart the messages about one execution may come."""
KEPT = 4096
"""Executions and orders remembered."""


@dataclass(slots=True)
class _Order:
    """`executed`: unsigned, by the executions since the connection began; `outcome`: as the order itself says."""

    executed: Decimal = ZERO
    outcome: OrderOutcome | None = None


@dataclass(slots=True)
class _Symbol:
    """Sequence numbers of one symbol: of its latest fill, and of the latest position that moved. Where there are none:
    the venue's instant of the position, and what executions and positions add up to."""

    position: Position | None = None
    filled: int = -1
    moved: int = -1
    made_s: float = float("-inf")
    balance: Balance | None = None

    @property
    def positioned(self) -> int:
        return -1 if self.position is None or self.position.seq is None else self.position.seq


@dataclass(slots=True)
class Continuity:
    """Watches the events of one connection. Instants are monotonic seconds.

    `shows_flat`: the venue tells of a position that was closed, where positions carry no sequence number.
    """

    shows_flat: bool = True
    _executions: OrderedDict[tuple[Symbol, str], None] = field(default_factory=OrderedDict)
    _orders: OrderedDict[ClientId, _Order] = field(default_factory=OrderedDict)
    _symbols: dict[Symbol, _Symbol] = field(default_factory=dict)
    _due: dict[str, tuple[int, float]] = field(default_factory=dict)
    """What is missing, in words -> the sequence number that would settle it, and when it is given up."""

    def takes(self, event: VenueEvent, now_s: float, made_s: float | None = None) -> bool:
        """Whether the event says anything new. A repeated or outdated one is to be left out.

        `made_s`: the venue's instant of it, by which positions without a sequence number are kept in order.
        """
        if event.kind is VenueEventKind.FILL and event.fill is not None:
            return self._fill(event.fill, now_s)
        if event.kind is VenueEventKind.POSITION and event.position is not None:
            if event.position.seq is None:
                return self._unnumbered(event.position, now_s, made_s)
            return self._position(event.position, event.position.seq, now_s)
        if event.kind is VenueEventKind.ORDER and event.client_id is not None and event.outcome is not None:
            return self._order(event.client_id, event.outcome, now_s)
        return True

    def missing(self, now_s: float) -> str:
        """What should have come by now and did not; '' where nothing is missing. Told once."""
        late = [what for what, (_, due_s) in self._due.items() if due_s <= now_s]
        if late:
            self._due.clear()
            self._symbols.clear()
            self._orders.clear()
        return "; ".join(late)

    def _fill(self, fill: Fill, now_s: float) -> bool:
        key = (fill.symbol, fill.exec_id)
        if key in self._executions:
            return False
        remember(self._executions, key, None, KEPT)
        if fill.client_id is not None:
            order = self._orders.get(fill.client_id) or _Order()
            order.executed += abs(fill.contracts)
            remember(self._orders, fill.client_id, order, KEPT)
            self._compare_order(fill.client_id, order, now_s)
        known = self._symbols.setdefault(fill.symbol, _Symbol())
        if fill.seq is not None:
            known.filled = max(known.filled, fill.seq)
            self._compare_symbol(fill.symbol, known, now_s)
        else:
            self._balance(known).executed(fill.contracts, now_s)
            self._compare_balance(known, _following(fill.symbol), _moving(fill.symbol), now_s)
        return True

    def _unnumbered(self, position: Position, now_s: float, made_s: float | None) -> bool:
        known = self._symbols.setdefault(position.symbol, _Symbol())
        before, made_s = known.position, known.made_s if made_s is None else made_s
        if made_s < known.made_s or (position == before and made_s == known.made_s > float("-inf")):
            return False
        known.position, known.made_s = position, made_s
        self._balance(known).positioned(position.contracts, now_s)
        self._compare_balance(known, _moving(position.symbol), _following(position.symbol), now_s)
        return True

    def _position(self, position: Position, seq: int, now_s: float) -> bool:
        known = self._symbols.setdefault(position.symbol, _Symbol())
        before = known.position
        if seq < known.positioned or position == before:
            return False
        if before is not None and before.contracts != position.contracts:
            known.moved = seq
        known.position = position
        self._compare_symbol(position.symbol, known, now_s)
        return True

    def _order(self, client_id: ClientId, outcome: OrderOutcome, now_s: float) -> bool:
        order = self._orders.get(client_id) or _Order()
        if outcome == order.outcome:
            return False
        order.outcome = outcome
        remember(self._orders, client_id, order, KEPT)
        self._compare_order(client_id, order, now_s)
        return True

    def _compare_order(self, client_id: ClientId, order: _Order, now_s: float) -> None:
        what = f"executions of order {client_id}"
        if order.outcome is not None and order.executed < order.outcome.filled:
            self._due.setdefault(what, (0, now_s + GRACE_S))
        else:
            self._due.pop(what, None)

    def _compare_symbol(self, symbol: Symbol, known: _Symbol, now_s: float) -> None:
        self._await(_following(symbol), known.filled, known.positioned, now_s)
        self._await(_moving(symbol), known.moved, known.filled, now_s)

    def _balance(self, known: _Symbol) -> Balance:
        known.balance = known.balance or Balance(self.shows_flat, GRACE_S)
        return known.balance

    def _compare_balance(self, known: _Symbol, what: str, other: str, now_s: float) -> None:
        """`what` is missing if what came does not add up; what comes next may settle it, so the wait begins anew."""
        self._due.pop(what, None)
        self._due.pop(other, None)
        if not self._balance(known).even():
            self._due[what] = (0, now_s + GRACE_S)

    def _await(self, what: str, wanted: int, seen: int, now_s: float) -> None:
        if what in self._due and self._due[what][0] <= seen:
            del self._due[what]
        if wanted > seen:
            self._due.setdefault(what, (wanted, now_s + GRACE_S))


def _following(symbol: Symbol) -> str:
    return f"the position after an execution of {symbol}"


def _moving(symbol: Symbol) -> str:
    return f"the execution that moved {symbol}"
