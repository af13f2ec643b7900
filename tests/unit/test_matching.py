"""The matcher: tables of cases, and what must hold for every order on every book."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import (
    ZERO,
    Instrument,
    MarginMode,
    OrderKind,
    PlaceOrder,
    Side,
    Symbol,
    TimeInForce,
    same_sign,
)
from core.matching import (
    BookShape,
    Level,
    Matched,
    Refusal,
    Rules,
    levels_around,
    limited,
    match,
    match_resting,
    share_of,
)

D = Decimal
TAKER, MAKER = D("0.0005"), D("0.0002")
RULES = Rules(taker_fee=TAKER, maker_fee=MAKER, price_band=D("0.1"))
SHAPE = BookShape(spread=D("0.0002"), step=D("0.0001"), level_notional=D(100_000), levels=5)
ASKS = (Level(D(101), D(1)), Level(D(102), D(2)), Level(D(105), D(4)))
BIDS = (Level(D(99), D(1)), Level(D(98), D(2)), Level(D(95), D(4)))
MARK = D(100)


def instrument(contract_size: str = "1", lot: str = "0.1", tick: str = "0.5") -> Instrument:
    return Instrument(
        symbol=Symbol("BTCUSDT"),
        venue_symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        settle="USDT",
        contract_size=D(contract_size),
        lot=D(lot),
        tick=D(tick),
        min_contracts=D(lot),
        max_contracts=D(1000),
        max_market_contracts=D(1000),
        min_notional=D(5),
        max_leverage=D(100),
    )


def order(
    side: Side,
    contracts: str | int | Decimal,
    price: str | int | Decimal | None = None,
    *,
    gtc: bool = False,
    reduce_only: bool = False,
    stop: bool = False,
) -> PlaceOrder:
    kind = OrderKind.STOP if stop else OrderKind.MARKET if price is None else OrderKind.LIMIT
    return PlaceOrder(
        symbol=Symbol("BTCUSDT"),
        side=side,
        contracts=D(contracts),
        kind=kind,
        price=None if price is None else D(price),
        tif=TimeInForce.GTC if gtc else TimeInForce.IOC,
        reduce_only=reduce_only,
        leverage=None,
        margin_mode=MarginMode.ISOLATED,
    )


def fills(matched: Matched) -> list[tuple[str, str]]:
    return [(str(trade.price), str(trade.contracts)) for trade in matched.trades]


BUY, SELL = Side.BUY, Side.SELL
CASES = {
    # name: (order, position, trades, resting, cancelled)
    "market buy within the best level": (order(BUY, "0.4"), "0", [("101", "0.4")], "0", "0"),
    "market buy over two levels": (order(BUY, 2), "0", [("101", "1"), ("102", "1")], "0", "0"),
    "market sell over two levels": (order(SELL, 2), "0", [("99", "1"), ("98", "1")], "0", "0"),
    "market stops at the end of the book": (order(BUY, 9), "0", [("101", "1"), ("102", "2"), ("105", "4")], "0", "2"),
    "IOC stops at its limit": (order(BUY, 5, 102), "0", [("101", "1"), ("102", "2")], "0", "2"),
    "IOC below the market fills nothing": (order(BUY, 5, 100), "0", [], "0", "5"),
    "IOC sell stops at its limit": (order(SELL, 5, "98.5"), "0", [("99", "1")], "0", "4"),
    "GTC rests with its remainder": (order(BUY, 5, 102, gtc=True), "0", [("101", "1"), ("102", "2")], "2", "0"),
    "GTC away from the market rests whole": (order(SELL, 5, 104, gtc=True), "0", [], "5", "0"),
    "reduce-only within the position": (order(SELL, 1, reduce_only=True), "3", [("99", "1")], "0", "0"),
    "reduce-only is clipped to the position": (order(SELL, 3, reduce_only=True), "1", [("99", "1")], "0", "2"),
    "reduce-only buy closes a short": (order(BUY, 3, reduce_only=True), "-0.5", [("101", "0.5")], "0", "2.5"),
    "reduce-only GTC rests clipped": (order(SELL, 3, 104, gtc=True, reduce_only=True), "2", [], "2", "1"),
}


@pytest.mark.parametrize("name", CASES)
def test_match(name: str) -> None:
    given_order, position, trades, resting, cancelled = CASES[name]
    levels = ASKS if given_order.side is BUY else BIDS
    matched = match(given_order, D(position), levels, MARK, instrument(), RULES)
    assert (fills(matched), matched.resting, matched.cancelled) == (trades, D(resting), D(cancelled))
    assert matched.filled == sum((D(size) for _, size in trades), ZERO)
    assert matched.refusal is None


REFUSED = {
    "no size": (order(BUY, 0), "0", Refusal.NO_SIZE),
    "stop orders": (order(BUY, 1, 100, stop=True), "0", Refusal.UNSUPPORTED),
    "a price of nothing": (order(BUY, 1, 0), "0", Refusal.NO_PRICE),
    "a buy beyond the band": (order(BUY, 1, "110.5"), "0", Refusal.PRICE_BAND),
    "a sell beyond the band": (order(SELL, 1, "89.5"), "0", Refusal.PRICE_BAND),
    "reduce-only when flat": (order(SELL, 1, reduce_only=True), "0", Refusal.REDUCE_ONLY),
    "reduce-only on the wrong side": (order(BUY, 1, reduce_only=True), "2", Refusal.REDUCE_ONLY),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    given_order, position, why = REFUSED[name]
    assert match(given_order, D(position), ASKS, MARK, instrument(), RULES) == Matched((), ZERO, ZERO, ZERO, why)


def test_band_edge_itself_is_taken_and_bounds_market_orders() -> None:
    assert match(order(BUY, 1, 110), ZERO, ASKS, MARK, instrument(), RULES).refusal is None
    far = (Level(D(109), D(1)), Level(D(111), D(1)))
    matched = match(order(BUY, 2), ZERO, far, MARK, instrument(), RULES)
    assert (fills(matched), matched.cancelled) == ([("109", "1")], D(1))


def test_fees_are_on_notional_in_settlement_currency() -> None:
    matched = match(order(BUY, 2), ZERO, ASKS, MARK, instrument(contract_size="0.001"), RULES)
    assert [trade.fee for trade in matched.trades] == [D("0.0000505"), D("0.000051")]


RESTING = {
    # name: (order, position, levels, filled, resting, cancelled)
    "not crossed": (order(BUY, 2, 100, gtc=True), "0", ASKS, "0", "2", "0"),
    "crossed at its own price": (order(BUY, 1, 102, gtc=True), "0", ASKS, "1", "0", "0"),
    "crossed by less than it wants": (order(BUY, 5, 102, gtc=True), "0", ASKS, "3", "2", "0"),
    "reduce-only clipped": (order(SELL, 5, 98, gtc=True, reduce_only=True), "2", BIDS, "2", "0", "3"),
    "reduce-only with nothing left": (order(SELL, 5, 98, gtc=True, reduce_only=True), "0", BIDS, "0", "0", "5"),
    "reduce-only clipped, not crossed": (order(SELL, 5, 104, gtc=True, reduce_only=True), "2", BIDS, "0", "2", "3"),
}


@pytest.mark.parametrize("name", RESTING)
def test_match_resting(name: str) -> None:
    given_order, position, levels, filled, resting, cancelled = RESTING[name]
    matched = match_resting(given_order, D(position), levels, instrument(), RULES)
    assert (matched.filled, matched.resting, matched.cancelled) == (D(filled), D(resting), D(cancelled))
    for trade in matched.trades:
        assert trade.maker
        assert trade.price == given_order.price
        assert trade.fee == trade.contracts * trade.price * MAKER


# --- the book ---------------------------------------------------------------------------------------------------------

prices = st.decimals(min_value="0.01", max_value="100000", places=4)


@given(prices, st.sampled_from(["0.0001", "0.01", "0.5"]))
def test_book_is_ordered_on_the_tick_and_around_the_price(price: Decimal, tick: str) -> None:
    it, price = instrument(tick=tick), max(price, D(tick))
    bids, asks = (list(levels_around(price, side, SHAPE, it)) for side in (BUY, SELL))
    assert asks[0].price > price
    assert asks[0].price > bids[0].price > 0
    assert all(better.price > worse.price for better, worse in pairwise(bids))
    assert all(better.price < worse.price for better, worse in pairwise(asks))
    assert not any(level.price % D(tick) for level in bids + asks)
    assert all(level.contracts >= it.lot and not level.contracts % it.lot for level in bids + asks)


def test_book_without_spread_is_never_crossed() -> None:
    flat = BookShape(spread=ZERO, step=SHAPE.step, level_notional=SHAPE.level_notional, levels=1)
    bid, ask = (next(levels_around(MARK, side, flat, instrument())) for side in (BUY, SELL))
    assert (bid.price, ask.price) == (D(100), D("100.5"))


def test_book_has_its_depth() -> None:
    asks = list(levels_around(D(50_000), SELL, SHAPE, instrument(lot="0.001")))
    assert asks == [Level(D(50_005) + 5 * n, D(2)) for n in range(5)]
    assert [str(level.contracts) for level in limited(asks, D("4.5"))] == ["2.000", "2.000", "0.500"]
    assert list(limited(asks, ZERO)) == []


def test_share_is_on_the_lot() -> None:
    assert share_of(order(BUY, "0.7"), D("0.5"), instrument()) == D("0.3")


# --- for every order --------------------------------------------------------------------------------------------------

lots = st.integers(min_value=1, max_value=200).map(lambda n: n * D("0.1"))
positions = st.integers(min_value=-100, max_value=100).map(lambda n: n * D("0.1"))
limits = st.none() | st.integers(min_value=181, max_value=219).map(lambda n: n * D("0.5"))


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Level], list[Level]]:
    """Bids and asks around 100, best first."""
    steps = draw(st.lists(st.integers(min_value=1, max_value=6), min_size=0, max_size=6))

    def side(sign: int) -> Iterator[Level]:
        distance = 0
        for step in steps:
            distance += step
            yield Level(MARK + sign * distance * D("0.5"), draw(lots))

    return list(side(-1)), list(side(1))


@given(st.sampled_from(Side), lots, limits, st.booleans(), st.booleans(), positions, books(), st.booleans())
def test_every_order(
    side: Side,
    size: Decimal,
    limit: Decimal | None,
    gtc: bool,
    reduce_only: bool,
    position: Decimal,
    book: tuple[list[Level], list[Level]],
    resting: bool,
) -> None:
    placed = order(side, size, limit, gtc=gtc, reduce_only=reduce_only)
    levels = book[1] if side is BUY else book[0]
    it = instrument()
    if resting and limit is not None:
        matched = match_resting(placed, position, levels, it, RULES)
    else:
        matched = match(placed, position, levels, MARK, it, RULES)
    if matched.refusal is not None:
        assert matched == Matched((), ZERO, ZERO, ZERO, matched.refusal)
        return
    # conserved: what came in went somewhere, once
    assert matched.filled + matched.resting + matched.cancelled == size
    assert matched.filled == sum((trade.contracts for trade in matched.trades), ZERO)
    assert min(matched.filled, matched.resting, matched.cancelled) >= 0
    assert matched.filled <= sum((level.contracts for level in levels), ZERO)
    # never worse than asked for, never worse than the band
    for trade in matched.trades:
        assert trade.contracts > 0
        assert limit is None or (trade.price - limit) * side.sign <= 0
        assert abs(trade.price - MARK) <= MARK * D("0.1")
        assert trade.fee == trade.contracts * trade.price * (MAKER if trade.maker else TAKER)
    # only a good-till-cancelled limit rests
    assert matched.resting == 0 or (gtc and limit is not None) or resting
    # reduce-only never flips and never grows
    if reduce_only:
        after = position + matched.filled * side.sign
        assert after == 0 or same_sign(after, position)
        assert abs(after) <= abs(position)
        assert matched.filled + matched.resting <= abs(position)
