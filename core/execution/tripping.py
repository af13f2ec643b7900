"""An account's trips at run time: looked at with every read of its equity, and before every increase.

The decisions are `core.trips`; here they are journaled and told. A dry run watches nothing: it sends nothing either.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.domain import ZERO, AccountId, Hold, PlaceOrder, Policy, Symbol, plain
from core.events import AccountChanged
from core.execution.account import Account
from core.limits import equity_hold, held
from core.trips import Day, Rule, Trip, Watch, below_kill, day_due, due, notional_due, overdue, utc_date

EQUITY_EVERY_S = 30.0
KILL_READS_APART_S = 1.0
"""Closing everything takes two reads at least so far apart."""


def equity_every_s(account: Account, policy: Policy) -> float:
    """How old the equity may become: that of an account that may have to be flattened is read in every cycle."""
    if account.kill_seen_at is not None:
        return KILL_READS_APART_S
    if policy.trips.kill_loss_pct is not None:
        return min(max(policy.reconcile_interval_s, KILL_READS_APART_S), EQUITY_EVERY_S)
    return EQUITY_EVERY_S


def look(account: Account, policy: Policy) -> bool:
    """Begins the day when it is due and every trip that is. True when the loop has something new to look at."""
    now, equity = account.clock.time(), account.equity
    account.limits = policy
    if account.journal is None or account.dry:
        return False
    day = day_due(account.memory.watch.day, equity, now)
    if day is not None:
        account.record("DAY", day=day.date, equity=plain(day.equity))
    killed, first = _killed(account, policy)
    for trip in due(account.memory.watch, policy.trips, equity, now, killed=killed):
        begin(account, trip)
        first = True
    _watch_closeout(account, policy, now)
    return first


def _killed(account: Account, policy: Policy) -> tuple[bool, bool]:
    """Whether two reads in a row were below the line, and whether this is the first that is."""
    equity = account.equity
    if equity is None or not below_kill(account.memory.watch, policy.trips, equity):
        account.kill_seen_at = None
        return False, False
    first = account.kill_seen_at is None
    account.kill_seen_at = equity.at if account.kill_seen_at is None else account.kill_seen_at
    return equity.at - account.kill_seen_at >= KILL_READS_APART_S, first


def begin(account: Account, trip: Trip) -> None:
    """Journals a trip and tells it. One of the same rule that stands already is not begun again."""
    if account.memory.watch.standing(trip.rule):
        return
    account.record("TRIPPED", rule=trip.rule.value, because=trip.because, flatten=trip.flatten, at=trip.at)
    account.tell(AccountChanged, state="held", because=trip_words(account.id, trip))


def trip_words(account: AccountId, trip: Trip, closeout: str = "") -> str:
    """What happened, what follows and what lifts it; `closeout`: why the closing counts as failed."""
    effect = "everything managed is closed and nothing increases" if trip.flatten else "nothing increases"
    more = f" {closeout}." if trip.flatten and closeout else ""
    return f"stopped itself: {trip.because}; {effect}.{more} `./run resume {account}` lifts it"


def trip_holds(account: AccountId, watch: Watch, closeout: str = "") -> list[Hold]:
    """What an account's trips stand against; the one that closes everything is told first."""
    ordered = sorted(watch.trips, key=lambda trip: not trip.flatten)
    return [held(trip_words(account, trip, closeout)) for trip in ordered]


def breach(account: Account, because: str) -> None:
    """An order would have broken an invariant: a bug, so the account does not increase until somebody looked."""
    begin(account, Trip(Rule.INVARIANT, account.clock.time(), f"{because}. Please report it"))


def lift(account: Account) -> None:
    """`./run resume ACCOUNT`: everything is counted anew, the day from the equity known now (else from the next)."""
    if not account.memory.watch.trips:
        return
    equity, now = account.equity, account.clock.time()
    day = None if equity is None or equity.value <= 0 else Day(utc_date(now).isoformat(), equity.value)
    account.record("LIFTED", day=day.date if day else None, equity=plain(day.equity) if day else None)
    account.kill_seen_at, account.closeout = None, ""
    account.tell(AccountChanged, state="ok", because="its trips are lifted; losses and notional count from now on")


def notional_of(account: Account, order: PlaceOrder) -> Decimal | None:
    """Settlement currency an order moves at its limit price; None: the contract or the price is not known."""
    listed = account.listed.get(order.symbol)
    if listed is None or order.price is None:
        return None
    return listed.notional(order.contracts, order.price)


def stands_against(account: Account, order: PlaceOrder, policy: Policy) -> str | None:
    """The last look at what counts increases, at the gate: equity, orders of the minute, notional of the hour.

    The order counts itself once its intent is journaled.
    """
    look(account, policy)
    now, watch = account.clock.time(), account.memory.watch
    unknown = equity_hold(account.equity, now)
    if unknown is not None or account.equity is None:
        return unknown.because if unknown else None
    intents = {intent.number for intent in account.memory.of(order.symbol).intents}
    own = any(increase.number in intents for increase in watch.increases)
    if watch.sent_last_minute(now) + (0 if own else 1) > policy.max_increase_orders_per_minute:
        return "max_increase_orders_per_minute is reached"
    worth = ZERO if own else notional_of(account, order)
    if worth is None:
        return "what the order is worth is not known"
    trip = notional_due(watch, policy.trips, worth, account.equity, now)
    if trip is not None:
        begin(account, trip)
        return trip.because
    return None


def _watch_closeout(account: Account, policy: Policy, now: float) -> None:
    late = overdue(account.memory.watch, policy.trips, _managed(account), now)
    if late is not None and not account.closeout:
        account.trouble(None, late)
    account.closeout = late or ""


def _managed(account: Account) -> Mapping[Symbol, Decimal]:
    """Contracts held of what the engine manages."""
    return {s: m.baseline for s, m in account.memory.symbols.items() if m.sized is not None and m.baseline}
