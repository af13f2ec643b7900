"""Hyperliquid, perpetuals of the first exchange (no HIP-3, no spot): payloads to domain values and back.

Wire facts are from https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api unless said otherwise. Sizes are
base units, so a contract is one of them. Contracts are called by their coin, `BTC`; the engine calls it `BTCUSDT` like
everywhere, though prices are in USD and money is USDC. A coin of a thousand, `kPEPE`, is `1000PEPEUSDT`. There are no
market orders and there is one position per coin. `Malformed` is raised for what is not as documented; only whole-market
lists leave a bad row out, whose symbol is then Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from account_processors.codecs.hyperliquid_signing import Value
from account_processors.codecs.wire import (
    Malformed,
    Row,
    document,
    epoch_s,
    integer,
    number,
    number_or_none,
    positive,
    rows,
    table,
    text,
)
from core.domain import (
    ClientId,
    Instrument,
    Leverage,
    MarginMode,
    OrderKind,
    PlaceOrder,
    Position,
    Price,
    Side,
    Symbol,
    TimeInForce,
    floor_to,
    plain,
)
from core.errors import OurFault

SETTLE = "USDC"
DATA = "data"
"""Answers are objects, lists or texts; a payload holds whatever came under this key."""
SIGNIFICANT = 5
DECIMALS = 6
"""A price has at most five significant figures, and with the size's decimals at most six; whole numbers always may
(section Tick and lot size)."""
MIN_NOTIONAL = Decimal(10)
_SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._-]{1,59}USDT")
_ONE = Decimal(1)
_LARGEST = ((25, Decimal(15_000_000)), (20, Decimal(5_000_000)), (10, Decimal(2_000_000)), (0, Decimal(500_000)))
"""Maximum leverage from which an order at the market may have that value (docs, Trading, Contract specifications)."""
MARGIN_MODES = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
SIDES = {"B": Side.BUY, "A": Side.SELL}
_TIFS = {TimeInForce.IOC: "Ioc", TimeInForce.GTC: "Gtc"}


# --- public data ------------------------------------------------------------------------------------------------------


def symbol_of(coin: str) -> Symbol | None:
    """The canonical symbol of a coin; None for one that is not of the first perpetual exchange (spot, HIP-3)."""
    if any(mark in coin for mark in "@/:"):
        return None
    thousand = coin[:1] == "k" and coin[1:2].isupper()
    symbol = f"1000{coin[1:]}USDT" if thousand else f"{coin}USDT"
    return Symbol(symbol) if _SYMBOL.fullmatch(symbol) else None


def coin_of(row: Row) -> Symbol:
    """The symbol of a row that must be one of ours."""
    if (symbol := symbol_of(text(row, "coin"))) is None:
        raise Malformed(f"coin {str(row.get('coin'))[:40]!r}")
    return symbol


@dataclass(frozen=True, slots=True)
class Asset:
    """What an order needs beside the instrument: the coin's place in the universe, and its size's decimals."""

    index: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything the venue lists, by symbol."""

    instruments: Mapping[Symbol, Instrument]
    assets: Mapping[Symbol, Asset]


def contexts(payload: Row) -> list[tuple[Row, Row]]:
    """Each coin of `metaAndAssetCtxs`, in the order of the universe, with its context."""
    parts = payload.get(DATA)
    if not isinstance(parts, list) or len(parts) != 2:
        raise Malformed("metaAndAssetCtxs is not a pair")
    coins, found = rows(table(parts[0], "meta"), "universe"), rows({DATA: parts[1]}, DATA)
    if len(coins) != len(found):
        raise Malformed("there are not as many contexts as coins")
    return list(zip(coins, found, strict=True))


def listed(payload: Row) -> Listed:
    """The instruments of `metaAndAssetCtxs`. Two coins that would share a symbol are both left out."""
    instruments: dict[Symbol, Instrument] = {}
    assets: dict[Symbol, Asset] = {}
    doubtful: set[Symbol] = set()
    for index, (coin, context) in enumerate(contexts(payload)):
        try:
            instrument, decimals = _instrument(coin, context)
        except Malformed:
            continue  # an unreadable row leaves its symbol Unknown, not all the others
        if instrument.symbol in instruments:
            doubtful.add(instrument.symbol)
        instruments[instrument.symbol], assets[instrument.symbol] = instrument, Asset(index, decimals)
    for symbol in doubtful:
        del instruments[symbol], assets[symbol]
    return Listed(instruments, assets)


def _instrument(row: Row, context: Row) -> tuple[Instrument, int]:
    name, decimals = text(row, "name"), integer(row, "szDecimals")
    if not 0 <= decimals <= DECIMALS or (symbol := symbol_of(name)) is None:
        raise Malformed(f"{name[:40]!r} with {decimals} decimals")
    lot, most_leverage = _ONE.scaleb(-decimals), positive(row, "maxLeverage")
    mark = _above_zero(context, "markPx")
    largest = next(value for leverage, value in _LARGEST if most_leverage >= leverage)
    most = lot if mark is None else max(floor_to(largest / mark, lot), lot)
    instrument = Instrument(
        symbol=symbol,
        venue_symbol=name,
        base=name,
        quote="USD",
        settle=SETTLE,
        contract_size=_ONE,
        lot=lot,
        tick=tick(decimals, (mark or _ONE) * 2),
        min_contracts=lot,
        max_contracts=most,
        max_market_contracts=most,
        min_notional=MIN_NOTIONAL,
        max_leverage=most_leverage,
        tradable=mark is not None and row.get("isDelisted") is not True,
    )
    return instrument, decimals


def tick(decimals: int, price: Decimal) -> Decimal:
    """What a price about as high as `price` must be a multiple of.

    An instrument has that of twice its mark price: it is right until then, and at worst a fiftieth of a percent coarse.
    """
    finest, significant = _ONE.scaleb(decimals - DECIMALS), _ONE.scaleb(price.adjusted() - SIGNIFICANT + 1)
    return max(finest, min(significant, _ONE))


def prices(found: Mapping[str, tuple[Row, float]], wanted: Collection[Symbol]) -> dict[Symbol, Price]:
    """Prices of the wanted symbols; one without a usable mark is left out.

    `bid` and `ask` are the impact prices: what an order of some size would get on average.
    """
    priced: dict[Symbol, Price] = {}
    for symbol in wanted:
        if symbol in found:
            row, at = found[symbol]
            try:
                bid, ask = _impact(row)
                priced[symbol] = Price(symbol, positive(row, "markPx"), at, bid=bid, ask=ask)
            except Malformed:
                continue  # no usable price: the symbol's price is Unknown
    return priced


def _impact(row: Row) -> tuple[Decimal | None, Decimal | None]:
    pair = row.get("impactPxs")
    if pair is None:
        return None, None
    if not isinstance(pair, list) or len(pair) != 2:
        raise Malformed("impactPxs is not a pair")
    both = {"bid": pair[0], "ask": pair[1]}
    return positive(both, "bid"), positive(both, "ask")


def _above_zero(row: Row, key: str) -> Decimal | None:
    value = number_or_none(row, key)
    return value if value is not None and value > 0 else None


# --- the account ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Role:
    """What an address is: `user`, `agent` (an API wallet), `vault`, `subAccount` or `missing`. `of`: whose, in lower
    case; None where the venue does not say."""

    name: str
    of: str | None


def role(payload: Row) -> Role:
    row = table(payload.get(DATA), "userRole")
    data = row.get("data")
    whose = (data.get("user") or data.get("master")) if isinstance(data, dict) else None
    return Role(text(row, "role"), whose.lower() if isinstance(whose, str) else None)


def leader(payload: Row) -> str:
    """The address that leads a vault, in lower case, by `vaultDetails`."""
    return text(table(payload.get(DATA), "vaultDetails"), "leader").lower()


def word(payload: Row) -> str:
    """An answer that is a bare text."""
    return text(payload, DATA)


def requests_left(payload: Row) -> int:
    """How many actions the address may still send, by `userRateLimit`."""
    row = table(payload.get(DATA), "userRateLimit")
    return integer(row, "nRequestsCap") - integer(row, "nRequestsUsed")


def spot_usdc(payload: Row) -> Decimal:
    """USDC that is held in spot, where perpetuals cannot use it."""
    balances = rows(table(payload.get(DATA), "spotClearinghouseState"), "balances")
    return sum((number(row, "total") for row in balances if row.get("coin") == SETTLE), Decimal(0))


@dataclass(frozen=True, slots=True)
class State:
    """One answer of `clearinghouseState`: all open positions, the money, and the venue's epoch seconds."""

    positions: Mapping[Symbol, Position]
    equity: Decimal
    time_s: float


def state(row: Row) -> State:
    """From the object itself, as read or as pushed. A coin met twice, or a position not one-way, is `Malformed`."""
    found: dict[Symbol, Position] = {}
    for entry in rows(row, "assetPositions"):
        if entry.get("type") != "oneWay":
            raise Malformed(f"a position of type {str(entry.get('type'))[:40]!r}")
        position = _position(table(entry.get("position"), "position"))
        if position.symbol in found:
            raise Malformed(f"{position.symbol} has two positions")
        if position.contracts:
            found[position.symbol] = position
    equity = number(table(row.get("marginSummary"), "marginSummary"), "accountValue")
    return State(found, equity, epoch_s(row, "time"))


def _position(row: Row) -> Position:
    value, mode = _leverage(row)
    return Position(
        symbol=coin_of(row),
        contracts=number(row, "szi"),
        leverage=value,
        margin_mode=mode,
        entry_price=number_or_none(row, "entryPx"),
    )


def _leverage(row: Row) -> tuple[Decimal, MarginMode]:
    found = table(row.get("leverage"), "leverage")
    kind = text(found, "type")
    if kind not in MARGIN_MODES:
        raise Malformed(f"leverage of type {kind[:40]!r}")
    return positive(found, "value"), MARGIN_MODES[kind]


def leverage(payload: Row, symbol: Symbol) -> Leverage:
    """`activeAssetData` of one coin, flat or not."""
    row = table(payload.get(DATA), "activeAssetData")
    if coin_of(row) != symbol:
        raise Malformed(f"the answer is about {str(row.get('coin'))[:40]!r}")
    return Leverage(symbol, *_leverage(row))


# --- actions ----------------------------------------------------------------------------------------------------------

NOOP: Mapping[str, Value] = {"type": "noop"}
Action = Mapping[str, Value]


def valid_price(price: Decimal, decimals: int) -> bool:
    return price > 0 and price % tick(decimals, price) == 0


def order_action(order: PlaceOrder, asset: Asset, client_id: ClientId) -> Action:
    """One order; its keys are signed in this sequence. No builder is named. Raises `OurFault` for what is not built."""
    tif = _TIFS.get(order.tif) if order.kind is OrderKind.LIMIT else None
    if tif is None or order.contracts <= 0:
        raise OurFault(f"an order of kind {order.kind} over {order.contracts} cannot be sent; nothing was sent")
    if order.price is None or order.price <= 0:
        raise OurFault("a limit order has no price; nothing was sent")
    row: dict[str, Value] = {
        "a": asset.index,
        "b": order.side is Side.BUY,
        "p": plain(order.price),
        "s": plain(order.contracts),
        "r": order.reduce_only,
        "t": {"limit": {"tif": tif}},
        "c": client_id,
    }
    return {"type": "order", "orders": [row], "grouping": "na"}


def cancel_action(asset: Asset, client_id: ClientId) -> Action:
    return {"type": "cancelByCloid", "cancels": [{"asset": asset.index, "cloid": client_id}]}


def leverage_action(asset: Asset, value: Decimal, mode: MarginMode) -> Action:
    """Sets leverage and margin mode of one coin, always both."""
    if value != int(value) or value < 1:
        raise OurFault(f"leverage {value} is no whole number from 1 on; nothing was sent")
    return {
        "type": "updateLeverage",
        "asset": asset.index,
        "isCross": mode is MarginMode.CROSS,
        "leverage": int(value),
    }


def order_of_body(body: bytes, coins: Sequence[str]) -> tuple[PlaceOrder, ClientId]:
    """The order a body on the wire stands for: what `order_action` wrote, read back. `coins` are the universe.

    Leverage and margin mode are not in it.
    """
    action = table(table(document(body), "the body").get("action"), "action")
    found = rows(action, "orders")
    if action.get("type") != "order" or set(action) != {"type", "orders", "grouping"} or len(found) != 1:
        raise Malformed("not one order, or one with more than an order has")
    row = found[0]
    if set(row) != {"a", "b", "p", "s", "r", "t", "c"} or not isinstance(row["r"], bool):
        raise Malformed(f"fields that no intent has: {sorted(row)}")
    kind = text(table(table(row["t"], "t").get("limit"), "limit"), "tif")
    symbol = symbol_of(coins[integer(row, "a")])
    if symbol is None or kind not in _TIFS.values():
        raise Malformed("an unknown coin or kind")
    order = PlaceOrder(
        symbol=symbol,
        side=Side.BUY if row["b"] is True else Side.SELL,
        contracts=positive(row, "s"),
        kind=OrderKind.LIMIT,
        price=positive(row, "p"),
        tif=next(tif for tif, word in _TIFS.items() if word == kind),
        reduce_only=row["r"],
        leverage=None,
        margin_mode=MarginMode.CROSS,
    )
    return order, ClientId(text(row, "c"))
