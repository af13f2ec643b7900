"""What `explain` and `signals` stand on: a home's files, read as the engine reads them. Nothing is written or asked.

Journals are folded, not opened: an engine that runs goes on undisturbed, and one that is stopped is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cli.errors import UserError
from cli.places import shown
from cli.reading import BEAT_FRESH_S, DISK, credentials_of, heartbeat_of, process_exists, statuses
from config.home import Home
from config.reload import FileSettings
from config.signal_files import SignalFiles
from core.clock import SystemClock
from core.domain import (
    AccountId,
    AccountSettings,
    Halt,
    Instrument,
    Settings,
    Sized,
    SourceName,
    SourceReading,
    Symbol,
    Wanted,
)
from core.errors import ConfigError, Corrupt
from core.execution.context import before_of, downward_only
from core.journal import decode, read_header
from core.memory import AccountMemory
from core.records import instrument_from
from core.shares import Share, shares
from core.signal_manager import sources_of
from core.state.projections import read_depths
from core.targets import Moment, want

ENGINE = "trade-engine"
NEW_SIZES = ("SIZED", "ADOPTED", "CLOSED_BY_USER", "SNAPSHOT")


@dataclass(frozen=True, slots=True)
class Origin:
    """How a symbol's present generation came about: the journal record's kind, and the size before it."""

    kind: str
    before: Sized | None


@dataclass(frozen=True, slots=True)
class Engine:
    """Whether trade-engine runs, and when it last said so (epoch seconds; None: never in this home)."""

    running: bool
    at: float | None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account as its files have it. `settings` None: not configured; `problem`: why its journal was not read."""

    account: AccountId
    settings: AccountSettings | None
    memory: AccountMemory = field(default_factory=AccountMemory)
    origins: Mapping[Symbol, Origin] = field(default_factory=lambda: MappingProxyType({}))
    journaled_at: float | None = None
    problem: str = ""
    status: Mapping[str, Any] | None = None
    instruments: Mapping[Symbol, Instrument] = field(default_factory=lambda: MappingProxyType({}))

    def status_of(self, symbol: Symbol) -> Mapping[str, Any]:
        """The symbol's entry in the status; empty where there is none."""
        symbols = (self.status or {}).get("symbols")
        entry = symbols.get(symbol) if isinstance(symbols, dict) else None
        return entry if isinstance(entry, dict) else {}


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """A whole home at `now` (epoch seconds)."""

    home: Home
    now: float
    settings: Settings
    readings: Mapping[SourceName, SourceReading]
    halt: Halt
    problems: tuple[str, ...]
    engine: Engine
    accounts: Mapping[AccountId, AccountFacts]

    def wanted(self, account: AccountFacts, symbol: Symbol) -> Wanted | None:
        """What the engine's own decision makes of these files; None: the account is not configured for the symbol."""
        if account.settings is None:
            return None
        before, moment = before_of(account.memory.of(symbol)), self._moment(account)
        return want(symbol, self.settings, account.settings, self.readings, before, moment)

    def shares(self, account: AccountFacts, symbol: Symbol) -> tuple[Share, ...]:
        if account.settings is None:
            return ()
        before, moment = before_of(account.memory.of(symbol)), self._moment(account)
        return shares(symbol, self.settings, account.settings, self.readings, before, moment)

    def _moment(self, account: AccountFacts) -> Moment:
        assert account.settings is not None
        return Moment(self.now, downward_only(account.settings, self.halt, account.memory.watch))

    def symbols(self, account: AccountFacts) -> set[Symbol]:
        """Every symbol the account is configured for, remembers, or was last seen holding."""
        found = set(account.memory.symbols)
        entries = (account.status or {}).get("symbols")
        found |= set(map(Symbol, entries)) if isinstance(entries, dict) else set()
        if account.settings is not None:
            own = account.settings.symbols
            found |= {symbol for symbol in self.settings.weights if own is None or symbol in own}
        return found


def home_facts(home: Home) -> HomeFacts:
    """Reads everything once. Raises UserError while there is no valid configuration to explain by."""
    clock = SystemClock()
    known = credentials_of(home).known if home.credentials.exists() else None
    files = FileSettings(home, clock, accounts=known)
    settings = files.settings()
    if settings is None:
        problems = "\n".join(f"  {problem}" for problem in files.problems())
        raise UserError(
            f"{shown(home)}: there is no valid configuration in {home.root}, so nothing is wanted:\n{problems}"
        )
    signals = SignalFiles(home, clock, staleness_s=files.staleness_s)
    readings = signals.readings(sources_of(settings))
    found, troubles = _accounts(home, settings)
    return HomeFacts(
        home=home,
        now=clock.time(),
        settings=settings,
        readings=readings,
        halt=files.halt(),
        problems=(*files.problems(), *signals.problems(), *troubles),
        engine=engine_of(home, clock.time()),
        accounts=found,
    )


def engine_of(home: Home, now: float) -> Engine:
    beat = heartbeat_of(home, ENGINE)
    if beat is None:
        return Engine(running=False, at=None)
    return Engine(running=now - beat.at < BEAT_FRESH_S and process_exists(beat.pid), at=beat.at)


def _accounts(home: Home, settings: Settings) -> tuple[dict[AccountId, AccountFacts], tuple[str, ...]]:
    statuses_found = statuses(home)
    journals = {path.stem for path in home.journals.glob("*.jsonl")}
    contracts, problems = _contracts(home)
    names = sorted({*settings.accounts, *statuses_found, *journals})
    found = {}
    for account in map(AccountId, names):
        memory, origins, at, problem = _remembered(home.journals / f"{account}.jsonl", account)
        found[account] = AccountFacts(
            account=account,
            settings=settings.accounts.get(account),
            memory=memory,
            origins=origins,
            journaled_at=at,
            problem=problem,
            status=statuses_found.get(account),
            instruments=contracts.get(account, {}),
        )
    return found, problems


def _remembered(path: Path, account: AccountId) -> tuple[AccountMemory, Mapping[Symbol, Origin], float | None, str]:
    """Memory, origins, instant of the newest record, and why none of it could be read ('': it could)."""
    try:
        records = decode(DISK.read(path), path.name).records
        if records:
            read_header(records[0], account, path.name)
        memory, origins = folded(records[1:])
    except FileNotFoundError:
        return AccountMemory(), {}, None, "there is no journal yet: the engine has not opened this account here"
    except (OSError, Corrupt) as error:
        return AccountMemory(), {}, None, str(error)
    at = records[-1].get("at") if len(records) > 1 else None
    return memory, origins, float(at) if isinstance(at, int | float) else None, ""


def folded(records: Iterable[Mapping[str, Any]]) -> tuple[AccountMemory, dict[Symbol, Origin]]:
    """The memory of an account, and where each symbol's present generation came from. Raises Corrupt."""
    memory = AccountMemory()
    origins: dict[Symbol, Origin] = {}
    for record in records:
        before, memory = memory, memory.apply(record)
        if record["kind"] in NEW_SIZES:
            symbol = Symbol(record["symbol"])
            origins[symbol] = Origin(record["kind"], before.of(symbol).sized)
    return memory, origins


def _contracts(home: Home) -> tuple[dict[str, dict[Symbol, Instrument]], tuple[str, ...]]:
    """account -> symbol -> its contract as the engine last read it of the venue; and what is wrong with that file."""
    try:
        depths = read_depths(DISK, home.depths)
        found = {
            account: {
                Symbol(symbol): instrument_from(entry["instrument"])
                for symbol, entry in section["symbols"].items()
                if "instrument" in entry
            }
            for account, section in depths.items()
        }
    except (ConfigError, OSError, KeyError, ArithmeticError, TypeError) as error:
        return {}, (f"{home.depths.name} cannot be read ({error}); the venues' rules are not shown.",)
    return found, ()
