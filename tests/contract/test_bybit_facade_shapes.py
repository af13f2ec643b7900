"""What clients need of the simulated Bybit's rows, and its list of contracts; `coverage` compares with recordings."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from simulator.facades.bybit.details import load_details
from simulator.instruments import load_listings
from tests.contract.bybit_door import Door
from tests.contract.coverage.bybit import ASKED, traded

NEEDED: Mapping[str, str] = {
    "ExchangeData/GetLinearInverseSymbols": """
        symbol contractType status baseCoin quoteCoin settleCoin launchTime deliveryTime priceScale fundingInterval
        lotSizeFilter.minOrderQty lotSizeFilter.qtyStep lotSizeFilter.maxOrderQty lotSizeFilter.maxMktOrderQty
        lotSizeFilter.minNotionalValue priceFilter.tickSize priceFilter.minPrice priceFilter.maxPrice
        leverageFilter.minLeverage leverageFilter.maxLeverage leverageFilter.leverageStep""",
    "ExchangeData/GetLinearInverseTickers": """
        symbol markPrice lastPrice indexPrice bid1Price ask1Price bid1Size ask1Size fundingRate nextFundingTime""",
    "Trading/GetPositions": """
        symbol side size avgPrice leverage positionIdx seq markPrice liqPrice unrealisedPnl positionValue positionIM
        positionMM positionBalance tradeMode createdTime updatedTime positionStatus""",
    "Trading/GetOrders": """
        orderId orderLinkId symbol side qty price orderStatus cumExecQty cumExecValue cumFeeDetail avgPrice leavesQty
        orderType timeInForce reduceOnly rejectReason cancelType createdTime updatedTime positionIdx""",
    "Trading/GetUserTrades": """
        symbol side execQty execPrice execFee execTime execId execType orderId orderLinkId seq closedSize isMaker
        feeRate feeCurrency orderType""",
}
"""What the adapter and the unmodified clients read, by row."""


@pytest.mark.parametrize("name", NEEDED)
def test_no_field_a_client_needs_is_missing(name: str) -> None:
    for row in ASKED[name](traded()).rows:
        for place in NEEDED[name].split():
            value = row
            for part in place.split("."):
                assert part in value, place
                value = value[part]


# --- the list of contracts --------------------------------------------------------------------------------------------


def test_the_list_of_contracts() -> None:
    listings = {listing.symbol: listing for listing in load_listings("bybit")}
    assert len(listings) >= 25
    real = {symbol: it for symbol, it in listings.items() if not it.generated}
    assert {"BTCUSDT", "ETHUSDT", "XRPUSDT", "DOGEUSDT"} <= set(real)
    assert all(it.source.startswith(("https://", "instruments-info")) for it in real.values())
    assert {"TAOUSDT", "SOLUSDT", "1000PEPEUSDT", "BTCPERP"} <= set(listings) - set(real)
    assert {it.instrument.settle for it in listings.values()} == {"USDT", "USDC"}
    assert {it.symbol for it in listings.values() if it.instrument.settle == "USDC"} == {"BTCPERP", "ETHPERP"}
    assert set(load_details()) == set(real)


def test_every_contract_can_be_traded() -> None:
    door = Door()
    for listing in door.exchange.listings():
        it, price = listing.instrument, door.exchange.quote(listing.symbol).ask
        lots = max(it.min_contracts, it.contracts_for(it.min_notional * 2, price) + it.lot)
        answer = door.order(symbol=it.venue_symbol, qty=format(lots, "f"))
        assert answer.code == 0, (it.symbol, answer.message)
        door.wait(0.11)
