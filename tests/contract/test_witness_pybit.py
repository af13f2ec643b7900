"""The official client, unmodified, against the simulated Bybit in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from tests.contract.simulator_process import Simulator, simulator

LINEAR: dict[str, Any] = {"category": "linear"}
BTC: dict[str, Any] = {**LINEAR, "symbol": "BTCUSDT"}
NAMES = ("main", "second", "third", "fourth", "fifth", "sixth", "seventh")


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18400, 18447, len(NAMES)) as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


class Client:
    """Sessions of the official client on one account, closed at the end."""

    def __init__(self, venue: Simulator) -> None:
        self.venue = venue
        self._open: list[Any] = []

    def __call__(self, account: str | None = None, **settings: Any) -> Any:
        keys: dict[str, Any] = {}
        if account is not None:
            fields = self.venue.accounts[account]
            keys = {"api_key": fields["api_key"], "api_secret": fields["api_secret"]}
        session = HTTP(**{"max_retries": 1, "retry_delay": 0, **keys, **settings})
        session.endpoint = self.venue.base_url
        self._open.append(session)
        return session

    def close(self) -> None:
        for session in self._open:
            session.client.close()


@pytest.fixture
def client(venue: Simulator) -> Iterator[Client]:
    made = Client(venue)
    yield made
    made.close()


def refusal(call: Any, **arguments: Any) -> int:
    with pytest.raises(InvalidRequestError) as caught:
        call(**arguments)
    return int(caught.value.status_code)


def test_market_data(client: Client) -> None:
    session = client()
    assert session.get_server_time()["retCode"] == 0
    first = session.get_instruments_info(**LINEAR, limit=10)["result"]
    second = session.get_instruments_info(**LINEAR, limit=1000, cursor=first["nextPageCursor"])["result"]
    symbols = [row["symbol"] for row in (*first["list"], *second["list"])]
    assert len(symbols) == len(set(symbols)) >= 25
    assert second["nextPageCursor"] == ""
    (ticker,) = session.get_tickers(**BTC)["result"]["list"]
    assert (ticker["markPrice"], ticker["symbol"]) == ("50000.00", "BTCUSDT")
    book = session.get_orderbook(**BTC, limit=5)["result"]
    assert Decimal(book["b"][0][0]) < 50_000 < Decimal(book["a"][0][0])
    assert len(session.get_kline(**BTC, interval="15", limit=3)["result"]["list"]) == 3
    assert len(session.get_funding_rate_history(**BTC, limit=3)["result"]["list"]) == 3


def test_an_order_from_entry_to_close(client: Client) -> None:
    session = client("main")
    placed = session.place_order(**BTC, side="Buy", orderType="Market", qty="0.012", orderLinkId="in-1")["result"]
    assert placed["orderLinkId"] == "in-1"
    (order,) = session.get_open_orders(**BTC, orderLinkId="in-1")["result"]["list"]
    assert (order["orderId"], order["orderStatus"], order["cumExecQty"]) == (placed["orderId"], "Filled", "0.012")
    (found,) = session.get_order_history(**LINEAR, orderLinkId="in-1")["result"]["list"]
    assert found["orderId"] == placed["orderId"]
    (fill,) = session.get_executions(**LINEAR, orderLinkId="in-1")["result"]["list"]
    (row,) = session.get_positions(**LINEAR, settleCoin="USDT")["result"]["list"]
    assert (row["side"], row["size"], row["seq"]) == ("Buy", "0.012", fill["seq"])

    session.place_order(**BTC, side="Sell", orderType="Market", qty=0.005, reduceOnly=True, positionIdx=0)
    assert client.venue.ledger("main")["positions"] == {"BTCUSDT": "0.007"}
    session.place_order(**BTC, side="Sell", orderType="Market", qty="0", reduceOnly=True, closeOnTrigger=True)
    assert session.get_positions(**LINEAR, settleCoin="USDT")["result"]["list"] == []
    (flat,) = session.get_positions(**BTC)["result"]["list"]
    assert (flat["side"], flat["size"]) == ("", "0")
    fills = client.venue.ledger("main")["fills"]
    assert [fill["quantity"] for fill in fills] == ["0.012", "-0.005", "-0.007"]
    log = session.get_transaction_log(**LINEAR)["result"]["list"]
    assert [entry["qty"] for entry in log] == ["0.007", "0.005", "0.012"]


def test_resting_orders(client: Client) -> None:
    session = client("second")
    for number in range(3):
        session.place_order(
            **BTC, side="Buy", orderType="Limit", price=str(49700 - number), qty="0.001", orderLinkId=f"rest-{number}"
        )
    first = session.get_open_orders(**BTC, limit=2)["result"]
    second = session.get_open_orders(**BTC, limit=2, cursor=first["nextPageCursor"])["result"]
    links = [row["orderLinkId"] for row in (*first["list"], *second["list"])]
    assert links == ["rest-2", "rest-1", "rest-0"]
    assert session.cancel_order(**BTC, orderLinkId="rest-1")["result"]["orderLinkId"] == "rest-1"
    assert refusal(session.cancel_order, **BTC, orderLinkId="rest-1") == 110001
    gone = session.cancel_all_orders(**LINEAR, settleCoin="USDT")["result"]["list"]
    assert [row["orderLinkId"] for row in gone] == ["rest-2", "rest-0"]
    states = {row["orderStatus"] for row in session.get_order_history(**BTC)["result"]["list"]}
    assert states == {"Cancelled"}
    session.place_order(**BTC, side="Buy", orderType="Limit", price="50400", qty="0.001", timeInForce="IOC")
    assert client.venue.ledger("second")["positions"] == {"BTCUSDT": "0.001"}


def test_settings(client: Client) -> None:
    session = client("third")
    assert session.set_leverage(**BTC, buyLeverage="7", sellLeverage="7")["retCode"] == 0
    assert refusal(session.set_leverage, **BTC, buyLeverage="7", sellLeverage="7") == 110043
    assert refusal(session.set_leverage, **BTC, buyLeverage="101", sellLeverage="101") == 110013
    (row,) = session.get_positions(**BTC)["result"]["list"]
    assert row["leverage"] == "7"
    assert session.set_margin_mode(setMarginMode="ISOLATED_MARGIN")["result"]["reasons"] == []
    assert session.get_account_info()["result"]["marginMode"] == "ISOLATED_MARGIN"
    assert refusal(session.switch_position_mode, **LINEAR, coin="USDT", mode=0) == 110025
    assert session.switch_position_mode(**LINEAR, coin="USDT", mode=3)["retCode"] == 0
    assert refusal(session.place_order, **BTC, side="Buy", orderType="Market", qty="0.001") == 10001
    session.place_order(**BTC, side="Buy", orderType="Market", qty="0.001", positionIdx=1)
    rows = session.get_positions(**BTC)["result"]["list"]
    assert [(row["positionIdx"], row["size"]) for row in rows] == [(1, "0.001"), (2, "0")]
    assert refusal(session.switch_position_mode, **LINEAR, coin="USDT", mode=0) == 110024
    ledger = client.venue.ledger("third")
    assert (ledger["leverage"]["BTCUSDT"], ledger["margin_mode"], ledger["position_mode"]) == ("7", "isolated", "hedge")


def test_money(client: Client) -> None:
    session = client("fourth")
    session.place_order(**BTC, side="Sell", orderType="Market", qty="0.1")
    (wallet,) = session.get_wallet_balance(accountType="UNIFIED", coin="USDT")["result"]["list"]
    (coin,) = wallet["coin"]
    assert Decimal(coin["equity"]) == Decimal(client.venue.ledger("fourth")["equity"])
    assert Decimal(coin["walletBalance"]) == Decimal(client.venue.ledger("fourth")["wallet"])
    (fees,) = session.get_fee_rates(**BTC)["result"]["list"]
    assert fees["takerFeeRate"] == "0.00055"
    key = session.get_api_key_information()["result"]
    assert (key["readOnly"], key["uta"], key["apiKey"]) == (0, 1, client.venue.accounts["fourth"]["api_key"])
    assert session.get_collateral_info(currency="USDT")["result"]["list"][0]["currency"] == "USDT"


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"qty": "100"}, 110007),
        ({"qty": "0.0001"}, 10001),
        ({"qty": "0.001", "symbol": "NOSUCH"}, 10001),
        ({"qty": "0.001", "reduceOnly": True}, 110017),
        ({"qty": "0.001", "orderLinkId": "x" * 37}, 10001),
        ({"qty": "1", "symbol": "XRPUSDT"}, 110094),
    ],
)
def test_refused_orders(client: Client, order: dict[str, Any], code: int) -> None:
    session = client("fifth")
    assert refusal(session.place_order, **{**BTC, "side": "Buy", "orderType": "Market", **order}) == code
    assert client.venue.ledger("fifth")["positions"] == {}


def test_one_link_id_is_taken_once(client: Client) -> None:
    session = client("fifth")
    order = {**BTC, "side": "Buy", "orderType": "Limit", "price": "49700", "qty": "0.001", "orderLinkId": "same"}
    session.place_order(**order)
    assert refusal(session.place_order, **order) == 110072
    session.cancel_all_orders(**BTC)


def test_keys(client: Client) -> None:
    keys = client.venue.accounts["sixth"]
    assert refusal(client("sixth", api_secret="wrong").get_account_info) == 10004
    assert refusal(client("sixth", api_key="nobody").get_account_info) == 10003
    client.venue.post("account", venue="bybit", account="sixth", can_trade=False)
    session = client("sixth")
    assert refusal(session.place_order, **BTC, side="Buy", orderType="Market", qty="0.001") == 10005
    assert session.get_api_key_information()["result"]["readOnly"] == 1
    client.venue.post("account", venue="bybit", account="sixth", can_trade=True)
    assert keys["api_key"] == session.api_key


def test_a_clock_that_is_wrong(client: Client) -> None:
    client.venue.post("clock", venue="bybit", offset_ms=6000)
    try:
        with pytest.raises(FailedRequestError):
            client("sixth").get_account_info()
        assert client("sixth", recv_window=20_000).get_account_info()["retCode"] == 0
        client.venue.post("clock", venue="bybit", offset_ms=-2000)
        with pytest.raises(FailedRequestError):
            client("sixth").get_account_info()
    finally:
        client.venue.post("clock", venue="bybit", offset_ms=0)
    assert client("sixth").get_account_info()["retCode"] == 0


def test_limits_are_told_and_waited_for(client: Client) -> None:
    over = client.venue.requests()["over_limit"]
    session = client("seventh", max_retries=3, return_response_headers=True)
    left: list[int] = []
    # On a busy machine ten requests may take longer than the second in which they would be too many.
    while client.venue.requests()["over_limit"] == over and len(left) < 500:
        leverage = str(20 + len(left) % 50)
        body, _, headers = session.set_leverage(**BTC, buyLeverage=leverage, sellLeverage=leverage)
        assert (body["retCode"], headers["X-Bapi-Limit"]) == (0, "10")
        left.append(int(headers["X-Bapi-Limit-Status"]))
    assert left[0] == 9
    assert client.venue.requests()["over_limit"] > over
    assert client.venue.ledger("seventh")["leverage"]["BTCUSDT"] == leverage


def test_a_path_nobody_serves(client: Client) -> None:
    with pytest.raises(FailedRequestError) as caught:
        client("sixth").get_borrow_history()
    assert caught.value.status_code == 404
