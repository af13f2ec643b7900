"""BloFin, linear perpetuals in net mode: payloads to domain values and back.

Wire facts are from https://docs.blofin.com unless said otherwise. Sizes are contracts of `contractValue` base units,
fractions of a contract included; a position in net mode is signed. `Malformed` is raised for what is not as documented;
only whole-market lists (instruments, prices) leave a bad row out, whose symbol is then Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
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

SETTLE = "USDT"
NET = "net"

_SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._:-]{1,63}")
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
MARGIN_MODES = {"isolated": MarginMode.ISOLATED, "cross": MarginMode.CROSS}
_POSITION_MODES = {"net_mode": PositionMode.ONE_WAY, "long_short_mode": PositionMode.HEDGE}
WIRE_POSITION_MODES = {mode: word for word, mode in _POSITION_MODES.items()}
_ORDER_TYPES = {
    "market": (OrderKind.MARKET, TimeInForce.IOC),
    "ioc": (OrderKind.LIMIT, TimeInForce.IOC),
    "limit": (OrderKind.LIMIT, TimeInForce.GTC),
}
_WIRE_TYPES = {kind: word for word, kind in _ORDER_TYPES.items()}

TWO_POSITIONS = "{} has two positions; close the one in the margin mode you do not want"
HEDGE_MODE = "hedge_mode"
HEDGE_REMEDY = (
    "the account is in hedge mode, in which one symbol has two positions; the engine sends nothing. Close what is "
    "open, switch Position Mode to One-way on the venue's site, and the engine goes on by itself"
)


# --- public data ------------------------------------------------------------------------------------------------------


def symbol_of(inst_id: str) -> Symbol:
    """The canonical symbol of the venue's `BTC-USDT`."""
    symbol = inst_id.replace("-", "")
    if not _SYMBOL.fullmatch(symbol):
        raise Malformed(f"instId {inst_id[:40]!r}")
    return Symbol(symbol)


def instruments(payload: Row) -> dict[Symbol, Instrument]:
    """USDT-settled linear perpetuals. Two contracts that would share a symbol are both left out: neither is certain."""
    found: dict[Symbol, Instrument] = {}
    doubtful: set[Symbol] = set()
    for row in rows(payload, "data"):
        if row.get("contractType") != "linear" or row.get("instType") != "SWAP" or row.get("settleCurrency") != SETTLE:
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
    inst_id = text(row, "instId")
    return Instrument(
        symbol=symbol_of(inst_id),
        venue_symbol=inst_id,
        base=text(row, "baseCurrency"),
        quote=text(row, "quoteCurrency"),
        settle=SETTLE,
        contract_size=positive(row, "contractValue"),
        lot=positive(row, "lotSize"),
        tick=positive(row, "tickSize"),
        min_contracts=positive(row, "minSize"),
        max_contracts=positive(row, "maxLimitSize"),
        max_market_contracts=positive(row, "maxMarketSize"),
        min_notional=ZERO,  # the venue states none
        max_leverage=positive(row, "maxLeverage"),
        tradable=row.get("state") == "live",
    )


@dataclass(frozen=True, slots=True)
class Quoted:
    """What the two price lists say of one contract, not looked into yet; `at` is when the mark came, ours."""

    mark: Row
    ticker: Row
    at: float


def quoted(marks: Row, tickers: Row, at: float) -> dict[str, Quoted]:
    """Contracts by canonical symbol. One that only one list has is there with what that one says."""
    by_symbol = {_named(row): row for row in rows(tickers, "data")}
    return {name: Quoted(row, by_symbol.get(name, {}), at) for row in rows(marks, "data") if (name := _named(row))}


def _named(row: Row) -> str:
    inst_id = row.get("instId")
    return inst_id.replace("-", "") if isinstance(inst_id, str) else ""


def prices(found: Mapping[str, Quoted], wanted: Collection[Symbol]) -> dict[Symbol, Price]:
    """Prices of the wanted symbols; one without a usable mark is left out."""
    priced: dict[Symbol, Price] = {}
    for symbol in wanted:
        if symbol in found:
            it = found[symbol]
            try:
                priced[symbol] = Price(
                    symbol=symbol,
                    mark=positive(it.mark, "markPrice"),
                    at=it.at,
                    last=_above_zero(it.ticker, "last"),
                    bid=_above_zero(it.ticker, "bidPrice"),
                    ask=_above_zero(it.ticker, "askPrice"),
                )
            except Malformed:
                continue  # no usable price: the symbol's price is Unknown
    return priced


def _above_zero(row: Row, key: str) -> Decimal | None:
    value = number_or_none(row, key)
    return value if value is not None and value > 0 else None


def venue_time_s(marks: Row) -> float | None:
    """The venue's clock by its list of mark prices: the newest `ts` ("data return time"); None where there is none.

    No answer of this venue carries its time otherwise. Of several rows the newest is the closest from below.
    """
    stamps = [row for row in rows(marks, "data") if row.get("ts") not in (None, "")]
    return max((epoch_s(row, "ts") for row in stamps), default=None)


# --- the account ------------------------------------------------------------------------------------------------------


def key_problems(payload: Row) -> list[Problem]:
    """What `/user/query-apikey` says is wrong with the key."""
    if integer(table(payload.get("data"), "data"), "readOnly") == 0:
        return []
    because = "the API key is read-only: no order can be sent. Create a key with the rights Read and Trade"
    return [Problem(Scope.ALL, "read_only", because)]


def position_mode(payload: Row) -> PositionMode:
    word = text(table(payload.get("data"), "data"), "positionMode")
    if word not in _POSITION_MODES:
        raise Malformed(f"positionMode {word[:40]!r}")
    return _POSITION_MODES[word]


def margin_mode(payload: Row) -> MarginMode:
    """The account-wide margin mode."""
    return _mode(table(payload.get("data"), "data"))


def _mode(row: Row) -> MarginMode:
    word = text(row, "marginMode")
    if word not in MARGIN_MODES:
        raise Malformed(f"marginMode {word[:40]!r}")
    return MARGIN_MODES[word]


def equity(payload: Row, coin: str) -> Decimal:
    """The coin's own equity, unrealized profit included; never `totalEquity`, which is a USD value over all coins."""
    for entry in rows(table(payload.get("data"), "data"), "details"):
        if entry.get("currency") == coin:
            return number(entry, "equity")
    raise Malformed(f"the futures account shows no {coin}; transfer some to it, or nothing can be sized")


# --- positions --------------------------------------------------------------------------------------------------------


def positions(payload: Row) -> dict[Symbol, Position]:
    """Open positions, signed. Hedge mode is `Denied`; a symbol met twice is `Malformed`."""
    found: dict[Symbol, Position] = {}
    for row in rows(payload, "data"):
        held = position(row)
        if held.contracts == 0:
            continue
        if held.symbol in found:
            raise Malformed(TWO_POSITIONS.format(held.symbol))
        found[held.symbol] = held
    return found


def position(row: Row) -> Position:
    """One row, signed; of a flat one nothing but that counts. Hedge mode is `Denied`."""
    _one_way(row)
    return Position(
        symbol=symbol_of(text(row, "instId")),
        contracts=number(row, "positions"),
        leverage=number_or_none(row, "leverage"),
        margin_mode=_mode(row),
        entry_price=number_or_none(row, "averagePrice"),
    )


def _one_way(row: Row) -> None:
    side = row.get("positionSide")
    if side in ("long", "short"):
        raise Denied(HEDGE_REMEDY, HEDGE_MODE)
    if side not in (NET, None, ""):
        raise Malformed(f"positionSide {str(side)[:40]!r}")


def leverages(payload: Row) -> dict[str, Row]:
    """Rows of `/account/batch-leverage-info` by instId. Hedge mode is `Denied`."""
    found: dict[str, Row] = {}
    for row in rows(payload, "data"):
        _one_way(row)
        found[text(row, "instId")] = row
    return found


def leverage(row: Row, symbol: Symbol) -> Leverage:
    return Leverage(symbol, positive(row, "leverage"), _mode(row))


# --- orders -----------------------------------------------------------------------------------------------------------


def order_body(order: PlaceOrder, inst_id: str, client_id: ClientId) -> dict[str, str]:
    """The body of `POST /trade/order` in net mode. Raises `OurFault` for what was not built here.

    Everything is text, `reduceOnly` too: the documentation knows no JSON boolean there. No `brokerId` is sent. A full
    close carries its size like every reduction; reduce-only never opens the other side.
    """
    word = _WIRE_TYPES.get((order.kind, TimeInForce.IOC if order.kind is OrderKind.MARKET else order.tif))
    if word is None or order.contracts <= 0:
        raise OurFault(f"an order of kind {order.kind} over {order.contracts} cannot be sent; nothing was sent")
    body = {
        "instId": inst_id,
        "marginMode": order.margin_mode.value,
        "positionSide": NET,
        "side": order.side.value,
        "orderType": word,
        "size": plain(order.contracts),
        "reduceOnly": "true" if order.reduce_only else "false",
        "clientOrderId": client_id,
    }
    if order.kind is OrderKind.LIMIT:
        if order.price is None or order.price <= 0:
            raise OurFault("a limit order has no price; nothing was sent")
        body["price"] = plain(order.price)
    return body


def order_of_body(body: bytes) -> tuple[PlaceOrder, ClientId]:
    """The order a body on the wire stands for: what `order_body` wrote, read back. Leverage is not in it."""
    row = loads(body)
    known = {"instId", "marginMode", "positionSide", "side", "orderType", "size", "reduceOnly", "clientOrderId"}
    if unknown := set(row) - known - {"price"}:
        raise Malformed(f"fields that no intent has: {sorted(unknown)}")
    if row.get("positionSide") != NET or row.get("reduceOnly") not in ("true", "false"):
        raise Malformed("not a net order")
    side, kinds = SIDES.get(text(row, "side")), _ORDER_TYPES.get(text(row, "orderType"))
    if side is None or kinds is None:
        raise Malformed("an unknown side or type")
    order = PlaceOrder(
        symbol=symbol_of(text(row, "instId")),
        side=side,
        contracts=positive(row, "size"),
        kind=kinds[0],
        price=number_or_none(row, "price"),
        tif=kinds[1],
        reduce_only=row["reduceOnly"] == "true",
        leverage=None,
        margin_mode=_mode(row),
    )
    return order, ClientId(text(row, "clientOrderId"))
