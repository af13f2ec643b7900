"""ccxt's unified orders and trades as domain values, and how our own are told from others'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from account_processors.codecs.ccxt_facts import Facts
from account_processors.codecs.orders import Execution, OrderRow
from account_processors.codecs.wire import Malformed, Row, epoch_s, number, number_or_none, positive, table, text
from core.domain import ZERO, ClientId, Fill, Side, Symbol

FINAL = frozenset({"closed", "canceled", "cancelled", "expired", "rejected", "partially_canceled"})
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
NAMED = (
    "orderLinkId",
    "clientOid",
    "clientOrderId",
    "externalOid",
    "clOrdId",
    "clOrdID",
    "cloid",
    "client_oid",
    "client_order_id",
    "cliOrdId",
    "clientOrderID",
)
"""What exchanges call a client's id in their own rows."""
GATE_PREFIX = "t-"
"""Gate wants it before a client's id, and ccxt adds it."""


def ours(given: object, client_id: str) -> bool:
    """Whether an id the exchange shows is `client_id`, perhaps behind a prefix of the exchange's own."""
    return isinstance(given, str) and bool(client_id) and given.endswith(client_id)


def named(row: Row, facts: Facts) -> str | None:
    """Our id in a unified row or the exchange's own inside it; '' where that is there and empty; None: not told."""
    info = row.get("info")
    own = [info[name] for name in NAMED if name in info] if isinstance(info, dict) else []
    given = row.get("clientOrderId") or (own[0] if own else None)
    if given is None and not own:
        return None
    made_up = bool(facts.not_ours) and str(given).startswith(facts.not_ours)
    return "" if made_up else str(given or "").removeprefix(GATE_PREFIX)


def _side(row: Row, own_sides: Mapping[str, str]) -> Side | None:
    """ccxt's word for it, or what the exchange's own means where `own_sides` says so."""
    info = row.get("info")
    own = own_sides.get(str(info.get("side"))) if own_sides and isinstance(info, dict) else None
    return SIDES.get(own or ("" if own_sides else str(row.get("side"))))


def order_row(row: Row, symbols: Mapping[str, Symbol], facts: Facts, mine: ClientId | None = None) -> OrderRow:
    """`symbols`: canonical by ccxt's. `mine`: the id it was asked for by. Raises `Malformed` where it is not told
    what became of the order."""
    status, side = row.get("status"), _side(row, facts.own_sides)
    name = text(row, "symbol")
    if side is None or name not in symbols or status not in FINAL | {"open"}:
        raise Malformed(f"order {row.get('id')}: side {row.get('side')!r}, status {status!r} in {name[:40]!r}")
    amount, filled = number(row, "amount"), number_or_none(row, "filled")
    if filled is None and status == "rejected":
        filled = ZERO
    if filled is None:
        raise Malformed(f"order {row.get('id')}: how much of it is filled")
    shown = named(row, facts)
    return OrderRow(
        order_id=text(row, "id"),
        client_id=mine if mine is not None and ours(shown, mine) else ClientId(shown) if shown else None,
        symbol=symbols[name],
        side=side,
        contracts=abs(amount),
        filled=abs(filled),
        final=status != "open",
        rejected=status == "rejected" and filled == 0,
        reduce_only=row.get("reduceOnly") is True,
        average_price=number_or_none(row, "average") or None,
        code=None,
    )


def execution(row: Row, symbols: Mapping[str, Symbol], facts: Facts, owner: ClientId | None) -> Execution:
    """A unified trade as a fill of `owner`'s order. Raises `Malformed`."""
    side, name = _side(row, facts.own_sides), text(row, "symbol")
    if side is None or name not in symbols:
        raise Malformed(f"execution {row.get('id')} in {name[:40]!r} without a side we know")
    fill = Fill(
        symbol=symbols[name],
        contracts=abs(number(row, "amount")) * side.sign,
        price=positive(row, "price"),
        fee=_fee(row),
        time=epoch_s(row, "timestamp"),
        exec_id=text(row, "id"),
        client_id=owner,
        seq=_seq(row, facts),
        kind=kind_of(row, facts),
    )
    return Execution(str(row.get("order") or ""), fill)


def _seq(row: Row, facts: Facts) -> int | None:
    info = row.get("info")
    told = str(info.get(facts.seq, "")) if facts.seq and isinstance(info, dict) else ""
    return int(told) if told.isdigit() else None


def kind_of(row: Row, facts: Facts) -> str:
    name, words = facts.kinds
    info = row.get("info")
    return str(words.get(str(info.get(name)), "trade")) if isinstance(info, dict) else "trade"


def _fee(row: Row) -> Decimal:
    fee = row.get("fee")
    return (number_or_none(table(fee, "fee"), "cost") or ZERO) if fee else ZERO


def order_ids(rows: Iterable[Row], facts: Facts) -> dict[str, str]:
    """Order id -> client id ('' where it has none) of every row that tells."""
    return {str(row["id"]): shown for row in rows if row.get("id") and (shown := named(row, facts)) is not None}
