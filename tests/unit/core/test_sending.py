"""The last look before an order may be prepared: what would break an invariant is not sent, whoever planned it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.domain import MarginMode, OrderKind, PlaceOrder, Side, TimeInForce
from core.errors import InvariantBreach
from core.execution.account import Account
from core.execution.sending import Permission, Sent, assert_invariants, send
from core.records import intent_record
from tests.unit.core.builders import BTC, NOW, d
from tests.unit.core.execution_parts import StillClock, account_of
from tests.unit.core.test_memory import VERIFIED_FLAT, intent, size_record


def order(signed: str, *, reduces: bool) -> PlaceOrder:
    kind, price = (OrderKind.MARKET, None) if reduces else (OrderKind.LIMIT, d(100))
    side, size = Side.of(d(signed)), abs(d(signed))
    return PlaceOrder(BTC, side, size, kind, price, TimeInForce.IOC, reduces, d(5), MarginMode.ISOLATED)


def account(*, unresolved: bool = False) -> Account:
    """An account that asks its venue nothing: whoever tries fails the test."""
    sent = [intent_record(intent())] if unresolved else []
    return account_of(None, StillClock(), VERIFIED_FLAT, size_record(), *sent)


# name, order, reduces, fenced, stored, unresolved, the invariant it breaks
ORDERS = [
    ("up to what is stored", "4", False, "6", "10", False, None),
    ("beyond what is stored", "5", False, "6", "10", False, "I1"),
    ("beyond a short", "-5", False, "-6", "-10", False, "I1"),
    ("through zero to beyond it", "-17", False, "6", "-10", False, "I1"),
    ("beside an unresolved one", "4", False, "6", "10", True, "I2"),
    ("all of it", "-6", True, "6", "0", False, None),
    ("all of a short", "6", True, "-6", "0", False, None),
    ("beside an unresolved increase", "-6", True, "6", "0", True, None),
    ("more than there is", "-7", True, "6", "0", False, "I4"),
    ("more than there is of a short", "7", True, "-6", "0", False, "I4"),
    ("of nothing", "-1", True, "0", "0", False, "I4"),
    ("that would add", "1", True, "6", "10", False, "I4"),
]


@pytest.mark.parametrize(
    ("signed", "reduces", "fenced", "stored", "unresolved", "broken"),
    [row[1:] for row in ORDERS],
    ids=[f"{'a reduction' if row[2] else 'an increase'} {row[0]}" for row in ORDERS],
)
def test_an_order_that_breaks_an_invariant_is_not_sent(
    signed: str, reduces: bool, fenced: str, stored: str, unresolved: bool, broken: str | None
) -> None:
    permission = Permission(d(fenced), d(stored), 1)
    wanted = order(signed, reduces=reduces)
    if broken is None:
        assert_invariants(account(unresolved=unresolved), wanted, permission)
        return
    with pytest.raises(InvariantBreach, match=broken):
        assert_invariants(account(unresolved=unresolved), wanted, permission)


def test_a_breach_stops_the_account_and_asks_the_venue_nothing() -> None:
    stopped = account()
    permission = Permission(Decimal(6), Decimal(10), 1)
    sent = asyncio.run(send(stopped, order("5", reduces=False), permission, lambda: None))
    assert sent is Sent.NOT_SENT
    assert stopped.orders_sent == 0
    assert [trip.because for trip in stopped.memory.watch.trips if "I1" in trip.because]
    assert stopped.clock.time() == NOW
