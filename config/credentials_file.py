"""credentials.json: what it names, read once at the start of a process. One bad entry stops one account, not the rest.

    bybit, blofin, kucoin, mexc, hyperliquid   one entry each, the account `<venue>-main`
    accounts[]                                 any number: venue, name, the venue's keys, base_url?, ws_url?, parent?
    ccxt.ccxt_list[]                           the older form, migrated here: exchange, account_name, keys
    tradingview.webhook_tokens[]               tokens of the webhook
    bittensor_sn8                              api_key, endpoint

Any of these texts may be `env:NAME`, the process environment's NAME or else that of `<home>/.env`. Nothing read here is
ever put into the environment, written elsewhere or shown: keys are `Secret`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from config.assemble import KnownAccount
from config.credential_entries import FILE, AccountCredentials, Reader, accounts_in, section
from config.home import Home
from config.problems import listed, nearest
from config.secret import ENV_PREFIX, Secret, parse_dotenv
from core.errors import ConfigError
from core.ports import FileOps
from core.state import RealFileOps, content_hash, loads

__all__ = ["FILE", "BittensorCredentials", "Credentials", "CredentialsFile", "read_dotenv", "tighten", "webhook_tokens"]

log = logging.getLogger("trade-engine")
MISSING = "missing"
SECTIONS = ("tradingview", "bittensor_sn8", "bybit", "blofin", "kucoin", "mexc", "hyperliquid", "ccxt", "accounts")


@dataclass(frozen=True, slots=True)
class BittensorCredentials:
    api_key: Secret
    endpoint: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the file named when it was read. `problems` are for the user; an account's own are in its `trouble`."""

    accounts: tuple[AccountCredentials, ...] = ()
    webhook_tokens: tuple[Secret, ...] = ()
    bittensor: BittensorCredentials | None = None
    problems: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def known(self) -> tuple[KnownAccount, ...]:
        """The accounts for `FileSettings`, those in trouble too: they are configured, only not usable."""
        return tuple(account.known for account in self.accounts)


class CredentialsFile:
    """Reads credentials.json of a home. A change counts at the next start of the process: `changed` tells of it."""

    def __init__(self, home: Home, environ: Mapping[str, str] = os.environ, files: FileOps | None = None) -> None:
        self._home = home
        self._environ = environ
        self._files = files or RealFileOps()
        self._versions: Mapping[str, str] = MappingProxyType({})

    def load(self) -> Credentials:
        """Reads, tightens file modes, resolves `env:`. Raises ConfigError if the file as a whole cannot be used."""
        self._versions = self._read_versions()
        notes = [note for path in (self._home.credentials, self._home.dotenv) if (note := tighten(path))]
        try:
            data = self._files.read(self._home.credentials)
        except FileNotFoundError:
            words = "does not exist; make it with python3 config/credentials.py (docs/configuration.md)"
            raise ConfigError(FILE, words) from None
        except OSError as error:
            raise ConfigError(FILE, f"cannot be read: {error.strerror or error}; make it readable") from error
        whole = section(loads(data, FILE))
        dotenv, trouble = self._read_dotenv()
        reader = Reader(self._environ, dotenv)
        tokens, token_problems = webhook_tokens(whole, reader)
        bittensor, bittensor_problems = bittensor_of(whole, reader)
        problems = [*notes, *trouble, *token_problems, *bittensor_problems, *unknown_sections(whole)]
        problems += shown_by_pm2(whole, self._environ)
        return Credentials(accounts_in(whole, reader), tokens, bittensor, tuple(problems), self._versions)

    async def wait(self, stop: asyncio.Event, waiting: Callable[[], None], poll_s: float = 1.0) -> Credentials | None:
        """Loads as soon as the file can be used, saying what is wrong until then; None when `stop` came first.

        What is wrong with parts of it is said, too. `waiting` is called once when it has to wait.
        """
        said = ""
        while not stop.is_set():
            try:
                found = self.load()
                for problem in found.problems:
                    log.warning("%s", problem)
                return found
            except ConfigError as error:
                if str(error) != said:
                    said = str(error)
                    waiting()
                    log.error("%s. Nothing is traded; the engine goes on by itself once that is mended.", said)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll_s):
                    await stop.wait()
        return None

    @property
    def versions(self) -> Mapping[str, str]:
        """File name -> content hash (or a word) of what was loaded; '.env' only where there is one."""
        return {name: version for name, version in self._versions.items() if version != MISSING or name == FILE}

    def changed(self) -> str:
        """What differs on disk from what was loaded, and what to do; '' where nothing does."""
        now = self._read_versions()
        names = [name for name in (FILE, ".env") if now.get(name) != self._versions.get(name)]
        if not names:
            return ""
        return (
            f"{' and '.join(names)} changed since this process started, which still uses what it read then; "
            "restart it for the change to count (./run restart trade-engine)."
        )

    def _read_versions(self) -> Mapping[str, str]:
        found = {}
        for name, path in ((FILE, self._home.credentials), (".env", self._home.dotenv)):
            try:
                found[name] = content_hash(self._files.read(path))
            except FileNotFoundError:
                found[name] = MISSING
            except OSError as error:
                found[name] = f"unreadable: {error.strerror or error}"
        return MappingProxyType(found)

    def _read_dotenv(self) -> tuple[Mapping[str, str], tuple[str, ...]]:
        try:
            return read_dotenv(self._home, self._files), ()
        except ConfigError as error:
            return MappingProxyType({}), (f"{error}. Secrets from .env are not available until then.",)


def read_dotenv(home: Home, files: FileOps) -> Mapping[str, str]:
    """`<home>/.env`, empty where there is none. Raises ConfigError where it cannot be read."""
    try:
        data = files.read(home.dotenv)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise ConfigError(".env", f"cannot be read: {error.strerror or error}; make it readable") from error
    try:
        return parse_dotenv(data.decode("utf-8-sig"), ".env")
    except UnicodeDecodeError:
        raise ConfigError(".env", "is not UTF-8 text; save it as such") from None


def tighten(path: Path, user: int | None = None) -> str:
    """Makes a file with secrets ours alone (0600); returns what was done, '' where nothing had to be.

    Raises ConfigError where the file belongs to another user (who could change or read it at any time).
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(path.name, f"cannot be looked at: {error.strerror or error}") from error
    if found.st_uid != (os.getuid() if user is None else user):
        words = f"belongs to another user (uid {found.st_uid}), who could read or change it; make it yours (chown)"
        raise ConfigError(path.name, words)
    loose = stat.S_IMODE(found.st_mode) & 0o177
    if not loose:
        return ""
    try:
        path.chmod(0o600)
    except OSError as error:
        words = f"can be read by others and could not be tightened ({error.strerror or error}); run chmod 600 on it"
        return f"{path.name}: {words}."
    return f"{path.name}: others could reach it (mode {stat.S_IMODE(found.st_mode):04o}); tightened to 0600."


def webhook_tokens(whole: Mapping[str, object], reader: Reader) -> tuple[tuple[Secret, ...], tuple[str, ...]]:
    """The webhook's tokens, and what is wrong with those that cannot be used."""
    try:
        given = section(whole.get("tradingview", {}), "tradingview").get("webhook_tokens", [])
        if not isinstance(given, list):
            raise ConfigError(f"{FILE}: tradingview.webhook_tokens", "must be a list of texts")
    except ConfigError as error:
        return (), (f"{error}. No alert is accepted until it is corrected.",)
    tokens, problems = [], []
    for number, value in enumerate(given):
        try:
            tokens.append(reader.secret(value, f"tradingview.webhook_tokens[{number}]"))
        except ConfigError as error:
            problems.append(f"{error}. This token is not accepted.")
    return tuple(tokens), tuple(problems)


def bittensor_of(whole: Mapping[str, object], reader: Reader) -> tuple[BittensorCredentials | None, tuple[str, ...]]:
    """The Bittensor feed's credentials, None where there are none; and what is wrong with them."""
    if "bittensor_sn8" not in whole:
        return None, ()
    try:
        given = section(whole["bittensor_sn8"], "bittensor_sn8")
        if not any(given.values()):
            return None, ()
        key = reader.secret(given.get("api_key"), "bittensor_sn8.api_key")
        endpoint = reader.secret(given.get("endpoint"), "bittensor_sn8.endpoint").reveal()
    except ConfigError as error:
        return None, (f"{error}. Bittensor signals cannot be fetched until then.",)
    return BittensorCredentials(key, endpoint), ()


def shown_by_pm2(whole: Mapping[str, object], environ: Mapping[str, str]) -> list[str]:
    """What to say of secrets that come from the environment of a program under PM2 (which sets `pm_id` there)."""
    if "pm_id" not in environ:
        return []
    names = sorted({name for name in env_names(whole) if environ.get(name)})
    if not names:
        return []
    told = (
        f"{FILE}: {listed(names)} came from the environment, and PM2 writes environments in plain text into its lists "
        "and its dump. They are used all the same. Move them to .env in the home, unset them in the shell, then "
        "`pm2 delete` and start this program again, and `pm2 save`."
    )
    return [told]


def env_names(value: object) -> Iterator[str]:
    """Every NAME of an `env:NAME` inside."""
    if isinstance(value, str) and value.strip().startswith(ENV_PREFIX):
        yield value.strip().removeprefix(ENV_PREFIX)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from env_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from env_names(inner)


def unknown_sections(whole: Mapping[str, object]) -> list[str]:
    """What to say of sections that nothing reads."""
    found = []
    for name in whole:
        if name not in SECTIONS:
            near = nearest(name, SECTIONS)
            hint = f"did you mean {near}?" if near else f"known: {listed(SECTIONS)}."
            found.append(f"{FILE}: {name}: is not a section the engine knows and has no effect; {hint}")
    return found
