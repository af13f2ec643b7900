"""Bybit V5, linear contracts of a unified account, over REST and websockets.

The wire facts and their sources stand in the modules.

    facade      door and frame: routes, limits, envelope       auth, limits   what is checked at the door
    public      market data                                    account        key, modes, balance, fees
    positions   positions and their settings                   orders         order entry and cancelling
    queries     what became of orders                          executions     fills, funding, the wallet's log
    codes       the venue's numbers and words                  details        figures only this venue has
    wire        parameters, numbers, pages                     context        what an endpoint works with

    streams        /v5/private, /v5/public/linear, /v5/trade   stream_wire    frames, refusals
    stream_private login, topics, news of an account           news           what is told, and in which order
    stream_public  market data                                 stream_topics  tickers, book, trades
    stream_rows    what the private topics carry               stream_idle    when a connection is cut off
    stream_trade   order entry: refused, use REST

Simplifications, each visible to nobody but a reader of the figures concerned: contracts settled in USDC are booked in
the settle currency of the exchange; a position mode switch by symbol switches the account; volumes are 0.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import MarginMode
from simulator.facades import VenueKind
from simulator.facades.bybit.facade import BybitFacade
from simulator.model import VenueRules

__all__ = ["RULES", "VENUE", "BybitFacade"]

RULES = VenueRules(
    venue="bybit",
    settle="USDT",
    taker_fee=Decimal("0.00055"),
    maker_fee=Decimal("0.0002"),
    # Above every contract's hard price boundary: the facade applies each contract's own.
    price_band=Decimal("0.25"),
    default_leverage=Decimal(10),
    default_margin_mode=MarginMode.CROSS,
    leverage_in_place=True,
    max_open_orders=500,
    funding_interval_s=28_800.0,
)
"""Fees: the venue's VIP 0 rates for linear contracts. Default margin mode: docs/v5/account/set-margin-mode."""

VENUE = VenueKind("bybit", RULES, BybitFacade)
