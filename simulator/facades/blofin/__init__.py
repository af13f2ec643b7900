"""BloFin, USDT perpetuals, over REST and websockets. The wire facts and their sources stand in the modules.

    facade      door and frame: routes, limits, envelope       auth, limits   what is checked at the door
    public      market data                                    account        key, balance, positions, modes, leverage
    orders      order entry and cancelling                     queries        what became of orders, executions
    codes       the venue's numbers and words                  wire           parameters, pages
    context     what an endpoint works with                    streams       the door to the websockets
    stream_session   one connection: heart-beat, channels      stream_wire   their frames
    stream_private   login, positions, orders, account         news          what they tell of, stream_rows  its rows
    stream_public    tickers, trades, books, funding, candles

Simplifications, each visible to nobody but a reader of the figures concerned: one leverage per contract instead of one
per margin mode; an order shows the contract's present leverage and margin mode; volumes are 0.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import MarginMode
from simulator.facades import VenueKind
from simulator.facades.blofin.facade import BloFinFacade
from simulator.model import VenueRules

__all__ = ["RULES", "VENUE", "BloFinFacade"]

RULES = VenueRules(
    venue="blofin",
    settle="USDT",
    taker_fee=Decimal("0.0006"),
    maker_fee=Decimal("0.0002"),
    price_band=Decimal("0.02"),
    default_leverage=Decimal(3),
    default_margin_mode=MarginMode.CROSS,
    leverage_in_place=True,
    max_open_orders=500,
    funding_interval_s=28_800.0,
)
"""Fees: the venue's rates without a discount. Band: `thresholdX` of recorded contracts. Leverage: as recorded."""

VENUE = VenueKind("blofin", RULES, BloFinFacade)
