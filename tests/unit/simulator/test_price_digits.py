"""A venue whose prices have so many significant figures, whatever the contract's tick."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from core.domain import Symbol
from simulator.exchange import Reason, Refused, VenueRules

if TYPE_CHECKING:
    from .conftest import MakeShop

D = Decimal
BTC = Symbol("BTCUSDT")


@pytest.mark.parametrize(
    ("price", "tick", "step"),
    [
        ("64000.5", "0.1", "1"),
        ("123456", "0.1", "1"),  # whole numbers may have more figures
        ("9999.9", "0.1", "0.1"),
        ("3100.5", "0.01", "0.1"),
        ("310.05", "0.01", "0.01"),
        ("31.005", "0.01", "0.01"),  # the contract's own tick is the finest
        ("0.012345", "0.000001", "0.000001"),
        ("0.12345", "0.000001", "0.00001"),
    ],
)
def test_steps(price: str, tick: str, step: str) -> None:
    assert VenueRules("here", price_digits=5).tick_at(D(price), D(tick)) == D(step)
    assert VenueRules("here").tick_at(D(price), D(tick)) == D(tick)


def test_orders_and_quotes_keep_to_them(make_shop: MakeShop) -> None:
    shop = make_shop(price_digits=5)
    shop.pin("50000.7")
    quote = shop.exchange.quote(BTC)
    assert (quote.mark, quote.last) == (D("50001"), D("50001"))
    assert {quote.bid % 1, quote.ask % 1} == {0}
    assert {level.price % 1 for side in shop.exchange.book(BTC, 20) for level in side} == {0}
    with pytest.raises(Refused) as caught:
        shop.place("0.1", "49000.5")
    assert caught.value.reason is Reason.BAD_TICK
    assert shop.place("0.1", "49000").price == 49_000
