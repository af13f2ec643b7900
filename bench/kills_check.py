"""PURE: whether killed programs left the venue's books as the alerts say, from the ledger, the raw log and the alerts.

The venue's prices were pinned, so the equity at any instant follows from the fills, and the size of an alert from the
equity when it came. Nothing here asks what the engine believes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

EQUITY_AGE_S = 35.0
"""How old the equity may be that a size was counted with."""
EQUITY_TOLERANCE = Decimal("0.001")
"""Funding is the one thing that moves equity without a fill."""


class Unusable(Exception):
    """The ledger cannot be judged; the text says why."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it was sent. `depth` is signed, `sent_at` epoch seconds; `acknowledged`: a 200 came back."""

    event_id: str
    symbol: str
    depth: Decimal
    sent_at: float
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """How a depth becomes a size: `share` is weight x leverage, `lot` in base units, `price` as pinned."""

    price: Decimal
    lot: Decimal
    share: Decimal

    def size(self, depth: Decimal, equity: Decimal) -> Decimal:
        """Signed base units, toward zero to the lot."""
        lots = equity * depth * self.share / self.price / self.lot
        return lots.quantize(Decimal(1), ROUND_DOWN) * self.lot


@dataclass(frozen=True, slots=True)
class Findings:
    """What stands in the report; `details` says each failure in words."""

    acknowledged_lost: int
    at_target: bool
    duplicate_exposure: int
    client_ids_reused: int
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    at: float
    symbol: str
    before: Decimal
    after: Decimal


class Equity:
    """The account's equity over time: constant between fills, because prices are pinned."""

    def __init__(self, account: Mapping[str, Any], terms: Mapping[str, Terms]) -> None:
        """Raises `Unusable` where the ledger is not whole, or its equity is not what its fills make."""
        if account["dropped"]["fills"] or account["dropped"]["orders"]:
            raise Unusable("the venue forgot its oldest orders or fills: fewer kills, or a smaller share of chunks")
        self._times: list[float] = []
        self._values = [Decimal(0)]
        for fill in account["fills"]:
            quantity, price = Decimal(fill["quantity"]), Decimal(fill["price"])
            won = quantity * (terms[fill["symbol"]].price - price) - Decimal(fill["fee"])
            self._times.append(float(fill["time"]))
            self._values.append(self._values[-1] + won)
        end = Decimal(account["equity"])
        start = end - self._values[-1]
        self._values = [start + won for won in self._values]
        self.start = start

    def between(self, since: float, until: float) -> tuple[Decimal, Decimal]:
        """The lowest and the highest equity in force from `since` to `until`."""
        first, last = bisect_right(self._times, since), bisect_right(self._times, until)
        found = self._values[first : last + 1]
        return min(found), max(found)


def check(
    account: Mapping[str, Any],
    raw: Sequence[str],
    alerts: Sequence[Alert],
    terms: Mapping[str, Terms],
    start_equity: Decimal,
) -> Findings:
    """Judges one account's ledger. `raw`: the alerts' ids in the order of the raw log; `alerts` in the order sent.

    Raises `Unusable` for a ledger that cannot be judged.
    """
    equity = Equity(account, terms)
    if abs(equity.start - start_equity) > start_equity * EQUITY_TOLERANCE:
        raise Unusable(f"the fills do not explain the equity: it would have begun with {equity.start:.2f}")
    by_id = {alert.event_id: alert for alert in alerts}
    order = list(dict.fromkeys(raw))
    strange = [event for event in order if event not in by_id]
    if strange:
        raise Unusable(f"the raw log holds alerts that were not sent: {strange[:3]}")
    durable = [by_id[event] for event in order]
    lost = [alert for alert in alerts if alert.acknowledged and alert.event_id not in set(order)]
    details = [f"acknowledged and not in the raw log: {alert.event_id}" for alert in lost]
    off = list(_off_target(account, durable, terms, equity))
    doubled = [text for symbol in terms for text in exposures(account, symbol, durable, terms[symbol], equity)]
    reused = {i: n for i, n in Counter(o["client_id"] for o in account["orders"]).items() if i is None or n > 1}
    details += [*off, *doubled, *(f"client id {i} was used {n} times" for i, n in reused.items())]
    return Findings(len(lost), not off, len(doubled), len(reused), tuple(details))


def _range(alert: Alert, terms: Terms, equity: Equity, until: float) -> tuple[Decimal, Decimal]:
    """The sizes the alert may have been given until an instant, smaller magnitude first."""
    low, high = equity.between(alert.sent_at - EQUITY_AGE_S, until)
    return terms.size(alert.depth, low), terms.size(alert.depth, high)


def _off_target(
    account: Mapping[str, Any], durable: Sequence[Alert], terms: Mapping[str, Terms], equity: Equity
) -> Iterator[str]:
    """Symbols whose position is not what the last durable alert asks for."""
    last = {alert.symbol: alert for alert in durable}
    for symbol, own in terms.items():
        held = Decimal(account["positions"].get(symbol, "0"))
        small = large = Decimal(0)
        if symbol in last:
            small, large = _range(last[symbol], own, equity, float("inf"))
        if not min(small, large) <= held <= max(small, large):
            yield f"{symbol} holds {held}, asked for are {small} to {large}"


def exposures(
    account: Mapping[str, Any], symbol: str, durable: Sequence[Alert], terms: Terms, equity: Equity
) -> Iterator[str]:
    """Fills that no alert explains.

    The engine works through the alerts in their order and may skip any of them, never go back: each fill must lead
    toward the size of one alert, sent before it and not earlier than the one the previous fill followed, and at most a
    lot beyond.
    """
    own = [alert for alert in durable if alert.symbol == symbol]
    followed = 0
    for fill in fills_of(account, symbol):
        for number in range(followed, len(own)):
            if own[number].sent_at <= fill.at and _leads_to(fill, own[number], terms, equity):
                followed = number
                break
        else:
            yield f"{symbol} went from {fill.before} to {fill.after} at {fill.at:.3f}, which no alert asked for"


def fills_of(account: Mapping[str, Any], symbol: str) -> Iterator[Fill]:
    before = Decimal(0)
    for fill in account["fills"]:
        if fill["symbol"] == symbol:
            after = Decimal(fill["position_after"])
            yield Fill(float(fill["time"]), symbol, before, after)
            before = after


def _leads_to(fill: Fill, alert: Alert, terms: Terms, equity: Equity) -> bool:
    small, large = _range(alert, terms, equity, fill.at)
    if abs(fill.after) > abs(fill.before) or fill.after * fill.before < 0:
        return fill.after * large > 0 and abs(fill.after) <= abs(large) + terms.lot
    if small * fill.before <= 0:
        return True  # the alert is flat, or on the other side: any reduction leads there
    return abs(fill.after) >= abs(small) - terms.lot
