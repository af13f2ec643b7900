"""MEXC futures, USDT and USDC perpetuals. The wire facts and their sources stand in the modules.

    facade      door and frame: routes, limits, envelope       auth, limits   what is checked at the door
    public      market data                                    account        money, positions, modes, leverage
    orders      order entry and cancelling                     queries        what became of orders, deals
    codes       the venue's numbers and words                  wire           parameters, pages
    context     what an endpoint works with                    news           accounts' news for the stream
    streams     the websocket: login, filters, heart-beat      stream_rows    private rows
    stream_private, stream_public   what a login hears, and the public channels

Simplifications, each visible to nobody but a reader of the figures concerned: one leverage for both sides of a
contract; an order shows the contract's present leverage and margin mode; volumes are 0.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import MarginMode
from simulator.facades import VenueKind
from simulator.facades.mexc.facade import MexcFacade
from simulator.model import VenueRules

__all__ = ["RULES", "VENUE", "MexcFacade"]

RULES = VenueRules(
    venue="mexc",
    settle="USDT",
    taker_fee=Decimal("0.0006"),
    maker_fee=Decimal("0.0002"),
    price_band=Decimal("0.1"),
    default_leverage=Decimal(20),
    default_margin_mode=MarginMode.ISOLATED,
    leverage_in_place=True,
    max_open_orders=50,
    funding_interval_s=28_800.0,
)
"""Fees and band of the recorded contract; 50 open orders in one-way mode (`maxNumOrders`)."""

VENUE = VenueKind("mexc", RULES, MexcFacade)
