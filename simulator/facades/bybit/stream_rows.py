"""What Bybit's private topics carry: the rows of the REST answers, as the streams name and fill them.

Sources: https://bybit-exchange.github.io/docs/v5/websocket/private and recorded messages. Nothing here lets the
exchange catch up with the clock: rows are made in the middle of its bookings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from core.domain import ZERO
from simulator.facades.bybit.account import wallet_row
from simulator.facades.bybit.context import LINEAR, Call
from simulator.facades.bybit.executions import execution_row
from simulator.facades.bybit.positions import row as position_row
from simulator.facades.bybit.queries import SIDE_NAMES, order_row
from simulator.facades.bybit.wire import Json, money, on
from simulator.model import Fill, FundingPayment, Leg, Order

REST_ONLY = {
    "position": frozenset({"avgPrice", "mmrSysUpdateTime"}),
    "order": frozenset({"extraFees"}),
    "execution": frozenset({"execFeeV2"}),
}
"""Fields the streams do not have."""
ZERO_WHEN_FLAT = (
    "positionValue", "positionIM", "positionIMByMp", "positionMM", "positionMMByMp", "unrealisedPnl", "liqPrice",
    "takeProfit", "stopLoss", "sessionAvgPrice", "breakEvenPrice",
)  # fmt: skip
"""Empty in a REST answer about a flat position, "0" in a message about one."""


def order(call: Call, it: Order) -> Json:
    return {**_without(order_row(call, it), "order"), "category": LINEAR, "feeCurrency": ""}


def position(call: Call, leg: Leg) -> Json:
    """A leg as booked now. When it has just been closed, the profit it ended with is still shown."""
    listing, account = call.exchange.listing(leg.symbol), call.exchange.state.accounts[call.account]
    shown = position_row(call, listing, call.exchange.state.view(account, leg))
    row = {**_without(shown, "position"), "category": LINEAR, "entryPrice": shown["avgPrice"]}
    if not leg.contracts:
        row |= {name: row[name] or "0" for name in ZERO_WHEN_FLAT}
        row["curRealisedPnl"] = money(call.venue.realised.of(call.account, leg))
    return row


def executions(call: Call, fills: Sequence[Fill], of: Order | None) -> tuple[Json, ...]:
    """The fills of one match, each with what it left of its order (`of`; None: an order that is not kept)."""
    return tuple(
        {
            **_without(execution_row(call, fill), "execution"),
            "category": LINEAR,
            "isLeverage": "0",
            "leavesQty": on(left, call.exchange.listing(fill.symbol).instrument.lot) if left else "0",
            "marketUnit": "",
            "execPnl": money(fill.realized),
        }
        for fill, left in _with_rest(fills, of)
    )


def _with_rest(fills: Sequence[Fill], of: Order | None) -> Iterator[tuple[Fill, Decimal]]:
    filled = ZERO if of is None else of.filled - sum((fill.contracts for fill in fills), ZERO)
    for fill in fills:
        filled += fill.contracts
        yield fill, fill.order_contracts - filled


def funding(call: Call, payment: FundingPayment) -> Json:
    own = {"category": LINEAR, "isLeverage": "0", "marketUnit": "", "execPnl": money(payment.amount)}
    return {**_without(execution_row(call, payment), "execution"), **own}


def fast(call: Call, fill: Fill) -> Json:
    """A trade in few words; only a taker is told its own id."""
    it = call.exchange.listing(fill.symbol).instrument
    return {
        "category": LINEAR,
        "symbol": it.venue_symbol,
        "execId": fill.exec_id,
        "execPrice": on(fill.price, it.tick),
        "execQty": on(fill.contracts, it.lot),
        "orderId": fill.order_id,
        "isMaker": fill.maker,
        "orderLinkId": "" if fill.maker else fill.client_id or "",
        "side": SIDE_NAMES[fill.side],
        "execTime": str(call.stamp_ms(fill.at)),
        "seq": fill.seq,
    }


def wallet(call: Call) -> Json:
    return wallet_row(call, call.exchange.state.balance(call.exchange.state.accounts[call.account]))


def _without(row: Json, topic: str) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in REST_ONLY[topic]}
