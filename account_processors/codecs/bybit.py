"""Bybit V5, linear perpetuals: payloads to domain values and back.

Wire facts are from https://bybit-exchange.github.io/docs/v5 unless said otherwise. Sizes are base units (the contract
size is 1), positive, with a side; a one-way position has `positionIdx` 0. `Malformed` is raised for what is not as
documented; only whole-market lists (instruments, tickers) leave a bad row out, whose symbol is then Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from account_processors.codecs.wire import (
    Malformed,
    Row,
    integer,
    loads,
    number,
    number_or_none,
    positive,
    rows,
    table,
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
    plain,
)
from core.errors import Denied, OurFault

CATEGORY = "linear"
SETTLE_COINS = ("USDT", "USDC")
ONE = Decimal(1)

_SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._:-]{1,63}")
_CURSOR = re.compile(r"[A-Za-z0-9%._~:,=+/|*-]{1,2000}")
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
_WIRE_SIDES = {side: word for word, side in SIDES.items()}
_KINDS = {"Market": OrderKind.MARKET, "Limit": OrderKind.LIMIT}
_WIRE_KINDS = {kind: word for word, kind in _KINDS.items()}
_MARGIN_MODES = {"ISOLATED_MARGIN": MarginMode.ISOLATED, "REGULAR_MARGIN": MarginMode.CROSS}
WIRE_MARGIN_MODES = {mode: word for word, mode in _MARGIN_MODES.items()}
WIRE_POSITION_MODES = {PositionMode.ONE_WAY: 0, PositionMode.HEDGE: 3}
_UNIFIED = frozenset({3, 4, 5, 6})
"""unifiedMarginStatus of unified accounts, 1.0 and 2.0."""

HEDGE_MODE = "hedge_mode"
HEDGE_REMEDY = (
    "the account is in hedge mode, in which one symbol has two positions; the engine sends nothing. Close what is "
    "open, switch Position Mode to One-Way for USDT contracts on the venue's site, and the engine goes on by itself"
)


# --- lists ------------------------------------------------------------------------------------------------------------


def next_cursor(result: Row) -> str | None:
    """The cursor of the next page; None at the end. It comes URL-encoded and goes back as it is."""
    cursor = result.get("nextPageCursor")
    if cursor in (None, ""):
        return None
    if not isinstance(cursor, str) or not _CURSOR.fullmatch(cursor):
        raise Malformed("nextPageCursor is not a cursor")
    return cursor


# --- public data ------------------------------------------------------------------------------------------------------


def instruments(result: Row) -> dict[Symbol, Instrument]:
    """USDT and USDC perpetuals of one page of `/v5/market/instruments-info`."""
    found: dict[Symbol, Instrument] = {}
    for row in rows(result, "list"):
        if row.get("contractType") == "LinearPerpetual" and row.get("settleCoin") in SETTLE_COINS:
            try:
                instrument = _instrument(row)
            except Malformed:
                continue  # an unreadable row leaves its symbol Unknown, not the other six hundred
            found[instrument.symbol] = instrument
    return found


def _instrument(row: Row) -> Instrument:
    size = table(row.get("lotSizeFilter"), "lotSizeFilter")
    symbol = text(row, "symbol")
    if not _SYMBOL.fullmatch(symbol):
        raise Malformed("symbol")
    return Instrument(
        symbol=Symbol(symbol),
        venue_symbol=symbol,
        base=text(row, "baseCoin"),
        quote=text(row, "quoteCoin"),
        settle=text(row, "settleCoin"),
        contract_size=ONE,
        lot=positive(size, "qtyStep"),
        tick=positive(table(row.get("priceFilter"), "priceFilter"), "tickSize"),
        min_contracts=positive(size, "minOrderQty"),
        max_contracts=positive(size, "maxOrderQty"),
        max_market_contracts=positive(size, "maxMktOrderQty"),
        min_notional=number(size, "minNotionalValue"),
        max_leverage=positive(table(row.get("leverageFilter"), "leverageFilter"), "maxLeverage"),
        tradable=row.get("status") == "Trading",
    )


def tickers(result: Row) -> dict[str, Row]:
    """Rows of `/v5/market/tickers` by symbol, not looked into yet: a whole market has hundreds, few are wanted."""
    return {symbol: row for row in rows(result, "list") if isinstance(symbol := row.get("symbol"), str)}


def prices(found: Mapping[str, tuple[Row, float]], wanted: Collection[Symbol]) -> dict[Symbol, Price]:
    """Prices of the wanted symbols from rows and the instants they came at; one without a usable mark is left out."""
    priced: dict[Symbol, Price] = {}
    for symbol in wanted:
        if symbol in found:
            row, at = found[symbol]
            try:
                priced[symbol] = Price(
                    symbol=symbol,
                    mark=positive(row, "markPrice"),
                    at=at,
                    last=_above_zero(row, "lastPrice"),
                    bid=_above_zero(row, "bid1Price"),
                    ask=_above_zero(row, "ask1Price"),
                )
            except Malformed:
                continue  # no usable price: the symbol's price is Unknown
    return priced


def _above_zero(row: Row, key: str) -> Decimal | None:
    """An optional price; Bybit writes an empty side of the book as "" or "0"."""
    value = number_or_none(row, key)
    return value if value is not None and value > 0 else None


# --- the account ------------------------------------------------------------------------------------------------------


def key_problems(result: Row) -> list[Problem]:
    """What `/v5/user/query-api` says is wrong with the key."""
    problems = []
    permissions = table(result.get("permissions"), "permissions")
    may_trade = {"Order", "Position"} <= _words(permissions, "ContractTrade")
    may_trade |= "DerivativesTrade" in _words(permissions, "Derivatives")
    if integer(result, "readOnly") != 0:
        because = "the API key is read-only: no order can be sent. Create a key that may trade contracts"
        problems.append(Problem(Scope.ALL, "read_only", because))
    elif not may_trade:
        because = "the API key may not trade contracts. Give it the rights Contract: Orders and Positions"
        problems.append(Problem(Scope.ALL, "no_trade_right", because))
    if integer(result, "uta") != 1:
        problems.append(_not_unified())
    return problems


def _words(row: Row, key: str) -> set[str]:
    value = row.get(key)
    if not isinstance(value, list | None):
        raise Malformed(f"{key} is not a list")
    return {word for word in value or [] if isinstance(word, str)}


def margin_mode(result: Row) -> MarginMode | None:
    """The account-wide margin mode of `/v5/account/info`; None for portfolio margin, which the engine does not know."""
    word = text(result, "marginMode")
    if word == "PORTFOLIO_MARGIN":
        return None
    if word not in _MARGIN_MODES:
        raise Malformed(f"marginMode {word[:40]!r}")
    return _MARGIN_MODES[word]


def account_problems(result: Row) -> list[Problem]:
    """What `/v5/account/info` says is wrong with the account."""
    problems = []
    if integer(result, "unifiedMarginStatus") not in _UNIFIED:
        problems.append(_not_unified())
    if margin_mode(result) is None:
        because = (
            "the account uses portfolio margin, in which leverage has no meaning: nothing is opened. "
            "Choose isolated or cross margin on the venue's site"
        )
        problems.append(Problem(Scope.INCREASES, "portfolio_margin", because))
    return problems


def _not_unified() -> Problem:
    because = "the account is not a unified trading account: nothing is sent. Upgrade it on the venue's site"
    return Problem(Scope.ALL, "not_unified", because)


def equity(result: Row, coin: str) -> Decimal:
    """The coin's own equity of `/v5/account/wallet-balance`, unrealized profit included; never a USD total."""
    for account in rows(result, "list"):
        if account.get("accountType") == "UNIFIED":
            for entry in rows(account, "coin"):
                if entry.get("coin") == coin:
                    return number(entry, "equity")
    raise Malformed(f"the unified account shows no {coin}; deposit some, or nothing can be sized")


# --- positions --------------------------------------------------------------------------------------------------------


def hedged(result: Row) -> bool:
    """Whether a page of `/v5/position/list` shows hedge mode: rows of one side each, flat ones too."""
    return any(integer(row, "positionIdx") != 0 for row in rows(result, "list"))


def positions(pages: Iterable[Row], mode: MarginMode | None) -> dict[Symbol, Position]:
    """Open positions over all pages, signed. Hedge mode is `Denied`; a symbol met twice is `Malformed`."""
    found: dict[Symbol, Position] = {}
    for page in pages:
        if hedged(page):
            raise Denied(HEDGE_REMEDY, HEDGE_MODE)
        for row in rows(page, "list"):
            size = number(row, "size")
            if size == 0:
                continue
            position = _position(row, size, mode, "avgPrice")
            if position.symbol in found:
                raise Malformed(f"{position.symbol} has two positions")
            found[position.symbol] = position
    return found


def pushed_position(row: Row, mode: MarginMode | None) -> Position:
    """A row of the stream's `position` topic; flat ones come too. Hedge mode is `Denied`."""
    if integer(row, "positionIdx") != 0:
        raise Denied(HEDGE_REMEDY, HEDGE_MODE)
    size = number(row, "size")
    if size:
        return _position(row, size, mode, "entryPrice")
    leverage = number_or_none(row, "leverage")
    return Position(Symbol(text(row, "symbol")), ZERO, leverage, mode, seq_of(row))


def _position(row: Row, size: Decimal, mode: MarginMode | None, entry_price: str) -> Position:
    side = SIDES.get(str(row.get("side")))
    if side is None or size < 0:
        raise Malformed(f"side {row.get('side')!r} with size {size}")
    return Position(
        symbol=Symbol(text(row, "symbol")),
        contracts=size * side.sign,
        leverage=number_or_none(row, "leverage"),
        margin_mode=mode,
        seq=seq_of(row),
        entry_price=number_or_none(row, entry_price),
    )


def seq_of(row: Row) -> int | None:
    """Cross sequence shared by executions and positions of a symbol; "-1" before the first trade."""
    if row.get("seq") in (None, ""):
        return None
    return seq if (seq := integer(row, "seq")) >= 0 else None


def leverage(result: Row, symbol: Symbol, mode: MarginMode | None) -> Leverage:
    """Leverage of one symbol, flat or not, from `/v5/position/list?symbol=`."""
    if hedged(result):
        raise Denied(HEDGE_REMEDY, HEDGE_MODE)
    for row in rows(result, "list"):
        if row.get("symbol") == symbol:
            return Leverage(symbol, positive(row, "leverage"), mode)
    raise Malformed(f"no row of {symbol}")


# --- orders -----------------------------------------------------------------------------------------------------------


def order_body(order: PlaceOrder, client_id: ClientId) -> dict[str, str | bool | int]:
    """The body of `POST /v5/order/create` in one-way mode. Raises `OurFault` for what was not built here.

    A full close carries its size like every reduction. Bybit would also take size 0 with `closeOnTrigger` for
    "whatever is open", but that closes what others opened in between, cannot be compared with the intent, and stops at
    the largest market order silently. Sizes are multiples of the lot, so an exact close leaves nothing.
    """
    if order.kind not in _WIRE_KINDS or order.contracts <= 0:
        raise OurFault(f"an order of kind {order.kind} over {order.contracts} cannot be sent; nothing was sent")
    body: dict[str, str | bool | int] = {
        "category": CATEGORY,
        "symbol": order.symbol,
        "side": _WIRE_SIDES[order.side],
        "orderType": _WIRE_KINDS[order.kind],
        "qty": plain(order.contracts),
        "timeInForce": order.tif.value.upper(),
        "reduceOnly": order.reduce_only,
        "positionIdx": 0,
        "orderLinkId": client_id,
    }
    if order.kind is OrderKind.LIMIT:
        if order.price is None or order.price <= 0:
            raise OurFault("a limit order has no price; nothing was sent")
        body["price"] = plain(order.price)
    return body


def order_of_body(body: bytes) -> tuple[PlaceOrder, ClientId]:
    """The order a body on the wire stands for: what `order_body` wrote, read back. Leverage and mode are not in it."""
    row = loads(body)
    known = {"category", "symbol", "side", "orderType", "qty", "price", "timeInForce", "reduceOnly"}
    if unknown := set(row) - known - {"positionIdx", "orderLinkId"}:
        raise Malformed(f"fields that no intent has: {sorted(unknown)}")
    if row.get("category") != CATEGORY or row.get("positionIdx") != 0 or not isinstance(row.get("reduceOnly"), bool):
        raise Malformed("not a one-way linear order")
    try:
        side, kind = SIDES[text(row, "side")], _KINDS[text(row, "orderType")]
        tif = TimeInForce(text(row, "timeInForce").lower())
    except (KeyError, ValueError):
        raise Malformed("an unknown side, type or time in force") from None
    order = PlaceOrder(
        symbol=Symbol(text(row, "symbol")),
        side=side,
        contracts=positive(row, "qty"),
        kind=kind,
        price=number_or_none(row, "price"),
        tif=tif,
        reduce_only=row["reduceOnly"],
        leverage=None,
        margin_mode=MarginMode.ISOLATED,
    )
    return order, ClientId(text(row, "orderLinkId"))
