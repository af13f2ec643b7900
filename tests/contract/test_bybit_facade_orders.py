"""Orders, leverage and modes on the simulated Bybit: every rule with its code, and what is booked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.exchange import Conditions
from tests.contract.bybit_door import Answer, Door

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


def pinned(price: str = "50000", **settings: Any) -> Door:
    door = Door(**settings)
    door.pin("BTCUSDT", price)
    return door


def cancel(door: Door, **changed: object) -> Answer:
    return door.post("/v5/order/cancel", {**LINEAR, **changed})


def leverage(door: Door, buy: object, sell: object | None = None, symbol: str = "BTCUSDT") -> Answer:
    body = {"category": "linear", "symbol": symbol, "buyLeverage": buy, "sellLeverage": buy if sell is None else sell}
    return door.post("/v5/position/set-leverage", body)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, 0),
        ({"category": None}, 10001),
        ({"category": "spot"}, 10001),
        ({"category": 5}, 10001),
        ({"symbol": None}, 10001),
        ({"symbol": "NOSUCHUSDT"}, 10001),
        ({"symbol": "btcusdt"}, 10001),
        ({"side": "buy"}, 10001),
        ({"side": None}, 10001),
        ({"orderType": "Stop"}, 10001),
        ({"qty": None}, 10001),
        ({"qty": 0.012}, 10001),
        ({"qty": "-1"}, 10001),
        ({"qty": "NaN"}, 10001),
        ({"qty": "1e1"}, 10001),
        ({"qty": "1" * 30}, 10001),
        ({"qty": "0"}, 10001),
        ({"qty": "0", "reduceOnly": True}, 10001),
        ({"qty": "0.0005"}, 10001),
        ({"qty": "0.0125"}, 10001),
        ({"qty": "500.001"}, 10001),
        ({"orderType": "Limit", "price": "49000", "qty": "1190.001"}, 10001),
        ({"orderType": "Limit"}, 10001),
        ({"orderType": "Limit", "price": "0"}, 10001),
        ({"orderType": "Limit", "price": "49000.05"}, 10001),
        ({"orderType": "Limit", "price": "2000000"}, 10001),
        ({"orderType": "Limit", "price": "49000", "timeInForce": "FOK"}, 10001),
        ({"orderType": "Limit", "price": "49000", "timeInForce": "PostOnly"}, 10001),
        ({"orderType": "Limit", "price": "49000", "timeInForce": "GTC"}, 0),
        ({"takeProfit": "60000"}, 10001),
        ({"stopLoss": "40000"}, 10001),
        ({"triggerPrice": "60000", "triggerDirection": 1}, 10001),
        ({"takeProfit": "0", "stopLoss": ""}, 0),
        ({"positionIdx": 1}, 10001),
        ({"positionIdx": 2}, 10001),
        ({"positionIdx": 3}, 10001),
        ({"positionIdx": "0"}, 0),
        ({"positionIdx": True}, 10001),
        ({"reduceOnly": "true"}, 10001),
        ({"reduceOnly": True}, 110017),
        ({"qty": "0", "reduceOnly": True, "closeOnTrigger": True}, 110017),
        ({"orderLinkId": "a" * 36}, 0),
        ({"orderLinkId": "a" * 37}, 10001),
        ({"orderLinkId": "with space"}, 10001),
        ({"orderLinkId": "dot.dot"}, 10001),
        ({"orderLinkId": "Az09-_"}, 0),
        ({"orderLinkId": 7}, 10001),
        ({"qty": "10"}, 110007),
        ({"symbol": "XRPUSDT", "qty": "1"}, 110094),
        ({"symbol": "XRPUSDT", "qty": "3"}, 0),
    ],
)
def test_what_an_order_must_be(changed: dict[str, object], code: int) -> None:
    door = pinned()
    door.pin("XRPUSDT", "2")
    answer = door.order(**changed)
    assert (answer.status, answer.code) == (200, code), answer.message
    booked = [order for order in door.exchange.orders("main") if order.filled or order.open]
    assert len(booked) == (code == 0)


def test_a_contract_that_is_not_traded() -> None:
    door = pinned()
    door.admin.instrument({"venue": "bybit", "symbol": "BTCUSDT", "tradable": False})
    assert door.order().code == 110074
    assert "BTCUSDT" not in [row["symbol"] for row in door.get("/v5/market/instruments-info", category="linear").rows]
    (shown,) = door.get("/v5/market/instruments-info", category="linear", symbol="BTCUSDT").rows
    assert shown["status"] == "Closed"


def test_the_words_for_a_size_too_large() -> None:
    assert pinned().order(qty="501").message == (
        "The number of contracts exceeds maximum limit allowed: "
        "too large, order_qty:50100000000 > max_qty:50000000000"
    )


def test_a_position_too_large_for_its_leverage() -> None:
    door = pinned(equity=Decimal(100_000_000))
    assert leverage(door, "100").code == 0
    assert door.order(orderType="Limit", price="49900", qty="40").code == 0
    over = door.order(orderType="Limit", price="49900", qty="40.001")
    assert over.code == 110090
    assert "leverage to 99 or below" in over.message
    assert leverage(door, "50").code == 0
    assert door.order(orderType="Limit", price="49900", qty="80").code == 0


def test_five_hundred_orders_may_rest_on_a_symbol() -> None:
    door = pinned(equity=Decimal(10_000_000))
    for _ in range(500):
        assert door.order(orderType="Limit", price="49500", qty="0.001").code == 0
        door.wait(0.101)
    assert door.order(orderType="Limit", price="49500", qty="0.001").code == 110020
    first = door.post("/v5/order/cancel-all", LINEAR)
    assert (len(first.rows), first.result["success"]) == (500, "1")


# --- ids --------------------------------------------------------------------------------------------------------------


def test_a_link_id_is_taken_once() -> None:
    door = pinned()
    first = door.order(orderLinkId="one")
    assert (first.code, first.result["orderLinkId"]) == (0, "one")
    assert door.order(orderLinkId="one").code == 110072
    assert door.position()["size"] == "0.012"
    door.account = "second"
    assert door.order(orderLinkId="one").code == 0


def test_a_refused_order_leaves_its_id_free() -> None:
    door = pinned()
    assert door.order(orderLinkId="one", qty="10").code == 110007
    assert door.order(orderLinkId="one").code == 0


def test_ids_taken_twice_while_a_fault_says_so() -> None:
    door = pinned()
    first = door.order(orderLinkId="one").result["orderId"]
    with door.exchange.under(Conditions(accept_duplicate_ids=True)):
        again = door.order(orderLinkId="one").result["orderId"]
    rows = door.get("/v5/order/realtime", **LINEAR, orderLinkId="one").rows
    assert [row["orderId"] for row in rows] == [again, first]
    assert len(door.get("/v5/execution/list", category="linear", orderLinkId="one").rows) == 2


# --- what is booked ---------------------------------------------------------------------------------------------------


def test_an_order_becomes_a_position_with_its_sequence() -> None:
    door = pinned()
    assert door.position()["seq"] == -1
    link = door.order(orderLinkId="in").result["orderLinkId"]
    row, (fill,) = door.position(), door.get("/v5/execution/list", category="linear", orderLinkId=link).rows
    assert (row["side"], row["size"], row["seq"]) == ("Buy", "0.012", fill["seq"])
    (order,) = door.get("/v5/order/realtime", **LINEAR, orderLinkId=link).rows
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == ("Filled", "0.012", "0.000")
    assert order["avgPrice"] == fill["execPrice"].rstrip("0").rstrip(".") == row["avgPrice"]
    assert order["cumFeeDetail"] == {"USDT": fill["execFee"]}
    door.wait(1)
    door.order(side="Sell", qty="0.005", reduceOnly=True)
    newest, _ = door.get("/v5/execution/list", **LINEAR).rows
    assert (newest["closedSize"], newest["side"]) == ("0.005", "Sell")
    assert door.position()["seq"] == newest["seq"] > fill["seq"]


def test_a_reduction_never_turns_a_position() -> None:
    door = pinned()
    door.order()
    assert door.order(qty="0.001", reduceOnly=True).message == "Reduce-only rule not satisfied"
    assert door.order(side="Sell", qty="0.05", reduceOnly=True).code == 0
    assert door.position()["size"] == "0"
    assert door.order(side="Sell", qty="0.05", reduceOnly=True).code == 110017


def test_a_net_order_turns_a_position() -> None:
    door = pinned()
    door.order()
    door.order(side="Sell", qty="0.02")
    row = door.position()
    assert (row["side"], row["size"]) == ("Sell", "0.008")


def test_quantity_zero_closes_everything() -> None:
    door = pinned()
    door.order()
    closing = door.order(side="Sell", qty="0", reduceOnly=True, closeOnTrigger=True, orderLinkId="out")
    assert closing.code == 0
    (order,) = door.get("/v5/order/history", category="linear", orderLinkId="out").rows
    assert (order["qty"], order["orderStatus"], order["reduceOnly"]) == ("0.012", "Filled", True)
    assert door.get("/v5/position/list", category="linear", settleCoin="USDT").rows == []


def test_quantity_zero_closes_at_most_one_order() -> None:
    door = pinned("50", equity=Decimal(10_000_000))
    door.foreign("BTCUSDT", "500.5")
    assert door.order(side="Sell", qty="0", reduceOnly=True, closeOnTrigger=True, orderLinkId="out").code == 0
    (order,) = door.get("/v5/order/history", category="linear", orderLinkId="out").rows
    assert order["qty"] == "500.000"


def test_a_close_may_be_as_small_as_what_is_left() -> None:
    door = pinned()
    door.pin("XRPUSDT", "2")
    door.foreign("XRPUSDT", "1")
    assert door.order(symbol="XRPUSDT", side="Sell", qty="1", reduceOnly=True).code == 0
    assert door.position("XRPUSDT")["size"] == "0"


def test_the_remainder_of_an_ioc_is_cancelled() -> None:
    door = pinned()
    with door.exchange.under(Conditions(partial_fill=Decimal("0.5"))):
        door.order(orderType="Limit", price="50400", timeInForce="IOC", orderLinkId="half")
    with door.exchange.under(Conditions(partial_fill=Decimal(0))):
        door.order(orderType="Limit", price="50400", timeInForce="IOC", orderLinkId="none")
    (half,) = door.get("/v5/order/realtime", **LINEAR, orderLinkId="half").rows
    (none,) = door.get("/v5/order/realtime", **LINEAR, orderLinkId="none").rows
    shown = ("orderStatus", "cumExecQty", "leavesQty", "avgPrice", "rejectReason")
    assert [half[name] for name in shown][:3] == ["Cancelled", "0.006", "0.000"]
    assert [none[name] for name in shown] == ["Cancelled", "0.000", "0.000", "", "EC_NoImmediateQtyToFill"]
    assert half["rejectReason"] == "EC_CancelForNoFullFill"
    assert door.position()["size"] == "0.006"


def test_a_limit_rests_fills_and_can_be_cancelled() -> None:
    door = pinned()
    placed = door.order(orderType="Limit", price="49700", orderLinkId="rest").result
    (row,) = door.get("/v5/order/realtime", **LINEAR).rows
    assert (row["orderId"], row["orderStatus"], row["price"], row["timeInForce"]) == (
        placed["orderId"], "New", "49700.00", "GTC",
    )  # fmt: skip
    door.wait(1)
    door.pin("BTCUSDT", "49600")
    assert door.position()["size"] == "0.012"
    (fill,) = door.get("/v5/execution/list", **LINEAR).rows
    assert (fill["isMaker"], fill["execPrice"], fill["feeRate"]) == (True, "49700.00", "0.0002")
    door.order(orderType="Limit", price="49200", orderLinkId="rest2")
    assert cancel(door, orderLinkId="rest2").code == 0
    assert cancel(door, orderLinkId="rest2").code == 110001
    (row,) = door.get("/v5/order/history", category="linear", orderLinkId="rest2").rows
    assert (row["orderStatus"], row["cancelType"], row["rejectReason"]) == (
        "Cancelled", "CancelByUser", "EC_PerCancelRequest",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, 10001),
        ({"orderId": "nothing"}, 110001),
        ({"orderLinkId": "nothing"}, 110001),
        ({"orderLinkId": "rest", "symbol": "ETHUSDT"}, 110001),
        ({"orderLinkId": "rest", "symbol": None}, 10001),
        ({"orderLinkId": "filled"}, 110001),
        ({"orderLinkId": "rest"}, 0),
    ],
)
def test_cancelling(changed: dict[str, object], code: int) -> None:
    door = pinned()
    door.order(orderLinkId="filled")
    door.order(orderType="Limit", price="49700", orderLinkId="rest")
    assert cancel(door, **changed).code == code


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"symbol": "BTCUSDT"}, ["ETHUSDT"]),
        ({"baseCoin": "ETH"}, ["BTCUSDT"]),
        ({"settleCoin": "USDT"}, []),
        ({"settleCoin": "USDC"}, ["ETHUSDT", "BTCUSDT"]),
        ({"symbol": "BTCUSDT", "settleCoin": "USDT"}, ["ETHUSDT"]),
        ({}, None),
    ],
)
def test_cancelling_everything(chosen: dict[str, object], left: list[str] | None) -> None:
    door = pinned()
    door.pin("ETHUSDT", "3000")
    door.order(orderType="Limit", price="49700")
    door.order(orderType="Limit", price="2970", symbol="ETHUSDT", qty="0.1")
    answer = door.post("/v5/order/cancel-all", {"category": "linear", **chosen})
    if left is None:
        assert answer.code == 10001
    else:
        resting = door.get("/v5/order/realtime", category="linear", settleCoin="USDT").rows
        assert [row["symbol"] for row in resting] == left
        assert len(answer.rows) == 2 - len(left)


# --- the price limit --------------------------------------------------------------------------------------------------


def test_a_price_beyond_the_limit_is_adjusted_by_default() -> None:
    door = pinned()
    limit = door.get("/v5/market/price-limit", symbol="BTCUSDT").result
    assert (limit["buyLmt"], limit["sellLmt"]) == ("50500.00", "49500.00")
    door.order(orderType="Limit", price="60000", timeInForce="IOC", orderLinkId="high")
    door.order(orderType="Limit", side="Sell", price="40000", timeInForce="IOC", orderLinkId="low")
    for link, price in (("high", "50500.00"), ("low", "49500.00")):
        (row,) = door.get("/v5/order/history", category="linear", orderLinkId=link).rows
        assert (row["price"], row["orderStatus"]) == (price, "Filled")


def test_a_price_beyond_the_limit_is_refused_where_asked_for() -> None:
    door = pinned()
    ask = {"category": "linear", "modifyEnable": False}
    assert door.get("/v5/account/user-setting-config").result["lpaPerp"] is False
    assert door.post("/v5/account/set-limit-px-action", ask).code == 0
    assert door.get("/v5/account/user-setting-config").result["lpaPerp"] is True
    for side, price, code in (("Buy", "50500.1", 110003), ("Buy", "50500", 0), ("Sell", "49499.9", 110003)):
        assert door.order(orderType="Limit", side=side, price=price, timeInForce="IOC").code == code
    door.post("/v5/account/set-limit-px-action", {**ask, "modifyEnable": True})
    assert door.order(orderType="Limit", price="60000", timeInForce="IOC").code == 0


def test_a_premium_widens_the_limit_up_to_the_hard_boundary() -> None:
    door = Door()
    door.pin("BTCUSDT", "50000", last="50300")
    wider = door.get("/v5/market/price-limit", symbol="BTCUSDT").result
    assert (wider["buyLmt"], wider["sellLmt"]) == ("50800.00", "49500.00")
    door.pin("BTCUSDT", "50000", last="52000")
    assert door.get("/v5/market/price-limit", symbol="BTCUSDT").result["buyLmt"] == "51000.00"


# --- leverage and modes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("buy", "sell", "code"),
    [
        ("7", None, 0),
        ("10", None, 110043),
        ("10.00", None, 110043),
        ("7.5", None, 0),
        ("7.555", None, 110013),
        ("100", None, 0),
        ("100.01", None, 110013),
        ("0.5", None, 10001),
        ("0", None, 10001),
        ("-1", None, 10001),
        ("7", "8", 10001),
        ("", None, 10001),
        (7, None, 10001),
    ],
)
def test_leverage(buy: object, sell: object | None, code: int) -> None:
    door = Door()
    assert leverage(door, buy, sell).code == code
    expected = Decimal(str(buy)) if code == 0 else Decimal(10)
    assert Decimal(door.position()["leverage"]) == expected


def test_leverage_with_a_position_needs_margin() -> None:
    door = pinned(equity=Decimal(1000))
    door.order(qty="0.1")
    assert leverage(door, "20").code == 0
    assert leverage(door, "2").code == 110012
    assert leverage(door, "8", symbol="ETHUSDT").code == 0


def test_the_margin_mode_is_the_accounts() -> None:
    door = pinned()
    path = "/v5/account/set-margin-mode"
    assert door.get("/v5/account/info").result["marginMode"] == "REGULAR_MARGIN"
    assert door.post(path, {"setMarginMode": "ISOLATED_MARGIN"}).result == {"reasons": []}
    assert door.get("/v5/account/info").result["marginMode"] == "ISOLATED_MARGIN"
    assert door.get("/v5/account/info").result["updatedTime"] == str(round(door.clock.time() * 1000))
    assert door.post(path, {"setMarginMode": "ISOLATED_MARGIN"}).code == 110026
    assert door.post(path, {"setMarginMode": "ISOLATED"}).code == 10001
    assert door.post(path, {"setMarginMode": "PORTFOLIO_MARGIN"}).code == 3400045
    door.wait(1)
    door.order()
    failed = door.post(path, {"setMarginMode": "REGULAR_MARGIN"})
    assert (failed.code, len(failed.result["reasons"])) == (3400045, 1)
    assert door.post("/v5/position/switch-isolated", {**LINEAR, "tradeMode": 0}).code == 100028


def switch(door: Door, mode: object, **where: object) -> Answer:
    return door.post("/v5/position/switch-mode", {"category": "linear", **(where or {"coin": "USDT"}), "mode": mode})


def test_position_modes() -> None:
    door = pinned()
    assert switch(door, 0).code == 110025
    assert [switch(door, mode).code for mode in (1, 5, "x")] == [10001, 10001, 10001]
    assert switch(door, 3, coin="USDC").code == 10001
    assert switch(door, 3, symbol="BTCPERP").code == 10001
    door.wait(1)
    door.order(orderType="Limit", price="49700")
    assert switch(door, 3).code == 110028
    door.post("/v5/order/cancel-all", LINEAR)
    door.order()
    assert switch(door, 3).code == 110024
    door.order(side="Sell", qty="0", reduceOnly=True, closeOnTrigger=True)
    assert switch(door, 3, symbol="BTCUSDT").code == 0
    assert [row["positionIdx"] for row in door.get("/v5/position/list", **LINEAR).rows] == [1, 2]


def test_orders_in_hedge_mode() -> None:
    door = pinned()
    switch(door, 3)
    assert door.order().message == "position idx not match position mode"
    assert door.order(positionIdx=1).code == 0
    assert door.order(positionIdx=2, side="Sell", qty="0.005").code == 0
    rows = door.get("/v5/position/list", category="linear", settleCoin="USDT").rows
    shown = [(row["positionIdx"], row["side"], row["size"]) for row in rows]
    assert shown == [(1, "Buy", "0.012"), (2, "Sell", "0.005")]
    assert door.order(positionIdx=1, side="Sell", qty="0.012", reduceOnly=True).code == 0
    assert door.order(positionIdx=1, side="Sell", qty="0.012", reduceOnly=True).code == 110017
    rows = door.get("/v5/position/list", category="linear", settleCoin="USDT").rows
    assert [(row["positionIdx"], row["size"]) for row in rows] == [(2, "0.005")]


# --- invariants -------------------------------------------------------------------------------------------------------

SIDES, KINDS = st.sampled_from(["Buy", "Sell"]), st.sampled_from(["Market", "Limit"])
ORDERS = st.lists(st.tuples(SIDES, st.integers(1, 40), st.booleans(), KINDS), max_size=12)


@given(ORDERS)
def test_every_view_tells_the_same_story(steps: list[tuple[str, int, bool, str]]) -> None:
    door = pinned(seed=3)
    for side, lots, reduce_only, kind in steps:
        price = "50400" if side == "Buy" else "49600"
        door.order(side=side, qty=str(Decimal(lots) / 1000), reduceOnly=reduce_only, orderType=kind,
                   price=price if kind == "Limit" else None, timeInForce="IOC")  # fmt: skip
        door.wait(0.2)
    fills = door.get("/v5/execution/list", **LINEAR, limit=100).rows
    signed = [Decimal(fill["execQty"]) * (1 if fill["side"] == "Buy" else -1) for fill in fills]
    row = door.position()
    held = Decimal(row["size"]) * {"Buy": 1, "Sell": -1, "": 0}[row["side"]]
    assert held == sum(signed)
    assert row["seq"] == max((fill["seq"] for fill in fills), default=-1)
    orders = door.get("/v5/order/history", **LINEAR, limit=50).rows
    assert sum(Decimal(order["cumExecQty"]) for order in orders) == sum(map(abs, signed))
    log = door.get("/v5/account/transaction-log", limit=50).rows
    balance = door.get("/v5/account/wallet-balance", accountType="UNIFIED").rows[0]["coin"][0]["walletBalance"]
    assert Decimal(10_000) + sum(Decimal(entry["change"]) for entry in log) == pytest.approx(Decimal(balance))
    assert not log or log[0]["cashBalance"] == balance
