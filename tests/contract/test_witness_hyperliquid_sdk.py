"""The venue's own SDK, unmodified, against the simulated Hyperliquid in its own process.

It is no dependency of the project: the tests run where it is installed (`pip install hyperliquid-python-sdk`). Pointed
at another address it takes itself for a client of the test network and signs so.
"""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.simulator_process import Simulator, simulator

ABSENT = "hyperliquid-python-sdk is not installed here"
eth_account = pytest.importorskip("eth_account", reason=ABSENT)
sdk_exchange = pytest.importorskip("hyperliquid.exchange", reason=ABSENT)
sdk_info = pytest.importorskip("hyperliquid.info", reason=ABSENT)
types = pytest.importorskip("hyperliquid.utils.types", reason=ABSENT)

CLOID = "0x" + "0a" * 16
ARRIVES_S = 20.0
IOC, GTC = {"limit": {"tif": "Ioc"}}, {"limit": {"tif": "Gtc"}}


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(21140, 21169, 8, venue="hyperliquid") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        running.post("price", symbol="ETHUSDT", price="3000")
        yield running


class Client:
    """The SDK's two halves on one account."""

    def __init__(self, venue: Simulator, account: str) -> None:
        self.fields = venue.accounts[account]
        self.address = self.fields["wallet_address"]
        self._venue, self._account = venue, account
        self.exchange = self.signing(self.fields["private_key"])
        self.info = self.exchange.info

    def signing(self, private_key: str) -> Any:
        wallet = eth_account.Account.from_key(private_key)
        return sdk_exchange.Exchange(wallet, self._venue.base_url, account_address=self.address, timeout=5)

    def ledger(self) -> Any:
        return self._venue.ledger(self._account)

    def close(self) -> None:
        for half in (self.exchange, self.info):
            half.session.close()


@pytest.fixture
def client(venue: Simulator, account: str) -> Iterator[Client]:
    made = Client(venue, account)
    yield made
    made.close()


def status(answer: Any) -> Any:
    """The only status of an answer that is ok."""
    assert answer["status"] == "ok", answer
    (found,) = answer["response"]["data"]["statuses"]
    return found


def test_market_data(client: Client) -> None:
    info = client.info
    assert {coin["name"] for coin in info.meta()["universe"]} >= {"BTC", "ETH", "kPEPE"}
    meta, contexts = info.meta_and_asset_ctxs()
    assert len(meta["universe"]) == len(contexts) >= 25
    assert float(contexts[0]["markPx"]) == 50_000
    assert float(info.all_mids()["BTC"]) == 50_000
    book = info.l2_snapshot("BTC")
    assert [float(side[0]["px"]) for side in book["levels"]] == [49_995, 50_005]
    assert info.funding_history("BTC", int((time.time() - 7_200) * 1000))[0]["coin"] == "BTC"


def test_an_order_from_entry_to_close(client: Client) -> None:
    exchange, info = client.exchange, client.info
    filled = status(exchange.market_open("BTC", True, 0.012, cloid=types.Cloid.from_str(CLOID)))["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("0.012", "50005")
    for found in (info.query_order_by_oid(client.address, filled["oid"]),
                  info.query_order_by_cloid(client.address, types.Cloid.from_str(CLOID))):  # fmt: skip
        assert found["order"]["status"] == "filled"
        assert found["order"]["order"]["cloid"] == CLOID
    state = info.user_state(client.address)
    assert [entry["position"]["szi"] for entry in state["assetPositions"]] == ["0.012"]
    assert float(state["marginSummary"]["accountValue"]) == pytest.approx(float(client.ledger()["equity"]))
    (fill,) = info.user_fills(client.address)
    assert (fill["oid"], fill["sz"], fill["dir"]) == (filled["oid"], "0.012", "Open Long")
    assert info.user_fills_by_time(client.address, fill["time"]) == [fill]

    status(exchange.order("BTC", False, 0.005, 49_000, IOC, reduce_only=True))
    assert client.ledger()["positions"] == {"BTCUSDT": "0.007"}
    status(exchange.market_close("BTC"))
    assert client.ledger()["positions"] == {}
    assert info.user_state(client.address)["assetPositions"] == []


def test_resting_orders(client: Client) -> None:
    exchange, info = client.exchange, client.info
    oid = status(exchange.order("ETH", True, 0.5, 2_900, GTC, cloid=types.Cloid.from_str(CLOID)))["resting"]["oid"]
    (resting,) = info.open_orders(client.address)
    assert (resting["coin"], resting["oid"], resting["limitPx"]) == ("ETH", oid, "2900.0")
    assert info.frontend_open_orders(client.address)[0]["tif"] == "Gtc"
    assert status(exchange.cancel_by_cloid("ETH", types.Cloid.from_str(CLOID))) == "success"
    assert "never placed" in status(exchange.cancel("ETH", oid))["error"]
    assert info.historical_orders(client.address)[0]["status"] == "canceled"
    oid = status(exchange.order("ETH", True, 0.5, 2_900, GTC))["resting"]["oid"]
    assert status(exchange.cancel("ETH", oid)) == "success"
    assert info.open_orders(client.address) == []


def test_several_orders_in_one_action(client: Client) -> None:
    orders = [
        {"coin": coin, "is_buy": True, "sz": size, "limit_px": price, "order_type": IOC, "reduce_only": False}
        for coin, size, price in (("BTC", 0.01, 51_000), ("ETH", 0.1, 3_050), ("BTC", 0.00001, 51_000))
    ]
    statuses = client.exchange.bulk_orders(orders)["response"]["data"]["statuses"]
    assert [next(iter(one)) for one in statuses] == ["filled", "filled", "error"]
    assert client.ledger()["positions"] == {"BTCUSDT": "0.01", "ETHUSDT": "0.1"}


def test_leverage_and_roles(client: Client) -> None:
    for crossed, mode in ((False, "isolated"), (True, "cross")):
        assert client.exchange.update_leverage(7, "BTC", crossed)["status"] == "ok"
        active = client.info.post("/info", {"type": "activeAssetData", "user": client.address, "coin": "BTC"})
        assert (active["leverage"]["type"], active["leverage"]["value"]) == (mode, 7)
    assert client.info.user_role(client.address) == {"role": "user"}
    agent = client.exchange.wallet.address
    assert client.info.user_role(agent) == {"role": "agent", "data": {"user": client.address}}
    assert client.info.extra_agents(client.address)[0]["address"] == agent.lower()
    assert client.info.user_state(agent)["assetPositions"] == []
    assert client.info.user_rate_limit(client.address)["nRequestsUsed"] == 2


def test_ends_of_validity_and_noop(client: Client) -> None:
    exchange = client.exchange
    exchange.set_expires_after(int(time.time() * 1000) - 60_000)
    assert exchange.update_leverage(3, "BTC") == {"status": "err", "response": "Action already expired"}
    exchange.set_expires_after(int(time.time() * 1000) + 60_000)
    assert exchange.update_leverage(3, "BTC")["status"] == "ok"
    exchange.set_expires_after(None)
    nonce = int(time.time() * 1000) + 1_000
    assert exchange.noop(nonce)["status"] == "ok"
    assert "duplicate nonce" in exchange.noop(nonce)["response"]


def test_a_builders_mark_and_a_strangers_key_are_refused(client: Client) -> None:
    builder = {"b": "0x" + "11" * 20, "f": 10}
    assert "Builder fee" in status(client.exchange.market_open("BTC", True, 0.01, builder=builder))["error"]
    stranger = client.signing("0x" + "12" * 32)
    refused = stranger.order("BTC", True, 0.01, 51_000, IOC)
    # Of the two networks' readings of a signature the venue can only name one.
    assert re.fullmatch(r"User or API Wallet 0x[0-9a-f]{40} does not exist\.", refused["response"])
    stranger.session.close()
    stranger.info.session.close()
    assert client.ledger()["positions"] == {}


def test_streams(venue: Simulator, client: Client) -> None:
    info = sdk_info.Info(venue.base_url, skip_ws=False)
    told: queue.Queue[Any] = queue.Queue()
    try:
        for kind in ("orderUpdates", "userFills"):
            info.subscribe({"type": kind, "user": client.address}, told.put)
        for kind in ("bbo", "l2Book", "activeAssetCtx"):
            info.subscribe({"type": kind, "coin": "BTC"}, told.put)
        info.subscribe({"type": "allMids"}, told.put)
        awaited = {"userFills", "bbo", "l2Book", "activeAssetCtx", "allMids"}
        while awaited:
            awaited.discard(told.get(timeout=ARRIVES_S)["channel"])
        filled = status(client.exchange.market_open("BTC", True, 0.012, cloid=types.Cloid.from_str(CLOID)))["filled"]
        news: dict[str, Any] = {}
        while not {"userFills", "orderUpdates"} <= news.keys():
            one = told.get(timeout=ARRIVES_S)
            news[one["channel"]] = one["data"]
        (fill,), (update,) = news["userFills"]["fills"], news["orderUpdates"]
        assert (fill["oid"], fill["sz"]) == (filled["oid"], "0.012")
        assert (update["status"], update["order"]["oid"], update["order"]["cloid"]) == ("filled", filled["oid"], CLOID)
        status(client.exchange.order("BTC", False, 0.005, 49_000, IOC, reduce_only=True))
        status(client.exchange.market_close("BTC"))
        sold: list[str] = []
        while len(sold) < 2:
            one = told.get(timeout=ARRIVES_S)
            sold += [fill["sz"] for fill in one["data"]["fills"]] if one["channel"] == "userFills" else []
        assert sold == ["0.005", "0.007"]
        assert client.ledger()["positions"] == {}
    finally:
        info.disconnect_websocket()
        info.session.close()
