"""ccxt's unified values as domain values. Numbers come as the texts they were written as.

Sizes are contracts of `contractSize` base units. A symbol is base and quote of a linear perpetual that settles in its
quote currency (`BTC/USDT:USDT` is `BTCUSDT`); one settlement currency is traded per account. What ccxt does not state
of a contract is not guessed: the contract is left out, and why. `Malformed` is raised for values that cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from account_processors.codecs.ccxt_facts import Balance, Facts
from account_processors.codecs.wire import Malformed, Row, number, number_or_none, positive, table, text
from core.domain import (
    ZERO,
    Fill,
    Instrument,
    Leverage,
    MarginMode,
    Position,
    PositionMode,
    Price,
    Symbol,
)

SETTLES = ("USDT", "USDC", "USD", "USDE")
"""In this order: the first with any linear perpetual is traded."""
TICK_SIZE = 4
"""ccxt's name for a precision that is the step itself."""
NO_LIMIT = Decimal(10) ** 15
"""Where the exchange states no largest order."""
MAX_SPREAD = Decimal("0.005")
"""Bid and ask further apart make no price."""
SUSPICIOUS = frozenset({10, 20, 25, 50, 100, 200, 500, 1000})
"""As many rows as a page often has."""
LEVERAGE_STEP = Decimal("0.01")
MODES = {"isolated": MarginMode.ISOLATED, "cross": MarginMode.CROSS}
_SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9._:-]{1,63}")


@dataclass(frozen=True, slots=True)
class Listed:
    """What an exchange lists for us. `left_out`: symbol -> why it cannot be traded."""

    instruments: Mapping[Symbol, Instrument]
    left_out: Mapping[Symbol, str]
    settle: str


# --- public data ------------------------------------------------------------------------------------------------------


def is_ours(market: Row) -> bool:
    """Whether a market is a linear perpetual that settles in its quote currency."""
    kind = market.get("swap") is True and market.get("linear") is True
    return kind and market.get("settle") is not None and market.get("settle") == market.get("quote")


def settle_of(markets: Iterable[Row]) -> str:
    """The one settlement currency that is traded; raises `Malformed` where there is none."""
    found = {str(market["settle"]) for market in markets if is_ours(market)}
    for settle in SETTLES:
        if settle in found:
            return settle
    raise Malformed("no linear perpetual in USDT, USDC or USD is listed")


def symbol_of(market: Row) -> Symbol:
    """The canonical symbol of one of our markets."""
    symbol = f"{text(market, 'base')}{text(market, 'quote')}"
    if not _SYMBOL.fullmatch(symbol):
        raise Malformed(f"{symbol[:40]!r} is no symbol")
    return Symbol(symbol)


def listed(markets: Iterable[Row], precision_mode: int, tiers: Mapping[str, Decimal], own_tradable: str = "") -> Listed:
    """`tiers`: highest leverage by ccxt's symbol, for markets that do not state it."""
    ours = [market for market in markets if is_ours(market)]
    settle = settle_of(ours)
    found: dict[Symbol, Instrument] = {}
    left_out: dict[Symbol, str] = {}
    for market in (market for market in ours if market.get("settle") == settle):
        try:
            symbol = symbol_of(market)
        except Malformed:
            continue  # it has no name to be asked for by
        if symbol in found or symbol in left_out:
            left_out[symbol] = "two contracts share this name"
            found.pop(symbol, None)
            continue
        try:
            found[symbol] = _instrument(symbol, market, precision_mode, tiers)
            own = market.get("info")
            if own_tradable and isinstance(own, dict) and own.get(own_tradable) is False:
                found[symbol] = replace(found[symbol], tradable=False)
        except Malformed as error:
            left_out[symbol] = f"ccxt does not state enough of it ({error})"
    return Listed(found, left_out, settle)


def _instrument(symbol: Symbol, market: Row, precision_mode: int, tiers: Mapping[str, Decimal]) -> Instrument:
    if precision_mode != TICK_SIZE:
        raise Malformed("its steps are given as digits, not as sizes")
    precision = table(market.get("precision"), "precision")
    limits = table(market.get("limits"), "limits")
    amount, cost = table(limits.get("amount") or {}, "limits.amount"), table(limits.get("cost") or {}, "limits.cost")
    name, lot = text(market, "symbol"), positive(precision, "amount")
    most = number_or_none(amount, "max") or NO_LIMIT
    market_most = number_or_none(table(limits.get("market") or {}, "limits.market"), "max") or most
    return Instrument(
        symbol=symbol,
        venue_symbol=name,
        base=text(market, "base"),
        quote=text(market, "quote"),
        settle=text(market, "settle"),
        contract_size=positive(market, "contractSize"),
        lot=lot,
        tick=positive(precision, "price"),
        min_contracts=number_or_none(amount, "min") or lot,
        max_contracts=most,
        max_market_contracts=min(market_most, most),
        min_notional=number_or_none(cost, "min") or ZERO,
        max_leverage=_max_leverage(limits, tiers.get(name)),
        tradable=market.get("active") is not False,
    )


def _max_leverage(limits: Row, tier: Decimal | None) -> Decimal:
    stated = number_or_none(table(limits.get("leverage") or {}, "limits.leverage"), "max") or tier
    if stated is None or stated < 1:
        raise Malformed("its highest leverage")
    return stated


def states_leverage(market: Row) -> bool:
    limits = table(market.get("limits"), "limits")
    return number_or_none(table(limits.get("leverage") or {}, "limits.leverage"), "max") is not None


def highest(tiers: object) -> dict[str, Decimal]:
    """Highest leverage by ccxt's symbol, from unified leverage tiers."""
    found: dict[str, Decimal] = {}
    for name, rows in table(tiers, "leverage tiers").items():
        steps = [number_or_none(row, "maxLeverage") for row in rows or [] if isinstance(row, dict)]
        if known := [step for step in steps if step is not None]:
            found[name] = max(known)
    return found


def price(symbol: Symbol, ticker: Row, mark: Row | None, at: float, own_mark: str = "") -> Price | None:
    """None where there is no usable price. Without a mark the middle of bid and ask stands for it, if they are close.

    `mark`: the mark price's own unified value, where it is asked for apart.
    """
    try:
        bid, ask, last = (number_or_none(ticker, name) for name in ("bid", "ask", "last"))
        own = ticker.get("info") if own_mark else None
        stated = number_or_none(own, own_mark) if isinstance(own, dict) else None
        stated = stated or number_or_none(mark or {}, "markPrice") or number_or_none(ticker, "markPrice")
    except Malformed:
        return None
    if stated is None and bid and ask and ZERO < bid <= ask and ask - bid <= bid * MAX_SPREAD:
        stated = (bid + ask) / 2
    if stated is None or stated <= 0:
        return None
    return Price(symbol, stated, at, last or None, bid or None, ask or None)


# --- the account ------------------------------------------------------------------------------------------------------


def positions(rows: Iterable[Row], known: Mapping[str, Row], settle: str, facts: Facts) -> dict[Symbol, Position]:
    """`known`: ccxt's markets by its symbol. Raises `Malformed` for a row that cannot be read, or two of one symbol."""
    found: dict[Symbol, Position] = {}
    for row in rows:
        name = text(row, "symbol")
        market = known.get(name)
        if market is None:
            raise Malformed(f"a position in {name[:40]!r}, which is not listed")
        if not is_ours(market) or market.get("settle") != settle:
            continue
        position = _position(symbol_of(market), row, facts)
        if not position.contracts:
            continue
        if position.symbol in found:
            raise Malformed(f"two positions in {position.symbol}: the account is in hedge mode")
        found[position.symbol] = position
    return found


def is_hedged(row: Row) -> bool:
    """Whether a position is one of an account in hedge mode, by ccxt's word or the exchange's own."""
    info = row.get("info")
    own = [str(info.get(name)).lower() for name in ("positionSide", "posSide")] if isinstance(info, dict) else []
    return row.get("hedged") is True or "long" in own or "short" in own


def _position(symbol: Symbol, row: Row, facts: Facts) -> Position:
    contracts, side = number(row, "contracts"), row.get("side")
    if contracts != 0 and side not in ("long", "short"):
        raise Malformed(f"a position in {symbol} without a side")
    signed = -abs(contracts) if side == "short" else abs(contracts)
    leverage = _position_leverage(row, facts)
    mode = MODES.get(str(row.get("marginMode"))) if facts.position_says else None
    return Position(symbol, signed, leverage, mode, None, number_or_none(row, "entryPrice") or None)


def _position_leverage(row: Row, facts: Facts) -> Decimal | None:
    if facts.leverage_of_margin:
        value, margin = number_or_none(row, "notional"), number_or_none(row, "initialMargin")
        return (abs(value) / margin).quantize(LEVERAGE_STEP) if value and margin and margin > 0 else None
    stated = number_or_none(row, "leverage")
    return stated if stated and stated > 0 else None


def equity(balance: Row, rows: Iterable[Row], settle: str, facts: Facts) -> Decimal:
    """Equity in `settle`. Where nobody states whether the total has unrealized profit in it, never more than it is."""
    means = facts.balance
    if facts.own_equity:
        return number(_own_entry(balance.get("info"), settle), facts.own_equity)
    account = balance.get(settle)
    if account is None and isinstance(balance.get("total"), dict) and balance["total"]:
        return ZERO  # the list is there and does not name the currency
    total = number(table(account, settle), "total")
    if means is Balance.EQUITY:
        return total
    profit = sum((_profit(row) for row in rows), ZERO)
    return total + (profit if means is Balance.WALLET else min(profit, ZERO))


def _own_entry(info: Any, settle: str) -> Row:
    """The exchange's own entry of a currency, wherever it stands in its answer."""
    if isinstance(info, dict):
        if info.get("currency") == settle:
            return info
        info = [inner for inner in info.values() if isinstance(inner, dict | list)]
    for inner in info if isinstance(info, list) else ():
        try:
            return _own_entry(inner, settle)
        except Malformed:
            continue
    raise Malformed(f"no entry of {settle}")


def _profit(row: Row) -> Decimal:
    """Raises for an open position whose profit is not told, which would make the equity too large."""
    if number(row, "contracts") == 0:
        return ZERO
    return number(row, "unrealizedPnl")


def leverage(symbol: Symbol, row: Row, mode: MarginMode | None) -> Leverage:
    """Raises `Malformed` where long and short differ, or nothing is said."""
    long, short = number(row, "longLeverage"), number(row, "shortLeverage")
    if long != short:
        raise Malformed(f"leverage of long ({long}) and short ({short}) differ; set one for both")
    return Leverage(symbol, long, mode or MODES.get(str(row.get("marginMode"))))


def margin_mode(row: Row) -> MarginMode:
    mode = MODES.get(str(row.get("marginMode")))
    if mode is None:
        raise Malformed(f"margin mode {row.get('marginMode')!r}")
    return mode


def position_mode(row: Row) -> PositionMode:
    hedged = row.get("hedged")
    if not isinstance(hedged, bool):
        raise Malformed("whether the account is in hedge mode")
    return PositionMode.HEDGE if hedged else PositionMode.ONE_WAY


def by_age(fill: Fill) -> tuple[float, int, int]:
    """Oldest first; within an instant by the exchange's numbers or ids, where those are numbers."""
    return fill.time, fill.seq or 0, int(fill.exec_id) if fill.exec_id.isdigit() else 0


def has_list(answer: Any, kind: str) -> bool:
    """Whether an exchange's answer has a list in it, none of whose entries is a list. `kind`: what the answer must be
    itself, `object` or '' for either that or a list."""
    if kind == "object" and not isinstance(answer, dict):
        return False
    if isinstance(answer, list):
        return not any(isinstance(item, list) for item in answer)
    return isinstance(answer, dict) and any(
        has_list(inner, "") for inner in answer.values() if isinstance(inner, dict | list)
    )


def whole(rows: Collection[Row], asked: int, proven: bool) -> bool:
    """Whether a list is surely not cut: it has fewer rows than were asked for, nor as many as pages often have."""
    return len(rows) < asked and (proven or len(rows) not in SUSPICIOUS)
