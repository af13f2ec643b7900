"""MEXC futures, linear perpetuals in one-way mode: payloads to domain values and back.

Wire facts are from https://www.mexc.com/api-docs/futures unless said otherwise. Sizes are contracts of `contractSize`
base units, in steps of `volUnit`; a position's is positive beside its type. `Malformed` is raised for what is not as
documented; only whole-market lists (instruments, prices) leave a bad row out, whose symbol is then Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from account_processors.codecs.wire import (
    Malformed,
    Row,
    epoch_s,
    integer,
    loads,
    number,
    number_or_none,
    positive,
    rows,
    text,
)
from core.domain import (
    ZERO,
    ClientId,
    Instrument,
    Leverage,
    MarginMode,
    OrderKind,
    PlaceOrder,
    Position,
    PositionMode,
    Price,
    Problem,
    Scope,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Denied, OurFault

SETTLE = "USDT"
ONE_WAY, HEDGE = 2, 1
LONG, SHORT = 1, 2
CLOSED = 3

_SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._:-]{1,63}")
_MARGIN_MODES = {1: MarginMode.ISOLATED, 2: MarginMode.CROSS}
OPEN_TYPES = {mode: number for number, mode in _MARGIN_MODES.items()}
POSITION_MODES = {ONE_WAY: PositionMode.ONE_WAY, HEDGE: PositionMode.HEDGE}
MODE_NUMBERS = {mode: number for number, mode in POSITION_MODES.items()}
SIDES = {1: Side.BUY, 2: Side.BUY, 3: Side.SELL, 4: Side.SELL}
"""Open long, close short, open short, close long."""
_WIRE_SIDES = {Side.BUY: 1, Side.SELL: 3}
"""Those of one-way mode: what 2 and 4 mean there is not documented, what `reduceOnly` means is."""
_ORDER_TYPES = {
    1: (OrderKind.LIMIT, TimeInForce.GTC),
    3: (OrderKind.LIMIT, TimeInForce.IOC),
    5: (OrderKind.MARKET, TimeInForce.IOC),
}
_WIRE_TYPES = {kind: number for number, kind in _ORDER_TYPES.items()}
_BODY = frozenset(
    {"symbol", "price", "vol", "leverage", "side", "type", "openType", "externalOid", "positionMode", "reduceOnly"}
)

HEDGE_MODE = "hedge_mode"
HEDGE_REMEDY = (
    "the account is in hedge mode, in which one symbol has two positions; the engine sends nothing. Close what is "
    "open, switch Position Mode to One-way on the venue's site, and the engine goes on by itself"
)
NO_TRADE_RIGHT = "no_trade_right"
NO_TRADE_REMEDY = (
    "the API key may not place orders; the engine sends nothing. On the venue's site give it the futures right Order "
    "Placing (the account must have passed KYC), or put another key into credentials.json"
)
API_CLOSED = "api_closed"
API_CLOSED_REMEDY = (
    "MEXC takes no futures orders over the API from this account now ({why}); the engine asks again every minute. If "
    "it stays, ask the venue's support to open futures API trading for the account"
)
NOTHING_ALLOWED = (
    "MEXC marks no contract as tradable over the API (apiAllowed): nothing is opened, reductions are tried. The engine "
    "asks again by itself; if it stays, ask the venue's support"
)


# --- public data ------------------------------------------------------------------------------------------------------


def symbol_of(name: str) -> Symbol:
    """The canonical symbol of the venue's `BTC_USDT`."""
    symbol = name.replace("_", "")
    if not _SYMBOL.fullmatch(symbol):
        raise Malformed(f"symbol {name[:40]!r}")
    return Symbol(symbol)


def server_time_s(payload: Row) -> float:
    return epoch_s(payload, "data")


def listed(payload: Row) -> list[Row]:
    """`data` as a list of rows: one where the venue answers about one contract."""
    data = payload.get("data")
    if isinstance(data, dict):
        text(data, "symbol")
        return [data]
    return rows(payload, "data")


def instruments(payload: Row) -> dict[Symbol, Instrument]:
    """Linear perpetuals. Two contracts that would share a symbol are both left out: neither is certain."""
    found: dict[Symbol, Instrument] = {}
    doubtful: set[Symbol] = set()
    for row in listed(payload):
        if row.get("settleCoin") != row.get("quoteCoin") or row.get("futureType") not in (None, 1):
            continue
        try:
            instrument = _instrument(row)
        except Malformed:
            continue  # an unreadable row leaves its symbol Unknown, not all the others
        if instrument.symbol in found:
            doubtful.add(instrument.symbol)
        found[instrument.symbol] = instrument
    return {symbol: instrument for symbol, instrument in found.items() if symbol not in doubtful}


def _instrument(row: Row) -> Instrument:
    name, largest = text(row, "symbol"), positive(row, "maxVol")
    return Instrument(
        symbol=symbol_of(name),
        venue_symbol=name,
        base=text(row, "baseCoin"),
        quote=text(row, "quoteCoin"),
        settle=text(row, "settleCoin"),
        contract_size=positive(row, "contractSize"),
        lot=_lot(row),
        tick=positive(row, "priceUnit"),
        min_contracts=positive(row, "minVol"),
        max_contracts=largest if row.get("limitMaxVol") in (None, "") else positive(row, "limitMaxVol"),
        max_market_contracts=largest,
        min_notional=ZERO,  # the venue states none
        max_leverage=positive(row, "maxLeverage"),
        # Contracts that may not be traded over the API are listed like the others.
        tradable=integer(row, "state") == 0 and row.get("apiAllowed") is True,
    )


def _lot(row: Row) -> Decimal:
    """`volUnit`, which must fit the decimals a size may have."""
    lot, finest = positive(row, "volUnit"), Decimal(1).scaleb(-integer(row, "volScale"))
    if lot % finest:
        raise Malformed(f"volUnit {lot} has more decimals than volScale allows")
    return lot


def quoted(payload: Row, at: float) -> dict[str, tuple[Row, float]]:
    """Tickers by canonical symbol, not looked into yet, and when they came."""
    return {name.replace("_", ""): (row, at) for row in listed(payload) if isinstance(name := row.get("symbol"), str)}


def prices(found: Mapping[str, tuple[Row, float]], wanted: Collection[Symbol]) -> dict[Symbol, Price]:
    """Prices of the wanted symbols; one without a usable fair price is left out."""
    priced: dict[Symbol, Price] = {}
    for symbol in wanted:
        if symbol in found:
            row, at = found[symbol]
            try:
                shown = {name: _above_zero(row, key) for name, key in _QUOTES.items()}
                priced[symbol] = Price(symbol, mark=positive(row, "fairPrice"), at=at, **shown)
            except Malformed:
                continue  # no usable price: the symbol's price is Unknown
    return priced


_QUOTES = {"last": "lastPrice", "bid": "bid1", "ask": "ask1"}


def _above_zero(row: Row, key: str) -> Decimal | None:
    value = number_or_none(row, key)
    return value if value is not None and value > 0 else None


# --- the account ------------------------------------------------------------------------------------------------------


def position_mode(payload: Row) -> PositionMode:
    """A bare number, or an object with one: the documentation shows the one and describes the other."""
    data = payload.get("data")
    mode = integer(data, "positionMode") if isinstance(data, dict) else integer(payload, "data")
    if mode not in POSITION_MODES:
        raise Malformed(f"position mode {mode}")
    return POSITION_MODES[mode]


def equity(payload: Row, coin: str) -> Decimal:
    """The coin's own equity, unrealized profit included."""
    for entry in rows(payload, "data"):
        if entry.get("currency") == coin:
            return number(entry, "equity")
    raise Malformed(f"the futures account shows no {coin}; transfer some to it, or nothing can be sized")


def _mode(row: Row) -> MarginMode:
    number = integer(row, "openType")
    if number not in _MARGIN_MODES:
        raise Malformed(f"openType {number}")
    return _MARGIN_MODES[number]


# --- positions --------------------------------------------------------------------------------------------------------


def positions(payload: Row) -> dict[Symbol, Position]:
    """Open positions, signed. Two sides of one symbol are hedge mode, which is `Denied`."""
    found: dict[Symbol, Position] = {}
    for row in rows(payload, "data"):
        position = position_of(row)
        if not position.contracts:
            continue
        other = found.get(position.symbol)
        if other is not None and other.contracts * position.contracts < 0:
            raise Denied(HEDGE_REMEDY, HEDGE_MODE)
        if other is not None:
            raise Malformed(f"{position.symbol} has two positions; close the one in the margin mode you do not want")
        found[position.symbol] = position
    return found


def position_of(row: Row) -> Position:
    """One position row, of a read or of a stream; a closed one is flat."""
    size, kind = number(row, "holdVol"), integer(row, "positionType")
    if kind not in (LONG, SHORT) or size < 0:
        raise Malformed(f"a position of type {kind} and size {size}")
    return Position(
        symbol=symbol_of(text(row, "symbol")),
        contracts=ZERO if integer(row, "state") == CLOSED else size if kind == LONG else -size,
        leverage=positive(row, "leverage"),
        margin_mode=_mode(row),
        entry_price=number_or_none(row, "holdAvgPrice"),
    )


def position_ids(payload: Row) -> dict[Symbol, int]:
    """The venue's ids of open positions."""
    return {symbol_of(text(row, "symbol")): integer(row, "positionId") for row in rows(payload, "data")}


def leverage(payload: Row, symbol: Symbol) -> Leverage:
    """What the venue keeps for a symbol where both sides agree. It comes with the next order all the same."""
    found = rows(payload, "data")
    kept = {positive(row, "leverage") for row in found}
    modes = {_mode(row) for row in found if row.get("openType") is not None}
    return Leverage(symbol, kept.pop() if len(kept) == 1 else None, modes.pop() if len(modes) == 1 else None)


# --- orders -----------------------------------------------------------------------------------------------------------


def order_body(order: PlaceOrder, name: str, client_id: ClientId) -> dict[str, Any]:
    """The body of `POST /order/create` in one-way mode. Raises `OurFault` for what was not built here.

    The mode is named on every order: without it the venue may take hedge mode for meant. Reduce-only never opens the
    other side, so a full close carries its size like every reduction.
    """
    kind = _WIRE_TYPES.get((order.kind, TimeInForce.IOC if order.kind is OrderKind.MARKET else order.tif))
    if kind is None or order.contracts <= 0:
        raise OurFault(f"an order of kind {order.kind} over {order.contracts} cannot be sent; nothing was sent")
    body: dict[str, Any] = {
        "symbol": name,
        "vol": order.contracts,
        "side": _WIRE_SIDES[order.side],
        "type": kind,
        "openType": OPEN_TYPES[order.margin_mode],
        "externalOid": client_id,
        "positionMode": ONE_WAY,
        "reduceOnly": order.reduce_only,
    }
    if order.kind is OrderKind.LIMIT:
        if order.price is None or order.price <= 0:
            raise OurFault("a limit order has no price; nothing was sent")
        body["price"] = order.price
    if order.leverage is not None:
        body["leverage"] = whole(order.leverage)
    elif not order.reduce_only:
        raise OurFault("an order that opens carries no leverage; nothing was sent")
    return body


def whole(leverage: Decimal) -> int:
    """The venue knows whole numbers only. Raises `OurFault`."""
    if leverage != int(leverage) or leverage < 1:
        raise OurFault(f"leverage {leverage} is no whole number; nothing was sent")
    return int(leverage)


def order_of_body(body: bytes) -> tuple[PlaceOrder, ClientId]:
    """The order a body on the wire stands for: what `order_body` wrote, read back."""
    row = loads(body)
    if unknown := set(row) - _BODY:
        raise Malformed(f"fields that no intent has: {sorted(unknown)}")
    side, kinds = integer(row, "side"), _ORDER_TYPES.get(integer(row, "type"))
    if row.get("positionMode") != ONE_WAY or side not in _WIRE_SIDES.values() or kinds is None:
        raise Malformed("not a one-way order")
    if not isinstance(row.get("reduceOnly"), bool):
        raise Malformed("reduceOnly is missing")
    order = PlaceOrder(
        symbol=symbol_of(text(row, "symbol")),
        side=SIDES[side],
        contracts=positive(row, "vol"),
        kind=kinds[0],
        price=number_or_none(row, "price"),
        tif=kinds[1],
        reduce_only=row["reduceOnly"],
        leverage=number_or_none(row, "leverage"),
        margin_mode=_mode(row),
    )
    return order, ClientId(text(row, "externalOid"))


def mode_problems(mode: PositionMode) -> list[Problem]:
    return [Problem(Scope.ALL, HEDGE_MODE, HEDGE_REMEDY)] if mode is PositionMode.HEDGE else []
