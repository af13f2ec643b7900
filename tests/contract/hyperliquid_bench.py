"""The Hyperliquid adapter against the simulated venue; see `adapter_bench` and `suite.venue`.

The venue of the suite closes a position with a reduce-only order that is larger; see `test_hyperliquid_adapter` for one
that refuses it, as it is at its worst.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from account_processors.codecs.hyperliquid import order_of_body
from account_processors.codecs.hyperliquid_errors import PROVEN
from account_processors.hyperliquid_processor import HyperliquidProcessor
from core.domain import ClientId, PlaceOrder
from core.ports import Request
from simulator.exchange import Exchange
from simulator.facades import Facade, VenueKind
from simulator.facades.hyperliquid import RULES, VENUE, HyperliquidFacade
from simulator.facades.hyperliquid.context import Behaviour
from simulator.instruments import load_listings
from tests.contract import adapter_bench
from tests.contract.adapter_bench import BTC, ETH, Bench, Place, Scenario, T
from tests.contract.suite.venue import Burst, Codes, VenueBench

__all__ = ["BENCH", "BTC", "COINS", "CREATE", "ETH", "Bench", "address", "bodies", "facade", "run"]

INFO, CREATE = "POST /info", "POST /exchange"
COINS = tuple(listing.instrument.venue_symbol for listing in load_listings("hyperliquid"))
FILLED = '{"status":"ok","response":{"type":"order","data":{"statuses":[%s]}}}'
KIND = VenueKind("hyperliquid", RULES, partial(HyperliquidFacade, behaviour=Behaviour(cuts_reductions=True)))


def intent(request: Request) -> tuple[PlaceOrder, ClientId]:
    return order_of_body(request.body, COINS)


def stamp(request: Request) -> str | None:
    """The nonce of an action."""
    body = json.loads(request.body)
    return str(body["nonce"]) if "nonce" in body else None


BENCH = VenueBench(
    place=Place(HyperliquidProcessor, KIND),
    create=CREATE,
    intent=intent,
    codes=Codes(
        success="ok",
        proven=PROVEN,
        unproven=("DuplicateNonce", "MissingOrder", "Something else happened", "Internal error"),
        no_trade_right="UnknownWallet",
        nothing_to_reduce="ReduceOnly",
        wrong={},
        duplicate_id=None,
    ),
    burst=Burst(orders=120, windows=2, window_s=1.02),
    headers=frozenset({"content-type"}),
    stamp=stamp,
    proves_nothing=(
        FILLED % "",
        FILLED % "{}",
        FILLED % '"waitingForFill"',
        FILLED % '{"filled":{"totalSz":"99","avgPx":"50000","oid":1}}',
        FILLED % '{"filled":{"totalSz":"0.012","avgPx":"50000"}}',
        FILLED % '{"resting":{"oid":1}},{"resting":{"oid":2}}',
        FILLED % '{"resting":{"oid":"x"}}',
        '{"status":"ok","response":{"type":"default"}}',
        '{"status":"ok","status":"err","response":"Order has zero size."}',
        '{"status":"err","response":{"error":"Order has zero size."}}',
        '{"status":"err"}',
        '{"status":NaN}',
    ),
    bad_reads=(("status", 429), ("status", 422), ("status", 500), ("garbage", '"text"'), ("garbage", "[1]")),
    price_requests=(1, 1, 1),
    absent_after=(INFO, INFO),
    rests_s=10.0,
    open_orders=123,
    hedge_mode=False,
    reads_are_signed=False,
    unstated=frozenset({"tick", "max_contracts", "max_market_contracts"}),
    empty_is_an_answer=True,
)


def run(
    where: str,
    scenario: Scenario[T],
    *,
    rtt_s: float = 0.0,
    accounts: int = 2,
    build: Callable[[Exchange], Facade] = VENUE.build,
) -> T:
    """`build` puts another facade on the exchange, for what the venue may do where nobody documents it."""
    place = Place(HyperliquidProcessor, VenueKind("hyperliquid", RULES, build))
    return adapter_bench.run(place, where, scenario, rtt_s=rtt_s, accounts=accounts)


def facade(bench: Bench) -> HyperliquidFacade:
    found = bench.world.venues["hyperliquid"].facade
    assert isinstance(found, HyperliquidFacade)
    return found


def address(bench: Bench, name: str = "main") -> str:
    return facade(bench).wallets.masters[name].address


def bodies(bench: Bench) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in bench.recorder.sent]
