"""Hyperliquid, what became of orders: their status and fills; `codecs.orders` says what they amount to.

Wire facts are from https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint. A fill names its
order by the venue's id; that it names ours is not promised, so whose it is may stand only in the order's own row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from account_processors.codecs.hyperliquid import DATA, SIDES, coin_of, symbol_of
from account_processors.codecs.orders import Execution, OrderRow
from account_processors.codecs.wire import Malformed, Row, epoch_s, integer, number, positive, rows, table, text
from core.domain import ZERO, ClientId, Fill, Funding, Side

_OPEN = frozenset({"open", "triggered"})
_FINAL = frozenset({"filled", "canceled", "rejected", "scheduledCancel"})
"""With everything that ends in Canceled or Rejected. Any other status, an unknown one too, may still fill."""
_UNKNOWN = "unknownOid"


@dataclass(frozen=True, slots=True)
class Seen:
    """An order and when the venue took it, its epoch seconds."""

    row: OrderRow
    at_s: float


def order_status(payload: Row) -> Seen | None:
    """The order of `orderStatus`; None where the venue knows no such order."""
    body = table(payload.get(DATA), "orderStatus")
    status = text(body, "status")
    if status == _UNKNOWN:
        return None
    if status != "order":
        raise Malformed(f"status {status[:40]!r}")
    return _seen(table(body.get("order"), "order"))


def order_list(payload: Row) -> list[Seen]:
    """Orders of `historicalOrders`, those of spot and of other exchanges left out."""
    listed = rows(payload, DATA)
    return [_seen(row) for row in listed if _ours(table(row.get("order"), "order"))]


def resting(payload: Row) -> list[OrderRow]:
    """Orders of `frontendOpenOrders`, those of spot and of other exchanges left out."""
    return [_row(row, "open") for row in rows(payload, DATA) if _ours(row)]


def update(row: Row) -> OrderRow | None:
    """One row of the stream `orderUpdates`; None for an order of spot or of another exchange."""
    order = table(row.get("order"), "order")
    return _row(order, text(row, "status")) if _ours(order) else None


def _seen(row: Row) -> Seen:
    order = table(row.get("order"), "order")
    return Seen(_row(order, text(row, "status")), epoch_s(order, "timestamp"))


def _ours(row: Row) -> bool:
    return symbol_of(text(row, "coin")) is not None


def _row(row: Row, status: str) -> OrderRow:
    whole, left = number(row, "origSz"), number(row, "sz")
    rejected = status == "rejected" or status.endswith("Rejected")
    given = row.get("cloid")
    filled = whole if status == "filled" else max(whole - left, ZERO)
    return OrderRow(
        order_id=str(integer(row, "oid")),
        client_id=ClientId(given) if isinstance(given, str) and given else None,
        symbol=coin_of(row),
        side=_side(row),
        contracts=whole,
        filled=filled,
        final=status not in _OPEN and (rejected or status in _FINAL or status.endswith("Canceled")),
        rejected=rejected and filled == 0,
        reduce_only=row.get("reduceOnly") is True,
        average_price=None,
        code=status if rejected else None,
    )


def _side(row: Row) -> Side:
    side = SIDES.get(text(row, "side"))
    if side is None:
        raise Malformed(f"side {str(row.get('side'))[:40]!r}")
    return side


# --- fills and funding ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moved:
    """An execution; `nobodys`: no order of a client made it (liquidation, deleveraging)."""

    execution: Execution
    nobodys: bool


def fills(listed: Iterable[Row], user: str) -> list[Moved]:
    """Rows of `userFills` and `userFillsByTime`, those of spot and of other exchanges left out.

    Times are the venue's; a fee is positive when paid. `user` tells its own liquidation from somebody else's that it
    traded against.
    """
    return [_moved(row, user) for row in listed if _ours(row)]


def _moved(row: Row, user: str) -> Moved:
    order_id, given = str(integer(row, "oid")), row.get("cloid")
    kind = _kind(row, user)
    fill = Fill(
        symbol=coin_of(row),
        contracts=positive(row, "sz") * _side(row).sign,
        price=positive(row, "px"),
        fee=number(row, "fee"),
        time=epoch_s(row, "time"),
        exec_id=f"{integer(row, 'tid')}-{order_id}",
        client_id=ClientId(given) if isinstance(given, str) and given else None,
        kind=kind,
    )
    return Moved(Execution(order_id, fill), kind != "trade")


def _kind(row: Row, user: str) -> str:
    if row.get("dir") == "Auto-Deleveraging":
        return "adl"
    liquidation = row.get("liquidation")
    if isinstance(liquidation, Mapping):
        whose = liquidation.get("liquidatedUser")
        if isinstance(whose, str) and whose.lower() == user:
            return "liquidation"
    return "trade"


def owned(moved: Iterable[Moved], owners: Mapping[str, ClientId | None]) -> list[Execution]:
    """The executions with their owners, by order id; one whose order is not in `owners` keeps what its row says."""
    return [
        replace(one.execution, fill=replace(one.execution.fill, client_id=owners[one.execution.order_id]))
        if one.execution.order_id in owners
        else one.execution
        for one in moved
    ]


def funding(listed: Iterable[Row]) -> list[Funding]:
    """Rows of `userFunding`; positive was received."""
    found = []
    for row in listed:
        delta = table(row.get("delta"), "delta")
        if delta.get("type") == "funding" and _ours(delta):
            found.append(Funding(coin_of(delta), number(delta, "usdc"), epoch_s(row, "time")))
    return found


def made_at_ms(row: Row) -> int:
    """When a row of a list by time was made, the venue's milliseconds."""
    return integer(row, "time")
