"""BloFin, what became of orders: order rows and executions; `codecs.orders` says what they amount to.

Wire facts are from https://docs.blofin.com (order detail, active orders, order history, trade history). An execution
names its order but not our id, so whose it is stands only in the order's row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from account_processors.codecs.blofin import SIDES, symbol_of
from account_processors.codecs.orders import Execution, OrderRow
from account_processors.codecs.wire import Malformed, Row, epoch_s, number, number_or_none, positive, rows, table, text
from core.domain import ZERO, ClientId, Fill, Side

_FINAL = frozenset({"filled", "canceled", "partially_canceled", "order_failed"})
"""Order states that never change again; any other, an unknown one too, may still fill."""
_FILL_KINDS = {"full_liquidation": "liquidation", "partial_liquidation": "liquidation", "adl": "adl"}
"""orderCategory -> `Fill.kind`; any other is a trade."""


@dataclass(frozen=True, slots=True)
class Whose:
    """What an order's row says of its executions: whose order it was, and what kind."""

    client_id: ClientId | None
    kind: str = "trade"


def order_rows(payload: Row) -> list[OrderRow]:
    """One page of active orders or of the history."""
    return [_order_row(row) for row in rows(payload, "data")]


def detail(payload: Row) -> list[tuple[OrderRow, Whose]]:
    """The order of `/trade/order-detail` and whose it is; none where the venue knows no such order."""
    data = payload.get("data")
    if data in (None, {}, [], ""):
        return []
    row = table(data[0] if isinstance(data, list) and len(data) == 1 else data, "data")
    return [order_row(row)]


def order_row(row: Row) -> tuple[OrderRow, Whose]:
    """One row of an order, as lists and streams show it, and whose it is."""
    return _order_row(row), _whose(row)


def _order_row(row: Row) -> OrderRow:
    state, filled = text(row, "state"), number(row, "filledSize")
    average = number_or_none(row, "averagePrice")
    return OrderRow(
        order_id=text(row, "orderId"),
        client_id=_client_id(row),
        symbol=symbol_of(text(row, "instId")),
        side=_side(row),
        contracts=number(row, "size"),
        filled=filled,
        final=state in _FINAL,
        rejected=state == "order_failed" and filled == 0,
        reduce_only=row.get("reduceOnly") == "true",
        average_price=average or None,
        code=state if state == "order_failed" else None,
    )


def whose(payload: Row) -> dict[str, Whose]:
    """Whose the orders of a page of the history are, by order id."""
    return {text(row, "orderId"): _whose(row) for row in rows(payload, "data")}


def _whose(row: Row) -> Whose:
    return Whose(_client_id(row), _FILL_KINDS.get(str(row.get("orderCategory")), "trade"))


def executions(payload: Row) -> list[Execution]:
    """One page of `/trade/fills-history`, nobody's yet. Times are the venue's; a fee is positive when paid."""
    return [Execution(text(row, "orderId"), _fill(row)) for row in rows(payload, "data")]


def _fill(row: Row) -> Fill:
    return Fill(
        symbol=symbol_of(text(row, "instId")),
        contracts=positive(row, "fillSize") * _side(row).sign,
        price=number(row, "fillPrice"),
        fee=number_or_none(row, "fee") or ZERO,
        time=epoch_s(row, "ts"),
        exec_id=text(row, "tradeId"),
    )


def owned(found: Iterable[Execution], orders: Mapping[str, Whose]) -> list[Execution]:
    """The executions with their owners; one whose order nobody knows is not ours."""
    nobody = Whose(None)
    return [
        replace(one, fill=replace(one.fill, client_id=owner.client_id, kind=owner.kind))
        for one in found
        for owner in [orders.get(one.order_id, nobody)]
    ]


def _side(row: Row) -> Side:
    side = SIDES.get(text(row, "side"))
    if side is None:
        raise Malformed(f"side {row.get('side')!r}")
    return side


def _client_id(row: Row) -> ClientId | None:
    """`clientOrderId` is empty or null where the order was not placed by an API client with an id: it is not ours."""
    given = row.get("clientOrderId")
    return ClientId(given) if isinstance(given, str) and given else None
