"""What may go wrong: one function per kind, each drawing its details from the seed's chance.

Faults of the network and the venue go through the simulator; what people and programs do to files, disk, clock and
positions happens here. Every hit is counted under its kind, per venue.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from chaos.house import House
from simulator.faults import Kind

REQUEST_FAULTS: tuple[tuple[str, Any], ...] = (
    ("drop_before", None), ("drop_after", None), ("hang", None), ("garbage", None), ("empty", None), ("reset", None),
    ("status", 502), ("status", 429), ("status", 503), ("delay_ms", 3000), ("delay_ms", 700),
    ("stale_positions_ms", 10_000), ("stale_positions_ms", 3_000), ("partial_fill", "0.5"), ("partial_fill", "0"),
    ("accept_duplicate_ids", None), ("reject_code", None), ("duplicate", 1), ("duplicate", 2), ("reorder", 900),
)  # fmt: skip
ORDERS_HURT = ("drop_before", "drop_after", "hang", "garbage", "empty", "reset", "status", "delay_ms")
STREAM_FAULTS: tuple[tuple[str, Any], ...] = (
    ("ws_gap", 3), ("ws_duplicate", 3), ("drop_before", None), ("drop_after", None), ("hang", 20_000), ("reset", None),
    ("delay_ms", 2000), ("garbage", None), ("empty", None),
)  # fmt: skip
MATCHES = (
    "order_create", "order_create", "order_create", "order_query", "order_query", "positions", "positions", "equity",
    "prices", "instruments", "leverage", "margin_mode", "any",
)  # fmt: skip
AIMED: Mapping[str, str] = {
    "stale_positions_ms": "positions", "partial_fill": "order_create", "accept_duplicate_ids": "order_create",
    "reject_code": "order_create",
}  # fmt: skip
CODES: Mapping[str, tuple[str, ...]] = {
    "bybit": ("110007", "10016", "10006", "10002"),
    "blofin": ("103003", "152407", "500", "103013"),
    "kucoin": ("300003", "300018", "400002", "500000"),
    "mexc": ("2005", "2042", "510", "513"),
    "hyperliquid": ("PerpMargin", "IocCancel", "DuplicateNonce"),
}
TOO_MANY = 429
BANS_S: Mapping[str, float] = {"blofin": 300.0}
"""Venues that are documented to shut an address out once it asked too much, and for how long."""
OTHER_CODES = ("500",)


class Counts:
    """Faults that happened, by venue and kind."""

    def __init__(self) -> None:
        self._by_venue: dict[str, Counter[str]] = {}
        self._seen: dict[int, int] = {}
        self.banned_until_s = 0.0
        """Until then a venue may be left alone because it said so (monotonic seconds)."""

    def add(self, venue: str, kind: str, count: int = 1) -> None:
        if count:
            self._by_venue.setdefault(venue, Counter())[kind] += count

    def collect(self, house: House) -> None:
        """Takes over what the simulator's faults have hit since the last time."""
        for fault in house.sim.world.faults.all():
            aimed = f"stream_{fault.kind}" if fault.match == "stream" else str(fault.kind)
            if fault.kind is Kind.DELAY_MS and fault.match == "any" and fault.probability is not None:
                aimed = "reorder"
            hits = fault.hits - self._seen.get(fault.id, 0)
            self.add(fault.venue, aimed, hits)
            if hits and fault.kind is Kind.STATUS and fault.value == TOO_MANY:
                until_s = house.clock.monotonic() + BANS_S.get(fault.venue, 0.0)
                self.banned_until_s = max(self.banned_until_s, until_s)
            self._seen[fault.id] = fault.hits

    def rows(self) -> dict[str, dict[str, int]]:
        return {venue: dict(sorted(kinds.items())) for venue, kinds in sorted(self._by_venue.items())}


def request_fault(house: House, chance: random.Random) -> str:
    """Arms one fault on a venue's requests; mostly for a few hits, sometimes for many by chance."""
    venue = chance.choice(list(house.scene.accounts))
    kind, value = chance.choice(REQUEST_FAULTS)
    if kind == ("duplicate" if house.scene.takes_ids_twice else "accept_duplicate_ids"):
        return f"no {kind} in this seed: with the other it would double an order that we sent once"
    body: dict[str, Any] = {"venue": venue, "match": AIMED.get(kind) or chance.choice(MATCHES), "kind": kind}
    if kind in ORDERS_HURT and chance.random() < 0.4:
        body["match"] = "order_create"
    if kind in ("hang", "garbage", "empty", "reset", "status") and chance.random() < 0.6:
        body["landed"] = chance.random() < 0.5
    if kind == "reject_code":
        value = chance.choice(CODES.get(venue, OTHER_CODES))
    if value is not None:
        body["value"] = value
    if kind == "reorder":
        body |= {"match": "any", "kind": "delay_ms", "probability": "0.4", "count": 20}
    elif kind == "stale_positions_ms" or chance.random() < 0.15:
        body["probability"] = chance.choice(("0.3", "0.5", "0.9"))
        body["count"] = chance.randint(2, 12)
    else:
        body["count"] = chance.randint(1, 3)
    house.sim.admin.fault(body)
    return _worded(body)


def stream_fault(house: House, chance: random.Random) -> str:
    venue = chance.choice(list(house.scene.accounts))
    kind, value = chance.choice(STREAM_FAULTS)
    body: dict[str, Any] = {"venue": venue, "match": "stream", "kind": kind, "count": chance.randint(1, 4)}
    if value is not None:
        body["value"] = value
    house.sim.admin.fault(body)
    return _worded(body)


def _worded(body: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in body.items() if name not in ("venue", "match", "kind")}
    more = " ".join(f"{name}={value}" for name, value in rest.items())
    return f"fault {body['kind']} on {body['venue']} {body['match']} {more}"


def weighted(chance: random.Random, menu: Mapping[Callable[..., Any], int]) -> Callable[..., Any]:
    """One of the menu's entries, as likely as its weight says."""
    return chance.choices(list(menu), weights=list(menu.values()))[0]
