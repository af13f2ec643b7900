"""The ledger: everything a venue booked, for whoever checks an engine from outside.

Quantities are signed base units as texts (a sell is negative), money is settlement currency as texts, instants are true
epoch seconds as numbers, symbols are canonical. Orders and fills are oldest first; how many older ones were forgotten
stands in `dropped`, so that a check can tell a whole history from a part. A refused order is listed as `rejected`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.domain import ZERO, plain
from simulator.account import Account
from simulator.exchange import Exchange
from simulator.facades import RequestCounts
from simulator.model import Fill, Order
from simulator.world import World

Json = dict[str, object]


def ledger(world: World) -> Json:
    """`GET /_sim/ledger`."""
    now = world.clock.time()
    return {
        "time": now,
        "prices": {symbol: plain(world.market.level(symbol, now).mark) for symbol in world.market.symbols()},
        "venues": {
            name: {
                "accounts": {account: account_ledger(venue.exchange, account) for account in venue.exchange.accounts()},
                "requests": counts(venue.facade.counts()),
            }
            for name, venue in world.venues.items()
        },
    }


def account_ledger(exchange: Exchange, name: str) -> Json:
    balance, account = exchange.balance(name), exchange.state.accounts[name]
    symbols = sorted({leg.symbol for leg in account.legs.values()} | set(account.leverages))
    return {
        "equity": plain(balance.equity),
        "wallet": plain(balance.wallet),
        "positions": positions(exchange, account),
        "leverage": {symbol: plain(exchange.leverage(name, symbol)) for symbol in symbols},
        "margin_mode": account.default_margin_mode.value,
        "position_mode": account.position_mode.value,
        "can_trade": account.can_trade,
        "orders": [order_row(order) for order in account.orders.values()],
        "fills": [fill_row(fill) for fill in account.fills],
        "dropped": {"orders": account.orders_dropped, "fills": account.fills_dropped},
    }


def positions(exchange: Exchange, account: Account) -> dict[str, str]:
    """Open positions, both legs of a symbol together."""
    nets: dict[str, Decimal] = {}
    for leg in account.legs.values():
        quantity = exchange.listing(leg.symbol).instrument.quantity(leg.contracts)
        nets[leg.symbol] = nets.get(leg.symbol, ZERO) + quantity
    return {symbol: plain(net) for symbol, net in sorted(nets.items()) if net}


def order_row(order: Order) -> Json:
    size = order.contract_size * order.side.sign
    return {
        "client_id": order.client_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": plain(order.contracts * size),
        "filled": plain(order.filled * size),
        "reduce_only": order.reduce_only,
        "status": order.state.value,
        "received_at": order.received_at,
        "order_id": order.order_id,
        "kind": order.kind.value,
        "price": None if order.price is None else plain(order.price),
        "reason": None if order.reason is None else order.reason.value,
    }


def fill_row(fill: Fill) -> Json:
    return {
        "time": fill.at,
        "client_id": fill.client_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": plain(fill.quantity * fill.side.sign),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "position_after": plain(fill.quantity_after),
        "order_id": fill.order_id,
        "kind": fill.kind.value,
        "seq": fill.seq,
    }


def counts(requests: RequestCounts) -> Mapping[str, object]:
    return {"total": requests.total, "over_limit": requests.over_limit, "by_endpoint": dict(requests.by_endpoint)}
