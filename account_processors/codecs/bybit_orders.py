"""Bybit V5, what became of orders: order rows, executions, and the one verdict they give together.

Wire facts are from https://bybit-exchange.github.io/docs/v5 (order/open-order, order/order-list, order/execution and
the enum page).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from account_processors.codecs.bybit import SIDES, seq_of
from account_processors.codecs.wire import Malformed, Row, epoch_s, number, number_or_none, positive, rows, text
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

_FINAL = frozenset({"Filled", "Cancelled", "PartiallyFilledCanceled", "Deactivated", "Rejected"})
"""Order states that never change again; any other, an unknown one too, may still fill."""
_FILL_KINDS = {"Trade": "trade", "BlockTrade": "trade", "BustTrade": "liquidation", "AdlTrade": "adl"}
"""execType -> `Fill.kind`; any other that moves a position (Settle, Delivery, MovePosition, …) is a settlement."""


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


def order_rows(result: Row) -> list[OrderRow]:
    """One page of `/v5/order/realtime` or `/v5/order/history`."""
    return [_order_row(row) for row in rows(result, "list")]


def _order_row(row: Row) -> OrderRow:
    status = text(row, "orderStatus")
    filled = number(row, "cumExecQty")
    reason = row.get("rejectReason")
    return OrderRow(
        order_id=text(row, "orderId"),
        client_id=_client_id(row),
        symbol=Symbol(text(row, "symbol")),
        side=_side(row),
        contracts=number(row, "qty"),
        filled=filled,
        final=status in _FINAL,
        rejected=status == "Rejected" and filled == 0,
        reduce_only=row.get("reduceOnly") is True,
        average_price=number_or_none(row, "avgPrice") or None,
        code=reason if isinstance(reason, str) and reason not in ("", "EC_NoError") else None,
    )


def executions(result: Row) -> tuple[list[Execution], list[Funding]]:
    """One page of `/v5/execution/list`. Times are the venue's; funding is signed, positive was received."""
    moved: list[Execution] = []
    funding: list[Funding] = []
    for row in rows(result, "list"):
        kind = text(row, "execType")
        if kind == "Funding":  # its fee is what was paid; quantity and side repeat the position
            funding.append(Funding(Symbol(text(row, "symbol")), -number(row, "execFee"), epoch_s(row, "execTime")))
        else:
            moved.append(Execution(text(row, "orderId"), _fill(row, _FILL_KINDS.get(kind, "settlement"))))
    return moved, funding


def _fill(row: Row, kind: str) -> Fill:
    return Fill(
        symbol=Symbol(text(row, "symbol")),
        contracts=positive(row, "execQty") * _side(row).sign,
        price=number(row, "execPrice"),
        fee=number_or_none(row, "execFee") or ZERO,
        time=epoch_s(row, "execTime"),
        exec_id=text(row, "execId"),
        client_id=_client_id(row),
        seq=seq_of(row),
        kind=kind,
    )


def _side(row: Row) -> Side:
    side = SIDES.get(text(row, "side"))
    if side is None:
        raise Malformed(f"side {row.get('side')!r}")
    return side


def _client_id(row: Row) -> ClientId | None:
    """`orderLinkId` is empty where the order was not placed by an API client with an id: it is not ours."""
    given = row.get("orderLinkId")
    return ClientId(given) if isinstance(given, str) and given else None


def history(found: Iterable[Execution], funding: Iterable[Funding], ahead_s: float) -> History:
    """Oldest first, each execution once. Bybit sorts newest first and repeats rows where windows meet.

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
    sequences = [one.fill.seq for one in fills if one.fill.seq is not None]
    return OrderOutcome(
        status=status,
        filled=filled,
        code=next((row.code for row in found if row.code), None),
        seq=max(sequences) if complete and len(sequences) == len(fills) else None,
        average_price=value / filled if complete else next((row.average_price for row in found), None),
        fee=sum((one.fill.fee for one in fills), ZERO) if complete else None,
    )
