"""The venue's present SDK, unmodified, against the simulated KuCoin in its own process.

It is no dependency of the project: the tests run where it is installed (`pip install kucoin-universal-sdk`). Of a query
with reserved characters it signs the decoded spelling and sends the encoded one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.simulator_process import Simulator, simulator

ABSENT = "kucoin-universal-sdk is not installed here"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its models use what pydantic deprecates
    api = pytest.importorskip("kucoin_universal_sdk.api", reason=ABSENT)
    money = pytest.importorskip("kucoin_universal_sdk.generate.account.account", reason=ABSENT)
    order = pytest.importorskip("kucoin_universal_sdk.generate.futures.order", reason=ABSENT)
    position = pytest.importorskip("kucoin_universal_sdk.generate.futures.positions", reason=ABSENT)
    model = pytest.importorskip("kucoin_universal_sdk.model", reason=ABSENT)
    common = pytest.importorskip("kucoin_universal_sdk.model.common", reason=ABSENT)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pydantic.PydanticDeprecatedSince20")
BTC = "XBTUSDTM"


@pytest.fixture(scope="module")
def venue() -> Iterator[Simulator]:
    with simulator(18742, 18749, 3, venue="kucoin") as running:
        running.post("price", symbol="BTCUSDT", price="50000")
        yield running


def rest_of(venue: Simulator, account: str, **changed: str) -> Any:
    fields = {**venue.accounts[account], **changed}
    option = (
        model.ClientOptionBuilder()
        .set_key(fields["api_key"])
        .set_secret(fields["api_secret"])
        .set_passphrase(fields["api_passphrase"])
        .set_spot_endpoint(venue.base_url)
        .set_futures_endpoint(venue.base_url)
        .set_transport_option(model.TransportOptionBuilder().set_max_retries(0).build())
        .build()
    )
    return api.DefaultClient(option).rest_service()


def refusal(call: Any, request: Any) -> str:
    with pytest.raises(common.RestError) as caught:
        call(request)
    return str(caught.value)


def test_an_order_from_entry_to_close(venue: Simulator) -> None:
    rest = rest_of(venue, "main")
    orders, positions = rest.get_futures_service().get_order_api(), rest.get_futures_service().get_positions_api()

    def place(side: str, client_oid: str, **more: Any) -> Any:
        request = (
            order.AddOrderReqBuilder().set_client_oid(client_oid).set_symbol(BTC).set_side(side).set_type("market")
        )
        for name, value in more.items():
            getattr(request, f"set_{name}")(value)
        return orders.add_order(request.build())

    placed = place("buy", "in-1", size=12, leverage=3)
    assert placed.client_oid == "in-1"
    found = orders.get_order_by_order_id(order.GetOrderByOrderIdReqBuilder().set_order_id(placed.order_id).build())
    assert (found.filled_size, found.status.value, found.client_oid) == (12, "done", "in-1")
    same = orders.get_order_by_client_oid(order.GetOrderByClientOidReqBuilder().set_client_oid("in-1").build())
    assert same.id == placed.order_id
    (held,) = positions.get_position_list(position.GetPositionListReqBuilder().set_currency("USDT").build()).data
    assert (held.symbol, held.current_qty, held.margin_mode.value) == (BTC, 12, "ISOLATED")
    fills = orders.get_trade_history(order.GetTradeHistoryReqBuilder().set_order_id(placed.order_id).build())
    assert [(one.size, one.trade_type.value) for one in fills.items] == [(12, "trade")]
    place("sell", "out-1", size=5, reduce_only=True)
    assert venue.ledger("main")["positions"] == {"BTCUSDT": "0.007"}
    place("sell", "out-2", close_order=True)
    assert venue.ledger("main")["positions"] == {}


def test_resting_orders_and_reserved_characters(venue: Simulator) -> None:
    orders = rest_of(venue, "second").get_futures_service().get_order_api()
    request = order.AddOrderReqBuilder().set_client_oid("rest").set_symbol(BTC).set_side("buy").set_type("limit")
    orders.add_order(request.set_price("49500").set_size(1).set_leverage(3).set_time_in_force("GTC").build())
    (resting,) = orders.get_order_list(order.GetOrderListReqBuilder().set_status("active").build()).items
    assert (resting.client_oid, resting.is_active) == ("rest", True)
    cancel = order.CancelOrderByClientOidReqBuilder().set_symbol(BTC).set_client_oid("rest").build()
    assert orders.cancel_order_by_client_oid(cancel).client_oid == "rest"
    lookup = order.GetOrderByClientOidReqBuilder().set_client_oid("a b+c/d").build()
    assert "100001" in refusal(orders.get_order_by_client_oid, lookup)  # signed well: the order is what is missing


def test_settings_and_money(venue: Simulator) -> None:
    rest = rest_of(venue, "third")
    positions = rest.get_futures_service().get_positions_api()
    switch = position.SwitchMarginModeReqBuilder().set_symbol(BTC).set_margin_mode("CROSS").build()
    assert positions.switch_margin_mode(switch).margin_mode.value == "CROSS"
    assert (
        positions.get_margin_mode(position.GetMarginModeReqBuilder().set_symbol(BTC).build()).margin_mode.value
        == "CROSS"
    )
    positions.modify_margin_leverage(
        position.ModifyMarginLeverageReqBuilder().set_symbol(BTC).set_leverage("7").build()
    )
    leverage = positions.get_cross_margin_leverage(position.GetCrossMarginLeverageReqBuilder().set_symbol(BTC).build())
    assert leverage.leverage == "7"
    account = rest.get_account_service().get_account_api()
    wallet = account.get_futures_account(money.GetFuturesAccountReqBuilder().set_currency("USDT").build())
    assert Decimal(str(wallet.account_equity)) == Decimal(venue.ledger("third")["equity"])
    market = rest.get_futures_service().get_market_api()
    assert len(market.get_all_symbols().data) >= 25
    assert market.get_server_time().data > 0


def test_keys(venue: Simulator) -> None:
    wrong = rest_of(venue, "third", api_key="nobody").get_futures_service().get_positions_api()
    assert "400003" in refusal(wrong.get_position_list, position.GetPositionListReqBuilder().build())
