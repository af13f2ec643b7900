"""The simulated Bybit's market data streams: a client that applies them has what REST shows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.facades.bybit.stream_topics import MAX_TRADES, TICKER_FIELDS, direction
from simulator.market import Pin
from tests.contract.bybit_door import Door, pinned
from tests.contract.bybit_wire import Wire, private, public

D = Decimal
BTC = {"category": "linear", "symbol": "BTCUSDT"}
UNTICKED = {name for name in TICKER_FIELDS if name != "tickDirection"}


def ticker(door: Door) -> dict[str, Any]:
    """What REST says, in the stream's fields."""
    (row,) = door.get("/v5/market/tickers", **BTC).rows
    return {name: row[name] for name in UNTICKED}


def book(door: Door, depth: int) -> Any:
    return door.get("/v5/market/orderbook", **BTC, limit=depth).result


def levels_of(rows: list[list[str]]) -> dict[str, str]:
    return {price: size for price, size in rows}  # noqa: C416 - says what stands in a row


def applied(levels: dict[str, str], changes: list[list[str]]) -> dict[str, str]:
    merged = levels | levels_of(changes)
    return {price: size for price, size in merged.items() if size != "0"}


def one(wire: Wire) -> Any:
    (message,) = wire.news()
    return message


# --- tickers ----------------------------------------------------------------------------------------------------------


def test_a_ticker_is_whole_first_and_then_what_changed() -> None:
    door = pinned()
    wire = public(door, "tickers.BTCUSDT")
    first = one(wire)
    assert (first["topic"], first["type"], first["ts"]) == ("tickers.BTCUSDT", "snapshot", round(door.clock.now * 1000))
    assert first["data"].keys() == UNTICKED | {"tickDirection"}
    assert {name: first["data"][name] for name in UNTICKED} == ticker(door)
    assert wire.news() == [], "nothing has changed"
    door.pin("BTCUSDT", "50000", last="50001")
    change = one(wire)
    assert change["type"] == "delta"
    assert {"symbol", "lastPrice", "tickDirection", "bid1Price", "ask1Price"} <= change["data"].keys()
    assert not {"markPrice", "fundingRate", "openInterest"} & change["data"].keys()
    assert (change["data"]["lastPrice"], change["data"]["tickDirection"]) == ("50001.00", "PlusTick")
    door.pin("BTCUSDT", "50000")
    assert one(wire)["data"]["tickDirection"] == "MinusTick"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 50))
def test_a_ticker_kept_by_its_changes_is_the_ticker(waits: list[int], seed: int) -> None:
    door = Door(seed=seed)
    wire = public(door, "tickers.BTCUSDT")
    kept: dict[str, Any] = {}
    for quarters in waits:
        for message in wire.news():
            assert (message["type"] == "snapshot") == (kept == {})
            kept |= message["data"]
        shown = ticker(door)
        assert {name: kept[name] for name in shown} == shown
        door.wait(quarters / 4)


def test_a_contract_that_is_changed_is_noticed() -> None:
    door = pinned()
    wire = public(door, "tickers.BTCUSDT")
    wire.news()
    door.admin.instrument({"venue": "bybit", "symbol": "BTCUSDT", "lot": "0.1"})
    assert one(wire)["data"] == {"symbol": "BTCUSDT", "bid1Size": "5.0", "ask1Size": "5.0"}


@pytest.mark.parametrize(
    ("before", "now", "last", "word"),
    [
        (2, 3, "MinusTick", "PlusTick"),
        (3, 2, "PlusTick", "MinusTick"),
        (3, 3, "PlusTick", "ZeroPlusTick"),
        (3, 3, "ZeroPlusTick", "ZeroPlusTick"),
        (3, 3, "MinusTick", "ZeroMinusTick"),
        (3, 3, "ZeroMinusTick", "ZeroMinusTick"),
    ],
)
def test_how_a_price_moved(before: int, now: int, last: str, word: str) -> None:
    assert direction(D(before), D(now), last) == word


# --- the book ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 40), min_size=1, max_size=10), st.integers(0, 50), st.sampled_from([50, 200, 1000]))
def test_a_book_kept_by_its_changes_is_the_book(waits: list[int], seed: int, depth: int) -> None:
    door = Door(seed=seed)
    wire = public(door, f"orderbook.{depth}.BTCUSDT")
    bids: dict[str, str] = {}
    asks: dict[str, str] = {}
    update = 0
    for quarters in waits:
        for message in wire.news():
            data = message["data"]
            assert message["type"] == ("delta" if update else "snapshot")
            assert data["u"] == (update + 1 if update else data["u"]) > 1
            assert data["b"] == sorted(data["b"], key=lambda level: -D(level[0]))
            assert data["a"] == sorted(data["a"], key=lambda level: D(level[0]))
            update, bids, asks = data["u"], applied(bids, data["b"]), applied(asks, data["a"])
        shown = book(door, depth)
        assert (bids, asks) == (levels_of(shown["b"]), levels_of(shown["a"]))
        door.wait(quarters / 4)


def test_the_best_level_is_sent_whole_and_again_after_three_seconds() -> None:
    door = pinned()
    wire = public(door, "orderbook.1.BTCUSDT")
    first = one(wire)
    shown = book(door, 1)
    assert (first["type"], first["data"]["b"], first["data"]["a"]) == ("snapshot", shown["b"], shown["a"])
    for _ in range(29):
        door.wait(0.1)
        assert wire.news() == []
    door.wait(0.11)
    again = one(wire)
    assert (again["type"], again["data"]["u"]) == ("snapshot", first["data"]["u"])
    door.pin("BTCUSDT", "50100")
    moved = one(wire)
    assert (moved["type"], moved["data"]["u"]) == ("snapshot", first["data"]["u"] + 1)
    assert (len(moved["data"]["b"]), len(moved["data"]["a"])) == (1, 1)


def test_a_book_that_does_not_move_is_silent() -> None:
    door = pinned()
    wire = public(door, "orderbook.50.BTCUSDT")
    assert one(wire)["type"] == "snapshot"
    door.order()
    door.wait(10.0)
    assert wire.news() == []


# --- trades -----------------------------------------------------------------------------------------------------------


def test_trades_of_every_account() -> None:
    door = pinned()
    wire = public(door, "publicTrade.BTCUSDT")
    assert wire.news() == []
    door.order()
    door.account = "second"
    door.order(side="Sell", qty="0.5")
    door.order(symbol="ETHUSDT", qty="0.5")
    message = one(wire)
    assert (message["topic"], message["type"]) == ("publicTrade.BTCUSDT", "snapshot")
    rows = message["data"]
    assert [(row["S"], row["v"], row["p"], row["L"]) for row in rows] == [
        ("Buy", "0.012", "50005.00", "PlusTick"),
        ("Sell", "0.500", "49995.00", "MinusTick"),
    ]
    assert rows[0]["seq"] < rows[1]["seq"]
    assert rows[0]["T"] == round(door.clock.now * 1000)


def test_the_side_of_a_trade_is_the_takers() -> None:
    door = pinned()
    door.order(orderType="Limit", price="49700", orderLinkId="rest")
    wire = public(door, "publicTrade.BTCUSDT")
    fills = private(door, "execution")
    door.pin("BTCUSDT", "49600")
    ((_, fill),) = fills.told()
    (trade,) = one(wire)["data"]
    assert (fill["side"], fill["isMaker"], trade["S"], trade["i"]) == ("Buy", True, "Sell", fill["execId"])


def test_takeovers_are_no_trades_and_manual_ones_are() -> None:
    door = pinned()
    wire = public(door, "publicTrade.BTCUSDT")
    door.foreign("BTCUSDT", "0.5", "liquidation")
    assert wire.news() == []
    door.foreign("BTCUSDT", "0")
    assert [row["v"] for row in one(wire)["data"]] == ["0.500"]


def test_who_lets_too_many_trades_wait_is_cut_off() -> None:
    door = pinned()
    wire, other = public(door, "publicTrade.BTCUSDT"), public(door, "tickers.BTCUSDT")
    for number in range(MAX_TRADES + 1):
        assert wire.session.over is False
        door.foreign("BTCUSDT", "0.5" if number % 2 else "0.6")
    assert (wire.session.over, other.session.over) == (True, False)


# --- together ---------------------------------------------------------------------------------------------------------


def test_messages_come_in_the_order_of_the_subscriptions() -> None:
    door = pinned()
    names = ["tickers.ETHUSDT", "orderbook.1.BTCUSDT", "tickers.BTCUSDT"]
    assert [message["topic"] for message in public(door, *names).news()] == names


def test_a_pinned_price_shows_at_once() -> None:
    door = Door()
    wire = public(door, "tickers.BTCUSDT")
    wire.news()
    door.world.market.pin(door.exchange.listing("BTCUSDT").symbol, Pin(D(77_000)))
    assert one(wire)["data"]["markPrice"] == "77000.00"


def test_a_quiet_connection_is_asked_less_often() -> None:
    wire = Wire(Door(), "/v5/public/linear")
    assert wire.session.wake_in_s == 1.0
    wire.say("subscribe", "tickers.BTCUSDT")
    assert wire.session.wake_in_s == 0.1
