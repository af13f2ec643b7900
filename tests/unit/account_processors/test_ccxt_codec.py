"""ccxt's unified values as domain values: exact, complete, and never guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from account_processors.codecs import ccxt as codec
from account_processors.codecs import ccxt_errors as errors
from account_processors.codecs import ccxt_orders as orders
from account_processors.codecs.ccxt_facts import Balance, Facts, facts_of, order_type, order_words, resolved, wire
from account_processors.codecs.wire import Malformed
from core.domain import (
    ClientId,
    LeverageScope,
    MarginMode,
    MarginModeScope,
    OrderKind,
    PlaceOrder,
    Side,
    Symbol,
    TimeInForce,
)
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError

D = Decimal
BTC, NAME = Symbol("BTCUSDT"), "BTC/USDT:USDT"
ID = ClientId("0" * 31 + "1")
ORDER = PlaceOrder(
    BTC, Side.BUY, D(12), OrderKind.LIMIT, D(50_500), TimeInForce.IOC, False, D(3), MarginMode.ISOLATED
)  # fmt: skip
CLOSE = PlaceOrder(
    BTC, Side.SELL, D(12), OrderKind.MARKET, None, TimeInForce.IOC, True, None, MarginMode.ISOLATED
)  # fmt: skip


def market(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": NAME, "base": "BTC", "quote": "USDT", "settle": "USDT", "swap": True, "linear": True, "active": True,
        "contractSize": "0.001", "precision": {"amount": "1", "price": "0.1"},
        "limits": {"amount": {"min": "1", "max": "100"}, "cost": {"min": None}, "leverage": {"max": "50"}},
    } | changes  # fmt: skip


def test_a_contract_is_what_ccxt_states() -> None:
    found = codec.listed([market()], codec.TICK_SIZE, {}).instruments[BTC]
    assert (found.venue_symbol, found.contract_size, found.lot, found.tick) == (NAME, D("0.001"), D(1), D("0.1"))
    assert (found.min_contracts, found.max_contracts, found.max_leverage) == (D(1), D(100), D(50))
    assert found.min_notional == D(0)


LIMITS = {"amount": {"min": "1"}, "leverage": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {"contractSize": None},
        {"contractSize": "0"},
        {"precision": {"amount": None, "price": "0.1"}},
        {"precision": {"amount": "1", "price": None}},
        {"precision": None},
        {"limits": LIMITS},
        {"limits": None},
    ],
)
def test_what_is_not_stated_leaves_the_contract_out(changes: dict[str, Any]) -> None:
    found = codec.listed([market(**changes)], codec.TICK_SIZE, {})
    assert found.instruments == {}
    assert "does not state enough" in found.left_out[BTC]


def test_a_highest_leverage_may_come_from_the_tiers() -> None:
    tiers = codec.highest({NAME: [{"maxLeverage": "20"}, {"maxLeverage": "75"}], "other": [{"maxLeverage": None}]})
    assert codec.listed([market(limits=LIMITS)], codec.TICK_SIZE, tiers).instruments[BTC].max_leverage == 75


def test_steps_in_digits_are_no_steps() -> None:
    assert codec.listed([market()], 2, {}).instruments == {}


def test_one_settlement_currency_and_no_two_of_one_name() -> None:
    usdc = market(symbol="BTC/USDC:USDC", quote="USDC", settle="USDC")
    inverse = market(symbol="BTC/USD:BTC", quote="USD", settle="BTC", linear=False)
    assert set(codec.listed([usdc, market(), inverse], codec.TICK_SIZE, {}).instruments) == {BTC}
    assert set(codec.listed([usdc], codec.TICK_SIZE, {}).instruments) == {Symbol("BTCUSDC")}
    twice = codec.listed([market(), market(symbol="other")], codec.TICK_SIZE, {})
    assert (twice.instruments, twice.left_out) == ({}, {BTC: "two contracts share this name"})
    with pytest.raises(Malformed):
        codec.listed([inverse], codec.TICK_SIZE, {})


@pytest.mark.parametrize(
    ("ticker", "mark"),
    [
        ({"markPrice": "100", "bid": "90", "ask": "91"}, D(100)),
        ({"bid": "100", "ask": "100.4"}, D("100.2")),
        ({"bid": "100", "ask": "101"}, None),
        ({"bid": "101", "ask": "100"}, None),
        ({"last": "100"}, None),
        ({"markPrice": "x"}, None),
    ],
)
def test_a_price_is_the_mark_or_a_narrow_middle(ticker: dict[str, Any], mark: Decimal | None) -> None:
    found = codec.price(BTC, ticker, None, 1.0)
    assert (found.mark if found else None) == mark


def row(**changes: Any) -> dict[str, Any]:
    given = {"symbol": NAME, "contracts": "12", "side": "long", "leverage": "3", "marginMode": "cross", "info": {}}
    return given | changes


def test_positions_are_signed_and_flat_rows_are_not_there() -> None:
    known = {NAME: market(), "ETH/USDT:USDT": market(symbol="ETH/USDT:USDT", base="ETH")}
    rows = [row(side="short"), row(symbol="ETH/USDT:USDT", contracts="0", side=None)]
    found = codec.positions(rows, known, "USDT", Facts())
    assert {symbol: (one.contracts, one.leverage) for symbol, one in found.items()} == {BTC: (D(-12), D(3))}


@pytest.mark.parametrize(
    "rows",
    [
        [row(), row(side="short")],
        [row(side=None)],
        [row(contracts=None)],
        [row(symbol="X/USDT:USDT")],
        [row(symbol=None)],
    ],
)
def test_positions_that_cannot_be_read_are_none_at_all(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(Malformed):
        codec.positions(rows, {NAME: market()}, "USDT", Facts())


@pytest.mark.parametrize(
    ("means", "profit", "value"),
    [
        (Balance.EQUITY, "5", "100"),
        (Balance.WALLET, "5", "105"),
        (Balance.WALLET, "-5", "95"),
        (Balance.UNSTATED, "5", "100"),
        (Balance.UNSTATED, "-5", "95"),
    ],
)
def test_equity_is_never_more_than_it_is(means: Balance, profit: str, value: str) -> None:
    rows = [row(unrealizedPnl=profit), row(contracts="0", unrealizedPnl=None)]
    assert codec.equity({"USDT": {"total": "100"}, "total": {}}, rows, "USDT", Facts(balance=means)) == D(value)


def test_equity_is_unknown_where_a_position_hides_its_profit_or_nothing_is_said() -> None:
    with pytest.raises(Malformed):
        codec.equity({"USDT": {"total": "100"}}, [row(unrealizedPnl=None)], "USDT", Facts())
    unreadable: tuple[dict[str, Any], ...] = ({}, {"total": {}}, {"USDT": {"total": None}})
    for balance in unreadable:
        with pytest.raises(Malformed):
            codec.equity(balance, [], "USDT", Facts())
    assert codec.equity({"total": {"BTC": "1"}}, [], "USDT", Facts()) == 0


@pytest.mark.parametrize(
    ("answer", "kind", "has"),
    [
        ({"data": []}, "", True),
        ({"data": {"items": []}}, "object", True),
        ([], "", True),
        ([], "object", False),
        ({}, "", False),
        ({"data": "none"}, "", False),
        ({"data": [[]]}, "", False),
        (None, "", False),
    ],
)
def test_an_empty_list_is_one_the_exchange_sent(answer: object, kind: str, has: bool) -> None:
    assert codec.has_list(answer, kind) is has


@pytest.mark.parametrize(
    ("rows", "proven", "whole"), [(99, True, True), (100, True, False), (20, False, False), (21, False, True)]
)
def test_a_list_may_be_cut(rows: int, proven: bool, whole: bool) -> None:
    assert codec.whole([{}] * rows, 100, proven) is whole


# --- orders -----------------------------------------------------------------------------------------------------------


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "7", "clientOrderId": ID, "symbol": NAME, "side": "buy", "status": "closed", "amount": "12",
        "filled": "12", "average": "50005", "reduceOnly": None, "info": {},
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"filled": None}, {"status": None}, {"status": "lost"}, {"side": None}, {"symbol": "X"}, {"id": None}],
)
def test_an_order_whose_fate_is_not_told_is_not_read(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        orders.order_row(order(**changes), {NAME: BTC}, Facts(), ID)


@pytest.mark.parametrize(
    ("row", "facts", "told"),
    [
        ({"clientOrderId": ID}, Facts(), ID),
        ({"clientOrderId": f"t-{ID}"}, Facts(), ID),
        ({"info": {"orderLinkId": ""}}, Facts(), ""),
        ({"info": {"clientOid": ID}}, Facts(), ID),
        ({"info": {"externalOid": "_m_1"}}, facts_of("mexc"), ""),
        ({"info": {}}, Facts(), None),
        ({}, Facts(), None),
    ],
)
def test_whose_an_order_is(row: dict[str, Any], facts: Facts, told: str | None) -> None:
    assert orders.named(row, facts) == told


def test_mexcs_sides_are_the_exchanges_own() -> None:
    for own, side in (("1", Side.BUY), ("2", Side.BUY), ("3", Side.SELL), ("4", Side.SELL)):
        read = orders.order_row(order(side="sell", info={"side": own}), {NAME: BTC}, facts_of("mexc"), ID)
        assert read.side is side


def test_how_an_order_is_said_to_ccxt() -> None:
    assert order_words(Facts(), ORDER, ID) == {"clientOrderId": ID, "timeInForce": "IOC"}
    assert order_words(Facts(), CLOSE, ID) == {"clientOrderId": ID, "reduceOnly": True}
    assert (order_type(facts_of("blofin"), ORDER), order_type(facts_of("mexc"), ORDER)) == ("ioc", 3)
    kucoin = order_words(facts_of("kucoinfutures"), ORDER, ID)
    assert (kucoin["leverage"], kucoin["marginMode"]) == (3, "isolated")


def test_leverage_goes_with_what_opens_only_and_mexc_reduces_by_its_own_word() -> None:
    facts = facts_of("mexc")
    opening = wire(facts, order_words(facts, ORDER, ID))
    closing = wire(facts, order_words(facts, CLOSE, ID))
    assert (opening.leaves_out, opening.adds, opening.words["leverage"]) == (frozenset(), {}, 3)
    assert (closing.leaves_out, closing.adds) == (frozenset({"leverage"}), {"reduceOnly": True})
    assert "reduceOnly" not in closing.words


def test_what_ccxt_states_fills_in_what_no_fact_says() -> None:
    has = {"setLeverage", "setMarginMode"}
    found = resolved(Facts(), has.__contains__, lambda method, name: None)
    assert (found.leverage, found.margin_mode) == (LeverageScope.PER_SYMBOL, MarginModeScope.SYMBOL)
    on_order = resolved(Facts(), set[str]().__contains__, lambda method, name: True)
    assert (on_order.leverage, on_order.margin_mode) == (LeverageScope.PER_ORDER, MarginModeScope.ORDER)
    assert on_order.order_says_margin_mode
    assert on_order.order_says_leverage
    assert resolved(facts_of("bybit"), has.__contains__, lambda *_: True).margin_mode is MarginModeScope.ACCOUNT


# --- what exceptions prove --------------------------------------------------------------------------------------------


def seen(*kinds: str, code: str = "1", listed: bool = True, words: str = "no", status: int = 200) -> errors.Seen:
    return errors.Seen(kinds, code, listed, words, status, True)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (seen("InsufficientFunds", "ExchangeError"), Rejected),
        (seen("OrderImmediatelyFillable", "InvalidOrder"), Rejected),
        (seen("PermissionDenied", "AuthenticationError"), Denied),
        (seen("BadSymbol", "BadRequest"), OurFault),
        (seen("RateLimitExceeded", "NetworkError"), Unavailable),
        (seen("DuplicateOrderId", "InvalidOrder"), Ambiguous),
        (seen("OrderNotFound", "InvalidOrder"), Ambiguous),
        (seen("ExchangeError", "BaseError"), Ambiguous),
        (seen("InvalidNonce", "NetworkError"), Ambiguous),
        (seen("ExchangeNotAvailable", "NetworkError"), Ambiguous),
        (seen("InsufficientFunds", listed=False), Ambiguous),
        (seen("InsufficientFunds", status=502), Ambiguous),
        (seen("InvalidOrder", words="client order id is duplicated"), Ambiguous),
        (seen("KeyError", "LookupError"), Ambiguous),
    ],
)
def test_what_an_exception_proves_of_an_order(what: errors.Seen, kind: type[VenueError]) -> None:
    assert type(errors.of_order(what, "x create_order", ID, Facts())) is kind


def test_a_code_that_proves_nothing_goes_before_ccxts_class() -> None:
    facts = Facts(not_proof=frozenset({"1"}))
    assert type(errors.of_order(seen("InvalidOrder"), "x", ID, facts)) is Ambiguous
    means = Facts(means={"1": "PermissionDenied"})
    assert type(errors.of_order(seen("BadRequest"), "x", ID, means)) is Denied


def test_reads_and_settings() -> None:
    assert type(errors.of_read(seen("AuthenticationError"), "x", Facts())) is Denied
    assert type(errors.of_read(seen("InvalidOrder"), "x", Facts())) is Unavailable
    assert errors.of_setting(seen("MarginModeAlreadySet", "NoChange"), "x", Facts()) is None
    assert type(errors.of_setting(seen("InvalidOrder"), "x", Facts())) is Rejected
    assert type(errors.of_setting(seen("ExchangeError"), "x", Facts())) is Unavailable
