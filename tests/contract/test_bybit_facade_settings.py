"""Price limits, leverage and modes of the simulated Bybit, and what must hold whatever is ordered."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.bybit_door import Answer, Door, pinned

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


def leverage(door: Door, buy: object, sell: object | None = None, symbol: str = "BTCUSDT") -> Answer:
    body = {"category": "linear", "symbol": symbol, "buyLeverage": buy, "sellLeverage": buy if sell is None else sell}
    return door.post("/v5/position/set-leverage", body)


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
