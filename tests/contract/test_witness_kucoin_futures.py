"""The SDK the adapter rides on, unmodified, against the simulated KuCoin in its own process.

It signs with whole seconds, tells errors as the text of an exception, and gives the envelope where a list is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from kucoin_futures.client import Market, Trade, User

from tests.contract.simulator_process import Simulator, simulator

BTC, ETH = "XBTUSDTM", "ETHUSDTM"
NAMES = ("main", "second", "third", "fourth", "fifth", "sixth")
CODE = re.compile(r'"code":"(\d+)"')


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18724, 18741, len(NAMES), venue="kucoin") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


class Client:
    """The SDK's three classes on one account; sessions are closed at the end."""

    def __init__(self, venue: Simulator) -> None:
        self.venue = venue
        self._open: list[Any] = []

    def __call__(self, kind: Any, account: str, **changed: str) -> Any:
        fields = self.venue.accounts[account]
        keys = {"key": fields["api_key"], "secret": fields["api_secret"], "passphrase": fields["api_passphrase"]}
        made = kind(**{**keys, **changed}, url=self.venue.base_url)
        self._open.append(made)
        return made

    def close(self) -> None:
        for made in self._open:
            if made.session is not None:
                made.session.close()


@pytest.fixture
def client(venue: Simulator) -> Iterator[Client]:
    made = Client(venue)
    yield made
    made.close()


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Exception, match="code") as caught:
        call(*arguments, **named)
    found = CODE.search(str(caught.value))
    assert found is not None
    return found.group(1)


def test_market_data(client: Client) -> None:
    market = client(Market, "main")
    assert isinstance(market.get_server_timestamp(), int)
    contracts = {one["symbol"]: one for one in market.get_contracts_list()}
    assert (contracts[BTC]["multiplier"], contracts[BTC]["lotSize"], contracts[BTC]["tickSize"]) == (0.001, 1, 0.1)
    assert len(contracts) >= 25
    assert market.get_contract_detail(BTC)["markPrice"] == 50_000
    ticker = market.get_ticker(BTC)
    assert ticker["price"] == "50000.0"
    assert float(ticker["bestBidPrice"]) < 50_000 < float(ticker["bestAskPrice"])
    assert len(market.get_all_tickers()) == len(contracts)
    assert market.get_current_mark_price(BTC)["value"] == 50_000
    assert market.l2_order_book(BTC)["asks"][0][0] == float(ticker["bestAskPrice"])
    assert len(market.l2_part_order_book(BTC, 20)["bids"]) == 20
    assert len(market.get_kline_data(BTC, 60)) > 0
    assert market.get_current_fund_rate(BTC)["value"] == 0.0001
    assert market.get_service_status()["status"] == "open"
    assert refusal(market.get_ticker, "NOSUCH") == "200003"


def test_an_order_from_entry_to_close(client: Client) -> None:
    trade = client(Trade, "main")
    placed = trade.create_limit_order(BTC, "buy", "3", 12, "50500", clientOid="in-1", timeInForce="IOC")
    order = trade.get_order_details(placed["orderId"])
    assert (order["status"], order["filledSize"], order["clientOid"], order["isActive"]) == ("done", 12, "in-1", False)
    (position,) = trade.get_all_position()
    assert (position["symbol"], position["currentQty"], position["marginMode"]) == (BTC, 12, "ISOLATED")
    assert trade.get_position_details(BTC)["currentQty"] == 12
    (fill,) = trade.get_fills_details(orderId=placed["orderId"])["items"]
    assert (fill["size"], fill["tradeType"], fill["orderId"]) == (12, "trade", placed["orderId"])
    assert trade.get_recent_fills()[0]["tradeId"] == fill["tradeId"]
    trade.create_market_order(BTC, "sell", "3", clientOid="out-1", size=5, reduceOnly=True)
    assert client.venue.ledger("main")["positions"] == {"BTCUSDT": "0.007"}
    trade.create_market_order(BTC, "", "", clientOid="out-2", closeOrder=True)
    assert client.venue.ledger("main")["positions"] == {}
    assert trade.get_all_position() == {"code": "200000", "data": []}  # its way of telling an empty list
    assert refusal(trade.create_market_order, BTC, "sell", "3", size=1, reduceOnly=True) == "300009"
    assert [one["clientOid"] for one in trade.get_24h_done_order()] == ["out-2", "out-1", "in-1"]


def test_resting_orders(client: Client) -> None:
    trade = client(Trade, "second")
    for name in ("a", "b", "c"):
        trade.create_limit_order(BTC, "buy", "3", 1, "49500", clientOid=name)
    page = trade.get_order_list(status="active", pageSize=2, currentPage=2)
    assert (page["totalNum"], page["totalPage"], [one["clientOid"] for one in page["items"]]) == (3, 2, ["a"])
    assert trade.get_open_order_details(BTC)["openOrderBuySize"] == 3
    assert trade.cancel_order_by_clientOid("a", BTC)["clientOid"] == "a"
    (second,) = (one for one in trade.get_order_list(status="active")["items"] if one["clientOid"] == "b")
    assert trade.cancel_order(second["id"])["cancelledOrderIds"] == [second["id"]]
    assert refusal(trade.cancel_order, second["id"]) == "100004"
    assert refusal(trade.cancel_order_by_clientOid, "nobody", BTC) == "100001"
    assert len(trade.cancel_all_limit_order(BTC)["cancelledOrderIds"]) == 1
    assert trade.get_order_list(status="active")["items"] == []
    assert trade.get_order_list()["totalNum"] == 3  # without a status: finished ones


def test_settings(client: Client) -> None:
    trade = client(Trade, "third")
    assert trade.get_margin_mode(BTC)["marginMode"] == "ISOLATED"
    assert trade.change_margin_mode(BTC, "CROSS")["marginMode"] == "CROSS"
    assert trade.change_cross_user_leverage(BTC, "7") is True
    assert trade.get_cross_user_leverage(BTC)["leverage"] == "7"
    assert refusal(trade.create_market_order, BTC, "buy", "3", size=1) == "330005"
    trade.create_market_order(BTC, "buy", "3", size=1, marginMode="CROSS")
    (position,) = trade.get_all_position()
    assert (position["marginMode"], position["leverage"], position["crossMode"]) == ("CROSS", 7, True)
    assert refusal(trade.change_margin_mode, BTC, "ISOLATED") == "50002"
    assert refusal(trade.change_cross_user_leverage, BTC, "126") == "300016"


def test_money(client: Client) -> None:
    client(Trade, "fourth").create_market_order(BTC, "sell", "10", size=100)
    shown = client(User, "fourth").get_account_overview("USDT")
    ledger = client.venue.ledger("fourth")
    assert Decimal(str(shown["accountEquity"])) == pytest.approx(Decimal(ledger["equity"]), abs=Decimal("0.0001"))
    assert client(User, "fourth").get_account_overview()["accountEquity"] == 0  # XBT
    fees = client(Trade, "fourth").trading_pair_actual_fee_futures(BTC)
    assert fees["takerFeeRate"] == "0.0006"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"size": 100_000}, "300003"),
    ({"size": 0}, "400100"),
    ({"size": 1.5}, "400100"),
    ({"size": 1, "symbol": "NOSUCH"}, "200003"),
    ({"size": 1, "reduceOnly": True}, "300009"),
    ({"size": 1, "clientOid": "x" * 41}, "400100"),
    ({"size": 1, "clientOid": "not allowed"}, "400100"),
    ({"size": 1, "lever": "2.5"}, "400100"),
    ({"size": 1, "lever": "126"}, "300016"),
    ({"size": 1, "positionSide": "LONG"}, "330012"),
    ({"size": 1, "stop": "up", "stopPrice": "1", "stopPriceType": "TP"}, "400100"),
]


@pytest.mark.parametrize(("order", "code"), REFUSED)
def test_refused_orders(client: Client, order: dict[str, Any], code: str) -> None:
    trade = client(Trade, "fifth")
    asked = {"symbol": BTC, "side": "buy", "lever": "3", **order}
    assert refusal(trade.create_market_order, **asked) == code
    assert refusal(trade.place_order_test, type="market", **asked) == code
    assert client.venue.ledger("fifth")["positions"] == {}


def test_a_test_order_places_nothing(client: Client) -> None:
    trade = client(Trade, "fifth")
    assert trade.place_order_test(BTC, "buy", "3", "limit", size=1, price="49000")["orderId"]
    assert trade.get_order_list(status="active")["items"] == []


def test_keys(client: Client) -> None:
    assert refusal(client(Trade, "sixth", key="nobody").get_all_position) == "400003"
    assert refusal(client(Trade, "sixth", passphrase="wrong").get_all_position) == "400004"
    assert refusal(client(Trade, "sixth", secret="wrong").get_all_position) == "400004"  # seals the passphrase too
    client.venue.post("account", venue="kucoin", account="sixth", can_trade=False)
    assert refusal(client(Trade, "sixth").create_market_order, BTC, "buy", "3", size=1) == "400007"
    assert client(Trade, "sixth").get_all_position()["data"] == []


def test_a_clock_that_is_wrong(client: Client) -> None:
    client.venue.post("clock", venue="kucoin", offset_ms=7000)
    try:
        assert refusal(client(Trade, "fourth").get_all_position) == "400002"
    finally:
        client.venue.post("clock", venue="kucoin", offset_ms=0)
    assert len(client(Trade, "fourth").get_all_position()) == 1


def test_limits_are_told(client: Client) -> None:
    user, over = client(User, "sixth"), client.venue.requests()["over_limit"]
    codes: set[str] = set()
    for _ in range(420):
        try:
            user.get_account_overview("USDT")
        except Exception as error:  # the SDK raises nothing more precise  # noqa: BLE001
            codes |= set(CODE.findall(str(error)))
    # On a busy machine the requests may take longer than the thirty seconds in which they would be too many.
    assert codes <= {"429000"}
    assert (client.venue.requests()["over_limit"] > over) == bool(codes)


def test_a_path_nobody_serves(client: Client) -> None:
    assert refusal(client(User, "fifth").get_Transfer_history) == "404000"
