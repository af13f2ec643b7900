"""Bybit V5, what became of orders: order rows and executions; `codecs.orders` says what they amount to.

Wire facts are from https://bybit-exchange.github.io/docs/v5 (order/open-order, order/order-list, order/execution and
the enum page).
"""

from __future__ import annotations

from account_processors.codecs.bybit import SIDES, seq_of
from account_processors.codecs.orders import Execution, OrderRow, history, outcome
from account_processors.codecs.wire import Malformed, Row, epoch_s, number, number_or_none, positive, rows, text
from core.domain import ZERO, ClientId, Fill, Funding, Side, Symbol

__all__ = ["Execution", "OrderRow", "execution", "executions", "history", "order_row", "order_rows", "outcome"]

_FINAL = frozenset({"Filled", "Cancelled", "PartiallyFilledCanceled", "Deactivated", "Rejected"})
"""Order states that never change again; any other, an unknown one too, may still fill."""
_FILL_KINDS = {"Trade": "trade", "BlockTrade": "trade", "BustTrade": "liquidation", "AdlTrade": "adl"}
"""execType -> `Fill.kind`; any other that moves a position (Settle, Delivery, MovePosition, …) is a settlement."""


def order_rows(result: Row) -> list[OrderRow]:
    """One page of `/v5/order/realtime` or `/v5/order/history`."""
    return [order_row(row) for row in rows(result, "list")]


def order_row(row: Row) -> OrderRow:
    """One order, listed or pushed."""
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
        found = execution(row)
        if found is not None:
            moved.append(found)
        else:  # its fee is what was paid; quantity and side repeat the position
            funding.append(Funding(Symbol(text(row, "symbol")), -number(row, "execFee"), epoch_s(row, "execTime")))
    return moved, funding


def execution(row: Row) -> Execution | None:
    """One execution, listed or pushed; None for funding, which moves no position."""
    kind = text(row, "execType")
    if kind == "Funding":
        return None
    return Execution(text(row, "orderId"), _fill(row, _FILL_KINDS.get(kind, "settlement")))


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
