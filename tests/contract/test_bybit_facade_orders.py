"""Orders, leverage and modes on the simulated Bybit: every rule with its code, and what is booked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simulator.exchange import Conditions
from tests.contract.bybit_door import Answer, Door, pinned

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


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
        ({"orderType": "Limit", "price": "60000.05"}, 10001),
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
        "The number of contracts exceeds maximum limit allowed: too large, order_qty:50100000000 > max_qty:50000000000"
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


def test_a_limit_that_fills_in_part_rests_on() -> None:
    door = pinned()
    with door.exchange.under(Conditions(partial_fill=Decimal("0.5"))):
        door.order(orderType="Limit", price="50400", orderLinkId="half")
    (row,) = door.get("/v5/order/realtime", **LINEAR).rows
    shown = ("orderLinkId", "orderStatus", "qty", "cumExecQty", "leavesQty", "rejectReason")
    assert [row[name] for name in shown] == ["half", "PartiallyFilled", "0.012", "0.006", "0.006", "EC_NoError"]


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
        ({"orderId": "rest", "symbol": "ETHUSDT"}, 110001),
        ({"orderId": "rest", "orderLinkId": "filled"}, 0),
        ({"orderLinkId": "rest", "symbol": None}, 10001),
        ({"orderLinkId": "filled"}, 110001),
        ({"orderLinkId": "rest"}, 0),
    ],
)
def test_cancelling(changed: dict[str, object], code: int) -> None:
    door = pinned()
    door.order(orderLinkId="filled")
    rest = door.order(orderType="Limit", price="49700", orderLinkId="rest").result["orderId"]
    if changed.get("orderId") == "rest":
        changed = {**changed, "orderId": rest}
    assert cancel(door, **changed).code == code


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"symbol": "BTCUSDT"}, ["ETHUSDT"]),
        ({"baseCoin": "ETH"}, ["BTCUSDT"]),
        ({"settleCoin": "USDT"}, []),
        ({"settleCoin": "USDC"}, ["ETHUSDT", "BTCUSDT"]),
        ({"settleCoin": "USDT", "orderFilter": "StopOrder"}, ["ETHUSDT", "BTCUSDT"]),
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
