"""What an edit does to credentials.json: pure, field by field; what nothing here knows stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from config.credential_entries import MAIN, NAME, NATIVE, AccountCredentials, Entry, Reader, accounts_in, entries
from config.credential_fields import BITTENSOR, OPEN_FIELDS, checked
from config.credentials_file import env_names
from config.problems import listed, nearest
from config.secret import ENV_PREFIX
from config.wallets import address_of, check_address, check_private_key, same
from core.errors import ConfigError

Whole = dict[str, Any]
"""credentials.json as it stands."""


def account_of(entry: Entry) -> str:
    return f"{entry.venue}-{entry.name}"


def present_fields(whole: Whole, section: str, name: str = MAIN) -> Mapping[str, Any]:
    """The fields of an account (or of a section that is no venue), empty where there is none."""
    if section not in NATIVE:
        found = whole.get(section)
    else:
        found = whole.get(section) if name == MAIN else _listed(whole, section, name)
    return found if isinstance(found, dict) else {}


def _listed(whole: Whole, venue: str, name: str) -> Mapping[str, Any] | None:
    given = whole.get("accounts")
    return next((one for one in given if _is(one, venue, name)), None) if isinstance(given, list) else None


def _is(one: object, venue: str, name: str) -> bool:
    return isinstance(one, dict) and one.get("venue") == venue and one.get("name") == name


def with_fields(whole: Whole, section: str, name: str, given: Mapping[str, Any]) -> Whole:
    """The file with an account's (or section's) fields replaced by `given`, its others kept; made where it is new."""
    if name == MAIN:
        return {**whole, section: {**present_fields(whole, section), **given}}
    listed_now = whole.get("accounts")
    accounts = list(listed_now) if isinstance(listed_now, list) else []
    if _listed(whole, section, name) is None:
        accounts.append({"venue": section, "name": name, **given})
    else:
        accounts = [{**one, **given} if _is(one, section, name) else one for one in accounts]
    return {**whole, "accounts": accounts}


def without(whole: Whole, account: str) -> Whole:
    """The file without an account, in whichever form it stands there. Raises ConfigError where it does not."""
    if account == BITTENSOR and account in whole:
        return {key: value for key, value in whole.items() if key != account}
    found = [entry for entry in entries(whole) if account_of(entry) == account]
    if not found:
        known = [account_of(entry) for entry in entries(whole)] + ([BITTENSOR] if BITTENSOR in whole else [])
        near = nearest(account, known)
        raise ConfigError(f"--remove {account}", f"is not there; {f'did you mean {near}?' if near else listed(known)}")
    result = dict(whole)
    for path in reversed([entry.path for entry in found]):
        head, bracket, number = path.rstrip("]").partition("[")
        if not bracket:
            del result[head]
        elif head == "accounts":
            result[head] = _without_item(result[head], int(number))
        elif isinstance(result["ccxt"], dict):
            result["ccxt"] = {**result["ccxt"], "ccxt_list": _without_item(result["ccxt"]["ccxt_list"], int(number))}
        else:
            result["ccxt"] = _without_item(result["ccxt"], int(number))
    return result


def _without_item(items: object, number: int) -> object:
    return [one for at, one in enumerate(items) if at != number] if isinstance(items, list) else []


# --- --set and --from -------------------------------------------------------------------------------------------------


def with_set(whole: Whole, text: str) -> Whole:
    """The file after `--set ACCOUNT.FIELD=VALUE`. Raises ConfigError; secrets may not stand on a command line."""
    target, equals, value = text.partition("=")
    where = f"--set {target[:60]}"
    account, dot, field = target.partition(".")
    if not (equals and dot and account and field):
        raise ConfigError("--set", "must be ACCOUNT.FIELD=VALUE, such as bybit-main.api_secret=env:BYBIT_SECRET")
    if field not in OPEN_FIELDS and not value.startswith(ENV_PREFIX):
        words = "is a secret, and every user of this machine sees command lines; write env:NAME and NAME=… into .env,"
        raise ConfigError(where, f"{words} or use --from FILE, or --from - for standard input")
    venue, hyphen, name = account.partition("-")
    section, name = (account, MAIN) if account == BITTENSOR or not hyphen else (venue, name)
    if section not in (*NATIVE, BITTENSOR) or (name != MAIN and NAME.fullmatch(name) is None):
        known = ", ".join((*NATIVE, BITTENSOR))
        raise ConfigError(
            where, f"names no account; write {BITTENSOR}, or a venue and a name such as bybit-main ({known})"
        )
    try:
        return with_fields(whole, section, name, {field: checked(field, value)})
    except ValueError as error:
        raise ConfigError(where, str(error)) from None


def merged(whole: Whole, given: Mapping[str, Any]) -> Whole:
    """The file with another one over it: field by field, accounts by venue and name, webhook tokens added."""
    result = dict(whole)
    for key, value in given.items():
        present = result.get(key)
        if key == "accounts":
            result[key] = _merged_list(present, value, lambda one: (one.get("venue"), one.get("name")))
        elif key == "ccxt" and isinstance(value, dict) and isinstance(present, dict):
            together = _merged_list(present.get("ccxt_list"), value.get("ccxt_list", []), _older_name)
            result[key] = {**present, **value, "ccxt_list": together}
        elif key == "tradingview" and isinstance(value, dict) and isinstance(present, dict):
            tokens = _merged_list(present.get("webhook_tokens"), value.get("webhook_tokens", []), None)
            result[key] = {**present, **value, "webhook_tokens": tokens}
        elif isinstance(value, dict) and isinstance(present, dict):
            result[key] = {**present, **value}
        else:
            result[key] = value
    return result


def _older_name(one: Mapping[str, Any]) -> tuple[object, ...]:
    (entry,) = entries({"ccxt": [one]})
    return entry.venue, entry.name


def _merged_list(present: object, given: object, identity: Callable[[Mapping[str, Any]], object] | None) -> object:
    if not isinstance(present, list) or not isinstance(given, list):
        return given
    result = list(present)
    for one in given:
        same_one = [
            at
            for at, other in enumerate(result)
            if identity and isinstance(one, dict) and isinstance(other, dict) and identity(one) == identity(other)
        ]
        if same_one:
            result[same_one[0]] = {**result[same_one[0]], **one}
        elif one not in result:
            result.append(one)
    return result


# --- what stands against it -------------------------------------------------------------------------------------------


def patient(reader: Reader, whole: object) -> Reader:
    """A reader for which every `env:NAME` of the file is set: whether it is now is not what a form depends on."""
    unset = {name: f"(unset {name})" for name in env_names(whole)}
    return Reader({**unset, **{k: v for k, v in reader.environ.items() if v}}, reader.dotenv)


def unset_names(reader: Reader, whole: object) -> list[str]:
    """Names that `env:NAME` asks for and nothing sets."""
    return sorted({name for name in env_names(whole) if not (reader.environ.get(name) or reader.dotenv.get(name))})


def findings(whole: Whole, reader: Reader) -> dict[str, str]:
    """account -> what is wrong with it, whatever the environment sets."""
    accounts = accounts_in(whole, patient(reader, whole))
    found = {str(account.account): account.trouble for account in accounts if account.trouble}
    for account in accounts:
        wrong = "" if account.trouble else wallet_trouble(account)
        if wrong:
            found[str(account.account)] = wrong
    return found


def wallet_trouble(account: AccountCredentials) -> str:
    """What is wrong with a Hyperliquid account's address, vault or key; '' where nothing."""
    if account.known.venue != "hyperliquid":
        return ""
    checks: Sequence[tuple[str, Callable[[str], str]]] = (
        ("wallet_address", check_address),
        ("vault_address", check_address),
        ("private_key", check_private_key),
    )
    for name, check in checks:
        secret = account.keys.get(name)
        if secret is None or secret.reveal().startswith("(unset "):
            continue
        try:
            check(secret.reveal())
        except ValueError as error:
            return f"credentials.json: {account.account}: {name} {error}"
    return ""


def key_owner(account: AccountCredentials) -> tuple[str, str]:
    """Whose a Hyperliquid account's private key is: (`wallet`, address), (`agent`, its address), or ('', '').

    Unknown where it cannot be derived: another venue, or a value that is not set or not well formed.
    """
    key, wallet = account.keys.get("private_key"), account.keys.get("wallet_address")
    if (
        account.known.venue != "hyperliquid"
        or account.trouble
        or key is None
        or wallet is None
        or wallet_trouble(account)
    ):
        return "", ""
    if key.reveal().startswith("(unset ") or wallet.reveal().startswith("(unset "):
        return "", ""
    address = address_of(check_private_key(key.reveal()))
    return ("wallet" if same(address, wallet.reveal()) else "agent"), address
