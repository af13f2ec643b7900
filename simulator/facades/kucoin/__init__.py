"""KuCoin Futures of a classic account, linear perpetuals, over REST and websockets. The wire facts and their sources
stand in the modules.

    facade      door and frame: routes, limits, envelope       auth, limits   what is checked at the door
    public      market data                                    account        money, modes, leverage, positions
    orders      order entry and cancelling                     queries        orders, fills, funding
    codes       the venue's codes and words                    wire           parameters, pages, JSON numbers
    context     what an endpoint works with

    streams         tokens, and who may connect                stream_session one connection, topics, heart-beat
    stream_tokens   the tokens given so far                    stream_topics  tickers, mark
    news            what is told of an account                 stream_rows    what the private topics carry
    stream_wire     frames, refusals

Simplifications, each visible to nobody but a reader of the figures concerned: contracts settled in USDC are booked in
the settle currency of the exchange; the margin an isolated position locks follows its latest order's leverage, while
`posInit` adds up what each order put in; volumes are 0.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import MarginMode
from simulator.facades import VenueKind
from simulator.facades.kucoin.facade import KucoinFacade
from simulator.facades.kucoin.public import PRICE_RANGE
from simulator.model import VenueRules

__all__ = ["RULES", "VENUE", "KucoinFacade"]

RULES = VenueRules(
    venue="kucoin",
    settle="USDT",
    taker_fee=Decimal("0.0006"),
    maker_fee=Decimal("0.0002"),
    price_band=PRICE_RANGE,
    default_leverage=Decimal(5),
    default_margin_mode=MarginMode.ISOLATED,
    leverage_in_place=True,  # asked in cross margin only; isolated leverage comes with orders
    max_open_orders=100,
    funding_interval_s=28_800.0,
)
"""Fees: the venue's VIP 0 rates, as its contracts show them."""

VENUE = VenueKind("kucoin", RULES, KucoinFacade)
