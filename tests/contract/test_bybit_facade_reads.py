"""Reads of the simulated Bybit: pages, rows, how long things stay visible, market data, money."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import plain
from simulator.exchange import Conditions
from simulator.facades.bybit.limits import Window
from tests.contract.bybit_door import START, Answer, Door

LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": "BTCUSDT"}
DAY_S = 86_400.0


def pinned(**settings: Any) -> Door:
    door = Door(**settings)
    for symbol, price in (("BTCUSDT", "50000"), ("ETHUSDT", "3000"), ("BTCPERP", "50000")):
        door.pin(symbol, price)
    return door


def resting(door: Door, **changed: object) -> Answer:
    return door.order(**{"orderType": "Limit", "price": "49700", **changed})


def crowded() -> Door:
    """Positions on 25 contracts, 23 of them settled in USDT."""
    door = Door()
    listings = [it for it in door.exchange.listings() if it.instrument.settle == "USDT"][:23]
    for listing in [*listings, *(it for it in door.exchange.listings() if it.instrument.settle == "USDC")]:
        door.foreign(listing.symbol, plain(listing.instrument.min_contracts))
    return door


def follow(door: Door, path: str, key: str, **params: object) -> tuple[list[str], int]:
    """Every row of a paged read, by `key`, and how many pages there were."""
    found: list[str] = []
    cursor, pages = "", 0
    while pages < 100:
        answer = door.get(path, **params, **({"cursor": cursor} if cursor else {}))
        found += [row[key] for row in answer.rows]
        cursor, pages = answer.result["nextPageCursor"], pages + 1
        if not cursor:
            break
        door.wait(0.05)
    return found, pages


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_position_read_without_pages_looks_like_closed_positions() -> None:
    door = crowded()
    unpaged = door.get("/v5/position/list", **LINEAR, settleCoin="USDT")
    assert len(unpaged.rows) == 20
    assert unpaged.result["nextPageCursor"]
    symbols, pages = follow(door, "/v5/position/list", "symbol", **LINEAR, settleCoin="USDT")
    assert (len(symbols), len(set(symbols)), pages) == (23, 23, 2)
    usdc = door.get("/v5/position/list", **LINEAR, settleCoin="USDC").rows
    assert [row["symbol"] for row in usdc] == ["BTCPERP", "ETHPERP"]


@pytest.mark.parametrize(
    ("path", "params", "most"),
    [
        ("/v5/position/list", {**LINEAR, "settleCoin": "USDT"}, 200),
        ("/v5/market/instruments-info", LINEAR, 1000),
        ("/v5/order/realtime", BTC, 50),
        ("/v5/order/history", LINEAR, 50),
        ("/v5/execution/list", LINEAR, 100),
        ("/v5/account/transaction-log", {}, 50),
        ("/v5/market/funding/history", BTC, 200),
        ("/v5/market/kline", {**BTC, "interval": "1"}, 1000),
        ("/v5/market/orderbook", BTC, 1000),
    ],
)
def test_page_sizes(path: str, params: dict[str, object], most: int) -> None:
    door = Door()
    sizes: dict[object, int] = {1: 0, most: 0, 0: 10001, most + 1: 10001, -1: 10001, "many": 10001, "1.5": 10001}
    assert {limit: door.get(path, **params, limit=limit).code for limit in sizes} == sizes


@pytest.mark.parametrize("cursor", ["x", "page_token=x", "page_token%3Dx"])
def test_strange_cursors(cursor: str) -> None:
    assert Door().get("/v5/order/history", **LINEAR, cursor=cursor).code == 10001


@pytest.mark.parametrize("form", [lambda text: text, quote])
def test_a_cursor_may_be_sent_as_it_came_or_encoded(form: Callable[[str], str]) -> None:
    door = crowded()
    first = door.get("/v5/position/list", **LINEAR, settleCoin="USDT", limit=10)
    cursor = form(first.result["nextPageCursor"])
    second = door.get_raw("/v5/position/list", f"category=linear&settleCoin=USDT&limit=10&cursor={cursor}")
    symbols = [row["symbol"] for row in (*first.rows, *second.rows)]
    assert len(set(symbols)) == 20


@given(limit=st.integers(1, 15), count=st.integers(0, 30))
def test_pages_hold_everything_once(limit: int, count: int) -> None:
    door = pinned()
    for number in range(count):
        assert resting(door, qty="0.001", orderLinkId=f"id{number}").code == 0
        door.wait(0.11)
    ids, pages = follow(door, "/v5/order/realtime", "orderLinkId", **BTC, limit=limit)
    assert ids == [f"id{number}" for number in reversed(range(count))]
    assert pages == count // limit + 1


def test_new_rows_between_pages_hide_none() -> None:
    door = pinned()
    for number in range(5):
        resting(door, qty="0.001", orderLinkId=f"id{number}")
    first = door.get("/v5/order/realtime", **BTC, limit=3)
    resting(door, qty="0.001", orderLinkId="late")
    rest = door.get("/v5/order/realtime", **BTC, limit=3, cursor=first.result["nextPageCursor"])
    assert [row["orderLinkId"] for row in (*first.rows, *rest.rows)] == ["id4", "id3", "id2", "id1", "id0"]


# --- positions --------------------------------------------------------------------------------------------------------


def test_a_flat_row_has_no_side_and_no_values() -> None:
    row = Door().position("ETHUSDT")
    shown = ("side", "size", "avgPrice", "positionValue", "unrealisedPnl", "liqPrice", "positionIM", "seq", "leverage")
    assert [row[name] for name in shown] == ["", "0", "0", "", "", "", "", -1, "10"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (LINEAR, 10001),
        ({"settleCoin": "USDT"}, 10001),
        ({**LINEAR, "symbol": "NOSUCH"}, 10001),
        ({"category": "inverse"}, 0),
        ({**LINEAR, "settleCoin": "EUR"}, 0),
        ({**BTC, "settleCoin": "USDC"}, 0),
    ],
)
def test_what_a_position_read_must_name(params: dict[str, object], code: int) -> None:
    assert Door().get("/v5/position/list", **params).code == code


def test_a_position_row() -> None:
    door = pinned()
    door.post("/v5/account/set-margin-mode", {"setMarginMode": "ISOLATED_MARGIN"})
    door.foreign("BTCUSDT", "-0.5")
    door.pin("BTCUSDT", "51000")
    row = door.position()
    shown = ("side", "size", "avgPrice", "markPrice", "positionValue", "unrealisedPnl", "positionIM", "positionMM")
    assert [row[name] for name in shown] == [
        "Sell", "0.500", "50000", "51000.00", "25000", "-500", "2500", "127.5",
    ]  # fmt: skip
    assert Decimal(54700) < Decimal(row["liqPrice"]) < Decimal(55000)
    assert row["riskLimitValue"] == "20000000"
    assert int(row["createdTime"]) == int(row["updatedTime"]) == round(START * 1000)


def test_profit_realised_since_the_position_was_opened() -> None:
    door = pinned()
    door.foreign("BTCUSDT", "1")
    door.pin("BTCUSDT", "51000")
    door.foreign("BTCUSDT", "0.5")
    partly = door.position()
    fees = Decimal("27.5") + Decimal("14.025")
    assert Decimal(partly["curRealisedPnl"]) == Decimal(partly["cumRealisedPnl"]) == 500 - fees
    door.foreign("BTCUSDT", "0")
    door.wait(1)
    door.foreign("BTCUSDT", "0.1")
    again = door.position()
    assert Decimal(again["curRealisedPnl"]) == Decimal("-2.805")
    assert Decimal(again["cumRealisedPnl"]) == 1000 - fees - Decimal("14.025") - Decimal("2.805")


def test_positions_read_late_under_a_fault() -> None:
    door = pinned()
    door.order()
    door.wait(5)
    door.order()
    with door.exchange.under(Conditions(stale_positions_s=3)):
        assert door.position()["size"] == "0.012"
    assert door.position()["size"] == "0.024"


def test_everything_is_read_late_while_execution_is_asynchronous() -> None:
    door = pinned(read_lag_s=0.5)
    placed = door.order(orderLinkId="slow").result
    ledger = door.exchange.positions("main")
    assert [view.contracts for view in ledger] == [Decimal("0.012")]
    ways: list[Callable[[], Any]] = [
        lambda: door.get("/v5/position/list", **LINEAR, settleCoin="USDT").rows,
        lambda: door.get("/v5/order/realtime", **BTC, orderLinkId="slow").rows,
        lambda: door.get("/v5/order/realtime", **BTC, orderId=placed["orderId"]).rows,
        lambda: door.get("/v5/order/history", **LINEAR, orderLinkId="slow").rows,
        lambda: door.get("/v5/execution/list", **LINEAR, orderLinkId="slow").rows,
        lambda: door.get("/v5/execution/list", **BTC).rows,
    ]
    assert [way() for way in ways] == [[]] * len(ways)
    assert door.order(orderLinkId="slow").code == 110072
    door.wait(0.51)
    assert [len(way()) for way in ways] == [1] * len(ways)


# --- orders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "links"),
    [
        (BTC, ["rest"]),
        ({**LINEAR, "settleCoin": "USDT"}, ["eth", "rest"]),
        ({**LINEAR, "baseCoin": "ETH"}, ["eth"]),
        ({**BTC, "openOnly": 1}, ["cancelled", "filled"]),
        ({**BTC, "orderLinkId": "filled"}, ["filled"]),
        ({**BTC, "orderLinkId": "eth"}, ["eth"]),
        ({**BTC, "orderLinkId": "rejected"}, []),
        ({**BTC, "orderLinkId": "nothing"}, []),
        ({**BTC, "orderId": "nothing", "orderLinkId": "filled"}, []),
        ({**LINEAR, "orderLinkId": "filled"}, None),
        (LINEAR, None),
        ({"symbol": "BTCUSDT"}, None),
        ({**BTC, "openOnly": 7}, None),
        ({"category": "inverse"}, []),
    ],
)
def test_open_and_recent_orders(params: dict[str, object], links: list[str] | None) -> None:
    door = pinned()
    resting(door, orderLinkId="rest")
    door.order(orderLinkId="filled")
    resting(door, orderLinkId="cancelled")
    door.post("/v5/order/cancel", {**BTC, "orderLinkId": "cancelled"})
    resting(door, orderLinkId="eth", symbol="ETHUSDT", price="2970", qty="0.1")
    door.order(orderLinkId="rejected", qty="400")
    answer = door.get("/v5/order/realtime", **params)
    assert (None if answer.code else [row["orderLinkId"] for row in answer.rows]) == links


@pytest.mark.parametrize(
    ("params", "links"),
    [
        (LINEAR, ["eth", "cancelled", "filled"]),
        (BTC, ["cancelled", "filled"]),
        ({**LINEAR, "orderStatus": "Filled"}, ["eth", "filled"]),
        ({**LINEAR, "baseCoin": "ETH"}, ["eth"]),
        ({**LINEAR, "orderLinkId": "filled", "symbol": "ETHUSDT"}, ["filled"]),
        ({**LINEAR, "orderLinkId": "rest"}, []),
        ({}, None),
    ],
)
def test_order_history(params: dict[str, object], links: list[str] | None) -> None:
    door = pinned()
    resting(door, orderLinkId="rest")
    door.order(orderLinkId="filled")
    resting(door, orderLinkId="cancelled")
    door.post("/v5/order/cancel", {**BTC, "orderLinkId": "cancelled"})
    door.order(orderLinkId="eth", symbol="ETHUSDT", qty="0.1")
    answer = door.get("/v5/order/history", **params)
    assert (None if answer.code else [row["orderLinkId"] for row in answer.rows]) == links


def test_orders_without_fills_are_known_for_a_day_those_with_fills_for_longer() -> None:
    door = pinned()
    door.order(orderLinkId="filled")
    with door.exchange.under(Conditions(partial_fill=Decimal(0))):
        door.order(orderLinkId="empty", orderType="Limit", price="50400", timeInForce="IOC")
    for age_s, known in ((DAY_S - 60, ["empty", "filled"]), (DAY_S + 60, ["filled"]), (8 * DAY_S, ["filled"])):
        door.clock.now = START + age_s
        for path in ("/v5/order/realtime", "/v5/order/history"):
            found = [
                row["orderLinkId"]
                for link in ("empty", "filled")
                for row in door.get(path, **BTC, orderLinkId=link).rows
            ]
            assert found == known, (path, age_s)
    assert door.get("/v5/order/history", **LINEAR).rows == []


def test_only_the_newest_500_closed_orders_are_recent() -> None:
    door = pinned()
    for number in range(502):
        door.order(qty="0.001", side="Sell" if number % 2 else "Buy", orderLinkId=f"id{number}")
        door.wait(0.11)
    known = [bool(door.get("/v5/order/realtime", **BTC, orderLinkId=f"id{number}").rows) for number in (0, 1, 2)]
    assert known == [False, False, True]
    assert len(door.get("/v5/order/history", **BTC, orderLinkId="id0").rows) == 1


def spans(path: str) -> dict[str, object]:
    """The codes a read gives for time ranges, `now` being the clock's."""
    door = Door()
    now, week = round(START * 1000), 7 * 86_400_000
    asked: dict[str, dict[str, object]] = {
        "none": {},
        "start": {"startTime": now},
        "end": {"endTime": now},
        "a week": {"startTime": now - week, "endTime": now},
        "more": {"startTime": now - week - 1, "endTime": now},
        "backwards": {"startTime": now, "endTime": now - 1},
        "nonsense": {"startTime": "soon"},
    }
    return {name: door.get(path, **LINEAR, **params).code for name, params in asked.items()}


@pytest.mark.parametrize("path", ["/v5/order/history", "/v5/execution/list", "/v5/account/transaction-log"])
def test_time_ranges(path: str) -> None:
    refused = ("more", "backwards", "nonsense")
    names = ("none", "start", "end", "a week", *refused)
    assert spans(path) == {name: 10001 if name in refused else 0 for name in names}


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
    assert all(
        Decimal(row["priceFilter"]["maxPrice"]) % Decimal(row["priceFilter"]["tickSize"]) == 0 for row in rows
    )


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
