"""From ranked traders to an opinion on each asset, and from opinions to the signals of the document. Pure.

net    of a trader on an asset: the sum over its open positions of their order leverages, within
       +-leverage_limit_crypto, divided by it
depth  the sum of weight * net over all traders, within -1 and 1, to 6 decimals
price  the mean of the traders' average entries, weighted by |weight * net|
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from config.bittensor import BittensorKeys
from core.domain import ZERO, Signal
from signal_processors.bittensor_ranking import ONE, WORKING, Ranked
from signal_processors.bittensor_traders import Position

DEPTH_STEP = Decimal("0.000001")
PRICE = Context(prec=12)


@dataclass(frozen=True, slots=True)
class Share:
    """One trader's part in an opinion: `net` in [-1, 1], `contribution` = weight x net, `entry` None when flat."""

    hotkey: str
    weight: Decimal
    net: Decimal
    contribution: Decimal
    entry: Decimal | None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What all traders together say of one asset. `price` None where nobody holds it."""

    depth: Decimal
    price: Decimal | None
    shares: tuple[Share, ...] = ()


def opinions(ranked: Sequence[Ranked], assets: Collection[str], keys: BittensorKeys) -> dict[str, Opinion]:
    """The opinion on every asset, in the order of `assets`; one nobody holds is an explicit 0."""
    with localcontext(WORKING):
        return {asset: _opinion(ranked, asset, keys) for asset in assets}


def _opinion(ranked: Sequence[Ranked], asset: str, keys: BittensorKeys) -> Opinion:
    shares = []
    for one in ranked:
        on_asset = [position for position in one.trader.positions if position.asset == asset]
        if len(on_asset) < max(keys.min_trades_per_asset, 1):
            continue
        held = [position for position in on_asset if position.closed_ms is None]
        if held:
            shares.append(_share(one, held, keys.leverage_limit_crypto))
    depth = sum((share.contribution for share in shares), ZERO)
    depth = max(-ONE, min(ONE, depth)).quantize(DEPTH_STEP)
    return Opinion(depth + ZERO, _price(shares), tuple(shares))


def _share(one: Ranked, held: Sequence[Position], limit: Decimal) -> Share:
    leverage = sum((position.net for position in held), ZERO)
    net = max(-limit, min(limit, leverage)) / limit
    entered = [position for position in held if position.net]
    size = sum((position.entry_size for position in entered), ZERO)
    value = sum((position.entry_value for position in entered), ZERO)
    return Share(one.trader.hotkey, one.weight, net, one.weight * net, value / size if size else None)


def _price(shares: Sequence[Share]) -> Decimal | None:
    priced = [(abs(share.contribution), share.entry) for share in shares if share.contribution and share.entry]
    whole = sum((part for part, _ in priced), ZERO)
    if not whole:
        return None
    return PRICE.plus(sum((part * entry for part, entry in priced), ZERO) / whole)


def signals_after(
    former: Mapping[str, Signal], found: Mapping[str, Opinion], as_of: float
) -> tuple[dict[str, Signal], tuple[str, ...]]:
    """The document's signals once `found` is taken in, and the assets whose opinion changed. `as_of` epoch seconds.

    A signal whose depth and price stay is the former one, timestamp included. Symbols that are not asked about any more
    stay as they are: a document never drops one.
    """
    signals, changed = dict(former), []
    for asset, opinion in found.items():
        before = former.get(asset)
        if before is None or (before.depth, before.price) != (opinion.depth, opinion.price):
            signals[asset] = Signal(depth=opinion.depth, timestamp=as_of, price=opinion.price)
            changed.append(asset)
    return signals, tuple(changed)
