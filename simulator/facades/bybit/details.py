"""What only Bybit says of a contract: figures beside the listing, and the rule for contracts made by rule.

They stand as `details` in `simulator/instruments/bybit.json`, from the same source as their listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from core.domain import Side, tick_inward
from core.errors import ConfigError
from simulator.instruments import FOLDER
from simulator.model import Listing, Quote
from simulator.strict import loads

ONE = Decimal(1)
TICKS_TO_TOP = 19_999_998
"""Highest price in ticks, as the recorded contracts have it."""
LOWEST_TIER_VALUE = Decimal(2_000_000)
"""Position value allowed at the highest leverage; less leverage allows proportionally more. A rule, not a record."""


@dataclass(frozen=True, slots=True)
class Details:
    """`price_limit_x` and `_y` are the soft and hard boundary of order prices, as shares of the mark price."""

    price_scale: str
    max_price: str
    launch_time: str
    funding_interval_min: int
    funding_cap: str
    price_limit_x: Decimal
    price_limit_y: Decimal

    @staticmethod
    def by_rule(listing: Listing) -> Details:
        """For a contract without a record: two to seven decimals by its tick, and the commonest boundaries."""
        tick = listing.instrument.tick
        decimals = max(-int(tick.as_tuple().exponent), 2)
        return Details(str(decimals), format(tick * TICKS_TO_TOP, "f"), "1700000000000", 480, "0.01",
                       Decimal("0.05"), Decimal("0.1"))  # fmt: skip


def load_details(folder: Path = FOLDER) -> Mapping[str, Details]:
    """By canonical symbol, for those that have a record. Raises `ConfigError`, `OSError`."""
    path = folder / "bybit.json"
    try:
        listings = loads(path.read_bytes()).get("listings")
        if not isinstance(listings, list):
            raise ConfigError(f"{path.name}: listings", "is not a list")
        return {entry["symbol"]: _details(entry["details"]) for entry in listings if "details" in entry}
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path.name}: details", repr(error)) from error


def _details(fields: Mapping[str, str]) -> Details:
    return Details(
        price_scale=fields["price_scale"],
        max_price=fields["max_price"],
        launch_time=fields["launch_time"],
        funding_interval_min=int(fields["funding_interval_min"]),
        funding_cap=fields["funding_cap"],
        price_limit_x=Decimal(fields["price_limit_x"]),
        price_limit_y=Decimal(fields["price_limit_y"]),
    )


def price_limit(details: Details, quote: Quote, side: Side, tick: Decimal) -> Decimal:
    """The highest buy or lowest sell price allowed now, on the tick inside the boundary.

    `min(mark (1 + Y), max(index, mark (1 + X) + max(0, premium)))`, and mirrored for sells; the premium is the present
    one where the venue averages 30 seconds. Source: https://bybit-exchange.github.io/docs/v5/account/set-price-limit
    """
    premium = (quote.bid + quote.ask) / 2 - quote.mark
    sign = side.sign
    soft = quote.mark * (ONE + sign * details.price_limit_x)
    hard = quote.mark * (ONE + sign * details.price_limit_y)
    if side is Side.BUY:
        return tick_inward(min(hard, max(quote.index, soft + max(premium, Decimal(0)))), tick, side)
    return tick_inward(max(hard, min(quote.index, soft + min(premium, Decimal(0)))), tick, side)


def position_limit(listing: Listing, leverage: Decimal) -> Decimal:
    """Largest position value in settle currency at a leverage."""
    return LOWEST_TIER_VALUE * listing.instrument.max_leverage / leverage
