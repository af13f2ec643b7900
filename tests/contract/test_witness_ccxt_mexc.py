"""ccxt's mexc, unmodified but for its addresses, against the simulated MEXC in its own process.

ccxt counts in contracts, as the venue does: 120 of BTC/USDT:USDT are 0.012 BTC. Of one-way mode it says what it closes
by the side alone; the simulated venue takes that side for a plain buy or sell, as nobody documents more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.contract.ccxt_witness import Client, moved
from tests.contract.simulator_process import Simulator, simulator

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
ACCOUNTS = 12
ISOLATED, CROSS = {"openType": 1, "leverage": 3}, {"openType": 2, "leverage": 3}


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21000, 21047, ACCOUNTS, venue="mexc") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


@pytest.fixture(scope="module")
def markets(venue: Simulator) -> Any:
    """Read once: the list has a limit of its own for the whole address. ccxt would ask spot addresses first."""
    exchange = unlisted(venue, {"enableRateLimit": False})
    exchange.set_markets(exchange.fetch_swap_markets())
    exchange.session.close()
    return exchange


def unlisted(venue: Simulator, settings: dict[str, Any]) -> Any:
    options = {"defaultType": "swap", "unavailableContracts": {}}
    exchange = ccxt.mexc({"options": options, **settings})
    contract = exchange.urls["api"]["contract"]
    paths = {name: url[url.index("/api/v1") :] for name, url in contract.items()}
    exchange.urls["api"] = moved(exchange.urls["api"], "http://127.0.0.1:1")
    exchange.urls["api"]["contract"] = {name: venue.base_url + path for name, path in paths.items()}
    return exchange


def one_way(client: Client) -> Any:
    """An account as the engine wants it."""
    exchange = client()
    exchange.set_position_mode(False)
    return exchange


@pytest.fixture
def client(venue: Simulator, account: str, markets: Any) -> Iterator[Client]:
    def build(venue: Simulator, settings: dict[str, Any]) -> Any:
        exchange = unlisted(venue, settings)
        exchange.set_markets_from_exchange(markets)
        return exchange

    with Client(venue, account, build).closing() as made:
        yield made


def test_markets(client: Client, markets: Any) -> None:
    exchange = client()
    market = markets.markets[BTC]
    assert (market["id"], market["linear"], market["swap"], market["contractSize"]) == ("BTC_USDT", True, True, 0.0001)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (1, 0.1)
    assert market["limits"]["amount"]["min"] == 1
    assert market["active"]
    assert len(markets.markets) >= 25
    ticker = exchange.fetch_ticker(BTC)
    assert ticker["last"] == 50_000
    assert ticker["bid"] < 50_000 < ticker["ask"]
    assert len(exchange.fetch_tickers()) >= 25
    assert exchange.fetch_order_book(BTC, 20)["asks"][0][0] == ticker["ask"]
    assert len(exchange.fetch_ohlcv(BTC, "1h", limit=5)) > 0
    assert exchange.fetch_funding_rate(BTC)["fundingRate"] == 0.0001
    assert len(exchange.fetch_funding_rate_history(BTC, limit=5)) == 5
    assert abs(exchange.fetch_time({"type": "swap"}) - exchange.milliseconds()) < 60_000
    assert exchange.fetch_status()["status"] == "ok"


def test_an_order_from_entry_to_close(client: Client) -> None:
    exchange = one_way(client)
    placed = exchange.create_order(BTC, "market", "buy", 120, params={"clientOrderId": "in-1", **ISOLATED})
    order = exchange.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["side"]) == ("closed", 120, "buy")
    assert order["info"]["externalOid"] == "in-1"
    (position,) = exchange.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "long", 120)
    assert (position["marginMode"], position["leverage"]) == ("isolated", 3)
    (trade,) = exchange.fetch_my_trades(BTC)
    assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (placed["id"], 120, "taker")
    assert [one["id"] for one in exchange.fetch_order_trades(placed["id"], BTC)] == [trade["id"]]
    exchange.create_order(BTC, "market", "sell", 50, params={"reduceOnly": True, **ISOLATED})
    assert client.ledger()["positions"] == {"BTCUSDT": "0.007"}
    exchange.create_order(BTC, "market", "sell", 70, params={"reduceOnly": True, **ISOLATED})
    assert client.ledger()["positions"] == {}
    assert exchange.fetch_positions() == []
    assert sorted(trade["amount"] for trade in exchange.fetch_my_trades(BTC)) == [50, 70, 120]


def test_what_ccxt_closes_in_one_way_mode_is_not_protected(client: Client) -> None:
    """It leaves `reduceOnly` out and says so by the side; the flag itself protects, and only with an opening side."""
    exchange = one_way(client)
    exchange.create_order(BTC, "market", "buy", 10, params=ISOLATED)
    exchange.create_order(BTC, "market", "sell", 25, params={"reduceOnly": True, **ISOLATED})
    assert client.ledger()["positions"] == {"BTCUSDT": "-0.0015"}
    closing = {"symbol": "BTC_USDT", "vol": 40, "side": 1, "type": 5, "openType": 1, "leverage": 3, "reduceOnly": True}
    exchange.contractPrivatePostOrderCreate(closing)
    assert client.ledger()["positions"] == {}


def test_resting_orders(client: Client) -> None:
    exchange = one_way(client)
    placed = exchange.create_order(BTC, "limit", "buy", 1, 49_700, {"clientOrderId": "rest", **ISOLATED})
    (resting,) = exchange.fetch_open_orders(BTC)
    assert (resting["id"], resting["status"], resting["price"]) == (placed["id"], "open", 49_700)
    assert exchange.cancel_order(placed["id"], BTC)["info"][0]["orderId"] == placed["id"]
    with pytest.raises(ccxt.InvalidOrder):  # in a state in which it cannot be cancelled
        exchange.cancel_order(placed["id"], BTC)
    with pytest.raises(ccxt.ExchangeError, match="2040"):
        exchange.fetch_order("739999999999999999", BTC)
    second = exchange.create_order(BTC, "limit", "buy", 1, 49_600, {"clientOrderId": "rest-2", **ISOLATED})
    pair = {"symbol": "BTC_USDT", "externalOid": "rest-2"}
    answer = exchange.contractPrivatePostOrderCancelWithExternal([pair])
    assert answer["data"][0]["orderId"] == second["id"]
    canceled = exchange.fetch_canceled_orders(BTC)
    assert {order["info"]["externalOid"] for order in canceled} == {"rest", "rest-2"}
    assert {(order["status"], order["filled"]) for order in canceled} == {("canceled", 0)}
    exchange.create_order(BTC, "limit", "sell", 1, 50_300, ISOLATED)
    exchange.cancel_all_orders(BTC)
    assert exchange.fetch_open_orders(BTC) == []
    time.sleep(2.02)  # four orders in two seconds
    taken = exchange.create_order(BTC, 3, "buy", 1, 50_400, ISOLATED)
    order = exchange.fetch_order(taken["id"], BTC)
    assert (order["status"], order["info"]["orderType"], order["filled"]) == ("closed", 3, 1)
    assert [one["id"] for one in exchange.fetch_orders_by_ids([taken["id"], placed["id"]], BTC)]


def test_hedge_mode(client: Client) -> None:
    exchange = client()
    exchange.set_position_mode(True)
    assert exchange.fetch_position_mode()["hedged"] is True
    exchange.create_order(BTC, "market", "buy", 20, params={"hedged": True, **CROSS})
    exchange.create_order(BTC, "market", "sell", 10, params={"hedged": True, **CROSS})
    sides = {(one["side"], one["contracts"], one["marginMode"]) for one in exchange.fetch_positions()}
    assert sides == {("long", 20, "cross"), ("short", 10, "cross")}
    with pytest.raises(ccxt.ExchangeError, match="7001"):
        exchange.set_position_mode(False)
    exchange.create_order(BTC, "market", "buy", 20, params={"hedged": True, "reduceOnly": True, **CROSS})
    assert [one["side"] for one in exchange.fetch_positions()] == ["short"]


def test_settings(client: Client) -> None:
    exchange = one_way(client)
    assert exchange.fetch_position_mode()["hedged"] is False
    exchange.set_leverage(7, BTC, {"openType": 2, "positionType": 1})
    read = exchange.fetch_leverage(BTC)
    assert (read["longLeverage"], read["marginMode"]) == (7, "cross")
    exchange.create_order(BTC, "market", "buy", 1, params=ISOLATED)
    (position,) = exchange.fetch_positions()
    with pytest.raises(ccxt.ExchangeError, match="2021"):
        exchange.create_order(BTC, "market", "buy", 1, params={**ISOLATED, "leverage": 9})
    with pytest.raises(ccxt.ExchangeError, match="2027"):
        exchange.create_order(BTC, "market", "buy", 1, params=CROSS)
    exchange.set_leverage(9, BTC, {"positionId": int(position["id"] or position["info"]["positionId"])})
    assert exchange.fetch_positions()[0]["leverage"] == 9
    exchange.create_order(BTC, "market", "buy", 1, params={**ISOLATED, "leverage": 9})


def test_money(client: Client) -> None:
    exchange = one_way(client)
    exchange.create_order(BTC, "market", "sell", 100, params=ISOLATED)
    balance = exchange.fetch_balance()
    row = next(one for one in balance["info"]["data"] if one["currency"] == "USDT")
    assert Decimal(str(row["equity"])) == pytest.approx(Decimal(client.ledger()["equity"]), abs=Decimal(1))
    assert 0 < balance["USDT"]["free"] < 100_000
    span = {"position_type": 2, "start_time": 0, "end_time": exchange.milliseconds() + 60_000}
    assert exchange.fetch_funding_history(BTC, params=span) == []
    with pytest.raises(ccxt.BadRequest, match="position_type"):  # the documentation wants type and span
        exchange.fetch_funding_history(BTC)


REFUSED: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (ccxt.InsufficientFunds, "2005", {"amount": 100_000, "params": {"openType": 1, "leverage": 1}}),
    (ccxt.ExchangeError, "2003", {"type": "limit", "amount": 1, "price": 60_000}),
    (ccxt.ExchangeError, "2004", {"type": "limit", "amount": 1, "price": 40_000, "side": "sell"}),
    (ccxt.ExchangeError, "2030", {"amount": 1, "params": {"clientOrderId": "x" * 33}}),
    (ccxt.ExchangeError, "2006", {"amount": 1, "params": {"leverage": 501}}),
    (ccxt.ExchangeError, "600", {"amount": 1, "params": {"takeProfitPrice": 60_000}}),
]


def test_refused_orders(client: Client) -> None:
    exchange = one_way(client)
    for number, (kind, code, order) in enumerate(REFUSED):
        if number and number % 4 == 0:
            time.sleep(2.02)
        params = {**ISOLATED, **order.get("params", {})}
        with pytest.raises(kind, match=f'"code":{code}'):
            exchange.create_order(**{"symbol": BTC, "type": "market", "side": "buy", **order, "params": params})
    assert client.ledger()["positions"] == {}


def test_ids_and_rights(client: Client) -> None:
    exchange = one_way(client)
    exchange.create_order(BTC, "limit", "buy", 1, 49_700, {"clientOrderId": "same", **ISOLATED})
    with pytest.raises(ccxt.ExchangeError, match="2042"):
        exchange.create_order(BTC, "limit", "buy", 1, 49_700, {"clientOrderId": "same", **ISOLATED})
    client.venue.post("account", venue="mexc", account=client.account, can_trade=False)
    with pytest.raises(ccxt.ExchangeError, match="704"):
        exchange.create_order(BTC, "market", "buy", 1, params=ISOLATED)
    assert exchange.fetch_positions() == []


def test_keys_and_clocks(client: Client) -> None:
    for wrong in ({"apiKey": "nobody"}, {"secret": "wrong"}):
        with pytest.raises(ccxt.AuthenticationError):
            client(**wrong).fetch_positions()
    exchange = client()
    client.venue.post("clock", venue="mexc", offset_ms=12_000)
    try:
        with pytest.raises(ccxt.ExchangeError, match="513"):
            exchange.fetch_positions()
    finally:
        client.venue.post("clock", venue="mexc", offset_ms=0)
    assert exchange.fetch_positions() == []


def test_orders_have_a_budget(client: Client) -> None:
    exchange = one_way(client)
    for number in range(4):
        exchange.create_order(BTC, "limit", "buy", 1, 49_000 + number, ISOLATED)
    with pytest.raises(ccxt.RateLimitExceeded):
        exchange.create_order(BTC, "limit", "buy", 1, 49_500, ISOLATED)
    time.sleep(2.02)
    exchange.create_order(BTC, "limit", "buy", 1, 49_500, ISOLATED)
    assert len(exchange.fetch_open_orders(BTC)) == 5
