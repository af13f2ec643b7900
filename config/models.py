"""The configuration files as people write them, key by key; `config.assemble` turns a whole set into core `Settings`.

Unknown keys are kept (`extra="allow"`): they may belong to a newer version or to somebody's notes. Those of
engine_config are named to the user with the nearest known key, because a misspelt limit is no limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from config.values import (
    AUTO,
    AccountText,
    Host,
    Network,
    Port,
    SourceSymbolText,
    SourceText,
    SymbolText,
    check_symbol,
    number,
    one_of,
    or_off,
    seconds,
    whole,
    within,
)
from core.domain import (
    AccountMode,
    DriftPolicy,
    ExistingPositions,
    FlipPolicy,
    LeverageChange,
    LeverageFrom,
    MarginMode,
    OnDisable,
)

KEPT = ConfigDict(strict=True, frozen=True, extra="allow", hide_input_in_errors=True)

Share = Annotated[Decimal, BeforeValidator(within("0", "1"))]
PositiveShare = Annotated[Decimal, BeforeValidator(within("0", "1", open_low=True))]
Percent = Annotated[Decimal | None, BeforeValidator(or_off(within("0", "100", open_low=True)))]
Money = Annotated[Decimal | None, BeforeValidator(or_off(within("0", "1000000000000", open_low=True), AUTO))]
LeverageNumber = Annotated[Decimal, BeforeValidator(within("1", "125"))]
Days = Annotated[int | None, BeforeValidator(or_off(whole(1, 36500)))]
Age = Annotated[float | None, BeforeValidator(or_off(seconds("0.1", "31536000")))]


# --- signal_weight_config.json and asset_mapping_config.json ----------------------------------------------------------


class SourceWeight(BaseModel):
    """One source's share in a symbol."""

    model_config = KEPT
    source: SourceText
    weight: Share


class WeightEntry(BaseModel):
    """One symbol of the weight file. Whether its leverage is allowed depends on `max_leverage`: `config.assemble`."""

    model_config = KEPT
    symbol: SymbolText
    leverage: Annotated[Decimal, BeforeValidator(number)]
    sources: list[SourceWeight]


WeightFile = list[WeightEntry]
MappingFile = dict[SourceText, dict[SourceSymbolText, SymbolText]]


# --- engine_config.json -----------------------------------------------------------------------------------------------


def _no_books(value: Any) -> Decimal:
    """A limit that cannot be kept is refused: one that is only written down would be trusted."""
    raise ValueError(
        "must be off: no venue's order book is read yet, so this limit could not be kept. "
        "max_slippage bounds the price of every increase"
    )


class PolicyKeys(BaseModel):
    """Policies and limits: at the top of engine_config for every account, inside `accounts{}` for one."""

    model_config = KEPT
    margin_mode: Annotated[MarginMode, BeforeValidator(one_of(MarginMode))] = MarginMode.ISOLATED
    drift: Annotated[DriftPolicy, BeforeValidator(one_of(DriftPolicy))] = DriftPolicy.REDUCE_ONLY
    flip: Annotated[FlipPolicy, BeforeValidator(one_of(FlipPolicy))] = FlipPolicy.CLOSE_THEN_OPEN
    existing_positions: Annotated[ExistingPositions, BeforeValidator(one_of(ExistingPositions))] = (
        ExistingPositions.HOLD
    )
    leverage_from: Annotated[LeverageFrom, BeforeValidator(one_of(LeverageFrom))] = LeverageFrom.CAPPED
    leverage_change: Annotated[LeverageChange, BeforeValidator(one_of(LeverageChange))] = LeverageChange.WHEN_FLAT
    rebalance_band: Annotated[Decimal, BeforeValidator(within("0", "0.5"))] = Decimal("0.01")
    max_slippage: Annotated[Decimal, BeforeValidator(within("0", "0.2", open_low=True))] = Decimal("0.01")
    reconcile_interval_s: Annotated[float, BeforeValidator(seconds("0.1", "300"))] = 5.0
    request_deadline_s: Annotated[float, BeforeValidator(seconds("0.1", "60"))] = 5.0
    max_depth: PositiveShare = Decimal(1)
    max_leverage: LeverageNumber = Decimal(20)
    max_total_margin: PositiveShare = Decimal("0.9")
    max_gross_exposure: Money = None
    max_order_notional: Money = None
    max_increase_orders_per_minute: Annotated[int, BeforeValidator(whole(1, 1_000_000))] = 120
    max_positions: Annotated[int | None, BeforeValidator(or_off(whole(1, 100_000)))] = None
    min_book_depth_x: Annotated[Decimal | None, BeforeValidator(or_off(_no_books))] = None
    daily_loss_pct: Percent = Decimal(10)
    daily_profit_pct: Annotated[Decimal | None, BeforeValidator(or_off(within("0", "1000000", open_low=True)))] = None
    kill_loss_pct: Percent = None
    closeout_timeout_s: Annotated[float, BeforeValidator(seconds("1", "3600"))] = 60.0
    max_notional_per_hour_x: Annotated[Decimal, BeforeValidator(within("0", "1000000", open_low=True))] = Decimal(20)
    max_unexplained_changes: Annotated[int, BeforeValidator(whole(1, 1_000_000))] = 3
    unexplained_window_s: Annotated[float, BeforeValidator(seconds("1", "86400"))] = 600.0


def _leverage_by_symbol(value: Any) -> Mapping[str, Decimal]:
    """One number for every symbol (kept as `*`), or an object symbol -> number."""
    if not isinstance(value, dict):
        return {"*": number(value)}
    found: dict[str, Decimal] = {}
    for symbol, leverage in value.items():
        try:
            found["*" if symbol == "*" else check_symbol(symbol)] = number(leverage)
        except ValueError as error:
            raise ValueError(f"{symbol}: {error}") from error
    return found


class AccountEntry(BaseModel):
    """What `accounts{}` says of one account beside policy overrides, which it may carry key by key."""

    model_config = KEPT
    mode: Annotated[AccountMode, BeforeValidator(one_of(AccountMode))] = AccountMode.LIVE
    scale: Annotated[Decimal, BeforeValidator(within("0", "10"))] = Decimal(1)
    leverage: Annotated[dict[str, Decimal], BeforeValidator(_leverage_by_symbol)] = Field(default_factory=dict)
    symbols: list[SymbolText] | None = None


class SourceEntry(BaseModel):
    """What `sources{}` says of one signal source; ages in seconds, `off` for no limit."""

    model_config = KEPT
    enabled: bool = True
    on_disable: Annotated[OnDisable, BeforeValidator(one_of(OnDisable))] = OnDisable.ZERO
    entry_max_age_s: Age = None
    staleness_s: Age = None


class DedupKeys(BaseModel):
    """Which alerts count as repeats: the fields compared (none named: the whole body) and for how long."""

    model_config = KEPT
    ttl_s: Age = None
    keys: list[str] = Field(default_factory=list)


class EndpointKeys(BaseModel):
    """Where the webhook listens, and whose forwarded headers count."""

    model_config = KEPT
    host: Host = "127.0.0.1"
    port: Port = 8000
    trusted_proxies: list[Network] = Field(default_factory=list)


class StoreKeys(BaseModel):
    """How long the signal stores are kept, in whole days after a file's own."""

    model_config = KEPT
    compress_after_days: Days = 7
    raw_keep_days: Days = 365
    deduplicated_keep_days: Days = 365
    rejected_keep_days: Days = 30


class ControlKeys(BaseModel):
    """Where the control API listens."""

    model_config = KEPT
    host: Host = "127.0.0.1"
    port: Port = 8080


SOURCE_DEFAULTS: Mapping[str, SourceEntry] = {
    "tradingview": SourceEntry(entry_max_age_s=600),
    "bittensor": SourceEntry(staleness_s=120),
}


class EngineKeys(BaseModel):
    """The sections of engine_config; its policies and limits stand beside them and are read as `PolicyKeys`."""

    model_config = KEPT
    sources: dict[SourceText, SourceEntry] = Field(default_factory=dict)
    accounts: dict[AccountText, AccountEntry] = Field(default_factory=dict)
    dedup: DedupKeys = DedupKeys()
    signal_stores: StoreKeys = StoreKeys()
    tradingview_endpoint: EndpointKeys = EndpointKeys()
    control_api: ControlKeys = ControlKeys()

    def source(self, name: str) -> SourceEntry:
        """A source's settings: what the file says, over the shipped defaults of that source."""
        base = SOURCE_DEFAULTS.get(name, SourceEntry())
        given = self.sources.get(name)
        if given is None:
            return base
        said = given.model_fields_set & SourceEntry.model_fields.keys()
        return base.model_copy(update={key: getattr(given, key) for key in said})
