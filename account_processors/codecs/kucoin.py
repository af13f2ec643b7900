"""KuCoin Futures (classic), linear perpetuals: payloads to domain values and back.

Wire facts are from https://www.kucoin.com/docs-new/rest/futures-trading unless said otherwise. Sizes are whole lots, a
lot is `multiplier` of the base currency, `currentQty` is signed; so our contracts are lots and `contract_size` is the
multiplier. `Malformed` is raised for what is not as documented; only whole-market lists leave a bad row out, whose
symbol is then Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal

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
    table,
    text,
)
from core.domain import (
    ZERO,
    ClientId,
    Instrument,
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

CURRENCY = "USDT"
"""The futures wallet that is traded from."""
PERPETUAL = "FFWCSX"
SETTLE_CURRENCIES = ("USDT", "USDC")

_SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._:-]{1,63}")
_LINEAR_ENDINGS = tuple(f"{quote}M" for quote in SETTLE_CURRENCIES)
_VENUE_BTC = "XBT"
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_KINDS = {"market": OrderKind.MARKET, "limit": OrderKind.LIMIT}
_MARGIN_MODES = {"ISOLATED": MarginMode.ISOLATED, "CROSS": MarginMode.CROSS}
WIRE_MARGIN_MODES = {mode: word for word, mode in _MARGIN_MODES.items()}
_POSITION_MODES = {0: PositionMode.ONE_WAY, 1: PositionMode.HEDGE}
WIRE_POSITION_MODES = {mode: str(number) for number, mode in _POSITION_MODES.items()}
_LEVERAGE_STEP = Decimal("0.01")

HEDGE_MODE = "hedge_mode"
HEDGE_REMEDY = (
    "the account is in hedge mode, in which one symbol has two positions; the engine sends nothing. Close what is "
    "open, switch Position Mode to One-Way on the venue's site, and the engine goes on by itself"
)
UNSET_MODE = "position_mode_unset"
UNSET_REMEDY = (
    "the account never chose a position mode, so the venue takes no order; the engine sends nothing. Choose One-Way as "
    "Position Mode on the venue's site, and the engine goes on by itself"
)
NO_TRADE_RIGHT = "no_trade_right"
NO_TRADE_REMEDY = (
    "the API key may not trade futures: no order can be sent. Create a key with the rights General and Futures"
)


# --- symbols ----------------------------------------------------------------------------------------------------------


def canonical(venue_symbol: str) -> Symbol:
    """`XBTUSDTM` -> `BTCUSDT`. What is no linear perpetual by its name keeps that name."""
    if not _SYMBOL.fullmatch(venue_symbol):
        raise Malformed("symbol")
    if not venue_symbol.endswith(_LINEAR_ENDINGS) or venue_symbol.startswith("BTC"):
        return Symbol(venue_symbol)
    bare = venue_symbol.removesuffix("M")
    return Symbol("BTC" + bare.removeprefix(_VENUE_BTC) if bare.startswith(_VENUE_BTC) else bare)


def venue_symbol(symbol: Symbol) -> str:
    """`BTCUSDT` -> `XBTUSDTM`; the inverse of `canonical`."""
    if not symbol.endswith(SETTLE_CURRENCIES) or symbol.startswith(_VENUE_BTC):
        return symbol
    return f"{_VENUE_BTC + symbol.removeprefix('BTC') if symbol.startswith('BTC') else symbol}M"


# --- public data ------------------------------------------------------------------------------------------------------


def server_time_s(payload: Row) -> float:
    """Epoch seconds of `/api/v1/timestamp`."""
    return epoch_s(payload, "data")


def contracts(payload: Row) -> dict[str, Row]:
    """Rows of `/api/v1/contracts/active` by canonical symbol, not looked into yet."""
    return {canonical(name): row for row in rows(payload, "data") if isinstance(name := row.get("symbol"), str)}


def contract(payload: Row, symbol: Symbol) -> Row:
    """The row of `/api/v1/contracts/{symbol}`."""
    row = table(payload.get("data"), "data")
    if canonical(text(row, "symbol")) != symbol:
        raise Malformed(f"the answer is about another contract than {symbol}")
    return row


def instruments(payload: Row) -> dict[Symbol, Instrument]:
    """Linear perpetuals of `/api/v1/contracts/active`."""
    found: dict[Symbol, Instrument] = {}
    for row in rows(payload, "data"):
        settle = row.get("settleCurrency")
        if row.get("type") == PERPETUAL and row.get("isInverse") is False and settle in SETTLE_CURRENCIES:
            try:
                instrument = _instrument(row)
            except Malformed:
                continue  # an unreadable row leaves its symbol Unknown, not the other five hundred
            found[instrument.symbol] = instrument
    return found


def _instrument(row: Row) -> Instrument:
    name, lot, largest = text(row, "symbol"), positive(row, "lotSize"), positive(row, "maxOrderQty")
    market = number_or_none(row, "marketMaxOrderQty")
    return Instrument(
        symbol=canonical(name),
        venue_symbol=name,
        base=text(row, "baseCurrency").replace(_VENUE_BTC, "BTC"),
        quote=text(row, "quoteCurrency"),
        settle=text(row, "settleCurrency"),
        contract_size=positive(row, "multiplier"),
        lot=lot,
        tick=positive(row, "tickSize"),
        min_contracts=lot,
        max_contracts=largest,
        max_market_contracts=largest if market is None else min(market, largest),
        min_notional=ZERO,
        max_leverage=positive(row, "maxLeverage"),
        tradable=row.get("status") == "Open",
    )


def prices(found: Mapping[str, tuple[Row, float]], wanted: Collection[Symbol]) -> dict[Symbol, Price]:
    """Prices of the wanted symbols from rows and the instants they are of; without a usable mark left out.

    A contract shows mark, index and last price, no book; the stream shows mark and book, no last price.
    """
    priced: dict[Symbol, Price] = {}
    for symbol in wanted:
        if symbol in found:
            row, at = found[symbol]
            try:
                mark = positive(row, "markPrice")
                last, bid, ask = (_above_zero(row, name) for name in ("lastTradePrice", "bestBidPrice", "bestAskPrice"))
            except Malformed:
                continue  # no usable price: the symbol's price is Unknown
            priced[symbol] = Price(symbol, mark, at, last=last, bid=bid, ask=ask)
    return priced


def _above_zero(row: Row, key: str) -> Decimal | None:
    """A number, None where there is none or 0 stands for none: an empty side of the book, a flat row's leverage."""
    value = number_or_none(row, key)
    return value if value is not None and value > 0 else None


# --- the account ------------------------------------------------------------------------------------------------------


def equity(payload: Row, currency: str) -> Decimal:
    """`accountEquity` of `/api/v1/account-overview?currency=`: the currency's own, unrealized profit included."""
    data = table(payload.get("data"), "data")
    if data.get("currency") != currency:
        raise Malformed(f"the answer is about {data.get('currency')!r}, not {currency}")
    return number(data, "accountEquity")


def position_mode(payload: Row) -> PositionMode | None:
    """Of `/api/v2/position/getPositionMode`; None where the account never chose one (orders are then 330011)."""
    data = payload.get("data")
    mode = None if data is None else table(data, "data").get("positionMode")
    if mode is None:
        return None
    known = _POSITION_MODES.get(integer({"positionMode": mode}, "positionMode"))
    if known is None:
        raise Malformed(f"positionMode {mode!r}")
    return known


def mode_problems(mode: PositionMode | None) -> list[Problem]:
    if mode is None:
        return [Problem(Scope.ALL, UNSET_MODE, UNSET_REMEDY)]
    return [Problem(Scope.ALL, HEDGE_MODE, HEDGE_REMEDY)] if mode is PositionMode.HEDGE else []


def margin_mode(payload: Row) -> MarginMode:
    """Of one symbol, flat or not, from `/api/v2/position/getMarginMode`."""
    word = text(table(payload.get("data"), "data"), "marginMode")
    if word not in _MARGIN_MODES:
        raise Malformed(f"marginMode {word[:40]!r}")
    return _MARGIN_MODES[word]


def cross_leverage(payload: Row) -> Decimal:
    """Of one symbol in cross margin, flat or not, from `/api/v2/getCrossUserLeverage`."""
    return positive(table(payload.get("data"), "data"), "leverage")


def positions(payload: Row) -> dict[Symbol, Position]:
    """Open positions, signed, of `/api/v1/positions`: all of them, the list has no pages.

    Hedge mode is `Denied`; a symbol met twice is `Malformed`.
    """
    found: dict[Symbol, Position] = {}
    for row in rows(payload, "data"):
        one = position(row)
        if one.contracts == 0:
            continue
        if one.symbol in found:
            raise Malformed(f"{one.symbol} has two positions")
        found[one.symbol] = one
    return found


def position(row: Row) -> Position:
    """One position, flat or not, of a list or a push. Hedge mode is `Denied`."""
    if row.get("positionSide") not in (None, "BOTH"):
        raise Denied(HEDGE_REMEDY, HEDGE_MODE)
    mode = _mode_of(row)
    return Position(
        symbol=canonical(text(row, "symbol")),
        contracts=Decimal(integer(row, "currentQty")),
        leverage=_above_zero(row, "leverage") if mode is MarginMode.CROSS else _opened_at(row),
        margin_mode=mode,
        entry_price=number_or_none(row, "avgEntryPrice"),
    )


def _mode_of(row: Row) -> MarginMode | None:
    """`marginMode`; older answers have only `crossMode`."""
    word = row.get("marginMode")
    if isinstance(word, str):
        return _MARGIN_MODES.get(word)
    crossed = row.get("crossMode")
    return None if not isinstance(crossed, bool) else MarginMode.CROSS if crossed else MarginMode.ISOLATED


def _opened_at(row: Row) -> Decimal | None:
    """The leverage an isolated position was opened with: its cost over the initial margins of its trades.

    `leverage` and `realLeverage` are no setting there: they are the value over the margin at hand, which profit, fees
    and funding move, so that no order's leverage would ever equal them.
    """
    cost, margin = number_or_none(row, "posCost"), number_or_none(row, "posInit")
    if cost is None or margin is None or cost == 0 or margin <= 0:
        return None
    return (abs(cost) / margin).quantize(_LEVERAGE_STEP)


# --- orders -----------------------------------------------------------------------------------------------------------


def order_fields(order: PlaceOrder, client_id: ClientId) -> dict[str, str | int | bool]:
    """The body of `POST /api/v1/orders` in one-way mode. Raises `OurFault` for what was not built here.

    An isolated increase carries its leverage, a whole number; in cross margin it is the symbol's setting. A full close
    carries its size like every reduction: `closeOrder` closes whatever is open, also what others opened in between,
    and could not be compared with the intent. Lots are whole, so an exact close leaves nothing.
    """
    limited = order.kind is OrderKind.LIMIT
    fits = limited or (order.kind is OrderKind.MARKET and order.tif is TimeInForce.IOC)
    if not fits or order.contracts <= 0 or order.contracts != int(order.contracts):
        what = f"{order.kind} over {order.contracts}"
        raise OurFault(f"an order of kind {what} cannot be sent; nothing was sent")
    if limited and (order.price is None or order.price <= 0):
        raise OurFault("a limit order has no price; nothing was sent")
    body: dict[str, str | int | bool] = {
        "clientOid": client_id,
        "side": order.side.value,
        "symbol": venue_symbol(order.symbol),
        "type": order.kind.value,
        "size": int(order.contracts),
        "reduceOnly": order.reduce_only,
        "marginMode": WIRE_MARGIN_MODES[order.margin_mode],
    }
    if limited and order.price is not None:
        body |= {"price": plain(order.price), "timeInForce": order.tif.value.upper()}
    if not order.reduce_only and order.margin_mode is MarginMode.ISOLATED:
        body["leverage"] = _whole_leverage(order.leverage)
    return body


def _whole_leverage(leverage: Decimal | None) -> int:
    if leverage is None or leverage < 1 or leverage != int(leverage):
        raise OurFault(f"leverage {leverage} cannot be sent with an order, only a whole number; nothing was sent")
    return int(leverage)


def order_of_body(body: bytes) -> tuple[PlaceOrder, ClientId]:
    """The order a body on the wire stands for: what `order_fields` wrote, read back."""
    row = loads(body)
    known = {"clientOid", "side", "symbol", "type", "size", "reduceOnly", "marginMode", "price", "timeInForce"}
    if unknown := set(row) - known - {"leverage"}:
        raise Malformed(f"fields that no intent has: {sorted(unknown)}")
    if not isinstance(row.get("reduceOnly"), bool):
        raise Malformed("reduceOnly is no boolean")
    try:
        side, kind, mode = SIDES[text(row, "side")], _KINDS[text(row, "type")], _MARGIN_MODES[text(row, "marginMode")]
        tif = TimeInForce(text(row, "timeInForce").lower()) if kind is OrderKind.LIMIT else TimeInForce.IOC
    except (KeyError, ValueError):
        raise Malformed("an unknown side, type, mode or time in force") from None
    order = PlaceOrder(
        symbol=canonical(text(row, "symbol")),
        side=side,
        contracts=positive(row, "size"),
        kind=kind,
        price=number_or_none(row, "price"),
        tif=tif,
        reduce_only=row["reduceOnly"],
        leverage=number_or_none(row, "leverage"),
        margin_mode=mode,
    )
    return order, ClientId(text(row, "clientOid"))
