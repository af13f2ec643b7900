"""KuCoin Futures (classic), what became of orders: order rows and fills; `codecs.orders` says what they amount to.

Wire facts are from https://www.kucoin.com/docs-new/rest/futures-trading/orders. An order is `open` or `done`, whether
it was filled or cancelled; a fill names its order by the venue's id, never by ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from account_processors.codecs.kucoin import SIDES, canonical
from account_processors.codecs.orders import Execution, OrderRow
from account_processors.codecs.wire import Malformed, Row, epoch_s, integer, number, number_or_none, rows, table, text
from core.domain import ZERO, ClientId, Fill, Funding, Side

TRADE = "trade"
_FILL_KINDS = {TRADE: TRADE, "liquid": "liquidation", "liquidation": "liquidation", "adl": "adl"}
"""tradeType -> `Fill.kind`; any other that moves a position is a settlement. The enum says `liquid`, an older page
`liquidation`."""
_UNMOVED = "cancel"
"""The one tradeType that moves nothing."""
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a numbered list. `pages` is how many there are, `total` how many rows."""

    items: list[Row]
    pages: int
    total: int


def page(payload: Row) -> Page:
    data = table(payload.get("data"), "data")
    return Page(rows(data, "items"), integer(data, "totalPage"), integer(data, "totalNum"))


def order_row(row: Row) -> OrderRow:
    """One order of any list or lookup. The venue tells no reason for a refusal afterwards."""
    filled = number_or_none(row, "filledSize")
    filled = number(row, "dealSize") if filled is None else filled
    given = row.get("clientOid")
    return OrderRow(
        order_id=text(row, "id"),
        client_id=ClientId(given) if isinstance(given, str) and given else None,
        symbol=canonical(text(row, "symbol")),
        side=_side(row),
        contracts=number(row, "size"),
        filled=filled,
        final=row.get("status") == "done" and row.get("isActive") is not True,
        rejected=False,
        reduce_only=row.get("reduceOnly") is True,
        average_price=number_or_none(row, "avgDealPrice") or None,
        code=None,
    )


def execution(row: Row) -> Execution | None:
    """One fill, whose order's client id is not known yet; None for a row that moved nothing."""
    word = text(row, "tradeType")
    if word == _UNMOVED:
        return None
    order_id, lots = text(row, "orderId"), number(row, "size")
    if lots <= 0:
        raise Malformed(f"size is {lots}, not above 0")
    fill = Fill(
        symbol=canonical(text(row, "symbol")),
        contracts=lots * _side(row).sign,
        price=number(row, "price"),
        fee=number_or_none(row, "fee") or ZERO,
        time=integer(row, "tradeTime") / NANOSECONDS,
        exec_id=f"{text(row, 'tradeId')}-{order_id}",
        kind=_FILL_KINDS.get(word, "settlement"),
    )
    return Execution(order_id, fill)


def named(one: Execution, names: Mapping[str, ClientId | None]) -> Execution:
    """The execution with the client id of its order; orders that are not in `names` are nobody's."""
    return replace(one, fill=replace(one.fill, client_id=names.get(one.order_id)))


def _side(row: Row) -> Side:
    side = SIDES.get(text(row, "side"))
    if side is None:
        raise Malformed(f"side {row.get('side')!r}")
    return side


def funding(payload: Row) -> tuple[list[Funding], bool]:
    """One answer of `/api/v1/funding-history`, positive was received; and whether there is more of it."""
    data = table(payload.get("data"), "data")
    paid = [
        Funding(canonical(text(row, "symbol")), number(row, "funding"), epoch_s(row, "timePoint"))
        for row in rows(data, "dataList")
    ]
    more = data.get("hasMore")
    if not isinstance(more, bool):
        raise Malformed("hasMore is no boolean")
    return paid, more
