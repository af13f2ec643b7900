"""Figures of the simulated Bybit: executions, funding, the wallet, contracts, prices, limits' windows."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.facades.bybit.limits import Window
from tests.contract.bybit_door import Door, pinned

LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": "BTCUSDT"}


# --- executions and money ---------------------------------------------------------------------------------------------


def test_executions_by_kind() -> None:
    door = pinned()
    door.order(orderLinkId="mine")
    door.foreign("BTCUSDT", "0.02")
    door.foreign("BTCUSDT", "0.01", "liquidation")
    door.foreign("BTCUSDT", "0.005", "adl")
    rows = door.get("/v5/execution/list", **LINEAR).rows
    assert [(row["execType"], row["orderLinkId"], row["side"], row["execQty"]) for row in rows] == [
        ("AdlTrade", "", "Sell", "0.005"),
        ("BustTrade", "", "Sell", "0.010"),
        ("Trade", "", "Buy", "0.008"),
        ("Trade", "mine", "Buy", "0.012"),
    ]
    assert [row["seq"] for row in rows] == sorted((row["seq"] for row in rows), reverse=True)
    assert len(door.get("/v5/execution/list", **LINEAR, execType="Trade").rows) == 2
    assert len(door.get("/v5/execution/list", **LINEAR, orderLinkId="mine", execType="AdlTrade").rows) == 0
    assert len(door.get("/v5/execution/list", **LINEAR, orderId=rows[3]["orderId"], orderLinkId="no").rows) == 1
    assert len(door.get("/v5/execution/list", **LINEAR, symbol="ETHUSDT").rows) == 0
    assert len(door.get("/v5/execution/list", **LINEAR, settleCoin="USDC").rows) == 0


def test_funding_is_an_execution_and_moves_the_wallet() -> None:
    door = pinned()
    door.foreign("BTCUSDT", "0.1")
    door.wait(28_800)
    (funding, _) = door.get("/v5/execution/list", **LINEAR).rows
    shown = ("execType", "execFee", "feeRate", "side", "execQty", "orderLinkId", "orderType", "execPrice")
    assert [funding[name] for name in shown] == ["Funding", "0.5", "0.0001", "Buy", "0.100", "", "UNKNOWN", "50000.00"]
    newest, trade = door.get("/v5/account/transaction-log").rows
    assert [newest[name] for name in ("type", "funding", "change", "fee")] == ["SETTLEMENT", "-0.5", "-0.5", "0"]
    assert [trade[name] for name in ("type", "funding", "change", "fee")] == ["TRADE", "", "-2.75", "2.75"]
    assert (newest["cashBalance"], trade["cashBalance"]) == ("9996.75", "9997.25")
    assert len(door.get("/v5/account/transaction-log", type="SETTLEMENT").rows) == 1
    assert door.get("/v5/account/transaction-log", currency="USDC").rows == []


def test_equity_is_in_the_settle_currencys_own_entry() -> None:
    door = pinned()
    door.foreign("BTCUSDT", "0.1")
    door.pin("BTCUSDT", "49000")
    (wallet,) = door.get("/v5/account/wallet-balance", accountType="UNIFIED").rows
    (coin,) = wallet["coin"]
    shown = ("coin", "equity", "walletBalance", "unrealisedPnl", "totalPositionIM", "cumRealisedPnl")
    assert [coin[name] for name in shown] == ["USDT", "9897.25", "9997.25", "-100", "490", "-2.75"]
    assert wallet["totalEquity"] == "9897.25"
    assert door.get("/v5/account/wallet-balance", accountType="UNIFIED", coin="BTC,USDC").rows[0]["coin"] == []
    assert door.get("/v5/account/wallet-balance", accountType="SPOT").code == 10001
    assert door.get("/v5/account/wallet-balance").code == 10001


def test_account_wide_figures_are_empty_in_isolated_margin() -> None:
    door = pinned()
    door.post("/v5/account/set-margin-mode", {"setMarginMode": "ISOLATED_MARGIN"})
    (wallet,) = door.get("/v5/account/wallet-balance", accountType="UNIFIED").rows
    assert [wallet[name] for name in ("totalAvailableBalance", "totalEquity")] == ["", "10000"]
    assert wallet["coin"][0]["equity"] == "10000"


def test_fees_are_what_is_charged() -> None:
    door = pinned()
    (fees,) = door.get("/v5/account/fee-rate", **BTC).rows
    door.order()
    (fill,) = door.get("/v5/execution/list", **BTC).rows
    assert fees == {"symbol": "BTCUSDT", "takerFeeRate": fill["feeRate"], "makerFeeRate": "0.0002"}


# --- market data ------------------------------------------------------------------------------------------------------


def test_instruments_carry_their_recorded_figures() -> None:
    (row,) = Door().get("/v5/market/instruments-info", **BTC).rows
    assert row["lotSizeFilter"] == {
        "maxOrderQty": "1190.000",
        "minOrderQty": "0.001",
        "qtyStep": "0.001",
        "postOnlyMaxOrderQty": "1190.000",
        "maxMktOrderQty": "500.000",
        "minNotionalValue": "5",
    }
    assert row["priceFilter"] == {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"}
    assert row["leverageFilter"] == {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"}
    assert row["riskParameters"] == {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"}


def test_no_number_of_a_contract_is_written_with_an_exponent() -> None:
    rows = Door().get("/v5/market/instruments-info", **LINEAR).rows
    texts = [
        value
        for row in rows
        for part in ("lotSizeFilter", "priceFilter", "leverageFilter")
        for value in row[part].values()
    ]
    assert len(rows) >= 25
    assert [text for text in texts if not text.replace(".", "", 1).isdigit()] == []
    assert all(Decimal(row["priceFilter"]["maxPrice"]) % Decimal(row["priceFilter"]["tickSize"]) == 0 for row in rows)


def test_a_changed_instrument_is_served_as_changed() -> None:
    door = Door()
    door.admin.instrument({"venue": "bybit", "symbol": "BTCUSDT", "lot": "0.002", "min_contracts": "0.002"})
    (row,) = door.get("/v5/market/instruments-info", **BTC).rows
    assert (row["lotSizeFilter"]["qtyStep"], row["lotSizeFilter"]["minOrderQty"]) == ("0.002", "0.002")
    assert door.order(qty="0.001").code == 10001


@pytest.mark.parametrize("category", ["spot", "inverse", "option"])
def test_nothing_else_is_listed(category: str) -> None:
    door = Door()
    assert door.get("/v5/market/instruments-info", category=category).rows == []
    assert door.get("/v5/market/tickers", category=category).rows == []


PUBLIC = ["instruments-info", "tickers", "orderbook", "kline", "funding/history", "price-limit"]


@pytest.mark.parametrize("path", PUBLIC)
def test_market_data_of_unknown_contracts(path: str) -> None:
    door = Door()
    assert door.get(f"/v5/market/{path}", **LINEAR, symbol="NOSUCH", interval="1").code == 10001
    assert door.get(f"/v5/market/{path}", category="futures", symbol="NOSUCH", interval="1").code == 10001


def test_tickers_books_and_candles_agree() -> None:
    door = Door()
    (ticker,) = door.get("/v5/market/tickers", **BTC).rows
    book = door.get("/v5/market/orderbook", **BTC, limit=5).result
    assert [len(book["a"]), len(book["b"])] == [5, 5]
    assert (book["a"][0][0], book["b"][0][0]) == (ticker["ask1Price"], ticker["bid1Price"])
    asks, bids = ([Decimal(price) for price, _ in book[side]] for side in "ab")
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert bids[0] < Decimal(ticker["markPrice"]) < asks[0]
    candles = door.get("/v5/market/kline", **BTC, interval="1", limit=5).rows
    starts = [int(candle[0]) for candle in candles]
    assert starts == [starts[0] - 60_000 * n for n in range(5)]
    assert candles[0][4] == ticker["markPrice"]
    for candle in candles:
        opened, high, low, close = map(Decimal, candle[1:5])
        assert low <= min(opened, close) <= max(opened, close) <= high
    assert all(earlier[4] == later[1] for later, earlier in itertools.pairwise(candles))


def test_yesterdays_price_follows_the_clock_and_a_pin() -> None:
    door = Door()
    (before,) = door.get("/v5/market/tickers", **BTC).rows
    door.wait(3600)
    (after,) = door.get("/v5/market/tickers", **BTC).rows
    assert before["prevPrice24h"] != after["prevPrice24h"]
    door.pin("BTCUSDT", "40000")
    (pinned_one,) = door.get("/v5/market/tickers", **BTC).rows
    assert (pinned_one["lastPrice"], pinned_one["prevPrice24h"]) == ("40000.00", "40000.00")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"limit": 2}, [0, 28_800]),
        ({"endTime": 1_789_948_799_999}, [1]),
        ({"startTime": 1_789_948_800_000, "endTime": 1_789_977_600_000}, [0, 28_800]),
        ({"startTime": 1}, None),
    ],
)
def test_funding_history(params: dict[str, object], expected: list[int] | None) -> None:
    answer = Door().get("/v5/market/funding/history", **BTC, **params)
    if expected is None:
        assert answer.code == 10001
    elif expected == [1]:
        assert answer.rows[0]["fundingRateTimestamp"] == "1789920000000"
    else:
        newest = 1_789_977_600
        assert [int(row["fundingRateTimestamp"]) // 1000 for row in answer.rows] == [newest - age for age in expected]


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 12))
def test_a_window_never_lets_more_than_its_limit_through(gaps: list[float], limit: int) -> None:
    window, now, passed = Window(limit, 1.0), 0.0, list[float]()
    for gap in gaps:
        now += gap
        standing = window.take(now)
        if not standing.exceeded:
            passed.append(now)
        recent = [at for at in passed if at > now - 1.0]
        assert len(recent) <= limit
        assert standing.left <= limit - len(recent)
