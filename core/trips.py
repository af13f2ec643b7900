"""PURE: what stops an account by itself. The decisions, and the part of an account's memory they stand on.

A trip stops increases of its account, and with `flatten` closes what it manages, until `./run resume ACCOUNT`. What a
trip counts is journaled, so that a restart neither forgets a trip nor begins a day, an hour or a window anew:

    DAY       a UTC day began: its date, and the first equity read in it
    TRIPPED   a trip began: rule, because, flatten
    LIFTED    `./run resume`: no trip stands, everything is counted anew, the day from the equity known then

PREPARED increases and what became of them make the notional of the last hour; DRIFT records that nothing of ours
explains make the changes of a symbol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.domain import ZERO, Equity, Symbol, Trips, plain

Record = Mapping[str, Any]
HOUR_S = 3600.0
MINUTE_S = 60.0
CHANGES_KEPT_S = 86400.0
"""The widest `unexplained_window_s`."""
CHANGES_KEPT = 1000
HUNDRED = Decimal(100)


class Rule(StrEnum):
    """Which trip; the names of their settings, but for the last."""

    DAILY_LOSS = "daily_loss_pct"
    DAILY_PROFIT = "daily_profit_pct"
    KILL_LOSS = "kill_loss_pct"
    NOTIONAL = "max_notional_per_hour_x"
    UNEXPLAINED = "max_unexplained_changes"
    INVARIANT = "invariant"


@dataclass(frozen=True, slots=True)
class Trip:
    """One trip that stands since `at` (epoch seconds)."""

    rule: Rule
    at: float
    because: str
    flatten: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """The UTC day losses are counted from: its date (`2026-11-20`) and the equity it began with (> 0)."""

    date: str
    equity: Decimal


@dataclass(frozen=True, slots=True)
class Increase:
    """One increase that was sent. `notional`: of what it filled, or may have filled while that is not known."""

    number: int
    at: float
    contracts: Decimal
    notional: Decimal


@dataclass(frozen=True, slots=True)
class Watch:
    """What an account remembers for its trips. `changes`: symbol -> instants of changes that nothing explains."""

    day: Day | None = None
    trips: tuple[Trip, ...] = ()
    increases: tuple[Increase, ...] = ()
    changes: Mapping[Symbol, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def flattens(self) -> bool:
        """Whether a trip closes everything the account manages."""
        return any(trip.flatten for trip in self.trips)

    def standing(self, rule: Rule) -> bool:
        return any(trip.rule is rule for trip in self.trips)

    def sent_last_minute(self, now: float) -> int:
        """Increases sent within the last minute."""
        return sum(1 for increase in self.increases if increase.at > now - MINUTE_S)

    def notional_last_hour(self, now: float) -> Decimal:
        """Settlement currency that increases of the last hour moved, or may have."""
        return sum((increase.notional for increase in self.increases if increase.at > now - HOUR_S), ZERO)

    # --- the fold -----------------------------------------------------------------------------------------------------

    def apply(self, record: Record) -> Watch:
        """The watch after one journal record; records of no concern leave it as it is."""
        match record["kind"]:
            case "DAY":
                return replace(self, day=Day(str(record["day"]), Decimal(record["equity"])))
            case "TRIPPED":
                rule = Rule(record["rule"])
                trip = Trip(rule, float(record["at"]), str(record["because"]), bool(record["flatten"]))
                return replace(self, trips=(*(t for t in self.trips if t.rule is not rule), trip))
            case "LIFTED":
                return self._lifted(record)
            case "PREPARED" if record.get("notional") is not None:
                return self._prepared(record)
            case "ABANDONED":
                return replace(self, increases=tuple(i for i in self.increases if i.number != record["n"]))
            case "REJECTED" | "DEAD":
                return self._moved(record["n"], ZERO)
            case "RESOLVED":
                return self._moved(record["n"], Decimal(record["filled"]))
            case "DRIFT" if record.get("unexplained"):
                return self._changed(Symbol(record["symbol"]), float(record["at"]))
            case "COUNTERS" if "watch" in record:
                return _watch_from(record["watch"])
        return self

    def _lifted(self, record: Record) -> Watch:
        """Orders of the last minute still count as orders; their notional does not."""
        worth = record["equity"]
        day = None if worth is None else Day(str(record["day"]), Decimal(worth))
        return Watch(day=day, increases=tuple(replace(i, notional=ZERO) for i in self.increases))

    def _prepared(self, record: Record) -> Watch:
        at = float(record["at"])
        contracts = Decimal(record["order"]["contracts"])
        increase = Increase(int(record["n"]), at, contracts, Decimal(record["notional"]))
        kept = tuple(i for i in self.increases if i.at > at - HOUR_S)
        return replace(self, increases=(*kept, increase))

    def _moved(self, number: int, filled: Decimal) -> Watch:
        """What an increase came to is known: only what filled moved anything."""
        if not any(i.number == number for i in self.increases):
            return self
        return replace(
            self,
            increases=tuple(
                replace(i, notional=i.notional * filled / i.contracts) if i.number == number else i
                for i in self.increases
            ),
        )

    def _changed(self, symbol: Symbol, at: float) -> Watch:
        kept = tuple(was for was in self.changes.get(symbol, ()) if was > at - CHANGES_KEPT_S)
        return replace(self, changes={**self.changes, symbol: (*kept, at)[-CHANGES_KEPT:]})

    def record(self) -> dict[str, Any]:
        """What compaction keeps; `apply` of COUNTERS reads it back."""
        return {
            "day": None if self.day is None else {"day": self.day.date, "equity": plain(self.day.equity)},
            "trips": [
                {"rule": t.rule.value, "at": t.at, "because": t.because, "flatten": t.flatten} for t in self.trips
            ],
            "increases": [[i.number, i.at, plain(i.contracts), plain(i.notional)] for i in self.increases],
            "changes": {symbol: list(instants) for symbol, instants in self.changes.items()},
        }


def _watch_from(record: Record) -> Watch:
    day = record["day"]
    return Watch(
        day=None if day is None else Day(str(day["day"]), Decimal(day["equity"])),
        trips=tuple(
            Trip(Rule(t["rule"]), float(t["at"]), str(t["because"]), bool(t["flatten"])) for t in record["trips"]
        ),
        increases=tuple(
            Increase(int(number), float(at), Decimal(contracts), Decimal(notional))
            for number, at, contracts, notional in record["increases"]
        ),
        changes={Symbol(symbol): tuple(map(float, instants)) for symbol, instants in record["changes"].items()},
    )


# --- the day ----------------------------------------------------------------------------------------------------------


def utc_date(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()


def day_due(day: Day | None, equity: Equity | None, now: float) -> Day | None:
    """The day to begin with this read, or None: the present one goes on, or there is no read of today yet.

    A date that lies ahead by one day is a clock that was set back a little: the day goes on. Further ahead, the clock
    was wrong when that day began, and it would never end.
    """
    today = utc_date(now)
    if equity is None or equity.value <= 0 or utc_date(equity.at) != today:
        return None
    if day is not None and timedelta(0) <= date.fromisoformat(day.date) - today <= timedelta(days=1):
        return None
    return Day(today.isoformat(), equity.value)


def change_pct(day: Day | None, equity: Equity | None) -> Decimal | None:
    """Percent the equity gained (+) or lost (-) since the day began; None: not known."""
    if day is None or equity is None:
        return None
    return (equity.value - day.equity) / day.equity * HUNDRED


# --- the decisions ----------------------------------------------------------------------------------------------------


def below_kill(watch: Watch, trips: Trips, equity: Equity | None) -> bool:
    """Whether this read is at or beyond `kill_loss_pct`. Closing everything takes a second read that says the same."""
    change = change_pct(watch.day, equity)
    return trips.kill_loss_pct is not None and change is not None and -change >= trips.kill_loss_pct


def due(watch: Watch, trips: Trips, equity: Equity | None, now: float, *, killed: bool = False) -> tuple[Trip, ...]:
    """Trips that begin now. `killed`: two reads in a row were `below_kill`."""
    found: list[Trip] = []
    change = change_pct(watch.day, equity)
    if change is not None and equity is not None and watch.day is not None:
        since = f"since {watch.day.date} (UTC) began at {plain(watch.day.equity)}; equity is {plain(equity.value)}"
        if trips.daily_loss_pct is not None and -change >= trips.daily_loss_pct:
            found.append(Trip(Rule.DAILY_LOSS, now, _words(f"lost {-change:.2f} % {since}", Rule.DAILY_LOSS, trips)))
        if trips.daily_profit_pct is not None and change >= trips.daily_profit_pct:
            text = _words(f"gained {change:.2f} % {since}", Rule.DAILY_PROFIT, trips)
            found.append(Trip(Rule.DAILY_PROFIT, now, text))
        if killed and below_kill(watch, trips, equity):
            text = _words(f"lost {-change:.2f} % {since}, seen twice", Rule.KILL_LOSS, trips)
            found.append(Trip(Rule.KILL_LOSS, now, text, flatten=True))
    for symbol, instants in sorted(watch.changes.items()):
        count = sum(1 for at in instants if at > now - trips.unexplained_window_s)
        if count >= trips.max_unexplained_changes:
            text = (
                f"the position of {symbol} changed {count} times within {trips.unexplained_window_s:.0f} s and nothing "
                f"of ours explains it ({Rule.UNEXPLAINED.value} {trips.max_unexplained_changes}). "
                "Look who else trades this account"
            )
            found.append(Trip(Rule.UNEXPLAINED, now, text))
            break
    return tuple(trip for trip in found if not watch.standing(trip.rule))


def _words(text: str, rule: Rule, trips: Trips) -> str:
    return f"{text} ({rule.value} {plain(getattr(trips, rule.value))})"


def notional_due(watch: Watch, trips: Trips, more: Decimal, equity: Equity, now: float) -> Trip | None:
    """The trip of an increase that would move `more` on top of the last hour's notional; None: there is room."""
    limit = trips.max_notional_per_hour_x * equity.value
    asked = watch.notional_last_hour(now) + more
    if asked <= limit or watch.standing(Rule.NOTIONAL):
        return None
    text = (
        f"increases would have moved {asked:.2f} within an hour, over {limit:.2f} "
        f"({Rule.NOTIONAL.value} {plain(trips.max_notional_per_hour_x)} x equity {plain(equity.value)})"
    )
    return Trip(Rule.NOTIONAL, now, text)


def overdue(watch: Watch, trips: Trips, open_still: Mapping[Symbol, Decimal], now: float) -> str | None:
    """Why closing everything counts as failed: it began too long ago and these contracts are still open."""
    began = min((trip.at for trip in watch.trips if trip.flatten), default=now)
    if not open_still or now - began < trips.closeout_timeout_s:
        return None
    left = ", ".join(f"{plain(contracts)} contracts of {symbol}" for symbol, contracts in sorted(open_still.items()))
    return (
        f"closing everything has not ended within {trips.closeout_timeout_s:.0f} s (closeout_timeout_s): {left} still "
        "open. The engine goes on trying; look at the venue and close them there if it cannot"
    )
