"""Whatever is ordered, the books agree: positions are the sum of fills, money is conserved, reduce-only never flips."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain import ZERO, PositionMode, Symbol, TimeInForce
from simulator.exchange import Conditions, FillKind, Order, PositionSide, Refused

if TYPE_CHECKING:
    from .conftest import MakeShop, Shop

D = Decimal
BTC = Symbol("BTCUSDT")
ORDERS = st.fixed_dictionaries(
    {
        "size": st.integers(min_value=-3000, max_value=3000).map(lambda n: str(n * D("0.001"))),
        "limit": st.none() | st.integers(min_value=-400, max_value=400).map(lambda n: str(50_000 + n * 10)),
        "gtc": st.booleans(),
        "reduce_only": st.booleans(),
        "full_close": st.booleans(),
        "share": st.none() | st.sampled_from([D(0), D("0.3"), D(1)]),
        "move_to": st.none() | st.integers(min_value=49_000, max_value=51_000).map(str),
        "foreign": st.none() | st.integers(min_value=-1000, max_value=1000).map(lambda n: n * D("0.001")),
        "side": st.sampled_from(PositionSide),
    }
)


def act(shop: Shop, what: dict[str, object]) -> Order | None:
    """One thing that happens; None where the exchange refuses."""
    if what["move_to"] is not None:
        shop.pin(str(what["move_to"]))
        shop.clock.move(1)
    foreign = what["foreign"]
    if isinstance(foreign, Decimal):
        shop.exchange.foreign("main", BTC, foreign, FillKind.TRADE)
    share = what["share"]
    hedged = shop.exchange.info("main").position_mode is PositionMode.HEDGE
    order = shop.order(
        str(what["size"]),
        None if what["limit"] is None else str(what["limit"]),
        tif=TimeInForce.GTC if what["gtc"] else TimeInForce.IOC,
        reduce_only=what["reduce_only"],
        full_close=what["full_close"],
        position_side=what["side"] if hedged else PositionSide.NET,
    )
    try:
        with shop.exchange.under(Conditions(partial_fill=share if isinstance(share, Decimal) else None)):
            return shop.exchange.place("main", order)
    except Refused:
        return None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.lists(ORDERS, max_size=12), st.booleans())
def test_books_agree(make_shop: MakeShop, happenings: list[dict[str, object]], hedged: bool) -> None:
    shop = make_shop()
    if hedged:
        shop.exchange.set_position_mode("main", PositionMode.HEDGE)
    account = shop.exchange.state.accounts["main"]
    for what in happenings:
        before = {side: shop.held(side=side) for side in account.sides()}
        order = act(shop, what)
        if order is not None and order.reduce_only and what["foreign"] is None and what["move_to"] is None:
            held, was = shop.held(side=order.position_side), before[order.position_side]
            assert abs(held) <= abs(was)
            assert held == 0 or (held > 0) == (was > 0)
    fills = list(account.fills)
    running = ZERO
    for fill in fills:
        running += fill.contracts * fill.side.sign
        assert fill.position_after == running
        assert fill.closed <= fill.contracts
    assert account.net(BTC) == running
    spent = sum((fill.contracts * fill.side.sign * fill.price for fill in fills), ZERO)
    fees = sum((fill.fee for fill in fills), ZERO)
    mark = shop.exchange.quote(BTC).mark
    equity = shop.exchange.balance("main").equity
    assert abs(equity - (10_000 - spent + running * mark - fees)) < D("1e-15")
    for order in account.orders.values():
        mine = [fill for fill in fills if fill.order_id == order.order_id]
        assert order.filled == sum((fill.contracts for fill in mine), ZERO) <= order.contracts
        assert all(fill.side is order.side for fill in mine)
        if order.price is not None:
            assert all((fill.price - order.price) * order.side.sign <= 0 for fill in mine)
        assert order.open == (order.order_id in account.open)
    if hedged:
        assert shop.held(side=PositionSide.LONG) >= 0 >= shop.held(side=PositionSide.SHORT)
