"""PURE: order x market x rules -> fills and fees. One matcher for the simulator, paper trading and backtests.

Sizes are contracts, prices quote currency, fees settlement currency (positive = paid). A market is any sequence of
levels, best first: `levels_around` makes one from a price, a recorded book serves as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from core.domain import ZERO, Instrument, OrderKind, PlaceOrder, Side, TimeInForce, floor_to, same_sign

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Level:
    """`contracts` (> 0) offered at `price`."""

    price: Decimal
    contracts: Decimal


@dataclass(frozen=True, slots=True)
class BookShape:
    """A book around a price. `spread` (best bid to best ask) and `step` (level to level) are shares of the price;
    `level_notional` is settlement currency on each of `levels` levels."""

    spread: Decimal
    step: Decimal
    level_notional: Decimal
    levels: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What a venue makes of an order. `price_band`: a limit further than this share through the mark is refused, and no
    fill is worse than that; None: no band."""

    taker_fee: Decimal
    maker_fee: Decimal
    price_band: Decimal | None = None


class Refusal(StrEnum):
    """Why an order is not matched at all."""

    NO_SIZE = "no_size"
    NO_PRICE = "no_price"
    PRICE_BAND = "price_band"
    REDUCE_ONLY = "reduce_only"
    """Reduce-only, and there is nothing it could reduce."""
    UNSUPPORTED = "unsupported"
    """Stop orders."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of an order: unsigned `contracts` at `price`."""

    price: Decimal
    contracts: Decimal
    fee: Decimal
    maker: bool


@dataclass(frozen=True, slots=True)
class Matched:
    """What became of an order: `filled + resting + cancelled` is its size; all unsigned contracts.

    `cancelled` counts what an IOC or market order could not fill and what reduce-only took off.
    """

    trades: tuple[Trade, ...]
    filled: Decimal
    resting: Decimal
    cancelled: Decimal
    refusal: Refusal | None = None


def best_price(price: Decimal, side: Side, shape: BookShape, tick: Decimal) -> Decimal:
    """The best bid (side BUY) or ask (SELL) of a book around `price`: half a spread away, on the tick, outward.
    `price` is at least one tick, and so is every bid."""
    half = price * shape.spread / 2
    if side is Side.BUY:
        return max(_on_tick(price - half, tick, ROUND_FLOOR), tick)
    ask = _on_tick(price + half, tick, ROUND_CEILING)
    return ask if ask > price else ask + tick


def levels_around(price: Decimal, side: Side, shape: BookShape, instrument: Instrument) -> Iterator[Level]:
    """The resting bids (side BUY) or asks (SELL) of a book around `price`, best first, made as they are asked for."""
    tick = instrument.tick
    best = best_price(price, side, shape, tick)
    step = max(_on_tick(price * shape.step, tick, ROUND_CEILING), tick) * -side.sign
    contracts = max(instrument.contracts_for(shape.level_notional, price), instrument.lot)
    for n in range(shape.levels):
        at = best + n * step
        if at <= 0:
            return
        yield Level(at, contracts)


def limited(levels: Iterable[Level], contracts: Decimal) -> Iterator[Level]:
    """The same levels with no more than `contracts` (>= 0) on all of them together."""
    left = contracts
    for level in levels:
        if left <= 0:
            return
        take = min(left, level.contracts)
        left -= take
        yield Level(level.price, take)


def _on_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding=rounding) * tick


def band_edge(mark: Decimal, side: Side, rules: Rules) -> Decimal | None:
    """The worst price an order of `side` may have; None where there is no band."""
    return None if rules.price_band is None else mark * (ONE + side.sign * rules.price_band)


def beyond(price: Decimal, edge: Decimal | None, side: Side) -> bool:
    """Whether `price` is worse than `edge` for an order of `side` (higher for a buy, lower for a sell)."""
    return edge is not None and (price - edge) * side.sign > 0


def refusal(order: PlaceOrder, position: Decimal, mark: Decimal, rules: Rules) -> Refusal | None:
    """Why `order` may not be matched on a signed `position`; None: it may."""
    if order.kind is OrderKind.STOP:
        return Refusal.UNSUPPORTED
    if order.contracts <= 0:
        return Refusal.NO_SIZE
    if order.kind is OrderKind.LIMIT:
        if order.price is None or order.price <= 0:
            return Refusal.NO_PRICE
        if beyond(order.price, band_edge(mark, order.side, rules), order.side):
            return Refusal.PRICE_BAND
    if order.reduce_only and not same_sign(position, -order.signed):
        return Refusal.REDUCE_ONLY
    return None


def match(
    order: PlaceOrder,
    position: Decimal,
    levels: Iterable[Level],
    mark: Decimal,
    instrument: Instrument,
    rules: Rules,
) -> Matched:
    """Matches an arriving order against the levels of the *other* side.

    `position` is the signed position the order would change (reduce-only is clipped to it, and refused without one).
    A limit order fills at each level's price, never worse than its own; a GTC's remainder rests, every other is
    cancelled. Size is conserved: `filled + resting + cancelled == order.contracts` unless refused (then all are 0).
    """
    if (why := refusal(order, position, mark, rules)) is not None:
        return Matched((), ZERO, ZERO, ZERO, why)
    size = min(order.contracts, abs(position)) if order.reduce_only else order.contracts
    limit = order.price if order.kind is OrderKind.LIMIT else band_edge(mark, order.side, rules)
    trades = []
    left = size
    for level in levels:
        if left <= 0 or beyond(level.price, limit, order.side):
            break
        take = min(left, level.contracts)
        left -= take
        trades.append(_trade(level.price, take, instrument, rules.taker_fee, maker=False))
    rests = left if order.kind is OrderKind.LIMIT and order.tif is TimeInForce.GTC else ZERO
    return Matched(tuple(trades), size - left, rests, order.contracts - size + left - rests)


def match_resting(
    order: PlaceOrder,
    position: Decimal,
    levels: Iterable[Level],
    instrument: Instrument,
    rules: Rules,
) -> Matched:
    """Matches an order that already rests, after the market moved: at its own price, at the maker's fee.

    `order.contracts` is what is left of it. A reduce-only order is clipped to the position and the excess cancelled;
    with nothing left to reduce all of it is.
    """
    if order.price is None:
        return Matched((), ZERO, ZERO, ZERO, Refusal.NO_PRICE)
    size = order.contracts
    if order.reduce_only:
        size = min(size, abs(position)) if same_sign(position, -order.signed) else ZERO
    offered = ZERO
    for level in levels:
        if offered >= size or beyond(level.price, order.price, order.side):
            break
        offered += level.contracts
    filled = min(offered, size)
    trades = (_trade(order.price, filled, instrument, rules.maker_fee, maker=True),) if filled > 0 else ()
    return Matched(trades, filled, size - filled, order.contracts - size)


def share_of(order: PlaceOrder, share: Decimal, instrument: Instrument) -> Decimal:
    """How many contracts `share` (in [0, 1]) of an order is, toward zero to the lot."""
    return floor_to(order.contracts * share, instrument.lot)


def _trade(price: Decimal, contracts: Decimal, instrument: Instrument, rate: Decimal, *, maker: bool) -> Trade:
    return Trade(price, contracts, instrument.notional(contracts, price) * rate, maker)
