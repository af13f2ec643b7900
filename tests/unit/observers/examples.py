"""One event of every kind there is."""

from __future__ import annotations

from decimal import Decimal

from core import events
from core.domain import (
    AccountId,
    ClientId,
    MarginMode,
    OrderKind,
    PlaceOrder,
    SetLeverage,
    SetMarginMode,
    Side,
    Symbol,
    SymbolState,
    TimeInForce,
)

AT = 1795165964.123
ACCOUNT = AccountId("bybit-main")
BTC = Symbol("BTCUSDT")
ID = ClientId("0123456789abcdef0123456789abcdef")
BUY = PlaceOrder(
    BTC,
    Side.BUY,
    Decimal(12),
    OrderKind.LIMIT,
    Decimal(50500),
    TimeInForce.IOC,
    False,
    Decimal(10),
    MarginMode.ISOLATED,
)
CLOSE = PlaceOrder(
    BTC, Side.SELL, Decimal("12.0"), OrderKind.MARKET, None, TimeInForce.IOC, True, None, MarginMode.ISOLATED
)

EXAMPLES: list[tuple[events.Event, str]] = [
    (
        events.SymbolSettled(AT, ACCOUNT, BTC, SymbolState.CONVERGED, "as wanted"),
        "bybit-main BTCUSDT: CONVERGED: as wanted",
    ),
    (
        events.GenerationSized(
            AT,
            ACCOUNT,
            BTC,
            3,
            Decimal("0.06"),
            Decimal(12),
            Decimal(10),
            Decimal("1E+3"),
            Decimal(50000),
            "both",
        ),
        "bybit-main BTCUSDT: generation 3 sized to 12 contracts (depth 0.06, 10x, equity 1000, price 50000): both",
    ),
    (
        events.GenerationSized(AT, ACCOUNT, BTC, 4, Decimal(0), Decimal(0), Decimal(10), None, None, "flat"),
        "bybit-main BTCUSDT: generation 4 sized to 0 contracts (depth 0, 10x): flat",
    ),
    (
        events.OrderSent(AT, ACCOUNT, BTC, ID, BUY),
        "bybit-main BTCUSDT: sends buy 12 limit at 50500 ioc (order 0123456789)",
    ),
    (
        events.OrderSent(AT, ACCOUNT, BTC, ID, CLOSE),
        "bybit-main BTCUSDT: sends sell 12 market ioc reduce-only (order 0123456789)",
    ),
    (
        events.OrderAcked(AT, ACCOUNT, BTC, ID, "venue-77"),
        "bybit-main BTCUSDT: accepted (order 0123456789, the venue calls it venue-77)",
    ),
    (
        events.OrderResolved(AT, ACCOUNT, BTC, ID, "filled", Decimal(12), "found by our id"),
        "bybit-main BTCUSDT: filled, 12 contracts (order 0123456789): found by our id",
    ),
    (
        events.OrderUncertain(AT, ACCOUNT, BTC, ID, "timed out"),
        "bybit-main BTCUSDT: outcome unknown, looking it up, not sending it again (order 0123456789): timed out",
    ),
    (
        events.StepDone(AT, ACCOUNT, BTC, SetLeverage(BTC, Decimal(10), MarginMode.ISOLATED)),
        "bybit-main BTCUSDT: leverage set to 10x",
    ),
    (
        events.StepDone(AT, ACCOUNT, BTC, SetMarginMode(BTC, MarginMode.ISOLATED, Decimal(10))),
        "bybit-main BTCUSDT: margin mode set to isolated",
    ),
    (
        events.PositionVerified(AT, ACCOUNT, BTC, 3, Decimal(12)),
        "bybit-main BTCUSDT: verified at 12 contracts (generation 3)",
    ),
    (
        events.DriftSeen(AT, ACCOUNT, BTC, Decimal(12), Decimal("5.50"), "a fill that is not ours"),
        "bybit-main BTCUSDT: moved by somebody else, expected 12 contracts, found 5.5: a fill that is not ours",
    ),
    (
        events.AccountChanged(AT, ACCOUNT, "blocked", "the key may not trade"),
        "bybit-main: blocked: the key may not trade",
    ),
    (events.EquityRead(AT, ACCOUNT, Decimal("1000.50"), "USDT"), "bybit-main: equity 1000.5 USDT"),
    (events.CycleDone(AT, ACCOUNT, 7, 0.25, 3, True), "bybit-main: cycle 7, 3 orders, 250 ms"),
    (
        events.Trouble(AT, ACCOUNT, BTC, "the price is old; waiting; nothing to do"),
        "bybit-main BTCUSDT: trouble: the price is old; waiting; nothing to do",
    ),
    (events.Trouble(AT, ACCOUNT, None, "disk full"), "bybit-main: trouble: disk full"),
]
