"""What the verbs read of a home. The configuration is read as the engine reads it; what cannot be read is said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cli.errors import UserError
from config.credentials_file import Credentials, CredentialsFile
from config.home import Home
from config.reload import FileSettings
from core.clock import SystemClock
from core.domain import AccountMode
from core.errors import ConfigError
from core.state import RealFileOps, loads, parse_instant, read_json
from signal_endpoints.live_files import LiveFiles

DISK = RealFileOps()
BEAT_FRESH_S = 20.0  # heartbeats come every five seconds
REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to find what listens everywhere


# --- what running programs write --------------------------------------------------------------------------------------


def object_in(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file that a running program keeps whole; None: there is no such file.

    Raises:
        UserError: it cannot be read, or is no JSON object.
    """
    try:
        value, _ = read_json(DISK, path)
    except FileNotFoundError:
        return None
    except (OSError, ConfigError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no JSON object.")
    return value


def folder_of_objects(folder: Path) -> dict[str, dict[str, Any]]:
    """File stem -> content, of every JSON file in a folder of projections."""
    found = {path.stem: object_in(path) for path in sorted(folder.glob("*.json"))}
    return {name: value for name, value in found.items() if value is not None}


def statuses(home: Home) -> dict[str, dict[str, Any]]:
    """AccountId -> what the engine last said of it."""
    return folder_of_objects(home.statuses)


@dataclass(frozen=True, slots=True)
class Beat:
    """A process's own sign of life: when (epoch seconds), from which process number; file name -> content hash it runs
    on, and what it wants its user to know."""

    at: float
    pid: int
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[str, ...] = ()

    def fresh(self, now: float) -> bool:
        """Whether that process lives: it said so lately, and its number is still in use."""
        return now - self.at < BEAT_FRESH_S and process_exists(self.pid)


def instant(value: object) -> float | None:
    """Epoch seconds of an instant in one of these files; None where it is none, which is shown as such."""
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        return None


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def heartbeat_of(home: Home, process: str) -> Beat | None:
    """What `state/heartbeat/<process>.json` says; None where it never wrote one."""
    found = object_in(home.heartbeats / f"{process}.json")
    if found is None:
        return None
    try:
        versions, problems = found.get("versions", {}), found.get("problems", [])
        shown = {str(name): str(version) for name, version in versions.items()}
        return Beat(parse_instant(str(found["at"])), int(found["pid"]), shown, tuple(map(str, problems)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{home.heartbeats / process}.json is not a heartbeat: {error}") from error


def lines_of_json(path: Path) -> list[dict[str, Any]]:
    """Complete lines of a JSON-lines file; none while there is no file. Raises UserError on a broken one."""
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1].splitlines()
    try:
        found = [loads(line, f"{path.name}:{number}") for number, line in enumerate(whole, start=1)]
    except ConfigError as error:
        raise UserError(f"{path}: {error}") from error
    return [line for line in found if isinstance(line, dict)]


# --- what users write -------------------------------------------------------------------------------------------------


def credentials_of(home: Home) -> Credentials:
    try:
        return CredentialsFile(home).load()
    except ConfigError as error:
        raise UserError(f"{home.root}: {error}") from error


def settings_of(home: Home) -> FileSettings:
    """The live files as the engine of this home sees them, last good included. Writes nothing."""
    known = credentials_of(home).known if home.credentials.exists() else None
    return FileSettings(home, SystemClock(), accounts=known)


def known_accounts(home: Home) -> list[str]:
    """Every account the home's files name: those with a status, and those in credentials.json."""
    named = credentials_of(home).known if home.credentials.exists() else ()
    return sorted({*statuses(home), *(known.account for known in named)})


def disabled_accounts(home: Home) -> list[str]:
    """Accounts that engine_config switches off; not even FLATTEN reaches them."""
    settings = settings_of(home).settings()
    accounts = settings.accounts.values() if settings else ()
    return sorted(account.account for account in accounts if account.mode is AccountMode.DISABLED)


def webhook_base(home: Home) -> str:
    """`http://host:port` of the home's webhook, as reached from this machine."""
    rules = LiveFiles(home, DISK, SystemClock()).rules
    host = REACHABLE.get(rules.host, rules.host)
    return f"http://[{host}]:{rules.port}" if ":" in host else f"http://{host}:{rules.port}"


def webhook_url_of(home: Home) -> str:
    return f"{webhook_base(home)}/webhook/{webhook_token(home)}"


def webhook_token(home: Home) -> str:
    tokens = credentials_of(home).webhook_tokens if home.credentials.exists() else ()
    if not tokens:
        raise UserError(
            f"{home.root} has no webhook token yet. The first start of tradingview-endpoint makes one: ./run up"
        )
    return tokens[0].reveal()
