"""What KuCoin's private topics carry.

Sources: https://www.kucoin.com/docs-new/websocket-api/futures-trading/private and recorded messages. Nothing here lets
the exchange catch up with the clock: rows are made in the middle of its bookings. An order's message of type `match` is
one fill and names no fee; the last one is of type `filled` or `canceled`.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from core.domain import ZERO, MarginMode, OrderKind, plain
from simulator.facades.kucoin.account import MARGIN_MODE_NAMES
from simulator.facades.kucoin.account import row as rest_position
from simulator.facades.kucoin.context import Call
from simulator.facades.parts import Json, money, on
from simulator.model import Fill, FillKind, FundingPayment, Leg, Order

NANOSECONDS = 1_000_000
REST_ONLY = frozenset({"id", "isInverse", "posCommCommon", "posCrossMargin", "maintainMargin"})
"""Fields of a position that the stream does not have."""
RISK_LEVEL = 1


def matches(call: Call, order: Order, fills: tuple[Fill, ...]) -> Iterator[Json]:
    """One message per fill, each with what it left of its order."""
    filled = order.filled - sum((fill.contracts for fill in fills), ZERO)
    for fill in fills:
        filled += fill.contracts
        yield {
            **_order(call, order, filled, order.contracts - filled),
            "type": "match",
            "status": "open" if fill.maker else "match",
            **_match(call, fill),
        }


def standing(call: Call, order: Order) -> Json:
    """The order after its matching: `open` in the book, else `filled` or `canceled`."""
    if order.open:
        return {**_order(call, order, order.filled, order.remaining), "type": "open", "status": "open"}
    left = order.contracts - order.filled
    shown = {**_order(call, order, order.filled, ZERO), "type": "canceled" if left else "filled", "status": "done"}
    return {**shown, "canceledSize": str(int(left))}


def _order(call: Call, order: Order, filled: Decimal, left: Decimal) -> dict[str, object]:
    it = call.exchange.listing(order.symbol).instrument
    named = {} if order.client_id is None else {"clientOid": order.client_id}
    return {
        "symbol": it.venue_symbol,
        "orderType": order.kind.value,
        "side": order.side.value,
        "canceledSize": "0",
        "orderId": order.order_id,
        "liquidity": "taker",
        "marginMode": MARGIN_MODE_NAMES[_mode(call, order)],
        "orderTime": call.stamp_ms(order.received_at) * NANOSECONDS,
        "size": str(int(order.contracts)),
        "filledSize": str(int(filled)),
        "price": "" if order.kind is OrderKind.MARKET or order.price is None else on(order.price, it.tick),
        "remainSize": str(int(left)),
        "tradeType": "trade",
        "ts": call.stamp_ms(order.updated_at) * NANOSECONDS,
        **named,
    }


def _mode(call: Call, order: Order | Fill) -> MarginMode:
    return call.exchange.state.accounts[call.account].margin_mode(order.symbol)


def _match(call: Call, fill: Fill) -> dict[str, object]:
    it = call.exchange.listing(fill.symbol).instrument
    return {
        "liquidity": "maker" if fill.maker else "taker",
        "feeType": "makerFee" if fill.maker else "takerFee",
        "matchSize": str(int(fill.contracts)),
        "matchPrice": on(fill.price, it.tick),
        "tradeId": str(fill.seq),
        "ts": call.stamp_ms(fill.at) * NANOSECONDS,
    }


def foreign(call: Call, fill: Fill) -> tuple[Json, Json]:
    """A fill of an order that no API client sent, as the messages about that order."""
    it = call.exchange.listing(fill.symbol).instrument
    size = str(int(fill.contracts))
    order = {
        "symbol": it.venue_symbol,
        "orderType": "market",
        "side": fill.side.value,
        "canceledSize": "0",
        "orderId": fill.order_id,
        "liquidity": "taker",
        "marginMode": MARGIN_MODE_NAMES[_mode(call, fill)],
        "orderTime": call.stamp_ms(fill.at) * NANOSECONDS,
        "size": size,
        "filledSize": size,
        "price": "",
        "remainSize": "0",
        "tradeType": "liquid" if fill.kind is FillKind.LIQUIDATION else "trade",
        "ts": call.stamp_ms(fill.at) * NANOSECONDS,
    }
    return {**order, "type": "match", "status": "match", **_match(call, fill)}, {
        **order,
        "type": "filled",
        "status": "done",
    }


def position(call: Call, leg: Leg) -> Json:
    listing, state = call.exchange.listing(leg.symbol), call.exchange.state
    view = state.view(state.accounts[call.account], leg)
    shown = {name: value for name, value in rest_position(call, listing, view).items() if name not in REST_ONLY}
    level = {} if view.margin_mode is MarginMode.CROSS else {"riskLimitLevel": RISK_LEVEL}
    return {**shown, **level, "changeReason": "positionChange"}


def settlement(call: Call, payment: FundingPayment) -> Json:
    it = call.exchange.listing(payment.symbol).instrument
    return {
        "symbol": it.venue_symbol,
        "fundingTime": call.stamp_ms(payment.at),
        "qty": int(payment.contracts),
        "markPrice": payment.mark,
        "fundingRate": payment.rate,
        "fundingFee": payment.amount,
        "ts": call.stamp_ms(payment.at) * NANOSECONDS,
        "settleCurrency": it.settle,
    }


def wallet(call: Call, version: int) -> Json:
    """The money of the settle currency; all of it in texts."""
    state = call.exchange.state
    account = state.accounts[call.account]
    it = state.balance(account)
    sums = {mode: {"PosMargin": ZERO, "UnPnl": ZERO} for mode in MarginMode}
    for leg in account.legs.values():
        if leg.contracts:
            view = state.view(account, leg)
            sums[view.margin_mode]["PosMargin"] += view.margin
            sums[view.margin_mode]["UnPnl"] += view.unrealized
    isolated, cross = sums[MarginMode.ISOLATED], sums[MarginMode.CROSS]
    return {
        "currency": call.exchange.rules.settle,
        "walletBalance": money(it.wallet),
        "availableBalance": money(it.available),
        "holdBalance": "0",
        **{f"isolated{name}": money(value) for name, value in isolated.items()},
        **{f"cross{name}": money(value) for name, value in cross.items()},
        "isolatedOrderMargin": money(it.order_margin),
        "crossOrderMargin": "0",
        "isolatedFundingFeeMargin": "0",
        "equity": money(it.equity),
        "totalCrossMargin": plain((it.wallet - isolated["PosMargin"] + cross["UnPnl"]).quantize(Decimal("0.00000001"))),
        "version": str(version),
        "timestamp": str(call.now_ms()),
    }
