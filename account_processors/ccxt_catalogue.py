"""What ccxt offers, exchange by exchange, read from what ccxt states of itself. Nothing is asked over the network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import ccxt.async_support as sdk

from account_processors import REGISTRY
from account_processors.ccxt_exchange import CREDENTIALS, exchange_class, feature
from account_processors.codecs.ccxt import TICK_SIZE
from account_processors.codecs.ccxt_facts import REFUSED, Facts, facts_of, resolved

MUST_HAVE = ("createOrder", "fetchBalance", "fetchMarkets", "fetchPositions", "fetchTickers")
NO_SWAPS = "ccxt knows no linear perpetuals there"
FIELDS = tuple(CREDENTIALS)
MAY_LACK = "what it shows as missing proves nothing, so after an answer that was lost it waits for `./run resolve`"


@dataclass(frozen=True, slots=True)
class Offer:
    """One exchange. `credentials`: fields of credentials.json; `impossible`: why it cannot be traded, '' where it can.

    `proven`: the contract suite runs over it. `lookup`: our orders can be looked up by our id. `limits`: what is not
    promised, each in words.
    """

    exchange: str
    name: str
    credentials: tuple[str, ...]
    proven: bool
    leverage: str
    margin_mode: str
    position_mode: str
    lookup: bool
    limits: tuple[str, ...]
    impossible: str


def offers() -> tuple[Offer, ...]:
    """Every exchange with swaps that ccxt knows and the engine has no adapter of its own for."""
    found = (offer(exchange) for exchange in sorted(sdk.exchanges) if exchange not in REGISTRY)
    return tuple(one for one in found if one.impossible != NO_SWAPS)


def version() -> str:
    return str(sdk.__version__)


@cache
def offer(exchange: str) -> Offer:
    """Raises `ConfigError` where ccxt knows no such exchange."""
    # A session that is given is not made.
    made = exchange_class(exchange)({"enableRateLimit": False, "session": object()})
    facts = resolved(facts_of(exchange), lambda method: bool(made.has.get(method)), lambda *of: feature(made, *of))
    needed = tuple(name for name, wanted in made.requiredCredentials.items() if wanted)
    return Offer(
        exchange=exchange,
        name=str(made.name),
        credentials=tuple(CREDENTIALS.get(name, name) for name in needed),
        proven=facts.proven,
        leverage=str(facts.leverage),
        margin_mode=str(facts.margin_mode),
        position_mode=_position_mode(made),
        lookup=finds(made),
        limits=tuple(_limits(made, facts)),
        impossible=_impossible(made, needed),
    )


def finds(made: Any) -> bool:
    """Whether any list or lookup shows orders, those that ended too."""
    now = made.has.get("fetchOrder") or made.has.get("fetchOpenOrders")
    ended = any(made.has.get(name) for name in ("fetchCanceledAndClosedOrders", "fetchOrders", "fetchClosedOrders"))
    return bool(now and ended)


def _position_mode(made: Any) -> str:
    if made.has.get("fetchPositionMode") or made.has.get("fetchPosition"):
        return "read"
    return "not read" if made.has.get("setPositionMode") else "one-way only, as far as ccxt knows"


def _impossible(made: Any, needed: tuple[str, ...]) -> str:
    linear = made.features.get("swap", {}) if isinstance(made.features, dict) else {}
    if made.options.get("defaultSubType") == "inverse":
        return NO_SWAPS
    if not made.has.get("swap") or (isinstance(linear, dict) and "linear" in linear and linear["linear"] is None):
        return NO_SWAPS
    if lacking := [name for name in MUST_HAVE if not made.has.get(name)]:
        return f"ccxt has no {', '.join(lacking)} there"
    if made.precisionMode != TICK_SIZE:
        return "ccxt gives its steps as digits, not as sizes"
    if made.id in REFUSED:
        return REFUSED[made.id]
    if unknown := [name for name in needed if name not in FIELDS]:
        return f"it wants {', '.join(unknown)}, which credentials.json has no field for"
    if not needed:
        return "ccxt does not say which credentials it wants"
    return ""


def _limits(made: Any, facts: Facts) -> list[str]:
    has, found = made.has.get, []
    if not facts.proven:
        found.append(f"not in the contract suite: {MAY_LACK}")
    if not finds(made):
        found.append("orders that ended are not listed: an order filled in part waits for `./run resolve`")
    if facts.leverage == "per_symbol" and not has("fetchLeverage"):
        found.append("leverage cannot be read, so nothing is opened")
    if not has("fetchMyTrades"):
        found.append("no list of executions: what others traded shows only after 35 s")
    if not has("fetchTime"):
        found.append("its clock cannot be read: keep this machine's synchronized")
    if _position_mode(made) == "not read":
        found.append("position mode cannot be read while flat: set it to one-way yourself")
    if facts.margin_mode == "account" and not has("fetchMarginMode"):
        found.append("margin mode cannot be read: set it yourself")
    kept = feature(made, "createOrder", "timeInForce")
    if isinstance(kept, dict) and kept.get("IOC") is False:
        found.append("no immediate-or-cancel orders, so nothing is opened")
    return found
