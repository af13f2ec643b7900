"""The official client's websockets, unmodified, against the simulated Bybit in its own process."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pybit._websocket_trading
import pybit.unified_trading
import pytest
from pybit.unified_trading import HTTP, WebSocket, WebSocketTrading

from tests.contract.simulator_process import Simulator, simulator

BTC: dict[str, Any] = {"category": "linear", "symbol": "BTCUSDT"}
NAMES = (
    "main",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
)
RTT_MS = 10
"""This client notes a subscription after it has sent it: a venue on the same machine must not be faster than that."""
ARRIVES_S = 20.0
LOGIN_EXPIRES_S = 15


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18500, 18547, len(NAMES), RTT_MS) as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


class Inbox:
    """What a callback was handed, waited for."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __call__(self, message: Any) -> None:
        self._messages.put(message)

    def next(self) -> Any:
        return self._messages.get(timeout=ARRIVES_S)

    def row(self) -> Any:
        (row,) = self.next()["data"]
        return row

    def until(self, wanted: Callable[[Any], bool]) -> Any:
        while not wanted(message := self.next()):
            pass
        return message

    @property
    def empty(self) -> bool:
        return self._messages.empty()


class Log(logging.Handler):
    """What the client and the library under it log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.put((record.name, record.getMessage()))


class Client:
    """Connections of the official client for one account, closed at the end."""

    def __init__(self, venue: Simulator, account: str, log: Log) -> None:
        self.venue = venue
        self.log = log
        self.account = account
        self._open: list[Any] = []
        fields = venue.accounts[account]
        self.keys = {"api_key": fields["api_key"], "api_secret": fields["api_secret"]}
        self.http: Any = HTTP(max_retries=1, retry_delay=0, **self.keys)
        self.http.endpoint = venue.base_url

    def private(self, **settings: Any) -> Any:
        chosen = {"testnet": True, "private_auth_expire": LOGIN_EXPIRES_S, **self.keys, **settings}
        return self._kept(WebSocket(channel_type="private", **chosen))

    def public(self, **settings: Any) -> Any:
        return self._kept(WebSocket(channel_type="linear", testnet=True, **settings))

    def trading(self) -> Any:
        return self._kept(WebSocketTrading(testnet=True, private_auth_expire=LOGIN_EXPIRES_S, **self.keys))

    def _kept(self, connection: Any) -> Any:
        self._open.append(connection)
        return connection

    def order(self, side: str = "Buy", qty: str = "0.012", **more: Any) -> Any:
        return self.http.place_order(**{**BTC, "side": side, "orderType": "Market", "qty": qty, **more})["result"]

    def said(self, words: str, logger: str = "pybit") -> None:
        """Waits until the client has logged this, which is how it tells of answers."""
        while True:
            name, line = self.log.lines.get(timeout=ARRIVES_S)
            if name.startswith(logger) and words in line:
                return

    def subscribed(self, times: int) -> None:
        """Waits for that many answers to subscriptions: only then is anything told."""
        for _ in range(times):
            self.said("Subscription to")

    def fault(self, kind: str, **more: object) -> None:
        self.venue.post("faults", venue="bybit", match="stream", kind=kind, account=self.account, **more)

    def close(self) -> None:
        for connection in self._open:
            connection.exit()
        self.http.client.close()


@pytest.fixture(scope="module")
def unused() -> Iterator[str]:
    return iter(NAMES)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    """Of whole tests, debug lines included."""
    handler = Log()
    for name in ("pybit", "websocket"):
        caplog.set_level(logging.DEBUG, name)
        logging.getLogger(name).addHandler(handler)
    yield handler
    for name in ("pybit", "websocket"):
        logging.getLogger(name).removeHandler(handler)


@pytest.fixture
def client(venue: Simulator, unused: Iterator[str], monkeypatch: pytest.MonkeyPatch, log: Log) -> Iterator[Client]:
    """The addresses are the only thing that is changed, as the client's own constants."""
    monkeypatch.setattr(pybit.unified_trading, "PRIVATE_WSS", f"{venue.ws_url}/v5/private")
    monkeypatch.setattr(pybit.unified_trading, "PUBLIC_WSS", venue.ws_url + "/v5/public/{CHANNEL_TYPE}")
    monkeypatch.setattr(pybit._websocket_trading, "TRADE_WSS", f"{venue.ws_url}/v5/trade")
    made = Client(venue, next(unused), log)
    yield made
    made.close()


def test_orders_fills_positions_and_balances(client: Client) -> None:
    orders, fills, fast, positions, wallets = (Inbox() for _ in range(5))
    stream = client.private()
    stream.order_stream(orders)
    stream.execution_stream(fills)
    stream.fast_execution_stream(fast, "linear")
    stream.position_stream(positions)
    stream.wallet_stream(wallets)
    client.subscribed(5)

    placed = client.order(orderLinkId="in")
    order, fill, position = orders.row(), fills.row(), positions.row()
    assert (order["orderId"], order["orderLinkId"], order["orderStatus"]) == (placed["orderId"], "in", "Filled")
    assert (fill["orderId"], fill["execQty"], fill["leavesQty"]) == (placed["orderId"], "0.012", "0")
    assert (position["side"], position["size"], position["seq"]) == ("Buy", "0.012", fill["seq"])
    assert fast.row()["execId"] == fill["execId"]
    (coin,) = wallets.row()["coin"]
    assert Decimal(coin["walletBalance"]) == Decimal(client.venue.ledger(client.account)["wallet"])

    client.order(orderType="Limit", price="49000", orderLinkId="rest")
    assert (orders.row()["orderStatus"], positions.row()["size"]) == ("New", "0.012"), (
        "a position unchanged is told too"
    )
    client.http.cancel_order(**BTC, orderLinkId="rest")
    assert (orders.row()["orderStatus"], positions.row()["size"]) == ("Cancelled", "0.012")

    client.venue.post("position", venue="bybit", account=client.account, symbol="BTCUSDT", quantity="0.2")
    assert (fills.row()["execQty"], positions.row()["size"]) == ("0.188", "0.200")
    client.order("Sell", "0", reduceOnly=True, closeOnTrigger=True)
    assert (fills.row()["closedSize"], positions.row()["size"]) == ("0.200", "0")
    assert client.venue.ledger(client.account)["positions"] == {}


def test_categorised_topics(client: Client) -> None:
    orders, positions = Inbox(), Inbox()
    stream = client.private()
    stream.subscribe("order.{symbol}", orders, "linear")
    stream.subscribe("position.{symbol}", positions, "linear")
    client.subscribed(2)
    client.order()
    assert (orders.next()["topic"], positions.next()["topic"]) == ("order.linear", "position.linear")


def test_tickers(client: Client) -> None:
    tickers = Inbox()
    stream = client.public()
    stream.ticker_stream(["BTCUSDT", "ETHUSDT"], tickers)
    first = {message["data"]["symbol"]: message["data"] for message in (tickers.next(), tickers.next())}
    assert (first["BTCUSDT"]["markPrice"], first["ETHUSDT"]["lastPrice"]) == ("50000.00", "3000.00")
    client.venue.post("price", symbol="ETHUSDT", price="3003")
    moved = tickers.until(lambda message: message["data"]["lastPrice"] == "3003.00")["data"]
    assert moved["tickDirection"] == "PlusTick"
    (row,) = client.http.get_tickers(category="linear", symbol="ETHUSDT")["result"]["list"]
    assert {name: moved[name] for name in row.keys() & moved.keys()} == {
        name: row[name] for name in row.keys() & moved.keys()
    }


def test_books_and_trades(client: Client) -> None:
    whole, best, trades = Inbox(), Inbox(), Inbox()
    stream = client.public()
    stream.orderbook_stream(50, "ETHUSDT", whole)
    stream.orderbook_stream(1, "ETHUSDT", best)
    stream.trade_stream("BTCUSDT", trades)
    assert len(whole.next()["data"]["b"]) > 10
    client.subscribed(3)
    for price in ("3010", "3000"):
        client.venue.post("price", symbol="ETHUSDT", price=price)
        shown = client.http.get_orderbook(category="linear", symbol="ETHUSDT", limit=50)["result"]
        assert whole.until(partial(shows, shown))["data"]["u"] > 1
        best.until(partial(shows, {"b": shown["b"][:1], "a": shown["a"][:1]}))
    client.order(qty="0.003")
    trade = trades.until(lambda message: message["data"][0]["v"] == "0.003")["data"][0]
    assert (trade["S"], trade["s"]) == ("Buy", "BTCUSDT")


def shows(book: Any, message: Any) -> bool:
    return sides(message["data"]) == sides(book)


def sides(book: Any) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    bids, asks = ({(price, size) for price, size in book[side]} for side in "ba")
    return bids, asks


def test_a_broken_connection_is_opened_again(client: Client) -> None:
    orders = Inbox()
    client.private().order_stream(orders)
    client.subscribed(1)
    client.fault("drop_before")
    client.subscribed(1)
    placed = client.order()
    assert orders.row()["orderId"] == placed["orderId"]
    assert orders.empty
    assert client.venue.hits()[-1] == 1


def test_swallowed_and_doubled_messages(client: Client) -> None:
    orders = Inbox()
    client.private().order_stream(orders)
    client.subscribed(1)
    client.fault("ws_gap", count=2)
    client.fault("ws_duplicate")
    placed = [client.order() for _ in range(3)]
    told = [orders.row()["orderId"] for _ in range(2)]
    assert client.venue.hits()[-2:] == [2, 1]
    assert told == [placed[2]["orderId"]] * 2


def test_unsubscribing(client: Client) -> None:
    tickers, books = Inbox(), Inbox()
    stream = client.public()
    stream.ticker_stream("BTCUSDT", tickers)
    tickers.next()
    stream.unsubscribe("tickers.BTCUSDT")
    client.said("Unsubscription from tickers.BTCUSDT successful.")
    assert stream.get_subscription_topics() == []
    client.venue.post("price", symbol="BTCUSDT", price="50010")
    stream.orderbook_stream(1, "BTCUSDT", books)
    books.next()
    client.venue.post("price", symbol="BTCUSDT", price="50000")
    assert tickers.empty


def test_heart_beats(client: Client) -> None:
    orders = Inbox()
    stream = client.private(ping_interval=1, ping_timeout=0.9, trace_logging=True)
    stream.order_stream(orders)
    client.subscribed(1)
    client.said('"op":"pong"', logger="websocket")
    client.order()
    assert orders.row()["orderStatus"] == "Filled"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("wrong", "words"), [({"api_secret": "wrong"}, "error sign"), ({"private_auth_expire": -5}, "Params Error")]
)
def test_a_refused_login(client: Client, wrong: dict[str, Any], words: str) -> None:
    stream = client.private(**wrong)
    client.said(words, logger="websocket")
    assert stream.auth is False


def test_order_entry_is_refused_with_a_code(client: Client) -> None:
    accepted, refused = Inbox(), Inbox()
    client.trading().place_order(accepted, refused, **BTC, side="Buy", orderType="Market", qty="0.01")
    answer = refused.next()
    assert (answer["retCode"], answer["op"]) == (10404, "order.create")
    assert accepted.empty
    assert client.venue.ledger(client.account)["orders"] == []
