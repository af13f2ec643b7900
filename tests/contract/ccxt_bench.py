"""ccxt's bybit, kucoinfutures and mexc as adapters against the simulated venues; see `suite.venue`.

Everything but the adapter and what ccxt's own tables prove is that of the venue's own bench.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from account_processors.ccxt_exchange import exchange_class
from account_processors.ccxt_processor import factory
from account_processors.codecs.ccxt_errors import verdict
from account_processors.codecs.ccxt_facts import facts_of
from account_processors.codecs.verdicts import Verdict
from core.domain import ClientId, PlaceOrder
from core.ports import Request
from tests.contract.bybit_bench import BENCH as BYBIT
from tests.contract.kucoin_bench import BENCH as KUCOIN
from tests.contract.mexc_bench import BENCH as MEXC
from tests.contract.suite.venue import Ban, Burst, VenueBench

__all__ = ["BENCHES", "WAIVED"]

CONVERTED = 6
"""MEXC's market order that becomes a limit at the present price; ccxt uses it for its market orders."""

TIF = "timeInForce"
"""ccxt leaves it out where the venue takes IOC of market orders, GTC of limits, for granted."""


def exact(exchange: str) -> Iterator[tuple[str, type[Exception]]]:
    """Every code in ccxt's exact tables of an exchange, however deep they are nested."""

    def inside(table: Mapping[str, Any]) -> Iterator[tuple[str, type[Exception]]]:
        for name, value in table.items():
            if isinstance(value, dict):
                yield from inside(value)
            else:
                yield str(name), value

    made = exchange_class(exchange)({"session": object()})
    return inside(made.exceptions.get("exact", {}))


def proven(exchange: str) -> dict[str, Verdict]:
    """What the adapter takes each code of ccxt's for; codes only, not words."""
    facts, found = facts_of(exchange), dict[str, Verdict]()
    for code, kind in exact(exchange):
        kinds = tuple(one.__name__ for one in kind.__mro__)
        known = verdict(kinds, code, facts.means)
        if known is not None and code.isdigit() and code not in facts.not_proof:
            found[code] = known
    return found


WAIVED: Mapping[str, frozenset[str]] = {
    "ccxt-bybit": frozenset(
        [
            "test_a_key_that_may_not_trade_is_a_problem_and_its_orders_are_denied",
            "test_instruments_are_the_venues_own_facts",
            "test_accounts_share_public_data",
        ]
    ),
    "ccxt-mexc": frozenset(
        [
            "test_a_key_that_may_not_trade_is_a_problem_and_its_orders_are_denied",
            "test_instruments_are_the_venues_own_facts",
            "test_what_others_did_to_the_account_is_told_apart",
        ]
    ),
    "ccxt-kucoinfutures": frozenset(
        [
            "test_a_key_that_may_not_trade_is_a_problem_and_its_orders_are_denied",
            "test_instruments_are_the_venues_own_facts",
        ]
    ),
}
"""What docs/venues/ccxt.md says is not promised; `test_ccxt_adapter` has what is promised instead."""


def with_defaults(own: VenueBench, **fields: Any) -> Callable[[Request], tuple[PlaceOrder, ClientId]]:
    """The venue's own reading of a body, in which ccxt leaves out what the venue takes for granted."""

    def intent(request: Request) -> tuple[PlaceOrder, ClientId]:
        body = json.loads(request.body)
        if body.get("type") == CONVERTED:
            body["type"] = 5
        market = "market" in (str(body.get("orderType")).lower(), str(body.get("type")).lower())
        taken_for_granted = {name: value for name, value in fields.items() if name != TIF}
        taken_for_granted |= {TIF: "IOC" if market else "GTC"} if TIF in fields else {}
        return own.intent(replace(request, body=json.dumps(taken_for_granted | body).encode()))

    return intent


def bench(exchange: str, own: VenueBench, fields: Mapping[str, Any], **changes: Any) -> VenueBench:
    of_orders = {code: verdict for code, verdict in proven(exchange).items() if code in own.codes.proven}
    codes = replace(own.codes, proven=of_orders)
    changed: dict[str, Any] = {
        "place": replace(own.place, factory=factory(exchange)),
        "named": f"ccxt-{exchange}",
        "codes": codes,
        "intent": with_defaults(own, **fields),
        "unstated": frozenset({"venue_symbol", *changes.pop("unstated", ())}),
        "price_requests": (1, 1, 1),
        "rests_s": 60.0,
        "ban": Ban("403", facts_of(exchange).banned_s),
        **changes,
    }
    return replace(own, **changed)


BENCHES = (
    bench(
        "bybit",
        BYBIT,
        {"positionIdx": 0, "reduceOnly": False, TIF: ""},
        unstated=("max_market_contracts",),
        burst=Burst(orders=24, windows=3, window_s=1.02, at_once=8),
        absent_after=("GET /v5/order/realtime", "GET /v5/order/history"),
    ),
    bench(
        "kucoinfutures",
        KUCOIN,
        {"reduceOnly": False, TIF: ""},
        unstated=("max_market_contracts",),
        burst=Burst(orders=60, windows=3, window_s=1.02, at_once=10),
    ),
    bench(
        "mexc",
        MEXC,
        {"reduceOnly": False},
        # ccxt reads its own class into a code that is text, or stands beside no word of failure.
        proves_nothing=tuple(one for one in MEXC.proves_nothing if "2005" not in one or '"success": true' in one),
        unstated=("max_market_contracts",),
        absent_after=(
            "GET /api/v1/private/order/list/open_orders",
            "GET /api/v1/private/order/list/history_orders",
        ),
    ),
)
