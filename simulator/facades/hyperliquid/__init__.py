"""Hyperliquid, perpetuals. The wire facts and their sources stand in the modules.

    facade      the two endpoints, limits, answers         signing, wallets   whose signature it is, whose nonces
    public      market data                                account            state, leverage, roles
    actions     orders, cancels, leverage                  queries            what became of orders, fills, funding
    codes       the venue's sentences                      limits             weights and numbers of requests
    stream      the websocket                              news               what happens, as it tells it
    context     what a question works with

Simplifications, each visible to nobody but a reader of the figures concerned: one margin tier per coin; the mark price
is on the tick; volumes are 0; there is no spot pair and no exchange but the first.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import MarginMode
from simulator.facades import VenueKind
from simulator.facades.hyperliquid.facade import HyperliquidFacade
from simulator.model import VenueRules

__all__ = ["RULES", "VENUE", "HyperliquidFacade"]

RULES = VenueRules(
    venue="hyperliquid",
    settle="USDC",
    taker_fee=Decimal("0.00045"),
    maker_fee=Decimal("0.00015"),
    price_band=Decimal("0.8"),
    default_leverage=Decimal(20),
    default_margin_mode=MarginMode.CROSS,
    leverage_in_place=True,
    max_open_orders=1000,
    funding_interval_s=3_600.0,
    price_digits=5,
)
"""Fees: the first tier. Band: the refusal of prices "more than 80% away". Leverage: as recorded of new positions."""

VENUE = VenueKind("hyperliquid", RULES, HyperliquidFacade)
