"""ccxt.pro's mexc, unmodified but for its addresses, against the simulated MEXC in its own process.

It follows no positions. What the venue refuses is not tested here: this client takes no notice of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt.pro
import pytest
from ccxt.base.errors import NetworkError

from tests.contract.ccxt_witness import Follower
from tests.contract.simulator_process import Simulator, simulator
from tests.contract.watching import Watch, watching

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
ACCOUNTS = 6
ISOLATED = {"openType": 1, "leverage": 3}


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21048, 21099, ACCOUNTS, rtt_ms=2, venue="mexc") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


def build(venue: Simulator, settings: dict[str, Any]) -> Any:
    made = ccxt.pro.mexc({"options": {"defaultType": "swap"}, **settings})
    contract = made.urls["api"]["contract"]
    for name, url in contract.items():
        contract[name] = venue.base_url + url[url.index("/api/v1") :]
    made.urls["api"]["ws"]["swap"] = f"{venue.ws_url}/edge"
    return made


async def prepare(exchange: Any) -> None:
    exchange.set_markets(await exchange.fetch_swap_markets())
    await exchange.set_position_mode(False)


@pytest.fixture
def client(venue: Simulator, account: str) -> Follower:
    return Follower(venue, account, build, prepare)


async def told(orders: Watch, placed: Any, status: str) -> Any:
    """The next that is heard of an order in that state: this client passes some messages on twice."""
    while ((order := await orders.next())["id"], order["status"]) != (placed["id"], status):
        continue
    return order


async def test_orders_trades_and_balances(client: Follower) -> None:
    async with client.exchange() as exchange:
        calls = (exchange.watch_orders, exchange.watch_my_trades, lambda: exchange.watch_balance({"type": "swap"}))
        async with watching(exchange, *calls, subscriptions=1) as (orders, trades, balances):
            entry = {"clientOrderId": "in", **ISOLATED}
            placed = await exchange.create_order(BTC, "market", "buy", 120, None, entry)
            order = await told(orders, placed, "closed")
            assert (order["info"]["externalOid"], order["filled"], order["symbol"]) == ("in", 120.0, BTC)
            trade = await trades.next()
            assert (trade["order"], trade["amount"], trade["price"]) == (placed["id"], 120.0, 50_005.0)
            assert trade["fee"]["cost"] == pytest.approx(0.360036)
            balance = await balances.next()
            assert 0 < balance["USDT"]["free"] < float(client.ledger()["equity"])

            resting = await exchange.create_order(BTC, "limit", "buy", 10, 49_700, ISOLATED)
            await told(orders, resting, "open")
            await exchange.cancel_order(resting["id"], BTC)
            await told(orders, resting, "canceled")
            assert client.ledger()["positions"] == {"BTCUSDT": "0.012"}

            for lots in (50, 70):
                closing = {"reduceOnly": True, **ISOLATED}
                reduced = await exchange.create_order(BTC, "market", "sell", lots, None, closing)
                assert (await told(orders, reduced, "closed"))["filled"] == lots
                while (trade := await trades.next())["order"] != reduced["id"]:
                    continue
                assert trade["amount"] == lots
    assert client.ledger()["positions"] == {}


async def test_what_others_did(client: Follower) -> None:
    async with (
        client.exchange() as exchange,
        watching(exchange, exchange.watch_my_trades) as (trades,),
    ):
        client.venue.post("position", venue="mexc", account=client.account, symbol="ETHUSDT", quantity="-2")
        trade = await trades.next()
        assert (trade["symbol"], trade["amount"]) == (ETH, 200.0)


async def test_market_data(client: Follower) -> None:
    async with client.exchange() as exchange:
        calls = (lambda: exchange.watch_ticker(BTC), lambda: exchange.watch_funding_rate(ETH))
        async with watching(exchange, *calls, subscriptions=2) as (tickers, rates):
            ticker = await tickers.next()
            assert (ticker["symbol"], ticker["last"]) == (BTC, 50_000.0)
            assert ticker["bid"] < 50_000 < ticker["ask"]
            assert (await rates.next())["fundingRate"] == 0.0001


async def test_all_tickers(client: Follower) -> None:
    async with client.exchange() as exchange, watching(exchange, exchange.watch_tickers) as (tickers,):
        found = await tickers.next()
        assert len(found) >= 25


async def test_a_connection_that_is_reset_is_an_error_the_client_sees(client: Follower) -> None:
    async with client.exchange() as exchange, watching(exchange, exchange.watch_orders) as (orders,):
        client.venue.post("faults", venue="mexc", match="stream", kind="reset", account=client.account)
        with pytest.raises(NetworkError):
            await orders.next()
