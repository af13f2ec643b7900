"""What became of an order, from what a venue lists: its orders and its executions, and the verdict they give together.

Shared by the codecs of venues that keep the two in lists of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core.domain import (
    ZERO,
    ClientId,
    Fill,
    Funding,
    History,
    OpenOrder,
    OrderOutcome,
    OrderStatus,
    Side,
    Symbol,
)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as the venue lists it; sizes unsigned. `code` is the venue's reason where it refused afterwards."""

    order_id: str
    client_id: ClientId | None
    symbol: Symbol
    side: Side
    contracts: Decimal
    filled: Decimal
    final: bool
    rejected: bool
    reduce_only: bool
    average_price: Decimal | None
    code: str | None

    def open_order(self) -> OpenOrder:
        return OpenOrder(self.symbol, self.side, self.contracts, self.filled, self.reduce_only, self.client_id)


@dataclass(frozen=True, slots=True)
class Execution:
    """One position-moving execution and the order it belongs to."""

    order_id: str
    fill: Fill


def history(found: Iterable[Execution], funding: Iterable[Funding], ahead_s: float) -> History:
    """Oldest first, each execution once. Venues list newest first and repeat rows where spans or pages meet.

    `ahead_s` is how far the venue's clock is ahead of ours: the times become ours.
    """
    unique = {(one.fill.symbol, one.fill.exec_id): replace(one.fill, time=one.fill.time - ahead_s) for one in found}
    paid = {(one.symbol, one.time): replace(one, time=one.time - ahead_s) for one in funding}
    return History(
        tuple(sorted(unique.values(), key=lambda fill: (fill.time, fill.seq or 0, fill.exec_id))),
        tuple(sorted(paid.values(), key=lambda one: (one.time, one.symbol))),
    )


def outcome(found: Sequence[OrderRow], fills: Sequence[Execution]) -> OrderOutcome | None:
    """What orders with one client id and their executions say together; None: neither knows of any.

    Final only if every order is and the executions show nothing the orders do not: the two lists are written apart from
    each other, and an id can stand for two orders where something on the way repeated a request. `seq` is given only
    when the executions are complete, because a lower one would let a lagging position pass as current.
    """
    if not found and not fills:
        return None
    by_orders = sum((row.filled for row in found), ZERO)
    by_fills = sum((abs(one.fill.contracts) for one in fills), ZERO)
    filled = max(by_orders, by_fills)
    known = {row.order_id for row in found}
    explained = by_fills <= by_orders and known.issuperset(one.order_id for one in fills)
    if not found or not explained or not all(row.final for row in found):
        status = OrderStatus.OPEN
    else:
        status = OrderStatus.REJECTED if all(row.rejected for row in found) else OrderStatus.DONE
    complete = filled > 0 and by_fills == filled
    value = sum((abs(one.fill.contracts) * one.fill.price for one in fills), ZERO)
    fees = [one.fill.fee for one in fills if one.fill.fee is not None]
    sequences = [one.fill.seq for one in fills if one.fill.seq is not None]
    return OrderOutcome(
        status=status,
        filled=filled,
        code=next((row.code for row in found if row.code), None),
        seq=max(sequences) if complete and len(sequences) == len(fills) else None,
        average_price=value / filled if complete else next((row.average_price for row in found), None),
        fee=sum(fees, ZERO) if complete and len(fees) == len(fills) else None,
    )
