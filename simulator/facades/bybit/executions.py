"""What was executed and what it did to the wallet: executions, transaction log.

Sources: https://bybit-exchange.github.io/docs/v5/order/execution, /docs/v5/account/transaction-log, recorded answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from core.domain import OrderKind, Side, plain
from simulator.facades.bybit.context import LINEAR, Call
from simulator.facades.bybit.queries import DAY_MS, SIDE_NAMES, WEEK_MS, Span
from simulator.facades.bybit.wire import Json, Page, money, on
from simulator.model import Fill, FillKind, FundingPayment

EXEC_TYPES = {
    FillKind.TRADE: "Trade",
    FillKind.LIQUIDATION: "BustTrade",
    FillKind.ADL: "AdlTrade",
    FillKind.SETTLEMENT: "Delivery",
}
CREATE_TYPES = {
    FillKind.TRADE: "CreateByUser",
    FillKind.LIQUIDATION: "CreateByTakeOver_PassThrough",
    FillKind.ADL: "CreateByAdl_PassThrough",
    FillKind.SETTLEMENT: "CreateBySettle",
}
FUNDING = "Funding"

Event = Fill | FundingPayment


def executions(call: Call) -> Json:
    """Fills and funding, newest first: funding is an execution too. 50 a page, 100 at most.

    An id outranks every other filter, the time range included.
    """
    page = Page.of(call.params, 50, 100)
    if call.category() != LINEAR:
        return {"nextPageCursor": "", "category": call.category(), "list": []}
    order_id, link_id = call.params.text("orderId"), call.params.text("orderLinkId")
    until = call.venue.lag.until()
    events: list[Event]
    if order_id or link_id:
        found = call.exchange.fills(call.account, order_id=order_id or None, client_id=None if order_id else link_id,
                                    until=until)  # fmt: skip
        events = list(found)
    else:
        events = events_in(call, Span.of(call, WEEK_MS), until)
    kind = call.params.text("execType")
    events = [event for event in events if kind in ("", exec_type(event))]
    rows, cursor = page.cut(events, lambda event: f"{event.seq:012}", newest_first=True)
    return {"nextPageCursor": cursor, "category": LINEAR, "list": [execution_row(call, event) for event in rows]}


def events_in(call: Call, span: Span, until: float | None) -> list[Event]:
    """Fills and funding of the chosen contracts inside a span, newest first."""
    symbol = call.listing().symbol if call.params.text("symbol") else None
    names = [name for name in ("baseCoin", "settleCoin") if call.params.text(name)]
    wanted = call.chosen(*names) if names and symbol is None else lambda listing: True
    # Narrowed roughly here, exactly below: an instant has no exact millisecond.
    since = span.start / 1000 - 1.0 - (call.exchange.time() - call.exchange.clock.time())
    events: Iterable[Event] = (
        *call.exchange.fills(call.account, symbol=symbol, since=since, until=until),
        *call.exchange.funding(call.account, symbol=symbol, since=since),
    )
    chosen = [it for it in events if call.stamp_ms(it.at) in span and wanted(call.exchange.listing(it.symbol))]
    return sorted(chosen, key=lambda event: -event.seq)


def exec_type(event: Event) -> str:
    return FUNDING if isinstance(event, FundingPayment) else EXEC_TYPES[event.kind]


def execution_row(call: Call, event: Event) -> Json:
    """One execution; `seq` is the position's after it. `execFee` is positive when paid."""
    it = call.exchange.listing(event.symbol).instrument
    own = _funding(call, event) if isinstance(event, FundingPayment) else _fill(call, event)
    return {
        "symbol": it.venue_symbol,
        "execTime": str(call.stamp_ms(event.at)),
        "seq": event.seq,
        "feeCurrency": it.settle,
        "tradeIv": "",
        "markIv": "",
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "extraFees": "",
        "execFeeV2": "",
        **own,
    }


def _fill(call: Call, fill: Fill) -> Json:
    it = call.exchange.listing(fill.symbol).instrument
    # Not through the exchange, which would catch up with the clock first: streams tell of a fill in mid-match.
    order = call.exchange.state.accounts[call.account].orders.get(fill.order_id)
    value = fill.quantity * fill.price
    limit = order is not None and order.kind is OrderKind.LIMIT
    return {
        "orderId": fill.order_id,
        "orderLinkId": fill.client_id or "",
        "side": SIDE_NAMES[fill.side],
        "orderType": "Limit" if limit else "Market",
        "createType": CREATE_TYPES[fill.kind],
        "stopOrderType": "",
        "orderPrice": on(order.price, it.tick) if order is not None and order.price is not None else money(fill.price),
        "orderQty": on(fill.order_contracts, it.lot),
        "leavesQty": "0" if order is None else on(order.remaining, it.lot),
        "execId": fill.exec_id,
        "execType": EXEC_TYPES[fill.kind],
        "execPrice": on(fill.price, it.tick),
        "execQty": on(fill.contracts, it.lot),
        "execValue": money(value),
        "execFee": money(fill.fee),
        "feeRate": money(fill.fee / value) if value else "0",
        "isMaker": fill.maker,
        "markPrice": on(call.exchange.state.mark(fill.symbol, fill.at), it.tick),
        "closedSize": on(fill.closed, it.lot) if fill.closed else "0",
    }


def _funding(call: Call, payment: FundingPayment) -> Json:
    it = call.exchange.listing(payment.symbol).instrument
    size = abs(payment.contracts)
    return {
        "orderId": f"{call.stamp_ms(payment.at) // 1000}-{payment.seq}",
        "orderLinkId": "",
        "side": SIDE_NAMES[Side.of(payment.contracts)],
        "orderType": "UNKNOWN",
        "createType": "",
        "stopOrderType": "UNKNOWN",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "execId": f"funding-{payment.seq}",
        "execType": FUNDING,
        "execPrice": on(payment.mark, it.tick),
        "execQty": on(size, it.lot),
        "execValue": money(it.notional(size, payment.mark)),
        "execFee": money(-payment.amount),
        "feeRate": plain(payment.rate),
        "isMaker": False,
        "markPrice": on(payment.mark, it.tick),
        "closedSize": "0",
    }


# --- the money side ---------------------------------------------------------------------------------------------------


def transaction_log(call: Call) -> Json:
    """Every change of the wallet, newest first, a day unless asked otherwise; 20 a page, 50 at most."""
    page = Page.of(call.params, 20, 50)
    call.params.one_of("accountType", ("", "UNIFIED"))
    category, kind = call.params.text("category"), call.params.text("type")
    settle = call.exchange.rules.settle
    if category not in ("", LINEAR) or call.params.text("currency", settle) != settle:
        return {"nextPageCursor": "", "list": []}
    balances = wallet_after(call)
    events = [it for it in events_in(call, Span.of(call, DAY_MS), None) if kind in ("", log_type(it))]
    rows, cursor = page.cut(events, lambda event: f"{event.seq:012}", newest_first=True)
    return {"nextPageCursor": cursor, "list": [log_row(call, event, balances[event.seq]) for event in rows]}


def change_of(event: Event) -> Decimal:
    return event.amount if isinstance(event, FundingPayment) else event.realized - event.fee


def wallet_after(call: Call) -> Mapping[int, Decimal]:
    """The wallet right after each event, reckoned back from what it holds now."""
    events: list[Event] = [*call.exchange.fills(call.account), *call.exchange.funding(call.account)]
    balance = call.exchange.balance(call.account).wallet
    after: dict[int, Decimal] = {}
    for event in sorted(events, key=lambda it: -it.seq):
        after[event.seq] = balance
        balance -= change_of(event)
    return after


def log_type(event: Event) -> str:
    if isinstance(event, FundingPayment):
        return "SETTLEMENT"
    return {FillKind.LIQUIDATION: "LIQUIDATION", FillKind.ADL: "ADL"}.get(event.kind, "TRADE")


def log_row(call: Call, event: Event, balance: Decimal) -> Json:
    """`change` = `cashFlow` + `funding` - `fee`; `funding` is positive when received."""
    shown = execution_row(call, event)
    funded = isinstance(event, FundingPayment)
    it = call.exchange.listing(event.symbol).instrument
    size = event.contracts if isinstance(event, FundingPayment) else event.position_after
    return {
        "transSubType": "",
        "id": f"{call.account}_{it.venue_symbol}_{event.seq}",
        "symbol": it.venue_symbol,
        "side": shown["side"],
        "funding": money(event.amount) if isinstance(event, FundingPayment) else "",
        "orderLinkId": shown["orderLinkId"],
        "orderId": shown["orderId"],
        "fee": "0" if isinstance(event, FundingPayment) else money(event.fee),
        "change": money(change_of(event)),
        "cashFlow": "0" if isinstance(event, FundingPayment) else money(event.realized),
        "transactionTime": shown["execTime"],
        "type": log_type(event),
        "feeRate": shown["feeRate"],
        "bonusChange": "",
        "size": on(size, it.lot),
        "qty": shown["execQty"],
        "cashBalance": money(balance),
        "currency": call.exchange.rules.settle,
        "category": LINEAR,
        "tradePrice": shown["execPrice"],
        "tradeId": "" if funded else shown["execId"],
        "extraFees": "",
    }
