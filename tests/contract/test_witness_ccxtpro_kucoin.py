"""ccxt.pro's kucoinfutures, unmodified but for its addresses, against the simulated KuCoin in its own process.

It asks for a token over REST and goes where that leads; ccxt counts in lots, as the venue does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt.pro
import pytest
from ccxt.base.errors import AuthenticationError

from tests.contract.ccxt_witness import Follower, moved
from tests.contract.simulator_process import Simulator, simulator
from tests.contract.watching import Watch, subscribed

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
ACCOUNTS = 10
PRIVATE_TOPICS = 2


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21500, 21547, ACCOUNTS, venue="kucoin") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    made = ccxt.pro.kucoinfutures(settings)
    made.urls["api"] = moved(made.urls["api"], venue.base_url)
    return made


@pytest.fixture
def client(venue: Simulator, account: str) -> Follower:
    return Follower(venue, account, build)


async def order(exchange: Any, side: str, lots: int, **params: object) -> Any:
    kind, price = ("limit", params.pop("price")) if "price" in params else ("market", None)
    return await exchange.create_order(BTC, kind, side, lots, price, {"leverage": 3, **params})


async def test_orders_and_fills(client: Follower) -> None:
    async with client.exchange() as exchange:
        watches = orders, trades = [Watch(exchange.watch_orders), Watch(lambda: exchange.watch_my_trades(BTC))]
        await subscribed(exchange, 1)
        placed = await order(exchange, "buy", 12, clientOid="in")
        told = await orders.next()
        while told["status"] != "closed":
            told = await orders.next()
        assert (told["id"], told["clientOrderId"], told["symbol"]) == (placed["id"], "in", BTC)
        assert (told["filled"], told["remaining"]) == (12.0, 0.0)
        trade = await trades.next()
        assert (trade["order"], trade["amount"], trade["side"], trade["takerOrMaker"]) == (
            placed["id"],
            12.0,
            "buy",
            "taker",
        )
        resting = await order(exchange, "buy", 10, price=49_000)
        while told["id"] != resting["id"]:
            told = await orders.next()
        assert told["status"] == "open"
        await exchange.cancel_order(resting["id"], BTC)
        while told["status"] != "canceled":
            told = await orders.next()
        await order(exchange, "sell", 12, reduceOnly=True)
        while told["side"] != "sell" or told["status"] != "closed":
            told = await orders.next()
        for watch in watches:
            watch.stop()
    assert client.ledger()["positions"] == {}


async def test_a_position_and_the_balance(client: Follower) -> None:
    """The position begins with what a read shows; its topic is asked for with what comes next."""
    async with client.exchange() as exchange:
        await exchange.watch_position(BTC)
        watches = positions, balances = [Watch(lambda: exchange.watch_position(BTC)), Watch(exchange.watch_balance)]
        await subscribed(exchange, PRIVATE_TOPICS)
        await order(exchange, "buy", 12)
        held = await positions.next()
        assert (held["symbol"], held["side"], held["contracts"], held["marginMode"]) == (BTC, "long", 12.0, "isolated")
        assert held["entryPrice"] == 50_005.0
        balance = await balances.next()
        while (total := balance["USDT"]["total"]) != pytest.approx(float(client.ledger()["equity"]), rel=1e-3):
            balance = await balances.next()
        assert total is not None
        for watch in watches:
            watch.stop()


async def test_market_data(client: Follower) -> None:
    async with client.exchange() as exchange:
        watches = ticker, best = [
            Watch(lambda: exchange.watch_ticker(ETH)),
            Watch(lambda: exchange.watch_bids_asks([ETH])),
        ]
        first = await ticker.next()
        assert (first["symbol"], first["last"]) == (ETH, 3_000.0)
        assert (await best.next())[ETH]["bid"] < 3_001
        client.venue.post("price", symbol="ETHUSDT", price="3030")
        while (await ticker.next())["last"] != 3_030.0:
            pass
        for watch in watches:
            watch.stop()


async def test_what_others_did_and_a_lost_message(client: Follower) -> None:
    async with client.exchange() as exchange:
        orders = Watch(exchange.watch_orders)
        await subscribed(exchange, 1)
        client.venue.post("position", venue="kucoin", account=client.account, symbol="ETHUSDT", quantity="-2")
        told = await orders.next()
        assert (told["symbol"], told["side"], told["clientOrderId"]) == (ETH, "sell", None)
        orders.stop()


async def test_a_wrong_passphrase_gets_no_token(client: Follower) -> None:
    async with client.exchange(password="wrong") as exchange:
        with pytest.raises(AuthenticationError):
            await exchange.watch_orders()
