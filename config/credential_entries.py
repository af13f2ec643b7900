"""The accounts that credentials.json names, in each of its three forms, as one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from pydantic import ValidationError

from config.assemble import KnownAccount
from config.models import AccountEntry
from config.problems import explained, no_lines
from config.secret import Secret, resolve
from config.values import ACCOUNT
from core.domain import AccountId, MarginMode
from core.errors import ConfigError

FILE = "credentials.json"
NATIVE = ("bybit", "blofin", "kucoin", "mexc", "hyperliquid")
MAIN = "main"
NEEDS: Mapping[str, tuple[str, ...]] = {
    "bybit": ("api_key", "api_secret"),
    "blofin": ("api_key", "api_secret", "api_passphrase"),
    "kucoin": ("api_key", "api_secret", "api_passphrase"),
    "mexc": ("api_key", "api_secret"),
    "hyperliquid": ("wallet_address", "private_key"),
}
OTHERWISE_NEEDS = ("api_key", "api_secret")
KEYS = ("api_key", "api_secret", "api_passphrase", "wallet_address", "private_key", "vault_address")
IDENTIFYING = ("api_key", "wallet_address", "vault_address")
VENUE = re.compile(r"[a-z0-9]{1,30}", re.ASCII)
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,37}", re.ASCII)
LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Names that older files and ccxt's own configuration use for the same things.
OLD_NAMES: Mapping[str, tuple[str, ...]] = {
    "venue": ("exchange", "exchange_name", "exchange_id"),
    "name": ("account_name", "account"),
    "api_key": ("apiKey",),
    "api_secret": ("secret",),
    "api_passphrase": ("password", "passphrase"),
    "wallet_address": ("walletAddress",),
    "private_key": ("privateKey",),
    "vault_address": ("vaultAddress",),
    "scale": ("weight_scale",),
    "leverage": ("leverage_override",),
}
OLD_VENUES: Mapping[str, str] = {"kucoinfutures": "kucoin", "bybitlinear": "bybit"}


@dataclass(frozen=True, slots=True)
class AccountCredentials:
    """One account. With `trouble` ('' where there is none) it cannot be used: what is wrong and what to do.

    `keys` by field name (api_key, api_secret, …). `base_url` and `ws_url` None: the venue's own.
    """

    known: KnownAccount
    keys: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    base_url: str | None = None
    ws_url: str | None = None
    parent: str | None = None
    trouble: str = ""

    @property
    def account(self) -> AccountId:
        return self.known.account


@dataclass(frozen=True, slots=True)
class Reader:
    """Resolves `env:NAME` texts."""

    environ: Mapping[str, str]
    dotenv: Mapping[str, str]

    def secret(self, value: object, path: str) -> Secret:
        """The secret a field stands for. Raises ConfigError, never showing what it holds."""
        where = f"{FILE}: {path}"
        if value is None:
            raise ConfigError(where, "is missing; add it")
        if not isinstance(value, str):
            raise ConfigError(where, "must be a text in quotes")
        return resolve(value.strip(), self.environ, self.dotenv, where)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is written: where it stands, whose it is, and its fields under today's names."""

    path: str
    venue: str
    name: str
    given: Mapping[str, object]


def section(value: object, path: str = "") -> Mapping[str, object]:
    """An object of the file. Raises ConfigError, never showing what stands there instead."""
    if not isinstance(value, dict):
        raise ConfigError(f"{FILE}: {path}" if path else FILE, "must be an object: {...}; correct it")
    return value


def accounts_in(whole: Mapping[str, object], reader: Reader) -> tuple[AccountCredentials, ...]:
    """Every account the file names, in its order. What is wrong with one is that one's `trouble`."""
    return _distinct([_account(entry, reader) for entry in entries(whole)])


def entries(whole: Mapping[str, object]) -> Iterator[Entry]:
    """Every entry of the file that names an account, in the order they count."""
    for venue in NATIVE:
        given = whole.get(venue)
        # The interactive script leaves empty texts for venues the user skipped.
        if isinstance(given, dict) and not any(given.values()):
            continue
        if given is not None:
            yield Entry(venue, venue, MAIN, _object(given))
    listed = whole.get("accounts")
    for number, given in enumerate(listed if isinstance(listed, list) else () if listed is None else (listed,)):
        values = _object(given)
        yield Entry(f"accounts[{number}]", _text(values, "venue"), _text(values, "name"), values)
    older = whole.get("ccxt")
    listed = older.get("ccxt_list") if isinstance(older, dict) else older
    for number, given in enumerate(listed if isinstance(listed, list) else () if listed is None else (listed,)):
        values = _migrated(_object(given))
        yield Entry(f"ccxt.ccxt_list[{number}]", _text(values, "venue"), _text(values, "name") or MAIN, values)


def _object(value: object) -> Mapping[str, object]:
    """An entry's fields; of anything but an object none, so that what it lacks is what the user reads."""
    return value if isinstance(value, dict) else MappingProxyType({})


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name, "")
    return value if isinstance(value, str) else ""


def _migrated(given: Mapping[str, object]) -> Mapping[str, object]:
    """An older entry under today's names: lower case, other characters of a name as hyphens."""
    values = dict(given)
    for name, olds in OLD_NAMES.items():
        for old in olds:
            if old in values:
                values.setdefault(name, values.pop(old))
    venue = _text(values, "venue").lower()
    values["venue"] = OLD_VENUES.get(venue, venue)
    values["name"] = re.sub(r"[^a-z0-9]+", "-", _text(values, "name").lower()).strip("-")
    return values


def _account(entry: Entry, reader: Reader) -> AccountCredentials:
    known = KnownAccount(AccountId(f"{entry.venue}-{entry.name}"), entry.venue, entry.name)
    try:
        _check_name(entry)
        known = replace(known, given=_older_settings(entry), margin_mode=_older_margin_mode(entry))
        keys = _keys(entry, reader)
        return AccountCredentials(
            known,
            MappingProxyType(keys),
            base_url=_url(entry, "base_url", ("https", "http")),
            ws_url=_url(entry, "ws_url", ("wss", "ws")),
            parent=_text(entry.given, "parent") or None,
        )
    except ConfigError as error:
        if ACCOUNT.fullmatch(known.account) is None:
            known = replace(known, account=AccountId(f"unnamed-{_digits(entry.path)}"))
        return AccountCredentials(known, trouble=f"{error}, then restart; the account cannot be used until then.")


def _digits(path: str) -> str:
    return "-".join(re.findall(r"[0-9]+", path)) or "entry"


def _check_name(entry: Entry) -> None:
    where = f"{FILE}: {entry.path}"
    if VENUE.fullmatch(entry.venue) is None:
        raise ConfigError(
            f"{where}.venue", "must name a venue such as bybit, in lower-case letters and digits; correct it"
        )
    if NAME.fullmatch(entry.name) is None or ACCOUNT.fullmatch(f"{entry.venue}-{entry.name}") is None:
        words = "must be lower-case letters, digits and hyphens, with the venue at most 40 in all; correct it"
        raise ConfigError(f"{where}.name", words)


def _keys(entry: Entry, reader: Reader) -> dict[str, Secret]:
    needed = NEEDS.get(entry.venue, OTHERWISE_NEEDS)
    wallet = entry.venue not in NEEDS and entry.given.get("wallet_address")
    needed = NEEDS["hyperliquid"] if wallet else needed
    keys = {name: reader.secret(entry.given.get(name), f"{entry.path}.{name}") for name in needed}
    for name in KEYS:
        if name not in keys and entry.given.get(name):
            keys[name] = reader.secret(entry.given[name], f"{entry.path}.{name}")
    return keys


def _url(entry: Entry, name: str, schemes: tuple[str, str]) -> str | None:
    """Another address than the venue's: encrypted, or on this machine. Signed requests go nowhere else."""
    value = entry.given.get(name)
    if value is None or value == "":
        return None
    where = f"{FILE}: {entry.path}.{name}"
    secure, plain = schemes
    if not isinstance(value, str):
        raise ConfigError(where, f"must be a text like {secure}://example.org")
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        raise ConfigError(where, f"is not an address like {secure}://example.org") from None
    if not host or parts.username or parts.scheme not in schemes:
        raise ConfigError(where, f"must be an address like {secure}://example.org, without a user name")
    if parts.scheme == plain and host not in LOOPBACK:
        raise ConfigError(where, f"must begin with {secure}:// unless it is on this machine ({', '.join(LOOPBACK)})")
    return value.rstrip("/")


def _older_settings(entry: Entry) -> AccountEntry:
    """What an older file says here of the account's use; engine_config's `accounts{}` overrides it key by key."""
    given = {name: entry.given[name] for name in AccountEntry.model_fields if name in entry.given}
    if entry.given.get("enabled") is False:
        given.setdefault("mode", "disabled")
    try:
        return AccountEntry.model_validate(given)
    except ValidationError as error:
        # Not the validator's own words: they show the value, and this file's values are shown nowhere.
        where = explained(error, FILE, (entry.path,), no_lines)[0].where
        raise ConfigError(where, "does not take this value; correct it as docs/configuration.md says") from None


def _older_margin_mode(entry: Entry) -> MarginMode | None:
    value = entry.given.get("margin_mode")
    if value is None:
        return None
    for mode in MarginMode:
        if value == mode.value:
            return mode
    raise ConfigError(f"{FILE}: {entry.path}.margin_mode", f"must be one of {', '.join(MarginMode)}; correct it")


def _distinct(accounts: list[AccountCredentials]) -> tuple[AccountCredentials, ...]:
    """No id twice, and no key twice: two loops on one real account would undo each other's orders."""
    count = Counter(account.account for account in accounts)
    owners: dict[tuple[str, ...], AccountId] = {}
    found: dict[AccountId, AccountCredentials] = {}
    for account in accounts:
        name = account.account
        if count[name] > 1:
            trouble = f"{FILE}: {name} is named {count[name]} times; rename or remove one, then restart. None is used."
            account = AccountCredentials(account.known, trouble=trouble)
        elif not account.trouble:
            identity = (account.known.venue, *(_revealed(account, key) for key in IDENTIFYING))
            owner = owners.setdefault(identity, name)
            if owner != name:
                words = f"has the same key as {owner}, and two loops on one real account would undo each other's orders"
                trouble = f"{FILE}: {name} {words}; remove one of the two, then restart. Only {owner} is used."
                account = AccountCredentials(account.known, trouble=trouble)
        found.setdefault(name, account)
    return tuple(found.values())


def _revealed(account: AccountCredentials, key: str) -> str:
    secret = account.keys.get(key)
    return secret.reveal() if secret else ""
