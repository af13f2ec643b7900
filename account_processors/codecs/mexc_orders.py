"""MEXC futures, what became of orders: order rows, deals, funding; `codecs.orders` says what they amount to.

Wire facts are from https://www.mexc.com/api-docs/futures/account-and-trading-endpoints. A deal names its order but not
our id, so whose it is stands only in the order's row. Lists come as a bare array, or as one inside totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from account_processors.codecs.mexc import SIDES, symbol_of
from account_processors.codecs.orders import Execution, OrderRow
from account_processors.codecs.wire import Malformed, Row, epoch_s, integer, number, number_or_none, positive, rows
from account_processors.codecs.wire import text as text_of
from core.domain import ZERO, ClientId, Fill, Funding, Side

_FINAL = frozenset({3, 4, 5})
"""Filled, cancelled, invalid. Any other state, an unknown one too, may still fill."""
_INVALID = 5
_FILL_KINDS = {2: "liquidation", 3: "liquidation", 4: "adl"}
"""category -> `Fill.kind`; any other is a trade. 3 is a close by the venue's own custody."""
_MADE_UP = "_m_"
"""Begins the ids the venue gives orders that came without one."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `total` and `pages` are None where the list is bare."""

    items: list[Row]
    total: int | None = None
    pages: int | None = None


def page(payload: Row) -> Page:
    data = payload.get("data")
    if not isinstance(data, dict):
        return Page(rows(payload, "data"))
    return Page(rows(data, "resultList"), integer(data, "totalCount"), integer(data, "totalPage"))


def identity(row: Row, key: str) -> str:
    """An id, which is a text in some answers and a number in others."""
    value = row.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    return text_of(row, key)


def order_row(row: Row) -> OrderRow:
    state, filled = integer(row, "state"), number(row, "dealVol")
    reason = row.get("errorCode")
    return OrderRow(
        order_id=identity(row, "orderId"),
        client_id=client_id(row),
        symbol=symbol_of(text_of(row, "symbol")),
        side=_side(row),
        contracts=number(row, "vol"),
        filled=filled,
        final=state in _FINAL,
        rejected=state == _INVALID and filled == 0,
        reduce_only=row.get("reduceOnly") is True,
        average_price=number_or_none(row, "dealAvgPrice") or None,
        code=str(reason) if state == _INVALID and reason else None,
    )


def execution(row: Row) -> Execution:
    """One deal, nobody's yet. Times are the venue's; a fee is positive when paid."""
    fill = Fill(
        symbol=symbol_of(text_of(row, "symbol")),
        contracts=positive(row, "vol") * _side(row).sign,
        price=number(row, "price"),
        fee=number_or_none(row, "fee") or ZERO,
        time=epoch_s(row, "timestamp"),
        exec_id=identity(row, "id"),
        kind=_FILL_KINDS.get(integer(row, "category"), "trade"),
    )
    return Execution(identity(row, "orderId"), fill)


def funding(row: Row) -> Funding:
    """Positive was received."""
    return Funding(symbol_of(text_of(row, "symbol")), number(row, "funding"), epoch_s(row, "settleTime"))


def owned(found: Iterable[Execution], owners: Mapping[str, ClientId | None]) -> list[Execution]:
    """The executions with their owners; one whose order nobody knows is not ours."""
    return [replace(one, fill=replace(one.fill, client_id=owners.get(one.order_id))) for one in found]


def client_id(row: Row) -> ClientId | None:
    """None for an order that came without one."""
    given = row.get("externalOid")
    return ClientId(given) if isinstance(given, str) and given and not given.startswith(_MADE_UP) else None


def _side(row: Row) -> Side:
    side = SIDES.get(integer(row, "side"))
    if side is None:
        raise Malformed(f"side {row.get('side')!r}")
    return side
