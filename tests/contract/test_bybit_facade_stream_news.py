"""What the simulated Bybit tells an account: which messages, in which order, and what stands in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from core.domain import ZERO, OrderKind, Side, Symbol
from simulator.exchange import Conditions, Exchange, ExchangeEvent, NewOrder
from tests.contract.bybit_door import Door, pinned
from tests.contract.bybit_wire import Wire, private

D = Decimal
ALL = ("execution.fast", "execution", "order", "position", "wallet")


def place(exchange: Exchange, size: str, account: str = "main", **more: Any) -> Any:
    """A market order of a signed size; a resting limit with `price`."""
    kind = OrderKind.LIMIT if "price" in more else OrderKind.MARKET
    side = Side.BUY if D(size) > 0 else Side.SELL
    fields: dict[str, Any] = {"symbol": Symbol("BTCUSDT"), "side": side, "contracts": abs(D(size)), "kind": kind}
    return exchange.place(account, NewOrder(**(fields | more)))


def rest(door: Door, link: str = "rest", **changed: object) -> Any:
    return door.order(**({"orderType": "Limit", "price": "49700", "orderLinkId": link} | changed))


def topics(wire: Wire) -> list[str]:
    return [message["topic"] for message in wire.news()]


# --- which messages, in which order -----------------------------------------------------------------------------------


def cancel(door: Door) -> None:
    rest(door)
    door.post("/v5/order/cancel", {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "rest"})


def fill_resting(door: Door) -> None:
    rest(door)
    door.pin("BTCUSDT", "49600")


def close(door: Door) -> None:
    door.order()
    door.order(side="Sell", reduceOnly=True)


def fund(door: Door) -> None:
    door.order()
    door.wait(28_800.0)
    door.exchange.advance()


def unfilled(door: Door) -> None:
    with door.exchange.under(Conditions(partial_fill=ZERO)):
        door.order()


STORIES: list[tuple[Callable[[Door], object], list[str]]] = [
    (lambda door: door.order(), [*ALL]),
    (unfilled, ["order", "position"]),
    (rest, ["order", "position", "wallet"]),
    (lambda door: rest(door, reduceOnly=True), []),
    (cancel, ["order", "position", "wallet"] * 2),
    (fill_resting, ["order", "position", "wallet", *ALL]),
    (close, [*ALL, *ALL]),
    (fund, [*ALL, "execution", "position", "wallet"]),
    (lambda door: door.foreign("BTCUSDT", "0.5"), ["execution.fast", "execution", "position", "wallet"]),
    (lambda door: door.foreign("BTCUSDT", "0.5", "liquidation"), ["execution", "position", "wallet"]),
    (lambda door: door.foreign("BTCUSDT", "0.5", "adl"), ["execution", "position", "wallet"]),
    (lambda door: door.post("/v5/position/set-leverage", {
        "category": "linear", "symbol": "BTCUSDT", "buyLeverage": "7", "sellLeverage": "7"}), ["position"]),
    (lambda door: door.setup(equity="5000"), ["wallet"]),
    (lambda door: door.pin("BTCUSDT", "51000"), []),
    (lambda door: door.order(qty="100"), []),
    (lambda door: door.get("/v5/position/list", category="linear", symbol="BTCUSDT"), []),
]  # fmt: skip


@pytest.mark.parametrize(("happens", "told"), STORIES)
def test_what_is_told(happens: Callable[[Door], object], told: list[str]) -> None:
    door = pinned()
    wire, other = private(door, *ALL), private(door, *ALL, account="second")
    happens(door)
    assert topics(wire) == told
    assert other.news() == []


def test_each_category_under_its_own_name() -> None:
    door = pinned()
    names = ["execution.fast.linear", "execution.linear", "order.linear", "position.linear"]
    wire = private(door, *names, "order.inverse", "position.option", "greeks")
    door.order()
    assert topics(wire) == names
    assert wire.say("subscribe", "order")["success"] is True
    door.order()
    assert topics(wire) == [*names[:2], "order.linear", "order", "position.linear"]


def test_sessions_of_one_account_hear_the_same() -> None:
    door = pinned()
    wires = [private(door, *ALL) for _ in range(3)]
    door.order()
    heard = [wire.news() for wire in wires]
    assert heard[0] == heard[1] == heard[2] != []


def test_nothing_of_before_the_subscription_is_told() -> None:
    door = pinned()
    wire = private(door)
    door.order()
    wire.say("subscribe", *ALL)
    assert wire.news() == []


def test_a_listener_that_came_late_knows_older_orders() -> None:
    door = pinned()
    rest(door)
    fresh = Door.__new__(Door)
    fresh.__dict__.update(door.__dict__)
    fresh.facade = type(door.facade)(door.exchange)
    wire = private(fresh, "order")
    door.post("/v5/order/cancel", {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "rest"})
    ((_, order),) = wire.told()
    assert order["orderStatus"] == "Cancelled"


def test_funding_is_noticed_without_any_request() -> None:
    door = pinned()
    door.order()
    wire = private(door, "execution")
    door.wait(28_800.0)
    ((_, row),) = wire.told()
    assert (row["execType"], row["execQty"], row["side"]) == ("Funding", "0.012", "Buy")


def test_the_same_session_replays_the_same_bytes() -> None:
    def run() -> list[tuple[str, ...]]:
        door = Door()
        wire = private(door, *ALL)
        frames = []
        for step in (door.order, partial(fill_resting, door), partial(fund, door)):
            step()
            frames.append(wire.session.push())
        return frames

    assert run() == run()


# --- what stands in them ----------------------------------------------------------------------------------------------


def test_a_market_order_is_told_of_once_filled() -> None:
    door = pinned()
    wire = private(door, *ALL)
    door.order(orderLinkId="in")
    told = dict(wire.told())
    order, execution, fast = told["order"], told["execution"], told["execution.fast"]
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == ("Filled", "0.012", "0.000")
    assert order["orderLinkId"] == execution["orderLinkId"] == fast["orderLinkId"] == "in"
    assert order["orderId"] == execution["orderId"] == fast["orderId"]
    assert execution["execId"] == fast["execId"]
    assert (execution["execQty"], execution["leavesQty"], execution["closedSize"]) == ("0.012", "0", "0")
    assert (execution["execFee"], execution["feeCurrency"]) == ("0.330033", "USDT")
    assert (told["position"]["side"], told["position"]["size"]) == ("Buy", "0.012")
    assert told["wallet"]["coin"][0]["walletBalance"] == "9999.669967"


def test_many_fills_of_one_order_come_in_one_message() -> None:
    door = pinned(equity=D(10**8))
    wire = private(door, "execution", "position")
    place(door.exchange, "22")
    execution, position = wire.news()
    rows = execution["data"]
    assert len(rows) > 2
    left = [D(row["leavesQty"]) for row in rows]
    assert left == [22 - sum(D(row["execQty"]) for row in rows[: n + 1]) for n in range(len(rows))]
    assert left[-1] == 0
    assert len({row["execId"] for row in rows}) == len(rows)
    assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
    assert position["data"][0]["seq"] == rows[-1]["seq"]


def test_what_an_order_could_not_fill_is_left_in_its_execution() -> None:
    door = pinned()
    wire = private(door, "execution", "order")
    with door.exchange.under(Conditions(partial_fill=D("0.25"))):
        door.order(qty="0.012")
    told = dict(wire.told())
    assert (told["execution"]["execQty"], told["execution"]["leavesQty"]) == ("0.003", "0.009")
    order = told["order"]
    assert (order["orderStatus"], order["cumExecQty"], order["leavesQty"]) == ("Cancelled", "0.003", "0.000")
    assert (order["cancelType"], order["rejectReason"]) == ("UNKNOWN", "EC_CancelForNoFullFill")


def test_a_resting_order_from_new_to_its_end() -> None:
    door = pinned()
    wire = private(door, "order", "position", "wallet")
    rest(door)
    told = dict(wire.told())
    assert (told["order"]["orderStatus"], told["order"]["leavesQty"]) == ("New", "0.012")
    assert (told["position"]["side"], told["position"]["size"], told["position"]["seq"]) == ("", "0", -1)
    assert D(told["wallet"]["coin"][0]["totalOrderIM"]) > 0
    door.post("/v5/order/cancel", {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "rest"})
    told = dict(wire.told())
    assert (told["order"]["orderStatus"], told["order"]["cancelType"]) == ("Cancelled", "CancelByUser")
    assert told["position"]["size"] == "0"
    assert told["wallet"]["coin"][0]["totalOrderIM"] == "0"


def test_only_a_taker_is_told_its_own_id() -> None:
    door = pinned()
    wire = private(door, "execution.fast", "execution")
    fill_resting(door)
    told = dict(wire.told())
    assert (told["execution.fast"]["isMaker"], told["execution.fast"]["orderLinkId"]) == (True, "")
    assert (told["execution"]["isMaker"], told["execution"]["orderLinkId"]) == (True, "rest")


def test_orders_and_executions_of_one_match_share_an_id() -> None:
    door = pinned()
    wire = private(door, *ALL)
    door.order()
    messages = {message["topic"]: message for message in wire.news()}
    ids = {topic: message.get("id") for topic, message in messages.items()}
    assert ids["order"] == ids["execution"] == f"24600000_BTCUSDT_{messages['execution']['data'][0]['seq']}"
    assert ids["execution.fast"] is None
    assert len({ids["order"], ids["position"], ids["wallet"]}) == 3


def test_a_position_keeps_the_seq_of_its_last_fill_and_what_it_ended_with() -> None:
    door = pinned()
    wire = private(door, "execution", "position")
    door.order()
    opened = dict(wire.told())
    assert opened["position"]["seq"] == opened["execution"]["seq"]
    rest(door)
    unchanged = dict(wire.told())["position"]
    assert {k: v for k, v in unchanged.items() if k not in ("positionIM", "positionIMByMp")} == {
        k: v for k, v in opened["position"].items() if k not in ("positionIM", "positionIMByMp")
    }
    door.order(side="Sell", reduceOnly=True)
    closed = dict(wire.told())
    flat = closed["position"]
    assert (flat["side"], flat["size"], flat["entryPrice"], flat["liqPrice"]) == ("", "0", "0", "0")
    assert flat["seq"] == closed["execution"]["seq"] > opened["execution"]["seq"]
    assert D(flat["curRealisedPnl"]) == D(flat["cumRealisedPnl"]) < 0
    assert D(closed["execution"]["execPnl"]) < 0
    assert closed["execution"]["closedSize"] == "0.012"


def test_what_is_told_is_what_is_read() -> None:
    """Field by field, where stream and REST have the same name."""
    door = pinned()
    wire = private(door, "order", "execution", "position", "wallet")
    door.order(orderLinkId="in")
    door.order(side="Sell", qty="0.005", reduceOnly=True, orderLinkId="out")
    told = dict(wire.told())
    here = {"category": "linear", "symbol": "BTCUSDT"}
    (order,) = door.get("/v5/order/realtime", **here, orderLinkId="out").rows
    (execution,) = door.get("/v5/execution/list", **here, orderLinkId="out").rows
    (wallet,) = door.get("/v5/account/wallet-balance", accountType="UNIFIED").rows
    for topic, read in (("order", order), ("execution", execution), ("position", door.position()), ("wallet", wallet)):
        both = told[topic].keys() & read.keys() - {"leavesQty"}
        assert len(both) > 15
        assert {name: told[topic][name] for name in both} == {name: read[name] for name in both}
    assert told["position"]["entryPrice"] == door.position()["avgPrice"]


def test_the_legs_of_a_hedge_are_told_apart() -> None:
    door = pinned()
    door.setup(position_mode="hedge")
    wire = private(door, "position")
    door.order(positionIdx=1)
    door.order(side="Sell", positionIdx=2, qty="0.004")
    rows = [row for _, row in wire.told()]
    assert [(row["positionIdx"], row["side"], row["size"]) for row in rows] == [
        (1, "Buy", "0.012"),
        (2, "Sell", "0.004"),
    ]


def test_instants_are_the_venues_own() -> None:
    door = pinned()
    door.admin.clock({"venue": "bybit", "offset_ms": 90_000})
    wire = private(door, *ALL)
    door.exchange.place("main", NewOrder(Symbol("BTCUSDT"), Side.BUY, D("0.012"), OrderKind.MARKET))
    now_ms = round(door.clock.time() * 1000) + 90_000
    messages = wire.news()
    assert [message["creationTime"] for message in messages] == [now_ms] * len(ALL)
    told = {message["topic"]: message["data"][0] for message in messages}
    assert (
        told["execution"]["execTime"] == told["order"]["createdTime"] == told["position"]["updatedTime"] == str(now_ms)
    )


def test_a_late_read_does_not_make_the_stream_late() -> None:
    door = pinned(read_lag_s=2.0)
    wire = private(door, "execution", "position")
    door.order()
    assert dict(wire.told())["position"]["size"] == "0.012"
    assert door.position()["size"] == "0"


def test_telling_changes_nothing_of_what_happens() -> None:
    """A story is made in the middle of the exchange's bookings; without a listener they come out the same."""

    def run(*names: str) -> str:
        door = pinned(equity=D(2_000))
        if names:
            private(door, *names)
        for number in range(5):
            rest(door, f"r{number}", price=str(49_700 - 10 * number), qty="0.01")
        for price in ("49685", "9000", "52000"):
            door.pin("BTCUSDT", price)
        return json.dumps(door.admin.ledger())

    assert "liquidation" in run()
    assert run() == run(*ALL)


def test_the_clock_stands_still_while_a_story_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catching up with the clock in the middle of a booking would book into a half-done one."""
    door = pinned()
    private(door, *ALL)
    telling: list[ExchangeEvent] = []
    tell, advance = door.exchange.state.tell, door.exchange.desk.advance

    def watched_tell(event: ExchangeEvent) -> None:
        telling.append(event)
        tell(event)
        telling.pop()

    def watched_advance() -> None:
        assert telling == []
        advance()

    monkeypatch.setattr(door.exchange.state, "tell", watched_tell)
    monkeypatch.setattr(door.exchange.desk, "advance", watched_advance)
    for happens in (fill_resting, close, fund):
        happens(door)
    door.foreign("BTCUSDT", "0.5", "liquidation")


def test_a_gtc_order_that_crosses_and_rests_is_told_of_partly_filled() -> None:
    door = pinned(equity=D(10**8))
    wire = private(door, "order")
    place(door.exchange, "80", price=D(50_100))
    ((_, row),) = wire.told()
    assert row["orderStatus"] == "PartiallyFilled"
    assert 0 < D(row["cumExecQty"]) < 80
    assert D(row["leavesQty"]) == 80 - D(row["cumExecQty"])
