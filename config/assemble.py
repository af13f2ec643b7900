"""The whole set at once: models of every file in, one core `Settings` out, or every finding that stands against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from config.checks import Checked, EngineConfig, Raw, check_engine, check_mappings, check_weights
from config.models import SOURCE_DEFAULTS, AccountEntry, PolicyKeys, WeightEntry
from config.problems import listed, nearest
from core.domain import (
    AccountId,
    AccountSettings,
    MarginMode,
    Policy,
    Settings,
    SourceName,
    SourceSettings,
    Symbol,
    SymbolWeights,
    Trips,
)
from core.errors import ConfigError

EVERY = "*"
TRIP_KEYS = (
    "daily_loss_pct",
    "daily_profit_pct",
    "kill_loss_pct",
    "closeout_timeout_s",
    "max_notional_per_hour_x",
    "max_unexplained_changes",
    "unexplained_window_s",
)


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account that credentials.json names. `given` and `margin_mode` are what older files say there of its use."""

    account: AccountId
    venue: str
    name: str
    given: AccountEntry = field(default_factory=AccountEntry)
    margin_mode: MarginMode | None = None


@dataclass(frozen=True, slots=True)
class FileSet:
    """The contents that are to be in force together; `engine` None: no such file, the defaults hold."""

    mappings: Raw
    weights: Raw
    engine: Raw | None


@dataclass(frozen=True, slots=True)
class Assembled:
    settings: Settings
    engine: EngineConfig


@dataclass(frozen=True, slots=True)
class _Models:
    files: FileSet
    mappings: Mapping[str, Mapping[str, str]]
    weights: tuple[WeightEntry, ...]
    engine: EngineConfig


def assemble(files: FileSet, known: Sequence[KnownAccount] | None) -> Checked[Assembled]:
    """Validates the set and turns it into `Settings` (without versions). `known` None: accounts are not looked at."""
    mappings = check_mappings(files.mappings)
    weights = check_weights(files.weights)
    engine = Checked(EngineConfig()) if files.engine is None else check_engine(files.engine)
    if mappings.value is None or weights.value is None or engine.value is None:
        return Checked(None, mappings.problems + weights.problems + engine.problems)
    models = _Models(files, mappings.value, weights.value, engine.value)
    accounts = {account.account: _account(account, models.engine) for account in known or ()}
    problems = [*_common_leverages(models), *_account_leverages(models)]
    if problems:
        return Checked(None, tuple(problems))
    warnings = [*engine.warnings, *_unmapped(models), *_unknown_symbols(models)]
    if known is not None:
        warnings += _unknown_accounts(models, accounts)
    return Checked(Assembled(_settings(models, accounts), models.engine), (), tuple(warnings))


# --- to core ----------------------------------------------------------------------------------------------------------


def policy_of(keys: PolicyKeys) -> Policy:
    """The core's policy, trips included."""
    values = {name: getattr(keys, name) for name in PolicyKeys.model_fields}
    trips = Trips(**{name: values.pop(name) for name in TRIP_KEYS})
    return Policy(**values, trips=trips)


def _account(known: KnownAccount, engine: EngineConfig) -> AccountSettings:
    """One account: engine_config over the older fields of credentials.json over the defaults."""
    given = engine.keys.accounts.get(known.account, AccountEntry())
    said = given.model_fields_set & AccountEntry.model_fields.keys()
    keys = known.given.model_copy(update={name: getattr(given, name) for name in said})
    policy = engine.policies.get(known.account, engine.policy)
    if known.margin_mode is not None and not _says(engine, known.account, "margin_mode"):
        policy = policy.model_copy(update={"margin_mode": known.margin_mode})
    return AccountSettings(
        account=known.account,
        venue=known.venue,
        name=known.name,
        mode=keys.mode,
        scale=keys.scale,
        leverage=MappingProxyType(dict(keys.leverage)),
        symbols=None if keys.symbols is None else frozenset(map(Symbol, keys.symbols)),
        policy=policy_of(policy),
    )


def _says(engine: EngineConfig, account: AccountId, key: str) -> bool:
    given = engine.keys.accounts.get(account)
    return given is not None and key in (given.model_extra or {})


def _settings(models: _Models, accounts: Mapping[AccountId, AccountSettings]) -> Settings:
    sources = {}
    for name in (*SOURCE_DEFAULTS, *models.engine.keys.sources):
        keys = models.engine.keys.source(name)
        sources[SourceName(name)] = SourceSettings(
            enabled=keys.enabled,
            on_disable=keys.on_disable,
            entry_max_age_s=keys.entry_max_age_s,
            staleness_s=keys.staleness_s,
        )
    weights = {}
    for entry in models.weights:
        shares = {SourceName(share.source): share.weight for share in entry.sources}
        symbol = Symbol(entry.symbol)
        weights[symbol] = SymbolWeights(symbol, entry.leverage, MappingProxyType(shares))
    mappings = {
        SourceName(source): MappingProxyType({own: Symbol(target) for own, target in of.items()})
        for source, of in models.mappings.items()
    }
    return Settings(
        weights=MappingProxyType(weights),
        mappings=MappingProxyType(mappings),
        sources=MappingProxyType(sources),
        accounts=MappingProxyType(dict(accounts)),
        policy=policy_of(models.engine.policy),
    )


# --- what only the whole set shows ------------------------------------------------------------------------------------


def _common_leverages(models: _Models) -> list[ConfigError]:
    highest = models.engine.policy.max_leverage
    problems = []
    for number, entry in enumerate(models.weights):
        if not 1 <= entry.leverage <= highest:
            words = f"leverage of {entry.symbol} is {entry.leverage}, must be 1 to {highest}; lower it, or raise"
            problems.append(
                models.files.weights.problem((number, "leverage"), f"{words} max_leverage in engine_config")
            )
    return problems


def _account_leverages(models: _Models) -> list[ConfigError]:
    """Leverage overrides out of range, and symbols named twice, of every account in `accounts{}`."""
    raw = models.files.engine
    if raw is None:
        return []
    problems = []
    for name, keys in models.engine.keys.accounts.items():
        highest = models.engine.policies[name].max_leverage
        path = ("accounts", name)
        for symbol, leverage in keys.leverage.items():
            if not 1 <= leverage <= highest:
                words = f"{symbol}: leverage is {leverage}, must be 1 to {highest} (max_leverage of this account)"
                problems.append(raw.problem((*path, "leverage"), f"{words}; change one of the two"))
        if keys.symbols is not None and len(set(keys.symbols)) != len(keys.symbols):
            problems.append(raw.problem((*path, "symbols"), "names a symbol twice; keep one"))
    return problems


def _unmapped(models: _Models) -> list[ConfigError]:
    """Weights that cannot take effect because nothing maps to their symbol."""
    found = []
    for number, entry in enumerate(models.weights):
        for position, share in enumerate(entry.sources):
            mapping = models.mappings.get(share.source, {})
            if share.weight > Decimal(0) and entry.symbol not in mapping.values():
                near = None if share.source in models.mappings else nearest(share.source, models.mappings)
                hint = f"did you mean {near}?" if near else f"add one to {models.files.mappings.file}"
                words = f"{share.source} has a weight for {entry.symbol} but no mapping to it, so it has no say; {hint}"
                found.append(models.files.weights.problem((number, "sources", position, "source"), words))
    return found


def _unknown_symbols(models: _Models) -> list[ConfigError]:
    """Symbols that an account's entry names and the weight file does not."""
    raw = models.files.engine
    known = {entry.symbol for entry in models.weights}
    found = []
    for name, keys in models.engine.keys.accounts.items() if raw is not None else ():
        for key, symbols in (("leverage", keys.leverage), ("symbols", keys.symbols or ())):
            for symbol in symbols:
                if raw is not None and symbol != EVERY and symbol not in known:
                    near = nearest(symbol, known)
                    hint = f"did you mean {near}?" if near else "add it there or remove it here"
                    words = f"{symbol} is not in {models.files.weights.file} and has no effect; {hint}"
                    found.append(raw.problem(("accounts", name, key), words))
    return found


def _unknown_accounts(models: _Models, accounts: Mapping[AccountId, AccountSettings]) -> list[ConfigError]:
    raw = models.files.engine
    found = []
    for name in models.engine.keys.accounts if raw is not None else ():
        if raw is not None and name not in accounts:
            near = nearest(name, accounts)
            hint = f"did you mean {near}?" if near else "correct the name, or add it to credentials.json and restart"
            words = f"is not one of the accounts ({listed(accounts)}) and has no effect; {hint}"
            found.append(raw.problem(("accounts", name), words))
    return found
