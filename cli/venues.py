"""`./run venues`: where accounts can be, through whom, and what each place needs. Asks nobody anything."""

from __future__ import annotations

import argparse
import importlib
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from config.credential_entries import NEEDS

if TYPE_CHECKING:
    from account_processors.ccxt_catalogue import Offer
    from core.domain import Capabilities

WIDTH = 116
LEVERAGE = {
    "per_symbol": "set by symbol",
    "per_order": "comes with each order",
    "with_margin_mode": "set together with the margin mode",
}
MARGIN_MODE = {"account": "one for the account", "symbol": "by symbol", "order": "comes with each order"}
ALL_LIMITED = "not in the contract suite"


def venues(args: argparse.Namespace) -> int:
    found = listing()
    if args.json:
        print(json.dumps(found, indent=2))
        return 0
    for line in lines(found):
        print(line)
    return 0


def listing() -> dict[str, Any]:
    """What `--json` prints. ccxt is loaded here and not with this module: other verbs have no use for it."""
    from account_processors import REGISTRY
    from account_processors.ccxt_catalogue import offers, version

    through = offers()
    return {
        "schema": 1,
        "native": [native(venue, place) for venue, place in REGISTRY.items()],
        "ccxt": {
            "version": version(),
            "count": sum(not one.impossible for one in through),
            "exchanges": [exchange(one) for one in through if not one.impossible],
            "impossible": {one.exchange: one.impossible for one in through if one.impossible},
        },
    }


def native(venue: str, place: str) -> dict[str, Any]:
    can: Capabilities = importlib.import_module(place.partition(":")[0]).CAPABILITIES
    return {
        "venue": venue,
        "credentials": list(NEEDS.get(venue, ())),
        "position_mode": "read",
        "leverage": can.leverage.value,
        "margin_mode": can.margin_mode_scope.value,
        "lookup_by_client_id": can.find_by_client_id,
        "unseen_orders_die_after_s": can.validity_s,
        "limits": [],
    }


def exchange(one: Offer) -> dict[str, Any]:
    return {
        "venue": one.exchange,
        "name": one.name,
        "credentials": list(one.credentials),
        "proven": one.proven,
        "position_mode": one.position_mode,
        "leverage": one.leverage,
        "margin_mode": one.margin_mode,
        "lookup_by_client_id": one.lookup,
        "limits": list(one.limits),
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield "The engine's own adapters. One-way position mode everywhere; docs/venues/<venue>.md has the rest."
    for row in found["native"]:
        yield from described(row)
    through = found["ccxt"]
    yield ""
    yield (
        f"Through ccxt {through['version']}: {through['count']} exchanges with linear perpetuals; "
        "docs/venues/ccxt.md says what is promised."
    )
    yield (
        "Where nothing else is said: an order whose answer was lost and which the exchange does not show is waited "
        "for until `./run resolve`."
    )
    for row in through["exchanges"]:
        yield from described(row)
    yield ""
    yield "Not through ccxt:"
    for venue, why in through["impossible"].items():
        yield f"  {venue:<22}{why}"


def described(row: Mapping[str, Any]) -> Iterator[str]:
    found = "found by our id" if row["lookup_by_client_id"] else "not found by our id"
    modes = f"leverage {LEVERAGE[row['leverage']]}; margin mode {MARGIN_MODE[row['margin_mode']]}"
    yield f"  {row['venue']:<22}{', '.join(row['credentials'])}"
    yield f"{'':<24}{modes}; orders {found}"
    for limit in row["limits"]:
        if limit.startswith(ALL_LIMITED):
            continue  # said once, above the list
        yield from textwrap.wrap(limit, WIDTH, initial_indent=f"{'':<24}! ", subsequent_indent=f"{'':<26}")
