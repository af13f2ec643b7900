"""Everything a user configures, validated and frozen. One immutable version is handed to a whole cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from core.domain.words import AccountId, AccountMode, MarginMode, SourceName, Symbol


class DriftPolicy(StrEnum):
    CORRECT = "correct"
    REDUCE_ONLY = "reduce_only"
    WARN = "warn"


class FlipPolicy(StrEnum):
    CLOSE_THEN_OPEN = "close_then_open"
    NET = "net"


class ExistingPositions(StrEnum):
    HOLD = "hold"
    ADOPT = "adopt"


class LeverageFrom(StrEnum):
    CAPPED = "capped"
    CONFIG = "config"
    SIGNAL = "signal"


class LeverageChange(StrEnum):
    WHEN_FLAT = "when_flat"
    CLOSE_AND_REOPEN = "close_and_reopen"


class OnDisable(StrEnum):
    ZERO = "zero"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Trips:
    """What stops an account by itself, per UTC day where a day is meant; percentages of equity; None: off."""

    daily_loss_pct: Decimal | None = Decimal(10)
    """Loss since the day began at which the account stops increasing."""
    daily_profit_pct: Decimal | None = None
    """Profit since the day began at which the account stops increasing."""
    kill_loss_pct: Decimal | None = None
    """Loss since the day began at which the account is flattened."""
    closeout_timeout_s: float = 60.0
    """How long that flattening may take before it is reported as failed."""
    max_notional_per_hour_x: Decimal = Decimal(20)
    """Notional sent in any hour, in multiples of equity."""
    max_unexplained_changes: int = 3
    """Position changes of one symbol that nothing of ours explains, within `unexplained_window_s`."""
    unexplained_window_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Policies and limits; the defaults are the shipped ones. `None` on a limit means the rule stated in the docs."""

    margin_mode: MarginMode = MarginMode.ISOLATED
    drift: DriftPolicy = DriftPolicy.REDUCE_ONLY
    flip: FlipPolicy = FlipPolicy.CLOSE_THEN_OPEN
    existing_positions: ExistingPositions = ExistingPositions.HOLD
    leverage_from: LeverageFrom = LeverageFrom.CAPPED
    leverage_change: LeverageChange = LeverageChange.WHEN_FLAT
    rebalance_band: Decimal = Decimal("0.01")
    max_slippage: Decimal = Decimal("0.01")
    reconcile_interval_s: float = 5.0
    request_deadline_s: float = 5.0
    max_depth: Decimal = Decimal(1)
    max_leverage: Decimal = Decimal(20)
    max_total_margin: Decimal = Decimal("0.9")
    max_gross_exposure: Decimal | None = None
    """Settlement currency; None: 1.1 x what the files can ask."""
    max_order_notional: Decimal | None = None
    """Settlement currency; None: 1.1 x what the files can ask of the symbol."""
    max_increase_orders_per_minute: int = 120
    max_positions: int | None = None
    min_book_depth_x: Decimal | None = None
    trips: Trips = field(default_factory=Trips)


@dataclass(frozen=True, slots=True)
class SymbolWeights:
    """One entry of the weight file: configured leverage and each source's weight, in file order."""

    symbol: Symbol
    leverage: Decimal
    weights: Mapping[SourceName, Decimal]


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Age and staleness limits of one source, seconds; None: no limit."""

    enabled: bool = True
    on_disable: OnDisable = OnDisable.ZERO
    entry_max_age_s: float | None = None
    staleness_s: float | None = None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """One account as configured; secrets are not here. `policy` already has this account's overrides applied."""

    account: AccountId
    venue: str
    name: str
    mode: AccountMode = AccountMode.LIVE
    scale: Decimal = Decimal(1)
    leverage: Mapping[str, Decimal] = field(default_factory=dict)
    """Leverage overrides by symbol; `*` for every symbol."""
    symbols: frozenset[Symbol] | None = None
    """Symbol list; None: all of the weight file."""
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Settings:
    """One valid, immutable version of all live files. `mappings`: source -> its own symbol -> canonical symbol."""

    weights: Mapping[Symbol, SymbolWeights]
    mappings: Mapping[SourceName, Mapping[str, Symbol]]
    sources: Mapping[SourceName, SourceSettings]
    accounts: Mapping[AccountId, AccountSettings]
    policy: Policy
    versions: Mapping[str, str] = field(default_factory=dict)
    """File name -> content hash in force, for status."""
    problems: tuple[str, ...] = ()
    """Files whose newest content was refused (file, field, what to do); their last good content is in force."""

    def source(self, name: SourceName) -> SourceSettings:
        return self.sources.get(name, SourceSettings())
