"""Each configuration file by itself: from its parsed content to its models, or to every finding in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from config.models import AccountEntry, EngineKeys, MappingFile, PolicyKeys, WeightEntry, WeightFile
from config.problems import Locate, Path, at, explained, listed, nearest, no_lines
from config.values import kind, within
from core.errors import ConfigError

T = TypeVar("T")

WEIGHTS = TypeAdapter(WeightFile)
MAPPINGS = TypeAdapter(MappingFile)
POLICY_KEYS = frozenset(PolicyKeys.model_fields)
TOP_KEYS = POLICY_KEYS | frozenset(EngineKeys.model_fields)
ACCOUNT_KEYS = POLICY_KEYS | frozenset(AccountEntry.model_fields)
SUM_OF_WEIGHTS = within("0", "1")


@dataclass(frozen=True, slots=True)
class Raw:
    """A file's parsed content. `file` is its name in messages, `locate` finds a field's line."""

    file: str
    data: Any
    locate: Locate = no_lines

    def problem(self, path: Path, words: str) -> ConfigError:
        return ConfigError(at(self.file, path, self.locate(path)), words)


@dataclass(frozen=True, slots=True)
class Checked(Generic[T]):
    """`value` is None exactly when there are `problems`; `warnings` refuse nothing."""

    value: T | None
    problems: tuple[ConfigError, ...] = ()
    warnings: tuple[ConfigError, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """engine_config as a whole. `policies` holds each configured account's policy, its overrides applied."""

    keys: EngineKeys = field(default_factory=EngineKeys)
    policy: PolicyKeys = field(default_factory=PolicyKeys)
    policies: Mapping[str, PolicyKeys] = field(default_factory=lambda: MappingProxyType({}))


def check_weights(raw: Raw) -> Checked[tuple[WeightEntry, ...]]:
    """The weight file: every symbol once, every source once per symbol, weights of a symbol summing to at most 1."""
    try:
        entries = WEIGHTS.validate_python(raw.data)
    except ValidationError as error:
        return Checked(None, tuple(explained(error, raw.file, (), raw.locate)))
    problems: list[ConfigError] = []
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if entry.symbol in seen:
            words = f"{entry.symbol} already has entry [{seen[entry.symbol]}]; keep one of the two"
            problems.append(raw.problem((number, "symbol"), words))
        seen.setdefault(entry.symbol, number)
        problems += _source_problems(raw, number, entry)
    return Checked(None, tuple(problems)) if problems else Checked(tuple(entries))


def _source_problems(raw: Raw, number: int, entry: WeightEntry) -> list[ConfigError]:
    problems = []
    names = [share.source for share in entry.sources]
    for position, name in enumerate(names):
        if name in names[:position]:
            words = f"{name} already has a weight for {entry.symbol}; keep one of the two"
            problems.append(raw.problem((number, "sources", position, "source"), words))
    total = sum(share.weight for share in entry.sources)
    if total > 1:
        words = f"the weights of {entry.symbol} sum to {total}, more than 1 (disabled sources count); lower one of them"
        problems.append(raw.problem((number, "sources"), words))
    return problems


def check_mappings(raw: Raw) -> Checked[Mapping[str, Mapping[str, str]]]:
    """The mapping file: well-formed names, and no two symbols of one source on one target."""
    try:
        sources = MAPPINGS.validate_python(raw.data)
    except ValidationError as error:
        return Checked(None, tuple(explained(error, raw.file, (), raw.locate)))
    problems = []
    for source, mapping in sources.items():
        owner: dict[str, str] = {}
        for own, target in mapping.items():
            if target in owner:
                words = f"{source} maps both {owner[target]} and {own} to {target}; remove one of the two"
                problems.append(raw.problem((source, own), words))
            owner.setdefault(target, own)
    return Checked(None, tuple(problems)) if problems else Checked(sources)


def check_engine(raw: Raw) -> Checked[EngineConfig]:
    """engine_config: sections, policies and limits, and each account's overrides laid over the common ones."""
    if not isinstance(raw.data, dict):
        return Checked(None, (raw.problem((), f"must be an object of settings, not {kind(raw.data)}"),))
    problems: list[ConfigError] = []
    common = {key: value for key, value in raw.data.items() if key in POLICY_KEYS}
    sections = {key: value for key, value in raw.data.items() if key not in POLICY_KEYS}
    policy = _model(PolicyKeys, common, raw, (), problems)
    keys = _model(EngineKeys, sections, raw, (), problems)
    policies: dict[str, PolicyKeys] = {}
    accounts = sections.get("accounts")
    for account, given in accounts.items() if isinstance(accounts, dict) else ():
        if not isinstance(given, dict):
            continue  # already a finding of the sections
        overrides = {key: value for key, value in given.items() if key in POLICY_KEYS}
        own = _model(PolicyKeys, overrides, raw, ("accounts", account), problems)
        if own is not None and policy is not None:
            policies[account] = policy.model_copy(update={key: getattr(own, key) for key in overrides})
    if problems or keys is None or policy is None:
        return Checked(None, tuple(problems))
    return Checked(EngineConfig(keys, policy, MappingProxyType(policies)), (), tuple(_unknown_keys(raw, keys)))


M = TypeVar("M", bound=BaseModel)


def _model(of: type[M], data: Mapping[str, Any], raw: Raw, prefix: Path, problems: list[ConfigError]) -> M | None:
    try:
        return of.model_validate(data)
    except ValidationError as error:
        problems += explained(error, raw.file, prefix, raw.locate)
        return None


def _unknown_keys(raw: Raw, keys: EngineKeys) -> list[ConfigError]:
    """Keys that nothing reads, each with the nearest one that something does."""
    found = _unknown(raw, (), keys.model_extra or {}, TOP_KEYS)
    for name, source in keys.sources.items():
        found += _unknown(raw, ("sources", name), source.model_extra or {}, type(source).model_fields)
    for name, account in keys.accounts.items():
        found += _unknown(raw, ("accounts", name), account.model_extra or {}, ACCOUNT_KEYS)
    section: BaseModel
    for name, section in (
        ("dedup", keys.dedup),
        ("signal_stores", keys.signal_stores),
        ("tradingview_endpoint", keys.tradingview_endpoint),
        ("control_api", keys.control_api),
    ):
        found += _unknown(raw, (name,), section.model_extra or {}, type(section).model_fields)
    return found


def _unknown(raw: Raw, path: Path, extra: Mapping[str, Any], known: Collection[str]) -> list[ConfigError]:
    found = []
    for key in extra:
        if key in known:
            continue  # a policy override of an account: read as such
        near = nearest(key, known)
        hint = f"did you mean {near}?" if near else f"known here: {listed(known)}"
        found.append(raw.problem((*path, key), f"is not a key the engine knows and has no effect; {hint}"))
    return found
